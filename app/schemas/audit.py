"""The audit log."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, Field

from app.schemas.base import In, Out, PageIn, PageOut, SortBy, Text


def _in_utc(moment: datetime) -> datetime:
    """Raises ValueError where it would lie before the year 1 or after 9999."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("is no time that can be meant") from error


Moment = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Filter(In):
    actor_id: uuid.UUID | None = Field(None, description="Who did it")
    person_id: uuid.UUID | None = Field(None, description="Whom it is about")
    row_id: uuid.UUID | None = None
    entity: Annotated[str, Text(40)] | None = Field(None, description="The table", examples=["users"])
    action: Annotated[str, Text(40)] | None = Field(None, examples=["update"])
    since: Moment | None = Field(None, examples=["2026-03-01T00:00:00Z"])
    until: Moment | None = Field(None, examples=["2026-04-01T00:00:00Z"])


class AuditListIn(_Filter, PageIn):
    sort: Annotated[list[str], SortBy("sequence")] = Field(default_factory=lambda: ["-sequence"])


class AuditExportIn(_Filter):
    pass


class AuditEntryOut(Out):
    id: uuid.UUID
    sequence: int = Field(examples=[1])
    created_at: datetime
    actor_id: uuid.UUID | None
    action: str = Field(examples=["update"])
    entity: str | None = Field(examples=["users"])
    row_id: uuid.UUID | None
    person_id: uuid.UUID | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    details: dict[str, Any]
    reason: str | None
    address: str | None
    device: str | None
    request_id: str | None


class AuditPageOut(PageOut):
    items: list[AuditEntryOut]
