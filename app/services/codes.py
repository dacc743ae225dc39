"""The code that a session's screen shows and that changes every 15 seconds: nothing of it is kept, any server can
check it."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import io
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import segno

from app import clock
from app.extensions import settings
from app.models import Class
from app.services.caller import Caller
from app.services.sessions import managed_session

STEP = 15
"""Seconds that a code is shown; it is accepted while the next one is shown as well."""
ACCEPTED = 2
REMEMBERED = 600 // STEP
"""Steps in which a code is told to have expired, rather than to be wrong."""
PREFIX = "rollcall:1:"
CODE_BYTES = 5
"""40 bits, two of them right at a time: guessing one over the network takes thousands of years. Eight characters."""


@dataclass(frozen=True, slots=True)
class SessionCode:
    """code: to be typed. payload: what the QR holds, which names the session. Either is a check-in's `code`."""

    code: str
    payload: str
    valid_until: datetime
    next_in_seconds: float
    session_name: str
    class_name: str | None


def show(caller: Caller, session_id: uuid.UUID) -> SessionCode:
    """The code of now. Raises NotFound, NotYourClass or NotYourSession."""
    session = managed_session(caller, session_id)
    class_name = caller.get(Class, session.class_id).name if session.class_id else None
    now = clock.now().timestamp()
    step = int(now // STEP)
    return SessionCode(
        code_of(session_id, step),
        payload_of(session_id, step),
        datetime.fromtimestamp((step + ACCEPTED) * STEP, UTC),
        (step + 1) * STEP - now,
        session.name,
        class_name,
    )


def picture(caller: Caller, session_id: uuid.UUID, kind: Literal["svg", "png"]) -> bytes:
    """The code of now as a QR. Raises as `show`."""
    file = io.BytesIO()
    segno.make(show(caller, session_id).payload, error="m", micro=False).save(file, kind=kind, scale=8)
    return file.getvalue()


def code_of(session_id: uuid.UUID, step: int) -> str:
    digest = hmac.digest(_key(), session_id.bytes + step.to_bytes(8, "big"), hashlib.sha256)
    return base64.b32encode(digest[:CODE_BYTES]).decode()


def payload_of(session_id: uuid.UUID, step: int) -> str:
    named = base64.b32encode(session_id.bytes).decode().rstrip("=")
    return f"{PREFIX}{named}:{code_of(session_id, step)}"


def read(text: str) -> tuple[uuid.UUID | None, str]:
    """The session that a code names, if it is a QR's, and the code itself; of what is neither, the text."""
    text = text.strip()
    named, _, code = text[len(PREFIX) :].partition(":")
    if text[: len(PREFIX)].lower() != PREFIX:
        return None, text.upper()
    try:
        return uuid.UUID(bytes=base64.b32decode(named.upper() + "=" * (-len(named) % 8))), code.upper()
    except (binascii.Error, ValueError):
        return None, text


def age(session_id: uuid.UUID, code: str, at: datetime) -> int | None:
    """How many steps ago a session's code was shown (it is accepted below ACCEPTED); None: it was not, or long ago."""
    step, given = int(at.timestamp() // STEP), code.encode()
    shown = (steps for steps in range(REMEMBERED + 1) if _is_code(session_id, step - steps, given))
    return next(shown, None)


def _is_code(session_id: uuid.UUID, step: int, given: bytes) -> bool:
    return step >= 0 and hmac.compare_digest(code_of(session_id, step).encode(), given)


def _key() -> bytes:
    """Only for codes, so that one does not sign anything else of the installation's."""
    return hmac.digest(settings().secret_key.get_secret_value().encode(), b"rollcall check-in code", hashlib.sha256)
