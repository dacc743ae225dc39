"""Marking by hand, by class or subject and day, or by session: all marks of a call, or none; marking again changes,
never doubles."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, or_
from sqlalchemy.orm import aliased
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Class, ClassTeacher, Record, Role, Session, Status, StudentProfile, Subject, User, UserStatus
from app.services import audit
from app.services.caller import Caller
from app.services.closing import unmarked
from app.services.counting import how_many
from app.services.errors import MarksRefused, NotFound, NotYourClass, NotYourSubject, SessionCancelled
from app.services.marks import Given, Kept, give, session_to_mark, to_mark
from app.services.paging import Page, Paging, paginate
from app.services.sessions import COUNTED, Days, expected_people, managed_session, takes_subject
from app.services.statuses import Meaning, meanings
from app.services.students import visible_students
from app.services.transaction import insert_missing, transaction

_Marker = aliased(User)
_name, _teacher = (func.trim(person.first_name + " " + person.last_name) for person in (User, _Marker))
_SHOWN = (Record.id, Record.student_id, _name, StudentProfile.roll_number, Record.session_id, Session.class_id,
          Session.subject_id, Subject.name, _teacher, Record.status, Record.code, Record.is_office, Record.remarks,
          Record.marked_at, Session.session_date)  # fmt: skip


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
        return _key(self.class_id, self.subject_id, self.day)


@dataclass(frozen=True, slots=True)
class SessionMark:
    """What one mark of a given session says; place: as of `Mark`."""

    place: str
    student_id: uuid.UUID
    status: str
    remarks: str | None = None

    key = ""
    """There is one session only."""


@dataclass(frozen=True, slots=True)
class MarkedRecord:
    """A record as lists show it. class_id, subject_id, subject, date: of its session. teacher: who marked it last."""

    id: uuid.UUID
    student_id: uuid.UUID
    student_name: str
    roll_number: str | None
    session_id: uuid.UUID
    class_id: uuid.UUID | None
    subject_id: uuid.UUID | None
    subject: str | None
    teacher: str
    status: Status
    code: str | None
    is_office: bool
    remarks: str | None
    timestamp: datetime
    date: date


@dataclass(frozen=True, slots=True)
class Marked:
    """overridden: whose records the office has decided, so that a teacher's mark is kept and changes nothing."""

    created: int
    updated: int
    overridden: Sequence[uuid.UUID]
    records: Sequence[MarkedRecord]


@dataclass(frozen=True, slots=True)
class SessionMarked:
    """How many records a session has got, and how many say something else now. overridden: as of `Marked`."""

    session_id: uuid.UUID
    created: int
    updated: int
    overridden: Sequence[uuid.UUID]


@dataclass(frozen=True, slots=True)
class _Student:
    user: User
    roll_number: str | None
    expected_in: set[uuid.UUID | None]

    @property
    def last_name_first(self) -> tuple[str, str]:
        return self.user.last_name, self.user.first_name

    def is_one_of(self, *roles: Role) -> bool:
        return self.user.role in roles and self.user.status == UserStatus.ACTIVE


@dataclass(frozen=True, slots=True)
class RecordFilter:
    student_id: uuid.UUID | None = None
    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    days: Days = field(default_factory=Days)


def _key(class_id: uuid.UUID | None, subject_id: uuid.UUID | None, day: date) -> str:
    return f"{f'class {class_id}' if class_id else f'subject {subject_id}'} {day}"


@transaction
def mark(caller: Caller, marks: Sequence[Mark], reason: str | None) -> Marked:
    """Save marks of classes and subjects on their days; a day's session is found, or made.

    Raises:
        MarksRefused: names each wrong mark, by its place; nothing is saved.
        NotFound: there is no such class or subject.
        NotYourClass, NotYourSubject: it is another teacher's.
        SessionCancelled: one of these days' session does not take place.
    """
    _because(reason)
    names = _names(caller, marks)
    sessions, office = _sessions(caller, marks, names)
    students = _students(caller, marks, [session.id for session in sessions.values()])
    wrong = _Wrong(caller, marks)
    for mark in marks:
        student = students.get(mark.student_id)
        if student is None or (mark.subject_id and not student.is_one_of(Role.STUDENT)):
            wrong.add(mark, "there is no student with this id")
        elif mark.class_id and sessions[mark.key].id not in student.expected_in:
            wrong.add(mark, "this student was not in the class on this day")
    wrong.refuse()
    return _give(caller, [(sessions[mark.key], mark) for mark in marks], students, office)


