"""Performance: what marks and attendance come to together, of the organisation, its subjects and each student.
docs/performance.md says how each figure is formed."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, TypeVar

from app.extensions import db
from app.models import Subject, User, UserStatus
from app.services.caller import Caller
from app.services.errors import NotFound
from app.services.figures import By, Figure, Filters, figures, nothing
from app.services.grades import ROUNDING, Average, MarkBy, MarkFilters, averages, grade_of
from app.services.organisation_settings import OrganisationSettings
from app.services.paging import Page, Paging, paginate
from app.services.sessions import Days
from app.services.students import visible_students

PERIOD = 365
"""Days, to today, that count where nobody says."""
WINDOWS = (30, 90, 365)
"""Days, to today, each of which is compared with as many before them."""

T = TypeVar("T", Average, Figure)


@dataclass(frozen=True, slots=True)
class Performance:
    marks: Average
    attendance: Figure

    @property
    def average_score(self) -> float | None:
        """From 0 to 100; None without marks."""
        return self.marks.percent

    @property
    def attendance_rate(self) -> float | None:
        """From 0 to 100; None where nobody was expected."""
        return self.attendance.percentage

    def __add__(self, other: Performance) -> Performance:
        return Performance(self.marks + other.marks, self.attendance + other.attendance)

    def is_high(self, settings: OrganisationSettings) -> bool:
        """Whether the average reaches `assessments.high_performer`, and attendance the `required_rate`."""
        average, rate = self.marks.percent, self.attendance.rate
        if average is None or rate is None:
            return False
        return average >= settings.assessments.high_performer - ROUNDING and rate >= settings.required_rate


@dataclass(frozen=True, slots=True)
class Summary:
    total_students: int
    performance: Performance
    high_performers: int


@dataclass(frozen=True, slots=True)
class SubjectPerformance:
    """grade: that of the average, on the organisation's scale."""

    subject: Subject
    performance: Performance
    grade: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """Of the last `length` days, and of as many before them."""

    length: int
    first: date
    last: date
    now: Performance
    before: Performance

    @property
    def average_score(self) -> float | None:
        return _difference(self.before.average_score, self.now.average_score)

    @property
    def attendance_rate(self) -> float | None:
        return _difference(self.before.attendance_rate, self.now.attendance_rate)


@dataclass(frozen=True, slots=True)
class StudentPerformance:
    student: User
    performance: Performance
    is_high_performer: bool
    subjects: Sequence[SubjectPerformance]
    trends: Sequence[Change]


def summary(caller: Caller) -> Summary:
    """The organisation's active students in the last PERIOD days, in three statements."""
    active = visible_students(caller, User.id).where(User.status == UserStatus.ACTIVE)
    students = set(db.session.scalars(active))
    days = _last(caller, PERIOD)
    marks = averages(caller, MarkFilters(days), MarkBy.PERSON)
    attendance = figures(caller, Filters(days), By.PERSON)
    each = [_together(caller, marks, attendance, (id_,)) for id_ in students]
    high = sum(performance.is_high(caller.settings) for performance in each)
    return Summary(len(students), sum(each, _nothing(caller)), high)


def of_student(caller: Caller, student_id: uuid.UUID) -> StudentPerformance:
    """A student in the last PERIOD days, by subject, and in each of WINDOWS.

    Raises:
        NotFound: there is no such student, or they are not the caller's to see.
    """
    student: User | None = db.session.scalar(visible_students(caller).where(User.id == student_id))
    if student is None:
        raise NotFound("There is no student with this id")
    longest = _last(caller, 2 * max(PERIOD, *WINDOWS))
    marks = averages(caller, MarkFilters(longest, student_id=student_id), MarkBy.DAY)
    attendance = figures(caller, Filters(longest, student_id=student_id), By.DAY)

    def within(first: date, last: date) -> Performance:
        return Performance(_sum(marks, first, last, Average()), _sum(attendance, first, last, nothing(caller)))

    performance = within(*_bounds(caller.today, PERIOD))
    trends = []
    for length in WINDOWS:
        first, last = _bounds(caller.today, length)
        before = _bounds(first - timedelta(days=1), length)
        trends.append(Change(length, first, last, within(first, last), within(*before)))
    subjects = _by_subject(caller, student_id)
    return StudentPerformance(student, performance, performance.is_high(caller.settings), subjects, trends)


def by_subject(caller: Caller, days: Days, class_id: uuid.UUID | None, paging: Paging) -> Page[SubjectPerformance]:
    """A page of the subjects, each with its marks and its sessions of some days, by default the last PERIOD."""
    days = Days(*days.bounds(caller.today, PERIOD))
    page = paginate(caller.rows(Subject), paging, {"id": Subject.id, "name": Subject.name})
    marks = averages(caller, MarkFilters(days, class_id=class_id), MarkBy.SUBJECT)
    attendance = figures(caller, Filters(days, class_id=class_id), By.SUBJECT)
    return page.of([_of_subject(caller, subject, marks, attendance) for subject in page.items])


def _by_subject(caller: Caller, student_id: uuid.UUID) -> list[SubjectPerformance]:
    """Those of which the student has marks or records, by name."""
    days = _last(caller, PERIOD)
    marks = averages(caller, MarkFilters(days, student_id=student_id), MarkBy.SUBJECT)
    attendance = figures(caller, Filters(days, student_id=student_id), By.SUBJECT)
    ids = {subject_id for (subject_id,) in marks.keys() | attendance.keys()}
    subjects = caller.rows(Subject).where(Subject.id.in_(ids)).order_by(Subject.name, Subject.id)
    return [_of_subject(caller, subject, marks, attendance) for subject in db.session.scalars(subjects)]


def _of_subject(
    caller: Caller, subject: Subject, marks: Mapping[Any, Average], attendance: Mapping[Any, Figure]
) -> SubjectPerformance:
    performance = _together(caller, marks, attendance, (subject.id,))
    return SubjectPerformance(subject, performance, grade_of(caller.settings, performance.average_score))


def _together(
    caller: Caller, marks: Mapping[Any, Average], attendance: Mapping[Any, Figure], key: tuple[uuid.UUID]
) -> Performance:
    return Performance(marks.get(key) or Average(), attendance.get(key) or nothing(caller))


def _nothing(caller: Caller) -> Performance:
    return Performance(Average(), nothing(caller))


def _last(caller: Caller, length: int) -> Days:
    return Days(*_bounds(caller.today, length))


def _bounds(last: date, length: int) -> tuple[date, date]:
    """The first and last of so many days."""
    return last - timedelta(days=length - 1), last


def _sum(by_day: Mapping[Any, T], first: date, last: date, nothing: T) -> T:
    return sum((one for (day,), one in by_day.items() if first <= day <= last), nothing)


def _difference(before: float | None, now: float | None) -> float | None:
    return None if before is None or now is None else now - before
