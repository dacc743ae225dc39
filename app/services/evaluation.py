"""Trying the recognition on pictures whose people are known: what an installation can expect on its own."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from app.extensions import face_pool, settings
from app.faces import FaceRefused, confidence, distances, only_face
from app.faces.evaluation import Pairs, Reliability, all_pairs, equal_error_rate, matches, reliability, roc
from app.faces.types import Encodings
from app.services.charts import Line, LineChart, draw

AT_ONCE = 32
"""Pictures in memory."""
THRESHOLDS = tuple(n / 100 for n in range(30, 71, 5))
ALL = "all pairs"

Progress = Callable[[int, int], None]


class PairsUnreadable(Exception):
    """A file of pairs that is not as it should be; says which line, and why."""


@dataclass(frozen=True, slots=True)
class Rates:
    """At a threshold, how many pairs of one person and of two match."""

    threshold: float
    true: int
    false: int
    is_default: bool


@dataclass(frozen=True, slots=True)
class Evaluated:
    """Of all pairs, or of a group. equal_error: the rate and its threshold; None without pairs of both kinds, as
    `reliability` is."""

    name: str
    pairs: Pairs
    rates: Sequence[Rates]
    equal_error: tuple[float, float] | None
    reliability: Reliability | None


@dataclass(frozen=True, slots=True)
class Evaluation:
    """unread: by the picture, why it could not be used. lost: pairs of which a picture is among these."""

    pictures: int
    unread: dict[str, str]
    lost: int
    parts: Sequence[Evaluated]


@dataclass(frozen=True, slots=True)
class _Pair:
    first: str
    second: str
    same: bool
    group: str


def evaluate(folder: Path, pairs: Path | None, progress: Progress) -> Evaluation:
    """Compare the pictures of a folder: all with all, where each person's are in a folder of their own, or as a CSV
    says. A picture is taken as one to enrol from; `progress` hears how many of how many are read.

    Raises PairsUnreadable.
    """
    if pairs is None:
        names = [str(path.relative_to(folder)) for path in sorted(folder.glob("*/*")) if _is_picture(path)]
        read, unread = _read(folder, names, progress)
        owners = [Path(name).parent.name for name in read]
        whose = np.unique(np.array(owners, str), return_inverse=True)[1].astype(np.intp)
        encodings = np.stack(list(read.values())) if read else np.empty((0, 128), np.float32)
        return Evaluation(len(names), unread, 0, [_evaluated(ALL, all_pairs(encodings, whose))])
    listed = list(_listed(pairs))
    names = sorted({name for pair in listed for name in (pair.first, pair.second)})
    read, unread = _read(folder, names, progress)
    usable = [pair for pair in listed if pair.first in read and pair.second in read]
    found = Pairs(
        np.array([distances(read[pair.first][None], read[pair.second][None])[0, 0] for pair in usable], np.float64),
        np.array([pair.same for pair in usable], np.bool_),
    )
    groups = np.array([pair.group for pair in usable], str)
    parts = [_evaluated(ALL, found)]
    parts += [_evaluated(str(group), found.of(groups == group)) for group in np.unique(groups) if group]
    return Evaluation(len(names), unread, len(listed) - len(usable), parts)


def charts(evaluation: Evaluation) -> dict[str, bytes]:
    """Files by their names: the ROC and reliability curves of those parts that have pairs of both kinds."""
    drawn = {"roc": _roc(evaluation.parts), "reliability": _reliability(evaluation.parts)}
    return {
        f"{name}.{kind}": draw(chart, kind)
        for name, chart in drawn.items()
        if len(chart.lines) > 1
        for kind in ("svg", "png")
    }


def _is_picture(path: Path) -> bool:
    return path.is_file() and not path.name.startswith(".")


def _read(folder: Path, names: Sequence[str], progress: Progress) -> tuple[dict[str, Encodings], dict[str, str]]:
    """The encodings of the pictures that can be used, and why the others cannot."""
    read: dict[str, Encodings] = {}
    unread: dict[str, str] = {}
    for start in range(0, len(names), AT_ONCE):
        files: dict[str, bytes] = {}
        for name in names[start : start + AT_ONCE]:
            try:
                files[name] = (folder / name).read_bytes()
            except (OSError, ValueError):
                unread[name] = "there is no such file, or it may not be read"
        for name, result in zip(files, face_pool().analyse(list(files.values())), strict=True):
            try:
                if isinstance(result, FaceRefused):
                    raise result
                read[name] = only_face(result).encoding
            except FaceRefused as refused:
                unread[name] = f"{refused.code}: {refused.detail}"
        progress(min(start + AT_ONCE, len(names)), len(names))
    return read, unread


def _listed(pairs: Path) -> Iterator[_Pair]:
    try:
        with pairs.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.DictReader(file)
            if not {"a", "b", "same"} <= set(rows.fieldnames or ()):
                raise PairsUnreadable("The first line of the file of pairs should name its columns: a, b, same, group")
            for row in rows:
                if not row["a"] or not row["b"] or row["same"] not in {"0", "1"}:
                    raise PairsUnreadable(f"Line {rows.line_num} should name two pictures, a and b, and same as 0 or 1")
                yield _Pair(row["a"], row["b"], row["same"] == "1", row.get("group") or "")
    except (OSError, UnicodeDecodeError, csv.Error) as wrong:
        raise PairsUnreadable("The file of pairs cannot be read: it should be CSV in UTF-8") from wrong


def _evaluated(name: str, pairs: Pairs) -> Evaluated:
    default = settings().face_tolerance
    thresholds = np.array(sorted({*THRESHOLDS, default}))
    true, false = matches(pairs.of_one, thresholds), matches(pairs.of_two, thresholds)
    rates = [
        Rates(threshold, matched, mistaken, threshold == default)
        for threshold, matched, mistaken in zip(thresholds.tolist(), true.tolist(), false.tolist(), strict=True)
    ]
    if not len(pairs.of_one) or not len(pairs.of_two):
        return Evaluated(name, pairs, rates, None, None)
    stated = np.array([confidence(distance) for distance in pairs.distances.tolist()])
    return Evaluated(name, pairs, rates, equal_error_rate(pairs), reliability(stated, pairs.same))


def _roc(parts: Iterable[Evaluated]) -> LineChart:
    whole = [part for part in parts if part.equal_error]
    least = min((1 / len(part.pairs.of_two) for part in whole), default=0.1) / 2
    guess = np.geomspace(least, 1, 50).tolist()
    lines = []
    for part in whole:
        _, false, true = roc(part.pairs)
        lines.append(Line(part.name, false.tolist(), true.tolist()))
    lines.append(Line("guessing", guess, guess, is_guide=True))
    return LineChart("Receiver operating characteristic", "False match rate", "True match rate", lines, least)


def _reliability(parts: Iterable[Evaluated]) -> LineChart:
    lines = []
    for part in parts:
        if part.reliability:
            stated, observed = part.reliability.stated.tolist(), part.reliability.observed.tolist()
            lines.append(Line(part.name, stated, observed, marked=True))
    lines.append(Line("what is stated is so", [0, 1], [0, 1], is_guide=True))
    return LineChart("Reliability of the confidence", "Stated probability", "Share that was so", lines)
