"""Work that goes on after its call was answered."""

from __future__ import annotations

import uuid
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args
from app.models.people import enum_of


class JobStatus(StrEnum):
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


class Job(Tenant, Base):
    __tablename__ = "jobs"
    __table_args__ = table_args(Index(None, "organisation_id", "created_at"))

    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("users.id"))
    kind: Mapped[str] = mapped_column(String(40))
    status: Mapped[JobStatus] = mapped_column(enum_of(JobStatus), default=JobStatus.RUNNING)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int] = mapped_column(default=0)
    """Steps; 0 while it is not known how many there are."""
    result: Mapped[Any | None] = mapped_column(JSON)
    problem: Mapped[Any | None] = mapped_column(JSON)
    beat_at: Mapped[datetime]
    """When it last moved on: a job whose server was stopped never will again."""
