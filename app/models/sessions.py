"""Sessions, the record of each person in them, and every check-in that was tried."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args
from app.models.people import enum_of


class Status(StrEnum):
    PRESENT = "present"
    LATE = "late"
    ABSENT = "absent"
    EXCUSED = "excused"
    LEAVE = "leave"


class Source(StrEnum):
    """How a record came to be."""

    MANUAL = "manual"
    CHECK_IN = "check_in"
    CLOSE = "close"
    """Nobody had marked the person when the session was closed."""


class Verification(StrEnum):
    VERIFIED = "verified"
    PENDING = "pending"
    REJECTED = "rejected"


class Session(Tenant, Base):
    """A time in which attendance is taken: of a class, of a subject, or of the whole organisation."""

    __tablename__ = "sessions"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "key"),
        Index(None, "organisation_id", "class_id", "session_date"),
        Index(None, "organisation_id", "subject_id", "session_date"),
        Index(None, "organisation_id", "ends_at"),
    )

    class_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("classes.id"))
    subject_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subjects.id"))
    key: Mapped[str | None] = mapped_column(String(80))
    """Of one that marking a class or a subject on a day has made: two who mark at once make one."""
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    session_date: Mapped[date]
    """The day in the organisation's time zone; of one that crosses midnight, its first."""
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    """Both or none: without them it is marked by hand, and nobody checks in."""
    closed_at: Mapped[datetime | None]
    """Once it is over: whoever was expected and had no record has got one."""
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    radius: Mapped[int | None]
    """In metres; whoever checks in is there, where a place is given."""
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
    source: Mapped[Source] = mapped_column(enum_of(Source), default=Source.MANUAL)
    verification: Mapped[Verification] = mapped_column(enum_of(Verification), default=Verification.VERIFIED)
    checked_in_at: Mapped[datetime | None]
    checked_out_at: Mapped[datetime | None]
    forgot_to_check_out: Mapped[bool] = mapped_column(default=False)
    """Then checked_out_at is the session's end."""
    distance: Mapped[float | None] = mapped_column(Double)
    """From the session's place when checking in, in metres."""
    remarks: Mapped[str | None] = mapped_column(String(500))
    marked_at: Mapped[datetime]
    marked_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class Attempt(Tenant, Base):
    """A check-in or check-out that was tried, accepted or not, with its evidence: never changed."""

    __tablename__ = "attempts"
    audited = False
    erased_with = ("user_id",)
    __table_args__ = table_args(
        Index(None, "organisation_id", "session_id"),
        Index(None, "organisation_id", "user_id"),
        Index(None, "organisation_id", "created_at"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sessions.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(10))
    """in, or out."""
    refused: Mapped[str | None] = mapped_column(String(40))
    """The code of the refusal; NULL when it was accepted."""
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Each piece with its figure, and the position."""
    address: Mapped[str | None] = mapped_column(String(45))
    device: Mapped[str | None] = mapped_column(String(255))