@transaction
def mark_session(caller: Caller, session_id: uuid.UUID, marks: Sequence[SessionMark], reason: str | None) -> Marked:
    """Save marks of people who are expected in a session; it may be closed.

    Raises:
        MarksRefused: names each wrong mark, by its place; nothing is saved.
        NotFound, NotYourClass, NotYourSession, SessionCancelled: as `session_to_mark`.
    """
    _because(reason)
    session, office = session_to_mark(caller, session_id)
    students = _students(caller, marks, [session_id])
    wrong = _Wrong(caller, marks)
    for mark in marks:
        student = students.get(mark.student_id)
        if student is None:
            wrong.add(mark, "there is nobody with this id")
        elif session_id not in student.expected_in and not (session.is_event and student.is_one_of(*COUNTED)):
            wrong.add(mark, "this person is not expected in the session")
    wrong.refuse()
    return _give(caller, [(session, mark) for mark in marks], students, office)


@transaction
def copy(
    caller: Caller, session_id: uuid.UUID, from_session_id: uuid.UUID, only_unmarked: bool, reason: str | None
) -> SessionMarked:
    """Give those who are expected in a session the statuses that they have in another one.

    only_unmarked: records that are there stay as they are.

    Raises NotFound, NotYourClass, NotYourSession (of either session), SessionCancelled.
    """
    _because(reason)
    session, office = session_to_mark(caller, session_id)
    other = caller.get(Session, from_session_id)
    if other.class_id is None or other.class_id != session.class_id:
        managed_session(caller, from_session_id)
    people = expected_people(caller, [session_id])
    statuses = db.session.execute(
        caller.rows(Record, Record.student_id, Record.status, Record.code)
        .join(people, people.c.student_id == Record.student_id)
        .where(Record.session_id == from_session_id)
    )
    given = [Given(session, student_id, Meaning(status, code)) for student_id, status, code in statuses]
    return _marked(session_id, give(caller, given, office, stays=tuple(Status) if only_unmarked else ()))


@transaction
def mark_everyone_else(caller: Caller, session_id: uuid.UUID, status: str) -> SessionMarked:
    """Give everybody who is expected in a session and has no record one of this status; who has approved leave is
    left to the close.

    Raises:
        MarksRefused: there is no such status.
        NotFound, NotYourClass, NotYourSession, SessionCancelled: as `session_to_mark`.
    """
    session, office = session_to_mark(caller, session_id)
    meaning = meanings(caller.settings).get(status)
    if meaning is None:
        raise MarksRefused(errors={"status": [_no_status(caller)]})
    people = db.session.execute(unmarked(caller, session))
    given = [Given(session, student_id, meaning) for student_id, leave in people if leave is None]
    return _marked(session_id, give(caller, given, office, stays=tuple(Status)))


def _marked(session_id: uuid.UUID, kept: Sequence[Kept]) -> SessionMarked:
    overridden = [one.record.student_id for one in kept if one.is_overridden]
    return SessionMarked(session_id, *_count(kept), overridden)


def _count(kept: Sequence[Kept]) -> tuple[int, int]:
    return sum(one.is_new for one in kept), sum(one.is_changed for one in kept)


def _because(reason: str | None) -> None:
    """Otherwise it is the one that came with the request."""
    if reason:
        audit.because(reason)


