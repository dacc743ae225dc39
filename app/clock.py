"""The one place that tells the time, so that a test can set it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo


def now() -> datetime:
    """This moment, aware, in UTC."""
    return datetime.now(UTC)


def today(time_zone: str) -> date:
    """Today's date where the organisation is (IANA name)."""
    return now().astimezone(ZoneInfo(time_zone)).date()
