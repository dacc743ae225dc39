"""Reports that are sent by mail, again and again."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOISE, Base, Tenant, table_args
from app.models.people import enum_of


class ReportKind(StrEnum):
    ORGANISATION = "organisation"
    CLASS = "class"
    STUDENT = "student"
    """Of each student by themself, to their parents."""


class Frequency(StrEnum):
    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"


class Weekday(StrEnum):
    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class ReportSchedule(Tenant, Base):
    """Which report is sent how often; the hour is as the clocks show it where the organisation is."""

    __tablename__ = "report_schedules"
    __table_args__ = table_args(Index(None, "organisation_id", "created_by_id"), Index(None, "due_at"))

    kind: Mapped[ReportKind] = mapped_column(enum_of(ReportKind))
    frequency: Mapped[Frequency] = mapped_column(enum_of(Frequency))
    weekday: Mapped[Weekday] = mapped_column(enum_of(Weekday), default=Weekday.MONDAY)
    """Of weekly ones."""
    day_of_month: Mapped[int] = mapped_column(default=1)
    """Of monthly ones."""
    hour: Mapped[int] = mapped_column(default=7)
    class_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("classes.id"))
    department: Mapped[str | None] = mapped_column(String(200))
    year: Mapped[str | None] = mapped_column(String(20))
    section: Mapped[str | None] = mapped_column(String(50))
    is_paused: Mapped[bool] = mapped_column(default=False)
    due_at: Mapped[datetime | None] = mapped_column(info=NOISE)
    """When it is sent next; None while it is paused."""
    last_period: Mapped[str | None] = mapped_column(String(21), info=NOISE)
    """The days that were sent last (ISO 8601: 2026-03-02/2026-03-08)."""
    asked: Mapped[int] = mapped_column(default=0, info=NOISE)
    """How often somebody had it sent beside its schedule, or made it another: each time everybody gets it anew."""
    created_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class ReportRecipient(Tenant, Base):
    """Whom a report is sent to, as long as they may see what it says."""

    __tablename__ = "report_recipients"
    erased_with = ("user_id",)
    __table_args__ = table_args(
        UniqueConstraint("report_schedule_id", "user_id"), Index(None, "organisation_id", "user_id")
    )

    report_schedule_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("report_schedules.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
