"""`Prefer: respond-async` (RFC 7240): an answer at once, and a job to follow."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from apiflask import APIBlueprint
from flask import Response, g, json, request

from app.api.policy import ANYONE, caller, who_may
from app.models import Job
from app.schemas.base import Out
from app.schemas.jobs import JobOut
from app.services import jobs as service

F = TypeVar("F", bound=Callable[..., Any])

jobs = APIBlueprint("jobs", __name__, tag="Jobs")


def may_respond_async(schema: type[Out]) -> Callable[[F], F]:
    """Between a route's schemas and its function: with `Prefer: respond-async` it is done as a job.

    schema: the route's own output schema, in which the job keeps the result.
    """

    def decorate(view: F) -> F:
        @wraps(view)
        def respond(**given: Any) -> Any:
            if "respond-async" not in request.headers.get("Prefer", ""):
                return view(**given)
            known = caller()

            def work() -> Any:
                g.caller = known
                return schema.model_validate(view(**given)).model_dump(mode="json")

            return _accepted(service.start(known, view.__name__, work))

        respond.responds_async = True  # type: ignore[attr-defined]
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
