"""Whether students who are there more often have better marks."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import correlation

from app.services.caller import Caller
from app.services.classes import taught_class
from app.services.figures import By, Filters, figures
from app.services.grades import MarkBy, MarkFilters, averages
from app.services.sessions import Days

PERIOD = 365
"""Days, to today, that count where nobody says."""
LEAST = 3
"""Of fewer students there is no r: through two points there is always a line."""
MOST = 1000
"""Points that are told."""
ROUNDED = 6
"""Digits: what is the same by hand may differ beyond them."""


@dataclass(frozen=True, slots=True)
class Point:
    """A student. attendance_rate, average_score: from 0 to 100."""

    student_id: uuid.UUID
    attendance_rate: float
    average_score: float


@dataclass(frozen=True, slots=True)
class Correlation:
    """r: from -1 to 1. students: how many have both; the points are of the first MOST of them."""

    days: Days
    r: float | None
    students: int
    points: Sequence[Point]


def of_class(caller: Caller, class_id: uuid.UUID, days: Days) -> Correlation:
    """Pearson's r between the attendance rates in a class's sessions and the averages in its subject (of a class
    without one: in all subjects) of the students who have both.

    r = sum((x - mean x) (y - mean y)) / sqrt(sum((x - mean x)^2) sum((y - mean y)^2)) (K. Pearson, "Notes on regression
    and inheritance in the case of two parents", Proceedings of the Royal Society of London 58, 1895, pages 240-242).

    Raises NotFound, NotYourClass.
    """
    row = taught_class(caller, class_id)
    days = Days(*days.bounds(caller.today, PERIOD))
    rates = {
        student_id: figure.percentage
        for (student_id,), figure in figures(caller, Filters(days, class_id=class_id), By.PERSON).items()
    }
    marks = MarkFilters(days, student_ids=list(rates), subject_id=row.subject_id)
    points = [
        Point(student_id, rate, average.percent)
        for (student_id,), average in sorted(averages(caller, marks, MarkBy.PERSON).items())
        if (rate := rates[student_id]) is not None and average.percent is not None
    ]
    return Correlation(days, _r(points), len(points), points[:MOST])


def _r(points: Sequence[Point]) -> float | None:
    """None where there are too few, or all have the same rate or the same average."""
    rates = [round(point.attendance_rate, ROUNDED) for point in points]
    scores = [round(point.average_score, ROUNDED) for point in points]
    if len(points) < LEAST or 1 in {len({*rates}), len({*scores})}:
        return None
    return correlation(rates, scores)
