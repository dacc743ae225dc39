"""Reports: `services.figures` by session, person, class, subject, department and time; and the lists behind them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import groupby
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import String, and_, case, cast, func

from app.extensions import db
from app.models import (
    Attempt,
    Class,
    Department,
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
    Weekday,
)
from app.services.caller import Caller
from app.services.classes import class_names, taught_class
from app.services.dashboards import users_by_role
from app.services.errors import TooManySessions
from app.services.figures import (
    IN_ORDER,
    By,
    Figure,
    Filters,
    Interval,
    absences_in_a_row,
    figures,
    nothing,
    of,
    of_whom_they_may_see,
    people,
    records,
    together,
    total,
    trend,
)
from app.services.paging import Page, Paging, page_of, paginate
from app.services.punctuality import Lateness, lateness
from app.services.records import RecordView, history, visible_person
from app.services.sessions import Days, SessionView, expected_people, managed_session, views
from app.services.students import visible_students

MOST_SESSIONS = 1200
"""In one matrix: six lessons on each of a year's two hundred days."""
BACK, OF_MATRIX = 180, 90
"""Days of trends, and of a matrix, where nobody says."""
WEEKDAYS = tuple(Weekday)


class Span(StrEnum):
    """What there is a point for: spans of days as `Interval`, or the same weekday or hour of all days."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    WEEKDAY = "weekday"
    HOUR = "hour"


class Standing(StrEnum):
    ALL = "all"
    CHRONIC = "chronic"
    PERFECT = "perfect"


@dataclass(frozen=True, slots=True)
class Point:
    """interval: a day (a week's Monday, a month's first), a weekday's name, or an hour, as HH:00."""

    interval: str
    figure: Figure


@dataclass(frozen=True, slots=True)
class Named:
    """The figure of a class, a department, a role; name None: of no class, of no department."""

    id: uuid.UUID | None
    name: str | None
    figure: Figure


@dataclass(frozen=True, slots=True)
class SubjectRow:
    """What a person's records in the sessions of a subject come to."""

    student_id: uuid.UUID
    student_name: str
    roll_number: str | None
    subject: str
    subject_id: uuid.UUID
    figure: Figure


@dataclass(frozen=True, slots=True)
class Expected:
    """Who is expected in a session, and their record, if there is one."""

    student: User
    record: RecordView | None


@dataclass(frozen=True, slots=True)
class SessionDetails:
    session: SessionView
    rates: dict[str, float | None]
    people: Page[Expected]


@dataclass(frozen=True, slots=True)
class OrganisationSummary:
    days: Days
    people: dict[str, int]
    total: Figure
    by_class: Page[Named]
    by_department: Sequence[Named]
    by_role: Sequence[Named]


@dataclass(frozen=True, slots=True)
class Streaks:
    """Of sessions one after the other. absent: which the last ones were, 0 for who was there last."""

    absent: int
    longest_absent: int
    longest_there: int


@dataclass(frozen=True, slots=True)
class PersonDetails:
    person: User
    total: Figure
    streaks: Streaks
    lateness: Lateness
    by_class: Sequence[Named]
    by_month: Sequence[Point]
    records: Page[RecordView]


@dataclass(frozen=True, slots=True)
class PersonFigure:
    person: User
    figure: Figure


@dataclass(frozen=True, slots=True)
class Matrix:
    """A class's people and sessions: `rows` are in the order of the people, a status or None for each session."""

    sessions: Sequence[Session]
    people: Page[User]
    rows: Sequence[Sequence[Status | None]]


@dataclass(frozen=True, slots=True)
class Comparison:
    one: Figure
    other: Figure

    @property
    def change(self) -> float | None:
        """Of the rate, from the one to the other; None where either has none."""
        before, after = self.one.rate, self.other.rate
        return None if before is None or after is None else after - before


@dataclass(frozen=True, slots=True)
class Verified:
    source: Source
    verification: Verification
    records: int
    flagged: int


@dataclass(frozen=True, slots=True)
class Refusals:
    code: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Checking:
    """How the records that count came to be, and what was refused meanwhile."""

    records: Sequence[Verified]
    refused: Sequence[Refusals]


def session_details(caller: Caller, session_id: uuid.UUID, paging: Paging) -> SessionDetails:
    """A session with everybody who is expected in it. Raises NotFound, NotYourClass or NotYourSession."""
    session = managed_session(caller, session_id)
    view = views(caller, [session])[0]
    expected = expected_people(caller, [session_id])
    own = and_(Record.student_id == User.id, Record.session_id == session_id, caller.owns(Record))
    query = caller.rows(User, User, Record).join(expected, expected.c.student_id == User.id).outerjoin(Record, own)
    page = paginate(query, paging, {"id": User.id, "last_name": User.last_name, "first_name": User.first_name})
    everybody = [
        Expected(user, record and RecordView(record, user, session, is_for_staff=True)) for user, record in page.items
    ]
    return SessionDetails(view, view.counts.shares | {"attendance": view.counts.rate}, page.of(everybody))


