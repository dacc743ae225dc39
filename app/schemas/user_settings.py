"""What people choose for themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

from pydantic import Field

from app.models import Mailing, NotificationKind, TimeFormat
from app.schemas.base import Changes, Out, Text

KINDS = ", ".join(NotificationKind)


class UserSettingsIn(Changes):
    language: Annotated[str, Text(20)] | None = Field(
        None, description="One of `languages`; null: the organisation's", examples=["ar"]
    )
    time_format: TimeFormat | None = Field(None, description="null: as is usual in the language", examples=["24h"])
    notifications: dict[str, Mailing] = Field(
        default_factory=dict,
        description=f"When they are mailed, by kind; kinds that are not sent stay as they are. Kinds: {KINDS}",
        examples=[{"absence": "at_once", "message": "daily"}],
    )


class LanguageOut(Out):
    code: str = Field(examples=["ar"])
    name: str = Field(description="In the language itself", examples=["العربية"])
    is_right_to_left: bool = Field(examples=[True])


class EffectiveSettingsOut(Out):
    language: str = Field(examples=["ar"])
    is_right_to_left: bool = Field(examples=[True])
    time_format: TimeFormat = Field(examples=["12h"])
    notifications: Mapping[NotificationKind, Mailing] = Field(
        description="Of each kind", examples=[{"absence": "at_once"}]
    )


class UserSettingsOut(Out):
    language: str | None = Field(description="Chosen; null: the organisation's", examples=["ar"])
    time_format: TimeFormat | None = Field(description="Chosen; null: as is usual", examples=["24h"])
    notifications: Mapping[NotificationKind, Mailing] = Field(
        description="Of the kinds for which it was chosen", examples=[{"message": "daily"}]
    )
    effective: EffectiveSettingsOut = Field(description="What holds, chosen or not")
    languages: Sequence[LanguageOut] = Field(description="That can be chosen")
