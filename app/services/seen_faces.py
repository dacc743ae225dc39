"""Faces on pictures of a room, as they are kept: with a name only while the person has face data."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import exists, or_

from app.extensions import db
from app.models import RecognitionPicture, SeenFace
from app.services.caller import Caller

UNMATCHED = {"outcome": "unknown", "student_id": None, "distance": None, "confidence": None}


def forget(caller: Caller, user_ids: Collection[uuid.UUID]) -> None:
    """Within a transaction: take people's names off all faces, and delete the pictures on which they were seen."""
    named = or_(SeenFace.student_id.in_(user_ids), SeenFace.person_id.in_(user_ids))
    seen = exists().where(
        SeenFace.recognition_id == RecognitionPicture.recognition_id, SeenFace.image == RecognitionPicture.image, named
    )
    quietly = {"synchronize_session": False}
    db.session.execute(caller.remove(RecognitionPicture).where(seen).execution_options(**quietly))
    for column, values in (
        (SeenFace.student_id, UNMATCHED | {"is_right": None}),
        (SeenFace.person_id, {"person_id": None}),
    ):
        theirs = caller.change(SeenFace).where(column.in_(user_ids)).values(values)
        db.session.execute(theirs.execution_options(**quietly))
