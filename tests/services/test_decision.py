"""The decision about a check-in, case by case, and what holds for every case there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import Status, Verification
from app.services.decision import EARTH, Fix, Piece, Place, Window, arrival, decide, distance, location

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
WINDOW = Window(NINE, NINE + timedelta(hours=1), opens_before=15, grace=10)
LISBON = Place(38.7223, -9.1393, radius=100, max_accuracy=100)
METRE = 1 / 111_195
"""Of latitude, in degrees."""


@pytest.mark.parametrize(
    ("minutes", "told"),
    [
        (-15.01, "too_early"),
        (-15, Status.PRESENT),
        (0, Status.PRESENT),
        (10, Status.PRESENT),
        (10.01, Status.LATE),
        (60, Status.LATE),
        (60.01, "too_late"),
    ],
)
def test_who_comes_when_is(minutes: float, told: str) -> None:
    assert arrival(WINDOW, NINE + timedelta(minutes=minutes)) == told


@pytest.mark.parametrize(
    ("metres", "accuracy", "outcome", "code"),
    [
        (0, None, "pass", None),
        (99, 5, "pass", None),
        (99, 100, "pass", None),
        (120, 30, "uncertain", None),
        (120, 10, "fail", "outside_geofence"),
        (120, None, "fail", "outside_geofence"),
        (0, 101, "fail", "location_inaccurate"),
        (5000, 5, "fail", "outside_geofence"),
    ],
)
def test_who_is_so_far_away_with_such_a_fix_is(
    metres: float, accuracy: float | None, outcome: str, code: str | None
) -> None:
    piece = location(LISBON, Fix(LISBON.latitude + metres * METRE, LISBON.longitude, accuracy))
    assert (piece.outcome, piece.code) == (outcome, code)
    assert piece.figures["distance"] == pytest.approx(metres, abs=0.2)


@pytest.mark.parametrize(
    "fix",
    [
        Fix(nan, 0),
        Fix(0, inf),
        Fix(0, 0, nan),
        Fix(90.01, 0),
        Fix(0, -180.01),
        Fix(0, 0, -1),
    ],
)
def test_what_is_no_place_on_earth_is_refused(fix: Fix) -> None:
    assert location(LISBON, fix).code == "location_invalid"


def test_what_was_not_sent_is_refused_where_it_is_asked_for() -> None:
    assert location(LISBON, None).code == "location_missing"


def test_the_gulf_of_guinea_is_a_place_like_any_other() -> None:
    at_sea = Place(0.0, 0.0, radius=100, max_accuracy=100)
    assert location(at_sea, Fix(0, 0)).outcome == "pass"
    assert location(LISBON, Fix(0, 0)).code == "outside_geofence"


def test_one_that_fails_refuses_and_one_in_doubt_asks_for_a_look() -> None:
    good, doubt = Piece("pass", {"distance": 5.0}), Piece("uncertain", {})
    bad = Piece("fail", {"distance": 500.0}, "outside_geofence")
    assert decide(Status.LATE, {"location": good}).verification == Verification.VERIFIED
    pending = decide(Status.LATE, {"location": good, "face": doubt})
    assert (pending.status, pending.verification) == (Status.LATE, Verification.PENDING)
    refused = decide(Status.PRESENT, {"face": doubt, "location": bad})
    assert (refused.status, refused.refused, refused.figures["distance"]) == (None, "outside_geofence", 500.0)
    assert decide("too_late", {"location": good}).refused == "too_late"


degrees = st.tuples(st.floats(-90, 90), st.floats(-180, 180))


@given(degrees, degrees)
def test_a_distance_is_one_both_ways_and_at_most_half_round_the_earth(
    here: tuple[float, float], there: tuple[float, float]
) -> None:
    away = distance(*here, *there)
    assert away == pytest.approx(distance(*there, *here), rel=1e-9, abs=1e-3)
    assert 0 <= away <= EARTH * 3.141593
    assert distance(*here, *here) == 0


@given(st.floats(allow_nan=True, allow_infinity=True), st.floats(), st.none() | st.floats())
def test_no_fix_whatever_it_holds_is_waved_through(latitude: float, longitude: float, accuracy: float | None) -> None:
    piece = location(LISBON, Fix(latitude, longitude, accuracy))
    if piece.outcome != "fail":
        assert distance(LISBON.latitude, LISBON.longitude, latitude, longitude) <= LISBON.radius + (accuracy or 0)
        assert (accuracy or 0) <= LISBON.max_accuracy


@given(st.floats(-600, 600))
def test_a_later_arrival_is_never_better(minutes: float) -> None:
    order = ["too_early", Status.PRESENT, Status.LATE, "too_late"]
    one, two = (arrival(WINDOW, NINE + timedelta(minutes=m)) for m in (minutes, minutes + 1))
    assert order.index(one) <= order.index(two)
