"""`Prefer: respond-async` (RFC 7240): an answer at once, and a job to follow."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast, get_type_hints

from apiflask import APIBlueprint
from flask import Response, g, json, request
from pydantic import create_model

from app.api.policy import ANYONE, caller, who_may
from app.models import Job
from app.schemas.base import Out
from app.schemas.jobs import JobOut
from app.services import jobs as service
from app.services.caller import Caller

F = TypeVar("F", bound=Callable[..., Any])

jobs = APIBlueprint("jobs", __name__, tag="Jobs")


def may_respond_async(schema: type[Out], *, always_once: Callable[..., None] | None = None) -> Callable[[F], F]:
    """Between a route's schemas and its function: with `Prefer: respond-async` it is done as a job.

    always_once: it always is, once this, which is given the same, refuses nothing.
    schema: the route's own output schema, in which the job keeps the result. What the function takes is kept as JSON
    until then, and read again by the types it declares.
    """

    def decorate(view: F) -> F:
        takes = get_type_hints(view)
        takes.pop("return", None)
        given_to: Any = create_model(view.__name__, **{name: (kind, ...) for name, kind in takes.items()})  # type: ignore[call-overload]

        @wraps(view)
        def respond(**given: Any) -> Any:
            if always_once is not None:
                always_once(**given)
            elif "respond-async" not in request.headers.get("Prefer", ""):
                return view(**given)
            payload = given_to(**given).model_dump_json(exclude_unset=True).encode()
            return _accepted(service.start(caller(), str(request.endpoint), payload))

        def as_job(known: Caller, payload: bytes) -> Any:
            g.caller = known
            given = dict(given_to.model_validate_json(payload))
            return schema.model_validate(view(**given)).model_dump(mode="json")

        respond.as_job = as_job  # type: ignore[attr-defined]
        respond.is_always_a_job = always_once is not None  # type: ignore[attr-defined]
        return cast(F, respond)

    return decorate


def _accepted(job: Job) -> Response:
    body = JobOut.model_validate(job).model_dump(mode="json")
    headers = {"Location": f"/api/jobs/{job.id}", "Preference-Applied": "respond-async"}
    return Response(json.dumps(body), 202, headers, mimetype="application/json")


@jobs.get("/jobs/<uuid:job_id>")
@who_may(ANYONE)
@jobs.output(JobOut)
def read(job_id: uuid.UUID) -> Job:
    """How far a job is that one has started, and its result; kept for a day"""
    return service.read(caller(), job_id)
