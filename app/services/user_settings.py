"""What people have chosen for themselves: their language, how times are shown, and what is mailed to them when."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Mailing, NotificationKind, TimeFormat, UserSettings
from app.services.caller import Caller
from app.services.errors import UnknownChoice
from app.services.languages import Formats, Language, language_of, languages
from app.services.transaction import insert_missing, transaction


@dataclass(frozen=True, slots=True)
class Choices:
    """None: they have not chosen."""

    language: str | None = None
    time_format: TimeFormat | None = None
    notifications: dict[NotificationKind, Mailing] = field(default_factory=dict)

    def mailing(self, kind: NotificationKind) -> Mailing:
        """When a notification of this kind is mailed to them: at once unless they have chosen otherwise."""
        return self.notifications.get(kind, Mailing.AT_ONCE)


@dataclass(frozen=True, slots=True)
class OwnSettings:
    """What somebody has chosen, and what holds for them."""

    chosen: Choices
    formats: Formats

    @property
    def language(self) -> str | None:
        return self.chosen.language

    @property
    def time_format(self) -> TimeFormat | None:
        return self.chosen.time_format

    @property
    def notifications(self) -> Mapping[NotificationKind, Mailing]:
        return self.chosen.notifications

    @property
    def effective(self) -> dict[str, Any]:
        language = languages()[self.formats.language]
        return {
            "language": language.code,
            "is_right_to_left": language.is_right_to_left,
            "time_format": self.time_format or language.time_format,
            "notifications": {kind: self.chosen.mailing(kind) for kind in NotificationKind},
        }

    @property
    def languages(self) -> Sequence[Language]:
        """That can be chosen."""
        return list(languages().values())


def read(caller: Caller) -> OwnSettings:
    """The caller's own."""
    chosen = choices_of(caller, [caller.user_id])[caller.user_id]
    return OwnSettings(chosen, formats_of(caller, chosen))


@transaction
def change(caller: Caller, changes: Mapping[str, Any]) -> OwnSettings:
    """Set those of the caller's language, time_format and notifications that are given; of the latter, each kind that
    is given. None: as it would be without a choice.

    Raises UnknownChoice: there is no such language or kind.
    """
    _require_known(changes)
    own = {"organisation_id": caller.organisation_id, "user_id": caller.user_id}
    row = {"id": uuid7(), "created_at": clock.now(), "notifications": {}, **own}
    insert_missing(UserSettings, [row], ("organisation_id", "user_id"))
    mine = caller.rows(UserSettings).where(UserSettings.user_id == caller.user_id)
    kept: UserSettings = db.session.scalars(mine.with_for_update()).one()
    for name, value in changes.items():
        setattr(kept, name, kept.notifications | value if name == "notifications" else value)
    db.session.flush()
    return read(caller)


def _require_known(changes: Mapping[str, Any]) -> None:
    unknown = {
        f"notifications.{kind}": [f"must be one of {', '.join(NotificationKind)}"]
        for kind in changes.get("notifications", {})
        if kind not in set(NotificationKind)
    }
    if changes.get("language") is not None and changes["language"] not in languages():
        unknown["language"] = [f"must be one of {', '.join(languages())}"]
    if unknown:
        raise UnknownChoice(errors=unknown)


def formats_of(caller: Caller, choices: Choices | None) -> Formats:
    """How somebody of the caller's organisation who has chosen so reads: else in the organisation's language, else in
    English."""
    chosen = choices or Choices()
    return Formats(language_of(chosen.language, caller.settings.language), caller.time_zone, chosen.time_format)


def choices_of(caller: Caller, user_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, Choices]:
    """Of each of these people, in one statement."""
    rows = db.session.scalars(caller.rows(UserSettings).where(UserSettings.user_id.in_(user_ids)))
    chosen = {
        row.user_id: Choices(
            row.language,
            row.time_format,
            {NotificationKind(kind): Mailing(when) for kind, when in row.notifications.items()},
        )
        for row in rows
    }
    return {user_id: chosen.get(user_id, Choices()) for user_id in user_ids}
