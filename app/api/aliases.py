"""The spellings of calls that clients in the field use beside the canonical ones, which are in the OpenAPI document.

Every call answers under /api and at the server's root, with and without a trailing slash.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ALIASES = (
    # method, the client's spelling, the canonical one
    ("POST", "/auth/signup", "/auth/register"),
    ("GET", "/auth/me", "/auth/profile"),
    ("GET", "/auth/verify-token", "/auth/verify"),
    ("GET", "/attendance/session/{id}/attendance", "/attendance/session/{id}/records"),
    ("POST", "/check-in", "/attendance/check-in"),
    ("GET", "/session/{id}/attendance", "/attendance/session/{id}/records"),
)

_PATTERNS = [
    (method, re.compile(re.escape(spelling).replace(r"\{id\}", "([^/]+)")), canonical.replace("{id}", r"\1"))
    for method, spelling, canonical in ALIASES
]


def canonical_path(method: str, path: str) -> str:
    """The path that the application's routes know for the one that was asked for."""
    call = "/" + path.strip("/")
    call = call.removeprefix("/api") if call == "/api" or call.startswith("/api/") else call
    for alias_method, spelling, canonical in _PATTERNS:
        # HEAD asks as GET does, and a browser asks with OPTIONS before it makes any call of another site
        if method in {alias_method, "HEAD", "OPTIONS"} and (found := spelling.fullmatch(call)):
            return "/api" + found.expand(canonical)
    return "/api" + call.rstrip("/")


class CanonicalPaths:
    """WSGI middleware: whatever spelling comes in, the application sees the canonical path."""

    def __init__(self, application: WSGIApplication) -> None:
        self.application = application

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        environ["PATH_INFO"] = canonical_path(environ["REQUEST_METHOD"], environ.get("PATH_INFO", ""))
        return self.application(environ, start_response)
