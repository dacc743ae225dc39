"""Messages to people."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, model_validator

from app.schemas.base import In, Out, PageIn, PageOut, SortBy, Text, Title
from app.services.messages import MOST_PEOPLE, Addressed, Readers


class MessageIn(In):
    """To whom: a class, students, people, or several of these."""

    subject: Title = Field(examples=["Museum on Friday"])
    text: Annotated[str, Text(5000, 1)] = Field(examples=["Please bring something to eat."])
    class_id: uuid.UUID | None = Field(None, description="Its students of today; for its teachers and administrators")
    student_ids: list[uuid.UUID] = Field([], max_length=MOST_PEOPLE, description="For staff")
    user_ids: list[uuid.UUID] = Field(
        [], max_length=MOST_PEOPLE, description="Students and parents write to teachers of their classes so"
    )
    to: list[Readers] = Field(
        list(Readers), min_length=1, max_length=2, description="Who of the class or the students reads it"
    )

    @model_validator(mode="after")
    def addressed_to_somebody(self) -> Self:
        if not (self.class_id or self.student_ids or self.user_ids):
            raise ValueError("say to whom: class_id, student_ids or user_ids")
        return self

    @property
    def addressed(self) -> Addressed:
        return Addressed(self.class_id, self.student_ids, self.user_ids, self.to)


class SentMessageListIn(PageIn):
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["-created_at"])


class MessageSentOut(Out):
    id: uuid.UUID
    people: int = Field(description="To how many it went", examples=[23])


class SentMessageOut(MessageSentOut):
    subject: str = Field(examples=["Museum on Friday"])
    text: str = Field(examples=["Please bring something to eat."])
    created_at: datetime


class SentMessagePageOut(PageOut):
    items: list[SentMessageOut]
