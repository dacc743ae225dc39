"""Which sessions have changed: told, once it is saved, to those who watch them in this process, and through Redis in
the others. A hint and no more: who is told reads the database, and who is told nothing does so all the same, later."""

from __future__ import annotations

import time
import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from threading import Event, Lock, Thread
from typing import Any, cast

import structlog
from flask import Flask, current_app
from redis import Redis, RedisError
from redis.backoff import NoBackoff
from redis.retry import Retry
from sqlalchemy import BinaryExpression, BindParameter, event
from sqlalchemy.orm import ORMExecuteState
from sqlalchemy.orm import Session as Database
from sqlalchemy.sql import operators, visitors

from app.extensions import db
from app.models import Record, Session
from app.services.transaction import afterwards
from config import Settings

Ids = Collection[uuid.UUID]

CHANNEL = "rollcall:changes"
AWAY = 5.0
"""Seconds for which Redis is left alone after it did not answer: no check-in waits for it."""
LONGEST_PAUSE = 5.0
"""Seconds between attempts to reach Redis again."""
SILENT = 15.0
"""Seconds without an answer from Redis after which it is gone."""

log = structlog.get_logger(__name__)


class Hub:
    """Those of this process who watch: by the session's id, and the organisation's for what is known no closer."""

    def __init__(self, settings: Settings) -> None:
        self._watching = defaultdict[uuid.UUID, set[Event]](set)
        self._lock = Lock()
        self._free = settings.live_streams
        self._relay = Relay(self, settings.redis_url) if settings.redis_url else None
        self._is_alone = settings.web_workers == 1
        self.closed = False

    @contextmanager
    def watch(self, *ids: uuid.UUID) -> Iterator[Event | None]:
        """An event that is set when something of these may have changed; None when too many watch already."""
        told = Event()
        with self._lock:
            is_free = self._free > 0 and not self.closed
            if is_free:
                self._free -= 1
                for id_ in ids:
                    self._watching[id_].add(told)
        if not is_free:
            yield None
            return
        if self._relay:
            self._relay.listen()
        try:
            yield told
        finally:
            with self._lock:
                self._free += 1
                for id_ in ids:
                    self._watching[id_].discard(told)
                    if not self._watching[id_]:
                        del self._watching[id_]

    @property
    def is_told(self) -> bool:
        """Whether what changes elsewhere is told here at the moment."""
        return self._relay.is_listening if self._relay else self._is_alone

    def announce(self, ids: Ids) -> None:
        self.tell(ids)
        if self._relay:
            self._relay.send(ids)

    def tell(self, ids: Ids) -> None:
        if not self._watching:
            return
        with self._lock:
            told = {event for id_ in ids for event in self._watching.get(id_, ())}
        for event_ in told:
            event_.set()

    def tell_all(self) -> None:
        with self._lock:
            everything = list(self._watching)
        self.tell(everything)

    def close(self) -> None:
        """End all streams: the server stops."""
        self.closed = True
        for events in list(self._watching.values()):
            for told in list(events):
                told.set()


