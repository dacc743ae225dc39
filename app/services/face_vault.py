"""Face templates as they are kept: encrypted, so that a stolen database holds no faces."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import numpy as np
from cryptography.fernet import Fernet, MultiFernet
from numpy.typing import NDArray
from sqlalchemy import select

from app.extensions import db, settings
from app.models import FaceTemplate
from app.services.transaction import transaction


def seal(encoding: NDArray[np.float32]) -> bytes:
    """Encrypt an encoding, shape (128,), with the newest of FACE_KEYS."""
    return _vault().encrypt(encoding.astype("<f4").tobytes())


def unseal(kept: bytes) -> NDArray[np.float32]:
    """The encoding, shape (128,), whichever of FACE_KEYS it was sealed with."""
    return np.frombuffer(_vault().decrypt(kept), "<f4")


@transaction
def rotate_key() -> int:
    """Seal every template anew with the newest of FACE_KEYS, so that the older ones can go; how many there were."""
    count = 0
    last = UUID(int=0)
    while page := _after(last):
        for template in page:
            template.encoding = _vault().rotate(template.encoding)
        db.session.flush()
        db.session.expunge_all()
        count, last = count + len(page), page[-1].id
    return count


def _after(last: UUID) -> Sequence[FaceTemplate]:
    """The installation's next templates, of all organisations: keys are the installation's."""
    query = select(FaceTemplate).where(FaceTemplate.id > last).order_by(FaceTemplate.id).limit(1000)
    return db.session.scalars(query).all()


def _vault() -> MultiFernet:
    return MultiFernet([Fernet(key.get_secret_value()) for key in settings().face_keys])
