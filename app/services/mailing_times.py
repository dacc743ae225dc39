"""When notifications are mailed: after the quiet hours, or with the day's others. All times are UTC; an organisation's
times of day are by the clocks where it is, also on days on which those are changed."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from app import clock
from app.services.caller import Caller


def after_quiet_hours(caller: Caller, at: datetime) -> datetime:
    """The end of the quiet hours that this moment is in, else the moment itself."""
    decided = caller.settings.notifications
    if decided.quiet_from is None or decided.quiet_until is None:
        return at
    crosses_midnight = decided.quiet_until <= decided.quiet_from
    today = at.astimezone(ZoneInfo(caller.time_zone)).date()
    for day in (today - timedelta(days=1), today):
        begin = _moment(caller, day, decided.quiet_from)
        end = _moment(caller, day + timedelta(days=crosses_midnight), decided.quiet_until)
        if begin <= at < end:
            return end
    return at


def is_quiet(caller: Caller) -> bool:
    return after_quiet_hours(caller, clock.now()) > clock.now()


def next_digest(caller: Caller, after: datetime) -> datetime:
    """When the first daily mail after this moment is due."""
    today = after.astimezone(ZoneInfo(caller.time_zone)).date()
    due = _moment(caller, today, caller.settings.notifications.digest_at)
    if due > after:
        return due
    return _moment(caller, today + timedelta(days=1), caller.settings.notifications.digest_at)


def _moment(caller: Caller, day: date, at: str) -> datetime:
    return datetime.combine(day, time.fromisoformat(at), ZoneInfo(caller.time_zone)).astimezone(UTC)
