"""Classes and enrolments."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app.models import TeacherRole
from app.schemas.base import Changes, In, Out, PageIn, PageOut, SortBy, Text, Title
from app.schemas.organisations import TimeZone
from app.services.classes import JOIN_CODE_LENGTH
from app.services.policies import Policy, kept


def _join_code(value: str) -> str:
    code = value.strip().upper()
    if not re.fullmatch(f"[A-Z0-9]{{{JOIN_CODE_LENGTH}}}", code):
        raise ValueError(f"a join code has {JOIN_CODE_LENGTH} letters or digits")
    return code


class ClassIn(In):
    name: Title = Field(examples=["Mathematics 7b"])
    description: Annotated[str, Text(2000)] = Field("", examples=["Room 12"])
    subject_id: uuid.UUID | None = None
    term_id: uuid.UUID | None = None
    time_zone: TimeZone | None = Field(
        None, description="Where it is held; by default the organisation's", examples=["Europe/London"]
    )
    policy: Policy | None = Field(
        None, description="What checking in to its sessions asks for, where it is not what the organisation asks"
    )

    def values(self) -> dict[str, Any]:
        return self.model_dump() | {"policy": kept(self.policy)}


class ClassChangeIn(Changes, ClassIn):
    name: Title = Field(default_factory=str, examples=["Mathematics 7b"])

    def changes(self) -> dict[str, Any]:
        changes = super().changes()
        return changes | ({"policy": kept(self.policy)} if "policy" in changes else {})


class JoinIn(In):
    join_code: Annotated[str, AfterValidator(_join_code)] = Field(examples=["K7PX2M"])


class ClassListIn(PageIn):
    sort: Annotated[list[str], SortBy("name", "created_at")] = Field(default_factory=lambda: ["name"])


class JoinCodeOut(Out):
    join_code: str = Field(examples=["K7PX2M"])


class StudentOut(Out):
    id: uuid.UUID
    first_name: str = Field(examples=["Ada"])
    last_name: str = Field(examples=["Lovelace"])
    name: str = Field(examples=["Ada Lovelace"])
    email: str | None = Field(examples=["ada@example.org"])


class TeacherOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Mary Somerville"])
    role: TeacherRole = Field(examples=["lead"])


class TeacherIn(In):
    teacher_id: uuid.UUID
    role: TeacherRole = Field(TeacherRole.ASSISTANT, examples=["assistant"])


class EnrolIn(In):
    student_ids: list[uuid.UUID] = Field(min_length=1, max_length=500)
    starts_on: date | None = Field(None, description="By default today", examples=["2026-03-02"])
    ends_on: date | None = Field(None, description="From this day on they are not expected", examples=["2026-07-01"])


class UnenrolIn(In):
    ends_on: date | None = Field(None, description="By default today", examples=["2026-07-01"])


class ClassOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Mathematics 7b"])
    description: str = Field(examples=["Room 12"])
    subject_id: uuid.UUID | None
    term_id: uuid.UUID | None
    time_zone: str | None = Field(description="null: the organisation's", examples=["Europe/London"])
    policy: Policy
    teacher_id: uuid.UUID | None = Field(description="Of the lead teacher")
    teacher_name: str = Field(examples=["Mary Somerville"])
    teachers: list[TeacherOut]
    student_count: int = Field(examples=[28])
    session_count: int = Field(examples=[3])
    join_code: str | None = Field(description="For those who teach the class", examples=["K7PX2M"])
    created_at: datetime


class ClassDetailOut(ClassOut):
    students: list[StudentOut] | None = Field(description="For those who teach the class")


class ClassPageOut(PageOut):
    items: list[ClassOut]
