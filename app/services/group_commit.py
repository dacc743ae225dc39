"""Group commit: what arrives while a transaction is being saved is saved together in the next one.

When a school comes at nine o'clock, a transaction each is what takes longest. Nobody waits who comes alone, and nobody
is answered before what they brought is saved. Source: D. J. DeWitt et al., Implementation Techniques for Main Memory
Database Systems, SIGMOD 1984.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from threading import Condition, Event
from typing import Any, cast

from flask import current_app
from sqlalchemy import select

from app.extensions import db
from app.models import Attempt, Record, Session
from app.services.transaction import insert_missing, insert_new, transaction

MOST = 100
"""So many in one transaction, so that none takes long."""
PATIENCE = 0.05
"""Seconds, which only those wait who come when others do."""
RECORD_KEY = ("organisation_id", "session_id", "student_id")
ATTEMPT_KEY = ("organisation_id", "user_id", "client_id")


State = tuple[datetime | None, datetime | None]
"""Of a session: when it was cancelled, and when it was closed."""


class SessionChanged(Exception):
    """It was cancelled, closed, opened again or deleted since it was looked at."""


@dataclass(slots=True, eq=False)
class Brought:
    """An attempt, with the record that it makes. is_saved: False where there was a record already; then neither is."""

    record: dict[str, Any] | None
    attempt: dict[str, Any]
    state: State
    """Of the session, as it was when this was decided."""
    turn: Event = field(default_factory=Event)
    is_saved: bool = False
    is_done: bool = False
    has_failed: bool = False


class GroupCommit:
    """Whoever comes when nobody saves does so, for all who were on their way then; after them the next who waits."""

    def __init__(self) -> None:
        self._lock = Condition()
        self._waiting: list[Brought] = []
        self._is_saving = False
        self._tickets = count()
        self._coming: set[int] = set()

    @contextmanager
    def coming(self) -> Iterator[int]:
        """A ticket with which to `save` what is yet to be decided: whoever saves waits for it, at most PATIENCE."""
        with self._lock:
            ticket = next(self._tickets)
            self._coming.add(ticket)
        try:
            yield ticket
        finally:
            self._come(ticket)

    def _come(self, ticket: int | None) -> None:
        if ticket in self._coming:
            with self._lock:
                self._coming.discard(ticket)
                self._lock.notify_all()

    def save(self, brought: Brought, ticket: int | None = None) -> bool:
        """Whether it is saved; raises what the database does, and SessionChanged."""
        with self._lock:
            self._waiting.append(brought)
            is_first, self._is_saving = not self._is_saving, True
        self._come(ticket)
        if not is_first:
            brought.turn.wait()
        if not brought.is_done:
            self._save_waiting()
        if brought.has_failed:  # perhaps by another's fault
            brought.is_saved = _save([brought]) == {brought}
        return brought.is_saved

    def _save_waiting(self) -> None:
        with self._lock:
            now = next(self._tickets)
            self._lock.wait_for(lambda: min(self._coming, default=now) >= now, PATIENCE)
            some, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        try:
            saved = _save(some)
            for brought in some:
                brought.is_saved = brought in saved
        except BaseException as error:
            for brought in some:
                brought.has_failed = True
            if not isinstance(error, Exception):
                raise
        finally:
            self._leave(some)

    def _leave(self, done: Sequence[Brought]) -> None:
        with self._lock:
            following = self._waiting[:1]
            self._is_saving = bool(following)
        for brought in done:
            brought.is_done = True
            brought.turn.set()
        for brought in following:
            brought.turn.set()


def check_ins() -> GroupCommit:
    """The one of this process."""
    return cast(GroupCommit, current_app.extensions["check_ins"])


@transaction
def _save(some: Sequence[Brought]) -> set[Brought]:
    """Those that are saved. In the order of their keys, so that two servers who save the same don't lock crosswise.

    Raises SessionChanged when any of their sessions is not as it was; then each is tried by itself.
    """
    require_unchanged([(brought.attempt["session_id"], brought.state) for brought in some])
    made = [brought.record for brought in some if brought.record]
    new: set[uuid.UUID] = set()
    if made:
        new = insert_new(Record, sorted(made, key=lambda row: (row["session_id"], row["student_id"])), RECORD_KEY)
    saved = {brought for brought in some if brought.record is None or brought.record["id"] in new}
    insert_missing(Attempt, [brought.attempt for brought in some if brought in saved], ATTEMPT_KEY)
    return saved


def require_unchanged(states: Sequence[tuple[uuid.UUID, State]]) -> None:
    """Within a transaction, until whose end these sessions stay as they are: who closes one waits for those who came.

    Raises SessionChanged.
    """
    ids = {session_id for session_id, _ in states}
    kept = select(Session.id, Session.cancelled_at, Session.closed_at).where(Session.id.in_(ids)).order_by(Session.id)
    now = {row.id: (row.cancelled_at, row.closed_at) for row in db.session.execute(kept.with_for_update(read=True))}
    if any(now.get(session_id) != state for session_id, state in states):
        raise SessionChanged
