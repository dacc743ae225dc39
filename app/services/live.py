"""A session as attendance is taken in it: everything first, then what changes, as long as somebody watches."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import Event
from typing import Any

import structlog
from flask import Flask, current_app
from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import and_, or_
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.extensions import db, settings
from app.models import Record, Session, User
from app.services.caller import Caller
from app.services.changes import Hub, hub_of
from app.services.errors import Refusal, RoleNotAllowed, TokenExpired, TokenInvalid
from app.services.rates import Counts
from app.services.records import RecordView
from app.services.sessions import SessionView, managed_session, views
from app.services.sign_in import caller_of
from app.services.transaction import release

HEARTBEAT = 15.0
"""Seconds after which a stream says that it is alive, and looks whether its reader still may read."""
LOOK = 3.0
"""Seconds between looks at the database while nothing can be told."""
BURST = 0.2
"""Seconds between two looks: what a whole class does at once is read at once."""
LONGEST = 300.0
"""Seconds after which a stream ends; its reader comes back, and goes on where it was."""
OVERLAP = timedelta(seconds=60)
"""So much earlier than what was told last, it is looked again: who changed something first may have saved it last
(having waited for a lock, or by another server's clock)."""
PAGE = 500
EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
TO_CONNECT = timedelta(seconds=60)
TO_RECONNECT = timedelta(hours=1)

log = structlog.get_logger(__name__)


class Kind(StrEnum):
    RETRY = "retry"
    RESET = "reset"
    CLOSED = "closed"
    RECORD = "record"
    COUNTS = "counts"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class Place:
    """How far a reader has been told.

    cursor: the latest change that they know of.
    closed_at: of the session, as they know it: what its closing made vanishes when it is reopened.
    record_gone_at: of the session, as they know it: the record may be one that they were told of.
    """

    cursor: datetime | None
    closed_at: datetime | None
    record_gone_at: datetime | None

    def holds(self, session: Session) -> bool:
        """Whether all that they were told is still there."""
        return self.closed_at in {None, session.closed_at} and self.record_gone_at == session.record_gone_at


NOWHERE = Place(None, None, None)


@dataclass(frozen=True, slots=True)
class News:
    """view: of RETRY, the milliseconds to wait before coming back; of RESET and CLOSED, the session; of RECORD, the
    record; of COUNTS, the session's. stamp: with it a reader may come back; see `caller_of_ticket`."""

    kind: Kind
    view: int | SessionView | RecordView | Counts | None
    place: Place | None
    stamp: str


@dataclass(frozen=True, slots=True)
class Ticket:
    ticket: str
    expires_at: datetime


def ticket(caller: Caller, session_id: uuid.UUID) -> Ticket:
    """What lets this sign-in connect to this session's stream without sending a token, for 60 s.

    Raises:
        NotFound, NotYourClass, NotYourSession: as `managed_session`.
        RoleNotAllowed: an API key came instead of a person; it is sent along itself.
    """
    managed_session(caller, session_id)
    if caller.sign_in_id is None:
        raise RoleNotAllowed("An API key needs no ticket: send it itself")
    expires_at = clock.now() + TO_CONNECT
    return Ticket(_signed("ticket", caller.sign_in_id, session_id, expires_at), expires_at)


def caller_of_ticket(ticket: str, session_id: uuid.UUID, stamp: str) -> Caller:
    """Whose ticket it is. An expired one does for a reader who comes back with the stamp of what they were told last,
    which no address and no log holds: a browser comes back to the address that it has.

    Raises:
        TokenInvalid: it is none, or another session's.
        TokenExpired: it was not used in time, and there is no stamp to it.
        TokenRevoked, AccountSuspended, OrganisationInactive: as `caller_of`.
    """
    held = _read("ticket", ticket)
    if held is None or held[1] != str(session_id):
        raise TokenInvalid("This is not a ticket for this stream")
    sign_in_id, _, expires_at = held
    if datetime.fromisoformat(expires_at) <= clock.now():
        again = _read("stamp", stamp)
        if again is None or again[:2] != held[:2] or datetime.fromisoformat(again[2]) <= clock.now():
            raise TokenExpired("This ticket has expired: ask for a new one")
    return caller_of(uuid.UUID(sign_in_id))


def _signed(purpose: str, sign_in_id: uuid.UUID, session_id: uuid.UUID, expires_at: datetime) -> str:
    return str(_signer(purpose).dumps([str(sign_in_id), str(session_id), expires_at.isoformat()]))


def _read(purpose: str, signed: str) -> list[str] | None:
    try:
        held: list[str] = _signer(purpose).loads(signed)
    except BadData:
        return None
    return held


def _signer(purpose: str) -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key.get_secret_value(), f"live {purpose}")


