"""Passwords: kept as bcrypt, of any length and script, and hard to guess."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from functools import cache

import bcrypt
from zxcvbn import zxcvbn

from app.extensions import settings
from app.services.errors import WeakPassword

JUDGED = 72
"""zxcvbn's time grows with the square of the length; what is longer is judged by its beginning."""


def hash_password(password: str) -> str:
    """The bcrypt hash (60 characters) to keep. Takes a quarter of a second on purpose: call it outside transactions."""
    return bcrypt.hashpw(_digest(password), bcrypt.gensalt(settings().bcrypt_rounds)).decode()


def require_strong(password: str, field: str, *personal: str) -> None:
    """Raises WeakPassword, naming the field, when a password is too short or too easy to guess.

    personal: what a guesser who knows the person tries first, such as their name and email.
    Source: D. Wheeler, zxcvbn: Low-Budget Password Strength Estimation (USENIX Security 2016).
    """
    if len(password) < settings().password_min_length:
        _refuse(field, f"The password needs at least {settings().password_min_length} characters")
    judged = zxcvbn(password[:JUDGED], [word for word in personal if word], max_length=JUDGED)
    if judged["score"] < settings().password_min_score:
        said = judged["feedback"]["warning"] or "This password is easy to guess"
        _refuse(field, " ".join([f"{said.rstrip('.')}.", *judged["feedback"]["suggestions"]]))


def _refuse(field: str, message: str) -> None:
    raise WeakPassword(message, errors={field: [message]})


def is_password(password: str, kept: str | None) -> bool:
    """Whether this is the password; as slow for somebody who has none, so that time tells nothing."""
    matches = bcrypt.checkpw(_digest(password), (kept or _nobodys(settings().bcrypt_rounds)).encode())
    return matches and kept is not None


def _digest(password: str) -> bytes:
    """44 bytes of SHA-256: bcrypt takes at most 72, and stops at a zero byte.

    Normalised first (NFC, RFC 8265), since keyboards compose the same accented letter differently.
    """
    return base64.b64encode(hashlib.sha256(unicodedata.normalize("NFC", password).encode()).digest())


@cache
def _nobodys(rounds: int) -> str:
    return bcrypt.hashpw(b"nobody's", bcrypt.gensalt(rounds)).decode()
