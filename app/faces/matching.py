"""Which face is whose: one assignment for the whole picture, not a threshold for each face."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.faces.types import Encodings

UNCERTAIN_BAND = 0.08
"""So near under the tolerance, a match is for the teacher to decide."""
RUNNER_UP_MARGIN = 0.06
"""So near behind the best, somebody else may as well be the one."""
SLOPE, OFFSET = -19.2, 10.6

Outcome = Literal["recognised", "uncertain", "unknown"]


@dataclass(frozen=True, slots=True)
class Match:
    """Whose a face is: the person's index, the distance to them, the probability that it is they."""

    outcome: Outcome
    person: int | None = None
    distance: float | None = None
    confidence: float | None = None


def match(faces: Encodings, templates: Encodings, owners: NDArray[np.intp], tolerance: float) -> list[Match]:
    """Assign faces to people, at most one to one, so that the sum of what is gained under the tolerance is largest.

    faces: shape (f, 128). templates: shape (t, 128), several a person. owners: shape (t,), each template's person,
    as an index from 0. tolerance: encodings further apart are of two people.
    """
    from scipy.optimize import linear_sum_assignment  # noqa: PLC0415 - large, and what reads pictures loads this module

    if not len(faces) or not len(templates):
        return [Match("unknown") for _ in faces]
    by_person = np.full((len(faces), int(owners.max()) + 1), np.inf)
    np.minimum.at(by_person.T, owners, distances(faces, templates).T)
    # what is beyond the tolerance costs as much as no match at all, so it cannot push out what is within
    rows, columns = linear_sum_assignment(np.minimum(by_person, tolerance))
    assigned = dict(zip(rows.tolist(), columns.tolist(), strict=True))
    return [_judge(by_person[face], assigned.get(face), tolerance) for face in range(len(faces))]


def verify(face: NDArray[np.float32], templates: Encodings, tolerance: float) -> Match:
    """Whether a face, shape (128,), is that of the one person whose templates these are, shape (t, 128), t > 0; how far
    it is from them is told either way."""
    distance = float(distances(face[None], templates).min())
    likely: Outcome = "recognised" if distance <= tolerance - UNCERTAIN_BAND else "uncertain"
    return Match(likely if distance <= tolerance else "unknown", 0, distance, confidence(distance))


def distances(a: Encodings, b: Encodings) -> NDArray[np.float64]:
    """Euclidean distances, shape (len(a), len(b)), through one matrix product."""
    wide, other = a.astype(np.float64), b.astype(np.float64)
    squares: NDArray[np.float64] = (wide**2).sum(1)[:, None] + (other**2).sum(1)[None, :] - 2 * wide @ other.T
    return np.sqrt(np.maximum(squares, 0.0, out=squares), out=squares)


def confidence(distance: float) -> float:
    """The probability that two encodings at this distance are of one person, either being as likely beforehand.

    Platt scaling (Platt, 1999), fitted by bench/calibrate_faces.py on 231 pairs of 22 pictures of seven adults: few, so
    its smoothed targets keep it modest.
    """
    return 1 / (1 + math.exp(-(SLOPE * distance + OFFSET)))


def _judge(to_people: NDArray[np.float64], person: int | None, tolerance: float) -> Match:
    if person is None or to_people[person] > tolerance:
        return Match("unknown")
    distance = float(to_people[person])
    runner_up = np.delete(to_people, person).min(initial=np.inf)
    sure = distance <= tolerance - UNCERTAIN_BAND and runner_up - distance >= RUNNER_UP_MARGIN
    return Match("recognised" if sure else "uncertain", person, distance, confidence(distance))
