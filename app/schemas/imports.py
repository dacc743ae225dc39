"""Imports of many rows: a file (CSV or XLSX), or JSON."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated, Any, Self

from pydantic import AfterValidator, BeforeValidator, Field, ValidationError, model_validator

from app.models import Role
from app.schemas.accounts import NewNamedIn
from app.schemas.base import Email, In, Out, Text, Title
from app.schemas.students import past
from app.schemas.uploads import FileBytes, Upload
from app.services.tables import BadCell, Row, read_csv, read_xlsx


class ImportIn(Upload):
    """One of file and rows."""

    file: FileBytes | None = Field(None, description="CSV or XLSX, with a line of column names")
    rows: list[dict[str, Any]] | None = Field(
        None, max_length=100_000, examples=[[{"name": "Ada Lovelace", "role": "student", "class": "Mathematics 7b"}]]
    )
    dry_run: bool = Field(False, description="Only say what would be done")

    @model_validator(mode="after")
    def one_of_them(self) -> Self:
        if (self.file is None) == (self.rows is None):
            raise ValueError("send either file or rows")
        return self

    def read(self) -> list[Row]:
        """The rows with their lines; in JSON the first row is 1.

        Raises:
            UnreadableFile: the file is neither CSV nor XLSX.
        """
        if self.file is not None:
            return read_xlsx(self.file) if self.file.startswith(b"PK") else read_csv(self.file, is_safe=True)
        rows = enumerate(self.rows or [], 1)
        return [Row(n, {k: _cell(v) for k, v in row.items() if v is not None and v != ""}) for n, row in rows]


def _cell(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value).strip()


def _role(value: Any) -> Any:
    return value.strip().lower().replace(" ", "_") if isinstance(value, str) else value


class RowIn(In):
    """A row of a table. Columns that are not known are refused by name: a misspelt one would be lost."""

    def values(self) -> dict[str, Any]:
        return self.model_dump(exclude_none=True)


class UserRowIn(RowIn, NewNamedIn):
    role: Annotated[Role, BeforeValidator(_role)] = Role.STUDENT
    email: Email | None = None
    phone: Annotated[str, Text(40)] | None = None
    external_id: Annotated[str, Text(255, 1)] | None = None
    department: Title | None = None
    roll_number: Annotated[str, Text(50)] | None = None
    year: Annotated[str, Text(20)] | None = None
    section: Annotated[str, Text(50)] | None = None
    gender: Annotated[str, Text(40)] | None = None
    date_of_birth: Annotated[date, AfterValidator(past)] | None = None
    class_: Title | None = Field(None, alias="class")
    guardian_name: Title | None = None
    guardian_phone: Annotated[str, Text(40)] | None = None
    guardian_email: Email | None = None
    guardian_relationship: Annotated[str, Text(50)] | None = None

    @model_validator(mode="after")
    def some_key(self) -> Self:
        if not (self.email or self.external_id or (self.roll_number and self.role == Role.STUDENT)):
            raise ValueError("needs an email, an external_id or a student's roll_number to be told apart by")
        return self

    def values(self) -> dict[str, Any]:
        sent = self.changes() | {"role": self.role}
        return {"last_name": "", **{name.rstrip("_"): value for name, value in sent.items() if value is not None}}


class EnrolmentRowIn(RowIn):
    student_id: uuid.UUID | None = None
    external_id: Annotated[str, Text(255, 1)] | None = None
    email: Email | None = None
    roll_number: Annotated[str, Text(50)] | None = None
    class_: Title | None = Field(None, alias="class")
    class_id: uuid.UUID | None = None
    join_code: Annotated[str, Text(6)] | None = None
    starts_on: date | None = None
    ends_on: date | None = None

    @model_validator(mode="after")
    def dates_in_order(self) -> Self:
        if self.ends_on and not self.starts_on:
            raise ValueError("ends_on needs starts_on")
        if self.starts_on and self.ends_on and self.ends_on <= self.starts_on:
            raise ValueError("ends_on must come after starts_on")
        return self

    def values(self) -> dict[str, Any]:
        return {name.rstrip("_"): value for name, value in super().values().items()}


def check(schema: type[RowIn], row: Row) -> dict[str, Any] | list[BadCell]:
    """A row's values as they are kept, or everything that is wrong with it."""
    try:
        return schema.model_validate(row.values).values()
    except ValidationError as wrong:
        return [_bad(row.line, error) for error in wrong.errors()]


def _bad(line: int, error: Any) -> BadCell:
    column = str(error["loc"][0]) if error["loc"] else None
    return BadCell(line, column, error["msg"].removeprefix("Value error, "))


class ImportedOut(Out):
    dry_run: bool
    created: int = Field(examples=[120])
    updated: int = Field(examples=[3])
    unchanged: int = Field(examples=[0])
    enrolled: int = Field(description="New enrolments", examples=[120])
