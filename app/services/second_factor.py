"""A second factor beside the password: codes of an authenticator app (TOTP, RFC 6238), and recovery codes."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

import pyotp
import segno
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import SecondFactor, User
from app.services.caller import Caller
from app.services.errors import (
    NotFound,
    SecondFactorExists,
    SecondFactorRequired,
    WrongCode,
    WrongPassword,
)
from app.services.passwords import is_password
from app.services.transaction import release, transaction
from app.services.vault import seal, unseal

STEP = 30
RECOVERY_CODES = 10


@dataclass(frozen=True, slots=True)
class Setup:
    """What an authenticator app is told: the same as secret, address and QR code."""

    secret: str
    otpauth_url: str
    qr: str


def set_up(caller: Caller, password: str) -> Setup:
    """Begin to set a second factor up; it counts once `confirm` has shown that the app works.

    Raises:
        WrongPassword: it is another one.
        SecondFactorExists: one is on.
    """
    _require_password(caller, password)
    return _set_up(caller)


@transaction
def _set_up(caller: Caller) -> Setup:
    # locked, since of two calls at once neither sees the other's row
    user = db.session.scalars(caller.rows(User).where(User.id == caller.user_id).with_for_update()).one()
    factor = _factor(caller) or SecondFactor(organisation_id=caller.organisation_id, user_id=caller.user_id)
    if factor.confirmed_at:
        raise SecondFactorExists
    secret = pyotp.random_base32()
    factor.secret = seal(secret.encode())
    db.session.add(factor)
    url = pyotp.TOTP(secret).provisioning_uri(name=user.email or user.name, issuer_name="Rollcall")
    return Setup(secret, url, segno.make(url).svg_data_uri(scale=4))


@transaction
def confirm(caller: Caller, code: str) -> list[str]:
    """Turn the second factor on; gives the recovery codes, each of which replaces a code once.

    Raises:
        NotFound: none was set up.
        SecondFactorExists: it is on already.
        WrongCode: the app shows another one.
    """
    factor = _factor(caller)
    if factor is None:
        raise NotFound("Set the second factor up first")
    if factor.confirmed_at:
        raise SecondFactorExists
    _use_code(factor, code)
    factor.confirmed_at = clock.now()
    codes = [secrets.token_hex(8) for _ in range(RECOVERY_CODES)]
    factor.recovery_hashes = [_digest(code) for code in codes]
    return ["-".join(code[start : start + 4] for start in range(0, 16, 4)) for code in codes]


def turn_off(caller: Caller, password: str, code: str) -> None:
    """Raises WrongPassword, WrongCode or NotFound (it is not on)."""
    _require_password(caller, password)
    _turn_off(caller, code)


@transaction
def _turn_off(caller: Caller, code: str) -> None:
    factor = _factor(caller)
    if factor is None or factor.confirmed_at is None:
        raise NotFound("The second factor is not on")
    _use_code(factor, code)
    db.session.delete(factor)


def require_code(user: User, code: str | None) -> None:
    """Within a transaction: use a code, where the person has a second factor.

    Raises:
        SecondFactorRequired: they have, and no code was given.
        WrongCode: it is another one, or was used before.
    """
    query = select(SecondFactor).where(SecondFactor.user_id == user.id, SecondFactor.confirmed_at.is_not(None))
    factor = db.session.scalar(query.with_for_update())
    if factor is None:
        return
    if not code:
        raise SecondFactorRequired
    _use_code(factor, code)


def _use_code(factor: SecondFactor, code: str) -> None:
    """A code works once; the one before and the one after too, since clocks differ."""
    typed = "".join(character for character in code.lower() if character.isascii() and character.isalnum())
    if _digest(typed) in factor.recovery_hashes:
        factor.recovery_hashes = [kept for kept in factor.recovery_hashes if kept != _digest(typed)]
        return
    totp = pyotp.TOTP(unseal(factor.secret).decode())
    now = int(clock.now().timestamp()) // STEP
    for step in (now - 1, now, now + 1):
        if step > factor.last_step and secrets.compare_digest(totp.generate_otp(step), typed):
            factor.last_step = step
            return
    raise WrongCode


def _factor(caller: Caller) -> SecondFactor | None:
    query = caller.rows(SecondFactor).where(SecondFactor.user_id == caller.user_id)
    found: SecondFactor | None = db.session.scalar(query.with_for_update())
    return found


def _require_password(caller: Caller, password: str) -> None:
    kept = caller.get(User, caller.user_id).password_hash
    release()
    if not is_password(password, kept):
        raise WrongPassword


def _digest(code: str) -> str:
    """64 bits drawn by chance need no slow hash."""
    return hashlib.sha256(code.encode()).hexdigest()