def by_subject(caller: Caller, filters: Filters, paging: Paging) -> Page[SubjectRow]:
    """A row for each student and subject, of a page of students. The page counts students."""
    page = _students(caller, filters, paging)
    users = {user.id: user for user, _ in page.items}
    found = figures(caller, replace(filters, student_ids=list(users)), By.PERSON, By.SUBJECT)
    names: dict[uuid.UUID, str] = dict(db.session.execute(caller.rows(Subject, Subject.id, Subject.name)).all())
    by_student = defaultdict[uuid.UUID, list[tuple[uuid.UUID, Figure]]](list)
    for (student_id, subject_id), figure in found.items():
        by_student[student_id].append((subject_id, figure))
    rows = [
        SubjectRow(user.id, user.name, roll_number, names[subject_id], subject_id, figure)
        for user, roll_number in page.items
        for subject_id, figure in sorted(by_student[user.id], key=lambda of: names[of[0]])
    ]
    return page.of(rows)


def _students(caller: Caller, filters: Filters, paging: Paging) -> Page[Any]:
    profile = and_(StudentProfile.user_id == User.id, caller.owns(StudentProfile))
    query = visible_students(caller, User, StudentProfile.roll_number).outerjoin(StudentProfile, profile)
    query = query.where(User.status == UserStatus.ACTIVE)
    if filters.department or filters.year or filters.section:
        query = query.where(User.id.in_(people(caller, filters)))
    if filters.student_id is not None:
        query = query.where(User.id == filters.student_id)
    return paginate(query, paging, {"id": User.id, "last_name": User.last_name, "first_name": User.first_name})


def summary(caller: Caller, days: Days, paging: Paging) -> OrganisationSummary:
    """The organisation's figures; the page is of its classes."""
    filters = Filters(days=days)
    page = paginate(caller.rows(Class), paging, {"id": Class.id, "name": Class.name})
    by_class = {key: figure for (key,), figure in figures(caller, filters, By.CLASS).items()}
    none = nothing(caller)
    classes = page.of([Named(row.id, row.name, by_class.get(row.id, none)) for row in page.items])
    names: dict[uuid.UUID, str] = dict(
        db.session.execute(caller.rows(Department, Department.id, Department.name)).all()
    )
    departments = [
        Named(id_, names.get(id_), figure) for (id_,), figure in figures(caller, filters, By.DEPARTMENT).items()
    ]
    roles = [Named(None, Role(role).value, figure) for (role,), figure in figures(caller, filters, By.ROLE).items()]
    there = {role.value: count for role, count in users_by_role(caller).items() if count}
    return OrganisationSummary(
        days, there, total(caller, filters), classes, sorted(departments, key=_name), sorted(roles, key=_name)
    )


def _name(named: Named) -> tuple[bool, str]:
    return named.name is None, named.name or ""


def person_details(caller: Caller, user_id: uuid.UUID, days: Days, paging: Paging) -> PersonDetails:
    """For staff, themselves, and their parents. Raises NotFound."""
    person = visible_person(caller, user_id)
    filters = Filters(days=days, student_id=user_id)
    columns = (Record.status, Record.checked_in_at, Record.checked_out_at, Session.starts_at, Session.ends_at)
    query = records(caller, filters, *columns, Record.forgot_to_check_out)
    rows = db.session.execute(query.order_by(*IN_ORDER)).all()
    by_class = figures(caller, filters, By.CLASS)
    names = class_names(caller, [key for (key,) in by_class])
    classes = [Named(id_, names[id_], figure) for (id_,), figure in by_class.items()]
    return PersonDetails(
        person,
        total(caller, filters),
        streaks([row.status for row in rows]),
        lateness(rows),
        sorted(classes, key=_name),
        _points(caller, filters, Span.MONTH),
        history(caller, user_id, days, paging),
    )


def streaks(statuses: Sequence[Status]) -> Streaks:
    """Of sessions in their order. Who was excused or on leave was neither there nor absent, and ends nothing."""
    matter = [status for status in statuses if status not in {Status.EXCUSED, Status.LEAVE}]
    runs = [(is_absent, len(list(run))) for is_absent, run in groupby(status == Status.ABSENT for status in matter)]
    longest = {which: max((length for is_absent, length in runs if is_absent == which), default=0) for which in (1, 0)}
    return Streaks(runs[-1][1] if runs and runs[-1][0] else 0, longest[1], longest[0])


def trends(caller: Caller, filters: Filters, span: Span) -> Sequence[Point]:
    """A point for each span in which there are records, in order. Who is not staff sees one person: by default
    themselves. Raises NotFound."""
    filters = of_whom_they_may_see(caller, filters)
    days = Days(*filters.days.bounds(caller.today, BACK))
    return _points(caller, replace(filters, days=days), span)


