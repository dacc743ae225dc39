"""Dashboards: what each role wants to see first, in one call and a fixed number of statements."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_
from sqlalchemy.orm import aliased, lazyload

from app.extensions import db
from app.models import Attempt, Class, ClassTeacher, Record, RecordMark, Role, Session, Source, Status, User, UserStatus
from app.services.caller import Caller, anybody
from app.services.classes import class_names
from app.services.counting import how_many_sessions
from app.services.figures import By, Figure, Filters, Interval, absences_in_a_row, figures, nothing, together, total
from app.services.paging import Page, Paging
from app.services.rates import Counts
from app.services.registers import Register, not_taken
from app.services.reviews import how_many_wait
from app.services.sessions import (
    Days,
    SessionView,
    how_many_active,
    list_sessions,
    may_attend,
    theirs,
)
from app.services.students import visible_students

MONTHS = 6
"""This one and those before it, which an average is of."""
RECENT = 30
"""Days, to this one."""
LATEST = 10
MOST = 100
_Marker, _Person = aliased(User), aliased(User)


@dataclass(frozen=True, slots=True)
class Month:
    month: str
    """As in 2026-03."""
    figure: Figure

    @property
    def percentage(self) -> float | None:
        return self.figure.percentage


@dataclass(frozen=True, slots=True)
class Activity:
    """kind: marked, checked_in or checked_out. status: what the mark says. by: who marked."""

    id: uuid.UUID
    kind: str
    at: datetime
    student_id: uuid.UUID
    student_name: str
    session_id: uuid.UUID
    session_name: str
    status: Status | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Stats:
    """Attendance as percentages; None where nobody was expected."""

    total_students: int
    total_teachers: int
    today_attendance: float | None
    average_attendance: float | None
    monthly_trend: Sequence[Month]
    recent_activities: Sequence[Activity]


@dataclass(frozen=True, slots=True)
class SessionNumbers:
    active: int
    total: int


@dataclass(frozen=True, slots=True)
class AdminStats:
    users_by_role: Mapping[Role, int]
    sessions: SessionNumbers
    today: Figure
    start_date: date
    end_date: date
    period: Figure


@dataclass(frozen=True, slots=True)
class ClassFigure:
    id: uuid.UUID
    name: str
    attendance: Figure


@dataclass(frozen=True, slots=True)
class TeacherDashboard:
    """classes: those that they teach. reviews: how many check-ins wait for one."""

    classes: Sequence[ClassFigure]
    today: Sequence[SessionView]
    registers_not_taken: Page[Register]
    reviews: int


@dataclass(frozen=True, slots=True)
class OwnSession:
    """A session with what it says of one person: attendance is None while there is no record."""

    view: SessionView
    class_name: str | None
    attendance: Status | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.view, name)


@dataclass(frozen=True, slots=True)
class PersonDashboard:
    """since: the first day that counts. consecutive_absences: as `figures.absences_in_a_row`."""

    student: User
    since: date
    attendance: Figure
    classes: Sequence[ClassFigure]
    today: Sequence[OwnSession]
    consecutive_absences: int


def stats(caller: Caller) -> Stats:
    """The organisation today and in the last months, and what was marked or checked in last."""
    by_role = users_by_role(caller)
    months = _last_months(caller.today)
    days = Days(months[0], caller.today)
    by_day = figures(caller, Filters(days), By.DAY)
    by_month = together((Interval.MONTH.first_of(day), figure) for (day,), figure in by_day.items())
    none = nothing(caller)
    return Stats(
        total_students=by_role[Role.STUDENT],
        total_teachers=by_role[Role.TEACHER],
        today_attendance=by_day.get((caller.today,), none).percentage,
        average_attendance=sum(by_month.values(), none).percentage,
        monthly_trend=[Month(f"{first:%Y-%m}", by_month.get(first, none)) for first in months],
        recent_activities=_activities(caller),
    )


def admin_stats(caller: Caller, days: Days) -> AdminStats:
    """The organisation's people, sessions and attendance: today, and by default of 30 days, to today."""
    first, last = days.bounds(caller.today, RECENT)
    by_day, none = figures(caller, Filters(Days(first, last)), By.DAY), nothing(caller)
    if first <= caller.today <= last:
        today = by_day.get((caller.today,), none)
    else:
        today = total(caller, Filters(Days(caller.today, caller.today)))
    whose = {"organisation_id": caller.organisation_id, "now": caller.now, "today": caller.today}
    numbers = db.session.execute(_NUMBERS, whose).all()
    active, held = numbers[0][2:] if numbers else (0, 0)
    return AdminStats(
        users_by_role=dict.fromkeys(Role, 0) | {role: count for role, count, *_ in numbers},
        sessions=SessionNumbers(int(active), int(held)),
        today=today,
        start_date=first,
        end_date=last,
        period=sum(by_day.values(), none),
    )


