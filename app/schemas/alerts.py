"""Alerts: which students are at risk, and why."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.models import AlertKind
from app.schemas.base import In, Out, PageIn, PageOut, SortBy, Text
from app.schemas.classes import StudentOut
from app.services.alerts import AlertFilter


class AlertListIn(PageIn):
    kind: AlertKind | None = Field(None, examples=["low_attendance"])
    open: bool | None = Field(None, description="Only those that are, or are not, open")
    acknowledged: bool | None = Field(None, description="Only those that somebody has, or nobody has, acknowledged")
    class_id: uuid.UUID | None = Field(None, description="Of the students who are in this class now")
    student_id: uuid.UUID | None = None
    sort: Annotated[list[str], SortBy("opened_at")] = Field(default_factory=lambda: ["-opened_at"])

    @property
    def wanted(self) -> AlertFilter:
        return AlertFilter(self.kind, self.open, self.acknowledged, self.class_id, self.student_id)


class AcknowledgeIn(In):
    note: Annotated[str, Text(2000)] | None = Field(None, examples=["Spoke with the parents"])


class AlertFiguresOut(Out):
    value: float = Field(
        description="What was found: attendance or an average from 0 to 100, or how many notes or sessions",
        examples=[62.5],
    )
    threshold: float = Field(description="What it was compared with, in the same unit", examples=[75.0])
    count: int = Field(description="Of how many sessions, assessments or notes", examples=[16])
    days: int = Field(description="Within so many days, to the day it was found", examples=[30])


class AlertOut(Out):
    id: uuid.UUID
    student_id: uuid.UUID
    student: StudentOut
    kind: AlertKind = Field(examples=["low_attendance"])
    reason: str = Field(
        description="In words", examples=["Attendance of 62.5 % in the last 30 days (16 sessions), below 75 %"]
    )
    figures: AlertFiguresOut = Field(description="As when it held last")
    opened_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by_id: uuid.UUID | None
    note: str | None = Field(examples=["Spoke with the parents"])
    is_open: bool = Field(examples=[True])
    closed_at: datetime | None = Field(description="When it held no more")


class AlertPageOut(PageOut):
    items: list[AlertOut]


class AlertTotalsOut(Out):
    low_attendance: int = Field(examples=[7])
    low_performance: int = Field(examples=[4])
    behavioral_concerns: int = Field(examples=[2])
    consecutive_absences: int = Field(examples=[3])


class OpenAlertsOut(Out):
    """Each the latest 50."""

    low_attendance: list[AlertOut]
    low_performance: list[AlertOut] = Field(description="Low marks")
    behavioral_concerns: list[AlertOut] = Field(description="Negative behaviour notes")
    consecutive_absences: list[AlertOut]
    totals: AlertTotalsOut = Field(description="How many are open")


class RefreshedOut(Out):
    opened: int = Field(examples=[2])
    closed: int = Field(examples=[1])
    open: int = Field(description="That are now", examples=[16])
