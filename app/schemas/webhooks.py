"""Webhooks, and what was sent to them."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, StrictBool, StringConstraints

from app.models import DeliveryStatus, WebhookEvent
from app.schemas.base import Changes, In, Out, PageIn, PageOut, SortBy, Text


def _url(address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme not in {"https", "http"} or not parts.hostname or parts.port == 0:
        raise ValueError("begins with https:// and the name of a server")
    if "@" in parts.netloc:
        raise ValueError("must not have a user or password in it: calls are signed")
    if "#" in address:
        raise ValueError("must not have a #")
    return address


Url = Annotated[str, StringConstraints(pattern=r"^[!-~]+$"), Field(max_length=1000), AfterValidator(_url)]
Subscribed = Literal[
    WebhookEvent.SESSION_CLOSED,
    WebhookEvent.SESSION_CHANGED,
    WebhookEvent.SESSION_CANCELLED,
    WebhookEvent.LEAVE_DECIDED,
    WebhookEvent.ALERT_OPENED,
    WebhookEvent.ALERT_CLOSED,
    WebhookEvent.REPORT_READY,
]


class WebhookIn(In):
    url: Url = Field(
        description="Where to; https, outside of the server's own network", examples=["https://sis.school.example/hook"]
    )
    events: Annotated[list[Subscribed], Field(min_length=1, max_length=20)] = Field(
        description="Of what it is told", examples=[["session.closed", "leave.decided"]]
    )
    description: Annotated[str, Text(500)] = Field("", examples=["Our school information system"])


class WebhookChangeIn(Changes, WebhookIn):
    url: Url = Field(default_factory=str, examples=["https://sis.school.example/hook"])
    events: Annotated[list[Subscribed], Field(min_length=1, max_length=20)] = Field(
        default_factory=list, examples=[["session.closed"]]
    )
    is_active: StrictBool = Field(
        True, description="false: nothing is sent, and what waits has failed; true: it starts anew"
    )


class WebhookListIn(PageIn):
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["created_at"])


class WebhookOut(Out):
    id: uuid.UUID
    url: str = Field(examples=["https://sis.school.example/hook"])
    description: str = Field(examples=["Our school information system"])
    events: list[WebhookEvent] = Field(examples=[["leave.decided", "session.closed"]])
    is_active: bool
    failing_since: datetime | None = Field(description="Since when nothing has arrived; null: the last did")
    disabled_at: datetime | None = Field(description="When it was turned off because nothing arrived for five days")
    disabled_reason: str | None = Field(examples=["It answered 410: it wants nothing any more"])
    old_secret_ends_at: datetime | None = Field(description="Until when the secret before the last one signs as well")
    created_by_id: uuid.UUID
    created_at: datetime


class NewWebhookOut(WebhookOut):
    secret: str = Field(
        description="What calls are signed with; shown this once",
        examples=["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="],
    )


class WebhookPageOut(PageOut):
    items: list[WebhookOut]


class WebhookDeliveryListIn(PageIn):
    status: DeliveryStatus | None = Field(None, examples=["failed"])
    event: WebhookEvent | None = Field(None, examples=["session.closed"])
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["-created_at"])


class WebhookDeliveryOut(Out):
    id: uuid.UUID = Field(description="webhook-id: the same at each attempt")
    webhook_id: uuid.UUID
    event: WebhookEvent = Field(examples=["session.closed"])
    body: str = Field(
        description="As it is signed and sent",
        examples=['{"type":"ping","timestamp":"2026-03-12T09:00:00Z","data":{"organisation_id":"01a1fcba-bbc8-7000"}}'],
    )
    status: DeliveryStatus = Field(examples=["delivered"])
    attempts: int = Field(examples=[1])
    next_attempt_at: datetime = Field(description="While it is queued; it may be some seconds later")
    response_status: int | None = Field(description="The last answer's", examples=[204])
    response: str | None = Field(description="The last answer's first 500 characters", examples=["OK"])
    duration: int | None = Field(description="Of the last attempt, in milliseconds", examples=[120])
    error: str | None = Field(description="Why the last attempt failed", examples=["It answered 500"])
    delivered_at: datetime | None
    created_at: datetime


class WebhookDeliveryPageOut(PageOut):
    items: list[WebhookDeliveryOut]
