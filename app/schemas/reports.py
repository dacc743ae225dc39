"""Shapes of reports."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from app.models import Source, Status, Verification
from app.schemas.base import Figure, In, Out, PageIn, PageOut, SortBy, Text
from app.schemas.classes import StudentOut
from app.schemas.figures import FigureOut, Percentage
from app.schemas.sessions import HistoryOut, RecordOut, SessionOut
from app.services.figures import Basis, Filters
from app.services.reports import Span, Standing
from app.services.sessions import Days


class PeriodIn(In):
    """Which days, and which sessions in them."""

    start_date: date | None = Field(None, examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])
    basis: Basis = Field(Basis.TAKEN, description="scheduled: with the sessions whose register nobody took")

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class FiltersIn(PeriodIn):
    """All that is given must fit; department, year and section without regard to case, as they are now."""

    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None
    teacher_id: uuid.UUID | None = Field(None, description="Of those classes and subjects that they teach now")
    department: Annotated[str, Text(200)] | None = Field(None, examples=["Computer Science"])
    year: Annotated[str, Text(20)] | None = Field(None, examples=["2"])
    section: Annotated[str, Text(50)] | None = Field(None, examples=["A"])

    @property
    def filters(self) -> Filters:
        names = ("class_id", "subject_id", "student_id", "teacher_id", "department", "year", "section", "basis")
        return Filters(days=self.days, **{name: getattr(self, name) for name in names})


BY_NAME = Annotated[list[str], SortBy("last_name", "first_name")]


def _by_name() -> list[str]:
    return ["last_name", "first_name"]


class SubjectReportIn(FiltersIn, PageIn):
    sort: BY_NAME = Field(default_factory=_by_name)


class PeoplePageIn(PageIn):
    sort: BY_NAME = Field(default_factory=_by_name)


class SummaryIn(PageIn):
    start_date: date | None = Field(None, examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])
    sort: Annotated[list[str], SortBy("name")] = Field(default_factory=lambda: ["name"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class TrendsIn(FiltersIn):
    interval: Span = Field(Span.DAY, description="weekday and hour: of all days together")


class ComparisonIn(FiltersIn):
    other_start_date: date | None = Field(None, examples=["2026-02-01"])
    other_end_date: date | None = Field(None, examples=["2026-02-28"])

    @property
    def other(self) -> Days:
        return Days(self.other_start_date, self.other_end_date)


class AbsenceIn(FiltersIn, PageIn):
    standing: Standing = Field(Standing.ALL, description="perfect: never missed anything, and never late")
    missed: float = Field(0.1, gt=0, le=1, description="From which share on absence is chronic")
    sort: Annotated[list[str], SortBy("missed")] = Field(default_factory=lambda: ["-missed"])


class InARowIn(FiltersIn, PageIn):
    at_least: int = Field(3, ge=1, le=1000)
    sort: Annotated[list[str], SortBy("absences", "last_name")] = Field(default_factory=lambda: ["-absences"])


class MatrixIn(PageIn):
    start_date: date | None = Field(None, description="By default 90 days in all", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too; by default today", examples=["2026-03-31"])
    sort: BY_NAME = Field(default_factory=_by_name)

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class SubjectRowOut(Out):
    student_id: uuid.UUID
    student_name: str = Field(examples=["Ada Lovelace"])
    roll_number: str | None = Field(examples=["CS-042"])
    subject: str = Field(examples=["Mathematics"])
    subject_id: uuid.UUID
    total_classes: int = Field(examples=[20])
    present_count: int = Field(examples=[18])
    absent_count: int = Field(examples=[1])
    late_count: int = Field(examples=[1])
    excused_count: int = Field(examples=[0])
    leave_count: int = Field(examples=[0])
    attendance_percentage: Percentage | None = Field(description="The rate, of 100; null without one", examples=[95.0])


class SubjectReportOut(PageOut):
    """The page counts students."""

    items: list[SubjectRowOut]


class ExpectedOut(Out):
    student: StudentOut
    record: RecordOut | None = Field(description="null: expected, and not marked yet")


class ExpectedPageOut(PageOut):
    items: list[ExpectedOut]


class SessionDetailsOut(Out):
    session: SessionOut
    rates: dict[str, Figure | None] = Field(description="Share of each status among those expected; and attendance")
    people: ExpectedPageOut


class NamedOut(FigureOut):
    id: uuid.UUID | None
    name: str | None = Field(examples=["Algebra"])


class NamedPageOut(PageOut):
    items: list[NamedOut]


class SummaryOut(Out):
    start_date: date | None
    end_date: date | None
    people: dict[str, int] = Field(description="Active ones, by role", examples=[{"student": 240, "teacher": 12}])
    total: FigureOut
    by_class: NamedPageOut
    by_department: list[NamedOut] = Field(description="Of the person, as it is now")
    by_role: list[NamedOut]


class PointOut(FigureOut):
    interval: str = Field(
        description="A day (of a week its Monday, of a month its first), a weekday's name or an hour",
        examples=["2026-03-02"],
    )


class TrendsOut(Out):
    interval: Span
    points: list[PointOut]


class StreaksOut(Out):
    """Sessions one after the other; excuses and leave are passed over."""

    absent: int = Field(description="The last ones; 0: they were there last", examples=[0])
    longest_absent: int = Field(examples=[2])
    longest_there: int = Field(examples=[31])


class LatenessOut(Out):
    late: int = Field(examples=[3])
    minutes_late: Figure | None = Field(description="Mean of those late ones who checked in", examples=[7.5])
    left_early: int = Field(examples=[0])
    minutes: Figure = Field(description="From check-in to check-out, all together", examples=[870.0])


class PersonDetailsOut(Out):
    user: StudentOut
    total: FigureOut
    streaks: StreaksOut
    lateness: LatenessOut
    by_class: list[NamedOut]
    by_month: list[PointOut]
    records: HistoryOut


class PersonFigureOut(FigureOut):
    student: StudentOut


class PersonFigurePageOut(PageOut):
    items: list[PersonFigureOut]


class InARowOut(Out):
    student: StudentOut
    absences: int = Field(examples=[4])


class InARowPageOut(PageOut):
    items: list[InARowOut]


class MatrixSessionOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Fractions"])
    session_date: date
    starts_at: datetime | None
    closed_at: datetime | None


class MatrixRowOut(Out):
    student: StudentOut
    statuses: list[Status | None] = Field(description="In the order of the sessions; null: no record")


class MatrixOut(PageOut):
    """The page counts people."""

    sessions: list[MatrixSessionOut]
    items: list[MatrixRowOut]


class ComparisonOut(Out):
    one: FigureOut
    other: FigureOut
    change: Figure | None = Field(description="Of the rate, from the one to the other", examples=[0.013])


class VerificationCountOut(Out):
    source: Source
    verification: Verification
    records: int = Field(examples=[431])
    flagged: int = Field(description="Of them with signs of fraud", examples=[2])


class RefusalsOut(Out):
    code: str = Field(examples=["outside_geofence"])
    attempts: int = Field(examples=[5])


class CheckingOut(Out):
    records: list[VerificationCountOut]
    refused: list[RefusalsOut]
