"""Who can still reach the rate that is required: what was held so far, and what is to come of it until a day."""

from __future__ import annotations

import uuid
from bisect import bisect_left, bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from itertools import chain
from typing import Any

from sqlalchemy import Select, and_, func, or_

from app import clock
from app.extensions import db
from app.models import (
    Class,
    ClassTeacher,
    Enrolment,
    LeaveRequest,
    LeaveStatus,
    Record,
    Role,
    Session,
    Status,
    Subject,
    Timetable,
    User,
)
from app.services.caller import Caller
from app.services.figures import By, Figure, Filters, figures, nothing, of, of_whom_they_may_see, people
from app.services.paging import Page, Paging, page_of
from app.services.sessions import COUNTED, Days
from app.services.terms import days_of_current_term
from app.services.timetables import to_be_made

BACK = 180
"""Days, where nobody says which and it is no term."""
AHEAD = timedelta(days=366)
"""What is looked at from today on, at most."""


class Reach(StrEnum):
    """at_risk: below the required rate so far, and can still reach it."""

    UNREACHABLE = "unreachable"
    AT_RISK = "at_risk"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class Outlook:
    """figure: so far. remaining: in how many sessions to come they are expected."""

    figure: Figure
    remaining: int
    required: float

    def rate_with(self, attended: int) -> float | None:
        """The rate in the end, of who is present in so many of the remaining sessions; None where nothing counts."""
        counts = self.figure.counts
        more = {"expected": counts.expected + self.remaining, "present": counts.present + attended}
        return replace(counts, **more).rate

    @property
    def best(self) -> float | None:
        return self.rate_with(self.remaining)

    @property
    def needed(self) -> int | None:
        """How many of the remaining sessions they must attend; None: all are not enough, or nothing counts."""
        if self.best is None:
            return None
        enough = bisect_left(range(self.remaining + 1), self.required, key=lambda so_many: self.rate_with(so_many) or 0)
        return enough if enough <= self.remaining else None

    def is_of(self, reach: Reach) -> bool:
        if reach == Reach.ALL:
            return True
        if reach == Reach.UNREACHABLE:
            return self.best is not None and self.best < self.required
        return self.needed is not None and self.figure.rate is not None and self.figure.rate < self.required


@dataclass(frozen=True, slots=True)
class PersonOutlook:
    person: User
    outlook: Outlook


@dataclass(frozen=True, slots=True)
class Forecast:
    days: Days
    required: float
    people: Page[PersonOutlook]


@dataclass(frozen=True, slots=True)
class Expecting:
    """Whom a session expects: who is enrolled in the class, or in a class of the subject, the department's employees,
    or without any of these everybody."""

    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    department_id: uuid.UUID | None = None


Coming = dict[Expecting, list[date]]
"""The days of the sessions to come, in order: one as often as there are sessions on it."""
Span = tuple[date, date | None]
"""From one day until another, which is not in it; None: without an end."""
ALWAYS: Span = (date.min, None)


def forecast(caller: Caller, filters: Filters, required: float | None, reach: Reach, paging: Paging) -> Forecast:
    """The people who are here and fit, by the best that they can reach, in a fixed number of statements. Who is not
    staff sees one person: by default themselves.

    filters.days: until the last the sessions to come are counted, at most AHEAD; by default those of the term that it
    is, or else the last BACK days. required: by default as the organisation says.

    Raises NotFound.
    """
    filters = of_whom_they_may_see(caller, filters)
    days = filters.days if filters.days != Days() else days_of_current_term(caller) or Days()
    first, last = days.bounds(caller.today, BACK)
    filters = replace(filters, days=Days(first, min(last, caller.today + AHEAD)))
    required = caller.settings.required_rate if required is None else required
    here = _people(caller, filters)
    left = remaining(caller, filters, here)
    so_far = {id_: figure for (id_,), figure in figures(caller, filters, By.PERSON).items() if id_ in here}
    none = nothing(caller)
    outlooks = {id_: Outlook(so_far.get(id_, none), left[id_], required) for id_ in so_far.keys() | left.keys()}
    found = [(id_, outlook) for id_, outlook in outlooks.items() if outlook.is_of(reach)]
    sign = -1 if "-best" in paging.sort else 1
    found.sort(key=lambda one: (one[1].best is None, sign * (one[1].best or 0), one[0]))
    page = page_of(found, paging)
    users = caller.by_id(User, [id_ for id_, _ in page.items])
    items = [PersonOutlook(users[id_], outlook) for id_, outlook in page.items]
    return Forecast(filters.days, required, page.of(items))


