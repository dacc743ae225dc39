"""Marking by class or subject and day, or by session, and searching what was marked."""

from __future__ import annotations

import uuid
from datetime import date as Day  # noqa: N812 - clients' fields are named date
from datetime import datetime
from typing import Annotated, Self

from pydantic import BeforeValidator, Field, StrictBool, model_validator

from app.models import Source, Status
from app.schemas.base import In, Out, PageIn, PageOut, SortBy, Text
from app.services.marking import Mark, RecordFilter, SessionMark
from app.services.organisation_settings import EdFi
from app.services.sessions import Days

Word = Annotated[
    str,
    BeforeValidator(lambda value: value.strip().lower() if isinstance(value, str) else value),
    Field(max_length=40, description="One of the five, or the organisation's own: see /api/attendance/statuses"),
]
Remarks = Annotated[str, Text(500)]
Reason = Annotated[str, Text(500), Field(description="Kept with the marks", examples=["A note came later"])]


class ClassMarkIn(In):
    student_id: uuid.UUID
    class_id: uuid.UUID
    date: Day = Field(examples=["2026-03-12"])
    status: Word = Field(examples=["present"])
    remarks: Remarks | None = Field(None, examples=["Came with a note"])


class MarkDayIn(In):
    """A subject's marks of a day, as a map of students to statuses; or one student's mark in a class."""

    date: Day = Field(examples=["2026-03-12"])
    subject_id: uuid.UUID | None = None
    attendance: dict[uuid.UUID, Word] | None = Field(
        None,
        description="With subject_id: student_id to status",
        max_length=1000,
        examples=[{"01a1fcba-a1e3-7000-8000-000000000001": "present"}],
    )
    class_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = Field(None, description="With class_id and status")
    status: Word | None = Field(None, examples=["present"])
    remarks: Remarks | None = None
    reason: Reason | None = None

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
    reason: Reason | None = None

    def marks(self) -> list[Mark]:
        return [
            Mark(f"records.{n}", row.student_id, row.date, row.status, row.class_id, remarks=row.remarks)
            for n, row in enumerate(self.records)
        ]


class SessionMarkIn(In):
    student_id: uuid.UUID
    status: Word = Field(examples=["late"])
    remarks: Remarks | None = Field(None, examples=["The bus"])


class SessionMarksIn(In):
    marks: dict[uuid.UUID, Word] | list[SessionMarkIn] = Field(
        description="student_id to status, or a list with remarks",
        min_length=1,
        max_length=1000,
        examples=[{"01a1fcba-a1e3-7000-8000-000000000001": "present"}],
    )
    reason: Reason | None = None

    def given(self) -> list[SessionMark]:
        if isinstance(self.marks, dict):
            return [SessionMark(f"marks.{id_}", id_, status) for id_, status in self.marks.items()]
        return [
            SessionMark(f"marks.{n}", mark.student_id, mark.status, mark.remarks) for n, mark in enumerate(self.marks)
        ]


class CopyIn(In):
    from_session_id: uuid.UUID
    only_unmarked: StrictBool = Field(True, description="Leave the records that are there as they are")
    reason: Reason | None = None


class EveryoneElseIn(In):
    status: Word = Field("present", examples=["present"])


class SessionMarkedOut(Out):
    session_id: uuid.UUID
    created: int = Field(description="Who had no record yet", examples=[27])
    updated: int = Field(examples=[0])
    overridden: list[uuid.UUID] = Field(description="Of whom the office has decided otherwise")


class StatusOut(Out):
    code: str = Field(description="What a mark gives", examples=["late"])
    label: str = Field(examples=["Late"])
    counts_as: Status = Field(examples=["late"])
    colour: str = Field(examples=["#d97706"])
    letter: str = Field(description="As registers show it", examples=["L"])
    ed_fi: EdFi = Field(description="Ed-Fi AttendanceEventCategory", examples=["Tardy"])


class StatusesOut(Out):
    items: list[StatusOut]


class MarkListIn(PageIn):
    sort: Annotated[list[str], SortBy("marked_at")] = Field(default_factory=lambda: ["marked_at"])


class RecordMarkOut(Out):
    id: uuid.UUID
    status: Status = Field(examples=["present"])
    code: str | None = Field(description="Of the organisation's own status", examples=["SICK"])
    source: Source = Field(examples=["manual"])
    is_office: bool = Field(description="It stands over what a teacher marks")
    remarks: str | None
    reason: str | None
    marked_by_id: uuid.UUID
    marked_by: str = Field(examples=["Mary Somerville"])
    marked_at: datetime


class RecordMarkPageOut(PageOut):
    items: list[RecordMarkOut]


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
    code: str | None = Field(description="Of the organisation's own status", examples=["SICK"])
    is_office: bool = Field(description="The office decided it, over what a teacher marks")
    remarks: str | None
    timestamp: datetime


class MarkedOut(Out):
    message: str = Field(examples=["Attendance saved"])
    id: uuid.UUID | None = Field(description="Of the record, where it is one")
    created: int = Field(examples=[2])
    updated: int = Field(examples=[0])
    overridden: list[uuid.UUID] = Field(
        description="Whose records the office has decided: these marks are kept and change nothing"
    )
    records: list[MarkedRecordOut]


class MarkedListIn(PageIn):
    date: Day | None = Field(None, examples=["2026-03-12"])
    start_date: Day | None = Field(None, examples=["2026-03-01"])
    end_date: Day | None = Field(None, examples=["2026-03-31"])
    student_id: uuid.UUID | None = None
    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    sort: Annotated[list[str], SortBy("date", "timestamp")] = Field(default_factory=list)

    def wanted(self) -> RecordFilter:
        days = Days(self.date or self.start_date, self.date or self.end_date)
        return RecordFilter(self.student_id, self.class_id, self.subject_id, days)


class MarkedPageOut(PageOut):
    items: list[MarkedRecordOut]
