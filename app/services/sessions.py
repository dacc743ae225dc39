"""Sessions: the times in which attendance is taken, who is expected in them, and their counts."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func, or_, select, true, union

from app import clock
from app.extensions import db
from app.models import (
    ClassTeacher,
    Enrolment,
    Record,
    Role,
    Session,
    Status,
    Subject,
    User,
)
from app.services.caller import Caller
from app.services.classes import member_class, taught_class, teaches
from app.services.enrolments import enrolled_on
from app.services.errors import DatesRefused, NotYourSession
from app.services.paging import Page, Paging, paginate
from app.services.rates import Counts
from app.services.transaction import transaction

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


class SessionStatus(StrEnum):
    SCHEDULED = "scheduled"
    ACTIVE = "active"
    ENDED = "ended"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class SessionView:
    row: Session
    counts: Counts
    time_zone: str

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
        """By the time, unless it was closed; one without times is on for its day."""
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
    teacher_id = caller.get(Subject, subject_id).teacher_id
    return caller.administers or (caller.role == Role.TEACHER and teacher_id in {None, caller.user_id})


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
    """A session of a class, or without one of the whole organisation.

    session_date: by default that of its start, or else today, where the organisation is.
    values: description, starts_at and ends_at (naive ones are the organisation's) and policy (as it is kept).

    Raises:
        NotFound, NotYourClass: as `taught_class`.
        DatesRefused: it would end before it starts.
    """
    if class_id is not None:
        taught_class(caller, class_id)
    zone = ZoneInfo(caller.time_zone)
    for edge in ("starts_at", "ends_at"):
        if (moment := values.get(edge)) and moment.tzinfo is None:
            values[edge] = moment.replace(tzinfo=zone)
    starts_at, ends_at = values.get("starts_at"), values.get("ends_at")
    if starts_at and ends_at and ends_at <= starts_at:
        raise DatesRefused
    started_on = starts_at.astimezone(zone).date() if starts_at else caller.today
    for site in values.get("policy", {}).get("sites", ()):
        if "latitude" in site:
            site.setdefault("radius", caller.settings.geofence.radius)
    row = Session(
        organisation_id=caller.organisation_id,
        class_id=class_id,
        name=name,
        session_date=session_date or started_on,
        created_by_id=caller.user_id,
        **values,
    )
    db.session.add(row)
    db.session.flush()
    return views(caller, [row])[0]


def list_sessions(caller: Caller, status: SessionStatus | None, days: Days, paging: Paging) -> Page[SessionView]:
    """The sessions that the caller manages: an administrator's are all of the organisation."""
    now = clock.now()
    query = caller.rows(Session).where(days.condition(Session.session_date))
    if not caller.administers:
        taught = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == caller.user_id)
        query = query.where(or_(Session.class_id.in_(taught), Session.created_by_id == caller.user_id))
    if status:
        is_closed = Session.closed_at.is_not(None)
        query = query.where(is_closed if status == SessionStatus.CLOSED else ~is_closed)
    if status == SessionStatus.SCHEDULED:
        query = query.where(or_(Session.starts_at > now, _untimed(Session.session_date > caller.today)))
    elif status == SessionStatus.ENDED:
        query = query.where(or_(Session.ends_at < now, _untimed(Session.session_date < caller.today)))
    elif status == SessionStatus.ACTIVE:
        running = and_(Session.starts_at <= now, Session.ends_at >= now)
        query = query.where(or_(running, _untimed(Session.session_date == caller.today)))
    columns = {"id": Session.id, "session_date": Session.session_date, "name": Session.name,
               "starts_at": Session.starts_at}  # fmt: skip
    page = paginate(query, paging, columns)
    return page.of(views(caller, page.items))


def _untimed(condition: Any) -> Any:
    return and_(Session.starts_at.is_(None), condition)


def active_sessions(caller: Caller, paging: Paging) -> Page[SessionView]:
    """The sessions in which one can check in now; a student's are those that they may attend."""
    opens = clock.now() + timedelta(minutes=caller.settings.opens_before)
    query = caller.rows(Session).where(Session.starts_at <= opens, Session.ends_at >= clock.now())
    query = query.where(Session.closed_at.is_(None))
    if caller.role == Role.STUDENT:
        enrolled = caller.rows(Enrolment, Enrolment.class_id).where(
            Enrolment.student_id == caller.user_id, enrolled_on(Session.session_date)
        )
        mine = enrolled.where(Enrolment.class_id == Session.class_id).correlate(Session).exists()
        query = query.where(or_(Session.class_id.is_(None), mine))
    page = paginate(query, paging, {"id": Session.id, "starts_at": Session.starts_at})
    return page.of(views(caller, page.items))


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
    late_weight = caller.settings.late_weight
    return {id_: Counts.of(expected.get(id_, 0), by_status[id_], late_weight) for id_ in ids}


def views(caller: Caller, rows: Sequence[Session]) -> list[SessionView]:
    """Sessions with their counts, in a fixed number of statements."""
    counts = session_counts(caller, rows)
    return [SessionView(row, counts[row.id], caller.time_zone) for row in rows]


def _expected(caller: Caller, session_ids: Sequence[uuid.UUID]) -> Any:
    people = expected_people(caller, session_ids)
    return select(people.c.session_id, func.count()).group_by(people.c.session_id)


def expected_people(caller: Caller, session_ids: Sequence[uuid.UUID]) -> Any:
    """Subquery of session_id and student_id: who is expected in these sessions, or has a record anyway."""
    enrolled = (
        caller.rows(Session, Session.id.label("session_id"), Enrolment.student_id)
        .join(Enrolment, Enrolment.class_id == Session.class_id)
        .join(User, User.id == Enrolment.student_id)
        .where(Session.id.in_(session_ids), caller.owns(Enrolment), enrolled_on(Session.session_date))
        .where(or_(User.inactive_on.is_(None), User.inactive_on > Session.session_date))
    )
    everybody = (
        caller.rows(Session, Session.id.label("session_id"), User.id)
        .join(User, User.organisation_id == Session.organisation_id)
        .where(Session.id.in_(session_ids), Session.class_id.is_(None), Session.subject_id.is_(None))
        .where(User.role.in_(COUNTED))
        .where(or_(User.inactive_on.is_(None), User.inactive_on > Session.session_date))
    )
    recorded = caller.rows(Record, Record.session_id, Record.student_id).where(Record.session_id.in_(session_ids))
    return union(enrolled, everybody, recorded).subquery()
