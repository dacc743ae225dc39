"""Charts as SVG and PNG: told apart by strokes and marks, so that they can be read in black and white."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Literal

STROKES = ("-", "--", "-.", ":")
MARKS = ("o", "s", "^", "x", "D", "v")
INCHES, DOTS = (6.4, 4.8), 150
"""Of width and height; dots per inch of a PNG."""


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
    """logarithmic_from: the x axis is, from here to 1; what is less, such as 0, is drawn here."""

    title: str
    x_label: str
    y_label: str
    lines: Sequence[Line]
    logarithmic_from: float | None = None


def draw(chart: LineChart, kind: Literal["svg", "png"]) -> bytes:
    """The chart as a file of this kind."""
    import matplotlib as mpl  # noqa: PLC0415 - large, and most processes draw nothing
    from matplotlib.figure import Figure  # noqa: PLC0415

    # text stays text, and the same chart is the same file
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "rollcall"}):
        figure = Figure(figsize=INCHES, layout="constrained")
        axes = figure.add_subplot(title=chart.title, xlabel=chart.x_label, ylabel=chart.y_label)
        least = chart.logarithmic_from
        for line, stroke, mark in zip(chart.lines, cycle(STROKES), cycle(MARKS), strict=False):
            x = list(line.x) if least is None else [max(value, least) for value in line.x]
            looks = {"color": "0.6", "linewidth": 0.8} if line.is_guide else {"color": "black", "linestyle": stroke}
            axes.plot(x, line.y, label=line.label, marker=mark if line.marked else None, **looks)
        if least is not None:
            axes.set_xscale("log")
            axes.set_xlim(least, 1)
        axes.grid(color="0.9")
        axes.legend()
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=DOTS, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()
