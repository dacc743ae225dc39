"""Sessions, records, marks."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from app.models import Status
from app.schemas.base import Figure, In, Out, PageIn, PageOut, SortBy, Title
from app.schemas.classes import StudentOut


class SessionIn(In):
    class_id: uuid.UUID
    session_name: Title = Field(examples=["Fractions"])
    session_date: date | None = Field(
        None, description="By default today in the organisation's time zone", examples=["2026-03-12"]
    )


class SessionListIn(PageIn):
    sort: Annotated[list[str], SortBy("session_date", "name")] = Field(default_factory=lambda: ["-session_date"])


class RecordListIn(PageIn):
    sort: Annotated[list[str], SortBy("last_name", "first_name", "marked_at")] = Field(
        default_factory=lambda: ["last_name", "first_name"]
    )


class MarkIn(In):
    session_id: uuid.UUID
    student_ids: list[uuid.UUID] = Field(min_length=1, max_length=1000)


class CountsOut(Out):
    expected: int = Field(description="Enrolled on the session's day, or with a record anyway", examples=[28])
    present: int = Field(examples=[25])
    late: int = Field(examples=[1])
    absent: int = Field(examples=[0])
    excused: int = Field(examples=[0])
    leave: int = Field(examples=[0])
    unmarked: int = Field(description="Expected, and no record yet", examples=[2])
    rate: Figure | None = Field(
        description="(present + late) / (expected - excused - leave); null when nobody was expected", examples=[0.93]
    )


class SessionOut(Out):
    id: uuid.UUID
    class_id: uuid.UUID
    session_name: str = Field(examples=["Fractions"])
    session_date: date = Field(examples=["2026-03-12"])
    created_at: datetime
    counts: CountsOut


class SessionPageOut(PageOut):
    items: list[SessionOut]


class RecordOut(Out):
    id: uuid.UUID
    session_id: uuid.UUID
    student: StudentOut
    status: Status = Field(examples=["present"])
    marked_at: datetime
    marked_by_id: uuid.UUID


class RecordPageOut(PageOut):
    items: list[RecordOut]
    counts: CountsOut | None = Field(description="Of the whole session, for those who teach its class")


class RefusedOut(Out):
    student_id: uuid.UUID
    code: str = Field(examples=["not_in_class"])
    detail: str = Field(examples=["No student of this class has this id"])


class MarkOut(Out):
    """How many students were marked, and who was not, with the reason."""

    session_id: uuid.UUID
    newly_marked: int = Field(examples=[2])
    already_marked: int = Field(examples=[0])
    refused: list[RefusedOut]
