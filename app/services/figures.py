"""Figures of attendance: how many were there, in which sessions, over any time. Every dashboard, report, export, portal
and alert takes its figures from `figures`, so that they agree with each other; docs/figures.md says how each is formed.

What counts are the records of sessions that are not cancelled and have begun. A session in which nobody was ever marked
or checked in was scheduled, but not taken: what its closing made of it counts only where that is asked for. Who is
expected is who has a record: with the close everybody has one who was enrolled on the session's day.
"""

from __future__ import annotations

import uuid
from calendar import monthrange
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import (
    ColumnElement,
    Select,
    Subquery,
    and_,
    bindparam,
    case,
    distinct,
    false,
    func,
    literal,
    or_,
    select,
    true,
    union_all,
)
from sqlalchemy.orm import aliased

from app.extensions import db
from app.models import Class, ClassTeacher, DayCount, Department, Record, Session, Status, StudentProfile, Subject, User
from app.services.caller import Caller, anybody
from app.services.counting import BY_ITSELF, FIGURES
from app.services.rates import Counts
from app.services.records import THERE, visible_person
from app.services.sessions import Days


class Basis(StrEnum):
    """Which sessions count."""

    TAKEN = "taken"
    SCHEDULED = "scheduled"


class By(StrEnum):
    """What a figure is formed for each of."""

    DAY = "day"
    CLASS = "class"
    PERSON = "person"
    SUBJECT = "subject"
    DEPARTMENT = "department"
    """Of the person, as it is now; None: of none."""
    ROLE = "role"
    START = "start"
    """Of the session; None: without times."""


class Interval(StrEnum):
    """What days are taken together in."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"

    def first_of(self, day: date) -> date:
        """The first day of the one that a day is in; a week begins on Monday."""
        if self == Interval.WEEK:
            return day - timedelta(days=day.weekday())
        return day.replace(day=1) if self == Interval.MONTH else day


@dataclass(frozen=True, slots=True)
class Filters:
    """Which records count; those that fit all that is given. department, year, section: of the person, as they are
    now, compared without regard to case. teacher_id: of those classes and subjects that they teach now.
    class_ids, student_ids: of any of these."""

    days: Days = field(default_factory=Days)
    class_id: uuid.UUID | None = None
    class_ids: Collection[uuid.UUID] | None = None
    subject_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None
    student_ids: Collection[uuid.UUID] | None = None
    teacher_id: uuid.UUID | None = None
    department: str | None = None
    year: str | None = None
    section: str | None = None
    basis: Basis = Basis.TAKEN

    @property
    def traits(self) -> dict[str, Any]:
        """What is said of people, by name, in small letters; an empty text says nothing."""
        said = {name: getattr(self, name) for name in _TRAITS}
        return {
            name: value if isinstance(value, ColumnElement) else value.strip().lower()  # the former stands for one
            for name, value in said.items()
            if isinstance(value, ColumnElement) or value
        }


@dataclass(frozen=True, slots=True)
class Figure:
    """sessions: how many were held; of people, the sum of those in which each was expected."""

    counts: Counts
    sessions: int = 0

    @property
    def rate(self) -> float | None:
        return self.counts.rate

    @property
    def missed(self) -> float | None:
        """The share of what was expected in which they were not there, for whatever reason; None of nothing. From a
        tenth on, absence is called chronic (Attendance Works; US Department of Education)."""
        counts = self.counts
        return (counts.expected - counts.present - counts.late) / counts.expected if counts.expected else None

    @property
    def percentage(self) -> float | None:
        """The rate, from 0 to 100."""
        return None if self.rate is None else 100 * self.rate

    def __getattr__(self, name: str) -> Any:
        return getattr(self.counts, name)

    def __add__(self, other: Figure) -> Figure:
        return Figure(self.counts + other.counts, self.sessions + other.sessions)


OF_PERSON: dict[By, Any] = {By.DEPARTMENT: User.department_id, By.ROLE: User.role}
IN_ORDER = (Session.session_date, Session.starts_at.is_not(None), Session.starts_at, Session.id)
"""Sessions, on all databases alike: of a day those without times come first."""
LATEST_FIRST = tuple(column.desc() for column in IN_ORDER)
_Other, _Later = aliased(Record), aliased(DayCount)
_COUNTED = tuple(func.sum(getattr(DayCount, name)) for name in FIGURES)
_RECORDED = tuple(func.sum(case((Record.status == status, 1), else_=0)) for status in Status)
_of_session = and_(_Other.organisation_id == Session.organisation_id, _Other.session_id == Session.id)
IS_TAKEN = select(_Other.id).where(_of_session, _Other.source.not_in(BY_ITSELF)).correlate(Session).exists()
"""The condition that somebody was marked in a session or checked in, be it whoever; for queries of an organisation's
sessions, whose it is."""
_IDS = ("class_id", "subject_id", "student_id", "teacher_id")
_SETS = ("class_ids", "student_ids")
_TRAITS = ("department", "year", "section")
"""The parameters of `_query` that are named as filters are."""
_ONE_DAY = timedelta(days=1)
Key = tuple[Any, ...]
T = TypeVar("T")


def figures(caller: Caller, filters: Filters, *by: By) -> dict[Key, Figure]:
    """A figure for each day, class, ... that has records: by the values of what it is by. One statement, which sums
    the days' counts (`services.counting`) where they can tell, and the records that are not among them."""
    asked = _parameters(caller, filters)
    query = _query(frozenset(asked), filters.basis, by)
    sums = defaultdict[Key, list[int]](lambda: [0] * len(FIGURES))
    for row in db.session.execute(query, asked):
        key, values = tuple(row[: len(by)]), row[len(by) :]
        sums[key] = [one + int(other or 0) for one, other in zip(sums[key], values, strict=True)]
    return {key: _figure(caller, values) for key, values in sums.items() if any(values)}


