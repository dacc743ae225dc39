"""How often something may be tried."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Any, TypeVar, cast

from flask import Response, request

from app.api.policy import caller
from app.extensions import limiter

F = TypeVar("F", bound=Callable[..., Any])


def limited(limit: str, by: Callable[[], str], counts: HTTPStatus) -> Callable[[F], F]:
    """At most so many answers of this status (`10 per minute`) for each `by`; other answers are free."""

    def declare(view: F) -> F:
        checked = cast(F, limiter.limit(limit, key_func=by, deduct_when=lambda answer: _is(answer, counts))(view))
        checked.limited = True  # type: ignore[attr-defined]
        return checked

    return declare


def the_caller() -> str:
    return str(caller().user_id)


def the_account() -> str:
    """The account that somebody tries to sign in to, at this address: a guesser elsewhere locks nobody out."""
    body = request.get_json(silent=True, force=True)
    email = body.get("email") if isinstance(body, dict) else None
    return f"{str(email)[:254].strip().lower()} {the_address()}"


def the_address() -> str:
    return request.remote_addr or ""


def _is(answer: Response, status: HTTPStatus) -> bool:
    return answer.status_code == status
