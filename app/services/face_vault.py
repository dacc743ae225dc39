"""Face templates as they are kept: encrypted, so that a stolen database holds no faces."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import structlog
from cryptography.fernet import InvalidToken, MultiFernet
from numpy.typing import NDArray

from app.services import vault

log = structlog.get_logger(__name__)


def seal(encoding: NDArray[np.float32]) -> bytes:
    """Encrypt an encoding, shape (128,), with the newest of FACE_KEYS."""
    return vault.seal(encoding.astype("<f4").tobytes())


def unseal_all(kept: Iterable[bytes]) -> list[NDArray[np.float32] | None]:
    """The encodings, each of shape (128,); None for one that none of FACE_KEYS opens, which nobody is known by.

    The keys are read once for all of them.
    """
    keys = vault.vault()
    opened = [_opened(keys, one) for one in kept]
    if unopened := opened.count(None):
        log.warning("templates_not_opened", count=unopened)
    return [None if one is None else np.frombuffer(one, "<f4") for one in opened]


def _opened(keys: MultiFernet, sealed: bytes) -> bytes | None:
    try:
        return keys.decrypt(sealed)
    except InvalidToken:
        return None
