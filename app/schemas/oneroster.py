"""OneRoster archives, and what became of one."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, WithJsonSchema

from app.schemas.base import In, Out
from app.schemas.uploads import FileBytes, Upload

EMPTY_ARCHIVE = "UEsFBgAAAAAAAAAAAAAAAAAAAAAAAA=="

Archive = Annotated[
    FileBytes,
    WithJsonSchema(
        {"type": "string", "description": "A zip archive as a data URL or base64", "examples": [EMPTY_ARCHIVE]}
    ),
]


class OneRosterIn(Upload):
    """A OneRoster 1.2 (or 1.1) archive of CSV files."""

    file: Archive


class OneRosterQuery(In):
    dry_run: bool = Field(False, description="Only say what would happen")


class RosterCounts(Out):
    departments: int = Field(examples=[4])
    subjects: int = Field(examples=[12])
    terms: int = Field(examples=[2])
    classes: int = Field(examples=[40])
    users: int = Field(examples=[1200])
    student_profiles: int = Field(examples=[1000])
    guardians: int = Field(examples=[1500])
    class_teachers: int = Field(examples=[60])
    enrolments: int = Field(examples=[8000])


class OneRosterOut(Out):
    dry_run: bool
    created: RosterCounts
    updated: RosterCounts
    unchanged: RosterCounts
    removed: RosterCounts = Field(description="People and classes deactivated, enrolments ended, the rest deleted")
