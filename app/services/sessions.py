"""Sessions of a class, and who was there."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import and_, func, or_, select, union
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Enrolment, Record, Session, Status, User, UserStatus
from app.services.caller import Caller
from app.services.classes import current_students, member_class, taught_class, teaches
from app.services.paging import Page, Paging, paginate
from app.services.rates import Counts
from app.services.transaction import insert_missing, transaction

THERE = (Status.PRESENT, Status.LATE)


@dataclass(frozen=True, slots=True)
class SessionView:
    id: uuid.UUID
    class_id: uuid.UUID
    session_name: str
    session_date: date
    created_at: datetime
    counts: Counts


@dataclass(frozen=True, slots=True)
class RecordView:
    id: uuid.UUID
    session_id: uuid.UUID
    student: User
    status: Status
    marked_at: datetime
    marked_by_id: uuid.UUID


@dataclass(frozen=True, slots=True)
class SessionRecords(Page[RecordView]):
    """A page of a session's records; the counts are of the whole session, and for its teachers only."""

    counts: Counts | None


@dataclass(frozen=True, slots=True)
class Refused:
    student_id: uuid.UUID
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Marking:
    session_id: uuid.UUID
    newly_marked: int
    already_marked: int
    refused: Sequence[Refused]


@transaction
def create_session(caller: Caller, class_id: uuid.UUID, name: str, session_date: date | None) -> SessionView:
    """A session of the class, by default today where the organisation is. Raises as `taught_class`."""
    taught_class(caller, class_id)
    row = Session(
        organisation_id=caller.organisation_id,
        class_id=class_id,
        name=name,
        session_date=session_date or caller.today,
        created_by_id=caller.user_id,
    )
    db.session.add(row)
    db.session.flush()
    return _view(row, session_counts(caller, [row])[row.id])


def sessions_of_class(caller: Caller, class_id: uuid.UUID, paging: Paging) -> Page[SessionView]:
    """The class's sessions with their counts. Raises as `member_class`."""
    member_class(caller, class_id)
    page = paginate(
        caller.rows(Session).where(Session.class_id == class_id),
        paging,
        {"id": Session.id, "session_date": Session.session_date, "name": Session.name},
    )
    counts = session_counts(caller, page.items)
    return page.of([_view(row, counts[row.id]) for row in page.items])


@transaction
def mark_present(caller: Caller, session_id: uuid.UUID, student_ids: Sequence[uuid.UUID]) -> Marking:
    """Mark students of the session's class present, each once, whoever else marks them at the same moment.

    Somebody recorded as absent, excused or on leave is there after all, and becomes present. Somebody who is not in
    the class is refused, and nobody else suffers for it.

    Raises:
        NotFound: there is no such session.
        NotYourClass: it is another teacher's.
    """
    session = caller.get(Session, session_id)
    taught_class(caller, session.class_id)
    wanted = set(student_ids)
    known = wanted & _markable(caller, session, wanted)
    newly = _record_present(caller, session, sorted(known))
    refused = [
        Refused(student_id, "not_in_class", "No student of this class has this id")
        for student_id in dict.fromkeys(student_ids)
        if student_id not in known
    ]
    return Marking(session_id, newly, len(known) - newly, refused)


def _record_present(caller: Caller, session: Session, student_ids: Sequence[uuid.UUID]) -> int:
    """How many were not there before. Students come sorted, so that two who mark at once lock in the same order."""
    now = clock.now()
    rows = [
        {
            "id": uuid7(),
            "organisation_id": caller.organisation_id,
            "session_id": session.id,
            "student_id": student_id,
            "status": Status.PRESENT,
            "marked_at": now,
            "marked_by_id": caller.user_id,
        }
        for student_id in student_ids
    ]
    insert_missing(Record, rows, ("organisation_id", "session_id", "student_id"))
    of_these = and_(Record.session_id == session.id, Record.student_id.in_(student_ids))
    ours = {row["id"] for row in rows}
    inserted = sum(id_ in ours for id_ in db.session.scalars(caller.rows(Record, Record.id).where(of_these)))
    corrected = db.session.execute(
        caller.change(Record)
        .where(of_these, Record.status.not_in(THERE))
        .values(status=Status.PRESENT, marked_at=now, marked_by_id=caller.user_id)
        .execution_options(synchronize_session=False)
    )
    return inserted + int(corrected.rowcount)  # type: ignore[attr-defined]


