"""Averages of marks and the grades that they come to. Every report, dashboard, report card and alert takes its averages
from `averages`, so that they agree with each other; docs/marks.md says how each is formed.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, case, func, literal, true

from app.extensions import db
from app.models import Assessment, Subject
from app.services.caller import Caller
from app.services.organisation_settings import Grade, OrganisationSettings
from app.services.sessions import Days

Key = tuple[Any, ...]
T = TypeVar("T")
ROUNDING = 0.005
"""Percentages are shown with two decimals: what is shown as 90 has the grade of 90."""


class MarkBy(StrEnum):
    """What an average is formed for each of."""

    DAY = "day"
    PERSON = "person"
    SUBJECT = "subject"
    CLASS = "class"
    """None: of those recorded for no class."""
    TERM = "term"
    """The pair of academic year and term, either of which may be None."""
    KIND = "kind"
    GRADE = "grade"
    """Of each mark by itself, on the organisation's scale."""


@dataclass(frozen=True, slots=True)
class MarkFilters:
    """Which marks count; those that fit all that is given. days: on which they were taken. student_ids, class_ids,
    subject_ids: of any of these (or a query of them). kind, term, academic_year: compared without regard to case."""

    days: Days = field(default_factory=Days)
    student_id: uuid.UUID | None = None
    student_ids: Collection[uuid.UUID] | Select[Any] | None = None
    class_id: uuid.UUID | None = None
    class_ids: Collection[uuid.UUID] | Select[Any] | None = None
    subject_id: uuid.UUID | None = None
    kind: str | None = None
    term: str | None = None
    academic_year: str | None = None
    subject_ids: Collection[uuid.UUID] | Select[Any] | None = None


@dataclass(frozen=True, slots=True)
class Average:
    """count: how many marks there are. weight: the sum of theirs. points: the sum of each one's weight x percent."""

    count: int = 0
    weight: float = 0.0
    points: float = 0.0

    @property
    def percent(self) -> float | None:
        """From 0 to 100; None of nothing, and of marks that weigh nothing."""
        return self.points / self.weight if self.weight > 0 else None

    def __add__(self, other: Average) -> Average:
        return Average(self.count + other.count, self.weight + other.weight, self.points + other.points)


@dataclass(frozen=True, slots=True)
class Graded:
    """count: of marks. average: in percent."""

    count: int
    average: float | None
    grade: str | None


@dataclass(frozen=True, slots=True)
class GradedSubject(Graded):
    subject_id: uuid.UUID
    subject_name: str


def averages(caller: Caller, filters: MarkFilters, *by: MarkBy) -> dict[Key, Average]:
    """An average for each student, subject, ... that has marks: sum(weight x percent) / sum(weight), where a mark's
    percent is 100 x score / max_score. A key has one value for each of what it is by. One statement."""
    scale = by_bound(caller.settings)
    columns = {
        MarkBy.DAY: (Assessment.taken_on,),
        MarkBy.PERSON: (Assessment.student_id,),
        MarkBy.SUBJECT: (Assessment.subject_id,),
        MarkBy.CLASS: (Assessment.class_id,),
        MarkBy.TERM: (Assessment.academic_year, Assessment.term),
        MarkBy.KIND: (Assessment.kind,),
        MarkBy.GRADE: (_place(scale),),
    }
    grouped = [column for each in by for column in columns[each]]
    percent = percent_of_mark()
    sums = (func.count(), func.sum(Assessment.weight), func.sum(Assessment.weight * percent))
    query = caller.rows(Assessment, *sums, *grouped).where(marks_that_fit(filters)).group_by(*grouped)
    found: dict[Key, Average] = {}
    for count, weight, points, *values in db.session.execute(query):
        if count:  # of nothing, without groups, there is a row as well
            found[_key(by, values, scale)] = Average(count, weight, points)
    return found


def together(some: Iterable[tuple[T, Average]]) -> dict[T, Average]:
    """The averages of all the marks that have the same key."""
    sums: dict[T, Average] = {}
    for key, one in some:
        sums[key] = sums.get(key, Average()) + one
    return sums