def total(caller: Caller, filters: Filters) -> Figure:
    """One figure of all that fits."""
    return figures(caller, filters).get((), nothing(caller))


def trend(caller: Caller, filters: Filters, interval: Interval) -> dict[date, Figure]:
    """A figure for each day, week or month that has records, by its first day, in order; statements as `figures`."""
    return together((interval.first_of(day), figure) for (day,), figure in figures(caller, filters, By.DAY).items())


def together(some: Iterable[tuple[T, Figure]]) -> dict[T, Figure]:
    """The sums of the figures that have the same key, in the order of the keys."""
    sums: dict[Any, Figure] = {}
    for key, figure in some:
        sums[key] = sums[key] + figure if key in sums else figure
    return dict(sorted(sums.items()))


def nothing(caller: Caller) -> Figure:
    """The figure of no records."""
    return _figure(caller, [0] * len(FIGURES))


def _figure(caller: Caller, values: Sequence[int]) -> Figure:
    sessions, *by_status = values
    return Figure(Counts(sum(by_status), caller.settings.late_weight, *by_status), sessions)


def _parameters(caller: Caller, filters: Filters) -> dict[str, Any]:
    """What `_query` asks for, by name: what is not given is not among them."""
    days = filters.days
    if days.first == date.min:  # before which there is no day, as `_around_months` needs one
        days = Days(None, days.last)
    before, end = _around_months(days)
    given: dict[str, Any] = {"first": days.first, "last": days.last, "before": before, "end": end}
    given |= {name: getattr(filters, name) for name in _IDS}
    given |= {name: None if (ids := getattr(filters, name)) is None else [*ids] for name in _SETS}
    said = {name: value for name, value in given.items() if value is not None} | filters.traits
    return said | {"organisation_id": caller.organisation_id, "now": caller.now, "today": caller.today}


