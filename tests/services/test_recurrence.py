"""Rules of days become moments: the clocks show the same time on both sides of every change."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.services.recurrence import Recurrence

ZONES = sorted(available_timezones())
FIRST, LAST = date(2024, 1, 1), date(2030, 12, 31)
NEVER = "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"


def of(rule: str = "FREQ=DAILY", first_day: date = FIRST, zone: str = "UTC", **values: object) -> Recurrence:
    return Recurrence(
        **{  # type: ignore[arg-type]
            "rule": rule,
            "first_day": first_day,
            "last_day": None,
            "starts_at": time(9),
            "minutes": 60,
            "zone": ZoneInfo(zone),
        }
        | values
    )


def days(recurrence: Recurrence) -> list[str]:
    return [day.isoformat() for day in recurrence.days(FIRST, LAST)]


@given(
    zone=st.sampled_from(ZONES),
    day=st.dates(FIRST, LAST),
    starts_at=st.times().map(lambda moment: moment.replace(second=0, microsecond=0)),
    minutes=st.integers(1, 1440),
)
@settings(max_examples=300, deadline=None)
def test_in_every_zone_it_begins_when_the_clocks_say_so_and_ends_after_that(
    zone: str, day: date, starts_at: time, minutes: int
) -> None:
    (held,) = of(zone=zone, starts_at=starts_at, minutes=minutes).occurrences(day, day)
    local = held.starts_at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    wanted = datetime.combine(day, starts_at)
    assert held.day == day
    assert held.ends_at > held.starts_at
    assert local == wanted or (local > wanted and is_skipped(wanted, zone))


def is_skipped(local: datetime, zone: str) -> bool:
    there = local.replace(tzinfo=ZoneInfo(zone))
    return there.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != local


def changes(zone: ZoneInfo) -> list[date]:
    """The days on which its clocks change."""
    every_day = [datetime(2024, 1, 1, 23, 59, tzinfo=zone) + timedelta(days=n) for n in range(7 * 365)]
    offsets = [moment.utcoffset() for moment in every_day]
    return [
        moment.date()
        for moment, offset, before in zip(every_day[1:], offsets[1:], offsets[:-1], strict=True)
        if offset != before
    ]


def test_nine_oclock_is_nine_oclock_before_and_after_every_change_of_every_zone() -> None:
    changed = 0
    for name in ZONES:
        zone = ZoneInfo(name)
        for day in changes(zone):
            changed += 1
            around = of(first_day=day - timedelta(days=1), zone=name)
            for held in around.occurrences(day - timedelta(days=1), day + timedelta(days=1)):
                shown = [moment.astimezone(zone) for moment in (held.starts_at, held.ends_at)]
                assert [(s.date(), s.time()) for s in shown] == [(held.day, time(9)), (held.day, time(10))], name
    assert changed > 1000


@pytest.mark.parametrize(
    ("day", "starts_at", "minutes", "begins", "ends"),
    [
        ("2026-03-08", "02:30", 60, "2026-03-08T07:30", "2026-03-08T08:30"),  # shown as 3:30, ends at 3:30: an hour
        ("2026-03-08", "02:30", 120, "2026-03-08T07:30", "2026-03-08T08:30"),  # until 4:30
        ("2026-03-08", "02:45", 15, "2026-03-08T07:45", "2026-03-08T08:00"),
        ("2026-11-01", "01:30", 15, "2026-11-01T05:30", "2026-11-01T05:45"),  # the first of two
        ("2026-03-07", "22:00", 480, "2026-03-08T03:00", "2026-03-08T10:00"),  # seven hours
        ("2026-10-31", "22:00", 480, "2026-11-01T02:00", "2026-11-01T11:00"),  # nine
    ],
)
def test_in_new_york_when_the_clocks_change(day: str, starts_at: str, minutes: int, begins: str, ends: str) -> None:
    night = of(zone="America/New_York", starts_at=time.fromisoformat(starts_at), minutes=minutes)
    (held,) = night.occurrences(date.fromisoformat(day), date.fromisoformat(day))
    assert held.day == date.fromisoformat(day)
    assert [f"{moment:%Y-%m-%dT%H:%M}" for moment in (held.starts_at, held.ends_at)] == [begins, ends]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=WEEKLY;BYDAY=MO,WE;COUNT=3", ["2024-01-01", "2024-01-03", "2024-01-08"]),
        ("FREQ=WEEKLY;INTERVAL=2;UNTIL=20240115", ["2024-01-01", "2024-01-15"]),
        ("FREQ=WEEKLY;UNTIL=20240115T085959", ["2024-01-01", "2024-01-08"]),
        ("freq=weekly;until=20240115T090000z", ["2024-01-01", "2024-01-08", "2024-01-15"]),
        ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=2", ["2024-01-31", "2024-02-29"]),
        ("FREQ=MONTHLY;BYMONTHDAY=31;COUNT=3", ["2024-01-31", "2024-03-31", "2024-05-31"]),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29", ["2024-02-29", "2028-02-29"]),
        ("FREQ=YEARLY;UNTIL=29991231", [f"{year}-01-01" for year in range(2024, 2031)]),
        (NEVER, []),
    ],
)
def test_days_of_rules(rule: str, expected: list[str]) -> None:
    assert days(of(rule)) == expected


def test_until_in_utc_is_meant_where_it_is_held() -> None:
    # it is the 15th in Auckland already, at noon
    assert days(of("FREQ=WEEKLY;UNTIL=20240114T230000Z", zone="Pacific/Auckland"))[-1] == "2024-01-15"


def test_days_that_are_left_out_and_the_last_day() -> None:
    recurrence = of("FREQ=DAILY;COUNT=5", left_out={date(2024, 1, 2)}, last_day=date(2024, 1, 4))
    assert days(recurrence) == ["2024-01-01", "2024-01-03", "2024-01-04"]


RULES = st.builds(
    lambda freq, interval, end, by: ";".join([f"FREQ={freq}", f"INTERVAL={interval}", *end, *by]),
    st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]),
    st.integers(1, 4),
    st.one_of(st.just([]), st.integers(1, 60).map(lambda n: [f"COUNT={n}"]), st.just(["UNTIL=20270301"])),
    st.lists(
        st.sampled_from(["BYDAY=MO,WE,SU", "BYMONTH=2,3,9", "BYMONTHDAY=1,15,-1", "BYSETPOS=1,-1", "WKST=SU"]),
        unique=True,
        max_size=3,
    ),
)


@given(rule=RULES, first_day=st.dates(FIRST, date(2026, 12, 31)), which=st.integers(0, 30))
@settings(max_examples=150, deadline=None)
def test_what_is_left_from_one_of_its_days_on_goes_on_alike(rule: str, first_day: date, which: int) -> None:
    until = date(2028, 12, 31)
    try:
        whole = of(rule, first_day)
    except ValueError:
        assert "BYSETPOS" in rule  # alone, it says nothing
        return
    held = list(whole.days(first_day, until))
    if which < len(held):
        assert list(whole.from_day_on(held[which]).days(first_day, until)) == held[which:]


@pytest.mark.parametrize(
    "rule",
    [
        "",
        "MO",
        "FREQ=",
        "FREQ=HOURLY",
        "FREQ=MONTHLY;BYDAY=53MO",
        "FREQ=YEARLY;BYDAY=-54MO",
        "FREQ=YEARLY;BYMONTH=12;BYDAY=7MO",
        "FREQ=MINUTELY;INTERVAL=60",
        "INTERVAL=2",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;COUNT=0",
        "FREQ=DAILY;COUNT=2;UNTIL=20260101",
        "FREQ=DAILY;UNTIL=20261399",
        "FREQ=DAILY;UNTIL=tomorrow",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;BYHOUR=9",
        "FREQ=DAILY;BYEASTER=1",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=MONTHLY;BYMONTHDAY=0",
        "FREQ=MONTHLY;BYMONTHDAY=32",
        "FREQ=YEARLY;BYMONTH=13",
        "FREQ=YEARLY;BYMONTH=-1",
        "FREQ=YEARLY;BYYEARDAY=367",
        "FREQ=DAILY\nDTSTART:20260101",
        "RRULE:FREQ=DAILY",
    ],
)
def test_rules_that_cannot_be_used_are_refused(rule: str) -> None:
    with pytest.raises(ValueError, match=r"rule|time data|remain|range|month"):
        of(rule)


@given(st.text(alphabet="FREQ=DAILYWKMONTHSU;BX0123456789,+-TZ:\n", max_size=40))
@settings(max_examples=300, deadline=None)
def test_rubbish_is_refused_and_nothing_else_happens(tail: str) -> None:
    try:
        of(f"FREQ=WEEKLY;{tail}")
    except ValueError:
        return
    assert tail
