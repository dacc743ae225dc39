"""Gates: the devices at them, how people are known there, and who went in or out."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOISE, SECRET, Base, Tenant, table_args
from app.models.people import enum_of


class Direction(StrEnum):
    IN = "in"
    OUT = "out"


class Gate(Tenant, Base):
    """A device at one place, with a key of its own."""

    __tablename__ = "gates"
    __table_args__ = table_args(UniqueConstraint("organisation_id", "name"))

    name: Mapped[str] = mapped_column(String(200))
    direction: Mapped[Direction | None] = mapped_column(enum_of(Direction))
    """None: in and out by turns."""
    key_hash: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    """SHA-256, in hexadecimal."""
    hint: Mapped[str] = mapped_column(String(12))
    """The key's first characters, to tell it from others."""
    created_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    last_used_at: Mapped[datetime | None] = mapped_column(info=NOISE)
    revoked_at: Mapped[datetime | None]


class CredentialKind(StrEnum):
    BADGE = "badge"
    PIN = "pin"


class GateCredential(Tenant, Base):
    """A badge's number or a PIN by which a person is known at a gate."""

    __tablename__ = "gate_credentials"
    erased_with = ("user_id",)
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "kind", "value_hash"),
        UniqueConstraint("organisation_id", "user_id", "kind"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[CredentialKind] = mapped_column(enum_of(CredentialKind))
    value_hash: Mapped[str] = mapped_column(String(64), info=SECRET)
    """HMAC-SHA256, in hexadecimal, with the installation's key: so short a number's plain hash would tell it."""


class Passage(Tenant, Base):
    """Somebody went in or out: never changed."""

    __tablename__ = "passages"
    audited = False
    erased_with = ("user_id",)
    __table_args__ = table_args(
        Index(None, "organisation_id", "user_id", "at"),
        Index(None, "organisation_id", "day", "user_id"),
        Index(None, "organisation_id", "at"),
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    gate_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("gates.id"))
    direction: Mapped[Direction] = mapped_column(enum_of(Direction))
    at: Mapped[datetime]
    day: Mapped[date]
    """To which it counts, in the organisation's time zone: going out, that on which the person came in."""
    by: Mapped[str] = mapped_column(String(10))
    """face, badge or pin."""
    figures: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """The face's distance and confidence."""