@lru_cache(256)
def _query(said: frozenset[str], basis: Basis, by: tuple[By, ...]) -> Any:
    """The statement for whoever asks, put together once for all questions of a kind: that takes longer than to ask
    it."""
    named: dict[str, Any] = {name: bindparam(name, expanding=name in _SETS) for name in said}
    days = Days(named.get("first"), named.get("last"))
    filters = Filters(days, basis=basis, **{name: named.get(name) for name in (*_IDS, *_SETS, *_TRAITS)})
    summed = _summed(anybody(), filters, by)
    recorded = _recorded(anybody(), filters, by)
    if summed is None:
        return recorded
    # together, so that nobody counts a session, or takes one out, between the one and the other
    return union_all(summed, recorded.where(Session.counted_at.is_(None)))


def _summed(caller: Caller, filters: Filters, by: Sequence[By]) -> Select[Any] | None:
    """The sums of days that are counted; None where they are not kept by what is asked for."""
    if filters.subject_id is not None or filters.teacher_id is not None or {By.SUBJECT, By.START} & {*by}:
        return None
    of_people = _is_of_people(filters, by)
    of_classes = _is_of_classes(filters) or By.CLASS in by
    if of_people and of_classes:
        return None
    columns: dict[By, Any] = {By.DAY: DayCount.day, By.CLASS: DayCount.of_id, By.PERSON: DayCount.of_id} | OF_PERSON
    if of_classes:
        # named twice: by the ids an index finds the counts, and that they are of classes is the rest
        whose = and_(_which(filters, DayCount.of_id), DayCount.of_id.in_(caller.rows(Class, Class.id)))
    elif of_people:
        whose = _whose(caller, filters, DayCount.of_id)
    else:
        whose = DayCount.of_id == caller.organisation_id
    grouped = [columns[each] for each in by]
    query = _of_people(caller, *grouped, *_COUNTED) if of_people else caller.rows(DayCount, *grouped, *_COUNTED)
    when = _days(filters.days) if By.DAY in by else _days_or_months(filters.days)
    return query.where(whose, _is_wanted(filters, DayCount), when).group_by(*grouped)


def _of_people(caller: Caller, *columns: Any) -> Select[Any]:
    """Query of people's counts, beside which there are the organisation's and its classes'."""
    return caller.rows(DayCount, *columns).join(User, and_(User.id == DayCount.of_id, caller.owns(User)))


def _is_wanted(filters: Filters, counts: Any) -> ColumnElement[bool]:
    return counts.is_taken if filters.basis == Basis.TAKEN else true()


def _days(days: Days, counts: Any = DayCount) -> ColumnElement[bool]:
    return and_(counts.is_month.is_(False), days.condition(counts.day))


def _days_or_months(days: Days) -> ColumnElement[bool]:
    """The months that are within these days as a whole, and the days before and after them: the parameters before and
    end are those of `_around_months`."""
    before: Any = bindparam("before")
    end: Any = bindparam("end")
    months = and_(
        true() if days.first is None else DayCount.day > before, true() if days.last is None else DayCount.day < end
    )
    beside = or_(
        false() if days.first is None else DayCount.day.between(days.first, before),
        false() if days.last is None else DayCount.day.between(end, days.last),
    )
    return or_(and_(DayCount.is_month, months), and_(DayCount.is_month.is_(False), beside))


def _around_months(days: Days) -> tuple[date | None, date | None]:
    """The last day before the first month that is within these days as a whole, and the first one after the last such
    month; where there is none, two between which no month begins. None where they are open."""
    before = end = None
    first, last = days.first, days.last
    if first is not None and last is not None and first > last:
        return first - _ONE_DAY, last + _ONE_DAY
    if first is not None:
        before = first - _ONE_DAY if first.day == 1 else first.replace(day=monthrange(first.year, first.month)[1])
        before = before if last is None else min(before, last)
    if last is not None:
        end = (last + _ONE_DAY if last < date.max else last).replace(day=1)
        end = end if first is None else max(end, first)
    return before, end


