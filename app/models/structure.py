"""What an organisation is divided into: departments, subjects, terms, and the days on which nothing is held."""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args


class Department(Tenant, Base):
    __tablename__ = "departments"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "name"), UniqueConstraint("organisation_id", "external_id")
    )

    name: Mapped[str] = mapped_column(String(200))
    code: Mapped[str | None] = mapped_column(String(50))
    external_id: Mapped[str | None] = mapped_column(String(255))


class Subject(Tenant, Base):
    __tablename__ = "subjects"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "code"), UniqueConstraint("organisation_id", "external_id")
    )

    name: Mapped[str] = mapped_column(String(200))
    code: Mapped[str | None] = mapped_column(String(50))
    credits: Mapped[float | None]
    department_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("departments.id"))
    teacher_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    external_id: Mapped[str | None] = mapped_column(String(255))


class Term(Tenant, Base):
    """An academic term, from its first day to its last."""

    __tablename__ = "terms"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "name"), UniqueConstraint("organisation_id", "external_id")
    )

    name: Mapped[str] = mapped_column(String(200))
    academic_year: Mapped[str | None] = mapped_column(String(20))
    first_day: Mapped[date]
    last_day: Mapped[date]
    external_id: Mapped[str | None] = mapped_column(String(255))


class Holiday(Tenant, Base):
    """Days on which no session is held, from the first to the last."""

    __tablename__ = "holidays"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "external_id"), Index(None, "organisation_id", "first_day")
    )

    name: Mapped[str] = mapped_column(String(200))
    first_day: Mapped[date]
    last_day: Mapped[date]
    external_id: Mapped[str | None] = mapped_column(String(255))
    """Its UID in the calendar that it was imported from."""
