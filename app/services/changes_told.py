"""That a session was changed, cancelled or restored: kept until it is told of (`services.session_notices`)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, timedelta
from typing import Any

from app import clock
from app.models import EventKind, Session
from app.services.caller import Caller
from app.services.events import happened

STANDS_FOR = timedelta(minutes=5)
"""How long a change has to stand: those made meanwhile have to, too, and are told of together."""


def state_of(session: Session) -> dict[str, Any]:
    """What those who come to a session have to know of it, as JSON takes it."""
    return {
        "session_date": session.session_date.isoformat(),
        "starts_at": session.starts_at and session.starts_at.astimezone(UTC).isoformat(),
        "ends_at": session.ends_at and session.ends_at.astimezone(UTC).isoformat(),
        "sites": session.policy.get("sites"),
        "is_cancelled": session.cancelled_at is not None,
    }


def note_change(caller: Caller, session: Session, was: dict[str, Any], following: Sequence[Session]) -> None:
    """Within a transaction: have it told that a session is not as it was, unless it is past.

    following: those after it that were changed with it.
    """
    state = state_of(session)
    is_past = max(state["session_date"], was["session_date"]) < caller.today.isoformat()
    if state == was or is_past or session.closed_at is not None:
        return
    is_cancelled = state["is_cancelled"] and not was["is_cancelled"]
    what = EventKind.SESSION_CANCELLED if is_cancelled else EventKind.SESSION_CHANGED
    last_day = max([session.session_date, *(row.session_date for row in following)]).isoformat()
    told: dict[str, Any] = {"was": was, "count": 1 + len(following), "last_day": last_day}
    happened(caller.organisation_id, what, session.id, **told)
    told |= {"became": state, "next_id": str(following[0].id) if following else None}
    happened(caller.organisation_id, EventKind.CHANGES_DUE, session.id, clock.now() + STANDS_FOR, **told)
