"""`Idempotency-Key`: a call that a phone may repeat is done once; its repeats get the first one's answer."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar

import structlog
from flask import Flask, Response, current_app, g, request

from app.api.policy import caller
from app.services import repeats
from app.services.errors import IdempotencyKeyInvalid
from app.services.repeats import Answer

F = TypeVar("F", bound=Callable[..., Any])

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY = "[!-~]{1,255}"
LARGEST = 1_000_000
"""Bytes of an answer that is kept."""
KEPT_HEADERS = ("Content-Type", "Location")
NOT_OF_THE_CALL = {HTTPStatus.UNAUTHORIZED, HTTPStatus.TOO_MANY_REQUESTS}
"""What was answered before anything was done."""

log = structlog.get_logger(__name__)


def repeatable(view: F) -> F:
    """Declare, beside `who_may`, that a call may come with an Idempotency-Key."""
    view.repeatable = True  # type: ignore[attr-defined]
    return view


def register(app: Flask) -> None:
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> Response | None:
    """Without a key nothing is read or kept."""
    key = request.headers.get(HEADER)
    if key is None or request.endpoint is None or "caller" not in g:
        return None
    if not getattr(current_app.view_functions[request.endpoint], "repeatable", False):
        return None
    if not re.fullmatch(KEY, key):
        raise IdempotencyKeyInvalid
    begun = repeats.begin(caller(), key, _call_hash())
    if not isinstance(begun, Answer):
        g.repeatable_call = begun
        return None
    return Response(begun.body, begun.status, begun.headers | {REPLAYED: "true"})


def _call_hash() -> str:
    call = hashlib.sha256(f"{request.method} {request.full_path}\n".encode())
    call.update(request.get_data())
    return call.hexdigest()


def _end(answer: Response) -> Response:
    call_id = g.pop("repeatable_call", None)
    if call_id is not None:
        try:
            repeats.finish(caller(), call_id, _kept(answer))
        except Exception:  # the call is done, whether or not its answer can be kept
            log.exception("answer_not_kept", call_id=str(call_id))
    return answer


def _kept(answer: Response) -> Answer | None:
    if answer.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR or answer.status_code in NOT_OF_THE_CALL:
        return None
    if answer.is_streamed or len(answer.get_data()) > LARGEST:
        return None
    headers = {name: answer.headers[name] for name in KEPT_HEADERS if name in answer.headers}
    return Answer(answer.status_code, headers, answer.get_data())
