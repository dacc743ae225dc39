"""The live stream of a session."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field

from app.schemas.base import In, Out


class StreamIn(In):
    ticket: str | None = Field(None, max_length=1000, description="From stream-ticket: EventSource sends no headers")
    last_event_id: str | None = Field(
        None,
        max_length=1000,
        description="Go on after this event, as the header Last-Event-ID says it, which comes first",
        examples=["2026-03-12T09:00:00.000000Z"],
    )


class TicketOut(Out):
    ticket: str
    expires_at: datetime = Field(description="To connect until then; a connection that was made goes on")
