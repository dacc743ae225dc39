"""Telling of what happened: people by notifications, other systems by webhooks.

Each event is told of in one transaction, at the end of which it is gone: whoever dies in between has told nothing, and
of several who want to tell of it one does.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta

import structlog
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Event, Organisation
from app.services import webhooks
from app.services.caller import Caller, system
from app.services.events import TELL
from app.services.notices import tell_people
from app.services.transaction import release, transaction

__all__ = ["TELL", "tell_due"]

AT_ONCE = 500
LONGEST_DELAY = timedelta(hours=6)
"""Between attempts to tell of what could not be told."""

HANDLERS: tuple[Callable[[Caller, Event], None], ...] = (tell_people, webhooks.of_event)
"""Each writes, within the transaction, whatever follows from an event. One that sets its due_at later is asked again
then."""

log = structlog.get_logger(__name__)


def tell_due() -> None:
    """Tell of what is due, in all organisations; what cannot be told holds up nothing else."""
    while due := _due():
        for event_id in due:
            try:
                _tell(event_id)
            except Exception:
                log.exception("event_not_told", event_id=str(event_id))
                _try_later(event_id)


def _due() -> Sequence[uuid.UUID]:
    waiting = (
        select(Event.id)
        .join(Organisation, Organisation.id == Event.organisation_id)
        .where(Event.due_at <= clock.now(), Organisation.is_active)
    )
    found = db.session.scalars(waiting.order_by(Event.due_at, Event.id).limit(AT_ONCE)).all()
    release()
    return found


@transaction
def _tell(event_id: uuid.UUID) -> None:
    """Unless somebody else has, since it was found."""
    now = clock.now()
    event = db.session.scalar(select(Event).where(Event.id == event_id, Event.due_at <= now).with_for_update())
    if event is None:
        return
    organisation = db.session.get_one(Organisation, event.organisation_id)
    keeper = system(organisation, event.id)
    for handle in HANDLERS:
        handle(keeper, event)
    if event.due_at <= now:
        db.session.delete(event)


@transaction
def _try_later(event_id: uuid.UUID) -> None:
    event = db.session.scalar(select(Event).where(Event.id == event_id).with_for_update())
    if event is not None:
        event.due_at = clock.now() + min(timedelta(minutes=2**event.attempts), LONGEST_DELAY)
        event.attempts = min(event.attempts + 1, 20)