def of_teacher(caller: Caller) -> TeacherDashboard:
    """The caller's classes with their figures of the last 30 days, at most a hundred of them by name; today's
    sessions; the latest registers that nobody took."""
    days = Days(*Days().bounds(caller.today, RECENT))
    who = {"organisation_id": caller.organisation_id, "user_id": caller.user_id}
    taught = db.session.execute(_TAUGHT, who).all()
    mine = theirs(caller, Session, [id_ for id_, *_ in taught])
    names: dict[uuid.UUID, str] = dict([(id_, name) for id_, name, is_active in taught if is_active][:MOST])
    found = figures(caller, Filters(days, class_ids=names), By.CLASS)
    today = list_sessions(caller, None, Days(caller.today, caller.today), Paging(1, MOST, ["starts_at"]), mine)
    return TeacherDashboard(
        classes=[ClassFigure(id_, name, found.get((id_,), nothing(caller))) for id_, name in names.items()],
        today=today.items,
        registers_not_taken=not_taken(caller, None, Days(), Paging(1, LATEST, ["-session_date"]), mine),
        reviews=how_many_wait(caller, mine),
    )


def _taught(caller: Caller) -> Select[Any]:
    return (
        caller.rows(Class, Class.id, Class.name, Class.is_active)
        .join(ClassTeacher, and_(ClassTeacher.class_id == Class.id, caller.owns(ClassTeacher)))
        .where(ClassTeacher.teacher_id == caller.user_id)
        .order_by(Class.name, Class.id)
    )


_TAUGHT = _taught(anybody())


def of_person(caller: Caller) -> PersonDashboard:
    """The caller's own."""
    return _of_people(caller, [caller.get(User, caller.user_id)])[0]


def of_children(caller: Caller) -> Sequence[PersonDashboard]:
    """A parent's active children, at most a hundred of them by name."""
    children = visible_students(caller).where(User.status == UserStatus.ACTIVE)
    by_name = children.order_by(User.first_name, User.last_name, User.id).options(lazyload(User.department_row))
    return _of_people(caller, db.session.scalars(by_name.limit(MOST)).all())


def users_by_role(caller: Caller) -> dict[Role, int]:
    """Of those who are active; every role is named."""
    return dict.fromkeys(Role, 0) | dict(db.session.execute(_by_role(caller)).all())


def _by_role(caller: Caller) -> Select[Any]:
    return caller.rows(User, User.role, func.count()).where(User.status == UserStatus.ACTIVE).group_by(User.role)


def _numbers(caller: Caller) -> Select[Any]:
    """Query of each role, how many active people have it, and, the same beside each, how many sessions are active and
    how many there are."""
    sessions = (how_many_active(caller), how_many_sessions(caller.organisation_id))
    return _by_role(caller).add_columns(*(query.scalar_subquery() for query in sessions))


_NUMBERS = _numbers(anybody())


