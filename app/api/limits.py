"""How often something may be tried."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, TypeVar, cast

from flask import g, json, request

from app.api.policy import caller
from app.extensions import limiter
from app.services.sign_in import known_device
from app.services.text import one_spelling

F = TypeVar("F", bound=Callable[..., Any])


def limited(
    limit: str, by: Callable[[], str], counts: HTTPStatus, unless: Callable[[], bool] = lambda: False
) -> Callable[[F], F]:
    """At most so many answers of this status (`10 per minute`) for each `by`; other answers are free.

    unless: who is not limited so.
    """

    def declare(view: F) -> F:
        limit_it = limiter.limit(
            limit, key_func=by, exempt_when=unless, deduct_when=lambda answer: answer.status_code == counts
        )
        checked = cast(F, limit_it(view))
        checked.limited = True  # type: ignore[attr-defined]
        return checked

    return declare


def limited_guessing(view: F) -> F:
    """Limits on wrong passwords, which stop guessers and let the owners of accounts in.

    Whoever guesses is stopped by address, and by account from wherever they come; a device that was signed in to the
    account before is counted by itself alone, so that the others' guesses don't keep its owner out.
    """
    wrong = HTTPStatus.UNAUTHORIZED
    view = limited("10 per minute; 100 per hour", by=the_account_on_this_device, counts=wrong)(view)
    view = limited("50 per hour", by=the_account, counts=wrong, unless=on_a_known_device)(view)
    return limited("100 per minute; 1000 per hour", by=the_network, counts=wrong, unless=on_a_known_device)(view)


def limited_guessing_at_gates(view: F) -> F:
    """Limits on wrong badges and PINs, by gate; pictures are not guesses, and go on.

    At one gate there are at most 60 guesses an hour. A guess hits one person's PIN of six digits once in 10^6 times,
    that is, after 10^6 / 60 hours or two years on average; and anybody's at all once in 1,000 times at the most (which
    takes 1,000 PINs: there are no more of six digits), after 17 hours of standing there and being refused.
    """
    limit_it = limiter.limit(
        "10 per minute; 60 per hour",
        key_func=the_caller,
        exempt_when=_sends_a_picture,
        deduct_when=lambda _answer: g.get("guessed_wrong", False),
    )
    checked = cast(F, limit_it(view))
    checked.limited = True  # type: ignore[attr-defined]
    return checked


def the_caller() -> str:
    return str(caller().user_id)


def the_account() -> str:
    """The account that somebody tries to get into."""
    return f"account {_email()}"


def the_account_on_this_device() -> str:
    return f"{_email()} on {_known_device() or the_network()}"


def the_address() -> str:
    return request.remote_addr or ""


def the_network() -> str:
    """The address that attempts are counted by: of IPv6 the /64, all of whose 2^64 addresses its holder may use."""
    try:
        address = ipaddress.ip_address(the_address())
    except ValueError:  # a Unix socket has none
        return the_address()
    if isinstance(address, ipaddress.IPv4Address) or address.ipv4_mapped:
        return str(address)
    return str(ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))


def on_a_known_device() -> bool:
    return _known_device() is not None


def device_name() -> str:
    """What a device calls itself: device_info, or else its User-Agent."""
    return _sent("device_info") or request.user_agent.string


def _known_device() -> str | None:
    if "known_device" not in g:
        token = request.headers.get("X-Device-Token") or _sent("device_token")
        g.known_device = known_device(_email(), token, device_name(), the_address())
    return cast("str | None", g.known_device)


def _sent(field: str) -> str:
    """A field of the body, before it is known to be what it should be."""
    body = request.get_json(silent=True, force=True)
    value = body.get(field) if isinstance(body, dict) else None
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value)
    return text[:1000].replace("\0", "").encode(errors="ignore").decode()  # what no database can keep


def _sends_a_picture() -> bool:
    body = request.get_json(silent=True) if request.is_json else request.files
    return isinstance(body, Mapping) and body.get("image") is not None  # with which goes nothing to guess


def _email() -> str:
    """The address as it is kept: another spelling of it would be counted by itself, and give as many guesses again."""
    sent = _sent("email")
    try:
        return one_spelling(sent)
    except ValueError:  # nobody has it
        return sent
