"""Performance. Averages and attendance rates are from 0 to 100, and null where there are no marks, or nobody was
expected: docs/performance.md says how they are formed."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated

from pydantic import Field

from app.schemas.base import Figure, In, Out, PageIn, PageOut, SortBy
from app.schemas.classes import StudentOut
from app.schemas.figures import Percentage
from app.services.sessions import Days

SCORE = "The weighted average of marks, from 0 to 100; null without marks"
RATE = "(present + late x late_weight) / (expected - excused - leave), from 0 to 100; null when nobody was expected"


class PerformanceOut(Out):
    average_score: Percentage | None = Field(description=SCORE, examples=[78.5])
    attendance_rate: Percentage | None = Field(description=RATE, examples=[92.75])


class SummaryOfStudentsOut(PerformanceOut):
    total_students: int = Field(description="Active ones", examples=[240])
    high_performers: int = Field(
        description="Active students whose average and attendance both reach what the organisation asks", examples=[31]
    )


class SubjectPerformanceOut(PerformanceOut):
    subject_id: uuid.UUID
    subject: str = Field(examples=["Mathematics"])
    assessments: int = Field(description="How many marks there are", examples=[12])
    grade: str | None = Field(description="Of the average", examples=["C"])


class SubjectPerformanceIn(PageIn):
    start_date: date | None = Field(None, description="By default 364 days before end_date", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too; by default today", examples=["2026-03-31"])
    class_id: uuid.UUID | None = Field(None, description="Only its sessions, and the marks recorded for it")
    sort: Annotated[list[str], SortBy("name")] = Field(default_factory=lambda: ["name"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class SubjectPerformancePageOut(PageOut):
    items: list[SubjectPerformanceOut]


class ChangeOut(Out):
    """The last days, to today, beside as many before them."""

    days: int = Field(examples=[30])
    start_date: date
    end_date: date
    average_score: Percentage | None = Field(description=SCORE, examples=[78.5])
    attendance_rate: Percentage | None = Field(description=RATE, examples=[92.75])
    before: PerformanceOut
    change: PerformanceOut = Field(description="From before to now, in percentage points; null where either is null")


class StudentPerformanceOut(PerformanceOut):
    student: StudentOut
    is_high_performer: bool = Field(description="As counted by the summary's high_performers", examples=[False])
    subject_breakdown: list[SubjectPerformanceOut]
    trends: list[ChangeOut] = Field(description="Of 30, 90 and 365 days")


class CorrelationIn(In):
    start_date: date | None = Field(None, description="By default 364 days before end_date", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too; by default today", examples=["2026-03-31"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class CorrelationPointOut(PerformanceOut):
    student_id: uuid.UUID


class CorrelationOut(Out):
    start_date: date
    end_date: date
    r: Figure | None = Field(
        description="Pearson's, from -1 to 1; null with fewer than three students, or where all have the same rate or "
        "the same average",
        examples=[0.62],
    )
    students: int = Field(description="Who have both an attendance rate and an average", examples=[28])
    points: list[CorrelationPointOut] = Field(description="One for each of them, at most 1,000")