def remaining(caller: Caller, filters: Filters, here: dict[uuid.UUID, Any]) -> Counter[uuid.UUID]:
    """In how many sessions to come each of these people is expected, until the filters' last day: of those that are
    made, and of those that timetables will make. Not those of which they are excused, or in which they are on leave,
    already."""
    coming = _coming(caller, filters)
    away = _away(caller, filters)
    left = Counter[uuid.UUID]()
    expected = _expected(caller, filters, here, coming)
    for (id_, expecting), spans in expected.items():
        left[id_] += _how_many(coming[expecting], spans, away[id_])
    for row in _excused(caller, filters):
        left[row.student_id] -= _how_many(
            [row.session_date], expected[row.student_id, _expecting(row)], away[row.student_id]
        )
    return +left


def _people(caller: Caller, filters: Filters) -> dict[uuid.UUID, Any]:
    """Those who fit and are expected anywhere, with their role and department, by their ids."""
    query = people(caller, filters).add_columns(User.role, User.department_id).where(User.inactive_on.is_(None))
    if filters.student_id is not None:
        query = query.where(User.id == filters.student_id)
    return {row.id: row for row in db.session.execute(query)}


def _coming(caller: Caller, filters: Filters) -> Coming:
    coming = defaultdict[Expecting, list[date]](list)
    which = (Session.class_id, Session.subject_id, Session.department_id, Session.is_event, Session.session_date)
    for row in db.session.execute(_to_come(caller, filters, *which)):
        coming[_expecting(row)].append(row.session_date)
    first, last = filters.days.first or date.min, filters.days.last or caller.today
    for timetable, days in to_be_made(caller, _timetables(caller, filters), last):
        coming[_expecting(timetable)].extend(day for day in days if day >= first)
    return {expecting: sorted(days) for expecting, days in coming.items()}


def _expecting(row: Any) -> Expecting:
    if row.class_id is not None:
        return Expecting(class_id=row.class_id)
    return Expecting(subject_id=row.subject_id) if row.subject_id else Expecting(department_id=row.department_id)


def _to_come(caller: Caller, filters: Filters, *columns: Any) -> Select[Any]:
    """Query of the sessions that fit, have not begun, are not cancelled, and expect somebody."""
    to_come = or_(
        Session.starts_at > clock.now(), and_(Session.starts_at.is_(None), Session.session_date > caller.today)
    )
    query = caller.rows(Session, *columns).outerjoin(Class, Class.id == Session.class_id)
    of_anybody = replace(filters, student_id=None, department=None, year=None, section=None)
    return of(caller, of_anybody, query, None).where(to_come, Session.cancelled_at.is_(None), _expects(Session))


def _timetables(caller: Caller, filters: Filters) -> Select[Any]:
    """Query of those whose sessions fit, and expect somebody."""
    query = caller.rows(Timetable).outerjoin(Class, Class.id == Timetable.class_id).where(_expects(Timetable))
    if filters.class_id is not None:
        query = query.where(Timetable.class_id == filters.class_id)
    if filters.subject_id is not None:
        query = query.where(func.coalesce(Timetable.subject_id, Class.subject_id) == filters.subject_id)
    if filters.teacher_id is not None:
        classes = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == filters.teacher_id)
        subjects = caller.rows(Subject, Subject.id).where(Subject.teacher_id == filters.teacher_id)
        query = query.where(or_(Timetable.class_id.in_(classes), Timetable.subject_id.in_(subjects)))
    return query


