"""Work that goes on after its call was answered, and the system's own."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.dialects.mysql import LONGBLOB
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args
from app.models.people import enum_of


class JobStatus(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(Tenant, Base):
    """What is to be done, for whom, and how far it is. The system's own jobs are nobody's and no organisation's."""

    __tablename__ = "jobs"
    audited = False
    erased_with = ("user_id",)
    __table_args__ = table_args(Index(None, "status", "beat_at"), Index(None, "expires_at"))

    organisation_id: Mapped[uuid.UUID | None] = mapped_column(  # type: ignore[assignment]
        ForeignKey("organisations.id"), sort_order=-1
    )
    user_id: Mapped[uuid.UUID | None] = mapped_column(ForeignKey("users.id"))
    origin: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """From where it was asked for, and why, for the audit log."""
    scopes: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    """Of the API key with which it was asked for; None of a person who was signed in."""
    kind: Mapped[str] = mapped_column(String(100))
    """The endpoint of the route that is called, or the name of the system's own work."""
    key: Mapped[str | None] = mapped_column(String(100), unique=True)
    """What is to be done once, whoever starts it."""
    status: Mapped[JobStatus] = mapped_column(enum_of(JobStatus), default=JobStatus.QUEUED)
    attempts: Mapped[int] = mapped_column(default=0)
    """How often it was begun; also tells the newest runner from one that was given up."""
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    """Steps; 0 while it is not known how many there are."""
    result: Mapped[Any | None] = mapped_column(JSON)
    problem: Mapped[Any | None] = mapped_column(JSON)
    beat_at: Mapped[datetime]
    """When whoever runs it was last heard of; while it is queued, when it was last announced."""
    expires_at: Mapped[datetime | None]


class JobPart(Tenant, Base):
    """A piece of what a job was given, encrypted, kept until the job ends. In pieces, because a database takes no
    statement as large as ten pictures (MariaDB by default 16 MB)."""

    __tablename__ = "job_parts"
    audited = False
    __table_args__ = table_args(UniqueConstraint("job_id", "number"))

    job_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("jobs.id", ondelete="CASCADE"))
    number: Mapped[int]
    sealed: Mapped[bytes] = mapped_column(LargeBinary().with_variant(LONGBLOB(), "mysql", "mariadb"))
