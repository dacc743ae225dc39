"""The decision about a check-in, case by case, and what holds for every case there is."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import cos, inf, isfinite, nan, radians, sin

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import Status, Verification
from app.services.decision import Piece, Window, arrival, decide, network
from app.services.geofence import EARTH, Fix, distance, distance_to_polygon, location
from app.services.policies import Site

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
WINDOW = Window(NINE, NINE + timedelta(hours=1), opens_before=15, grace=10)
LISBON = Site(latitude=38.7223, longitude=-9.1393, radius=100)
LATITUDE, LONGITUDE = 38.7223, -9.1393
METRE = 1 / 111_195
"""Of latitude, in degrees."""


def weigh(fix: Fix | None, *sites: Site) -> Piece:
    return location(sites or (LISBON,), fix, max_accuracy=100, max_age=300, now=NINE)


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
    piece = weigh(Fix(LATITUDE + metres * METRE, LONGITUDE, accuracy))
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
    assert weigh(fix).code == "location_invalid"


def test_what_was_not_sent_is_refused_where_it_is_asked_for() -> None:
    assert weigh(None).code == "location_missing"


def test_the_gulf_of_guinea_is_a_place_like_any_other() -> None:
    assert weigh(Fix(0, 0), Site(latitude=0.0, longitude=0.0, radius=100)).outcome == "pass"
    assert weigh(Fix(0, 0)).code == "outside_geofence"


@pytest.mark.parametrize(
    ("seconds", "outcome", "code"),
    [(0, "pass", None), (61, "pass", None), (300, "pass", None), (301, "fail", "location_old"), (-90, "pass", None)],
)
def test_a_fix_is_good_for_so_long(seconds: float, outcome: str, code: str | None) -> None:
    piece = weigh(Fix(LATITUDE, LONGITUDE, 5, NINE - timedelta(seconds=seconds)))
    assert (piece.outcome, piece.code) == (outcome, code)
    if code:
        assert (piece.figures["age"], piece.figures["max_age"]) == (301, 300)


def test_a_session_without_a_place_lets_nobody_in_by_place() -> None:
    assert location((), Fix(LATITUDE, LONGITUDE), 100, 300, NINE).code == "no_place"


def test_the_best_of_several_places_counts() -> None:
    far, wide = Site(latitude=40.0, longitude=0.0, radius=5), Site(latitude=38.73, longitude=LONGITUDE, radius=2000)
    piece = weigh(Fix(LATITUDE, LONGITUDE), far, wide)
    assert (piece.outcome, piece.figures["radius"]) == ("pass", 2000)
    assert piece.figures["distance"] == pytest.approx(0.0077 / METRE, abs=1)
    assert weigh(Fix(LATITUDE, LONGITUDE), far).code == "outside_geofence"


def square(latitude: float, longitude: float, half: float) -> list[tuple[float, float]]:
    """Of latitude and longitude; east of the date line its longitudes are those of the west."""
    sides = ((-half, -half), (-half, half), (half, half), (half, -half))
    return [(latitude + north, (longitude + east + 180) % 360 - 180) for north, east in sides]


@pytest.mark.parametrize("longitude", [0.0, -9.1393, 179.9995, -180.0, 180.0])
@pytest.mark.parametrize(
    ("north", "metres"), [(0, 0), (0.0009, 0), (0.001 + 50 * METRE, 50), (-0.001 - 900 * METRE, 900)]
)
def test_a_polygon_may_lie_anywhere_even_across_the_date_line(longitude: float, north: float, metres: float) -> None:
    corners = square(10.0, longitude, 0.001)
    assert distance_to_polygon(corners, 10.0 + north, longitude) == pytest.approx(metres, abs=0.2)
    other_side = longitude - 360 if longitude > 0 else longitude + 360
    if abs(other_side) <= 180:
        assert distance_to_polygon(corners, 10.0 + north, other_side) == pytest.approx(metres, abs=0.2)


def test_a_yard_that_is_not_convex_has_an_outside_within_its_box() -> None:
    left = [(0.003, 0.002), (0.001, 0.002), (0.001, 0.001), (0.003, 0.001), (0.003, 0.0)]
    u_shaped = [(0.0, 0.0), (0.0, 0.003), (0.003, 0.003), *left]
    assert distance_to_polygon(u_shaped, 0.002, 0.0005) == 0
    assert distance_to_polygon(u_shaped, 0.002, 0.0015) == pytest.approx(0.0005 / METRE, abs=0.1)


@pytest.mark.parametrize(
    ("metres", "accuracy", "outcome"),
    [(0, None, "pass"), (30, 20, "fail"), (30, 40, "uncertain")],
)
def test_outside_of_a_polygon_only_the_fixs_accuracy_helps(metres: float, accuracy: float | None, outcome: str) -> None:
    yard = Site(polygon=square(LATITUDE, LONGITUDE, 0.001))
    assert weigh(Fix(LATITUDE + 0.001 * (metres > 0) + metres * METRE, LONGITUDE, accuracy), yard).outcome == outcome


@pytest.mark.parametrize(
    ("ranges", "address", "code"),
    [
        (["10.0.0.0/8"], "10.20.30.40", None),
        (["192.168.0.0/16", "10.0.0.0/8"], "10.20.30.40", None),
        (["10.0.0.0/8"], "::ffff:10.20.30.40", None),
        (["::ffff:10.0.0.0/104"], "10.20.30.40", None),
        (["2001:db8::/32"], "2001:db8::17", None),
        (["2001:db8::/32"], "10.20.30.40", "network_outside"),
        (["10.0.0.0/8"], "11.0.0.1", "network_outside"),
        (["10.0.0.0/8"], "2001:db8::17", "network_outside"),
        (["0.0.0.0/0"], "not an address", "network_outside"),
        (["0.0.0.0/0"], None, "network_outside"),
        ([], "10.20.30.40", "no_network"),
    ],
)
def test_an_address_is_in_a_network(ranges: list[str], address: str | None, code: str | None) -> None:
    piece = network(ranges, address)
    assert (piece.outcome, piece.code) == ("fail" if code else "pass", code)


GOOD, DOUBT = Piece("pass", {"distance": 5.0}), Piece("uncertain", {})
BAD, WORSE = Piece("fail", {"distance": 500.0}, "outside_geofence"), Piece("fail", {"distance": 0.9}, "face_mismatch")


def test_one_that_fails_refuses_and_one_in_doubt_asks_for_a_look() -> None:
    assert decide(Status.LATE, {"location": GOOD}, {"location"}).verification == Verification.VERIFIED
    pending = decide(Status.LATE, {"location": GOOD, "face": DOUBT}, {"location", "face"})
    assert (pending.status, pending.verification) == (Status.LATE, Verification.PENDING)
    refused = decide(Status.PRESENT, {"face": DOUBT, "location": BAD}, {"location", "face"})
    assert (refused.status, refused.refused, refused.figures["distance"]) == (None, "outside_geofence", 500.0)
    assert decide("too_late", {"location": GOOD}, {"location"}).refused == "too_late"


def test_all_that_fails_is_named_and_the_first_of_it_has_its_figures() -> None:
    refused = decide(Status.PRESENT, {"face": WORSE, "location": BAD}, {"face", "location"})
    assert refused.failed == ["outside_geofence", "face_mismatch"]
    assert refused.figures == {"distance": 500.0}


def test_what_is_not_required_decides_nothing_and_what_is_required_and_not_there_fails() -> None:
    assert decide(Status.PRESENT, {"location": BAD}, set()).verification == Verification.VERIFIED
    assert decide(Status.PRESENT, {"location": GOOD}, {"location", "code"}).refused == "code_missing"


outcomes = st.dictionaries(
    st.sampled_from(["location", "network", "code", "face"]), st.sampled_from([GOOD, DOUBT, BAD, WORSE])
)


@given(outcomes, st.sets(st.sampled_from(["location", "network", "code", "face"])))
def test_nobody_gets_in_past_a_piece_that_is_required(pieces: dict[str, Piece], requires: set[str]) -> None:
    decision = decide(Status.PRESENT, pieces, requires)
    shown = [pieces[name].outcome if name in pieces else "fail" for name in requires]
    assert (decision.status is None) == ("fail" in shown)
    if decision.status:
        assert (decision.verification == Verification.PENDING) == ("uncertain" in shown)


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
    piece = weigh(Fix(latitude, longitude, accuracy))
    assert all(isfinite(figure) for figure in piece.figures.values())
    if piece.outcome != "fail":
        assert distance(LATITUDE, LONGITUDE, latitude, longitude) <= 100 + (accuracy or 0)
        assert (accuracy or 0) <= 100


@given(st.floats(-70, 70), st.floats(-180, 180), st.floats(-0.008, 0.008), st.floats(-0.008, 0.008))
def test_a_polygon_as_small_as_a_point_is_as_far_away_as_the_point(
    latitude: float, longitude: float, north: float, east: float
) -> None:
    corners = square(latitude + north, longitude + east, 1e-9)
    away = distance(latitude, longitude, latitude + north, longitude + east)
    assert distance_to_polygon(corners, latitude, longitude) == pytest.approx(away, abs=0.05)


@given(st.floats(-70, 70), st.floats(-180, 180), st.floats(0, 360))
def test_the_nearest_edge_is_found_to_half_a_metre(latitude: float, longitude: float, bearing: float) -> None:
    """Against the nearest of very many points of the edges."""
    here = latitude + 0.008 * cos(radians(bearing)), longitude + 0.008 * sin(radians(bearing))
    corners = square(latitude, longitude, 0.002)
    told = distance_to_polygon(corners, *here)
    sides = [(-0.002 + 0.00002 * n, side) for n in range(201) for side in (-0.002, 0.002)]
    points = [*sides, *((east, north) for north, east in sides)]
    nearest = min(distance(*here, latitude + north, longitude + east) for north, east in points)
    assert told == pytest.approx(nearest, abs=1.5)  # the points are up to 2.2 m apart


@given(st.floats(-90, 90), st.floats(-180, 180), st.lists(degrees, min_size=3, max_size=8))
def test_the_distance_to_any_polygon_is_a_number(
    latitude: float, longitude: float, corners: list[tuple[float, float]]
) -> None:
    assert 0 <= distance_to_polygon(corners, latitude, longitude) <= EARTH * 3.141593


@given(st.floats(-600, 600))
def test_a_later_arrival_is_never_better(minutes: float) -> None:
    order = ["too_early", Status.PRESENT, Status.LATE, "too_late"]
    one, two = (arrival(WINDOW, NINE + timedelta(minutes=m)) for m in (minutes, minutes + 1))
    assert order.index(one) <= order.index(two)
