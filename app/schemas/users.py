"""An organisation's people, as its administrators see them."""

from __future__ import annotations

import uuid
from typing import Annotated, Any

from pydantic import Field, StrictBool

from app.models import Role, UserStatus
from app.schemas.accounts import NamedIn, NewNamedIn, UserOut
from app.schemas.base import Email, In, Out, PageIn, PageOut, Password, SortBy, Text

Short = Annotated[str, Text(100)]
StudentIds = Annotated[list[uuid.UUID], Field(max_length=50)]


class UserListIn(PageIn):
    search: Annotated[str, Text(200)] | None = Field(
        None, description="In the name, the email address or the roll number, whatever the case", examples=["ada"]
    )
    role: Role | None = Field(None, examples=["teacher"])
    status: UserStatus | None = Field(None, examples=["active"])
    is_active: bool | None = Field(None, examples=[True])
    department: Annotated[str, Text(200)] | None = Field(None, description="By name", examples=["Science"])
    sort: Annotated[
        list[str],
        SortBy("last_name", "first_name", "email", "role", "status", "created_at", "last_sign_in_at"),
    ] = Field(default_factory=lambda: ["last_name", "first_name"])


class _UserFields(In):
    username: Short | None = Field(None, examples=["ada"])
    phone: Annotated[str, Text(40)] | None = Field(None, examples=["+351 21 000 0000"])
    address: Annotated[str, Text(500)] | None = Field(None, examples=["Rua das Flores 1, Lisboa"])
    avatar: Annotated[str, Text(2000)] | None = Field(None, examples=["https://example.org/ada.png"])
    department: Annotated[str, Text(200)] | None = Field(
        None, description="By name; made if it is new", examples=["Science"]
    )
    department_id: uuid.UUID | None = Field(None, description="Instead of department")
    external_id: Annotated[str, Text(255, 1)] | None = Field(
        None, description="What another system calls this person", examples=["p-1815"]
    )


class _NewUserIn(_UserFields, NewNamedIn):
    password: Password | None = Field(
        None, description="Without one, a link to set it is mailed", examples=["correct horse battery"]
    )

    def values(self) -> dict[str, Any]:
        """Columns of User, and the department's name."""
        return {name: value for name, value in self.changes().items() if name not in {"password", "student_ids"}}


class UserIn(_NewUserIn):
    email: Email | None = Field(None, examples=["ada@example.org"])
    role: Role = Field(examples=["teacher"])
    student_ids: StudentIds = Field([], description="A parent's children")


class TeacherUserIn(_NewUserIn):
    email: Email = Field(examples=["mary@example.org"])


class ParentUserIn(_NewUserIn):
    email: Email = Field(examples=["annabella@example.org"])
    student_ids: StudentIds = Field([], description="Their children")


class UserChangeIn(_UserFields, NamedIn):
    """Only what is sent is changed."""

    email: Email | None = Field(None, examples=["ada@example.org"])
    role: Role = Field(Role.STUDENT, examples=["teacher"])
    status: UserStatus = Field(UserStatus.ACTIVE, examples=["active"])
    is_active: StrictBool = Field(True, description="Another way to say status", examples=[True])
    password: Password | None = Field(None, description="Ends their sign-ins", examples=["correct horse battery"])
    student_ids: StudentIds | None = Field(None, description="A parent's children, all of them")

    def values(self) -> dict[str, Any]:
        sent = self.changes()
        if "is_active" in sent:
            sent.setdefault("status", UserStatus.ACTIVE if sent.pop("is_active") else UserStatus.INACTIVE)
        return {name: value for name, value in sent.items() if name not in {"password", "student_ids", "is_active"}}


class UserPageOut(PageOut):
    items: list[UserOut]


class ReasonIn(In):
    reason: Annotated[str, Text(500)] | None = Field(None, description="For the audit log", examples=["Left school"])


class InactiveIn(In):
    days: int = Field(strict=True, ge=1, le=3650, examples=[180])
    dry_run: StrictBool = Field(True, description="Only say who it would be")


class DeactivationOut(Out):
    count: int = Field(examples=[2])
    dry_run: bool
    users: list[UserOut] = Field(description="The first hundred")


class HeldOut(Out):
    """Everything that is held about a person, by table."""

    held: dict[str, Any]
