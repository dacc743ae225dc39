"""Mail on its way out."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args
from app.models.people import enum_of


class MailStatus(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"
    """Whether it was sent cannot be known: the server, or ours, went down while it was handed over."""
    WITHDRAWN = "withdrawn"
    """What it told of was no longer so, before it was sent."""


class Mail(Tenant, Base):
    """One message to one address; some are the system's own, of no organisation."""

    __tablename__ = "mails"
    audited = False
    erased_with = ("user_id",)
    __table_args__ = table_args(
        Index(None, "organisation_id", "created_at"),
        Index(None, "status", "next_attempt_at"),
    )

    organisation_id: Mapped[uuid.UUID | None] = mapped_column(  # type: ignore[assignment]
        ForeignKey("organisations.id"), sort_order=-1
    )
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """Whom it is for, as far as that is known: an address changes."""
    key: Mapped[str | None] = mapped_column(String(200), unique=True)
    """What is to be sent once, however often it is posted."""
    template: Mapped[str] = mapped_column(String(40))
    recipient: Mapped[str] = mapped_column(String(254))
    sender: Mapped[str] = mapped_column(String(320))
    reply_to: Mapped[str | None] = mapped_column(String(254))
    subject: Mapped[str] = mapped_column(String(400))
    text: Mapped[str] = mapped_column(Text)
    html: Mapped[str] = mapped_column(Text)
    status: Mapped[MailStatus] = mapped_column(enum_of(MailStatus), default=MailStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    next_attempt_at: Mapped[datetime]
    """While it is sending: when it counts as uncertain."""
    sent_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(500))
    """What the mail server said, or why there is none."""
