"""Notifications: one's own, and for administrators whether they arrived."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import Field

from app.models import MailStatus, NotificationKind
from app.schemas.audit import Moment
from app.schemas.base import Out, PageIn, PageOut, SortBy
from app.services.notifications import DeliveryFilter


class NotificationListIn(PageIn):
    unread: bool = Field(False, description="Those alone that one has not read", examples=[True])
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["-created_at"])


class NotificationOut(Out):
    id: uuid.UUID
    kind: NotificationKind = Field(examples=["absence"])
    title: str = Field(examples=["Ada Lovelace was absent from Maths"])
    text: str = Field(examples=["Ada Lovelace was absent from Maths (Year 7) on 12 March 2026 at 09:00."])
    student_id: uuid.UUID | None = Field(description="Whom it is about")
    about_id: uuid.UUID | None = Field(
        description="The session, leave request, alert or file that it is about, as its kind has it"
    )
    read_at: datetime | None
    created_at: datetime


class NotificationPageOut(PageOut):
    items: list[NotificationOut]


class UnreadOut(Out):
    unread: int = Field(examples=[3])


class DeliveryListIn(PageIn):
    user_id: uuid.UUID | None = Field(None, description="Who was told")
    student_id: uuid.UUID | None = Field(None, description="Whom it is about")
    kind: NotificationKind | None = Field(None, examples=["absence"])
    since: Moment | None = Field(None, description="Told then or later", examples=["2026-03-01T00:00:00Z"])
    until: Moment | None = Field(None, description="Told before then", examples=["2026-04-01T00:00:00Z"])
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["-created_at"])

    @property
    def wanted(self) -> DeliveryFilter:
        return DeliveryFilter(self.user_id, self.student_id, self.kind, self.since, self.until)


class ToldPersonOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Ada Lovelace"])


class DeliveryMailOut(Out):
    id: uuid.UUID
    recipient: str = Field(examples=["annabella@example.org"])
    template: str = Field(description="notification, or digest: with the day's others", examples=["notification"])
    status: MailStatus = Field(
        description="withdrawn: what it told of was no longer so before it was sent", examples=["sent"]
    )
    sent_at: datetime | None
    error: str | None = Field(description="What the mail server said", examples=["550 No such user"])


class DeliveryOut(Out):
    id: uuid.UUID
    kind: NotificationKind = Field(examples=["absence"])
    title: str = Field(examples=["Ada Lovelace was absent from Maths"])
    user: ToldPersonOut | None = Field(description="Who was told; null: a guardian without an account")
    address: str | None = Field(description="That guardian's", examples=["annabella@example.org"])
    student: ToldPersonOut | None = Field(description="Whom it is about")
    about_id: uuid.UUID | None
    read_at: datetime | None
    mail_due_at: datetime | None = Field(description="When it will be mailed; null: it was, or is not to be")
    mail: DeliveryMailOut | None
    created_at: datetime


class DeliveryPageOut(PageOut):
    items: list[DeliveryOut]
