"""What a day at the gates comes to: how long somebody was inside, and whether that is a full day, half of one, or none.

A passage counts to a day where the organisation is: coming in, to that on which it happens; going out, to that on
which the person came in, so that a night shift belongs to the day it began.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from sqlalchemy import or_

from app import clock
from app.extensions import db
from app.models import Direction, Passage, User
from app.services.caller import Caller
from app.services.organisation_settings import DayRules
from app.services.paging import Page, Paging, paginate
from app.services.sessions import Days
from app.services.students import visible_students

LONGEST_STAY = timedelta(hours=24)
"""Who goes out longer after coming in has gone out, and come in, unseen."""


class Part(StrEnum):
    FULL = "full"
    HALF = "half"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Passed:
    """Somebody went in or out, at an aware time."""

    direction: Direction
    at: datetime


@dataclass(frozen=True, slots=True)
class Presence:
    """open: the person came in and was not seen going out."""

    first_in: datetime | None
    last_out: datetime | None
    minutes: float
    open: bool


@dataclass(frozen=True, slots=True)
class DayView:
    person: User
    date: date
    presence: Presence
    part: Part

    @property
    def first_in(self) -> datetime | None:
        return self.presence.first_in

    @property
    def last_out(self) -> datetime | None:
        return self.presence.last_out

    @property
    def minutes(self) -> float:
        return self.presence.minutes

    @property
    def open(self) -> bool:
        return self.presence.open


@dataclass(frozen=True, slots=True)
class DayFilter:
    days: Days
    user_id: uuid.UUID | None = None
    department_id: uuid.UUID | None = None


def minutes_present(passages: Sequence[Passed], until: datetime | None) -> Presence:
    """How many minutes somebody was inside: the sum of the times from coming in to going out.

    passages: those that count to one day, in order. Who is seen coming in again was inside all the time, who is seen
    going out again was not: the first of each counts.
    until: up to when it counts that somebody came in and did not go out; None: that counts nothing.
    """
    first_in = next((p.at for p in passages if p.direction == Direction.IN), None)
    last_out = next((p.at for p in reversed(passages) if p.direction == Direction.OUT), None)
    inside, since = timedelta(), None
    for passage in passages:
        if passage.direction == Direction.IN:
            since = since or passage.at
        elif since:
            inside, since = inside + (passage.at - since), None
    if since and until:
        inside += max(until - since, timedelta())
    return Presence(first_in, last_out, inside.total_seconds() / 60, since is not None)


def roll_up(minutes: float, rule: DayRules) -> Part:
    """A full day from full_minutes on, half a day from half_minutes on."""
    if minutes >= rule.full_minutes:
        return Part.FULL
    return Part.HALF if minutes >= rule.half_minutes else Part.NONE


def counts_until(day: date, rule: DayRules, now: datetime, time_zone: str) -> datetime | None:
    """Until when a day counts for who came in and did not go out: today until now, later as the rule has it."""
    zone = ZoneInfo(time_zone)
    if day >= now.astimezone(zone).date():
        return now
    return datetime.combine(day, time.fromisoformat(rule.ends_at), zone) if rule.ends_at else None


def day_of(direction: Direction, at: datetime, last: Passage | None, time_zone: str) -> date:
    """The day to which a passage counts. last: the person's one before."""
    is_pair = last and (last.direction, direction) == (Direction.IN, Direction.OUT) and at - last.at <= LONGEST_STAY
    return last.day if last and is_pair else at.astimezone(ZoneInfo(time_zone)).date()


def list_days(caller: Caller, wanted: DayFilter, paging: Paging) -> Page[DayView]:
    """Each day of each person who came in at a gate: staff see everybody's, parents their children's, all their own."""
    came = caller.rows(Passage, Passage.user_id, Passage.day).where(
        Passage.direction == Direction.IN, wanted.days.condition(Passage.day)
    )
    if wanted.user_id:
        came = came.where(Passage.user_id == wanted.user_id)
    if not caller.is_staff:
        seen = visible_students(caller, User.id)
        came = came.where(or_(Passage.user_id.in_(seen), Passage.user_id == caller.user_id))
    days = came.distinct().subquery()
    query = caller.rows(User, User, days.c.day).join(days, days.c.user_id == User.id)
    if wanted.department_id:
        query = query.where(User.department_id == wanted.department_id)
    columns = {"id": User.id, "date": days.c.day, "last_name": User.last_name, "first_name": User.first_name}
    page = paginate(query, replace(paging, sort=(*paging.sort, "date")), columns)
    return page.of(_views(caller, [(person, day) for person, day in page.items]))


def _views(caller: Caller, of: Sequence[tuple[User, date]]) -> list[DayView]:
    # not by pairs, nor in order of time: for either SQLite would read all that the organisation has
    query = caller.rows(Passage, Passage.user_id, Passage.day, Passage.direction, Passage.at).where(
        Passage.user_id.in_({person.id for person, _ in of}), Passage.day.in_({day for _, day in of})
    )
    passed = defaultdict[tuple[uuid.UUID, date], list[Passed]](list)
    for row in sorted(db.session.execute(query), key=lambda row: row.at):
        passed[row.user_id, row.day].append(Passed(row.direction, row.at))
    rule, now = caller.settings.day, clock.now()
    views = []
    for person, day in of:
        presence = minutes_present(passed[person.id, day], counts_until(day, rule, now, caller.time_zone))
        views.append(DayView(person, day, presence, roll_up(presence.minutes, rule)))
    return views
