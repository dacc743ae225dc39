"""Calls that may be repeated, with what was answered to them."""

from __future__ import annotations

import uuid

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.dialects.mysql import MEDIUMBLOB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import SECRET, Base, Tenant, table_args


class RepeatableCall(Tenant, Base):
    """A call with an Idempotency-Key."""

    __tablename__ = "repeatable_calls"
    audited = False
    erased_with = ("user_id",)
    __table_args__ = table_args(UniqueConstraint("organisation_id", "user_id", "key"), Index(None, "created_at"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    key: Mapped[str] = mapped_column(String(255))
    call_hash: Mapped[str] = mapped_column(String(64))
    """SHA-256, in hexadecimal, of the method, the path and the body: the key of another call is refused."""
    status: Mapped[int | None]
    """Of the answer; NULL while the call is being done."""
    headers: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    body: Mapped[bytes | None] = mapped_column(
        LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb"), info=SECRET
    )
