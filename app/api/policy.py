"""Who may make a call: declared on the route, enforced before anything of the request is read.

`@who_may(STAFF)` beside a route is the whole declaration. A route that declares nothing answers 404. What depends on
the row (its teacher, oneself) is decided in the service.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, TypeVar

import jwt
from flask import current_app, g, request

from app.models import Role
from app.services import audit, gates
from app.services.api_keys import PREFIX, caller_of_key
from app.services.caller import Caller, Device
from app.services.errors import NotFound, RoleNotAllowed, ScopeMissing, TokenExpired, TokenInvalid, Unauthenticated
from app.services.sign_in import caller_of

F = TypeVar("F", bound=Callable[..., Any])
Policy = frozenset[Role | Device]

PUBLIC: Policy = frozenset()
"""Nobody has to be signed in."""
ANYONE = frozenset(Role)
STAFF = frozenset({Role.TEACHER, Role.ADMIN, Role.SUPER_ADMIN})
ADMIN = frozenset({Role.ADMIN, Role.SUPER_ADMIN})
SUPER_ADMIN = frozenset({Role.SUPER_ADMIN})
TEACHER = frozenset({Role.TEACHER})
STUDENT = frozenset({Role.STUDENT})
PARENT = frozenset({Role.PARENT})
RECORDED = ANYONE - PARENT
"""Who can have a record."""
COUNTED = frozenset({Role.STUDENT, Role.EMPLOYEE})
"""Who is expected in sessions."""
GATE = frozenset({Device.GATE})
"""A device at a gate, with its own key; no person."""


def who_may(policy: Policy, or_by: Callable[[], Caller | None] = lambda: None) -> Callable[[F], F]:
    """Declare who may make this call: PUBLIC, the roles of signed-in people, or GATE.

    or_by: another way to know who calls than their token; None when they came without it.
    """

    def declare(view: F) -> F:
        view.policy = policy  # type: ignore[attr-defined]
        view.or_by = or_by  # type: ignore[attr-defined]
        return view

    return declare


def policy_of(endpoint: str) -> Policy:
    """The policy that a route declares.

    Raises:
        NotFound: it declares none, and so does not exist.
    """
    view = current_app.view_functions[endpoint]
    if not hasattr(view, "policy"):
        raise NotFound
    declared: Policy = view.policy
    return declared


def identify() -> None:
    """Before every request: who is calling, and may they?"""
    agent, reason = request.user_agent.string, request.headers.get("X-Reason")
    audit.act(audit.Actor(None, request.remote_addr, agent[:255], g.request_id, reason and reason[:500]))
    if request.endpoint is None:  # no such route, or method: answered as that
        return
    policy = policy_of(request.endpoint)
    if policy == PUBLIC or request.method == "OPTIONS":
        return
    view: Any = current_app.view_functions[request.endpoint]
    g.caller = view.or_by() or _caller()
    audit.act(replace(audit.actor(), user_id=g.caller.user_id))
    _require_role(g.caller, policy)
    if g.caller.scopes is not None:
        _require_scope(g.caller.scopes)


def caller() -> Caller:
    """Who is calling; a route that is not PUBLIC has somebody."""
    known: Caller = g.caller
    return known


def renewal() -> Callable[[], Caller]:
    """Who is calling, to be asked anew after the request; raises a Refusal when they may call no longer."""
    policy = policy_of(str(request.endpoint))
    if (sign_in_id := caller().sign_in_id) is not None:
        known = partial(caller_of, sign_in_id)
    else:
        known = partial(caller_of_key, _token()[1], request.remote_addr or "")
    return lambda: _require_role(known(), policy)


def _require_role(caller: Caller, policy: Policy) -> Caller:
    if caller.role not in policy:
        raise RoleNotAllowed
    return caller


def _token() -> tuple[str, str]:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower(), token.strip()


def _caller() -> Caller:
    scheme, token = _token()
    if scheme == "bearer" and token.startswith(PREFIX):
        return caller_of_key(token, request.remote_addr or "")
    if scheme == "bearer" and token.startswith(gates.PREFIX):
        return gates.caller_of_gate(token)
    if scheme != "bearer" or not token:
        raise Unauthenticated
    return caller_of(_sign_in_id(token))


def _require_scope(scopes: frozenset[str]) -> None:
    """An API key was given rights by resource (a blueprint's name), to read and to write."""
    right = f"{request.blueprint}:{'read' if request.method in {'GET', 'HEAD'} else 'write'}"
    if right not in scopes:
        raise ScopeMissing(f"This API key was not given the right {right}")


def _sign_in_id(token: str) -> uuid.UUID:
    """As flask_jwt_extended does, which reads each token twice.

    Raises:
        TokenExpired, TokenInvalid
    """
    try:
        claims = jwt.decode(token, current_app.config["JWT_SECRET_KEY"], [current_app.config["JWT_ALGORITHM"]])
        if claims["type"] != "access":
            raise TokenInvalid
        return uuid.UUID(claims["sid"])
    except jwt.ExpiredSignatureError as expired:
        raise TokenExpired from expired
    except (jwt.PyJWTError, KeyError, TypeError, ValueError, AttributeError) as invalid:
        raise TokenInvalid from invalid
