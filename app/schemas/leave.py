"""Leave requests and what is attached to them."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import Field, StrictBool, WithJsonSchema, model_validator
from werkzeug.datastructures import FileStorage

from app.models import LeaveStatus, Status
from app.schemas.base import In, Out, PageIn, PageOut, SortBy, Text
from app.schemas.classes import StudentOut
from app.schemas.uploads import FileBytes, Upload
from app.services.leave import LeaveFilter
from app.services.sessions import Days

LONGEST = 366
"""In days."""


class LeaveRequestIn(In):
    student_id: uuid.UUID | None = Field(None, description="By default oneself; parents and staff say for whom")
    first_day: date = Field(examples=["2026-03-12"])
    last_day: date = Field(description="This day too; at most 366 in all", examples=["2026-03-13"])
    counts_as: Literal[Status.EXCUSED, Status.LEAVE] = Field(
        Status.LEAVE, description="What becomes of the records", examples=["leave"]
    )
    reason: Annotated[str, Text(2000, 1)] = Field(examples=["A wedding"])

    @model_validator(mode="after")
    def sensible(self) -> Self:
        if not 1900 < self.first_day.year < 9000:  # noqa: PLR2004 - any day that somebody may mean
            raise ValueError("these days lie too far away")
        if not 0 <= (self.last_day - self.first_day).days < LONGEST:
            raise ValueError(f"last_day must not come before first_day, nor {LONGEST} days or more after it")
        return self


class LeaveListIn(PageIn):
    status: LeaveStatus | None = Field(None, examples=["pending"])
    student_id: uuid.UUID | None = None
    start_date: date | None = Field(None, description="Away on this day or later", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="Away on this day or before", examples=["2026-03-31"])
    sort: Annotated[list[str], SortBy("first_day", "created_at")] = Field(default_factory=lambda: ["-first_day"])

    @property
    def wanted(self) -> LeaveFilter:
        return LeaveFilter(self.status, self.student_id, Days(self.start_date, self.end_date))


class LeaveDecisionIn(In):
    approve: StrictBool = Field(examples=[True])
    reason: Annotated[str, Text(500)] | None = Field(
        None, description="Required when rejecting", examples=["Exams are on that day"]
    )

    @model_validator(mode="after")
    def explained(self) -> Self:
        if not self.approve and not self.reason:
            raise ValueError("say why it is rejected: reason")
        return self


class LeaveAttachmentIn(Upload):
    """A PDF, JPEG or PNG of at most 5 MB (5 x 1,024 x 1,024 bytes)."""

    file: Annotated[
        FileBytes,
        WithJsonSchema({"type": "string", "description": "As a data URL or base64", "examples": ["JVBERi0xLjQK"]}),
    ]
    name: str | None = Field(
        None, max_length=1000, description="By default the uploaded file's own", examples=["doctors-note.pdf"]
    )

    @model_validator(mode="before")
    @classmethod
    def named(cls, data: Any) -> Any:
        sent = data.get("file") if isinstance(data, dict) else None
        return {"name": (sent.filename or "")[-1000:]} | data if isinstance(sent, FileStorage) else data


class LeaveAttachmentOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["doctors-note.pdf"])
    media_type: str = Field(examples=["application/pdf"])
    size: int = Field(description="In bytes", examples=[48_213])
    created_at: datetime


class LeaveRequestOut(Out):
    id: uuid.UUID
    student_id: uuid.UUID = Field(description="Who is away: a student or an employee")
    student: StudentOut
    first_day: date = Field(examples=["2026-03-12"])
    last_day: date = Field(examples=["2026-03-13"])
    counts_as: Status = Field(examples=["leave"])
    reason: str = Field(examples=["A wedding"])
    status: LeaveStatus = Field(examples=["pending"])
    requested_by_id: uuid.UUID
    decided_by_id: uuid.UUID | None
    decided_at: datetime | None
    decision_reason: str | None
    attachments: list[LeaveAttachmentOut]
    created_at: datetime


class LeavePageOut(PageOut):
    items: list[LeaveRequestOut]
