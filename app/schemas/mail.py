"""Mail, as administrators see it: never the text, which may hold a link that signs somebody in."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.models import MailStatus
from app.schemas.base import Out, PageIn, PageOut, SortBy, Text


class MailListIn(PageIn):
    status: MailStatus | None = Field(None, examples=["failed"])
    recipient: Annotated[str, Text(254)] | None = Field(None, description="A part of it", examples=["@example.org"])
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["-created_at"])


class MailOut(Out):
    id: uuid.UUID
    recipient: str = Field(examples=["ada@example.org"])
    sender: str = Field(examples=["Rollcall <rollcall@example.org>"])
    subject: str = Field(examples=["Mail to Ada works"])
    template: str = Field(examples=["test"])
    status: MailStatus = Field(description="uncertain: the connection was lost while it was sent", examples=["sent"])
    attempts: int = Field(examples=[1])
    next_attempt_at: datetime
    sent_at: datetime | None
    error: str | None = Field(description="What the mail server said", examples=["550 No such user"])
    created_at: datetime


class MailPageOut(PageOut):
    items: list[MailOut]
