"""Participation in events and activities."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field

from app.models import ParticipationStatus
from app.schemas.base import Changes, In, Out, PageIn, PageOut, SortBy, Text, Title
from app.schemas.classes import StudentOut
from app.services.participations import ParticipationFilter
from app.services.sessions import Days

MOST = 500
Remarks = Annotated[str, Text(2000)]


class ParticipationIn(In):
    student_ids: list[uuid.UUID] = Field(min_length=1, max_length=MOST, description="All of them, or none")
    event: Title = Field(examples=["Science fair"])
    held_on: date | None = Field(None, description="By default today", examples=["2026-03-12"])
    status: ParticipationStatus = Field(ParticipationStatus.PARTICIPATED, examples=["registered"])
    remarks: Remarks | None = Field(None, examples=["Second prize"])


class ParticipationChangeIn(Changes):
    event: Title = Field(default_factory=str, examples=["Science fair"])
    held_on: date = Field(default_factory=lambda: date.min, examples=["2026-03-12"])
    status: ParticipationStatus = Field(ParticipationStatus.PARTICIPATED, examples=["participated"])
    remarks: Remarks | None = Field(None, examples=["Second prize"])
    reason: Annotated[str, Text(500)] | None = Field(None, description="For the audit log", examples=["They did come"])

    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in super().changes().items() if name != "reason"}


class ParticipationListIn(PageIn):
    student_id: uuid.UUID | None = None
    event: Title | None = Field(None, description="Without regard to case", examples=["Science fair"])
    status: ParticipationStatus | None = Field(None, examples=["participated"])
    start_date: date | None = Field(None, examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])
    sort: Annotated[list[str], SortBy("held_on", "event", "created_at")] = Field(default_factory=lambda: ["-held_on"])

    @property
    def wanted(self) -> ParticipationFilter:
        return ParticipationFilter(self.student_id, self.event, self.status, Days(self.start_date, self.end_date))


class ParticipationOut(Out):
    id: uuid.UUID
    student_id: uuid.UUID
    student: StudentOut
    event: str = Field(examples=["Science fair"])
    held_on: date = Field(examples=["2026-03-12"])
    status: ParticipationStatus = Field(examples=["participated"])
    remarks: str | None = Field(examples=["Second prize"])
    recorded_by_id: uuid.UUID
    created_at: datetime


class ParticipationsOut(Out):
    items: list[ParticipationOut] = Field(description="As they were named")


class ParticipationPageOut(PageOut):
    items: list[ParticipationOut]
