"""Webhooks: addresses of other systems that are told what happens, and everything that was sent there."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOISE, SECRET, Base, Tenant, table_args
from app.models.people import enum_of


class WebhookEvent(StrEnum):
    """What is sent, by the names that receivers know."""

    SESSION_CLOSED = "session.closed"
    SESSION_CHANGED = "session.changed"
    SESSION_CANCELLED = "session.cancelled"
    LEAVE_DECIDED = "leave.decided"
    ALERT_OPENED = "alert.opened"
    ALERT_CLOSED = "alert.closed"
    REPORT_READY = "report.ready"
    PING = "ping"
    """Somebody tries whether it arrives."""


class Webhook(Tenant, Base):
    __tablename__ = "webhooks"
    __table_args__ = table_args(Index(None, "organisation_id", "is_active"))

    url: Mapped[str] = mapped_column(String(1000))
    description: Mapped[str] = mapped_column(String(500), default="")
    events: Mapped[list[str]] = mapped_column(JSON)
    secret: Mapped[bytes] = mapped_column(LargeBinary(1024), info=SECRET)
    """Encrypted, as is the one before it, which signs as well until it ends."""
    old_secret: Mapped[bytes | None] = mapped_column(LargeBinary(1024), info=SECRET)
    old_secret_ends_at: Mapped[datetime | None]
    is_active: Mapped[bool] = mapped_column(default=True)
    failing_since: Mapped[datetime | None] = mapped_column(info=NOISE)
    """Since when nothing has arrived; None: the last did."""
    rests_until: Mapped[datetime | None] = mapped_column(info=NOISE)
    """Nothing is sent to it before, since it has just failed; None: the last arrived."""
    disabled_at: Mapped[datetime | None]
    """When it was turned off because nothing arrived."""
    disabled_reason: Mapped[str | None] = mapped_column(String(500))
    created_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class DeliveryStatus(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    DELIVERED = "delivered"
    FAILED = "failed"


class WebhookDelivery(Tenant, Base):
    """One event on its way to one webhook; its id is the message's, the same at each attempt."""

    __tablename__ = "webhook_deliveries"
    audited = False
    __table_args__ = table_args(
        UniqueConstraint("webhook_id", "event_id"),
        Index(None, "webhook_id", "status", "next_attempt_at"),
        Index(None, "organisation_id", "webhook_id", "created_at"),
        Index(None, "organisation_id", "created_at"),
    )

    webhook_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("webhooks.id", ondelete="CASCADE"))
    event: Mapped[WebhookEvent] = mapped_column(enum_of(WebhookEvent))
    event_id: Mapped[uuid.UUID]
    """Not a reference: an event is gone once everybody is told of it."""
    body: Mapped[str] = mapped_column(Text)
    """JSON, to the byte as it is signed and sent."""
    status: Mapped[DeliveryStatus] = mapped_column(enum_of(DeliveryStatus), default=DeliveryStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    """Those that were begun."""
    next_attempt_at: Mapped[datetime]
    """While it is sending: when the one who sends it counts as dead."""
    response_status: Mapped[int | None]
    response: Mapped[str | None] = mapped_column(String(500))
    """How the last answer begins."""
    duration: Mapped[int | None]
    """Of the last attempt, in milliseconds."""
    error: Mapped[str | None] = mapped_column(String(500))
    """Why the last attempt failed."""
    delivered_at: Mapped[datetime | None]
