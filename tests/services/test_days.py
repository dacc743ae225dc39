"""What a day at the gates comes to, case by case, and what holds for every day there is."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.models import Direction, Passage
from app.services.days import Part, Passed, counts_until, day_of, minutes_present, roll_up
from app.services.organisation_settings import DayRules

MIDNIGHT = datetime(2026, 3, 12, tzinfo=UTC)
RULE = DayRules(full_minutes=360, half_minutes=180)


def clock_time(text: str) -> datetime:
    """`9:30` of the day, `30:00` is six o'clock on the next."""
    hours, minutes = map(int, text.split(":"))
    return MIDNIGHT + timedelta(hours=hours, minutes=minutes)


def day(text: str) -> list[Passed]:
    """`in 9:00 out 17:00`."""
    words = text.split()
    return [Passed(Direction(way), clock_time(at)) for way, at in zip(words[::2], words[1::2], strict=True)]


@pytest.mark.parametrize(
    ("passages", "until", "minutes", "is_open"),
    [
        ("", None, 0, False),
        ("in 9:00 out 17:00", None, 480, False),
        ("in 9:00 out 12:00 in 13:00 out 17:00", None, 420, False),
        ("in 9:00", None, 0, True),
        ("in 9:00", "11:30", 150, True),
        ("in 9:00 out 12:00 in 13:00", None, 180, True),
        ("in 9:00 out 12:00 in 13:00", "17:00", 420, True),
        ("in 18:00", "17:00", 0, True),  # who comes in after the day's end
        ("in 9:00 out 17:00", "23:00", 480, False),  # who has gone out stays nowhere
        ("out 9:00", "17:00", 0, False),
        ("out 8:00 in 9:00 out 10:00", None, 60, False),
        ("in 9:00 in 12:00 out 17:00", None, 480, False),  # seen coming in again, never going out
        ("in 9:00 out 12:00 out 17:00", None, 180, False),  # seen going out again, never coming in
        ("in 22:00 out 30:00", None, 480, False),  # a night shift
    ],
)
def test_minutes_present(passages: str, until: str | None, minutes: float, is_open: bool) -> None:
    presence = minutes_present(day(passages), clock_time(until) if until else None)
    assert (presence.minutes, presence.open) == (minutes, is_open)


def test_the_first_coming_in_and_the_last_going_out_are_told() -> None:
    presence = minutes_present(day("out 7:00 in 8:00 out 9:00 in 10:00 out 12:00 in 13:00"), None)
    assert (presence.first_in, presence.last_out) == (clock_time("8:00"), clock_time("12:00"))
    assert minutes_present([], None).first_in is None


@pytest.mark.parametrize(
    ("minutes", "part"),
    [(0, "none"), (179.9, "none"), (180, "half"), (359.9, "half"), (360, "full"), (1440, "full")],
)
def test_roll_up(minutes: float, part: str) -> None:
    assert roll_up(minutes, RULE) == Part(part)


@pytest.mark.parametrize(
    ("of", "ends_at", "until"),
    [
        (date(2026, 3, 12), None, datetime(2026, 3, 12, 15, tzinfo=UTC)),  # today: until now
        (date(2026, 3, 12), "17:00", datetime(2026, 3, 12, 15, tzinfo=UTC)),
        (date(2026, 3, 11), None, None),
        (date(2026, 3, 11), "17:00", datetime(2026, 3, 11, 21, tzinfo=UTC)),  # New York's five o'clock
    ],
)
def test_until_when_a_day_counts(of: date, ends_at: str | None, until: datetime | None) -> None:
    now = datetime(2026, 3, 12, 15, tzinfo=UTC)
    assert counts_until(of, DayRules(ends_at=ends_at), now, "America/New_York") == until


@pytest.mark.parametrize(
    ("last", "now", "direction", "counts_to"),
    [
        (None, "9:00", "in", 12),
        ("in 9:00", "17:00", "out", 12),
        ("in 22:00", "30:00", "out", 12),  # a night shift
        ("in 22:00", "30:00", "in", 13),
        ("out 22:00", "30:00", "out", 13),
        ("in 9:00", "33:00", "out", 12),
        ("in 9:00", "33:01", "out", 13),  # nobody stays that long
    ],
)
def test_the_day_to_which_a_passage_counts(last: str | None, now: str, direction: str, counts_to: int) -> None:
    before = None
    if last:
        (passed,) = day(last)
        before = Passage(direction=passed.direction, at=passed.at, day=date(2026, 3, 12))
    assert day_of(Direction(direction), clock_time(now), before, "UTC").day == counts_to


days = st.lists(st.tuples(st.sampled_from(Direction), st.integers(0, 1440)), max_size=12).map(
    lambda drawn: [Passed(way, MIDNIGHT + timedelta(minutes=m)) for way, m in sorted(drawn, key=lambda d: d[1])]
)
moments = st.one_of(st.none(), st.integers(0, 2880).map(lambda m: MIDNIGHT + timedelta(minutes=m)))


@given(days, moments)
def test_nobody_is_inside_for_longer_than_from_the_first_to_the_last(
    passages: list[Passed], until: datetime | None
) -> None:
    presence = minutes_present(passages, until)
    last = max([p.at for p in passages] + ([until] if until else []), default=MIDNIGHT)
    most = (last - presence.first_in).total_seconds() / 60 if presence.first_in else 0
    assert 0 <= presence.minutes <= most


@given(days, st.integers(-100_000, 100_000))
def test_it_does_not_matter_when_the_day_is(passages: list[Passed], shift: int) -> None:
    moved = [Passed(p.direction, p.at + timedelta(minutes=shift)) for p in passages]
    assert minutes_present(moved, None).minutes == minutes_present(passages, None).minutes


@given(st.lists(st.integers(0, 1440), min_size=2, max_size=12, unique=True).map(sorted))
def test_going_in_and_out_by_turns_adds_up(minutes: list[int]) -> None:
    times = [MIDNIGHT + timedelta(minutes=m) for m in minutes]
    by_turns = [Passed(list(Direction)[n % 2], at) for n, at in enumerate(times)]
    inside = sum(later - earlier for n, (earlier, later) in enumerate(pairwise(minutes)) if n % 2 == 0)
    presence = minutes_present(by_turns, None)
    assert (presence.minutes, presence.open) == (inside, len(minutes) % 2 == 1)


@given(st.floats(0, 1440), st.integers(1, 1440), st.integers(1, 1440))
def test_more_minutes_are_never_less(minutes: float, one: int, other: int) -> None:
    rule = DayRules(full_minutes=max(one, other), half_minutes=min(one, other))
    order = [Part.NONE, Part.HALF, Part.FULL]
    assert order.index(roll_up(minutes, rule)) <= order.index(roll_up(minutes + 1, rule))
