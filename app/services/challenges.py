"""What somebody is asked to do before the camera when they check in by face: signed, and kept nowhere."""

from __future__ import annotations

import hmac
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal, cast

from itsdangerous import BadData, URLSafeSerializer

from app import clock
from app.extensions import settings
from app.faces.liveness import Challenge
from app.services.caller import Caller
from app.services.errors import NotFound
from app.services.seen import see

VALID = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Given:
    challenge: Challenge
    token: str
    valid_until: datetime


class ChallengeRefused(Exception):
    """code: as check-ins are refused."""

    def __init__(self, code: Literal["challenge_wrong", "challenge_expired"]) -> None:
        super().__init__(code)
        self.code = code


def give(caller: Caller, session_id: uuid.UUID) -> Given:
    """A challenge, the same for a minute. Raises NotFound: there is no such session that the caller may attend."""
    own = caller.user_id, session_id
    seen = see(caller, [own]).get(own)
    if seen is None or not seen.is_expected:
        raise NotFound("There is no session with this id")
    now = clock.now()
    challenge, valid_until = _asked(caller, session_id, now), now + VALID
    token = _signer().dumps([str(caller.user_id), str(session_id), challenge, valid_until.timestamp()])
    return Given(challenge, token if isinstance(token, str) else token.decode(), valid_until)


def read(caller: Caller, session_id: uuid.UUID, token: str, at: datetime) -> Challenge:
    """What the caller was asked to do, to check in to the session. Raises ChallengeRefused."""
    try:
        user, session, challenge, valid_until = _signer().loads(token)
    except BadData as unsigned:
        raise ChallengeRefused("challenge_wrong") from unsigned
    if (user, session) != (str(caller.user_id), str(session_id)):
        raise ChallengeRefused("challenge_wrong")
    if at > datetime.fromtimestamp(valid_until, UTC):
        raise ChallengeRefused("challenge_expired")
    return cast(Challenge, challenge)


def _asked(caller: Caller, session_id: uuid.UUID, at: datetime) -> Challenge:
    """As if at random, but asking again and again brings no other before the next minute does."""
    key = hmac.digest(_secret().encode(), b"rollcall challenge", "sha256")
    minute = int(at.timestamp() // VALID.total_seconds())
    digest = hmac.digest(key, caller.user_id.bytes + session_id.bytes + minute.to_bytes(8, "big"), "sha256")
    challenges = caller.settings.faces.challenges
    return challenges[int.from_bytes(digest) % len(challenges)]


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(_secret(), "challenge")


def _secret() -> str:
    return settings().secret_key.get_secret_value()
