"""Every error, rendered as RFC 9457 problem details."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from apiflask import APIFlask, HTTPError
from flask import Response, g, json
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from werkzeug.exceptions import HTTPException

from app.services.errors import DatabaseUnavailable, Refusal

DETAILS = {
    400: "The body is not what the content type says: is it valid JSON?",
    404: "There is no such call: see /api/docs",
    405: "This path does not take this method: see /api/docs",
    413: "The request is larger than this server takes",
    422: "Some fields are missing or wrong: see errors",
    429: "Too many attempts: wait, then try again",
    500: "Something went wrong on the server; it has been logged under this request id",
}

log = structlog.get_logger(__name__)


def register(app: APIFlask) -> None:
    """Render whatever is raised: refusals, bad input, HTTP errors, a database that is gone, the unexpected."""
    app.register_error_handler(Refusal, _refusal)
    app.register_error_handler(HTTPError, _input)
    app.register_error_handler(HTTPException, _http)
    for gone in (OperationalError, InterfaceError, PoolTimeoutError):
        app.register_error_handler(gone, _database_gone)
    app.register_error_handler(Exception, _unexpected)


def _problem(status: int, code: str, title: str, detail: str, **members: Any) -> Response:
    body = {
        "type": f"urn:rollcall:problem:{code}",
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "error": detail,
        "request_id": g.request_id,
        **members,
    }
    answer = Response(json.dumps(body), status, mimetype="application/problem+json")
    if status == HTTPStatus.UNAUTHORIZED:
        answer.headers["WWW-Authenticate"] = "Bearer"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        answer.headers["Retry-After"] = "5"
    return answer


def _status_problem(status: int, **members: Any) -> Response:
    """An error that no rule raised: named after its status."""
    phrase = HTTPStatus(status).phrase
    return _problem(status, phrase.lower().replace(" ", "_"), phrase, DETAILS.get(status, phrase), **members)


def _refusal(refusal: Refusal) -> Response:
    answer = _problem(refusal.status, refusal.code, refusal.title, refusal.detail, **refusal.figures)
    if refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


def _input(error: HTTPError) -> Response:
    """Input that does not fit its schema: what is wrong, by field."""
    places: dict[str, dict[str, list[str]]] = error.detail
    fields = {name.replace("_schema", "body"): said for place in places.values() for name, said in place.items()}
    return _problem(error.status_code, "invalid_input", "Invalid input", DETAILS[422], errors=fields)


def _http(error: HTTPException) -> Response:
    answer = _status_problem(error.code or 500)
    for name, value in error.get_headers():
        if name not in {"Content-Type", "Content-Length"}:
            answer.headers[name] = value  # such as Allow, and a redirect's Location
    return answer


def _database_gone(error: Exception) -> Response:
    log.error("database_unavailable", exc_info=error)
    return _refusal(DatabaseUnavailable())


def _unexpected(error: Exception) -> Response:
    log.error("unexpected_failure", exc_info=error)
    return _status_problem(500)
