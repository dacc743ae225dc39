"""Classes and enrolments."""

from __future__ import annotations

import re
import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from app.schemas.base import In, Out, PageIn, PageOut, SortBy, Text, Title
from app.services.classes import JOIN_CODE_LENGTH


def _join_code(value: str) -> str:
    code = value.strip().upper()
    if not re.fullmatch(f"[A-Z0-9]{{{JOIN_CODE_LENGTH}}}", code):
        raise ValueError(f"a join code has {JOIN_CODE_LENGTH} letters or digits")
    return code


class ClassIn(In):
    name: Title = Field(examples=["Mathematics 7b"])
    description: Annotated[str, Text(2000)] = Field("", examples=["Room 12"])


class ClassChangeIn(In):
    """Only what is sent is changed."""

    name: Title = Field(default_factory=str, examples=["Mathematics 7b"])
    description: Annotated[str, Text(2000)] = Field("", examples=["Room 14"])

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


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


class ClassOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Mathematics 7b"])
    description: str = Field(examples=["Room 12"])
    teacher_id: uuid.UUID
    teacher_name: str = Field(examples=["Mary Somerville"])
    student_count: int = Field(examples=[28])
    session_count: int = Field(examples=[3])
    join_code: str | None = Field(description="For those who teach the class", examples=["K7PX2M"])
    created_at: datetime


class ClassDetailOut(ClassOut):
    students: list[StudentOut] | None = Field(description="For those who teach the class")


class ClassPageOut(PageOut):
    items: list[ClassOut]
