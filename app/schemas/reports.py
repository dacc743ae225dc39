"""Shapes of reports."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.models import Source, Status, Verification
from app.schemas.base import Figure, In, OrderedPageIn, Out, PageIn, PageOut, SortBy, Text
from app.schemas.classes import StudentOut
from app.schemas.figures import FigureOut, Percentage
from app.schemas.sessions import HistoryOut, RecordOut, SessionOut
from app.services.figures import Basis, Filters
from app.services.forecast import Reach
from app.services.reports import Span, Standing
from app.services.sessions import Days


class SelectionIn(In):
    """All that is given must fit; department, year and section without regard to case, as they are now."""

    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None
    teacher_id: uuid.UUID | None = Field(None, description="Of those classes and subjects that they teach now")
    department: Annotated[str, Text(200)] | None = Field(None, examples=["Computer Science"])
    year: Annotated[str, Text(20)] | None = Field(None, examples=["2"])
    section: Annotated[str, Text(50)] | None = Field(None, examples=["A"])
    basis: Basis = Field(Basis.TAKEN, description="scheduled: with the sessions whose register nobody took")

    @property
    def selection(self) -> Filters:
        """Of any days."""
        return Filters(**{name: getattr(self, name) for name in SelectionIn.model_fields})


class PeriodIn(In):
    """Which days: those from one to another, or a term's."""

    start_date: date | None = Field(None, examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])
    term_id: uuid.UUID | None = Field(None, description="Instead of both")

    @model_validator(mode="after")
    def one_or_the_other(self) -> Self:
        if self.term_id and (self.start_date or self.end_date):
            raise ValueError("give start_date and end_date, or term_id")
        return self

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class FiltersIn(SelectionIn, PeriodIn):
    pass


BY_NAME = Annotated[list[str], SortBy("last_name", "first_name")]


def _by_name() -> list[str]:
    return ["last_name", "first_name"]


class SubjectReportIn(FiltersIn, PageIn):
    sort: BY_NAME = Field(default_factory=_by_name)


class PeoplePageIn(PageIn):
    sort: BY_NAME = Field(default_factory=_by_name)


class SummaryIn(PeriodIn, PageIn):
    sort: Annotated[list[str], SortBy("name")] = Field(default_factory=lambda: ["name"])


class PersonIn(PeriodIn, PageIn):
    sort: Annotated[list[str], SortBy("session_date", "marked_at")] = Field(default_factory=lambda: ["-session_date"])


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


class RequiredIn(FiltersIn, PageIn):
    """Without dates: the term that it is, or else the last 180 days."""

    end_date: date | None = Field(
        None, description="Until this day sessions to come are counted, at most 366 days ahead", examples=["2026-07-31"]
    )
    rate: float | None = Field(
        None, ge=0, le=1, description="By default the organisation's `required_rate`", examples=[0.8]
    )
    standing: Reach = Field(
        Reach.UNREACHABLE,
        description="unreachable: below it even if they attend all the rest; at_risk: below it so far",
    )
    sort: Annotated[list[str], SortBy("best")] = Field(default_factory=lambda: ["best"])


class StaysIn(FiltersIn, OrderedPageIn):
    pass


class MatrixIn(PeriodIn, PageIn):
    start_date: date | None = Field(None, description="By default 90 days in all", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too; by default today", examples=["2026-03-31"])
    sort: BY_NAME = Field(default_factory=_by_name)


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


class OutlookOut(FigureOut):
    """The figure is of what was held so far."""

    student: StudentOut
    remaining: int = Field(description="Sessions to come in which they are expected", examples=[24])
    best: Figure | None = Field(description="The rate, if they attend all of them", examples=[0.8125])
    needed: int | None = Field(
        description="How many of them they must attend to reach the required rate; null: all are not enough",
        examples=[21],
    )


class RequiredOut(PageOut):
    start_date: date
    end_date: date
    required_rate: float = Field(examples=[0.75])
    items: list[OutlookOut]


class StaySessionOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Fractions"])
    class_id: uuid.UUID | None
    session_date: date
    starts_at: datetime | None
    ends_at: datetime | None


class StayOut(Out):
    student: StudentOut
    session: StaySessionOut
    check_in_time: datetime | None
    check_out_time: datetime | None
    minutes_late: Figure | None = Field(
        description="From the start to the check-in; null: not late, or marked by hand", examples=[12.5]
    )
    minutes_early: Figure | None = Field(
        description="From the check-out to the end; null: did not check out before it", examples=[5.0]
    )
    minutes: Figure | None = Field(description="From check-in to check-out", examples=[42.5])


class StayPageOut(PageOut):
    items: list[StayOut]


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
