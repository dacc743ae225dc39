"""Secrets as they are kept: encrypted, so that a stolen database holds none."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from sqlalchemy import select, update

from app.extensions import db, settings
from app.models import (
    ExportPart,
    FaceTemplate,
    JobPart,
    LeaveAttachment,
    RecognitionPicture,
    RepeatableCall,
    SecondFactor,
    SingleSignOn,
    Webhook,
)
from app.services.errors import NotOpened
from app.services.transaction import transaction

SEALED = (
    FaceTemplate.encoding,
    ExportPart.sealed,
    JobPart.sealed,
    LeaveAttachment.sealed,
    RecognitionPicture.sealed,
    RepeatableCall.body,
    SecondFactor.secret,
    SingleSignOn.client_secret,
    Webhook.secret,
    Webhook.old_secret,
)
"""Every column that is kept encrypted."""
AT_ONCE = 20
"""Values that are read in one go: an attachment may have seven million bytes."""


def seal(secret: bytes) -> bytes:
    """Encrypt with the newest of FACE_KEYS."""
    return vault().encrypt(secret)


def unseal(kept: bytes, lifetime: timedelta | None = None) -> bytes:
    """What was sealed, with whichever of FACE_KEYS.

    Raises NotOpened: it was not sealed here, or longer ago than `lifetime`.
    """
    try:
        return vault().decrypt(kept, None if lifetime is None else int(lifetime.total_seconds()))
    except InvalidToken:
        raise NotOpened from None


def vault() -> MultiFernet:
    return MultiFernet([Fernet(key.get_secret_value()) for key in settings().face_keys])


def which_key(kept: bytes) -> int | None:
    """The place among FACE_KEYS of the one that it was sealed with, 0 the newest; None: it is not among them."""
    for place, key in enumerate(settings().face_keys):
        try:
            Fernet(key.get_secret_value()).decrypt(kept)
        except InvalidToken:
            continue
        return place
    return None


def rotate_key() -> tuple[int, int]:
    """Seal everything anew with the newest of FACE_KEYS, so that the older ones can go: how much there was, and how
    much none of them opens, which stays as it is.

    Each few are saved by themselves: calls go on meanwhile, and when it is interrupted it can be run again.
    """
    sealed = unreadable = 0
    for column in SEALED:
        last = uuid.UUID(int=0)
        while page := _rotate_some(column, last):
            renewed, last = sum(page.values()), list(page)[-1]
            sealed, unreadable = sealed + renewed, unreadable + len(page) - renewed
    return sealed, unreadable


@transaction
def _rotate_some(column: Any, after: uuid.UUID) -> dict[uuid.UUID, bool]:
    """The next few ids, and whether each one's was sealed anew; locked, so that nothing old comes back."""
    next_ = select(column.class_.id, column).where(column.is_not(None), column.class_.id > after)
    page = db.session.execute(next_.order_by(column.class_.id).limit(AT_ONCE).with_for_update()).all()
    rows = [{"id": id_, column.key: new} for id_, kept in page if (new := _renewed(kept)) is not None]
    if rows:
        db.session.execute(update(column.class_), rows, execution_options={"audited": False})
    renewed = {row["id"] for row in rows}
    return {id_: id_ in renewed for id_, _ in page}


def _renewed(kept: bytes) -> bytes | None:
    try:
        return vault().rotate(kept)
    except InvalidToken:
        return None