def _recorded(caller: Caller, filters: Filters, by: Sequence[By]) -> Select[Any]:
    """What records themselves come to."""
    columns: dict[By, Any] = {
        By.DAY: Session.session_date,
        By.CLASS: Session.class_id,
        By.PERSON: Record.student_id,
        By.SUBJECT: subject_of_session(),
        By.START: Session.starts_at,
    } | OF_PERSON
    grouped = [columns[each] for each in by]
    of_people = _is_of_people(filters, by)
    sessions = func.count() if of_people else func.count(distinct(Record.session_id))
    query = records(caller, filters, *grouped, sessions, *_RECORDED)
    if OF_PERSON.keys() & {*by}:
        query = query.join(User, and_(User.id == Record.student_id, caller.owns(User)))
    if By.CLASS in by:
        query = query.where(Session.class_id.is_not(None))
    if By.SUBJECT in by:
        query = query.where(subject_of_session().is_not(None))
    return query.group_by(*grouped)


def records(caller: Caller, filters: Filters, *columns: Any) -> Select[Any]:
    """Query of the records that count, with their sessions and classes (where there is one)."""
    query = (
        caller.rows(Session, *columns)
        .join(Record, and_(Record.session_id == Session.id, caller.owns(Record)))
        .outerjoin(Class, Class.id == Session.class_id)
        .where(held(caller))
    )
    if filters.basis == Basis.TAKEN:
        query = query.where(IS_TAKEN)
    return of(caller, filters, query, Record.student_id)


def of(caller: Caller, filters: Filters, query: Select[Any], person_id: Any) -> Select[Any]:
    """The query, of sessions and classes, for what fits: sessions of these days, class, subject and teacher, and the
    people whose ids the column has."""
    query = query.where(filters.days.condition(Session.session_date))
    query = query.where(_which(filters, Session.class_id))
    if filters.subject_id is not None:
        query = query.where(subject_of_session() == filters.subject_id)
    if filters.teacher_id is not None:
        classes = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == filters.teacher_id)
        subjects = caller.rows(Subject, Subject.id).where(Subject.teacher_id == filters.teacher_id)
        query = query.where(or_(Session.class_id.in_(classes), Session.subject_id.in_(subjects)))
    return query.where(_whose(caller, filters, person_id))


def absences_in_a_row(caller: Caller, filters: Filters, at_least: int | None = None) -> Select[Any]:
    """Query of student_id, absences: how many of the sessions in which they were expected people have missed since they
    were last there. Those of which they were excused, or in which they were on leave, neither count nor end the row.

    at_least: of those who have missed so many, who are looked for first; without it the records of all are read, which
    is quicker for few.
    """
    seen, is_in_row = _since_last_there(caller, filters, at_least)
    since = select(seen.c.student_id, func.count().label("absences")).where(is_in_row).group_by(seen.c.student_id)
    return since if at_least is None else since.having(func.count() >= at_least)


def runs_of_absences(caller: Caller, filters: Filters, at_least: int) -> Select[Any]:
    """Query of student_id, absences (as `absences_in_a_row` counts them), the first_day of these, and the day
    last_there, of those who have so many at least. last_there, None for never, is the same until the row ends."""
    seen, is_in_row = _since_last_there(caller, filters, at_least)
    absences = func.sum(case((is_in_row, 1), else_=0))
    return (
        select(seen.c.student_id, absences.label("absences"))
        .add_columns(func.min(case((is_in_row, seen.c.session_date))).label("first_day"))
        .add_columns(func.max(case((seen.c.times_there > 0, seen.c.session_date))).label("last_there"))
        .group_by(seen.c.student_id)
        .having(absences >= at_least)
    )


def _since_last_there(caller: Caller, filters: Filters, at_least: int | None) -> tuple[Subquery, ColumnElement[bool]]:
    """Records, the latest first, and the condition that one is an absence since the person was last there; of whoever
    may have so many of these."""
    was_there = case((Record.status.in_(THERE), 1), else_=0)
    times_there = func.sum(was_there).over(partition_by=Record.student_id, order_by=LATEST_FIRST)
    columns = (Record.student_id, Record.status, Session.session_date, times_there.label("times_there"))
    query = records(caller, filters, *columns)
    if at_least is not None and not (filters.subject_id or filters.teacher_id or _is_of_classes(filters)):
        query = query.where(Record.student_id.in_(_may_have_missed(caller, filters, at_least)))
    seen = query.subquery()
    return seen, and_(seen.c.times_there == 0, seen.c.status == Status.ABSENT)


