"""Alerts: students of whom staff are to know that they are at risk."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOISE, Base, Tenant, table_args
from app.models.people import enum_of


class AlertKind(StrEnum):
    LOW_ATTENDANCE = "low_attendance"
    LOW_MARKS = "low_marks"
    BEHAVIOUR = "behaviour"
    CONSECUTIVE_ABSENCES = "consecutive_absences"


class Alert(Tenant, Base):
    """One reason for which a student is at risk, from when it is found until it holds no more."""

    __tablename__ = "alerts"
    erased_with = ("student_id",)
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "student_id", "kind", "is_open"),
        Index(None, "organisation_id", "is_open", "kind", "opened_at"),
        Index(None, "organisation_id", "opened_at", "id"),
    )

    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[AlertKind] = mapped_column(enum_of(AlertKind))
    figures: Mapped[dict[str, Any]] = mapped_column(JSON, info=NOISE)
    """value, threshold, count and days, as when it held last."""
    opened_at: Mapped[datetime]
    acknowledged_at: Mapped[datetime | None]
    acknowledged_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    note: Mapped[str | None] = mapped_column(String(2000))
    """By whoever acknowledged it."""
    closed_at: Mapped[datetime | None]
    is_open: Mapped[bool | None] = mapped_column(default=True)
    """True, or NULL once closed: NULLs are distinct, so the constraint allows one open alert and any before."""
