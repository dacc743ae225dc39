"""Leave: asked for by those who will not come, decided by staff."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, LargeBinary, String
from sqlalchemy.dialects.mysql import MEDIUMBLOB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import SECRET, Base, Tenant, table_args
from app.models.people import enum_of
from app.models.sessions import Status


class LeaveStatus(StrEnum):
    PENDING = "pending"
    APPROVED = "approved"
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"


class LeaveRequest(Tenant, Base):
    __tablename__ = "leave_requests"
    erased_with = ("user_id",)
    __table_args__ = table_args(
        Index(None, "organisation_id", "user_id", "last_day"), Index(None, "organisation_id", "status")
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    """Who will not come."""
    first_day: Mapped[date]
    last_day: Mapped[date]
    counts_as: Mapped[Status] = mapped_column(enum_of(Status))
    """excused, or leave."""
    reason: Mapped[str] = mapped_column(String(2000))
    status: Mapped[LeaveStatus] = mapped_column(enum_of(LeaveStatus), default=LeaveStatus.PENDING)
    requested_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    decided_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    decided_at: Mapped[datetime | None]
    decision_reason: Mapped[str | None] = mapped_column(String(500))


class LeaveAttachment(Tenant, Base):
    """A doctor's note or the like, encrypted: apart from its request, so that lists do not read it."""

    __tablename__ = "leave_attachments"
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "leave_request_id"))

    leave_request_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("leave_requests.id", ondelete="CASCADE"))
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(200))
    media_type: Mapped[str] = mapped_column(String(100))
    size: Mapped[int]
    """In bytes, before it was encrypted."""
    sealed: Mapped[bytes] = mapped_column(
        LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb"), deferred=True, info=SECRET
    )
