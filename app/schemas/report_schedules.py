"""Reports that are sent by mail, again and again."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field, StrictBool

from app.models import Frequency, ReportKind, Weekday
from app.schemas.base import Changes, In, Out, PageIn, PageOut, SortBy, Text


class ReportScheduleIn(In):
    kind: ReportKind = Field(
        description="organisation: its figures, to administrators; class: a class's and each student's, to its "
        "teachers and administrators; student: each student's own, to their parents",
        examples=["class"],
    )
    frequency: Frequency = Field(
        description="Of yesterday, of the week before (Monday to Sunday), or of the month before", examples=["weekly"]
    )
    weekday: Weekday = Field(Weekday.MONDAY, description="Of weekly ones", examples=["monday"])
    day_of_month: Annotated[int, Field(strict=True, ge=1, le=28)] = Field(1, description="Of monthly ones")
    hour: Annotated[int, Field(strict=True, ge=0, le=23)] = Field(
        7, description="By the clocks where the organisation is"
    )
    class_id: uuid.UUID | None = Field(None, description="Of kind class; of kind student: only in this class")
    department: Annotated[str, Text(200, 1)] | None = Field(
        None, description="Only of people of this department", examples=["Science"]
    )
    year: Annotated[str, Text(20, 1)] | None = Field(None, examples=["7"])
    section: Annotated[str, Text(50, 1)] | None = Field(None, examples=["A"])
    user_ids: Annotated[list[uuid.UUID], Field(max_length=100)] | None = Field(
        None, description="Whom it goes to, of kind organisation or class; by default oneself"
    )
    is_paused: StrictBool = False


class ReportScheduleChangeIn(Changes, ReportScheduleIn):
    kind: ReportKind = Field(default_factory=lambda: ReportKind.CLASS, examples=["class"])
    frequency: Frequency = Field(default_factory=lambda: Frequency.WEEKLY, examples=["weekly"])


class ReportScheduleListIn(PageIn):
    sort: Annotated[list[str], SortBy("created_at", "due_at")] = Field(default_factory=lambda: ["created_at"])


class ReportScheduleOut(Out):
    id: uuid.UUID
    kind: ReportKind = Field(examples=["class"])
    frequency: Frequency = Field(examples=["weekly"])
    weekday: Weekday = Field(examples=["monday"])
    day_of_month: int = Field(examples=[1])
    hour: int = Field(examples=[7])
    class_id: uuid.UUID | None
    department: str | None = Field(examples=["Science"])
    year: str | None = Field(examples=["7"])
    section: str | None = Field(examples=["A"])
    user_ids: list[uuid.UUID]
    is_paused: bool
    due_at: datetime | None = Field(description="When it is sent next; null while it is paused")
    last_period: str | None = Field(
        description="The days that were sent last (ISO 8601)", examples=["2026-03-02/2026-03-08"]
    )
    created_by_id: uuid.UUID
    created_at: datetime


class ReportSchedulePageOut(PageOut):
    items: list[ReportScheduleOut]