class Relay:
    """From process to process, by Redis."""

    def __init__(self, hub: Hub, url: str) -> None:
        at_most = {"socket_connect_timeout": 0.25, "socket_timeout": 0.25, "retry": Retry(NoBackoff(), 0)}
        self._sender: Redis = Redis.from_url(url, **at_most)
        self._listener: Redis = Redis.from_url(url, **at_most | {"socket_connect_timeout": 2, "socket_timeout": 5})
        self._hub = hub
        self._own = uuid.uuid4().hex
        self._silent_until = 0.0
        self._thread: Thread | None = None
        self._lock = Lock()
        self.is_listening = False

    def send(self, ids: Ids) -> None:
        """One message, or none while Redis is away; never raises."""
        if time.monotonic() < self._silent_until:
            return
        try:
            self._sender.publish(CHANNEL, " ".join([self._own, *map(str, ids)]))
        except RedisError as error:
            self._silent_until = time.monotonic() + AWAY
            log.warning("redis_unavailable", error=type(error).__name__)

    def listen(self) -> None:
        """From now on, in a thread of this process: begun by the first who watches."""
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._listen, name="changes", daemon=True)
                self._thread.start()

    def _listen(self) -> None:
        pause = 0.1
        while not self._hub.closed:
            try:
                for _ in self._heard():
                    pause = 0.1
            except (RedisError, OSError) as error:
                if self.is_listening:
                    log.warning("redis_unavailable", error=type(error).__name__)
                self.is_listening = False
                self._hub.tell_all()  # they look more often from now on
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _heard(self) -> Iterator[None]:
        """Raises RedisError when Redis is gone, or silent."""
        with self._listener.pubsub() as channel:  # type: ignore[no-untyped-call]
            channel.subscribe(CHANNEL)
            last = time.monotonic()
            while not self._hub.closed:
                message = channel.get_message(timeout=2)
                if message is None:
                    if time.monotonic() - last > SILENT:
                        raise RedisError("silent")
                    channel.ping()
                    continue
                last = time.monotonic()
                if message["type"] == "subscribe":
                    self.is_listening = True
                    self._hub.tell_all()  # what was said before, nobody heard
                elif message["type"] == "message":
                    self._take(message["data"])
                yield

    def _take(self, data: bytes) -> None:
        sender, *ids = data.decode(errors="replace").split()
        if sender == self._own:
            return
        try:
            self._hub.tell([uuid.UUID(id_) for id_ in ids])
        except ValueError:  # somebody else's, on the same channel
            log.warning("change_not_understood")


def hub_of(app: Flask) -> Hub:
    return cast(Hub, app.extensions["changes"])


@event.listens_for(db.session, "after_flush")
def _flushed(session: Database, _context: Any) -> None:
    for row in (*session.new, *session.dirty, *session.deleted):
        if isinstance(row, Record):
            _changed(session, {row.session_id})
        elif isinstance(row, Session):
            _changed(session, {row.id})


@event.listens_for(db.session, "do_orm_execute")
def _executing(state: ORMExecuteState) -> None:
    """Statements that change many rows at once."""
    if not (state.is_insert or state.is_update or state.is_delete):
        return
    table: str = state.statement.table.name  # type: ignore[attr-defined]
    if table == Record.__tablename__:
        _changed(state.session, _named(state, "session_id"))
    elif table == Session.__tablename__ and not state.is_insert:  # nobody watches what is not there yet
        _changed(state.session, _named(state, "id"))


def _named(state: ORMExecuteState, column: str) -> set[uuid.UUID]:
    """The sessions that a statement says it is about; or else its organisation."""
    sent: Any = state.parameters
    if sent is not None:
        rows = [sent] if isinstance(sent, dict) else sent
        if named := {row[column] for row in rows if column in row}:
            return named
    if state.is_insert:
        values = state.statement.compile().params  # type: ignore[attr-defined]
        return {value for name, value in values.items() if name.startswith(column)}
    return compared_with(state, column) or compared_with(state, "organisation_id")


def compared_with(state: ORMExecuteState, column: str) -> set[uuid.UUID]:
    """The values that a statement's condition compares a column with."""
    condition = state.statement.whereclause  # type: ignore[attr-defined]
    found: set[uuid.UUID] = set()
    for node in visitors.iterate(condition) if condition is not None else ():
        if not isinstance(node, BinaryExpression) or node.operator not in {operators.eq, operators.in_op}:
            continue
        if getattr(node.left, "key", None) == column and isinstance(node.right, BindParameter):
            value = node.right.effective_value
            found |= {value} if isinstance(value, uuid.UUID) else set(value or ())
    return found


def _changed(session: Database, ids: Ids) -> None:
    """Outside of a transaction of the services nothing is told: who watches finds out at their next look."""
    if ids and session.info.get("writing"):
        session.info.setdefault("changed_sessions", set()).update(ids)
        afterwards(_announce)


def _announce() -> None:
    hub_of(current_app).announce(db.session.info.pop("changed_sessions"))
