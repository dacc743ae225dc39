"""How notifications are worded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field

from app.models import NotificationKind
from app.schemas.base import In, OrderedPageIn, Out, PageOut, Text
from app.services.safe_templates import LONGEST


class NotificationTemplateIn(In):
    subject: Annotated[str, Text(400, 1)] = Field(examples=["{{ student }} was absent"])
    text: Annotated[str, Text(LONGEST, 1)] = Field(
        description="Text, {{ name }}, {{ name|filter }} and {% if name == 'value' %} ... {% else %} ... {% endif %}; "
        "an empty line begins a new paragraph",
        examples=["Dear parents,\n\n{{ student }} was absent on {{ session_date|date }}."],
    )


class NotificationTemplateListIn(OrderedPageIn):
    language: Annotated[str, Text(20)] | None = Field(None, description="Of this one only", examples=["ar"])


class NotificationTemplateOut(Out):
    kind: NotificationKind = Field(examples=["absence"])
    language: str = Field(examples=["ar"])
    subject: str = Field(examples=["{{ student }} was absent"])
    text: str = Field(examples=["{{ student }} was absent on {{ session_date|date }}."])
    is_own: bool = Field(description="The organisation's; else it is as it is built in", examples=[True])
    names: Sequence[str] = Field(description="What it may name; what is not known is empty", examples=[["student"]])
    filters: Sequence[str] = Field(
        description="How a name may be shown, in the reader's language; times are where the session is",
        examples=[["date"]],
    )


class NotificationTemplatePageOut(PageOut):
    items: list[NotificationTemplateOut]


class NotificationPreviewOut(Out):
    subject: str = Field(examples=["Ada Lovelace was absent"])
    text: str = Field(examples=["Ada Lovelace was absent on March 12, 2026."])
    html: str = Field(description="The whole document that is mailed", examples=["<!doctype html>..."])
