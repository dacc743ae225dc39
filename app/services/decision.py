"""Whether somebody is there: decided from the time and the evidence alone, so that every case can be tried.

The rules are design's: what cannot be checked is refused, never waved through.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import asin, cos, isfinite, radians, sin, sqrt
from typing import Literal

from app.models import Status, Verification

EARTH = 6_371_008.8
"""Mean radius in metres (IUGG)."""

Outcome = Literal["pass", "uncertain", "fail"]


@dataclass(frozen=True, slots=True)
class Fix:
    """Where a phone says that it is: degrees, and metres within which it may be wrong."""

    latitude: float
    longitude: float
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """Where a session is, and how far from it one may be; a fix less accurate than max_accuracy proves nothing."""

    latitude: float
    longitude: float
    radius: int
    max_accuracy: int


@dataclass(frozen=True, slots=True)
class Window:
    """When a session is. opens_before and grace in minutes."""

    starts_at: datetime
    ends_at: datetime
    opens_before: int
    grace: int


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of evidence: what it shows, its figure, and the code of the refusal where it fails."""

    outcome: Outcome
    figures: Mapping[str, float]
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """Accepted with a status, to be reviewed where something is uncertain; or refused with a code and its figures."""

    status: Status | None
    verification: Verification
    refused: str | None
    figures: Mapping[str, float]


def decide(arrival: Status | str, pieces: Mapping[str, Piece]) -> Decision:
    """arrival: as `arrival` has it. pieces: what the session requires, each piece by its name."""
    figures = {name: value for piece in pieces.values() for name, value in piece.figures.items()}
    failed = [piece.code or name for name, piece in pieces.items() if piece.outcome == "fail"]
    refused = arrival if not isinstance(arrival, Status) else next(iter(failed), None)
    if refused is not None:
        return Decision(None, Verification.REJECTED, refused, figures)
    doubtful = any(piece.outcome == "uncertain" for piece in pieces.values())
    verification = Verification.PENDING if doubtful else Verification.VERIFIED
    return Decision(arrival if isinstance(arrival, Status) else None, verification, None, figures)


def arrival(window: Window, now: datetime) -> Status | str:
    """Present up to so many minutes after the start, late until the end; else the code of the refusal."""
    if now < window.starts_at - timedelta(minutes=window.opens_before):
        return "too_early"
    if now > window.ends_at:
        return "too_late"
    return Status.PRESENT if now <= window.starts_at + timedelta(minutes=window.grace) else Status.LATE


def location(place: Place, fix: Fix | None) -> Piece:
    """Within the radius: pass; within it but for the fix's accuracy: uncertain; else fail."""
    if fix is None:
        return Piece("fail", {}, "location_missing")
    if not is_on_earth(fix):
        return Piece("fail", {}, "location_invalid")
    accuracy = fix.accuracy or 0.0
    away = distance(place.latitude, place.longitude, fix.latitude, fix.longitude)
    figures = {"distance": round(away, 1), "radius": float(place.radius), "accuracy": accuracy}
    if accuracy > place.max_accuracy:
        return Piece("fail", figures | {"max_accuracy": float(place.max_accuracy)}, "location_inaccurate")
    if away <= place.radius:
        return Piece("pass", figures)
    if away <= place.radius + accuracy:
        return Piece("uncertain", figures)
    return Piece("fail", figures, "outside_geofence")


def distance(latitude: float, longitude: float, other_latitude: float, other_longitude: float) -> float:
    """Great-circle distance of two points in degrees, in metres (haversine; R. W. Sinnott, 1984)."""
    north, other_north = radians(latitude), radians(other_latitude)
    half = sin((other_north - north) / 2) ** 2
    half += cos(north) * cos(other_north) * sin(radians(other_longitude - longitude) / 2) ** 2
    return 2 * EARTH * asin(min(1.0, sqrt(half)))


def is_on_earth(fix: Fix) -> bool:
    numbers = (fix.latitude, fix.longitude, fix.accuracy or 0.0)
    if not all(isfinite(number) for number in numbers):
        return False
    return abs(fix.latitude) <= 90 and abs(fix.longitude) <= 180 and (fix.accuracy or 0.0) >= 0  # noqa: PLR2004 - degrees