def watch(
    caller: Caller, session_id: uuid.UUID, place: Place | None, renew: Callable[[], Caller]
) -> Generator[News, None, None]:
    """What has changed in a session since a place (None: everything), and then what changes, until the reader goes or
    may read no longer. When too many read already, what there is, and to come back for more.

    renew: who is reading, as of now; raises a Refusal when they may no longer.

    Raises NotFound, NotYourClass or NotYourSession, at once.
    """
    organisation_id = managed_session(caller, session_id).organisation_id
    release()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    return _follow(_Reader(app, caller, session_id, place, renew), hub_of(app), organisation_id)


def _follow(reader: _Reader, hub: Hub, organisation_id: uuid.UUID) -> Generator[News, None, None]:
    with hub.watch(reader.session_id, organisation_id) as told:
        try:
            reader.renew()
            yield reader.news(Kind.RETRY, 3000 if told else 5000)
            yield from reader.look()
            if told:
                yield from _wait(reader, hub, told)
        except Refusal:  # signed out, suspended, or no longer their session
            return
        except SQLAlchemyError:  # they come back, and go on where they were
            log.exception("stream_interrupted", session_id=str(reader.session_id))


def _wait(reader: _Reader, hub: Hub, told: Event) -> Iterator[News]:
    end, beat = time.monotonic() + LONGEST, time.monotonic() + HEARTBEAT
    while time.monotonic() < end:
        is_told = told.wait(min(max(beat - time.monotonic(), 0), HEARTBEAT if hub.is_told else LOOK))
        if hub.closed:
            return
        told.clear()
        if time.monotonic() >= beat:
            reader.renew()
            yield reader.news(Kind.HEARTBEAT)
            beat = time.monotonic() + HEARTBEAT
        yield from reader.look()
        if is_told:
            time.sleep(BURST)


class _Reader:
    """What one reader knows. Between two looks it holds no connection to the database."""

    def __init__(
        self, app: Flask, caller: Caller, session_id: uuid.UUID, place: Place | None, renew: Callable[[], Caller]
    ) -> None:
        self.session_id = session_id
        self._app = app
        self._caller = caller
        self._place = place
        self._renew = renew
        self._stamp = ""
        self._counts: Counts | None = None
        self._told: dict[uuid.UUID, datetime] = {}
        """When each record was changed that was told lately, as it was told."""

    def renew(self) -> None:
        """Raises a Refusal when they may read no longer."""
        with self._app.app_context():
            self._caller = self._renew()
            if sign_in_id := self._caller.sign_in_id:
                self._stamp = _signed("stamp", sign_in_id, self.session_id, clock.now() + TO_RECONNECT)

    def news(self, kind: Kind, view: Any = None) -> News:
        return News(kind, view, self._place, self._stamp)

    def look(self) -> Iterator[News]:
        """What this reader does not know yet. Raises as `managed_session`."""
        with self._app.app_context():
            session = views(self._caller, [managed_session(self._caller, self.session_id)])[0]
        closed_at: datetime | None = session.row.closed_at
        if self._place is None or not self._place.holds(session.row):
            self._place = None  # who is cut off now, begins anew
            yield self.news(Kind.RESET, session)
            self._place = Place(None, closed_at, session.row.record_gone_at)
            self._told.clear()
        elif closed_at != self._place.closed_at:
            self._place = replace(self._place, closed_at=closed_at)
            yield self.news(Kind.CLOSED, session)
        yield from self._records(session.row)
        if session.counts != self._counts:
            self._counts = session.counts
            yield self.news(Kind.COUNTS, session.counts)

    def _records(self, session: Session) -> Iterator[News]:
        """In the order of their changes, so that a reader who was cut off goes on where that was."""
        place = self._place or NOWHERE
        after = (place.cursor - OVERLAP if place.cursor else EPOCH, uuid.UUID(int=0))
        while True:
            with self._app.app_context():
                page = self._changed(after)
                views = self._views(session, [id_ for at, id_ in page if self._told.get(id_) != at])
            for view in views:
                at = self._told[view.row.id] = view.row.changed_at
                place = replace(place, cursor=max(place.cursor or at, at))
                self._place = place
                yield self.news(Kind.RECORD, view)
            if len(page) < PAGE:
                break
            after = page[-1]
        if place.cursor:
            self._told = {id_: at for id_, at in self._told.items() if at > place.cursor - OVERLAP}

    def _changed(self, after: tuple[datetime, uuid.UUID]) -> list[tuple[datetime, uuid.UUID]]:
        at, id_ = after
        query = self._caller.rows(Record, Record.changed_at, Record.id).where(
            Record.session_id == self.session_id,
            or_(Record.changed_at > at, and_(Record.changed_at == at, Record.id > id_)),
        )
        found = db.session.execute(query.order_by(Record.changed_at, Record.id).limit(PAGE))
        return [(row.changed_at, row.id) for row in found]

    def _views(self, session: Session, ids: list[uuid.UUID]) -> list[RecordView]:
        if not ids:
            return []
        query = self._caller.rows(Record, Record, User).join(User, User.id == Record.student_id)
        rows = db.session.execute(query.where(Record.id.in_(ids)).order_by(Record.changed_at, Record.id))
        return [RecordView(record, student, session, is_for_staff=True) for record, student in rows]