def _last_months(today: date) -> list[date]:
    """Their first days, the earliest first."""
    this = today.year * 12 + today.month - 1
    return [date(month // 12, month % 12 + 1, 1) for month in range(this - MONTHS + 1, this + 1)]


def _activities(caller: Caller) -> list[Activity]:
    """What somebody did last, the latest first: marks that were given by hand, and accepted check-ins and check-outs.

    The latest are picked before they are joined, so that an index by time finds them however many there are.
    """
    marks = caller.rows(RecordMark).where(RecordMark.source == Source.MANUAL)
    mark = aliased(RecordMark, marks.order_by(RecordMark.created_at.desc()).limit(LATEST).subquery())
    attempts = caller.rows(Attempt).where(Attempt.refused.is_(None))
    attempt = aliased(Attempt, attempts.order_by(Attempt.created_at.desc()).limit(LATEST).subquery())
    name, marker_name = (func.trim(person.first_name + " " + person.last_name) for person in (User, _Marker))
    marked = (
        caller.rows(Record, mark, name, Session, marker_name)
        .join(mark, mark.record_id == Record.id)
        .join(User, User.id == mark.student_id)
        .join(_Marker, _Marker.id == mark.marked_by_id)
        .join(Session, Session.id == Record.session_id)
    )
    checked = (
        caller.rows(Session, attempt, name, Session)
        .join(attempt, attempt.session_id == Session.id)
        .join(User, User.id == attempt.user_id)
    )
    found = [
        Activity(row.id, "marked", row.created_at, row.student_id, who, session.id, session.name, row.status, by)
        for row, who, session, by in db.session.execute(marked)
    ]
    found += [
        Activity(row.id, _kind(row), row.created_at, row.user_id, who, session.id, session.name)
        for row, who, session in db.session.execute(checked)
    ]
    return sorted(found, key=lambda activity: (activity.at, activity.id), reverse=True)[:LATEST]


def _kind(attempt: Attempt) -> str:
    return "checked_out" if attempt.kind == "out" else "checked_in"


def _of_people(caller: Caller, people: Sequence[User]) -> list[PersonDashboard]:
    """In as many statements for many as for one."""
    ids = frozenset(person.id for person in people)
    since = _last_months(caller.today)[0]
    filters = Filters(Days(since, caller.today), student_ids=ids)
    totals = figures(caller, filters, By.PERSON)
    by_class = _by_class(caller, filters)
    today = _sessions_today(caller, ids)
    absences: dict[uuid.UUID, int] = dict(db.session.execute(absences_in_a_row(caller, filters)).all())
    return [
        PersonDashboard(
            student=person,
            since=since,
            attendance=totals.get((person.id,), nothing(caller)),
            classes=by_class[person.id],
            today=today[person.id],
            consecutive_absences=absences.get(person.id, 0),
        )
        for person in people
    ]


def _by_class(caller: Caller, filters: Filters) -> dict[uuid.UUID, list[ClassFigure]]:
    """Of each person, the classes of whose sessions they have records, by name."""
    found = figures(caller, filters, By.PERSON, By.CLASS)
    names = class_names(caller, {class_id for _, class_id in found})
    of_people = defaultdict[uuid.UUID, list[ClassFigure]](list)
    for class_id, name in names.items():
        for (person_id, of_class), figure in found.items():
            if of_class == class_id:
                of_people[person_id].append(ClassFigure(class_id, name, figure))
    return of_people


def _sessions_today(caller: Caller, ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[OwnSession]]:
    """Of each person, those that they may attend or have a record of, by their start; cancelled ones too."""
    query = (
        caller.rows(Session, Session, _Person.id, Class.name, Record.status)
        .join(_Person, and_(caller.owns(_Person), _Person.id.in_(ids)))
        .outerjoin(Class, Class.id == Session.class_id)
        .outerjoin(Record, and_(caller.owns(Record), Record.session_id == Session.id, Record.student_id == _Person.id))
        .where(Session.session_date == caller.today, or_(may_attend(caller, _Person.id), Record.id.is_not(None)))
        .order_by(Session.starts_at, Session.id)
    )
    found = defaultdict[uuid.UUID, list[OwnSession]](list)
    for row, person_id, class_name, status in db.session.execute(query):
        view = SessionView(row, Counts(0), caller.time_zone)
        found[person_id].append(OwnSession(view, class_name, status))
    return found