def _points(caller: Caller, filters: Filters, span: Span) -> Sequence[Point]:
    if span == Span.WEEKDAY:
        by_day = figures(caller, filters, By.DAY)
        weekdays = together((day.weekday(), figure) for (day,), figure in by_day.items())
        return [Point(WEEKDAYS[number], figure) for number, figure in weekdays.items()]
    if span == Span.HOUR:
        zone = ZoneInfo(caller.time_zone)
        by_start = figures(caller, filters, By.START)
        hours = together((start.astimezone(zone).hour, figure) for (start,), figure in by_start.items() if start)
        return [Point(f"{hour:02}:00", figure) for hour, figure in hours.items()]
    return [Point(str(first), figure) for first, figure in trend(caller, filters, Interval(span)).items()]


def compare(caller: Caller, filters: Filters, other: Days) -> Comparison:
    """The same of two periods."""
    return Comparison(total(caller, filters), total(caller, replace(filters, days=other)))


def people_by_absence(
    caller: Caller, filters: Filters, standing: Standing, missed: float, paging: Paging
) -> Page[PersonFigure]:
    """People and their figures, by what they missed. chronic: from this share on; perfect: nothing, and never late."""
    found = [(key[0], figure) for key, figure in figures(caller, filters, By.PERSON).items()]
    if standing == Standing.CHRONIC:
        found = [(id_, figure) for id_, figure in found if (figure.missed or 0) >= missed]
    elif standing == Standing.PERFECT:
        found = [(id_, figure) for id_, figure in found if figure.counts.present == figure.counts.expected]
    sign = -1 if "-missed" in paging.sort else 1
    found.sort(key=lambda of: (sign * (of[1].missed or 0), of[0]))
    page = page_of(found, paging)
    users = caller.by_id(User, [id_ for id_, _ in page.items])
    return page.of([PersonFigure(users[id_], figure) for id_, figure in page.items])


def absent_in_a_row(caller: Caller, filters: Filters, at_least: int, paging: Paging) -> Page[tuple[User, int]]:
    """Who was absent in their last sessions, so many at least, and in how many (`figures.absences_in_a_row`)."""
    days = Days(*filters.days.bounds(caller.today, BACK))
    runs = absences_in_a_row(caller, replace(filters, days=days), at_least).subquery()
    query = caller.rows(User, User, runs.c.absences).join(runs, runs.c.student_id == User.id)
    columns = {"id": User.id, "absences": runs.c.absences, "last_name": User.last_name}
    page = paginate(query, paging, columns)
    return page.of([(user, int(count)) for user, count in page.items])


def matrix(caller: Caller, class_id: uuid.UUID, days: Days, paging: Paging) -> Matrix:
    """Who of a class was what in which of its sessions. The page is of people: whoever has a record in them.

    Raises:
        NotFound, NotYourClass
        TooManySessions: there are more than MOST_SESSIONS in these days.
    """
    taught_class(caller, class_id)
    days = Days(*days.bounds(caller.today, OF_MATRIX))
    query = caller.rows(Session).where(
        Session.class_id == class_id, Session.cancelled_at.is_(None), days.condition(Session.session_date)
    )
    sessions = db.session.scalars(query.order_by(*IN_ORDER).limit(MOST_SESSIONS + 1)).all()
    if len(sessions) > MOST_SESSIONS:
        raise TooManySessions
    ids = [session.id for session in sessions]
    recorded = caller.rows(Record, Record.student_id).where(Record.session_id.in_(ids))
    page = paginate(
        caller.rows(User).where(User.id.in_(recorded)),
        paging,
        {"id": User.id, "last_name": User.last_name, "first_name": User.first_name},
    )
    said = caller.rows(Record, Record.student_id, Record.session_id, Record.status).where(
        Record.session_id.in_(ids), Record.student_id.in_([user.id for user in page.items])
    )
    statuses = {(student_id, session_id): status for student_id, session_id, status in db.session.execute(said)}
    return Matrix(sessions, page, [[statuses.get((user.id, id_)) for id_ in ids] for user in page.items])


def checking(caller: Caller, filters: Filters) -> Checking:
    """How records came to be, how they were verified and flagged; and what was refused."""
    is_flagged = func.sum(case((cast(Record.flags, String) != "[]", 1), else_=0))
    kinds = (Record.source, Record.verification)
    query = records(caller, filters, *kinds, func.count(), is_flagged).group_by(*kinds).order_by(*kinds)
    made = [Verified(source, how, count, int(flagged)) for source, how, count, flagged in db.session.execute(query)]
    tried = (
        caller.rows(Attempt, Attempt.refused, func.count())
        .join(Session, and_(Session.id == Attempt.session_id, caller.owns(Session)))
        .outerjoin(Class, Class.id == Session.class_id)
        .where(Attempt.refused.is_not(None))
    )
    tried = of(caller, filters, tried, Attempt.user_id)
    refused = db.session.execute(tried.group_by(Attempt.refused).order_by(Attempt.refused))
    return Checking(made, [Refusals(code, count) for code, count in refused])
