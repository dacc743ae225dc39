"""What happened, and is to be told: kept in the transaction in which it happens, and told of (`services.telling`) once
that is saved, whatever restarts in between."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import insert

from app import clock
from app.extensions import db
from app.models import Event, EventKind
from app.services import jobs
from app.services.transaction import afterwards

TELL = "tell_of_events"
"""The system's own work that tells of what is due."""


def happened(
    organisation_id: uuid.UUID, kind: EventKind, about_id: uuid.UUID, due_at: datetime | None = None, **data: Any
) -> None:
    """Within a transaction: have those told whom it concerns, once it is saved.

    about_id: of the session, leave request, alert or job.
    due_at: not before; by default at once.
    data: what is told of it, as JSON takes it.
    """
    own = {"organisation_id": organisation_id, "kind": kind, "about_id": about_id, "data": data}
    db.session.add(Event(**own, due_at=due_at or clock.now()))
    if due_at is None:
        afterwards(tell_soon)


def happened_many(
    organisation_id: uuid.UUID, kind: EventKind, data_by_id: Mapping[uuid.UUID, Mapping[str, Any]]
) -> None:
    """As `happened`, at once, of each of these ids with its data; in one statement."""
    if not data_by_id:
        return
    own = {"organisation_id": organisation_id, "kind": kind, "due_at": clock.now()}
    rows = [own | {"about_id": about_id, "data": dict(data)} for about_id, data in data_by_id.items()]
    db.session.execute(insert(Event), rows)
    afterwards(tell_soon)


def tell_soon() -> None:
    """Have it told now; were this lost, the schedule would do it some seconds later."""
    jobs.start_own(TELL)
