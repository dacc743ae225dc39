"""Sessions, the record of each person in them, every mark that it was given, and every check-in that was tried."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOISE, Base, Tenant, now, table_args
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
    OFFLINE = "offline"
    """A check-in that a phone made without network, and sent later."""
    FORCED = "forced"
    """Staff checked the person in, with a reason."""
    GATE = "gate"
    LEAVE = "leave"
    """An approved leave request covers it."""
    CLOSE = "close"
    """Nobody had marked the person when the session was closed."""


class Verification(StrEnum):
    VERIFIED = "verified"
    PENDING = "pending"
    """Something is uncertain, or looks like fraud: a teacher is to accept or reject it."""
    REJECTED = "rejected"


class Session(Tenant, Base):
    """A time in which attendance is taken: of a class, a subject, a department, or else of the whole organisation;
    or an event, which expects nobody and welcomes everybody."""

    __tablename__ = "sessions"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "key"),
        Index(None, "organisation_id", "class_id", "session_date"),
        Index(None, "organisation_id", "subject_id", "session_date"),
        Index(None, "organisation_id", "timetable_id", "session_date"),
        Index(None, "organisation_id", "session_date", "id"),
        Index(None, "organisation_id", "ends_at"),
        Index(None, "closed_at", "ends_at"),
        Index(None, "organisation_id", "counted_at", "session_date"),
    )

    class_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("classes.id"))
    subject_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subjects.id"))
    department_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("departments.id"))
    is_event: Mapped[bool] = mapped_column(default=False)
    timetable_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("timetables.id"))
    is_changed: Mapped[bool] = mapped_column(default=False)
    """It was changed by itself: its timetable changes it no more."""
    key: Mapped[str | None] = mapped_column(String(80))
    """Of one that marking a day, or a timetable, has made: two who do so at once make one."""
    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    session_date: Mapped[date]
    """The day in its time zone; of one that crosses midnight, its first."""
    starts_at: Mapped[datetime | None]
    ends_at: Mapped[datetime | None]
    """Both or none: without them it is marked by hand, and nobody checks in."""
    cancelled_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    """Once it is over: whoever was expected and had no record has got one."""
    reopened_at: Mapped[datetime | None]
    """When its closing was undone last: it stays open as long after this as after its end."""
    counted_at: Mapped[datetime | None] = mapped_column(info=NOISE)
    """Since when its records are in the day's counts (`services.counting`); None: they are counted when asked for."""
    record_gone_at: Mapped[datetime | None] = mapped_column(info=NOISE)
    """When a record of it was deleted last while it was open: who watches it begins anew."""
    policy: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What it decides otherwise than its class and its organisation (`services.policies`)."""
    created_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    changed_at: Mapped[datetime] = mapped_column(default=now, onupdate=now, info=NOISE)


class Record(Tenant, Base):
    __tablename__ = "records"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "session_id", "student_id"),
        Index(None, "organisation_id", "student_id"),
        Index(None, "organisation_id", "verification"),
        Index(None, "organisation_id", "marked_at"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sessions.id"))
    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    status: Mapped[Status] = mapped_column(enum_of(Status))
    code: Mapped[str | None] = mapped_column(String(20))
    """The organisation's own status, where one was given; it counts as `status`."""
    source: Mapped[Source] = mapped_column(enum_of(Source), default=Source.MANUAL)
    is_office: Mapped[bool] = mapped_column(default=False)
    """The office decided it, over what a teacher marks; every mark is kept (`RecordMark`)."""
    verification: Mapped[Verification] = mapped_column(enum_of(Verification), default=Verification.VERIFIED)
    flags: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Signs of fraud (`services.fraud`)."""
    checked_in_at: Mapped[datetime | None]
    checked_in_as: Mapped[Status | None] = mapped_column(enum_of(Status))
    """The status that checking in gave: who was rejected, and is accepted after all, gets it back."""
    checked_out_at: Mapped[datetime | None]
    forgot_to_check_out: Mapped[bool] = mapped_column(default=False)
    """Then checked_out_at is the session's end."""
    distance: Mapped[float | None] = mapped_column(Double)
    """From the session's place when checking in, in metres."""
    remarks: Mapped[str | None] = mapped_column(String(500))
    marked_at: Mapped[datetime]
    marked_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    reviewed_at: Mapped[datetime | None]
    reviewed_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    review_reason: Mapped[str | None] = mapped_column(String(500))
    changed_at: Mapped[datetime] = mapped_column(default=now, onupdate=now, info=NOISE)


class RecordMark(Tenant, Base):
    """A mark that somebody gave: the record holds the one that counts, these are all of them."""

    __tablename__ = "record_marks"
    audited = False
    erased_with = ("student_id",)
    __table_args__ = table_args(
        Index(None, "organisation_id", "record_id"), Index(None, "organisation_id", "created_at")
    )

    record_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("records.id", ondelete="CASCADE"))
    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    status: Mapped[Status] = mapped_column(enum_of(Status))
    code: Mapped[str | None] = mapped_column(String(20))
    source: Mapped[Source] = mapped_column(enum_of(Source))
    is_office: Mapped[bool] = mapped_column(default=False)
    remarks: Mapped[str | None] = mapped_column(String(500))
    reason: Mapped[str | None] = mapped_column(String(500))
    marked_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class Attempt(Tenant, Base):
    """A check-in or check-out that was tried, accepted or not, with its evidence: never changed."""

    __tablename__ = "attempts"
    audited = False
    erased_with = ("user_id",)
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "user_id", "client_id"),
        Index(None, "organisation_id", "session_id"),
        Index(None, "organisation_id", "user_id", "created_at"),
        Index(None, "organisation_id", "device_id", "created_at"),
        Index(None, "organisation_id", "created_at"),
    )

    session_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("sessions.id"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(10))
    """in, out, or forced."""
    refused: Mapped[str | None] = mapped_column(String(40))
    """The code of the refusal; NULL when it was accepted."""
    evidence: Mapped[dict[str, Any]] = mapped_column(JSON)
    """Each piece with its outcome and figures."""
    flags: Mapped[list[str]] = mapped_column(JSON, default=list)
    latitude: Mapped[float | None] = mapped_column(Double)
    longitude: Mapped[float | None] = mapped_column(Double)
    accuracy: Mapped[float | None] = mapped_column(Double)
    """In metres."""
    address: Mapped[str | None] = mapped_column(String(45))
    device: Mapped[str | None] = mapped_column(String(255))
    device_id: Mapped[str | None] = mapped_column(String(64))
    """The SHA-256, in hexadecimal, of what the phone calls itself."""
    client_id: Mapped[uuid.UUID | None]
    """The phone's own id of what it did without network: sent again, it is the same."""
    captured_at: Mapped[datetime | None]
    """When it was done without network, by the phone's clock set right."""
