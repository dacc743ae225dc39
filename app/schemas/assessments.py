"""Shapes of assessments, averages and grades."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from app.schemas.base import Changes, Email, In, Out, PageIn, PageOut, SortBy, Text, Title
from app.schemas.figures import Percentage
from app.schemas.imports import RowIn
from app.schemas.students import Blank
from app.services.grades import MarkFilters
from app.services.report_cards import TermNamed
from app.services.sessions import Days
from app.services.subjects import SubjectNamed

MOST = 1_000_000


def _sensible(day: date) -> date:
    if not 1900 < day.year < 9000:  # noqa: PLR2004 - any day that somebody may mean
        raise ValueError("lies too far away")
    return day


Kind = Annotated[
    str,
    BeforeValidator(lambda value: value.strip().lower() if isinstance(value, str) else value),
    Field(max_length=40, description="One of the organisation's setting `assessments.types`", examples=["exam"]),
]
Rounded = AfterValidator(lambda value: round(value, 6))
"""What is smaller no database divides."""
Score = Annotated[
    float, Field(allow_inf_nan=False, strict=True, description="From 0 to max_score", examples=[42.5]), Rounded
]
MaxScore = Annotated[float, Field(ge=0.01, le=MOST, strict=True, examples=[50]), Rounded]
Weight = Annotated[float, Field(ge=0, le=1000, strict=True, description="In averages", examples=[1]), Rounded]
DateTaken = Annotated[date, AfterValidator(_sensible), Field(examples=["2026-03-12"])]
TermText = Annotated[Annotated[str, Text(200)] | None, Blank]
YearText = Annotated[Annotated[str, Text(20)] | None, Blank]
Notes = Annotated[Annotated[str, Text(2000)] | None, Blank]
OptionalTitle = Annotated[Title | None, Blank]
TERM = "By default that of the organisation's term that the day lies in"
KEPT_AS = {"assessment_type": "kind", "date_taken": "taken_on"}
"""Clients' names of columns."""


def _kept(values: dict[str, Any]) -> dict[str, Any]:
    return {KEPT_AS.get(name, name): value for name, value in values.items()}


class SubjectNamedIn(In):
    """The subject by one of them."""

    subject_id: Annotated[uuid.UUID | None, Blank] = None
    subject_name: Annotated[Title | None, Blank] = Field(
        None, description="By name or code, in capitals or not; a new name makes a subject", examples=["Mathematics"]
    )

    @model_validator(mode="after")
    def not_both(self) -> Self:
        if self.subject_id and self.subject_name:
            raise ValueError("send either subject_id or subject_name")
        return self

    @property
    def subject(self) -> SubjectNamed:
        return SubjectNamed(self.subject_id, self.subject_name)


class _WhatIn(SubjectNamedIn):
    """What a single student's and a whole class's have."""

    assessment_type: Kind
    max_score: MaxScore
    date_taken: DateTaken
    title: OptionalTitle = Field(None, examples=["Fractions"])
    weight: Weight = 1.0
    term: TermText = Field(None, description=TERM, examples=["Spring"])
    academic_year: YearText = Field(None, description=TERM, examples=["2025/26"])


class AssessmentIn(_WhatIn):
    student_id: uuid.UUID
    score: Score
    notes: Notes = Field(None, examples=["Showed the working"])
    class_id: Annotated[uuid.UUID | None, Blank] = Field(
        None, description="One of the caller's own; its subject is the default"
    )

    def values(self) -> dict[str, Any]:
        return _kept(self.model_dump(exclude={"subject_id", "subject_name", "class_id"}))


class ScoreIn(In):
    student_id: uuid.UUID
    score: Score
    notes: Notes = Field(None, examples=["Came late"])


class ClassAssessmentIn(_WhatIn):
    class_id: uuid.UUID = Field(description="Its subject is the default")
    scores: list[ScoreIn] = Field(min_length=1, max_length=1000)

    def common(self) -> dict[str, Any]:
        return _kept(self.model_dump(exclude={"subject_id", "subject_name", "class_id", "scores"}))


class AssessmentChangeIn(Changes, SubjectNamedIn):
    assessment_type: Kind = Field(default_factory=str)
    score: Score = Field(default_factory=float)
    max_score: MaxScore = Field(default_factory=float)
    date_taken: DateTaken = Field(default_factory=lambda: date.min)
    title: OptionalTitle = Field(None, examples=["Fractions"])
    weight: Weight = Field(default_factory=float)
    term: TermText = Field(None, examples=["Spring"])
    academic_year: YearText = Field(None, examples=["2025/26"])
    notes: Notes = Field(None, examples=["Showed the working"])
    reason: Annotated[str, Text(500)] | None = Field(
        None, description="For the audit log", examples=["Points were added up wrongly"]
    )

    @property
    def other_subject(self) -> SubjectNamed | None:
        return self.subject if self.subject_id or self.subject_name else None

    def values(self) -> dict[str, Any]:
        return _kept(self.model_dump(exclude_unset=True, exclude={"subject_id", "subject_name", "reason"}))


