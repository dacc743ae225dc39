"""Marking by hand, by class or subject and day: all marks of a call, or none; marking again changes, never doubles."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Select, and_, func, or_
from sqlalchemy.orm import aliased
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import (
    Class,
    ClassTeacher,
    Enrolment,
    Record,
    Role,
    Session,
    Source,
    Status,
    StudentProfile,
    Subject,
    User,
    UserStatus,
    Verification,
)
from app.services.caller import Caller
from app.services.errors import MarksRefused, NotFound, NotYourClass, NotYourSubject
from app.services.paging import Page, Paging, paginate
from app.services.sessions import Days, teaches_subject
from app.services.students import visible_students
from app.services.transaction import insert_missing, transaction


@dataclass(frozen=True, slots=True)
class Mark:
    """What one mark says. place: where it stands in the call, by which a wrong one is named."""

    place: str
    student_id: uuid.UUID
    day: date
    status: str
    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    remarks: str | None = None

    @property
    def key(self) -> str:
        of = f"class {self.class_id}" if self.class_id else f"subject {self.subject_id}"
        return f"{of} {self.day}"


@dataclass(frozen=True, slots=True)
class MarkedRecord:
    row: Record
    student: User
    session: Session
    roll_number: str | None
    subject: str | None
    teacher: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class Marked:
    created: int
    updated: int
    records: Sequence[MarkedRecord]


@dataclass(frozen=True, slots=True)
class RecordFilter:
    student_id: uuid.UUID | None = None
    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    days: Days = field(default_factory=Days)


@transaction
def mark(caller: Caller, marks: Sequence[Mark]) -> Marked:
    """Save marks of classes and subjects on their days; a day's session is found, or made.

    Raises:
        MarksRefused: names each wrong mark, by its place; nothing is saved.
        NotFound: there is no such class or subject.
        NotYourClass, NotYourSubject: it is another teacher's.
    """
    _require_theirs(caller, marks)
    _require_good(_wrong(caller, marks))
    sessions = _sessions(caller, marks)
    of = [(sessions[mark.key], mark) for mark in sorted(marks, key=lambda mark: mark.student_id)]
    new = _insert(caller, of)
    records = {(row.session_id, row.student_id): row for row in _records(caller, of)}
    created = sum(row.id in new for row in records.values())
    updated = sum(_change(caller, records[session.id, mark.student_id], mark) for session, mark in of)
    db.session.flush()
    ids = [row.id for row in records.values()]
    shown = db.session.execute(_shown(caller).where(Record.id.in_(ids)).order_by(User.last_name, User.first_name))
    return Marked(created, updated, [MarkedRecord(*row) for row in shown])


def search(caller: Caller, wanted: RecordFilter, paging: Paging) -> Page[MarkedRecord]:
    """Records of those whom the caller may see."""
    query = _shown(caller).where(wanted.days.condition(Session.session_date))
    if not caller.is_staff:
        seen = visible_students(caller, User.id)
        query = query.where(or_(Record.student_id.in_(seen), Record.student_id == caller.user_id))
    for column, value in (
        (Record.student_id, wanted.student_id),
        (Session.class_id, wanted.class_id),
        (Session.subject_id, wanted.subject_id),
    ):
        if value is not None:
            query = query.where(column == value)
    columns = {"id": Record.id, "date": Session.session_date, "timestamp": Record.marked_at}
    page = paginate(query, paging, columns)
    return page.of([MarkedRecord(*row) for row in page.items])


def _shown(caller: Caller) -> Select[Any]:
    marker = aliased(User)
    name = func.trim(marker.first_name + " " + marker.last_name)
    return (
        caller.rows(Record, Record, User, Session, StudentProfile.roll_number, Subject.name, name)
        .join(User, User.id == Record.student_id)
        .join(Session, Session.id == Record.session_id)
        .outerjoin(StudentProfile, and_(StudentProfile.user_id == User.id, caller.owns(StudentProfile)))
        .outerjoin(Subject, Subject.id == Session.subject_id)
        .join(marker, marker.id == Record.marked_by_id)
    )


def _require_theirs(caller: Caller, marks: Sequence[Mark]) -> None:
    class_ids = {mark.class_id for mark in marks if mark.class_id}
    if class_ids - set(db.session.scalars(caller.rows(Class, Class.id).where(Class.id.in_(class_ids)))):
        raise NotFound("There is no class with this id")
    mine = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == caller.user_id)
    if not caller.administers and class_ids - set(db.session.scalars(mine)):
        raise NotYourClass
    for subject_id in sorted({mark.subject_id for mark in marks if mark.subject_id}):
        if not teaches_subject(caller, subject_id):
            raise NotYourSubject


def _require_good(wrong: dict[str, list[str]]) -> None:
    if wrong:
        raise MarksRefused(f"Nothing was saved, for what is wrong with {', '.join(wrong)}", errors=wrong)


def _wrong(caller: Caller, marks: Sequence[Mark]) -> dict[str, list[str]]:
    ids = {mark.student_id for mark in marks}
    students = set(
        db.session.scalars(
            caller.rows(User, User.id).where(
                User.id.in_(ids), User.role == Role.STUDENT, User.status == UserStatus.ACTIVE
            )
        )
    )
    enrolled = _enrolled(caller, marks)
    wrong: dict[str, list[str]] = {}
    first: dict[tuple[str, uuid.UUID], str] = {}
    for mark in marks:
        if mark.status not in set(Status):
            wrong.setdefault(mark.place, []).append(f"status is none of {', '.join(Status)}")
        if mark.student_id not in students:
            wrong.setdefault(mark.place, []).append("there is no student with this id")
        elif mark.class_id and not any(
            starts_on <= mark.day and (ends_on is None or mark.day < ends_on)
            for starts_on, ends_on in enrolled[mark.class_id, mark.student_id]
        ):
            wrong.setdefault(mark.place, []).append("this student was not in the class on this day")
        if first.setdefault((mark.key, mark.student_id), mark.place) != mark.place:
            wrong.setdefault(mark.place, []).append(f"is marked by {first[mark.key, mark.student_id]} already")
    return wrong


def _enrolled(caller: Caller, marks: Sequence[Mark]) -> dict[Any, list[tuple[date, date | None]]]:
    """From when to when each student of the marks was in each of their classes."""
    found = defaultdict[Any, list[tuple[date, date | None]]](list)
    rows = caller.rows(Enrolment).where(
        Enrolment.class_id.in_({mark.class_id for mark in marks if mark.class_id}),
        Enrolment.student_id.in_({mark.student_id for mark in marks}),
    )
    for row in db.session.scalars(rows):
        found[row.class_id, row.student_id].append((row.starts_on, row.ends_on))
    return found


def _sessions(caller: Caller, marks: Sequence[Mark]) -> dict[str, Session]:
    """By the marks' keys: a class's session of that day that is there, or else the one that marking makes."""
    by_key = {mark.key: mark for mark in marks}
    class_ids = {mark.class_id for mark in marks if mark.class_id}
    there = caller.rows(Session).where(
        or_(
            Session.key.in_(list(by_key)),
            and_(Session.class_id.in_(class_ids), Session.session_date.in_({mark.day for mark in marks})),
        )
    )
    found = _by_key(db.session.scalars(there.order_by(Session.id)))
    missing = [by_key[key] for key in by_key if key not in found]
    if missing:
        names = _names(caller, missing)
        now = clock.now()
        own = {"organisation_id": caller.organisation_id, "created_by_id": caller.user_id, "created_at": now}
        rows = [
            own
            | {"id": uuid7(), "key": mark.key, "class_id": mark.class_id, "subject_id": mark.subject_id}
            | {"name": names[mark.class_id or mark.subject_id], "description": "", "session_date": mark.day}
            for mark in missing
        ]
        insert_missing(Session, rows, ("organisation_id", "key"))
        found = _by_key(db.session.scalars(there.order_by(Session.id)))
    return found


def _by_key(sessions: Any) -> dict[str, Session]:
    """The first of a class's day; one that marking made comes before others."""
    found: dict[str, Session] = {}
    for session in sessions:
        key = session.key or f"class {session.class_id} {session.session_date}"
        if key not in found or (session.key and not found[key].key):
            found[key] = session
    return found


