"""Organisations and their people."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, Enum, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.models.base import NOISE, SECRET, Base, Tenant, table_args
from app.models.structure import Department

NAME_LENGTH = 100


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
    PENDING = "pending"
    """Registered, and has yet to follow the link in the mail."""


def enum_of(values: type[StrEnum]) -> Enum:
    """A StrEnum kept as its text, so that a new value needs no migration."""
    return Enum(
        values, native_enum=False, create_constraint=False, length=20, values_callable=lambda e: [v.value for v in e]
    )


class Organisation(Base):
    __tablename__ = "organisations"

    name: Mapped[str] = mapped_column(String(200), unique=True)
    description: Mapped[str] = mapped_column(String(2000), default="")
    address: Mapped[str | None] = mapped_column(String(500))
    contact_email: Mapped[str | None] = mapped_column(String(254))
    contact_phone: Mapped[str | None] = mapped_column(String(40))
    time_zone: Mapped[str] = mapped_column(String(64))
    settings: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """What it decided otherwise than `services.organisation_settings` has it."""
    is_active: Mapped[bool] = mapped_column(default=True)
    is_default: Mapped[bool | None] = mapped_column(unique=True)
    """True for the organisation of those who name none, else NULL: so there is at most one."""
    external_id: Mapped[str | None] = mapped_column(String(255))
    """Its OneRoster sourcedId."""


class User(Tenant, Base):
    __tablename__ = "users"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "external_id"), Index(None, "organisation_id", "role", "status")
    )

    email: Mapped[str | None] = mapped_column(String(254), unique=True)
    email_verified_at: Mapped[datetime | None]
    username: Mapped[str | None] = mapped_column(String(100))
    password_hash: Mapped[str | None] = mapped_column(String(60), info=SECRET)
    first_name: Mapped[str] = mapped_column(String(NAME_LENGTH))
    last_name: Mapped[str] = mapped_column(String(NAME_LENGTH), default="")
    role: Mapped[Role] = mapped_column(enum_of(Role))
    status: Mapped[UserStatus] = mapped_column(enum_of(UserStatus), default=UserStatus.ACTIVE)
    phone: Mapped[str | None] = mapped_column(String(40))
    address: Mapped[str | None] = mapped_column(String(500))
    avatar: Mapped[str | None] = mapped_column(String(2000))
    department_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("departments.id"))
    inactive_on: Mapped[date | None]
    """The day, where the organisation is, from which on a person who is not active is not expected anywhere."""
    last_sign_in_at: Mapped[datetime | None] = mapped_column(info=NOISE)
    erased_at: Mapped[datetime | None]
    external_id: Mapped[str | None] = mapped_column(String(255))
    """What another system calls this person: a OneRoster sourcedId, or an import's own key."""

    department_row: Mapped[Department | None] = relationship(lazy="selectin", viewonly=True)

    @property
    def department(self) -> str | None:
        return self.department_row.name if self.department_row else None

    @property
    def name(self) -> str:
        return f"{self.first_name} {self.last_name}".strip()

    @property
    def is_active(self) -> bool:
        return self.status == UserStatus.ACTIVE

    @property
    def email_verified(self) -> bool:
        return self.email_verified_at is not None


class StudentProfile(Tenant, Base):
    __tablename__ = "student_profiles"
    erased_with = ("user_id",)
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "user_id"), UniqueConstraint("organisation_id", "roll_number")
    )

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    roll_number: Mapped[str | None] = mapped_column(String(50))
    year: Mapped[str | None] = mapped_column(String(20))
    section: Mapped[str | None] = mapped_column(String(50))
    gender: Mapped[str | None] = mapped_column(String(40))
    date_of_birth: Mapped[date | None]


class Guardian(Tenant, Base):
    """Who answers for a student; with an account of their own (parent_id) they see the student's data."""

    __tablename__ = "guardians"
    erased_with = (
        "student_id",
        "parent_id",
    )
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "student_id", "parent_id"), Index(None, "organisation_id", "parent_id")
    )

    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    parent_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(200))
    relationship: Mapped[str | None] = mapped_column(String(50))
    phone: Mapped[str | None] = mapped_column(String(40))
    email: Mapped[str | None] = mapped_column(String(254))


class EmergencyContact(Tenant, Base):
    __tablename__ = "emergency_contacts"
    erased_with = ("student_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "student_id"))

    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    name: Mapped[str] = mapped_column(String(200))
    relationship: Mapped[str | None] = mapped_column(String(50))
    phone: Mapped[str] = mapped_column(String(40))


def split_name(name: str) -> dict[str, Any]:
    """First and last name of a full one; joined again they give the same name, whatever the culture's order."""
    first, _, last = " ".join(name.split()).rpartition(" ")
    return {"first_name": first or last, "last_name": last if first else ""}