def _expects(model: type[Session] | type[Timetable]) -> Any:
    """The condition that it is no event to which everybody may come."""
    return or_(
        model.is_event.is_(False),
        model.class_id.is_not(None),
        model.subject_id.is_not(None),
        model.department_id.is_not(None),
    )


def _expected(
    caller: Caller, filters: Filters, here: dict[uuid.UUID, Any], coming: Coming
) -> dict[tuple[uuid.UUID, Expecting], list[Span]]:
    """From when to when each of the people is in what sessions to come expect."""
    spans = defaultdict[tuple[uuid.UUID, Expecting], list[Span]](list)
    for id_, expecting, span in chain(_enrolled(caller, filters), _others(here)):
        if id_ in here and expecting in coming:
            spans[id_, expecting].append(span)
    return spans


def _enrolled(caller: Caller, filters: Filters) -> Iterator[tuple[uuid.UUID, Expecting, Span]]:
    query = (
        caller.rows(Enrolment, Enrolment.student_id, Enrolment.class_id, Enrolment.starts_on, Enrolment.ends_on)
        .add_columns(Class.subject_id, Class.is_active)
        .join(Class, and_(Class.id == Enrolment.class_id, caller.owns(Class)))
        .where(or_(Enrolment.ends_on.is_(None), Enrolment.ends_on > caller.today))
    )
    if filters.class_id is not None:
        query = query.where(Enrolment.class_id == filters.class_id)
    if filters.student_id is not None:
        query = query.where(Enrolment.student_id == filters.student_id)
    for row in db.session.execute(query):
        span = (row.starts_on, row.ends_on)
        yield row.student_id, Expecting(class_id=row.class_id), span
        if row.subject_id and row.is_active:
            yield row.student_id, Expecting(subject_id=row.subject_id), span


def _others(here: dict[uuid.UUID, Any]) -> Iterator[tuple[uuid.UUID, Expecting, Span]]:
    for person in here.values():
        if person.role in COUNTED:
            yield person.id, Expecting(), ALWAYS
        if person.role == Role.EMPLOYEE and person.department_id:
            yield person.id, Expecting(department_id=person.department_id), ALWAYS


def _away(caller: Caller, filters: Filters) -> dict[uuid.UUID, list[tuple[date, date]]]:
    """From which day to which, both included, each person is excused or on leave."""
    approved = caller.rows(LeaveRequest, LeaveRequest.user_id, LeaveRequest.first_day, LeaveRequest.last_day).where(
        LeaveRequest.status == LeaveStatus.APPROVED, LeaveRequest.last_day >= caller.today
    )
    if filters.student_id is not None:
        approved = approved.where(LeaveRequest.user_id == filters.student_id)
    away = defaultdict[uuid.UUID, list[tuple[date, date]]](list)
    for id_, first, last in db.session.execute(approved):
        away[id_].append((first, last))
    return away


def _excused(caller: Caller, filters: Filters) -> Sequence[Any]:
    """Who was marked as excused or on leave in which session to come."""
    whom = (Session.class_id, Session.subject_id, Session.department_id)
    query = _to_come(caller, filters, Record.student_id, Session.session_date, *whom)
    query = query.join(Record, and_(Record.session_id == Session.id, caller.owns(Record)))
    return db.session.execute(query.where(Record.status.in_((Status.EXCUSED, Status.LEAVE)))).all()


def _how_many(days: Sequence[date], spans: Sequence[Span], away: Sequence[tuple[date, date]]) -> int:
    """Of the days, in their order, those in one of the spans on which they are not away."""
    within = [
        range(bisect_left(days, first), len(days) if end is None else bisect_left(days, end)) for first, end in spans
    ]
    if len(within) == 1 and not away:
        return len(within[0])
    absences = [range(bisect_left(days, first), bisect_right(days, last)) for first, last in away]
    return len(set().union(*within) - set().union(*absences))
