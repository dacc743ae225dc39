"""Who teaches which subject to which class in which term."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.schemas.base import In, Out, PageIn, PageOut, SortBy
from app.services.teacher_assignments import AssignmentFilter


class TeacherAssignmentIn(In):
    teacher_id: uuid.UUID
    subject_id: uuid.UUID
    class_id: uuid.UUID
    term_id: uuid.UUID


class TeacherAssignmentListIn(PageIn):
    teacher_id: uuid.UUID | None = None
    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    term_id: uuid.UUID | None = None
    current: bool = Field(False, description="Only of the terms that it is today")
    sort: Annotated[list[str], SortBy("created_at", "class", "subject", "teacher", "term")] = Field(
        default_factory=lambda: ["created_at"]
    )

    @property
    def wanted(self) -> AssignmentFilter:
        return AssignmentFilter(self.teacher_id, self.class_id, self.subject_id, self.term_id, self.current)


class TeacherAssignmentOut(Out):
    id: uuid.UUID
    teacher_id: uuid.UUID
    teacher_name: str = Field(examples=["Mary Somerville"])
    subject_id: uuid.UUID
    subject_name: str = Field(examples=["Mathematics"])
    class_id: uuid.UUID
    class_name: str = Field(examples=["Year 7"])
    term_id: uuid.UUID
    term_name: str = Field(examples=["Autumn 2026"])
    created_at: datetime


class TeacherAssignmentPageOut(PageOut):
    items: list[TeacherAssignmentOut]
