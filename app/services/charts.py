"""Charts as SVG and PNG: told apart by strokes, marks and hatches, so that they can be read in black and white."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import cycle
from threading import Lock
from typing import Any, Literal
from xml.sax.saxutils import escape

STROKES = ("-", "--", "-.", ":")
MARKS = ("o", "s", "^", "x", "D", "v")
FILLS = (("0.4", ""), ("0.75", "///"), ("1", "xxx"), ("0.9", "..."), ("1", "---"), ("0.6", "\\\\\\"))
"""Greys, from 0 for black to 1 for white, and hatches."""
INCHES, DOTS = (6.4, 4.8), 150
"""Of width and height; dots per inch of a PNG."""
ROW, COLUMN = 0.3, 0.22
"""Inches of a bar, and of a week."""
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
APART = 3
"""Weeks between the names of two months, at least."""

Kind = Literal["svg", "png"]
_drawing = Lock()
"""matplotlib's settings are the whole process's, and its fonts bear one thread at a time."""


@dataclass(frozen=True, slots=True)
class Line:
    """marked: with a mark at each point. is_guide: thin and grey, to compare the others with; it comes last."""

    label: str
    x: Sequence[float]
    y: Sequence[float]
    marked: bool = False
    is_guide: bool = False


@dataclass(frozen=True, slots=True)
class LineChart:
    """logarithmic_from: the x axis is, from here to 1; what is less, such as 0, is drawn here. ticks: what stands at
    these places of the x axis, where it is not their figures. y_range: the least and the most of the y axis.
    description: in words, for who does not see it; as of the other charts."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    logarithmic_from: float | None = None
    ticks: Mapping[float, str] | None = None
    y_range: tuple[float, float] | None = None
    description: str = ""


@dataclass(frozen=True, slots=True)
class BarChart:
    """A lying bar for each name, from the top down; parts: how long each of a bar's parts is, by its label, in the
    order of the names; at most as many as FILLS. notes: what stands behind each bar."""

    title: str
    x_label: str
    names: Sequence[str]
    parts: Mapping[str, Sequence[float]]
    notes: Sequence[str]
    description: str = ""


@dataclass(frozen=True, slots=True)
class Calendar:
    """A square for each day from first to last, weeks from left to right; days: which of the kinds (at most as many as
    FILLS) a day is of, and the others are empty."""

    title: str
    first: date
    last: date
    kinds: Sequence[str]
    days: Mapping[date, str]
    description: str = ""


Chart = LineChart | BarChart | Calendar


def draw(chart: Chart, kind: Kind) -> bytes:
    """The chart as a file of this kind, with its title and description in it. One at a time."""
    with _drawing:
        return _draw(chart, kind)


def _draw(chart: Chart, kind: Kind) -> bytes:
    import matplotlib as mpl  # noqa: PLC0415 - large, and most processes draw nothing
    from matplotlib.figure import Figure  # noqa: PLC0415

    # text stays text ($ begins no formula), and the same chart is the same file
    looks: Any = {"svg.fonttype": "none", "svg.hashsalt": "rollcall", "text.parse_math": False, "hatch.linewidth": 0.6}
    with mpl.rc_context(looks):
        figure = Figure(figsize=_inches(chart), layout="constrained")
        axes = figure.add_subplot()
        axes.set_title(chart.title)
        if isinstance(chart, LineChart):
            _draw_lines(axes, chart)
        elif isinstance(chart, BarChart):
            _draw_bars(figure, axes, chart)
        else:
            _draw_days(figure, axes, chart)
        file = io.BytesIO()
        told = {"Title": chart.title, "Description": chart.description}
        figure.savefig(file, format=kind, dpi=DOTS, metadata=told | ({"Date": None} if kind == "svg" else {}))
    return _described(file.getvalue(), chart.description) if kind == "svg" else file.getvalue()


def _inches(chart: Chart) -> tuple[float, float]:
    width, height = INCHES
    if isinstance(chart, BarChart):
        return width, max(2.4, ROW * len(chart.names) + 1.6)
    if isinstance(chart, Calendar):
        return max(width, COLUMN * _week(chart, chart.last) + 1.4), 2.9
    return width, height


