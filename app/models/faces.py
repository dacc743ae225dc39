"""What is kept of faces: the consent, and the encrypted templates that stand on it."""

from __future__ import annotations

import uuid

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args


class ConsentText(Tenant, Base):
    """What an organisation has people consent to, in its own words; never changed: the newest counts."""

    __tablename__ = "consent_texts"
    __table_args__ = table_args(UniqueConstraint("organisation_id", "number"))

    number: Mapped[int]
    """1, 2, 3, ... in each organisation."""
    text: Mapped[str] = mapped_column(Text)
    holding: Mapped[list[str]] = mapped_column(JSON)
    """Versions to which a consent holds while this text is the newest: its own and, unless it has everybody asked anew,
    those that held before it."""
    published_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))

    @property
    def version(self) -> str:
        return str(self.number)

    @property
    def requires_new_consent(self) -> bool:
        return self.holding == [self.version]


class Consent(Tenant, Base):
    """One decision, never changed: the latest counts. A child's may be recorded by a guardian."""

    __tablename__ = "consents"
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "user_id"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    accepted: Mapped[bool]
    text_version: Mapped[str] = mapped_column(String(20))
    recorded_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class FaceTemplate(Tenant, Base):
    __tablename__ = "face_templates"
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "organisation_id", "user_id"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    encoding: Mapped[bytes] = mapped_column(LargeBinary(1024))
    """128 float32, little-endian, encrypted (`services.face_vault`)."""
    width: Mapped[int]
    """Of the face in the picture, in pixels."""
    sharpness: Mapped[float]
    yaw: Mapped[float | None]
    pitch: Mapped[float | None]
    roll: Mapped[float | None]
    brightness: Mapped[float | None]
    contrast: Mapped[float | None]
    dark: Mapped[float | None]
    bright: Mapped[float | None]
    """These and the others as `faces.Quality` has them; none of templates from before they were measured."""

    @property
    def quality(self) -> dict[str, float | None]:
        figures = "width sharpness yaw pitch roll brightness contrast dark bright".split()
        return {figure: getattr(self, figure) for figure in figures}


class LikenessPermit(Tenant, Base):
    """That a person may enrol a face that is as like somebody else's as one person's pictures are, as twins' are."""

    __tablename__ = "likeness_permits"
    erased_with = ("user_id",)
    __table_args__ = table_args(UniqueConstraint("organisation_id", "user_id"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    given_by_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))


class Gallery(Tenant, Base):
    """As which an organisation's templates were left by whoever changed them last (`services.gallery`)."""

    __tablename__ = "galleries"
    audited = False
    __table_args__ = table_args(UniqueConstraint("organisation_id"))

    mark: Mapped[uuid.UUID]
