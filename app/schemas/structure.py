"""Departments, subjects, terms and holidays."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated

from pydantic import Field

from app.schemas.base import Changes, In, Out, PageIn, PageOut, SortBy, Text, Title

Code = Annotated[str, Text(50, 1)]
ExternalId = Annotated[str, Text(255, 1)]


class StructureListIn(PageIn):
    search: Annotated[str, Text(200)] | None = Field(None, examples=["math"])
    sort: Annotated[list[str], SortBy("name")] = Field(default_factory=lambda: ["name"])


class HolidayListIn(PageIn):
    search: Annotated[str, Text(200)] | None = Field(None, examples=["easter"])
    sort: Annotated[list[str], SortBy("first_day", "name")] = Field(default_factory=lambda: ["first_day"])


class DepartmentIn(In):
    name: Title = Field(examples=["Computer Science"])
    code: Code | None = Field(None, examples=["CS"])
    external_id: ExternalId | None = Field(None, description="What another system calls it", examples=["dep-7"])


class DepartmentChangeIn(Changes, DepartmentIn):
    name: Title = Field(default_factory=str, examples=["Computer Science"])


class DepartmentOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Computer Science"])
    code: str | None = Field(examples=["CS"])
    external_id: str | None = Field(examples=["dep-7"])


class SubjectIn(In):
    name: Title = Field(examples=["Mathematics"])
    code: Code | None = Field(None, examples=["MATH-101"])
    credits: float | None = Field(None, ge=0, le=1000, allow_inf_nan=False, strict=True, examples=[5])
    department: Annotated[str, Text(200)] | None = Field(
        None, description="By name; made if it is new", examples=["Science"]
    )
    department_id: uuid.UUID | None = None
    teacher_id: uuid.UUID | None = None
    external_id: ExternalId | None = Field(None, examples=["course-7"])


class SubjectChangeIn(Changes, SubjectIn):
    name: Title = Field(default_factory=str, examples=["Mathematics"])


class SubjectOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Mathematics"])
    code: str | None = Field(examples=["MATH-101"])
    credits: float | None = Field(examples=[5])
    department_id: uuid.UUID | None
    teacher_id: uuid.UUID | None
    external_id: str | None = Field(examples=["course-7"])


class TermIn(In):
    name: Title = Field(examples=["Autumn 2026"])
    academic_year: Annotated[str, Text(20)] | None = Field(None, examples=["2026/27"])
    first_day: date = Field(examples=["2026-09-01"])
    last_day: date = Field(examples=["2026-12-18"])
    external_id: ExternalId | None = Field(None, examples=["term-1"])


class TermChangeIn(Changes, TermIn):
    name: Title = Field(default_factory=str, examples=["Autumn 2026"])
    first_day: date = Field(default_factory=lambda: date.min, examples=["2026-09-01"])
    last_day: date = Field(default_factory=lambda: date.max, examples=["2026-12-18"])


class TermOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Autumn 2026"])
    academic_year: str | None = Field(examples=["2026/27"])
    first_day: date
    last_day: date
    external_id: str | None = Field(examples=["term-1"])


class HolidayIn(In):
    name: Title = Field(examples=["Easter"])
    first_day: date = Field(examples=["2026-04-03"])
    last_day: date = Field(description="The last day on which nothing is held", examples=["2026-04-06"])
    external_id: ExternalId | None = Field(None, examples=["easter-2026"])


class HolidayChangeIn(Changes, HolidayIn):
    name: Title = Field(default_factory=str, examples=["Easter"])
    first_day: date = Field(default_factory=lambda: date.min, examples=["2026-04-03"])
    last_day: date = Field(default_factory=lambda: date.max, examples=["2026-04-06"])


class HolidayOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Easter"])
    first_day: date
    last_day: date
    external_id: str | None = Field(examples=["easter-2026"])


class DepartmentPageOut(PageOut):
    items: list[DepartmentOut]


class SubjectPageOut(PageOut):
    items: list[SubjectOut]


class TermPageOut(PageOut):
    items: list[TermOut]


class HolidayPageOut(PageOut):
    items: list[HolidayOut]


class CalendarIn(In):
    """An iCalendar file: its text, or the address that it is published at."""

    calendar: Annotated[str, Field(max_length=5_000_000)] | None = Field(
        None, description="The file's text", examples=["BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n"]
    )
    url: Annotated[str, Text(2000)] | None = Field(None, examples=["https://school.example/holidays.ics"])


class HolidayImportOut(Out):
    created: int = Field(examples=[7])
    updated: int = Field(examples=[0])
    unchanged: int = Field(examples=[0])
