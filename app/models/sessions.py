"""Sessions, and the record of each person in them."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args
from app.models.people import enum_of


class Status(StrEnum):
    PRESENT = "present"
    LATE = "late"
    ABSENT = "absent"
    EXCUSED = "excused"
    LEAVE = "leave"


class Session(Tenant, Base):
    __tablename__ = "sessions"
    __table_args__ = table_args(Index(None, "organisation_id", "class_id", "session_date"))

    class_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("classes.id"))
    name: Mapped[str] = mapped_column(String(200))
    session_date: Mapped[date]
    """The day in the organisation's time zone."""
    created_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class Record(Tenant, Base):
    __tablename__ = "records"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "session_id", "student_id"),
        Index(None, "organisation_id", "student_id"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sessions.id"))
    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    status: Mapped[Status] = mapped_column(enum_of(Status))
    marked_at: Mapped[datetime]
    marked_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
