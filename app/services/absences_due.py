"""That people may be absent of whom nobody was told: kept until it is told of (`services.absence_notices`)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from app import clock
from app.models import EventKind, Session
from app.services.caller import Caller
from app.services.events import happened

NEWS = timedelta(days=7)
"""What was absence longer ago is not told of: somebody is bringing old registers up to date."""


def note_absences(caller: Caller, sessions: Iterable[Session]) -> None:
    """Within a transaction in which records of these sessions became something else, or they were closed: have it told
    of each that is closed who is absent, later, since what was forgotten is often put right at once."""
    due_at = clock.now() + timedelta(minutes=caller.settings.notifications.absence_delay)
    for session in sessions:
        if session.closed_at is not None and session.session_date >= caller.today - NEWS:
            happened(caller.organisation_id, EventKind.ABSENCES_DUE, session.id, due_at)
