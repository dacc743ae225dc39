"""API keys."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field, WithJsonSchema

from app.schemas.base import In, Out, PageIn, PageOut, SortBy, Title
from app.services.api_keys import RESOURCES

SCOPES = [f"{resource}:{right}" for resource in RESOURCES for right in ("read", "write")]


def _scope(value: str) -> str:
    if value not in SCOPES:
        raise ValueError(f"is none of {', '.join(SCOPES)}")
    return value


Scope = Annotated[str, AfterValidator(_scope), WithJsonSchema({"type": "string", "enum": SCOPES})]


class ApiKeyIn(In):
    name: Title = Field(examples=["Nightly import"])
    scopes: Annotated[list[Scope], Field(min_length=1)] = Field(examples=[["students:read", "imports:write"]])
    expires_in_days: int = Field(365, strict=True, ge=1, le=1825, examples=[365])


class ApiKeyOut(Out):
    id: uuid.UUID
    user_id: uuid.UUID = Field(description="Whom it acts for")
    name: str = Field(examples=["Nightly import"])
    hint: str = Field(description="How the key begins", examples=["rk_4fYw9"])
    scopes: list[str]
    expires_at: datetime
    last_used_at: datetime | None
    last_used_address: str | None
    revoked_at: datetime | None
    created_at: datetime


class NewApiKeyOut(ApiKeyOut):
    key: str = Field(description="Send it as Authorization: Bearer ...; it is not shown again")


class ApiKeyListIn(PageIn):
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["-created_at"])


class ApiKeyPageOut(PageOut):
    items: list[ApiKeyOut]
