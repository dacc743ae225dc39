"""Marking by class or subject and day, and searching what was marked."""

from __future__ import annotations

import uuid
from datetime import date as Day  # noqa: N812 - clients' fields are named date
from datetime import datetime
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from app.models import Status
from app.schemas.base import In, Out, PageIn, PageOut, SortBy, Text
from app.services.marking import Mark, MarkedRecord, RecordFilter
from app.services.sessions import Days

Word = Annotated[str, BeforeValidator(lambda value: value.strip().lower() if isinstance(value, str) else value)]
Remarks = Annotated[str, Text(500)]


class ClassMarkIn(In):
    student_id: uuid.UUID
    class_id: uuid.UUID
    date: Day = Field(examples=["2026-03-12"])
    status: Annotated[Word, Field(max_length=40)] = Field(examples=["present"])
    remarks: Remarks | None = Field(None, examples=["Came with a note"])


class MarkDayIn(In):
    """A subject's marks of a day, as a map of students to statuses; or one student's mark in a class."""

    date: Day = Field(examples=["2026-03-12"])
    subject_id: uuid.UUID | None = None
    attendance: dict[uuid.UUID, Annotated[Word, Field(max_length=40)]] | None = Field(
        None,
        description="With subject_id: student_id to status",
        max_length=1000,
        examples=[{"01a1fcba-a1e3-7000-8000-000000000001": "present"}],
    )
    class_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = Field(None, description="With class_id and status")
    status: Annotated[Word, Field(max_length=40)] | None = Field(None, examples=["present"])
    remarks: Remarks | None = None

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        subject = self.subject_id is not None and self.attendance is not None
        single = self.class_id is not None and self.student_id is not None and self.status is not None
        if subject == single:
            raise ValueError("send either subject_id and attendance, or class_id, student_id and status")
        return self

    def marks(self) -> list[Mark]:
        if self.class_id and self.student_id and self.status is not None:
            return [Mark("status", self.student_id, self.date, self.status, self.class_id, remarks=self.remarks)]
        return [
            Mark(f"attendance.{student_id}", student_id, self.date, status, subject_id=self.subject_id)
            for student_id, status in (self.attendance or {}).items()
        ]


class BatchIn(In):
    records: list[ClassMarkIn] = Field(min_length=1, max_length=1000)

    def marks(self) -> list[Mark]:
        return [
            Mark(f"records.{n}", row.student_id, row.date, row.status, row.class_id, remarks=row.remarks)
            for n, row in enumerate(self.records)
        ]


class MarkedRecordOut(Out):
    id: uuid.UUID
    student_id: uuid.UUID
    student_name: str = Field(examples=["Ada Lovelace"])
    roll_number: str | None = Field(examples=["CS-042"])
    session_id: uuid.UUID
    class_id: uuid.UUID | None
    subject_id: uuid.UUID | None
    subject: str | None = Field(examples=["Mathematics"])
    teacher: str = Field(description="Who marked it last", examples=["Mary Somerville"])
    date: Day
    status: Status = Field(examples=["present"])
    remarks: str | None
    timestamp: datetime

    @classmethod
    def of(cls, view: MarkedRecord) -> dict[str, Any]:
        return {
            "id": view.row.id,
            "student_id": view.row.student_id,
            "student_name": view.student.name,
            "roll_number": view.roll_number,
            "session_id": view.row.session_id,
            "class_id": view.session.class_id,
            "subject_id": view.session.subject_id,
            "subject": view.subject,
            "teacher": view.teacher,
            "date": view.session.session_date,
            "status": view.row.status,
            "remarks": view.row.remarks,
            "timestamp": view.row.marked_at,
        }


class MarkedOut(Out):
    message: str = Field(examples=["Attendance saved"])
    id: uuid.UUID | None = Field(description="Of the record, where it is one")
    created: int = Field(examples=[2])
    updated: int = Field(examples=[0])
    records: list[MarkedRecordOut]


class MarkedListIn(PageIn):
    date: Day | None = Field(None, examples=["2026-03-12"])
    start_date: Day | None = Field(None, examples=["2026-03-01"])
    end_date: Day | None = Field(None, examples=["2026-03-31"])
    student_id: uuid.UUID | None = None
    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    sort: Annotated[list[str], SortBy("date", "timestamp")] = Field(default_factory=lambda: ["-date", "-timestamp"])

    def wanted(self) -> RecordFilter:
        days = Days(self.date or self.start_date, self.date or self.end_date)
        return RecordFilter(self.student_id, self.class_id, self.subject_id, days)


class MarkedPageOut(PageOut):
    items: list[MarkedRecordOut]
