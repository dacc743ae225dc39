"""Organisations, their people, and where those are signed in."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Enum, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args


class Role(StrEnum):
    SUPER_ADMIN = "super_admin"
    ADMIN = "admin"
    TEACHER = "teacher"
    STUDENT = "student"
    EMPLOYEE = "employee"
    PARENT = "parent"


class UserStatus(StrEnum):
    ACTIVE = "active"
    INACTIVE = "inactive"
    SUSPENDED = "suspended"


def enum_of(values: type[StrEnum]) -> Enum:
    """A StrEnum kept as its text, so that a new value needs no migration."""
    return Enum(
        values, native_enum=False, create_constraint=False, length=20, values_callable=lambda e: [v.value for v in e]
    )


class Organisation(Base):
    __tablename__ = "organisations"

    name: Mapped[str] = mapped_column(String(200), unique=True)
    time_zone: Mapped[str] = mapped_column(String(64))
    registration_roles: Mapped[list[str]] = mapped_column(JSON, default=list)
    """Roles that people may register with by themselves; none: registration is closed."""
    is_default: Mapped[bool | None] = mapped_column(unique=True)
    """True for the organisation of those who name none, else NULL: so there is at most one."""


class User(Tenant, Base):
    __tablename__ = "users"
    __table_args__ = table_args(Index(None, "organisation_id", "role"))

    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str | None] = mapped_column(String(60))
    first_name: Mapped[str] = mapped_column(String(100))
    last_name: Mapped[str] = mapped_column(String(100), default="")
    role: Mapped[Role] = mapped_column(enum_of(Role))
    status: Mapped[UserStatus] = mapped_column(enum_of(UserStatus), default=UserStatus.ACTIVE)
    phone: Mapped[str | None] = mapped_column(String(40))
    avatar: Mapped[str | None] = mapped_column(String(2000))

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()


class SignIn(Tenant, Base):
    """One device on which a person signed in; ending it makes its tokens worthless at once."""

    __tablename__ = "sign_ins"
    __table_args__ = table_args(Index(None, "organisation_id", "user_id"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    device: Mapped[str] = mapped_column(String(255))
    address: Mapped[str] = mapped_column(String(45))
    expires_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


def split_name(name: str) -> dict[str, Any]:
    """First and last name of a full one; joined again they give the same name, whatever the culture's order."""
    first, _, last = " ".join(name.split()).rpartition(" ")
    return {"first_name": first or last, "last_name": last if first else ""}
