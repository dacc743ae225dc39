"""Face templates as they are kept: encrypted, so that a stolen database holds no faces."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from app.faces import Encodings
from app.services import vault


def seal(encoding: NDArray[np.float32]) -> bytes:
    """Encrypt an encoding, shape (128,), with the newest of FACE_KEYS."""
    return vault.seal(encoding.astype("<f4").tobytes())


def unseal(kept: bytes) -> NDArray[np.float32]:
    """The encoding, shape (128,), whichever of FACE_KEYS it was sealed with."""
    return np.frombuffer(vault.unseal(kept), "<f4")


def unseal_all(kept: Iterable[bytes]) -> Encodings:
    """The encodings, shape (n, 128): the keys are read once for all of them."""
    keys = vault.vault()
    return np.frombuffer(b"".join(keys.decrypt(one) for one in kept), "<f4").reshape(-1, 128)