class MarksIn(In):
    """All that is given must fit."""

    student_id: Annotated[uuid.UUID | None, Blank] = None
    subject: Annotated[Annotated[str, Text(200)] | None, Blank] = Field(
        None, description="By name or code, in capitals or not", examples=["Mathematics"]
    )
    subject_id: Annotated[uuid.UUID | None, Blank] = None
    class_id: Annotated[uuid.UUID | None, Blank] = None
    assessment_type: Annotated[Kind | None, Blank] = None
    term: TermText = Field(None, examples=["Spring"])
    academic_year: YearText = Field(None, examples=["2025/26"])
    start_date: Annotated[date | None, Blank] = Field(None, examples=["2026-03-01"])
    end_date: Annotated[date | None, Blank] = Field(None, description="This day too", examples=["2026-03-31"])

    @property
    def filters(self) -> MarkFilters:
        return MarkFilters(
            days=Days(self.start_date, self.end_date),
            student_id=self.student_id,
            class_id=self.class_id,
            subject_id=self.subject_id,
            kind=self.assessment_type,
            term=self.term,
            academic_year=self.academic_year,
        )


class AssessmentListIn(MarksIn, PageIn):
    sort: Annotated[list[str], SortBy("date_taken", "score", "created_at")] = Field(
        default_factory=lambda: ["-date_taken"]
    )


class AssessmentOut(Out):
    id: uuid.UUID
    student_id: uuid.UUID
    student_name: str = Field(examples=["Ada Lovelace"])
    subject_id: uuid.UUID
    subject_name: str = Field(examples=["Mathematics"])
    class_id: uuid.UUID | None
    assessment_type: str = Field(examples=["exam"])
    title: str | None = Field(examples=["Fractions"])
    score: float = Field(examples=[42.5])
    max_score: float = Field(examples=[50])
    percent: Percentage = Field(examples=[85])
    grade: str = Field(description="On the organisation's scale", examples=["B"])
    weight: float = Field(description="In averages", examples=[1])
    date_taken: date = Field(examples=["2026-03-12"])
    term: str | None = Field(examples=["Spring"])
    academic_year: str | None = Field(examples=["2025/26"])
    notes: str | None = Field(examples=["Showed the working"])
    recorded_by_id: uuid.UUID
    recorded_by: str = Field(examples=["Mary Somerville"])
    created_at: datetime


class AssessmentPageOut(PageOut):
    items: list[AssessmentOut]


class ClassAssessmentsOut(Out):
    created: int = Field(examples=[27])
    items: list[AssessmentOut]


class GradedOut(Out):
    count: int = Field(description="Of marks", examples=[12])
    average: Percentage | None = Field(description="In percent, by weight; null without marks", examples=[84.25])
    grade: str | None = Field(description="On the organisation's scale", examples=["B"])


class GradedSubjectOut(GradedOut):
    subject_id: uuid.UUID
    subject_name: str = Field(examples=["Mathematics"])


class GradedTermOut(GradedOut):
    academic_year: str | None = Field(examples=["2025/26"])
    term: str | None = Field(examples=["Spring"])


class AssessmentStatisticsOut(Out):
    total_assessments: int = Field(examples=[120])
    average_score: Percentage | None = Field(description="In percent, by weight", examples=[78.4])
    subject_performance: list[GradedSubjectOut]
    grade_distribution: dict[str, int] = Field(
        description="How many marks have each grade, of the organisation's scale", examples=[{"A": 30, "B": 90}]
    )


class StudentAveragesIn(In):
    class_id: uuid.UUID | None = Field(
        None, description="The class to be ranked in; by default the active students of the same year"
    )
    term: TermText = Field(None, examples=["Spring"])
    academic_year: YearText = Field(None, examples=["2025/26"])
    start_date: date | None = Field(None, examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])

    @property
    def filters(self) -> MarkFilters:
        return MarkFilters(Days(self.start_date, self.end_date), term=self.term, academic_year=self.academic_year)


class RankOut(Out):
    position: int = Field(description="1 is the best; equals share it", examples=[2])
    of: int = Field(description="How many have an average", examples=[27])


class StudentAveragesOut(Out):
    student_id: uuid.UUID
    overall: GradedOut
    by_subject: list[GradedSubjectOut]
    by_term: list[GradedTermOut]
    rank: RankOut | None = Field(description="null unless the organisation has the setting `assessments.rank`")


class ReportCardIn(In):
    term: TermText = Field(None, description="By default the one that today lies in", examples=["Spring"])
    academic_year: YearText = Field(None, examples=["2025/26"])

    @property
    def wanted(self) -> TermNamed:
        return TermNamed(self.term, self.academic_year)


class AssessmentRowIn(RowIn):
    """A row of a table: who by one of the first four."""

    student_id: uuid.UUID | None = None
    external_id: Annotated[str, Text(255, 1)] | None = None
    email: Email | None = None
    roll_number: Annotated[str, Text(50)] | None = None
    subject: Title
    assessment_type: Kind
    score: Annotated[float, Field(allow_inf_nan=False), Rounded]
    max_score: Annotated[float, Field(ge=0.01, le=MOST), Rounded]
    date_taken: DateTaken
    title: Title | None = None
    weight: Annotated[float, Field(ge=0, le=1000), Rounded] | None = None
    term: Annotated[str, Text(200)] | None = None
    academic_year: Annotated[str, Text(20)] | None = None
    notes: Annotated[str, Text(2000)] | None = None

    def values(self) -> dict[str, Any]:
        return _kept(super().values())


class AssessmentsImportedOut(Out):
    dry_run: bool
    created: int = Field(examples=[120])
    updated: int = Field(examples=[3])
    unchanged: int = Field(examples=[0])
