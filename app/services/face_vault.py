"""Face templates as they are kept: encrypted, so that a stolen database holds no faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from app.services import vault


def seal(encoding: NDArray[np.float32]) -> bytes:
    """Encrypt an encoding, shape (128,), with the newest of FACE_KEYS."""
    return vault.seal(encoding.astype("<f4").tobytes())


def unseal(kept: bytes) -> NDArray[np.float32]:
    """The encoding, shape (128,), whichever of FACE_KEYS it was sealed with."""
    return np.frombuffer(vault.unseal(kept), "<f4")
