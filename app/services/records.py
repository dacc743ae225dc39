"""Records: who was in a session, marked by a list of ids, and the history of a person."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, union

from app.extensions import db
from app.models import Enrolment, Record, Session, Status, User, UserStatus, Verification
from app.services import audit
from app.services.caller import Caller
from app.services.classes import member_class
from app.services.enrolments import current_students, enrolled_on
from app.services.errors import NotFound
from app.services.marks import Given, give, session_to_mark
from app.services.paging import Page, Paging, paginate
from app.services.rates import Counts
from app.services.sessions import (
    COUNTED,
    Days,
    SessionView,
    expected_people,
    managed_session,
    manages,
    session_counts,
    views,
)
from app.services.statuses import Meaning
from app.services.students import visible_students
from app.services.transaction import transaction

THERE = (Status.PRESENT, Status.LATE)


@dataclass(frozen=True, slots=True)
class RecordView:
    row: Record
    student: User
    session: Session
    is_for_staff: bool = field(default=False, kw_only=True)

    @property
    def flags(self) -> list[str]:
        """For staff: it would teach whoever cheats what gives them away."""
        return self.row.flags if self.is_for_staff else []

    @property
    def verification_status(self) -> Verification:
        return self.row.verification

    @property
    def check_in_time(self) -> datetime | None:
        return self.row.checked_in_at

    @property
    def check_out_time(self) -> datetime | None:
        return self.row.checked_out_at

    @property
    def minutes(self) -> float | None:
        """From check-in to check-out."""
        begun, ended = self.row.checked_in_at, self.row.checked_out_at
        return (ended - begun).total_seconds() / 60 if begun and ended else None

    @property
    def session_name(self) -> str:
        return self.session.name

    @property
    def session_date(self) -> date:
        return self.session.session_date

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class SessionRecords(Page[RecordView]):
    """A page of a session's records; the counts are of the whole session, and for its teachers only."""

    counts: Counts | None = None


@dataclass(frozen=True, slots=True)
class SessionReport:
    session: SessionView
    rates: dict[str, float | None]
    records: SessionRecords

    @property
    def counts(self) -> Counts:
        return self.session.counts


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
    overridden: Sequence[uuid.UUID]
    """Of whom the office has decided otherwise."""
    refused: Sequence[Refused]


@transaction
def mark_present(
    caller: Caller, session_id: uuid.UUID, student_ids: Sequence[uuid.UUID], reason: str | None
) -> Marking:
    """Mark students of the session's class present, each once, whoever else marks them at the same moment.

    Somebody recorded as absent, excused or on leave is there after all, and becomes present. Somebody who is not in
    the class is refused, and nobody else suffers for it.

    Raises:
        NotFound: there is no such session.
        NotYourClass, NotYourSession: it is another's.
        SessionCancelled: it does not take place.
    """
    if reason:
        audit.because(reason)
    return give_present(caller, session_id, student_ids)


def give_present(caller: Caller, session_id: uuid.UUID, student_ids: Sequence[uuid.UUID]) -> Marking:
    """Within a transaction: as `mark_present`."""
    session, office = session_to_mark(caller, session_id)
    known = _markable(caller, session, set(student_ids))
    given = [Given(session, student_id, Meaning(Status.PRESENT)) for student_id in known]
    kept = give(caller, given, office, stays=THERE)
    newly = sum(one.is_new or one.is_changed for one in kept)
    overridden = [one.record.student_id for one in kept if one.is_overridden]
    refused = [
        Refused(student_id, "not_in_class", "No student of this class has this id")
        for student_id in dict.fromkeys(student_ids)
        if student_id not in known
    ]
    return Marking(session_id, newly, len(known) - newly - len(overridden), overridden, refused)


def _markable(caller: Caller, session: Session, student_ids: set[uuid.UUID]) -> set[uuid.UUID]:
    """Those of the ids who are in the class now, or were on the session's day; of a subject's or department's session,
    who is expected in it."""
    if session.subject_id is not None or session.department_id is not None:
        people = expected_people(caller, [session.id])
        return {*db.session.scalars(select(people.c.student_id).where(people.c.student_id.in_(student_ids)))}
    if session.class_id is None:
        everybody = caller.rows(User, User.id).where(User.role.in_(COUNTED), User.status == UserStatus.ACTIVE)
        return {*db.session.scalars(everybody.where(User.id.in_(student_ids)))}
    now = current_students(caller, session.class_id, User.id).order_by(None)
    then = caller.rows(Enrolment, Enrolment.student_id).where(
        Enrolment.class_id == session.class_id, enrolled_on(session.session_date)
    )
    return {
        *db.session.scalars(
            union(now.where(User.id.in_(student_ids)), then.where(Enrolment.student_id.in_(student_ids)))
        )
    }


def records_of_session(caller: Caller, session_id: uuid.UUID, paging: Paging) -> SessionRecords:
    """The session's records by student; a student sees their own.

    Raises:
        NotFound: there is no such session.
        NotClassMember: the caller is not in its class.
    """
    session = caller.get(Session, session_id)
    if session.class_id is not None:
        member_class(caller, session.class_id)
    is_teacher = manages(caller, session)
    query = (
        caller.rows(Record, Record, User)
        .join(User, User.id == Record.student_id)
        .where(Record.session_id == session_id)
    )
    if not is_teacher:
        query = query.where(Record.student_id == caller.user_id)
    page = paginate(
        query,
        paging,
        {"id": Record.id, "last_name": User.last_name, "first_name": User.first_name, "marked_at": Record.marked_at},
    )
    records = [RecordView(record, student, session, is_for_staff=is_teacher) for record, student in page.items]
    counts = session_counts(caller, [session])[session.id] if is_teacher else None
    return SessionRecords(records, page.page, page.per_page, page.total, page.next, counts)


def report(caller: Caller, session_id: uuid.UUID, paging: Paging) -> SessionReport:
    """A session's counts, the share of each status among those expected, and its records.

    Raises NotFound, NotYourClass or NotYourSession.
    """
    session = managed_session(caller, session_id)
    view = views(caller, [session])[0]
    return SessionReport(view, view.counts.shares, records_of_session(caller, session_id, paging))


def visible_person(caller: Caller, user_id: uuid.UUID) -> User:
    """A person whose attendance the caller may see: staff everybody's, parents their children's, and one's own.

    Raises:
        NotFound: there is no such person, or they are not the caller's to see.
    """
    user = caller.get(User, user_id)
    theirs = user_id == caller.user_id or caller.is_staff
    if not theirs and db.session.scalar(visible_students(caller, User.id).where(User.id == user_id)) is None:
        raise NotFound("There is no user with this id")
    return user


def history(caller: Caller, user_id: uuid.UUID, days: Days, paging: Paging) -> Page[RecordView]:
    """A person's records. Raises as `visible_person`."""
    user = visible_person(caller, user_id)
    query = (
        caller.rows(Record, Record, Session)
        .join(Session, Session.id == Record.session_id)
        .where(Record.student_id == user_id, days.condition(Session.session_date))
    )
    columns = {"id": Record.id, "session_date": Session.session_date, "marked_at": Record.marked_at}
    page = paginate(query, paging, columns)
    return page.of([RecordView(record, user, session, is_for_staff=caller.is_staff) for record, session in page.items])
