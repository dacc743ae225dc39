"""Attendance as pictures: a person's days, a rate over time, classes beside each other; each told in words too."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from app.models import Class, Status
from app.services.caller import Caller
from app.services.charts import BarChart, Calendar, Chart, Kind, Line, LineChart, draw
from app.services.classes import class_names
from app.services.errors import DatesRefused
from app.services.figures import By, Figure, Filters, Interval, figures, total
from app.services.figures import trend as figures_over_time
from app.services.records import visible_person
from app.services.sessions import Days
from app.services.transaction import release

USUALLY = 182
"""Days that are drawn where nobody says how many."""
LONGEST = 366
"""Days in one calendar."""
MOST = 30
"""Classes in one picture."""
LONGEST_NAME = 32
TICKS = 5
PRESENT, LATE, ABSENT, AWAY, IN_PART = "present", "late", "absent", "excused or on leave", "there in part"


@dataclass(frozen=True, slots=True)
class Picture:
    """text: what is to be seen on it, in words."""

    content: bytes
    text: str


def of_person(caller: Caller, user_id: uuid.UUID, days: Days, kind: Kind) -> Picture:
    """A calendar of what a person was on each day: at most 366, by default of the last 26 weeks.

    Raises:
        NotFound: there is no such person, or they are not the caller's to see.
        DatesRefused: that is no time, or longer.
    """
    name = visible_person(caller, user_id).name
    days, first, last = _from_to(caller, days)
    if last.toordinal() - first.toordinal() >= LONGEST:
        raise DatesRefused(f"A calendar has at most {LONGEST} days")
    filters = Filters(days, student_id=user_id)
    by_day = {day: _kind_of_day(figure) for (day,), figure in figures(caller, filters, By.DAY).items()}
    counts = Counter(by_day.values())
    kinds = (PRESENT, LATE, ABSENT, AWAY, IN_PART)
    said = ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
    rate = _percent(total(caller, filters).percentage)
    text = f"{_short(name)}, {first} to {last}: attendance {rate}. Days with records: {len(by_day)}; {said}."
    title = f"{_short(name)}: attendance {rate}\n{first} to {last}"
    return _picture(Calendar(title, first, last, kinds, by_day, text), kind)


def trend(caller: Caller, wanted: Filters, interval: Interval, kind: Kind) -> Picture:
    """The rate of each day, week or month, by default of the last 26 weeks.

    Raises:
        NotFound: there is no such class.
        DatesRefused: that is no time.
    """
    days, first, last = _from_to(caller, wanted.days)
    name = caller.get(Class, wanted.class_id).name if wanted.class_id else None
    filters = Filters(days, class_id=wanted.class_id, department=wanted.department)
    points = {
        day: figure.percentage
        for day, figure in figures_over_time(caller, filters, interval).items()
        if figure.percentage is not None
    }
    title = [f"Attendance by {interval}", *_short_ones(name, wanted.department), f"{first} to {last}"]
    text = f"{', '.join(title)}: {_told(points, interval)}."
    chart = LineChart(
        title="\n".join(title),
        x_label={Interval.DAY: "Day", Interval.WEEK: "Week, from Monday", Interval.MONTH: "Month"}[interval],
        y_label="Attendance, %",
        lines=[Line("attendance", [day.toordinal() for day in points], list(points.values()), marked=True)],
        ticks={day.toordinal(): _named(day, interval) for day in _some(points)},
        y_range=(0, 105),
        description=text,
    )
    return _picture(chart, kind)


def of_classes(caller: Caller, wanted: Filters, kind: Kind) -> Picture:
    """What the records of each class come to, those with the lowest rates first: thirty of them at most.

    Raises:
        DatesRefused: that is no time.
    """
    days, first, last = _from_to(caller, wanted.days)
    found = figures(caller, Filters(days, department=wanted.department), By.CLASS)
    rated = [(figure.percentage, id_, figure) for (id_,), figure in found.items() if figure.percentage is not None]
    rated.sort(key=lambda one: one[:2])
    shown = rated[:MOST]
    ids = [id_ for _, id_, _ in shown]
    names = class_names(caller, ids)
    labels = [_short(names[id_]) for id_ in ids]
    which = "Attendance by class" if len(rated) <= MOST else f"The {MOST} of {len(rated)} classes with the lowest rates"
    title = [which, *_short_ones(wanted.department), f"{first} to {last}"]
    rates = [_percent(rate) for rate, _, _ in shown]
    text = f"{', '.join(title)}: {_lowest_and_highest(labels, rates)}."
    parts = {status.value: [getattr(figure, status) for *_, figure in shown] for status in Status}
    return _picture(BarChart("\n".join(title), "Records", labels, parts, rates, text), kind)


def _picture(chart: Chart, kind: Kind) -> Picture:
    release()
    return Picture(draw(chart, kind), chart.description)


def _from_to(caller: Caller, wanted: Days) -> tuple[Days, date, date]:
    first, last = wanted.bounds(caller.today, USUALLY)
    if last < first:
        raise DatesRefused
    return Days(first, last), first, last


def _kind_of_day(figure: Figure) -> str:
    counts = figure.counts
    if counts.absent:
        return IN_PART if counts.present or counts.late else ABSENT
    if counts.late:
        return LATE
    return PRESENT if counts.present else AWAY


def _named(day: date, interval: Interval) -> str:
    return day.isoformat()[:7] if interval == Interval.MONTH else day.isoformat()


def _some(days: Collection[date]) -> list[date]:
    """Days that are so far from each other that their names don't overlap."""
    apart = (max(days) - min(days)) / TICKS if days else timedelta()
    some = list[date]()
    for day in days:
        if not some or day - some[-1] >= apart:
            some.append(day)
    return some


def _told(points: dict[date, float], interval: Interval) -> str:
    if not points:
        return "no records"
    lowest, highest = (by(points, key=lambda day: points[day]) for by in (min, max))
    said = (("lowest", lowest), ("highest", highest), ("latest", list(points)[-1]))
    return ", ".join(f"{what} {_percent(points[day])} ({_named(day, interval)})" for what, day in said)


def _lowest_and_highest(labels: Sequence[str], rates: Sequence[str]) -> str:
    if not labels:
        return "no records"
    return f"{len(labels)} classes, from {labels[0]} with {rates[0]} to {labels[-1]} with {rates[-1]}"


def _percent(percentage: float | None) -> str:
    return "unknown" if percentage is None else f"{percentage:.3g} %"


def _short_ones(*names: str | None) -> list[str]:
    return [_short(name) for name in names if name]


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
