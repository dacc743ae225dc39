"""Exports of records."""

from __future__ import annotations

import uuid
from datetime import date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from app.models import Status
from app.schemas.base import In, Out, Text
from app.services.export import Wanted
from app.services.figures import Basis, Filters
from app.services.kept_exports import Format
from app.services.sessions import Days

LONGEST = timedelta(days=400)
"""What is exported at once; a job takes any time."""


class _DaysIn(In):
    start_date: date = Field(examples=["2026-03-01"])
    end_date: date = Field(description="This day too", examples=["2026-03-31"])

    @model_validator(mode="after")
    def in_order(self) -> Self:
        if self.end_date < self.start_date:
            raise ValueError("end_date must not come before start_date")
        return self

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class _FilterIn(_DaysIn):
    class_id: uuid.UUID | None = None
    user_id: uuid.UUID | None = Field(None, description="Whose records")
    subject_id: uuid.UUID | None = None
    teacher_id: uuid.UUID | None = Field(None, description="Of the classes and subjects that they teach now")
    department: Annotated[str, Text(200)] | None = Field(None, examples=["Science"])
    year: Annotated[str, Text(20)] | None = Field(None, examples=["7"])
    section: Annotated[str, Text(50)] | None = Field(None, examples=["A"])
    status: Status | None = Field(None, examples=["absent"])
    basis: Basis = Field(Basis.TAKEN, description="scheduled: sessions in which nobody was marked, too")

    @property
    def filters(self) -> Filters:
        named = ("class_id", "subject_id", "teacher_id", "department", "year", "section", "basis")
        given = {name: getattr(self, name) for name in named}
        return Filters(days=self.days, student_id=self.user_id, **given)

    @property
    def wanted(self) -> Wanted:
        return Wanted(self.filters, self.status, getattr(self, "bom", False), getattr(self, "sheets", None) == "class")


class ExportQuery(_FilterIn):
    @model_validator(mode="after")
    def not_too_long(self) -> Self:
        if self.end_date - self.start_date >= LONGEST:
            raise ValueError(f"at most {LONGEST.days} days at once: ask for more with POST /api/reports/exports")
        return self


class CsvQuery(ExportQuery):
    bom: bool = Field(False, description="Begin with a byte order mark, for spreadsheets that need one")


class XlsxQuery(ExportQuery):
    sheets: Literal["all", "class"] = Field("all", description="class: one for each class")


class ExportIn(_FilterIn):
    format: Format = Field(examples=["csv"])
    bom: bool = Field(False, description="Of CSV")
    sheets: Literal["all", "class"] = Field("all", description="Of XLSX")


class PrintQuery(In):
    start_date: date | None = Field(None, description="By default 30 days before the end", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too; by default today", examples=["2026-03-31"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class ExportOut(Out):
    id: uuid.UUID
    format: Format = Field(examples=["csv"])
    rows: int = Field(examples=[1200])
    size: int = Field(description="In bytes", examples=[150_000])
    download: str = Field(examples=["/api/reports/exports/01935c1e-8f00-7000-8000-000000000001"])
    expires_at: datetime
