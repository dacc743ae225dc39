"""Who changed what: entries that are only ever added, each holding the hash of the one before."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import JSON, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args


class AuditEntry(Tenant, Base):
    """What is personal is hashed by itself, so that erasing a person can empty it without breaking the chain."""

    __tablename__ = "audit_entries"
    audited = False
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "sequence"),
        Index(None, "organisation_id", "person_id"),
        Index(None, "organisation_id", "actor_id"),
        Index(None, "organisation_id", "row_id"),
    )

    sequence: Mapped[int]
    """1, 2, 3, ... in each organisation."""
    actor_id: Mapped[uuid.UUID | None]
    """Who did it; no foreign key: the log outlives everybody."""
    action: Mapped[str] = mapped_column(String(40))
    entity: Mapped[str | None] = mapped_column(String(40))
    """The table."""
    row_id: Mapped[uuid.UUID | None]
    person_id: Mapped[uuid.UUID | None]
    """Whom the row is about."""
    request_id: Mapped[str | None] = mapped_column(String(64))
    content: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """before, after, reason, and a salt; NULL once the person is erased."""
    content_hash: Mapped[str] = mapped_column(String(64))
    origin: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """The actor's address and device, and a salt; NULL once the actor is erased, or the person where nobody had
    signed in."""
    origin_hash: Mapped[str] = mapped_column(String(64))
    hash: Mapped[str] = mapped_column(String(64))


class AuditChain(Tenant, Base):
    """The end of an organisation's chain: who adds to it locks this row, and nobody waits for anything after it."""

    __tablename__ = "audit_chains"
    audited = False
    __table_args__ = table_args(UniqueConstraint("organisation_id"))

    sequence: Mapped[int] = mapped_column(default=0)
    hash: Mapped[str] = mapped_column(String(64), default="")
