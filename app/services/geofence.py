"""Where somebody is, and whether that is where a session is: circles and polygons on the earth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import asin, cos, hypot, isfinite, radians, sin, sqrt

from app.services.decision import Piece
from app.services.policies import Site

EARTH = 6_371_008.8
"""Mean radius in metres (IUGG)."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a phone says that it is: degrees, metres within which it may be wrong, and since when it knows."""

    latitude: float
    longitude: float
    accuracy: float | None = None
    taken_at: datetime | None = None

    @property
    def is_on_earth(self) -> bool:
        accuracy = self.accuracy or 0.0
        if not all(isfinite(number) for number in (self.latitude, self.longitude, accuracy)):
            return False
        return abs(self.latitude) <= 90 and abs(self.longitude) <= 180 and accuracy >= 0  # noqa: PLR2004 - degrees

    def moved(self, by: timedelta) -> Fix:
        """As a clock says that is so far ahead."""
        try:
            return replace(self, taken_at=self.taken_at and self.taken_at + by)
        except OverflowError:
            return self

    def age(self, now: datetime) -> float:
        """In seconds; one that does not say is of now."""
        return (now - self.taken_at).total_seconds() if self.taken_at else 0.0


def location(sites: Sequence[Site], fix: Fix | None, max_accuracy: int, max_age: int, now: datetime) -> Piece:
    """Within the radius of a site: pass; within it but for the fix's accuracy: uncertain; else fail.

    A polygon's radius is how far outside of it one may be: 0, unless it is given. max_accuracy: metres; max_age:
    seconds; a fix beyond either proves nothing. One that does not say how accurate it is counts as exact, as older
    clients send it.
    """
    if not sites or fix is None or not fix.is_on_earth:
        return Piece("fail", {}, "no_place" if not sites else "location_missing" if fix is None else "location_invalid")
    accuracy, age = fix.accuracy or 0.0, fix.age(now)
    beyond, radius = min(_distance_and_radius(site, fix) for site in sites)
    away = beyond + radius
    figures = {"distance": round(away, 1), "radius": float(radius)}
    figures |= {} if fix.accuracy is None else {"accuracy": accuracy}
    if accuracy > max_accuracy:
        return Piece("fail", figures | {"max_accuracy": float(max_accuracy)}, "location_inaccurate")
    if age > max_age:
        return Piece("fail", figures | {"age": round(age, 1), "max_age": float(max_age)}, "location_old")
    if beyond <= 0:
        return Piece("pass", figures)
    return Piece("uncertain", figures) if beyond <= accuracy else Piece("fail", figures, "outside_geofence")


def _distance_and_radius(site: Site, fix: Fix) -> tuple[float, int]:
    """How far outside of a site's radius the fix is (negative: inside), and that radius, in metres."""
    radius = site.radius or 0
    if site.polygon:
        return distance_to_polygon(site.polygon, fix.latitude, fix.longitude) - radius, radius
    return distance(site.latitude or 0.0, site.longitude or 0.0, fix.latitude, fix.longitude) - radius, radius


def distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Great-circle distance of two points in degrees, in metres (haversine; R. W. Sinnott, 1984)."""
    north, other_north = radians(latitude), radians(other_latitude)
    half = sin((other_north - north) / 2) ** 2
    half += cos(north) * cos(other_north) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH * asin(min(1.0, sqrt(half)))


def distance_to_polygon(corners: Sequence[Point], latitude: float, longitude: float) -> float:
    """0 inside, else the great-circle distance to the nearest edge, in metres.

    Edges are straight on a map whose scale is right at the point (equirectangular). Of one that is d metres away at
    latitude p that shifts the nearest place by about d² tan(p) / earth's radius: within 1 km and up to 70 degrees, by
    less than half a metre. A polygon may cross the date line, may not hold a pole, and must span less than 180 degrees.
    """
    plane = _around(corners, latitude, longitude)
    edges = list(zip(plane, [*plane[1:], plane[0]], strict=True))
    if sum(_is_crossed(*edge) for edge in edges) % 2:
        return 0.0
    east, north = min((_nearest(*edge) for edge in edges), key=lambda point: hypot(*point))
    shrunk = cos(radians(latitude)) or 1e-9
    return distance(latitude, longitude, latitude + north, longitude + east / shrunk)


def _around(corners: Sequence[Point], latitude: float, longitude: float) -> list[Point]:
    """The corners east and north of the point, in degrees of latitude's length; each is near the one before it,
    whichever way round the earth their numbers are."""
    shrunk = cos(radians(latitude)) or 1e-9
    plane: list[Point] = []
    before, east = longitude, 0.0
    for corner_latitude, corner_longitude in corners:
        east += (corner_longitude - before + 180) % 360 - 180
        before = corner_longitude
        plane.append((east * shrunk, corner_latitude - latitude))
    return plane


def _is_crossed(start: Point, end: Point) -> bool:
    """Whether a ray from the origin to the east crosses this edge."""
    (x, y), (other_x, other_y) = start, end
    return (y > 0) != (other_y > 0) and x - y * (other_x - x) / (other_y - y) > 0


def _nearest(start: Point, end: Point) -> Point:
    """The point of this edge that is nearest to the origin."""
    (x, y), (other_x, other_y) = start, end
    along_x, along_y = other_x - x, other_y - y
    length = along_x**2 + along_y**2
    part = 0.0 if length == 0 else min(1.0, max(0.0, -(x * along_x + y * along_y) / length))
    return x + part * along_x, y + part * along_y