def _markable(caller: Caller, session: Session, student_ids: set[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the ids who are in the class now, or were on the session's day."""
    now = current_students(caller, session.class_id, User.id).order_by(None)
    then = caller.rows(Enrolment, Enrolment.student_id).where(
        Enrolment.class_id == session.class_id, _enrolled_on(session.session_date)
    )
    return {
        *db.session.scalars(now.where(User.id.in_(student_ids))),
        *db.session.scalars(then.where(Enrolment.student_id.in_(student_ids))),
    }


def records_of_session(caller: Caller, session_id: uuid.UUID, paging: Paging) -> SessionRecords:
    """The session's records by student; a student sees their own.

    Raises:
        NotFound: there is no such session.
        NotClassMember: the caller is not in its class.
    """
    session = caller.get(Session, session_id)
    row = member_class(caller, session.class_id)
    query = (
        caller.rows(Record, Record, User)
        .join(User, User.id == Record.student_id)
        .where(Record.session_id == session_id)
    )
    if not teaches(caller, row):
        query = query.where(Record.student_id == caller.user_id)
    page = paginate(
        query,
        paging,
        {"id": Record.id, "last_name": User.last_name, "first_name": User.first_name, "marked_at": Record.marked_at},
    )
    records = [
        RecordView(record.id, session_id, student, record.status, record.marked_at, record.marked_by_id)
        for record, student in page.items
    ]
    counts = session_counts(caller, [session])[session.id] if teaches(caller, row) else None
    return SessionRecords(records, page.page, page.per_page, page.total, counts)


def session_counts(caller: Caller, sessions: Sequence[Session]) -> dict[uuid.UUID, Counts]:
    """Each session's counts, in two statements however many they are.

    Expected is who was enrolled on the session's day and everyone who has a record anyway.
    """
    ids = [session.id for session in sessions]
    by_status: dict[uuid.UUID, dict[Status, int]] = defaultdict(dict)
    for session_id, status, count in db.session.execute(
        caller.rows(Record, Record.session_id, Record.status, func.count())
        .where(Record.session_id.in_(ids))
        .group_by(Record.session_id, Record.status)
    ):
        by_status[session_id][status] = count
    expected = dict(db.session.execute(_expected(caller, ids)).all())
    return {id_: Counts.of(expected.get(id_, 0), by_status[id_]) for id_ in ids}


def _view(row: Session, counts: Counts) -> SessionView:
    return SessionView(row.id, row.class_id, row.name, row.session_date, row.created_at, counts)


def _expected(caller: Caller, session_ids: Sequence[uuid.UUID]) -> Any:
    enrolled = (
        caller.rows(Session, Session.id.label("session_id"), Enrolment.student_id)
        .join(Enrolment, Enrolment.class_id == Session.class_id)
        .join(User, User.id == Enrolment.student_id)
        .where(Session.id.in_(session_ids), caller.owns(Enrolment), _enrolled_on(Session.session_date))
        .where(User.status == UserStatus.ACTIVE)
    )
    recorded = caller.rows(Record, Record.session_id, Record.student_id).where(Record.session_id.in_(session_ids))
    people = union(enrolled, recorded).subquery()
    return select(people.c.session_id, func.count()).group_by(people.c.session_id)


def _enrolled_on(day: Any) -> Any:
    return and_(Enrolment.starts_on <= day, or_(Enrolment.ends_on.is_(None), Enrolment.ends_on > day))
