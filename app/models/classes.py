"""Classes and who is in them."""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args


class Class(Tenant, Base):
    __tablename__ = "classes"
    __table_args__ = table_args(Index(None, "organisation_id", "teacher_id"))

    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    join_code: Mapped[str] = mapped_column(String(6), unique=True)
    teacher_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class Enrolment(Tenant, Base):
    """A student in a class from one day (inclusive) to another (exclusive), in the organisation's time zone."""

    __tablename__ = "enrolments"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "class_id", "student_id", "is_current"),
        Index(None, "organisation_id", "student_id", "is_current"),
    )

    class_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("classes.id"))
    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    starts_on: Mapped[date]
    ends_on: Mapped[date | None]
    is_current: Mapped[bool | None] = mapped_column(default=True)
    """True, or NULL once left: NULLs are distinct, so the constraint allows one current enrolment and any past."""
