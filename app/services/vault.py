"""Secrets as they are kept: encrypted, so that a stolen database holds none."""

from __future__ import annotations

import uuid
from datetime import timedelta

from cryptography.fernet import Fernet, MultiFernet
from sqlalchemy import select, update

from app.extensions import db, settings
from app.models import FaceTemplate, JobPart, LeaveAttachment, RepeatableCall, SecondFactor, SingleSignOn
from app.services.transaction import transaction

SEALED = (
    FaceTemplate.encoding,
    JobPart.sealed,
    LeaveAttachment.sealed,
    RepeatableCall.body,
    SecondFactor.secret,
    SingleSignOn.client_secret,
)
"""Every column that is kept encrypted."""
AT_ONCE = 20
"""Values that are read in one go: an attachment may have seven million bytes."""


def seal(secret: bytes) -> bytes:
    """Encrypt with the newest of FACE_KEYS."""
    return vault().encrypt(secret)


def unseal(kept: bytes, lifetime: timedelta | None = None) -> bytes:
    """What was sealed, with whichever of FACE_KEYS.

    Raises InvalidToken: it was not sealed here, or longer ago than `lifetime`.
    """
    return vault().decrypt(kept, None if lifetime is None else int(lifetime.total_seconds()))


def vault() -> MultiFernet:
    return MultiFernet([Fernet(key.get_secret_value()) for key in settings().face_keys])


@transaction
def rotate_key() -> int:
    """Seal everything anew with the newest of FACE_KEYS, so that the older ones can go; how much there was."""
    count, keys = 0, vault()
    for column in SEALED:
        last = uuid.UUID(int=0)
        sealed = select(column.class_.id, column).where(column.is_not(None)).order_by(column.class_.id).limit(AT_ONCE)
        while page := db.session.execute(sealed.where(column.class_.id > last)).all():
            rows = [{"id": id_, column.key: keys.rotate(kept)} for id_, kept in page]
            db.session.execute(update(column.class_), rows, execution_options={"audited": False})
            count, last = count + len(rows), page[-1][0]
    return count
