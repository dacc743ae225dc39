"""What all shapes share."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any

from annotated_types import GroupedMetadata
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    WithJsonSchema,
    model_validator,
)
from pydantic.alias_generators import to_camel

from app.models.people import NAME_LENGTH, split_name
from app.services.paging import Paging
from app.services.text import one_spelling, without_control_characters


class SortBy(GroupedMetadata):
    """What a list's `sort` may name: comma-separated columns, `-` for descending; read as a list of them."""

    def __init__(self, *columns: str) -> None:
        one = f"-?({'|'.join(columns)})"
        self.pattern = f"^{one}(,{one})*$"
        self.columns = columns

    def __iter__(self) -> Iterator[Any]:
        yield BeforeValidator(self.split)
        yield WithJsonSchema(
            {
                "type": "string",
                "pattern": self.pattern,
                "description": f"Comma-separated, - for descending: {', '.join(self.columns)}",
                "examples": [self.columns[0]],
            }
        )

    def split(self, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        if not re.fullmatch(self.pattern, value):
            raise ValueError(f"sorts by {', '.join(self.columns)}, with - for descending")
        return value.split(",")


class In(BaseModel):
    """What a client sends: snake_case, camelCase also understood, unknown fields refused."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    @model_validator(mode="before")
    @classmethod
    def snake_case(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        spellings = {to_camel(field): field for field in cls.model_fields}
        return {spellings.get(key, key): value for key, value in data.items()}


class Changes(In):
    """Only what is sent is changed: beside a body's schema, whose required fields get a default that is never used."""

    def changes(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True)


class Out(BaseModel):
    """What the server answers, read off a row or a service's view."""

    model_config = ConfigDict(from_attributes=True, hide_input_in_errors=True)


class Message(Out):
    message: str = Field(examples=["Done"])


class PageOut(Out):
    """A page of a list; `items` is each list's own."""

    page: int = Field(examples=[1])
    per_page: int = Field(examples=[20])
    total: int = Field(examples=[1])
    pages: int = Field(examples=[1])
    next: str | None = Field(
        None,
        description="Sent as `after`, it brings the next page, however long the list, without counting it again; null "
        "on the last page, and where the order allows none",
        examples=["W1siLWRhdGUiXSwxLDIxXQ.sQ8"],
    )


class OrderedPageIn(In):
    """`?page=&per_page=&after=`, of a list that has one order."""

    page: int = Field(1, ge=1, le=1_000_000)
    per_page: int = Field(20, ge=1, le=100)
    after: str | None = Field(None, max_length=2000, description="The page before's `next`; then `page` counts nothing")

    @property
    def paging(self) -> Paging:
        asked = self.model_dump_json(exclude={"page", "per_page", "after"})
        about = hashlib.sha256(f"{type(self).__name__} {asked}".encode()).hexdigest()[:16]
        return Paging(self.page, self.per_page, getattr(self, "sort", ()), self.after, about)


class PageIn(OrderedPageIn):
    """`?page=&per_page=&sort=&after=`; each list adds its own filters and says what it sorts by."""

    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["created_at"])


def _of_names(name: str) -> str:
    if max(map(len, split_name(name).values())) > NAME_LENGTH:
        raise ValueError(f"must not have a first or last name of more than {NAME_LENGTH} characters")
    return name


@dataclass(frozen=True)
class Text(GroupedMetadata):
    """Text as people type it: outer blanks cut, no control characters (PostgreSQL cannot keep a zero byte)."""

    longest: int
    shortest: int = 0

    def __iter__(self) -> Iterator[Any]:
        yield from StringConstraints(strip_whitespace=True, min_length=self.shortest, max_length=self.longest)
        yield AfterValidator(without_control_characters)


Name = Annotated[str, Text(NAME_LENGTH, 1)]
Title = Annotated[str, Text(200, 1)]
FullName = Annotated[str, Text(200, 1), AfterValidator(_of_names)]
Email = Annotated[str, Field(max_length=254, json_schema_extra={"format": "email"}), AfterValidator(one_spelling)]
Password = Annotated[str, Field(min_length=1, max_length=1024, json_schema_extra={"format": "password"})]
Figure = Annotated[float, AfterValidator(lambda figure: round(figure, 4))]
