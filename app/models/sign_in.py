"""How people get in: sign-ins, mailed links, second factors, API keys, identities at other providers."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import NOISE, SECRET, Base, Tenant, table_args
from app.models.people import Role, enum_of


class SignIn(Tenant, Base):
    """One device on which a person signed in; ending it makes its tokens worthless at once."""

    __tablename__ = "sign_ins"
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "user_id"), Index(None, "expires_at"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    device: Mapped[str] = mapped_column(String(255))
    address: Mapped[str] = mapped_column(String(45))
    expires_at: Mapped[datetime] = mapped_column(info=NOISE)
    last_used_at: Mapped[datetime] = mapped_column(info=NOISE)
    """When it began, or was last refreshed."""
    refreshes: Mapped[int] = mapped_column(default=0, info=NOISE)
    """Which of its refresh tokens is the one that works: an earlier one was used before."""
    ended_at: Mapped[datetime | None]


class LinkKind(StrEnum):
    RESET = "reset_password"
    INVITATION = "invitation"
    EMAIL = "confirm_email"


class Link(Tenant, Base):
    """A single-use link that was mailed to somebody."""

    __tablename__ = "links"
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "email"), Index(None, "expires_at"))

    kind: Mapped[LinkKind] = mapped_column(enum_of(LinkKind))
    token_hash: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    """SHA-256 of the token, in hexadecimal; the token itself is only in the mail."""
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    email: Mapped[str] = mapped_column(String(254))
    role: Mapped[Role | None] = mapped_column(enum_of(Role))
    """Of who accepts an invitation."""
    invited_by: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str | None] = mapped_column(String(200))
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]


class SecondFactor(Tenant, Base):
    """A TOTP generator (RFC 6238) and what helps when it is lost."""

    __tablename__ = "second_factors"
    erased_with = ("user_id",)

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"), unique=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary(1024), info=SECRET)
    confirmed_at: Mapped[datetime | None]
    last_step: Mapped[int] = mapped_column(default=0, info=NOISE)
    """The 30-second step of the last code taken: none is taken twice."""
    recovery_hashes: Mapped[list[str]] = mapped_column(JSON, default=list, info=SECRET)


class ApiKey(Tenant, Base):
    """A script's own way in, with some of its owner's rights."""

    __tablename__ = "api_keys"
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "user_id"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(200))
    key_hash: Mapped[str] = mapped_column(String(64), unique=True, info=SECRET)
    hint: Mapped[str] = mapped_column(String(12))
    """The key's first characters, to tell it from others."""
    scopes: Mapped[list[str]] = mapped_column(JSON)
    expires_at: Mapped[datetime]
    last_used_at: Mapped[datetime | None] = mapped_column(info=NOISE)
    last_used_address: Mapped[str | None] = mapped_column(String(45), info=NOISE)
    revoked_at: Mapped[datetime | None]


class SingleSignOn(Tenant, Base):
    """An organisation's OpenID Connect provider."""

    __tablename__ = "single_sign_ons"
    __table_args__ = table_args(UniqueConstraint("organisation_id"))

    issuer: Mapped[str] = mapped_column(String(500))
    client_id: Mapped[str] = mapped_column(String(255))
    client_secret: Mapped[bytes] = mapped_column(LargeBinary(1024), info=SECRET)
    role_claim: Mapped[str] = mapped_column(String(100), default="groups")
    role_map: Mapped[dict[str, str]] = mapped_column(JSON, default=dict)
    default_role: Mapped[Role | None] = mapped_column(enum_of(Role))
    return_url: Mapped[str | None] = mapped_column(String(500))
    """Where the browser goes afterwards, with the tokens in the fragment."""
    is_enabled: Mapped[bool] = mapped_column(default=True)


class Identity(Tenant, Base):
    """A person's name at a provider: never changed by it, as an email may be."""

    __tablename__ = "identities"
    erased_with = ("user_id",)
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "issuer_hash", "subject"), Index(None, "organisation_id", "user_id")
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    issuer_hash: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(255))
