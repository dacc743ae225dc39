"""Sessions: the times in which attendance is taken, who is expected in them, and their counts."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true, union
from sqlalchemy.orm import aliased

from app import clock
from app.extensions import db
from app.models import (
    Class,
    ClassTeacher,
    Department,
    Enrolment,
    Record,
    Role,
    Session,
    Status,
    Subject,
    Timetable,
    User,
)
from app.services.caller import Caller
from app.services.classes import member_class, taught_class, teaches
from app.services.enrolments import enrolled_on
from app.services.errors import DatesRefused, NotClassMember, NotYourSession, NotYourSubject
from app.services.organisation_settings import LONGEST
from app.services.paging import Page, Paging, paginate
from app.services.policies import rules
from app.services.rates import Counts
from app.services.transaction import filled, transaction

COUNTED = (Role.STUDENT, Role.EMPLOYEE)
"""Whom a session of the whole organisation expects."""


@dataclass(frozen=True, slots=True)
class Days:
    """From one day to another, both included; None: open."""

    first: date | None = None
    last: date | None = None

    def condition(self, day: Any) -> Any:
        return and_(
            true() if self.first is None else day >= self.first, true() if self.last is None else day <= self.last
        )

    def bounds(self, today: date, length: int) -> tuple[date, date]:
        """Their first and last day: where they are open, to today, and so many days in all."""
        last = self.last or today
        return self.first or date.fromordinal(max(1, last.toordinal() - length + 1)), last


class SessionStatus(StrEnum):
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    ENDED = "ended"
    CLOSED = "closed"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class SessionView:
    row: Session
    counts: Counts
    time_zone: str
    overlaps: Sequence[uuid.UUID] = ()
    """Its class's other sessions at the same time; asked when it is made."""

    @property
    def session_name(self) -> str:
        return self.row.name

    @property
    def start_time(self) -> datetime | None:
        return self.row.starts_at

    @property
    def end_time(self) -> datetime | None:
        return self.row.ends_at

    @property
    def location_lat(self) -> float | None:
        return self._site.get("latitude")

    @property
    def location_lon(self) -> float | None:
        return self._site.get("longitude")

    @property
    def location_radius(self) -> int | None:
        return self._site.get("radius")

    @property
    def _site(self) -> dict[str, Any]:
        """Its own first one: older clients know of no others."""
        return next(iter(self.row.policy.get("sites") or []), {})

    @property
    def status(self) -> SessionStatus:
        """By the time, unless it was cancelled or closed; one without times is on for its day."""
        if self.row.cancelled_at:
            return SessionStatus.CANCELLED
        if self.row.closed_at:
            return SessionStatus.CLOSED
        now = clock.now()
        if self.row.starts_at and self.row.ends_at:
            begins, ends = self.row.starts_at, self.row.ends_at
            return _status(now, begins, ends)
        today = clock.today(self.time_zone)
        return _status(today, self.row.session_date, self.row.session_date)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


def _status(now: Any, begins: Any, ends: Any) -> SessionStatus:
    if now < begins:
        return SessionStatus.SCHEDULED
    return SessionStatus.ACTIVE if now <= ends else SessionStatus.ENDED


def manages(caller: Caller, session: Session) -> bool:
    """Whether the caller takes this session's attendance: a teacher of its class, or who made it without one."""
    if session.class_id is not None:
        return teaches(caller, session.class_id)
    if session.subject_id is not None and teaches_subject(caller, session.subject_id):
        return True
    return caller.administers or session.created_by_id == caller.user_id


def teaches_subject(caller: Caller, subject_id: uuid.UUID) -> bool:
    """Its teacher, or any where it has none; and administrators."""
    return takes_subject(caller, caller.get(Subject, subject_id))


def takes_subject(caller: Caller, subject: Subject) -> bool:
    """As `teaches_subject`, of one that is there."""
    return caller.administers or (caller.role == Role.TEACHER and subject.teacher_id in {None, caller.user_id})


def theirs(
    caller: Caller, model: type[Session] | type[Timetable], taught: Iterable[uuid.UUID] | None = None
) -> ColumnElement[bool]:
    """The condition that a session is the caller's to take, as `manages` says of those who do not administer.

    taught: the ids of the classes that they teach. They are read where they are not at hand: only with them databases
    read no other classes' sessions.
    """
    if taught is None:
        of_classes = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == caller.user_id)
        taught = db.session.scalars(of_classes)
    takes = Subject.teacher_id == caller.user_id
    if caller.role == Role.TEACHER:
        takes = or_(takes, Subject.teacher_id.is_(None))
    subjects = caller.rows(Subject, Subject.id).where(takes)
    own = or_(model.subject_id.in_(subjects), model.created_by_id == caller.user_id)
    return or_(model.class_id.in_(filled(taught)), and_(model.class_id.is_(None), own))


