"""School life beside attendance: marks, behaviour, participation, and who teaches what to whom."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from enum import StrEnum

from sqlalchemy import Double, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args
from app.models.people import enum_of


class Assessment(Tenant, Base):
    """What one student scored in a quiz, a test, an exam, an assignment or whatever else the organisation has."""

    __tablename__ = "assessments"
    erased_with = ("student_id",)
    __table_args__ = table_args(
        Index(None, "organisation_id", "student_id", "taken_on"),
        Index(None, "organisation_id", "subject_id", "taken_on"),
        Index(None, "organisation_id", "taken_on", "id"),
        Index(None, "organisation_id", "class_id", "taken_on"),
    )

    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    subject_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subjects.id"))
    class_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("classes.id"))
    kind: Mapped[str] = mapped_column(String(40))
    """One of the organisation's assessment types."""
    title: Mapped[str | None] = mapped_column(String(200))
    score: Mapped[float] = mapped_column(Double)
    """From 0 to max_score."""
    max_score: Mapped[float] = mapped_column(Double)
    weight: Mapped[float] = mapped_column(Double, default=1.0)
    """In averages."""
    taken_on: Mapped[date]
    term: Mapped[str | None] = mapped_column(String(200))
    """By name: an organisation need not have its terms here."""
    academic_year: Mapped[str | None] = mapped_column(String(20))
    notes: Mapped[str | None] = mapped_column(String(2000))
    recorded_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class BehaviourKind(StrEnum):
    POSITIVE = "positive"
    NEGATIVE = "negative"


class BehaviourNote(Tenant, Base):
    __tablename__ = "behaviour_notes"
    erased_with = ("student_id",)
    __table_args__ = table_args(
        Index(None, "organisation_id", "student_id", "happened_on"), Index(None, "organisation_id", "happened_on")
    )

    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[BehaviourKind] = mapped_column(enum_of(BehaviourKind))
    category: Mapped[str] = mapped_column(String(100))
    notes: Mapped[str] = mapped_column(String(2000), default="")
    happened_on: Mapped[date]
    class_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("classes.id"))
    is_visible_to_family: Mapped[bool] = mapped_column(default=False)
    """Whether the student and their parents see it."""
    follow_up: Mapped[str | None] = mapped_column(String(2000))
    """What is to be done."""
    follow_up_on: Mapped[date | None]
    followed_up_at: Mapped[datetime | None]
    teacher_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    """Who wrote it."""


class ParticipationStatus(StrEnum):
    REGISTERED = "registered"
    PARTICIPATED = "participated"
    ABSENT = "absent"
    EXCUSED = "excused"


class Participation(Tenant, Base):
    """One student in an event or activity: a competition, a play, a club."""

    __tablename__ = "participations"
    erased_with = ("student_id",)
    __table_args__ = table_args(
        UniqueConstraint("organisation_id", "student_id", "held_on", "event"),
        Index(None, "organisation_id", "held_on"),
    )

    student_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    event: Mapped[str] = mapped_column(String(200))
    held_on: Mapped[date]
    status: Mapped[ParticipationStatus] = mapped_column(
        enum_of(ParticipationStatus), default=ParticipationStatus.PARTICIPATED
    )
    remarks: Mapped[str | None] = mapped_column(String(2000))
    recorded_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class TeacherAssignment(Tenant, Base):
    """Who teaches which subject to which class in which term."""

    __tablename__ = "teacher_assignments"
    __table_args__ = table_args(
        UniqueConstraint(
            "organisation_id", "class_id", "subject_id", "term_id", "teacher_id", name="uq_teacher_assignments"
        ),
        Index(None, "organisation_id", "teacher_id"),
    )

    teacher_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    subject_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("subjects.id"))
    class_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("classes.id"))
    term_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("terms.id"))


class SentMessage(Tenant, Base):
    """What somebody wrote to people, of whom each is told by a notification."""

    __tablename__ = "messages"
    audited = False
    erased_with = ("sender_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "sender_id", "id"))

    sender_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    subject: Mapped[str] = mapped_column(String(200))
    text: Mapped[str] = mapped_column(String(5000))
    people: Mapped[int]
    """To how many it went."""
