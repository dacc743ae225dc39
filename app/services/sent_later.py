"""What was done without network and is sent later: what of it counts, besides what is done now."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from sqlalchemy import ColumnElement, and_, or_

from app import clock
from app.models import Record, Source
from app.services.seen import Seen

OWN = (Source.CHECK_IN, Source.OFFLINE)
SEEN_THEN = (Source.CHECK_IN, Source.MANUAL)


@dataclass(frozen=True, slots=True)
class When:
    """at: when it was done. client_id: the phone's own id of what it did without network. flags: signs of fraud of its
    own. refused: a code, where when it was done is reason enough."""

    at: datetime = field(default_factory=lambda: clock.now())  # noqa: PLW0108 - the clock that a test sets later
    client_id: uuid.UUID | None = None
    flags: tuple[str, ...] = ()
    refused: str | None = None

    @property
    def is_offline(self) -> bool:
        return self.client_id is not None

    @property
    def source(self) -> Source:
        return Source.OFFLINE if self.is_offline else Source.CHECK_IN


def is_too_late(seen: Seen, when: When) -> bool:
    """Whether the session is closed, and takes nothing more then."""
    is_late = when.is_offline and seen.session.closed_at is not None
    return is_late and seen.rules.late_arrival == "refuse"


def is_in(record: Record, when: When) -> bool:
    """Of what phones did without network the earliest counts, in whatever order it comes; not over a review, nor over
    what anybody has said since."""
    if record.checked_in_at is None or not when.is_offline:
        return record.checked_in_at is not None
    is_said = record.reviewed_at is not None or (record.source not in OWN and not record.is_office)
    return record.checked_in_at <= when.at or is_said


def not_in(when: When) -> ColumnElement[bool]:
    """The condition that a record is not as `is_in` says."""
    never: ColumnElement[bool] = Record.checked_in_at.is_(None)
    if not when.is_offline:
        return never
    by_phone = and_(Record.reviewed_at.is_(None), or_(Record.source.in_(OWN), Record.is_office))
    return or_(never, and_(Record.checked_in_at > when.at, by_phone))


def left_before(record: Record, at: datetime) -> bool:
    """Whether a check-out at this moment replaces the one that the record has, if it was done without network."""
    return record.forgot_to_check_out or (record.checked_out_at is not None and at < record.checked_out_at)


def still_in(when: When) -> ColumnElement[bool]:
    """The condition that nobody has checked out of a record, or only so that this replaces it."""
    never: ColumnElement[bool] = Record.checked_out_at.is_(None)
    return or_(never, Record.forgot_to_check_out, Record.checked_out_at > when.at) if when.is_offline else never


def signs(kind: Literal["in", "out"], seen: Seen, when: When) -> list[str]:
    """The signs that lie in its being sent later."""
    is_late = when.is_offline and seen.session.closed_at is not None
    later = {
        "sent_late": is_late and seen.rules.late_arrival == "review",
        # what a phone says afterwards, over what the server saw, or somebody in the room
        "after_the_fact": kind == "in"
        and when.is_offline
        and seen.record is not None
        and seen.record.source in SEEN_THEN,
    }
    return [*when.flags, *(sign for sign, is_there in later.items() if is_there)]
