"""`ETag` and `If-None-Match`: an answer that the client has already is not sent again (RFC 9110, 13.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from flask import Response, make_response, request

F = TypeVar("F", bound=Callable[..., Any])


def conditional(view: F) -> F:
    """Declare, below `who_may`, that a call's answer has a tag made from what it says; with that tag it is a 304."""

    @wraps(view)
    def answered(*args: Any, **kwargs: Any) -> Response:
        answer = make_response(view(*args, **kwargs))
        answer.headers.setdefault("Cache-Control", "private, no-cache")
        answer.add_etag()
        answer.make_conditional(request)
        return answer

    answered.is_conditional = True  # type: ignore[attr-defined]
    return cast(F, answered)