def managed(caller: Caller, model: type[Session] | type[Timetable]) -> ColumnElement[bool]:
    """The condition that the caller manages a session: an administrator does all of the organisation."""
    return true() if caller.administers else theirs(caller, model)


def may_attend(caller: Caller, user_id: Any) -> ColumnElement[bool]:
    """The condition that a person may check in to a session, unless it is cancelled: who is enrolled in its class, or
    in one of its subject, on its day; its department's employees; to an event, or without any of these, everybody."""
    enrolled = caller.rows(Enrolment, Enrolment.id).where(
        Enrolment.student_id == user_id, enrolled_on(Session.session_date)
    )
    in_class = enrolled.where(Enrolment.class_id == Session.class_id)
    in_subject = enrolled.join(Class, Class.id == Enrolment.class_id).where(_by_subject())
    employed = caller.rows(User, User.id).where(
        User.id == user_id, User.role == Role.EMPLOYEE, User.department_id == Session.department_id
    )
    own = (query.correlate_except(Enrolment, Class, User) for query in (in_class, in_subject, employed))
    return or_(_of_everybody(), *(query.exists() for query in own))


def _by_subject() -> ColumnElement[bool]:
    """The condition that a class is of the subject of a session that has no class of its own."""
    return and_(Session.class_id.is_(None), Class.subject_id == Session.subject_id, Class.is_active)


def _of_everybody() -> ColumnElement[bool]:
    return and_(Session.class_id.is_(None), Session.subject_id.is_(None), Session.department_id.is_(None))


def require_theirs(
    caller: Caller, class_id: uuid.UUID | None, subject_id: uuid.UUID | None, department_id: uuid.UUID | None
) -> None:
    """That the caller may make sessions of these. Raises NotFound, NotYourClass or NotYourSubject."""
    if class_id is not None:
        taught_class(caller, class_id)
    if subject_id is not None and not teaches_subject(caller, subject_id):
        raise NotYourSubject
    caller.require(Department, department_id)


def zone_of(caller: Caller, class_id: uuid.UUID | None) -> str:
    """Where a session is held: where its class is, or else the organisation."""
    of_class = caller.rows(Class, Class.time_zone).where(Class.id == class_id)
    return (class_id and db.session.scalar(of_class)) or caller.time_zone


def managed_session(caller: Caller, session_id: uuid.UUID) -> Session:
    """Raises NotFound, NotYourClass or NotYourSession."""
    session = caller.get(Session, session_id)
    if session.class_id is not None:
        taught_class(caller, session.class_id)
    elif not manages(caller, session):
        raise NotYourSession
    return session


@transaction
def create_session(
    caller: Caller, class_id: uuid.UUID | None, name: str, session_date: date | None = None, **values: Any
) -> SessionView:
    """A session of a class, a subject or a department, an event, or without any of these of the whole organisation.

    session_date: by default that of its start, or else today, where it is held.
    values: subject_id, department_id, is_event, description, starts_at and ends_at (naive ones are by the clocks where
    it is held) and policy (as it is kept).

    Raises:
        NotFound, NotYourClass, NotYourSubject: as `require_theirs`.
        DatesRefused: it would end before it starts.
    """
    require_theirs(caller, class_id, values.get("subject_id"), values.get("department_id"))
    zone = ZoneInfo(zone_of(caller, class_id))
    row = Session(
        organisation_id=caller.organisation_id,
        class_id=class_id,
        name=name,
        session_date=session_date or clock.today(zone.key),
        created_by_id=caller.user_id,
    )
    set_values(caller, row, values, zone)
    db.session.add(row)
    db.session.flush()
    at_the_same_time = overlaps(caller, Session.id == row.id)
    return replace(views(caller, [row])[0], overlaps=at_the_same_time)


def set_values(caller: Caller, row: Session, values: dict[str, Any], zone: ZoneInfo) -> None:
    """Naive times are by the clocks of the zone; a start decides the day. Raises DatesRefused."""
    for name, value in values.items():
        is_naive = isinstance(value, datetime) and value.tzinfo is None
        setattr(row, name, value.replace(tzinfo=zone).astimezone(UTC) if is_naive else value)
    if (row.starts_at is None) != (row.ends_at is None):
        raise DatesRefused("A session has both a start and an end, or none")
    if row.starts_at and row.ends_at and row.ends_at <= row.starts_at:
        raise DatesRefused
    if row.starts_at and values.get("starts_at"):
        row.session_date = row.starts_at.astimezone(zone).date()
    if "policy" in values:
        row.policy = with_radius(caller, values["policy"])


