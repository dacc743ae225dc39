"""Signs of fraud, each by itself: what shows it, and what looks like it and is none."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app.services.fraud import Earlier, History, signs
from app.services.geofence import Fix

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
SESSION = uuid.UUID(int=1)
LISBON, PORTO = (38.722312, -9.139334), (41.157944, -8.629105)
"""274 km apart."""


def earlier(minutes: float, place: tuple[float, float] = LISBON, accuracy: float | None = 10, session: int = 2) -> Any:
    return Earlier(uuid.UUID(int=session), *place, accuracy, NINE - timedelta(minutes=minutes))


def told(fix: Fix | None, *before: Any, **more: Any) -> list[str]:
    return signs(SESSION, NINE, fix, History(before), **more)


@pytest.mark.parametrize(
    ("before", "flags"),
    [
        ([], []),
        ([earlier(15, PORTO)], ["impossible_travel"]),
        ([earlier(20, PORTO)], []),
        ([earlier(-15, PORTO)], ["impossible_travel"]),  # sent late, of a time before
        ([earlier(60, LISBON), earlier(15, PORTO)], []),
        ([earlier(0, (38.731, -9.139))], []),  # 966 m: not beyond a kilometre
        ([earlier(0, (38.733, -9.139))], ["impossible_travel"]),  # 1,188 m
        ([earlier(0, (38.733, -9.139), 300)], []),  # which their accuracies explain
        ([earlier(15, PORTO, None)], ["impossible_travel"]),
    ],
)
def test_nobody_is_faster_than_an_airliner(before: list[Any], flags: list[str]) -> None:
    assert told(Fix(*LISBON, 10), *before) == flags


@pytest.mark.parametrize(("seconds", "flags"), [(0, []), (60, []), (61, ["old_fix"]), (-60, []), (-61, ["future_fix"])])
def test_a_phone_knows_where_it_is_now(seconds: float, flags: list[str]) -> None:
    assert told(Fix(*LISBON, 10, NINE - timedelta(seconds=seconds))) == flags


@pytest.mark.parametrize(
    ("place", "sessions", "flags"),
    [
        (LISBON, [2, 3, 4], ["repeated_position"]),
        (LISBON, [2, 3], []),
        (LISBON, [2, 3, 3], []),  # in and out of one session
        (LISBON, [2, 3, 1], []),
        ((38.7223, -9.1393), [2, 3, 4], []),
        ((38.722312, -9.1393), [2, 3, 4], []),
        ((0.0, 0.0), [2, 3, 4], []),
        ((1e-6, 2e-6), [2, 3, 4], ["repeated_position"]),
    ],
)
def test_no_phone_is_at_the_same_micrometre_every_day(
    place: tuple[float, float], sessions: list[int], flags: list[str]
) -> None:
    before = [earlier(1440 * n, place, session=session) for n, session in enumerate(sessions, 1)]
    assert told(Fix(*place, 10), *before) == flags


def test_only_the_last_five_attempts_are_looked_at() -> None:
    others = [earlier(1440 * n, (38.72 + n * 1e-5, -9.13), session=n + 10) for n in range(1, 4)]
    same = [earlier(1440 * n, LISBON, session=n + 10) for n in range(4, 7)]
    assert told(Fix(*LISBON, 10), *others, *same) == []


def test_what_the_phone_itself_tells() -> None:
    assert told(None, is_mocked=True) == ["mocked_location"]
    assert signs(SESSION, NINE, None, History(is_shared_device=True)) == ["shared_device"]
    assert told(None, earlier(0, PORTO)) == []
