"""Exports that were made as jobs, to be fetched for a day."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.dialects.mysql import MEDIUMBLOB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOISE, SECRET, Base, Tenant, table_args


class Export(Tenant, Base):
    """A file of records, for who has asked for it; the audit log keeps who did, and for what."""

    __tablename__ = "exports"
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "expires_at"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    format: Mapped[str] = mapped_column(String(10))
    wanted: Mapped[dict[str, Any]] = mapped_column(JSON)
    """The filters."""
    rows: Mapped[int] = mapped_column(default=0, info=NOISE)
    size: Mapped[int | None] = mapped_column(BigInteger, info=NOISE)
    """In bytes; None while it is being written."""
    expires_at: Mapped[datetime] = mapped_column(info=NOISE)


class ExportPart(Tenant, Base):
    """A piece of the file, encrypted, in rows of a size that every database takes in one statement."""

    __tablename__ = "export_parts"
    audited = False
    __table_args__ = table_args(UniqueConstraint("export_id", "number"))

    export_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("exports.id", ondelete="CASCADE"))
    number: Mapped[int]
    sealed: Mapped[bytes] = mapped_column(LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb"), info=SECRET)