def search(caller: Caller, wanted: RecordFilter, paging: Paging) -> Page[MarkedRecord]:
    """Records of those whom the caller may see. Unless it is said how they are sorted, all of them come by when they
    were marked, which an index knows, and some by their day first."""
    of_sessions = [wanted.days.condition(Session.session_date)] if wanted.days != Days() else []
    of_records: list[ColumnElement[bool]] = []
    if not caller.is_staff:
        seen = db.session.scalars(visible_students(caller, User.id)).all()
        of_records.append(Record.student_id.in_([*seen, caller.user_id]))
    for conditions, column, value in (
        (of_records, Record.student_id, wanted.student_id),
        (of_sessions, Session.class_id, wanted.class_id),
        (of_sessions, Session.subject_id, wanted.subject_id),
    ):
        if value is not None:
            conditions.append(column == value)
    if of_records or wanted.subject_id:
        counted = caller.rows(Record, func.count()).where(*of_records)
        if of_sessions:
            counted = counted.join(Session, _of_session(caller)).where(*of_sessions)
    else:
        counted = how_many(caller.organisation_id, wanted.class_id, wanted.days)
    if not paging.sort:
        paging = replace(paging, sort=["-date", "-timestamp"] if of_records or of_sessions else ["-timestamp"])
    # which ones they are before all that is shown of them: of a day thousands are put in order
    found, session_id = caller.rows(Record, Record.id).where(*of_records), Record.session_id
    if of_sessions or {"date", "-date"} & {*paging.sort}:  # else their index alone says which come first
        found, session_id = found.join(Session, _of_session(caller)).where(*of_sessions), Session.id
    columns = {
        "id": (session_id, Record.student_id),
        "date": Session.session_date,
        "timestamp": Record.marked_at,
    }
    page = paginate(found, paging, columns, counted)
    shown = db.session.execute(_shown(caller).where(Record.id.in_(page.items)))
    by_id = {row.id: MarkedRecord(*row) for row in shown}
    return page.of([by_id[id_] for id_ in page.items if id_ in by_id])  # somebody may have deleted it meanwhile


def _record(kept: Kept, student: _Student, session: Session) -> MarkedRecord:
    row = kept.record
    return MarkedRecord(
        id=row.id,
        student_id=row.student_id,
        student_name=student.user.name,
        roll_number=student.roll_number,
        session_id=row.session_id,
        class_id=session.class_id,
        subject_id=session.subject_id,
        subject=kept.subject,
        teacher=kept.teacher,
        status=row.status,
        code=row.code,
        is_office=row.is_office,
        remarks=row.remarks,
        timestamp=row.marked_at,
        date=session.session_date,
    )


def _of_session(caller: Caller) -> ColumnElement[bool]:
    return and_(Session.id == Record.session_id, caller.owns(Session))


def _shown(caller: Caller) -> Select[Any]:
    return (
        caller.rows(Record, *_SHOWN)
        .join(User, User.id == Record.student_id)
        .join(Session, _of_session(caller))
        .outerjoin(StudentProfile, and_(StudentProfile.user_id == User.id, caller.owns(StudentProfile)))
        .outerjoin(Subject, Subject.id == Session.subject_id)
        .join(_Marker, _Marker.id == Record.marked_by_id)
    )


def _names(caller: Caller, marks: Sequence[Mark]) -> dict[uuid.UUID | None, str]:
    """Of the marks' classes and subjects, which the caller teaches. Raises NotFound, NotYourClass or NotYourSubject."""
    names: dict[uuid.UUID | None, str] = {}
    if class_ids := {mark.class_id for mark in marks if mark.class_id}:
        mine = caller.rows(ClassTeacher, ClassTeacher.id).where(
            ClassTeacher.class_id == Class.id, ClassTeacher.teacher_id == caller.user_id
        )
        query = caller.rows(Class, Class.id, Class.name, mine.exists()).where(Class.id.in_(class_ids))
        classes = db.session.execute(query).all()
        if len(classes) < len(class_ids):
            raise NotFound("There is no class with this id")
        if not caller.administers and not all(teaches for _, _, teaches in classes):
            raise NotYourClass
        names |= {id_: name for id_, name, _ in classes}
    if subject_ids := {mark.subject_id for mark in marks if mark.subject_id}:
        subjects = db.session.scalars(caller.rows(Subject).where(Subject.id.in_(subject_ids))).all()
        if len(subjects) < len(subject_ids):
            raise NotFound("There is no subject with this id")
        if not all(takes_subject(caller, subject) for subject in subjects):
            raise NotYourSubject
        names |= {subject.id: subject.name for subject in subjects}
    return names


def _sessions(
    caller: Caller, marks: Sequence[Mark], names: dict[uuid.UUID | None, str]
) -> tuple[dict[str, Session], set[uuid.UUID]]:
    """By the marks' keys: a session of that day that is there, or else the one that marking makes; and in which of
    them the caller is the office. Raises SessionCancelled."""
    by_key = {mark.key: mark for mark in marks}
    days = {mark.day for mark in marks}
    of_subjects = Session.subject_id.in_({mark.subject_id for mark in marks if mark.subject_id})
    of_classes = Session.class_id.in_({mark.class_id for mark in marks if mark.class_id})
    there = to_mark(caller).where(
        Session.session_date.in_(days), or_(of_classes, and_(of_subjects, Session.class_id.is_(None)))
    )
    found = _by_key(db.session.execute(there).all())
    missing = [by_key[key] for key in by_key if key not in found]
    if missing:
        new = _make(caller, missing, names)
        found = _by_key(db.session.execute(there).all())
        for session, _ in found.values():
            if session.id in new:
                audit.created(session)
    if any(session.cancelled_at for key, (session, _) in found.items() if key in by_key):
        raise SessionCancelled
    office = {session.id for session, teaches in found.values() if caller.administers and not teaches}
    return {key: session for key, (session, _) in found.items() if key in by_key}, office