def _may_have_missed(caller: Caller, filters: Filters, at_least: int) -> Select[Any]:
    """Query of the ids of all who have so many absences in a row, and of few others: by the counts, which tell of days
    as a whole. Who was there on a day may have been so before what they missed of it."""
    was_there_later = select(_Later.day).where(
        caller.owns(_Later),
        _days(filters.days, _Later),
        _is_wanted(filters, _Later),
        _Later.of_id == DayCount.of_id,
        _Later.day > DayCount.day,
        or_(*(getattr(_Later, status) > 0 for status in THERE)),
    )
    counted = _of_people(caller, DayCount.of_id.label("student_id"), DayCount.absent.label("absences")).where(
        _whose(caller, filters, DayCount.of_id),
        _days(filters.days),
        _is_wanted(filters, DayCount),
        DayCount.absent > 0,
        ~was_there_later.correlate(DayCount).exists(),
    )
    recorded = records(caller, filters, Record.student_id, literal(1)).where(
        Record.status == Status.ABSENT, Session.counted_at.is_(None)
    )
    missed = union_all(counted, recorded).subquery()
    return select(missed.c.student_id).group_by(missed.c.student_id).having(func.sum(missed.c.absences) >= at_least)


def subject_of_session() -> Any:
    """Its own, or its class's; for queries that `records` begins."""
    return func.coalesce(Session.subject_id, Class.subject_id)


def held(caller: Caller) -> ColumnElement[bool]:
    """The condition that a session is not cancelled, and has begun."""
    has_begun = or_(
        Session.starts_at <= caller.now, and_(Session.starts_at.is_(None), Session.session_date <= caller.today)
    )
    return and_(Session.cancelled_at.is_(None), has_begun)


def _is_of_people(filters: Filters, by: Sequence[By]) -> bool:
    named = filters.student_id is not None or filters.student_ids is not None
    return bool(named or filters.traits or {By.PERSON, *OF_PERSON} & {*by})


def _is_of_classes(filters: Filters) -> bool:
    return filters.class_id is not None or filters.class_ids is not None


def _which(filters: Filters, class_id: Any) -> ColumnElement[bool]:
    """The condition that a class is among those that are asked for."""
    one = true() if filters.class_id is None else class_id == filters.class_id
    return and_(one, true() if filters.class_ids is None else class_id.in_(filters.class_ids))


def _whose(caller: Caller, filters: Filters, person_id: Any) -> ColumnElement[bool]:
    """The condition that somebody fits all that is said of people."""
    one = true() if filters.student_id is None else person_id == filters.student_id
    some = true() if filters.student_ids is None else person_id.in_(filters.student_ids)
    return and_(one, some, person_id.in_(people(caller, filters)) if filters.traits else true())


def of_whom_they_may_see(caller: Caller, filters: Filters) -> Filters:
    """Of one person, where the caller is not staff: themselves unless it says whom. Raises NotFound: they may not see
    them."""
    if not caller.is_staff:
        filters = replace(filters, student_id=filters.student_id or caller.user_id)
    if filters.student_id is not None:
        visible_person(caller, filters.student_id)
    return filters


def people(caller: Caller, filters: Filters) -> Select[Any]:
    """Query of the ids of those whose department, year and section fit."""
    query, traits = caller.rows(User, User.id), filters.traits
    if "department" in traits:
        query = query.join(Department, and_(Department.id == User.department_id, caller.owns(Department)))
        query = query.where(func.lower(Department.name) == traits.pop("department"))
    if traits:
        query = query.join(StudentProfile, and_(StudentProfile.user_id == User.id, caller.owns(StudentProfile)))
        query = query.where(*(func.lower(getattr(StudentProfile, name)) == value for name, value in traits.items()))
    return query
