"""How well people are told apart: rates of labelled pairs by their distances. Arrays in, figures out.

A pair is of one person or of two; it matches when its distance is at most the threshold. The terms are those of
ISO/IEC 19795-1: the true match rate is the share of matches among pairs of one person, the false match rate that among
pairs of two.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.faces.matching import distances
from app.faces.types import Encodings

Floats = NDArray[np.float64]
Labels = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Pairs:
    """distances: shape (n,). same: shape (n,), whether a pair is of one person."""

    distances: Floats
    same: Labels

    @property
    def of_one(self) -> Floats:
        return self.distances[self.same]

    @property
    def of_two(self) -> Floats:
        return self.distances[~self.same]

    def of(self, which: Labels) -> Pairs:
        return Pairs(self.distances[which], self.same[which])


@dataclass(frozen=True, slots=True)
class Reliability:
    """By bins of the stated probability: its mean, the share that was so, and how many pairs there are; shape (b,)."""

    stated: Floats
    observed: Floats
    pairs: NDArray[np.intp]
    error: float
    """The expected calibration error (Naeini et al., AAAI 2015): the mean difference of stated and observed."""


def all_pairs(encodings: Encodings, people: NDArray[np.intp]) -> Pairs:
    """Every pair of pictures. encodings: shape (n, 128). people: shape (n,), whose each is, as an index."""
    first, second = np.triu_indices(len(people), 1)
    return Pairs(distances(encodings, encodings)[first, second], people[first] == people[second])


def matches(of_pairs: Floats, thresholds: Floats) -> NDArray[np.intp]:
    """How many of the pairs, shape (n,), match at each threshold, shape (t,)."""
    return np.searchsorted(np.sort(of_pairs), thresholds, side="right")


def roc(pairs: Pairs) -> tuple[Floats, Floats, Floats]:
    """The receiver operating characteristic: thresholds, rising from one at which nothing matches, and the false and
    true match rates there, shape (t,) each.

    Raises ValueError unless there are pairs of both kinds.
    """
    if not len(pairs.of_one) or not len(pairs.of_two):
        raise ValueError("there are no pairs of one person, or none of two")
    thresholds = np.concatenate([[-np.inf], np.unique(pairs.distances)])
    false = matches(pairs.of_two, thresholds) / len(pairs.of_two)
    true = matches(pairs.of_one, thresholds) / len(pairs.of_one)
    return thresholds, false, true


def equal_error_rate(pairs: Pairs) -> tuple[float, float]:
    """The rate at which as many pairs of two match as pairs of one do not, and its threshold: where the two cross, by
    their mean at the nearest threshold. Raises ValueError as `roc`."""
    thresholds, false, true = roc(pairs)
    nearest = int(np.argmin(np.abs(false - (1 - true))))
    return float((false[nearest] + 1 - true[nearest]) / 2), float(thresholds[nearest])


def reliability(stated: Floats, same: Labels, bins: int = 10) -> Reliability:
    """How far stated probabilities, shape (n,), are true. Pairs of one person and of two weigh as much together, since
    a confidence is stated as if either were as likely; bins without pairs are left out.

    Raises ValueError unless there are pairs of both kinds.
    """
    if same.all() or not same.any():
        raise ValueError("there are no pairs of one person, or none of two")
    weight = np.where(same, 0.5 / same.sum(), 0.5 / (~same).sum())
    place = np.minimum((stated * bins).astype(np.intp), bins - 1)
    mass = np.bincount(place, weight, bins)
    there = mass > 0
    told = np.bincount(place, weight * stated, bins)[there] / mass[there]
    was = np.bincount(place, weight * same, bins)[there] / mass[there]
    error = float((mass[there] * np.abs(told - was)).sum())
    return Reliability(told, was, np.bincount(place, minlength=bins)[there], error)
