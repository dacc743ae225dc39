"""Exports of records."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Literal, Self

from pydantic import Field, model_validator

from app.models import Status
from app.schemas.base import In, Out
from app.schemas.reports import SelectionIn
from app.services.export import Wanted
from app.services.figures import Filters
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


class _FilterIn(SelectionIn, _DaysIn):
    user_id: uuid.UUID | None = Field(None, description="As student_id")
    status: Status | None = Field(None, examples=["absent"])

    @property
    def filters(self) -> Filters:
        one = self.student_id or self.user_id
        both = None if self.user_id in {None, one} else [self.user_id]
        return replace(self.selection, days=self.days, student_id=one, student_ids=both)

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
