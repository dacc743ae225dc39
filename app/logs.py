"""One JSON line per request and per event, on standard error; never a body, a query or a header."""

from __future__ import annotations

import logging
import re
import time
import uuid
from typing import TextIO

import structlog
from apiflask import APIFlask
from flask import Response, g, request

SECRET_IN_PATH = re.compile(r"(?<=/calendar/).+", re.DOTALL)
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")

log = structlog.get_logger("rollcall")


def configure(level: str, stream: TextIO | None = None) -> None:
    """Send this program's and its libraries' log lines the same way, by default to standard error."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso"),
        structlog.processors.format_exc_info,
    ]
    structlog.configure(
        [*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    handler = logging.StreamHandler(stream)
    render: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.JSONRenderer(),
    ]
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=render))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("alembic").setLevel("WARNING")


def register(app: APIFlask) -> None:
    """Give each request its id, said in the answer and in every line that it causes."""
    app.before_request(_begin)
    app.after_request(_end)


def _begin() -> None:
    sent = request.headers.get("X-Request-ID", "")
    g.request_id = sent if REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
    g.started = time.perf_counter()
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _end(answer: Response) -> Response:
    answer.headers["X-Request-ID"] = g.request_id
    log.info(
        "request",
        method=request.method,
        path=SECRET_IN_PATH.sub("...", request.path),
        status=answer.status_code,
        ms=round((time.perf_counter() - g.started) * 1000, 1),
        user_id=str(g.caller.user_id) if "caller" in g else None,
    )
    return answer
