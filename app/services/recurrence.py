"""When something recurs (RFC 5545): a rule's days, and the moments at which the clocks show its time on them."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import MAXYEAR, UTC, date, datetime, time, timedelta
from itertools import takewhile
from typing import NamedTuple, Self
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

CYCLE = 400
"""In years: then the calendar repeats, weekdays too."""
A_CENTURY = 100
WEEKDAY = "(MO|TU|WE|TH|FR|SA|SU)"
PARTS = {
    "FREQ": "(DAILY|WEEKLY|MONTHLY|YEARLY)",
    "INTERVAL": "[1-9][0-9]{0,3}",
    "COUNT": "[1-9][0-9]{0,4}",
    "UNTIL": "(19|2[0-9])[0-9]{6}(T[0-9]{6}Z?)?",
    "WKST": WEEKDAY,
    "BYDAY": f"([+-]?[1-9][0-9]?)?{WEEKDAY}(,([+-]?[1-9][0-9]?)?{WEEKDAY})*",
}
"""What a rule may say, and how, beside numbers."""
NUMBERS = {"BYMONTH": 12, "BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYSETPOS": 366}
"""Lists of numbers up to these; all but months may also count from the end."""


class Occurrence(NamedTuple):
    day: date
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Recurrence:
    """From starts_at, by the clocks of the zone, for so many minutes, on the days of a rule from the first to the last.

    rule: an RRULE's value, of days and longer. left_out: on these days it is not held.

    Raises:
        ValueError: says what is wrong with the rule.
    """

    rule: str
    first_day: date
    last_day: date | None
    starts_at: time
    minutes: int
    zone: ZoneInfo
    left_out: Collection[date] = ()

    def __post_init__(self) -> None:
        self._starts()

    def days(self, from_day: date, to_day: date) -> Iterator[date]:
        """Its days between two, both included."""
        last = min(to_day, self.last_day or to_day)
        for day in takewhile(lambda day: day <= last, self._starts()):
            if day >= from_day and day not in self.left_out:
                yield day

    def occurrences(self, from_day: date, to_day: date) -> list[Occurrence]:
        """Those that begin between two days, both included; one that crosses midnight belongs to its first day."""
        return [Occurrence(day, *self._times(day)) for day in self.days(from_day, to_day)]

    def from_day_on(self, day: date) -> Self:
        """What is left of it on one of its days: a COUNT counts what is still to come."""
        rule = self.rule
        if "COUNT" in (parts := _parts(rule)):
            gone = sum(1 for _ in takewhile(lambda earlier: earlier < day, self._starts()))
            rule = _text(parts | {"COUNT": str(max(int(parts["COUNT"]) - gone, 1))})
        return replace(self, rule=rule, first_day=day)

    def _times(self, day: date) -> tuple[datetime, datetime]:
        """In UTC. What the clocks skip is moved forward as they were; what they show twice is the first."""
        local = datetime.combine(day, self.starts_at)
        lasts = timedelta(minutes=self.minutes)
        begins, ends = (moment.replace(tzinfo=self.zone).astimezone(UTC) for moment in (local, local + lasts))
        # a beginning that the clocks skip may be moved past the end
        return begins, ends if ends > begins else begins + lasts

    def _starts(self) -> Iterator[date]:
        """The rule's days, whether or not it is held on them."""
        # Looking for days that never come goes on until the year 9999: begin as near to it as the calendar allows
        later = (MAXYEAR - A_CENTURY - self.first_day.year) // CYCLE * CYCLE
        parts = _parts(self.rule)
        if "UNTIL" in parts:
            until = self._until(parts.pop("UNTIL"))
            if until.year <= self.first_day.year + A_CENTURY:
                parts["UNTIL"] = f"{_shifted(until, later):%Y%m%dT%H%M%S}"
        begin = _shifted(datetime.combine(self.first_day, self.starts_at), later)
        starts = rrulestr(_text(parts), dtstart=begin)
        return (_shifted(start, -later).date() for start in starts)

    def _until(self, text: str) -> datetime:
        """By the clocks of the zone; a day is meant until its end."""
        if len(text) == len("YYYYMMDD"):
            return datetime.strptime(f"{text}T235959", "%Y%m%dT%H%M%S")  # noqa: DTZ007 - what the clocks show
        until = datetime.strptime(text.removesuffix("Z"), "%Y%m%dT%H%M%S")  # noqa: DTZ007
        is_utc = text.endswith("Z")
        return until.replace(tzinfo=UTC).astimezone(self.zone).replace(tzinfo=None) if is_utc else until


def _parts(rule: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for part in rule.upper().split(";"):
        name, _, value = part.partition("=")
        if name in parts or not (re.fullmatch(PARTS[name], value) if name in PARTS else _are_numbers(name, value)):
            raise ValueError(f"the rule's part {part} cannot be used")
        parts[name] = value
    if "FREQ" not in parts or parts.keys() >= {"COUNT", "UNTIL"}:
        raise ValueError("a rule has a FREQ, and not both COUNT and UNTIL")
    most = 53 if parts["FREQ"] == "YEARLY" and "BYMONTH" not in parts else 5
    if any(int(number) > most for number in re.findall("[0-9]+", parts.get("BYDAY", ""))):
        raise ValueError(f"the rule's BYDAY counts weekdays up to {most} there")
    return parts


def _are_numbers(name: str, value: str) -> bool:
    sign = "" if name == "BYMONTH" else "[+-]?"
    is_list = re.fullmatch(f"{sign}[0-9]{{1,3}}(,{sign}[0-9]{{1,3}})*", value)
    return bool(is_list) and all(1 <= abs(int(n)) <= NUMBERS.get(name, 0) for n in value.split(","))


def _text(parts: dict[str, str]) -> str:
    return ";".join(f"{name}={value}" for name, value in parts.items())


def _shifted(moment: datetime, years: int) -> datetime:
    """By whole cycles, so that the day is there."""
    return moment.replace(year=moment.year + years)