def _make(caller: Caller, marks: Sequence[Mark], names: dict[uuid.UUID | None, str]) -> set[uuid.UUID]:
    """The ids that their sessions get where there is none yet."""
    own = {"organisation_id": caller.organisation_id, "created_by_id": caller.user_id, "created_at": clock.now()}
    rows: list[dict[str, Any]] = [
        own
        | {"id": uuid7(), "key": mark.key, "class_id": mark.class_id, "subject_id": mark.subject_id}
        | {"name": names[mark.class_id or mark.subject_id], "description": "", "session_date": mark.day}
        for mark in marks
    ]
    insert_missing(Session, rows, ("organisation_id", "key"), audited=False)
    return {row["id"] for row in rows}


def _by_key(sessions: Sequence[Any]) -> dict[str, tuple[Session, bool]]:
    """The first of a day that takes place; one that marking made comes before others."""
    found: dict[str, tuple[Session, bool]] = {}
    for session, teaches in sessions:
        key = _key(session.class_id, session.subject_id, session.session_date)
        if key not in found or _rank(session, key) < _rank(found[key][0], key):
            found[key] = session, teaches
    return found


def _rank(session: Session, key: str) -> tuple[bool, bool]:
    return session.cancelled_at is not None, session.key != key


def _students(
    caller: Caller, marks: Sequence[Mark] | Sequence[SessionMark], session_ids: Sequence[uuid.UUID]
) -> dict[uuid.UUID, _Student]:
    people = expected_people(caller, session_ids)
    query = (
        caller.rows(User, User, StudentProfile.roll_number, people.c.session_id)
        .outerjoin(StudentProfile, and_(StudentProfile.user_id == User.id, caller.owns(StudentProfile)))
        .outerjoin(people, people.c.student_id == User.id)
        .where(User.id.in_({mark.student_id for mark in marks}))
    )
    found: dict[uuid.UUID, _Student] = {}
    for user, roll_number, session_id in db.session.execute(query):
        found.setdefault(user.id, _Student(user, roll_number, set())).expected_in.add(session_id)
    return found


def _no_status(caller: Caller) -> str:
    return f"status is none of {', '.join(meanings(caller.settings))}"


class _Wrong:
    """What is wrong with marks, by their places."""

    def __init__(self, caller: Caller, marks: Sequence[Mark] | Sequence[SessionMark]) -> None:
        self.said: dict[str, list[str]] = {}
        known, first = meanings(caller.settings), dict[tuple[str, uuid.UUID], str]()
        for mark in marks:
            if mark.status not in known:
                self.add(mark, _no_status(caller))
            if (place := first.setdefault((mark.key, mark.student_id), mark.place)) != mark.place:
                self.add(mark, f"is marked by {place} already")

    def add(self, mark: Mark | SessionMark, what: str) -> None:
        self.said.setdefault(mark.place, []).append(what)

    def refuse(self) -> None:
        if self.said:
            raise MarksRefused(f"Nothing was saved, for what is wrong with {', '.join(self.said)}", errors=self.said)


def _give(
    caller: Caller,
    of: Sequence[tuple[Session, Mark | SessionMark]],
    students: dict[uuid.UUID, _Student],
    office: Collection[uuid.UUID],
) -> Marked:
    known = meanings(caller.settings)
    given = [Given(session, mark.student_id, known[mark.status], mark.remarks) for session, mark in of]
    kept = give(caller, given, office)
    sessions = {session.id: session for session, _ in of}
    by_name = sorted(kept, key=lambda one: students[one.record.student_id].last_name_first)
    records = [_record(one, students[one.record.student_id], sessions[one.record.session_id]) for one in by_name]
    overridden = list(dict.fromkeys(one.record.student_id for one in kept if one.is_overridden))
    return Marked(*_count(kept), overridden, records)