def average(caller: Caller, filters: MarkFilters) -> Average:
    """One average of all that fits."""
    return averages(caller, filters).get((), Average())


def graded(caller: Caller, of: Average) -> Graded:
    """An average with its grade on the organisation's scale."""
    return Graded(of.count, of.percent, grade_of(caller.settings, of.percent))


def graded_subjects(caller: Caller, by_subject: Mapping[uuid.UUID, Average]) -> list[GradedSubject]:
    """The averages of subjects with their grades and names, by name. One statement."""
    return graded_subjects_of(caller, {None: by_subject})[None]


def graded_subjects_of(caller: Caller, each: Mapping[T, Mapping[uuid.UUID, Average]]) -> dict[T, list[GradedSubject]]:
    """As `graded_subjects`, for each of several; one statement for all of them."""
    wanted = {id_ for by_subject in each.values() for id_ in by_subject}
    query = caller.rows(Subject, Subject.id, Subject.name).where(Subject.id.in_(wanted))
    names = db.session.execute(query.order_by(Subject.name, Subject.id)).all()
    return {
        key: [
            GradedSubject(of.count, of.percent, grade_of(caller.settings, of.percent), id_, name)
            for id_, name in names
            if (of := by_subject.get(id_)) is not None
        ]
        for key, by_subject in each.items()
    }


def grade_of(settings: OrganisationSettings, percent: float | None) -> str | None:
    """The organisation's grade for an average or a mark, in percent; None of None."""
    if percent is None:
        return None
    return next(grade.grade for grade in by_bound(settings) if _reaches(percent, grade))


def by_bound(settings: OrganisationSettings) -> list[Grade]:
    """The organisation's grades, the best first."""
    return sorted(settings.assessments.scale, key=lambda grade: -grade.from_percent)


def percent_of_mark() -> Any:
    """What a mark comes to, from 0 to 100."""
    return 100.0 * Assessment.score / Assessment.max_score


def marks_that_fit(filters: MarkFilters) -> ColumnElement[bool]:
    """The condition that an assessment is one of those that are asked for."""
    conditions = [filters.days.condition(Assessment.taken_on)]
    for column, value in (
        (Assessment.student_id, filters.student_id),
        (Assessment.class_id, filters.class_id),
        (Assessment.subject_id, filters.subject_id),
    ):
        conditions.append(true() if value is None else column == value)
    for column, some in (
        (Assessment.student_id, filters.student_ids),
        (Assessment.class_id, filters.class_ids),
        (Assessment.subject_id, filters.subject_ids),
    ):
        conditions.append(true() if some is None else column.in_(some))
    for text, wanted in (
        (Assessment.kind, filters.kind),
        (Assessment.term, filters.term),
        (Assessment.academic_year, filters.academic_year),
    ):
        conditions.append(func.lower(text) == wanted.strip().lower() if wanted else true())
    return and_(*conditions)


def _reaches(percent: Any, grade: Grade) -> Any:
    return percent >= grade.from_percent - ROUNDING


def _place(scale: Sequence[Grade]) -> Any:
    """The place of a mark's grade in the scale. Its numbers stand in the statement: PostgreSQL does not take two
    parameters, of the columns and of the groups, for the same."""
    percent = percent_of_mark()
    steps = [
        (percent >= literal(grade.from_percent - ROUNDING, literal_execute=True), literal(place, literal_execute=True))
        for place, grade in enumerate(scale)
    ]
    return case(*steps, else_=literal(len(scale) - 1, literal_execute=True))  # what reaches no bound: there is none


def _key(by: Sequence[MarkBy], values: Sequence[Any], scale: Sequence[Grade]) -> Key:
    left = iter(values)
    key: list[Any] = []
    for each in by:
        if each == MarkBy.TERM:
            key.append((next(left), next(left)))
        else:
            value = next(left)
            key.append(scale[value].grade if each == MarkBy.GRADE else value)
    return tuple(key)
