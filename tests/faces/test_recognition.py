"""From real photographs to names: everybody who is on a picture, and nobody else."""

from __future__ import annotations

import csv
from functools import cache

import numpy as np
import pytest

from app.faces import Encodings, Match, Templates, match, only_face
from tests.faces.known import SHARED, analysis
from tests.pictures import SHARED_FACES

TOLERANCE, RATE = 0.6, 1e-4


def truth() -> list[tuple[str, set[str], int]]:
    if SHARED_FACES is None:
        return []
    with (SHARED_FACES / "truth.csv").open() as file:
        return [(row["picture"], set(row["people"].split(";")), int(row["strangers"])) for row in csv.DictReader(file)]


@cache
def enrolled() -> tuple[list[str], Encodings]:
    """The owner of each template, and the templates."""
    portraits = [name for name in SHARED if name.startswith("people/")]
    return [name.split("/")[1] for name in portraits], np.stack(
        [only_face(analysis(name)).encoding for name in portraits]
    )


def matches(picture: str, names: list[str]) -> list[Match]:
    owners, templates = enrolled()
    known = Templates.of(templates, np.array([names.index(owner) for owner in owners]))
    return match(analysis(picture).encodings, known, TOLERANCE, RATE)


@pytest.mark.parametrize(("picture", "people", "strangers"), truth())
def test_a_picture_shows_exactly_its_people_and_counts_its_strangers(
    picture: str, people: set[str], strangers: int
) -> None:
    names = sorted(set(enrolled()[0]))
    found = matches(picture, names)
    assert sorted(names[m.person] for m in found if m.outcome == "recognised" and m.person is not None) == sorted(
        people
    )
    assert sum(m.outcome == "unknown" for m in found) == strangers
    assert len(found) == len(people) + strangers
