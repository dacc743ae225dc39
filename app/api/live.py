"""Watching a session as attendance is taken in it: server-sent events."""

from __future__ import annotations

import uuid
from collections.abc import Generator, Iterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from apiflask import APIBlueprint
from flask import Response, request
from pydantic import BaseModel

from app import clock
from app.api.openapi import refuses
from app.api.policy import STAFF, caller, renewal, who_may
from app.schemas.live import StreamIn, TicketOut
from app.schemas.sessions import CountsOut, RecordOut, SessionOut
from app.services import errors
from app.services import live as service
from app.services.caller import Caller
from app.services.live import EPOCH, NOWHERE, OVERLAP, Kind, News, Place, Ticket

live = APIBlueprint("live", __name__, tag="Live")

EVENT = {"type": "object", "properties": {name: {"type": "string"} for name in ("event", "id", "data")}}
EVENTS: Any = {
    200: {
        "description": "`reset` (the session: forget all records, since some that you know of may be gone; those that"
        " there are follow), `record` (one that is new or changed), `counts` (the session's), `closed` (the session)."
        " Their data is JSON as SessionOut, RecordOut and CountsOut have it.",
        "content": {"text/event-stream": {"schema": EVENT}},
    }
}
SHAPES: dict[Kind, type[BaseModel]] = {
    Kind.RESET: SessionOut,
    Kind.CLOSED: SessionOut,
    Kind.RECORD: RecordOut,
    Kind.COUNTS: CountsOut,
}
UNSTORED = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}


@live.post("/attendance/session/<uuid:session_id>/stream-ticket")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@live.output(TicketOut, status_code=201)
def make_ticket(session_id: uuid.UUID) -> Ticket:
    """A ticket to watch a session from a browser, whose EventSource cannot send a token; to connect within a minute"""
    return service.ticket(caller(), session_id)


def ticket_holder() -> Caller | None:
    """Who comes with a ticket in the address instead of a token."""
    if (ticket := request.args.get("ticket")) is None:
        return None
    session_id: uuid.UUID = (request.view_args or {})["session_id"]
    stamp = request.headers.get("Last-Event-ID", "").rpartition("~")[2]  # in the address it would be worth no more
    return service.caller_of_ticket(ticket, session_id, stamp)


@live.get("/attendance/session/<uuid:session_id>/stream")
@who_may(STAFF, or_by=ticket_holder)
@refuses(errors.NotYourClass, errors.NotYourSession)
@live.input(StreamIn, location="query")
@live.doc(responses=EVENTS)
def stream(session_id: uuid.UUID, query_data: StreamIn) -> Response:  # noqa: ARG001 - read by `_last_event_id`
    """Watch a session: its records, then each change of them; with Last-Event-ID, what has changed since then"""
    news = service.watch(caller(), session_id, _place(_last_event_id()), renewal())
    return Response(_texts(news), headers=UNSTORED, mimetype="text/event-stream")


def _texts(news: Generator[News, None, None]) -> Iterator[str]:
    with closing(news):  # whoever went away makes room for another
        yield from map(_text, news)


def _last_event_id() -> str:
    return request.headers.get("Last-Event-ID") or request.args.get("last_event_id", "")


def _place(event_id: str) -> Place | None:
    """What an event's id says; None: nothing that can be true, so that everything is sent."""
    cursor, closed_at, gone_at = (event_id.split("~") + [""] * 2)[:3]
    try:
        latest = datetime.fromisoformat(cursor)
        closed, gone = (datetime.fromisoformat(text) if text else None for text in (closed_at, gone_at))
        is_possible = EPOCH < latest < clock.now() + OVERLAP and all(at is None or at > EPOCH for at in (closed, gone))
    except (TypeError, ValueError):  # none, or none with an offset
        return None
    return Place(latest, closed, gone) if is_possible else None


def _text(news: News) -> str:
    if news.kind is Kind.RETRY:
        return f"retry: {news.view}\n\n"
    lines = [f"id: {_event_id(news)}"]
    if news.kind is Kind.HEARTBEAT:
        lines.append(": still here")
    else:
        shape = SHAPES[news.kind].model_validate(news.view)
        lines += [f"event: {news.kind}", f"data: {shape.model_dump_json()}"]
    return "\n".join(lines) + "\n\n"


def _event_id(news: News) -> str:
    place = news.place or NOWHERE
    return "~".join([*map(_moment, (place.cursor, place.closed_at, place.record_gone_at)), news.stamp])


def _moment(moment: datetime | None) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z") if moment else ""
