"""Timetables, from which sessions are made, and the addresses at which calendars fetch them."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import SECRET, Base, Tenant, table_args


class Timetable(Tenant, Base):
    """When sessions recur (RFC 5545), as the clocks show it where they are held."""

    __tablename__ = "timetables"
    __table_args__ = table_args(Index(None, "organisation_id", "class_id"))

    class_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("classes.id"))
    subject_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subjects.id"))
    department_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("departments.id"))
    is_event: Mapped[bool] = mapped_column(default=False)
    term_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("terms.id"))
    """Within whose days sessions are held."""
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    first_day: Mapped[date]
    last_day: Mapped[date | None]
    """The last on which a session may begin; None: as long as the rule or the term goes on."""
    starts_at: Mapped[time]
    minutes: Mapped[int]
    """How long a session lasts, by the clock: from 22:00, 480 minutes end at 6:00, whether or not it changed."""
    rule: Mapped[str] = mapped_column(String(500))
    """An RRULE's value, such as FREQ=WEEKLY;BYDAY=MO,WE."""
    left_out: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Days (ISO 8601) on which no session is held: EXDATE."""
    on_holidays: Mapped[bool] = mapped_column(default=False)
    cancelled_from: Mapped[date | None]
    """From this day on no session is held: those that had been made are cancelled."""
    time_zone: Mapped[str] = mapped_column(String(64))
    policy: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    created_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class CalendarFeed(Tenant, Base):
    """A secret address at which a calendar program fetches a person's or a class's sessions."""

    __tablename__ = "calendar_feeds"
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "user_id"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    """Whose sessions they are; with class_id, who may see that class."""
    class_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("classes.id"))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    """SHA-256, in hexadecimal."""
    revoked_at: Mapped[datetime | None]
