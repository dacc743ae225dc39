"""Which face is whose. Encodings here lie on a line or in a plane, so that distances can be read off."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.faces import Encodings, Match, Rows, Templates, distances, is_among, match, verify
from app.faces.matching import AT_ONCE, RUNNER_UP_ODDS, SLOPE, STRANGERS, confidence, limit

TOLERANCE, RATE = 0.6, 1e-4
RUNNER_UP_MARGIN = -math.log(RUNNER_UP_ODDS) / SLOPE
Place = tuple[float, float]
places = st.tuples(st.integers(-20, 20), st.integers(-20, 20)).map(lambda at: (at[0] / 20, at[1] / 20))


def at(*where: float | Place) -> Encodings:
    encodings = np.zeros((len(where), 128), np.float32)
    for row, place in zip(encodings, where, strict=True):
        row[:2] = place if isinstance(place, tuple) else (place, 0)
    return encodings


def owners(*people: int) -> Rows:
    return np.array(people, np.intp)


def found_in(faces: Encodings, known: Encodings, whose: Rows, tolerance: float = TOLERANCE) -> list[Match]:
    return match(faces, Templates.of(known, whose), tolerance, RATE)


def matched(faces: Encodings, people: Encodings) -> list[tuple[str, int | None]]:
    """With one template a person."""
    return [(m.outcome, m.person) for m in found_in(faces, people, owners(*range(len(people))))]


@pytest.mark.parametrize(
    ("faces", "people", "expected"),
    [
        pytest.param([0.1], [0, 2], [("recognised", 0)], id="a face near one person is theirs"),
        pytest.param([2, 0], [0, 2], [("recognised", 1), ("recognised", 0)], id="each face has its own person"),
        pytest.param([1], [0, 2], [("unknown", None)], id="a face near nobody is unknown"),
        pytest.param(
            [0.1, 0.2], [0, 2], [("recognised", 0), ("unknown", None)], id="two faces, one person: the nearer"
        ),
        pytest.param([0.2, 0.1], [0, 2], [("unknown", None), ("recognised", 0)], id="whichever comes first"),
        pytest.param([0, 0, 0], [0], [("recognised", 0)] + [("unknown", None)] * 2, id="a crowd of one person's faces"),
        pytest.param(
            [-0.02, 0.34],
            [0, 0.55],
            [("recognised", 0), ("recognised", 1)],
            id="two faces, two people, all near enough",
        ),
        pytest.param([0.2], [0, 0.42], [("uncertain", 0)], id="a close runner-up makes it uncertain"),
        pytest.param([0.2], [0, 0.52], [("recognised", 0)], id="a runner-up far enough behind does not"),
        pytest.param([0.5], [0, 3], [("recognised", 0)], id="nearer than strangers are"),
        pytest.param([0.55], [0, 3], [("uncertain", 0)], id="as near as a stranger may be"),
        pytest.param([0.61], [0, 3], [("unknown", None)], id="beyond the tolerance"),
        pytest.param([0], [], [("unknown", None)], id="nobody is enrolled"),
        pytest.param([], [0, 2], [], id="nobody is on the picture"),
        pytest.param([], [], [], id="nothing at all"),
    ],
)
def test_faces_are_assigned_to_people(
    faces: Sequence[float], people: Sequence[float], expected: list[tuple[str, int | None]]
) -> None:
    assert matched(at(*faces), at(*people)) == expected


def test_a_pair_beyond_the_tolerance_never_takes_a_person_from_one_within() -> None:
    """The sum of the distances would be least with the far face at person 0 and the near one at person 1."""
    faces, people = at(0.3, -0.7), at(0, 0.9)
    assert matched(faces, people) == [("recognised", 0), ("unknown", None)]


def test_the_whole_picture_decides_who_has_a_person_that_two_faces_are_near() -> None:
    """The first face is nearer to person 0, but only the second has nobody else."""
    faces, people = at((0.2, 0.0), (-0.25, 0.0)), at((0.0, 0.0), (0.44, 0.0))
    assert matched(faces, people) == [("uncertain", 1), ("recognised", 0)]


def test_whom_another_face_has_taken_still_counts_as_runner_up() -> None:
    faces, people = at(0, 0.3), at(0, 0.62)
    assert matched(faces, people) == [("recognised", 0), ("uncertain", 1)]


def test_the_nearest_of_a_persons_templates_counts() -> None:
    templates = at(0, 5, 2, 0.9)
    (found,) = found_in(at(1), templates, owners(0, 0, 1, 1))
    assert (found.outcome, found.person) == ("recognised", 1)
    assert found.distance == pytest.approx(0.1)


def test_a_persons_own_templates_are_no_runners_up() -> None:
    (found,) = found_in(at(0.1), at(0, 0.05, 0.2, 3), owners(0, 0, 0, 1))
    assert found.outcome == "recognised"


def test_templates_may_come_in_any_order_and_people_may_have_none() -> None:
    found = found_in(at(0, 2), at(2, 0, 2.1, 0.1), owners(4, 1, 4, 1))
    assert [m.person for m in found] == [1, 4]


def test_an_unknown_face_has_no_person_distance_or_confidence() -> None:
    assert found_in(at(3), at(0), owners(0)) == [Match("unknown", None, None, None)]


def test_a_match_has_the_confidence_of_its_distance() -> None:
    (found,) = found_in(at(0.25), at(0), owners(0))
    assert found.distance == pytest.approx(0.25)
    assert found.confidence == confidence(found.distance or 0)


@pytest.mark.parametrize(
    ("tolerance", "rate", "expected"),
    [
        (0.6, 1e-4, ["recognised", "recognised", "uncertain", "unknown"]),
        (0.6, 1e-7, ["recognised", "uncertain", "uncertain", "unknown"]),
        (0.5, 1e-4, ["recognised", "recognised", "unknown", "unknown"]),
    ],
)
def test_the_rate_says_where_the_uncertain_band_begins_and_the_tolerance_where_it_ends(
    tolerance: float, rate: float, expected: list[str]
) -> None:
    faces, known = [at(d) for d in (0.3, 0.45, 0.55, 0.61)], at(0)
    assert [match(face, Templates.of(known, owners(0)), tolerance, rate)[0].outcome for face in faces] == expected
    assert [verify(face[0], known, tolerance, rate).outcome for face in faces] == expected


def test_the_more_people_are_compared_the_nearer_one_must_be() -> None:
    few, many = (at(0, *range(2, people + 1)) for people in (2, 1000))
    assert [matched(at(0.48), known)[0][0] for known in (few, many)] == ["recognised", "uncertain"]


def test_several_templates_of_one_person_are_no_more_people() -> None:
    assert found_in(at(0.5), at(0, *[5] * 999), owners(*[0] * 1000))[0].outcome == "recognised"


@pytest.mark.parametrize("people", [1, 30, 100_000])
def test_within_the_limit_strangers_come_as_often_as_the_rate_says(people: int) -> None:
    chance = STRANGERS.cdf(limit(RATE, people))
    assert -math.expm1(people * math.log1p(-chance)) == pytest.approx(RATE, rel=1e-3)


def test_only_candidates_are_matched_counted_and_runners_up() -> None:
    known = Templates.of(at(0, 0.05, 2, *range(3, 1003)), owners(*range(1003)))
    (found,) = match(at(0.48), known, TOLERANCE, RATE, owners(0, 2))
    assert (found.outcome, found.person) == ("recognised", 0)
    assert match(at(0), known, TOLERANCE, RATE, owners(2)) == [Match("unknown")]
    assert match(at(0), known, TOLERANCE, RATE, owners()) == [Match("unknown")]


@pytest.mark.parametrize("first", [None, 1])
def test_a_large_gallery_is_compared_to_its_last_template(first: int | None) -> None:
    many = 2 * AT_ONCE + 3
    known = Templates.of(np.concatenate([at(*[9] * (many - 1)), at(0)]), np.arange(many))
    (found,) = match(at(0.2), known, TOLERANCE, RATE, None if first is None else np.arange(first, many))
    assert (found.outcome, found.person) == ("recognised", many - 1)
    assert found.distance == pytest.approx(0.2)


@pytest.mark.parametrize(("place", "rows", "expected"), [(0.59, [0, 1], True), (0.61, [0, 1], False), (0, [1], False)])
def test_a_face_is_among_those_who_are_within_the_tolerance(place: float, rows: list[int], expected: bool) -> None:
    assert is_among(at(place), Templates.of(at(0, 5), owners(0, 1)), TOLERANCE, owners(*rows)) is expected


def test_a_face_that_two_people_have_enrolled_is_somebodys() -> None:
    assert is_among(at(0), Templates.of(at(0, 0), owners(0, 1)), TOLERANCE, owners(0, 1))


def test_nobodys_face_is_among_nobody() -> None:
    assert not is_among(at(0), Templates.of(at(), owners()), TOLERANCE, owners())


def test_confidence_is_a_probability_that_falls_with_distance() -> None:
    stated = [confidence(distance) for distance in np.linspace(0, 1.5, 50)]
    assert stated == sorted(set(stated), reverse=True)
    assert stated[0] > 0.99
    assert 0 < stated[-1] < 0.01
    assert confidence(0.3) > 0.9
    assert confidence(TOLERANCE) < 0.5


def test_distances_are_those_of_numpy() -> None:
    random = np.random.default_rng(1)
    a, b = random.normal(0, 0.1, (7, 128)).astype(np.float32), random.normal(0, 0.1, (5, 128)).astype(np.float32)
    expected = np.linalg.norm(a[:, None].astype(np.float64) - b[None], axis=2)
    np.testing.assert_allclose(distances(a, b), expected, rtol=0, atol=1e-9)


def test_an_encoding_has_no_distance_to_itself() -> None:
    encodings = np.random.default_rng(2).normal(0, 0.1, (50, 128)).astype(np.float32)
    assert distances(encodings, encodings).diagonal().max() < 1e-6


@given(
    faces=st.lists(places, max_size=6),
    templates=st.lists(st.tuples(places, st.integers(0, 4)), max_size=8),
)
@settings(max_examples=300, deadline=None)
def test_every_face_has_one_match_no_person_two_and_nobody_is_taken_from_too_far(
    faces: list[Place], templates: list[tuple[Place, int]]
) -> None:
    encodings, known = at(*faces), at(*(place for place, _ in templates))
    whose = owners(*(owner for _, owner in templates))
    found = found_in(encodings, known, whose)

    assert len(found) == len(faces)
    taken = [m.person for m in found if m.person is not None]
    assert len(taken) == len(set(taken))
    to_people = np.full((len(faces), 5), np.inf)
    np.minimum.at(to_people.T, whose, distances(encodings, known).T)
    for face, m in enumerate(found):
        assert (m.person is None) == (m.outcome == "unknown") == (m.distance is None)
        if m.person is not None and m.distance is not None:
            assert m.distance == pytest.approx(to_people[face, m.person], abs=1e-6)
            assert m.distance <= TOLERANCE
            others = np.delete(to_people[face], m.person)
            if m.outcome == "recognised":
                assert m.distance <= limit(RATE, len(set(whose.tolist())))
                assert others.min() > TOLERANCE or others.min() - m.distance >= RUNNER_UP_MARGIN - 1e-9
    free_people = set(range(5)) - set(taken)
    left_out = [face for face, m in enumerate(found) if m.person is None]
    assert all(to_people[face, person] > TOLERANCE - 1e-6 for face in left_out for person in free_people)