def _described(svg: bytes, description: str) -> bytes:
    """matplotlib writes a title, but no description that is read aloud."""
    said = f"</title>\n <desc>{escape(description)}</desc>".encode()
    return svg.replace(b"<svg ", b'<svg role="img" ', 1).replace(b"</title>", said, 1)


def _draw_lines(axes: Any, chart: LineChart) -> None:
    least = chart.logarithmic_from
    axes.set(xlabel=chart.x_label, ylabel=chart.y_label)
    for line, stroke, mark in zip(chart.lines, cycle(STROKES), cycle(MARKS), strict=False):
        x = list(line.x) if least is None else [max(value, least) for value in line.x]
        looks = {"color": "0.6", "linewidth": 0.8} if line.is_guide else {"color": "black", "linestyle": stroke}
        axes.plot(x, line.y, label=line.label, marker=mark if line.marked else None, **looks)
    if least is not None:
        axes.set_xscale("log")
        axes.set_xlim(least, 1)
    if chart.ticks is not None:
        axes.set_xticks(list(chart.ticks), list(chart.ticks.values()))
    if chart.y_range is not None:
        axes.set_ylim(*chart.y_range)
    axes.grid(color="0.9")
    if len(chart.lines) > 1:
        axes.legend()
    if not any(len(line.x) for line in chart.lines):
        _say_nothing(axes)


def _draw_bars(figure: Any, axes: Any, chart: BarChart) -> None:
    places = range(len(chart.names))
    begins = [0.0] * len(chart.names)
    for (label, lengths), (grey, hatch) in zip(chart.parts.items(), FILLS, strict=False):
        axes.barh(places, lengths, left=begins, label=label, color=grey, hatch=hatch, edgecolor="black", linewidth=0.6)
        begins = [begin + length for begin, length in zip(begins, lengths, strict=True)]
    for place, end, note in zip(places, begins, chart.notes, strict=True):
        axes.annotate(note, (end, place), (4, 0), textcoords="offset points", va="center", fontsize="small")
    axes.set(xlabel=chart.x_label, xlim=(0, 1.12 * max(begins, default=1)), ylim=(len(places) - 0.4, -0.6))
    axes.set_yticks(places, chart.names)
    axes.spines[["top", "right"]].set_visible(False)
    if chart.names:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside lower center", ncols=len(chart.parts))
    else:
        _say_nothing(axes)


def _draw_days(figure: Any, axes: Any, chart: Calendar) -> None:
    from matplotlib.patches import Rectangle  # noqa: PLC0415

    fills = dict(zip(chart.kinds, FILLS, strict=False))
    months = list[tuple[int, str]]()
    for ordinal in range(chart.first.toordinal(), chart.last.toordinal() + 1):
        day = date.fromordinal(ordinal)
        corner = (_week(chart, day) - 0.45, day.weekday() - 0.45)
        if day in chart.days:
            grey, hatch = fills[chart.days[day]]
            axes.add_patch(Rectangle(corner, 0.9, 0.9, fc=grey, hatch=hatch, ec="black", lw=0.6))
        else:
            axes.add_patch(Rectangle(corner, 0.9, 0.9, fc="none", ec="0.85", lw=0.6))
        if day == chart.first or day.day == 1:
            if months and _week(chart, day) - months[-1][0] < APART:
                months.pop()
            months.append((_week(chart, day), f"{MONTHS[day.month - 1]}\n{day.year}"))
    weeks = _week(chart, chart.last)
    axes.set(xlim=(-0.6, weeks + 0.6), ylim=(6.6, -0.6), aspect="equal")
    axes.set_yticks(range(7), WEEKDAYS)
    axes.set_xticks([week for week, _ in months], [label for _, label in months], fontsize="small")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    named = [
        Rectangle((0, 0), 1, 1, fc=grey, hatch=hatch, ec="black", lw=0.6, label=kind)
        for kind, (grey, hatch) in fills.items()
    ]
    figure.legend(handles=named, loc="outside lower center", ncols=len(named), fontsize="small")


def _week(chart: Calendar, day: date) -> int:
    """How many Mondays there are after the first day's week, to this day."""
    first = chart.first.toordinal() - chart.first.weekday()
    return (day.toordinal() - first) // 7


def _say_nothing(axes: Any) -> None:
    axes.text(0.5, 0.5, "No records", transform=axes.transAxes, ha="center", va="center")