def with_radius(caller: Caller, policy: dict[str, Any]) -> dict[str, Any]:
    """The policy, whose circles have the organisation's radius where they name none."""
    default = {"radius": caller.settings.geofence.radius}
    sites = [(default if "latitude" in site else {}) | site for site in policy.get("sites", ())]
    return policy | ({"sites": sites} if sites else {})


def overlaps(caller: Caller, which: ColumnElement[bool]) -> Sequence[uuid.UUID]:
    """The other sessions of a class at the times of some of its own: ids, at most a hundred. Allowed, and told."""
    other = aliased(Session)
    same_time = and_(other.starts_at < Session.ends_at, other.ends_at > Session.starts_at)
    other_one = and_(
        caller.owns(other),
        other.class_id == Session.class_id,
        other.id != Session.id,
        or_(Session.timetable_id.is_(None), other.timetable_id.is_distinct_from(Session.timetable_id)),
        other.cancelled_at.is_(None),
    )
    query = caller.rows(Session, other.id).join(other, and_(other_one, same_time)).where(which).distinct()
    return db.session.scalars(query.order_by(other.id).limit(100)).all()


def read_session(caller: Caller, session_id: uuid.UUID) -> SessionView:
    """For those who take it, and those who may attend it. Raises NotFound, NotClassMember or NotYourSession."""
    session = caller.get(Session, session_id)
    attended = caller.rows(Session, Session.id).where(Session.id == session_id, may_attend(caller, caller.user_id))
    if not manages(caller, session) and db.session.scalar(attended) is None:
        raise NotClassMember if session.class_id else NotYourSession
    return views(caller, [session])[0]


def list_sessions(
    caller: Caller,
    status: SessionStatus | None,
    days: Days,
    paging: Paging,
    mine: ColumnElement[bool] | None = None,
) -> Page[SessionView]:
    """The sessions that the caller manages. mine: as of `managed`, where that is at hand."""
    query = _of_status(caller.rows(Session), caller, status).where(managed(caller, Session) if mine is None else mine)
    query = query.where(days.condition(Session.session_date))
    columns = {"id": Session.id, "session_date": Session.session_date, "name": Session.name,
               "starts_at": Session.starts_at}  # fmt: skip
    page = paginate(query, paging, columns)
    return page.of(views(caller, page.items))


def how_many_active(caller: Caller) -> Select[Any]:
    """Query of how many of the organisation's are."""
    return _of_status(caller.rows(Session, func.count()), caller, SessionStatus.ACTIVE)


def _of_status(query: Select[Any], caller: Caller, status: SessionStatus | None) -> Select[Any]:
    now = caller.now
    if status:
        is_cancelled, is_closed = Session.cancelled_at.is_not(None), Session.closed_at.is_not(None)
        query = query.where(is_cancelled if status == SessionStatus.CANCELLED else ~is_cancelled)
        if status != SessionStatus.CANCELLED:
            query = query.where(is_closed if status == SessionStatus.CLOSED else ~is_closed)
    if status == SessionStatus.SCHEDULED:
        query = query.where(or_(Session.starts_at > now, _untimed(Session.session_date > caller.today)))
    elif status == SessionStatus.ENDED:
        query = query.where(or_(Session.ends_at < now, _untimed(Session.session_date < caller.today)))
    elif status == SessionStatus.ACTIVE:
        running = and_(Session.starts_at <= now, Session.ends_at >= now)
        query = query.where(or_(running, _untimed(Session.session_date == caller.today)))
    return query


def _untimed(condition: Any) -> Any:
    return and_(Session.starts_at.is_(None), condition)


def active_sessions(caller: Caller, paging: Paging) -> Page[SessionView]:
    """The sessions in which one can check in now: those that the caller takes or may attend, an administrator's all."""
    own = true() if caller.administers else or_(theirs(caller, Session), may_attend(caller, caller.user_id))
    query = caller.rows(Session).where(Session.id.in_(taking_check_ins(caller, clock.now(), own)))
    page = paginate(query, paging, {"id": Session.id, "starts_at": Session.starts_at})
    return page.of(views(caller, page.items))


