"""Gates, what people are known by there, who passes, and what their days come to."""

from __future__ import annotations

import uuid
from datetime import date as Day  # noqa: N812 - clients' fields are named date
from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.models import CredentialKind, Direction, Role
from app.schemas.base import Changes, Figure, In, Out, PageIn, PageOut, SortBy, Text, Title
from app.schemas.faces import BoxOut, Picture
from app.schemas.uploads import Upload
from app.services.days import DayFilter, Part
from app.services.passages import Outcome
from app.services.sessions import Days

MOST_DAYS = 366


class GateIn(In):
    name: Title = Field(examples=["Main entrance"])
    direction: Direction | None = Field(None, description="null: in and out by turns", examples=["in"])


class GateChangeIn(Changes, GateIn):
    name: Title = Field(default_factory=str, examples=["Main entrance"])


class GateOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Main entrance"])
    direction: Direction | None = Field(description="null: in and out by turns")
    hint: str = Field(description="How the key begins", examples=["rg_4fYw9"])
    created_by_id: uuid.UUID
    last_used_at: datetime | None
    revoked_at: datetime | None
    created_at: datetime


class NewGateOut(GateOut):
    key: str = Field(description="The gate sends it as Authorization: Bearer ...; it is not shown again")


class GateListIn(PageIn):
    sort: Annotated[list[str], SortBy("name", "created_at")] = Field(default_factory=lambda: ["name"])


class GatePageOut(PageOut):
    items: list[GateOut]


class BadgeIn(In):
    badge: Annotated[str, Text(64, 1)] = Field(
        description="As the reader at the gate has it; capitals make no difference", examples=["04:A2:19:7F"]
    )


class PinOut(Out):
    pin: str = Field(description="It is not shown again", examples=["402917"])


class PassageIn(Upload):
    """Exactly one of them."""

    image: Picture | None = Field(None, description="What the gate's camera sees")
    badge: Annotated[str, Text(64, 1)] | None = Field(None, examples=["04:A2:19:7F"])
    pin: Annotated[str, Text(20, 1)] | None = Field(None, examples=["402917"])

    @model_validator(mode="after")
    def exactly_one(self) -> Self:
        if sum(sent is not None for sent in (self.image, self.badge, self.pin)) != 1:
            raise ValueError("send exactly one of image, badge and pin")
        return self

    @property
    def credential(self) -> tuple[CredentialKind, str]:
        if self.badge is not None:
            return CredentialKind.BADGE, self.badge
        return CredentialKind.PIN, self.pin or ""


class PersonOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Ada Lovelace"])
    first_name: str = Field(examples=["Ada"])
    last_name: str = Field(examples=["Lovelace"])
    role: Role = Field(examples=["employee"])


class PassingOut(Out):
    outcome: Outcome = Field(
        description="debounced: seen again within a minute, nothing has changed; "
        "unknown, uncertain: nobody was let through and nothing is saved",
        examples=["in"],
    )
    person: PersonOut | None
    direction: Direction | None
    at: datetime | None
    by: str = Field(description="face, badge or pin", examples=["face"])
    distance: Figure | None = Field(description="Between the encodings; people differ from about 0.6", examples=[0.38])
    confidence: Figure | None = Field(description="Probability that it is this person", examples=[0.99])
    box: BoxOut | None = Field(description="Where the face is in the picture, in pixels")


class PassagesOut(Out):
    passages: list[PassingOut] = Field(description="One for each face in the picture; for a badge or PIN one")


class MyDaysIn(PageIn):
    date: Day | None = Field(None, description="One day; without any, today", examples=["2026-03-12"])
    start_date: Day | None = Field(None, description="With end_date, at most 366 days", examples=["2026-03-01"])
    end_date: Day | None = Field(None, description="This day too", examples=["2026-03-31"])
    sort: Annotated[list[str], SortBy("date", "last_name", "first_name")] = Field(
        default_factory=lambda: ["-date", "last_name", "first_name"]
    )

    @model_validator(mode="after")
    def some_days(self) -> Self:
        if self.start_date is None and self.end_date is None:
            return self
        if self.date or self.start_date is None or self.end_date is None:
            raise ValueError("send either date, or start_date and end_date")
        if not timedelta(0) <= self.end_date - self.start_date < timedelta(days=MOST_DAYS):
            raise ValueError(f"from start_date to end_date there may be 1 to {MOST_DAYS} days")
        return self

    def wanted(self, today: Day) -> DayFilter:
        one = self.date or today
        return DayFilter(Days(self.start_date or one, self.end_date or one))


class DaysOfPeopleIn(MyDaysIn):
    user_id: uuid.UUID | None = None
    department_id: uuid.UUID | None = None

    def wanted(self, today: Day) -> DayFilter:
        return DayFilter(super().wanted(today).days, self.user_id, self.department_id)


class DayOut(Out):
    person: PersonOut
    date: Day = Field(examples=["2026-03-12"])
    first_in: datetime | None
    last_out: datetime | None
    minutes: Figure = Field(
        description="Inside, from coming in to going out; who is inside counts until now, and on past days until "
        "the organisation's setting day.ends_at",
        examples=[472.5],
    )
    part: Part = Field(description="By the settings day.full_minutes and day.half_minutes", examples=["full"])
    open: bool = Field(description="Came in, and was not seen going out")


class DayPageOut(PageOut):
    items: list[DayOut]
