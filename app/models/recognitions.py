"""Recognitions: what was seen on pictures of a class's room, kept for its teachers to confirm."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, Double, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.dialects.mysql import MEDIUMBLOB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import SECRET, Base, Tenant, table_args


class Recognition(Tenant, Base):
    """The counts are those of the confirmation, and stay when the faces are deleted."""

    __tablename__ = "recognitions"
    __table_args__ = table_args(
        Index(None, "organisation_id", "class_id", "taken_on"), Index(None, "organisation_id", "taken_on")
    )

    class_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("classes.id"))
    session_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("sessions.id"))
    """In which the confirmation marked who was there."""
    taken_on: Mapped[date]
    """The day in the organisation's time zone."""
    taken_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    sizes: Mapped[list[list[int]]] = mapped_column(JSON)
    """Width and height of each upright picture, in pixels."""
    confirmed_at: Mapped[datetime | None]
    confirmed_by_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    right: Mapped[int] = mapped_column(default=0)
    wrong: Mapped[int] = mapped_column(default=0)
    uncertain_right: Mapped[int] = mapped_column(default=0)
    uncertain_wrong: Mapped[int] = mapped_column(default=0)
    unknown: Mapped[int] = mapped_column(default=0)
    """Faces, over all pictures."""
    unseen: Mapped[int] = mapped_column(default=0)
    """Students with face data who were there, and whom no face was rightly matched with."""


class SeenFace(Tenant, Base):
    """A face on one of the pictures, and whose it is."""

    __tablename__ = "seen_faces"
    audited = False
    erased_with = ("student_id",)
    __table_args__ = table_args(
        UniqueConstraint("recognition_id", "image", "number"),
        Index(None, "organisation_id", "student_id"),
        Index(None, "organisation_id", "person_id"),
        Index(None, "organisation_id", "created_at"),
    )

    recognition_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("recognitions.id", ondelete="CASCADE"))
    image: Mapped[int]
    """Which of the pictures, from 0."""
    number: Mapped[int]
    """Which of the picture's faces, from 0."""
    left: Mapped[int]
    top: Mapped[int]
    width: Mapped[int]
    height: Mapped[int]
    outcome: Mapped[str] = mapped_column(String(20))
    """recognised, uncertain or unknown."""
    student_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """Whom it was matched with."""
    distance: Mapped[float | None] = mapped_column(Double)
    confidence: Mapped[float | None] = mapped_column(Double)
    figures: Mapped[dict[str, Any]] = mapped_column(JSON)
    """What was measured of the face itself."""
    is_right: Mapped[bool | None]
    """What the teacher says of the match."""
    person_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    """Who it is, as the teacher says; only who has face data is named here."""


class RecognitionPicture(Tenant, Base):
    """A picture of the room, encrypted, where the organisation keeps them: in rows of a size that every database takes
    in one statement (MariaDB by default 16 MB)."""

    __tablename__ = "recognition_pictures"
    audited = False
    __table_args__ = table_args(
        UniqueConstraint("recognition_id", "image", "part"), Index(None, "organisation_id", "created_at")
    )

    recognition_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("recognitions.id", ondelete="CASCADE"))
    image: Mapped[int]
    """Which of the pictures, from 0."""
    part: Mapped[int]
    sealed: Mapped[bytes] = mapped_column(
        LargeBinary().with_variant(MEDIUMBLOB(), "mysql", "mariadb"), deferred=True, info=SECRET
    )
