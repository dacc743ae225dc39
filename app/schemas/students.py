"""Students with their guardians and emergency contacts."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from app import clock
from app.models import UserStatus
from app.schemas.accounts import NamedIn
from app.schemas.base import Email, In, Out, PageIn, PageOut, SortBy, Text, Title
from app.services.students import StudentView


def past(day: date) -> date:
    """Raises ValueError unless somebody alive may have been born on it."""
    if not day.year >= 1900 or day > clock.now().date():  # noqa: PLR2004 - nobody is older
        raise ValueError("must lie in the past")
    return day


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _nothing(value: Any) -> Any:
    return None if isinstance(value, str) and not value.strip() else value


def _number(year: str | None) -> int | str | None:
    return int(year) if year and year.isascii() and year.isdigit() else year


Blank = BeforeValidator(_nothing)
"""Forms send a field that was left blank as an empty text."""
Past = Annotated[date, AfterValidator(past)]
Phone = Annotated[str, Text(40)]
Relationship = Annotated[str, Text(50)]
Year = Annotated[Annotated[str, Text(20)], BeforeValidator(_text)]
"""Clients send it as a number or as text."""


class GuardianIn(In):
    name: Title = Field(examples=["Annabella Milbanke"])
    relationship: Annotated[Relationship | None, Blank] = Field(None, examples=["mother"])
    phone: Annotated[Phone | None, Blank] = Field(None, examples=["+44 20 7946 0000"])
    email: Annotated[Email | None, Blank] = Field(None, examples=["annabella@example.org"])


class EmergencyContactIn(In):
    name: Title = Field(examples=["Mary Somerville"])
    relationship: Annotated[Relationship | None, Blank] = Field(None, examples=["aunt"])
    phone: Annotated[str, Text(40, 1)] = Field(examples=["+44 20 7946 0001"])


class StudentIn(NamedIn):
    """A college's client sends email to section, a school's gender to emergency_contacts. When changing a student,
    only what is sent is changed; guardians and emergency_contacts are sent as whole lists."""

    email: Annotated[Email | None, Blank] = Field(None, examples=["ada@example.org"])
    roll_number: Annotated[str, Text(50), BeforeValidator(_text)] | None = Field(None, examples=["CS-042"])
    department: Annotated[str, Text(200)] | None = Field(None, examples=["Computer Science"])
    year: Year | None = Field(None, examples=["2"])
    section: Annotated[str, Text(50), BeforeValidator(_text)] | None = Field(None, examples=["A"])
    avatar: Annotated[str, Text(2000)] | None = Field(None, examples=["https://example.org/ada.png"])
    phone: Phone | None = Field(None, examples=["+44 20 7946 0002"])
    address: Annotated[str, Text(500)] | None = Field(None, examples=["12 St James's Square, London"])
    gender: Annotated[str, Text(40)] | None = Field(None, examples=["female"])
    date_of_birth: Annotated[Annotated[date, AfterValidator(past)] | None, Blank] = Field(None, examples=["2012-12-10"])
    class_id: Annotated[uuid.UUID | None, Blank] = Field(None, description="To be enrolled in from today")
    guardians: list[GuardianIn] | None = Field(None, max_length=10)
    emergency_contacts: list[EmergencyContactIn] | None = Field(None, max_length=10)

    def values(self) -> dict[str, Any]:
        """As they are kept: what is blank is nothing."""
        return {name: None if value == "" and name != "last_name" else value for name, value in self.changes().items()}


class NewStudentIn(StudentIn):
    """A field that was left blank in a form is missing, and named with the others that are."""

    @model_validator(mode="before")
    @classmethod
    def blank_is_missing(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {name: value for name, value in data.items() if value is not None and str(value).strip()}


class StudentListIn(PageIn):
    search: Annotated[str, Text(200)] | None = Field(
        None, description="In the name, the roll number or the email address, whatever the case", examples=["ada"]
    )
    department: Annotated[str, Text(200)] | None = Field(None, examples=["Computer Science"])
    year: Annotated[str, Text(20)] | None = Field(None, examples=["2"])
    section: Annotated[str, Text(50)] | None = Field(None, examples=["A"])
    class_id: uuid.UUID | None = None
    sort: Annotated[list[str], SortBy("last_name", "first_name", "email", "roll_number", "created_at")] = Field(
        default_factory=lambda: ["last_name", "first_name"]
    )


class TransferIn(In):
    from_class_id: uuid.UUID
    to_class_id: uuid.UUID
    day: date | None = Field(None, description="From which they are in the other class; by default today")


class GuardianOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Annabella Milbanke"])
    relationship: str | None = Field(examples=["mother"])
    phone: str | None
    email: str | None
    parent_id: uuid.UUID | None = Field(description="Their own account, with which they see the student's data")


class EmergencyContactOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Mary Somerville"])
    relationship: str | None = Field(examples=["aunt"])
    phone: str


class ClassOfStudentOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Mathematics 7b"])
    starts_on: date
    ends_on: date | None


class StudentOut(Out):
    id: uuid.UUID
    student_id: uuid.UUID
    name: str = Field(examples=["Ada Lovelace"])
    first_name: str
    last_name: str
    email: str | None
    roll_number: str | None = Field(examples=["CS-042"])
    department: str | None = Field(examples=["Computer Science"])
    department_id: uuid.UUID | None
    year: int | str | None = Field(examples=[2])
    section: str | None = Field(examples=["A"])
    avatar: str | None
    phone: str | None
    address: str | None
    gender: str | None
    date_of_birth: date | None
    status: UserStatus
    classes: list[ClassOfStudentOut]
    class_id: uuid.UUID | None = Field(description="The first of classes")
    guardians: list[GuardianOut]
    emergency_contacts: list[EmergencyContactOut]
    created_at: datetime

    @classmethod
    def of(cls, view: StudentView) -> dict[str, Any]:
        user, profile = view.user, view.profile
        return {
            **{name: getattr(user, name) for name in cls.model_fields if hasattr(user, name)},
            **{name: getattr(profile, name, None) for name in ("roll_number", "section", "gender", "date_of_birth")},
            "student_id": user.id,
            "year": _number(getattr(profile, "year", None)),
            "department": view.department,
            "classes": view.classes,
            "class_id": view.classes[0].id if view.classes else None,
            "guardians": view.guardians,
            "emergency_contacts": view.emergency_contacts,
        }


class StudentCreatedOut(StudentOut):
    message: str = Field(examples=["The student is saved"])


class StudentPageOut(PageOut):
    items: list[StudentOut]