def taking_check_ins(caller: Caller, at: datetime, which: ColumnElement[bool]) -> dict[uuid.UUID, str]:
    """Those sessions in which one can check in at a moment, by their own rules: their names by their ids."""
    usual = caller.settings.opens_before
    earlier = (policy["opens_before"].as_integer() > usual for policy in (Session.policy, Class.policy))
    query = (
        caller.rows(Session, Session.id, Session.name, Session.starts_at, Session.policy, Class.policy)
        .outerjoin(Class, Class.id == Session.class_id)
        .where(which, Session.closed_at.is_(None), Session.cancelled_at.is_(None))
        .where(Session.starts_at <= at + timedelta(minutes=LONGEST), Session.ends_at >= at)
        .where(or_(Session.starts_at <= at + timedelta(minutes=usual), *earlier))  # and not all of the coming day's
    )
    return {
        id_: name
        for id_, name, starts_at, policy, class_policy in db.session.execute(query)
        if starts_at - timedelta(minutes=rules(caller.settings, class_policy or {}, policy).opens_before) <= at
    }


def sessions_of_class(caller: Caller, class_id: uuid.UUID, paging: Paging) -> Page[SessionView]:
    """The class's sessions with their counts. Raises as `member_class`."""
    member_class(caller, class_id)
    page = paginate(
        caller.rows(Session).where(Session.class_id == class_id),
        paging,
        {"id": Session.id, "session_date": Session.session_date, "name": Session.name},
    )
    return page.of(views(caller, page.items))


def session_counts(caller: Caller, sessions: Sequence[Session]) -> dict[uuid.UUID, Counts]:
    """Each session's counts, in two statements however many they are.

    Expected is as `expected_people` says. A cancelled session expects nobody, and counts nothing.
    """
    ids = [session.id for session in sessions if session.cancelled_at is None]
    if not ids:
        return {session.id: Counts.of(0, {}, caller.settings.late_weight) for session in sessions}
    by_status: dict[uuid.UUID, dict[Status, int]] = defaultdict(dict)
    for session_id, status, count in db.session.execute(
        caller.rows(Record, Record.session_id, Record.status, func.count())
        .where(Record.session_id.in_(ids))
        .group_by(Record.session_id, Record.status)
    ):
        by_status[session_id][status] = count
    expected = dict(db.session.execute(_expected(caller, ids)).all())
    late_weight = caller.settings.late_weight
    return {row.id: Counts.of(expected.get(row.id, 0), by_status[row.id], late_weight) for row in sessions}


def views(caller: Caller, rows: Sequence[Session]) -> list[SessionView]:
    """Sessions with their counts, in a fixed number of statements."""
    counts = session_counts(caller, rows)
    return [SessionView(row, counts[row.id], caller.time_zone) for row in rows]


def _expected(caller: Caller, session_ids: Sequence[uuid.UUID]) -> Any:
    people = expected_people(caller, session_ids)
    return select(people.c.session_id, func.count()).group_by(people.c.session_id)


def expected_people(caller: Caller, session_ids: Sequence[uuid.UUID], *, even_cancelled: bool = False) -> Any:
    """Subquery of session_id and student_id: who is expected in these sessions, or has a record anyway.

    In a class's session those enrolled on its day, in a subject's those enrolled in its active classes, in a
    department's its employees, in an event nobody, in others everybody: whoever was active on the day. Nobody at all
    in one that is cancelled; and since when somebody is in a department or the organisation is not known, in one that
    is closed whoever got a record then.

    even_cancelled: who would be expected if it were not.
    """
    these = and_(Session.id.in_(session_ids), true() if even_cancelled else Session.cancelled_at.is_(None))
    is_active = or_(User.inactive_on.is_(None), User.inactive_on > Session.session_date)
    enrolled = caller.rows(Session, Session.id.label("session_id"), Enrolment.student_id).where(these)
    in_class = enrolled.join(Enrolment, Enrolment.class_id == Session.class_id)
    in_subject = enrolled.join(Class, and_(caller.owns(Class), _by_subject())).join(
        Enrolment, Enrolment.class_id == Class.id
    )
    students = [
        query.join(User, User.id == Enrolment.student_id).where(
            caller.owns(Enrolment), enrolled_on(Session.session_date), is_active
        )
        for query in (in_class, in_subject)
    ]
    in_department = and_(User.role == Role.EMPLOYEE, User.department_id == Session.department_id)
    in_organisation = and_(_of_everybody(), Session.is_event.is_(False), User.role.in_(COUNTED))
    others = (
        caller.rows(Session, Session.id.label("session_id"), User.id)
        .join(User, User.organisation_id == Session.organisation_id)
        .where(these, Session.closed_at.is_(None), Session.class_id.is_(None), Session.subject_id.is_(None))
        .where(or_(in_department, in_organisation), is_active)
    )
    recorded = (
        caller.rows(Session, Session.id.label("session_id"), Record.student_id)
        .join(Record, Record.session_id == Session.id)
        .where(these, caller.owns(Record))
    )
    return union(*students, others, recorded).subquery()
