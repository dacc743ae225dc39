"""The OpenAPI document: APIFlask's, completed with what stands beside each route (who may, what it refuses)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Any, TypeVar

from apiflask import APIFlask

from app.api.policy import PUBLIC
from app.api.problems import DETAILS
from app.api.repeats import HEADER, KEY
from app.api.uploads import MULTIPART
from app.schemas.problem import Problem
from app.schemas.uploads import Upload
from app.services import errors
from app.services.errors import Refusal

F = TypeVar("F", bound=Callable[..., Any])
Operation = dict[str, Any]

SECURITY_SCHEMES = {"access_token": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}}
SIGNED_IN = (errors.Unauthenticated, errors.TokenInvalid, errors.TokenExpired, errors.TokenRevoked,
             errors.AccountSuspended)  # fmt: skip
PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": "respond-async: answer at once with a job to follow",
    "schema": {"type": "string", "examples": ["respond-async"]},
}
IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "description": "A new one for each call, the same for its repeats, which then change nothing: the same call (its "
    "body to the byte) gets the first one's answer, with Idempotency-Replayed: true. Kept for a day; answers above 1 "
    "MB and those with a status of 401, 429 or 5xx are not, and the next call is done anew.",
    "schema": {"type": "string", "pattern": f"^{KEY}$", "examples": ["5f0c9a4e-check-in"]},
}
IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The ETag of an answer that one has",
    "schema": {"type": "string"},
}
UNCHANGED = {"description": "What one has (If-None-Match) is what there is; without a body"}
REPEATABLE = (errors.IdempotencyKeyInvalid, errors.IdempotencyKeyReused, errors.CallInProgress)
ACCEPTED = {
    "description": "A job to follow",
    "headers": {"Location": {"description": "Where to follow the job", "schema": {"type": "string"}}},
    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/JobOut"}}},
}


def refuses(*refusals: type[Refusal]) -> Callable[[F], F]:
    """Declare what a route's service refuses, for the document."""

    def declare(view: F) -> F:
        view.refusals = refusals  # type: ignore[attr-defined]
        return view

    return declare


def complete(app: APIFlask, document: dict[str, Any]) -> dict[str, Any]:
    """Add to each operation its errors and its sign-in, and give every schema its own name."""
    document["components"].setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
    for rule in app.url_map.iter_rules():
        path = document["paths"].get(re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule), {})
        view = app.view_functions[rule.endpoint]
        for method, operation in path.items():
            if method.upper() in (rule.methods or ()):
                _complete_operation(operation, view)
    return _plain_names(document)


def register(app: APIFlask) -> None:
    app.config.update(
        SECURITY_SCHEMES=SECURITY_SCHEMES,
        AUTO_VALIDATION_ERROR_RESPONSE=False,
        AUTO_404_RESPONSE=False,
        AUTO_OPERATION_ID=True,
        AUTO_SERVERS=False,
    )
    app.spec_processor(partial(complete, app))


def _complete_operation(operation: Operation, view: Any) -> None:
    refusals = [*getattr(view, "refusals", ())]
    if "503" not in operation["responses"]:
        refusals.append(errors.DatabaseUnavailable)
    policy = getattr(view, "policy", PUBLIC)
    if policy != PUBLIC:
        operation["security"] = [{"access_token": []}]
        operation["x-roles"] = sorted(policy)
        refusals += [*SIGNED_IN, errors.RoleNotAllowed]
    refusals += _document_headers(operation, view)
    for parameter in operation["parameters"]:
        if parameter["in"] == "path":
            parameter["schema"] = {"type": "string", "format": "uuid"}
            refusals.append(errors.NotFound)
    statuses = {429} if getattr(view, "limited", False) else set()
    if "requestBody" in operation:
        operation["requestBody"]["required"] = True
        _accept_multipart(operation["requestBody"]["content"])
        statuses |= {400, 413, 422}
    elif any(parameter["in"] == "query" for parameter in operation["parameters"]):
        statuses |= {422}
    _document_errors(operation["responses"], refusals, statuses)


def _document_headers(operation: Operation, view: Any) -> Iterable[type[Refusal]]:
    """What a call may be asked to do otherwise; and how that is refused."""
    if hasattr(view, "as_job"):
        if view.is_always_a_job:
            operation["responses"].pop("200", None)
        else:
            operation["parameters"] = [*operation["parameters"], PREFER]
        operation["responses"]["202"] = ACCEPTED
    if hasattr(view, "is_conditional"):
        operation["parameters"] = [*operation["parameters"], IF_NONE_MATCH]
        operation["responses"]["304"] = UNCHANGED
    if not hasattr(view, "repeatable"):
        return ()
    operation["parameters"] = [*operation["parameters"], IDEMPOTENCY_KEY]
    return REPEATABLE


def _document_errors(responses: dict[str, Any], refusals: Iterable[type[Refusal]], statuses: set[int]) -> None:
    named = {(r.status, r.code): r.title for r in refusals}
    for status in statuses:
        phrase = HTTPStatus(status).phrase
        named[status, "invalid_input" if status == HTTPStatus.UNPROCESSABLE_ENTITY else _snake(phrase)] = DETAILS[
            status
        ]
    for (status, code), title in sorted(named.items()):
        answer = responses.setdefault(
            str(status),
            {
                "description": HTTPStatus(status).phrase,
                "content": {
                    "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "examples": {}}
                },
            },
        )
        answer["content"]["application/problem+json"]["examples"][code] = {"value": _example(status, code, title)}


def _example(status: int, code: str, title: str) -> dict[str, Any]:
    example = {
        "type": f"urn:rollcall:problem:{code}",
        "title": title,
        "status": status,
        "detail": title,
        "code": code,
        "error": title,
        "request_id": "9f0c1e8f7a504c7d8d1f4b0a6c2e3d55",
    }
    return example | ({"errors": {"name": ["Field required"]}} if code == "invalid_input" else {})


def _accept_multipart(content: dict[str, Any]) -> None:
    schema = content["application/json"]["schema"]
    if schema["$ref"].rpartition("/")[2] in {upload.__name__ for upload in Upload.__subclasses__()}:
        content[MULTIPART] = {"schema": schema}


def _plain_names(document: dict[str, Any]) -> dict[str, Any]:
    """A schema used inside others is listed once, under its own name."""
    schemas = document["components"]["schemas"]
    document["components"]["schemas"] = {name.rpartition(".")[2]: schema for name, schema in schemas.items()}
    text = json.dumps(document)
    renamed: dict[str, Any] = json.loads(re.sub(r"(#/components/schemas/)\w+\.(\w+)", r"\1\2", text))
    return renamed


def _snake(phrase: str) -> str:
    return phrase.lower().replace(" ", "_")