def _names(caller: Caller, marks: Sequence[Mark]) -> dict[uuid.UUID | None, str]:
    names: dict[uuid.UUID | None, str] = {}
    for model, ids in (
        (Class, [mark.class_id for mark in marks if mark.class_id]),
        (Subject, [mark.subject_id for mark in marks if mark.subject_id]),
    ):
        names |= dict(db.session.execute(caller.rows(model, model.id, model.name).where(model.id.in_(ids))).all())
    return names


Of = Sequence[tuple[Session, Mark]]


def _insert(caller: Caller, of: Of) -> set[uuid.UUID]:
    """The ids that records have got where there was none yet."""
    now = clock.now()
    rows: list[dict[str, Any]] = [
        {
            "id": uuid7(),
            "organisation_id": caller.organisation_id,
            "created_at": now,
            "session_id": session.id,
            "student_id": mark.student_id,
            "status": Status(mark.status),
            "source": Source.MANUAL,
            "verification": Verification.VERIFIED,
            "remarks": mark.remarks,
            "marked_at": now,
            "marked_by_id": caller.user_id,
        }
        for session, mark in of
    ]
    insert_missing(Record, rows, ("organisation_id", "session_id", "student_id"))
    return {row["id"] for row in rows}


def _records(caller: Caller, of: Of) -> Sequence[Record]:
    sessions, students = {session.id for session, _ in of}, {mark.student_id for _, mark in of}
    query = caller.rows(Record).where(Record.session_id.in_(sessions), Record.student_id.in_(students))
    return db.session.scalars(query).all()


def _change(caller: Caller, record: Record, mark: Mark) -> bool:
    """Whether the record said something else."""
    remarks = record.remarks if mark.remarks is None else mark.remarks
    if (record.status, record.remarks) == (mark.status, remarks):
        return False
    record.status, record.remarks, record.source = Status(mark.status), remarks, Source.MANUAL
    record.marked_at, record.marked_by_id = clock.now(), caller.user_id
    return True
