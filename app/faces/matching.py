"""Which face is whose: one assignment for the whole picture, not a threshold for each face."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from statistics import NormalDist
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from app.faces.types import Encodings

STRANGERS = NormalDist(0.8476, 0.0860)
"""Distances of encodings of two people; see bench/calibrate_faces.py."""
SLOPE, OFFSET = -23.2, 12.2
RUNNER_UP_ODDS = 10.0
"""So many times likelier than anybody else must the nearest be."""
AT_ONCE = 4096
"""Templates that a thread compares in one go: their products stay in its core's cache."""
THREADS = min(4, os.cpu_count() or 1)
"""That compare one picture's faces; each holds a part's products, so that more would cost memory."""
ROUNDING = 1e-4
"""More than a squared distance in float32 can be wrong by; what is so near the limit is measured again."""

# For the whole process. BLAS's own threads wait for each other by spinning, which with many requests on few cores takes
# several times what it saves; `_within` divides its work among threads that sleep instead.
threadpool_limits(1, "blas")

Outcome = Literal["recognised", "uncertain", "unknown"]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Match:
    """Whose a face is: the person's index, the distance to them, the probability that it is they."""

    outcome: Outcome
    person: int | None = None
    distance: float | None = None
    confidence: float | None = None


@dataclass(frozen=True, slots=True)
class Templates:
    """Those that faces are compared with, several a person.

    encodings: shape (t, 128). owners: shape (t,), each template's person, as an index from 0. norms: shape (t,), the
    encodings' squared lengths.
    """

    encodings: Encodings
    owners: Rows
    norms: NDArray[np.float32]

    @classmethod
    def of(cls, encodings: Encodings, owners: Rows) -> Templates:
        return cls(encodings, owners, _squares(encodings))


def match(
    faces: Encodings, templates: Templates, tolerance: float, rate: float, rows: Rows | None = None
) -> list[Match]:
    """Assign faces to people, at most one to one, so that the sum of what is gained under the tolerance is largest.

    A face is recognised where it is within `limit` of its person, and nobody else is nearly as likely; uncertain up to
    the tolerance; unknown beyond.

    faces: shape (f, 128). tolerance: encodings further apart are of two people. rate: how often a stranger may be
    recognised as somebody. rows: of the templates, those that are candidates; all by default.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - large, and what reads pictures loads this module

    face, row, away = _within(faces, templates, tolerance, rows)
    if not len(face):
        return [Match("unknown") for _ in faces]
    people, column = np.unique(templates.owners[row], return_inverse=True)
    to_people = np.full((len(faces), len(people)), np.inf)
    np.minimum.at(to_people, (face, column), away)
    # what is beyond the tolerance costs as much as no match at all, so it cannot push out what is within
    of_faces, columns = linear_sum_assignment(np.minimum(to_people, tolerance))
    assigned = dict(zip(of_faces.tolist(), columns.tolist(), strict=True))
    near = limit(rate, _people(templates, rows))
    return [_judge(to_people[face], assigned.get(face), people, near) for face in range(len(faces))]


def verify(face: NDArray[np.float32], templates: Encodings, tolerance: float, rate: float) -> Match:
    """Whether a face, shape (128,), is that of the one person whose templates these are, shape (t, 128), t > 0; how far
    it is from them is told either way."""
    distance = float(distances(face[None], templates).min())
    likely: Outcome = "recognised" if distance <= limit(rate, 1) else "uncertain"
    return Match(likely if distance <= tolerance else "unknown", 0, distance, confidence(distance))


def is_among(faces: Encodings, templates: Templates, tolerance: float, rows: Rows) -> bool:
    """Whether any of the faces, shape (f, 128), is within the tolerance of any of these rows of the templates."""
    return bool(len(_within(faces, templates, tolerance, rows)[0]))


def limit(rate: float, compared: int) -> float:
    """The distance to the nearest of so many people (at least 1) that a stranger stays beyond but for this rate.

    With independent comparisons a stranger is as near to any of n with 1 - (1 - p)^n (Šidák, 1967), where p is the
    chance with one, from the distances of strangers.
    """
    return STRANGERS.inv_cdf(-math.expm1(math.log1p(-rate) / compared))


def distances(a: Encodings, b: Encodings) -> NDArray[np.float64]:
    """Euclidean distances of few encodings, shape (len(a), len(b)), through one matrix product."""
    wide, other = a.astype(np.float64), b.astype(np.float64)
    squares: NDArray[np.float64] = (wide**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * wide @ other.T
    return np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)


def confidence(distance: float) -> float:
    """The probability that two encodings at this distance are of one person, either being as likely beforehand.

    Platt scaling (Platt, 1999), fitted by bench/calibrate_faces.py; so few pairs of one person were at hand that its
    smoothed targets keep it modest.
    """
    return 1 / (1 + math.exp(-(SLOPE * distance + OFFSET)))


def _within(
    faces: Encodings, templates: Templates, tolerance: float, rows: Rows | None
) -> tuple[Rows, Rows, NDArray[np.float64]]:
    """The pairs that are not further apart than the tolerance: face, row and distance, each shape (pairs,).

    All are compared in float32, by matrix products; the few that may be within are measured in float64.
    """
    least = (_squares(faces) - np.float32(tolerance**2 + ROUNDING)) / 2
    with ThreadPoolExecutor(THREADS) as threads:
        parts = _parts(len(templates.owners) if rows is None else rows)
        found = list(threads.map(partial(_near, faces, least, templates), parts))
    face, row = np.concatenate([np.empty((0, 2), np.intp), *found]).T
    away = np.linalg.norm(faces[face].astype(np.float64) - templates.encodings[row], axis=1)
    inside = away <= tolerance
    return face[inside], row[inside], away[inside]


def _near(faces: Encodings, least: NDArray[np.floating[Any]], templates: Templates, part: slice | Rows) -> Rows:
    """The pairs of a part that may be within: face and row, shape (pairs, 2)."""
    # |a - b|^2 <= t^2 as a.b - |b|^2 / 2 >= (|a|^2 - t^2) / 2, which passes over the product twice only
    products = templates.encodings[part] @ faces.T
    products -= templates.norms[part, None] / 2
    place, face = np.divmod(np.flatnonzero(products >= least), len(faces))
    return np.column_stack((face, place + part.start if isinstance(part, slice) else part[place]))


def _parts(rows: int | Rows) -> Iterator[slice | Rows]:
    for start in range(0, rows if isinstance(rows, int) else len(rows), AT_ONCE):
        part = slice(start, start + AT_ONCE)
        yield part if isinstance(rows, int) else rows[part]


def _people(templates: Templates, rows: Rows | None) -> int:
    """How many have templates in these rows; told without sorting them."""
    owners = templates.owners if rows is None else templates.owners[rows]
    present = np.zeros(int(owners.max()) + 1, bool)
    present[owners] = True
    return int(present.sum())


def _squares(encodings: Encodings) -> NDArray[np.float32]:
    squares: NDArray[np.float32] = np.einsum("ij,ij->i", encodings, encodings)
    return squares


def _judge(to_people: NDArray[np.float64], person: int | None, people: Rows, near: float) -> Match:
    if person is None or to_people[person] == np.inf:
        return Match("unknown")
    distance = float(to_people[person])
    runner_up = np.delete(to_people, person).min(initial=np.inf)
    sure = distance <= near and SLOPE * (distance - runner_up) >= math.log(RUNNER_UP_ODDS)
    return Match("recognised" if sure else "uncertain", int(people[person]), distance, confidence(distance))
