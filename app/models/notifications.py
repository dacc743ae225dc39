"""What people and other systems are to be told of."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args
from app.models.people import enum_of


class EventKind(StrEnum):
    SESSION_CLOSED = "session_closed"
    SESSION_CHANGED = "session_changed"
    SESSION_CANCELLED = "session_cancelled"
    ABSENCES_DUE = "absences_due"
    """A session's absences are old enough to be told of."""
    CHANGES_DUE = "changes_due"
    """What was changed of a session by itself, or cancelled, has stood for long enough to be told of."""
    LEAVE_DECIDED = "leave_decided"
    ALERT_OPENED = "alert_opened"
    ALERT_CLOSED = "alert_closed"
    REPORT_READY = "report_ready"


class Event(Tenant, Base):
    """Something that happened, kept in the transaction in which it did, until everybody concerned is told of it."""

    __tablename__ = "events"
    audited = False
    __table_args__ = table_args(Index(None, "due_at"), Index(None, "organisation_id", "kind", "about_id"))

    kind: Mapped[EventKind] = mapped_column(enum_of(EventKind))
    about_id: Mapped[uuid.UUID]
    """The session, leave request, alert or job."""
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    due_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(default=0)


class NotificationKind(StrEnum):
    ABSENCE = "absence"
    ABSENCES_IN_A_ROW = "absences_in_a_row"
    LEAVE_DECIDED = "leave_decided"
    SESSION_CHANGED = "session_changed"
    SESSION_CANCELLED = "session_cancelled"
    AT_RISK = "at_risk"
    REPORT_READY = "report_ready"
    MESSAGE = "message"


class Mailing(StrEnum):
    """When a notification is mailed; in the app it is there at once."""

    AT_ONCE = "at_once"
    DAILY = "daily"
    NEVER = "never"


class Notification(Tenant, Base):
    """What one person is to know. It is put into words when it is read, in their language of that moment."""

    __tablename__ = "notifications"
    audited = False
    erased_with = ("user_id", "student_id")
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "key"),
        Index(None, "organisation_id", "user_id", "id"),
        Index(None, "organisation_id", "user_id", "read_at"),
        Index(None, "organisation_id", "student_id"),
        Index(None, "organisation_id", "about_id"),
        Index(None, "organisation_id", "created_at"),
        Index(None, "mail_due_at"),
        Index(None, "mail_id"),
    )

    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """None: a guardian who has no account."""
    address: Mapped[str | None] = mapped_column(String(254))
    """That guardian's."""
    kind: Mapped[NotificationKind] = mapped_column(enum_of(NotificationKind))
    key: Mapped[str] = mapped_column(String(200))
    """Of what they are told once, however often it is found out."""
    student_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """Whom it is about."""
    about_id: Mapped[uuid.UUID | None]
    """The session, record, leave request, alert or job that it is about."""
    data: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What its words are made from."""
    read_at: Mapped[datetime | None]
    mail_due_at: Mapped[datetime | None]
    """When it is to be mailed; None: it was, or is not to be."""
    is_digest: Mapped[bool] = mapped_column(default=False)
    """It is mailed together with the day's others."""
    mail_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("mails.id", ondelete="SET NULL"))
    """The mail, or the digest, that it was sent in."""


class TimeFormat(StrEnum):
    H12 = "12h"
    H24 = "24h"


class UserSettings(Tenant, Base):
    """What somebody has chosen for themself."""

    __tablename__ = "user_settings"
    erased_with = ("user_id",)
    __table_args__ = table_args(UniqueConstraint("organisation_id", "user_id"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    language: Mapped[str | None] = mapped_column(String(20))
    """None: the organisation's."""
    time_format: Mapped[TimeFormat | None] = mapped_column(enum_of(TimeFormat))
    """None: as it is usual in the language."""
    notifications: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    """When they are mailed of each kind, where they have chosen."""


class NotificationTemplate(Tenant, Base):
    """How an organisation words notifications of a kind in a language, instead of as they are built in."""

    __tablename__ = "notification_templates"
    __table_args__ = table_args(UniqueConstraint("organisation_id", "kind", "language"))

    kind: Mapped[NotificationKind] = mapped_column(enum_of(NotificationKind))
    language: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(400))
    text: Mapped[str] = mapped_column(String(5000))
