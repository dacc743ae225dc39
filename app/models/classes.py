"""Classes, who teaches them and who is in them."""

from __future__ import annotations

import uuid
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import SECRET, Base, Tenant, table_args
from app.models.people import enum_of


class TeacherRole(StrEnum):
    LEAD = "lead"
    ASSISTANT = "assistant"
    SUBSTITUTE = "substitute"


class Class(Tenant, Base):
    __tablename__ = "classes"
    __table_args__ = table_args(UniqueConstraint("organisation_id", "external_id"))

    name: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(String(2000), default="")
    join_code: Mapped[str] = mapped_column(String(6), unique=True, info=SECRET)
    subject_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("subjects.id"))
    term_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("terms.id"))
    is_active: Mapped[bool] = mapped_column(default=True)
    time_zone: Mapped[str | None] = mapped_column(String(64))
    """Where it is held; None: where the organisation is."""
    policy: Mapped[dict[str, Any]] = mapped_column(JSON, default=dict)
    """Of checking in to its sessions: what it decides otherwise than its organisation (`services.policies`)."""
    external_id: Mapped[str | None] = mapped_column(String(255))


class ClassTeacher(Tenant, Base):
    """Each of a class's teachers may take its attendance; the lead decides who they are."""

    __tablename__ = "class_teachers"
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "class_id", "teacher_id"), Index(None, "organisation_id", "teacher_id")
    )

    class_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("classes.id"))
    teacher_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    role: Mapped[TeacherRole] = mapped_column(enum_of(TeacherRole), default=TeacherRole.LEAD)
    external_id: Mapped[str | None] = mapped_column(String(255))


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
    """True, or NULL once over: NULLs are distinct, so the constraint allows one current enrolment and any past."""
    external_id: Mapped[str | None] = mapped_column(String(255))
