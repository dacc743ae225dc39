"""Faces on pictures of a room, as they are kept: with a name only while the person has face data."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import exists, insert, or_

from app import clock
from app.extensions import db
from app.models import FaceTemplate, Recognition, RecognitionPicture, SeenFace, User
from app.services.caller import Caller
from app.services.transaction import transaction
from app.services.vault import seal

PART = 4 * 2**20
"""Bytes of a picture in one row."""
UNMATCHED = {"outcome": "unknown", "student_id": None, "distance": None, "confidence": None}


@transaction
def keep(
    caller: Caller,
    class_id: uuid.UUID,
    sizes: Sequence[tuple[int, int]],
    faces: Sequence[dict[str, Any]],
    pictures: Sequence[bytes],
) -> uuid.UUID:
    """Keep a recognition until it is confirmed; its id.

    sizes: width and height of each picture. faces: columns of SeenFace. pictures: the files, which are kept only where
    the organisation keeps pictures.
    """
    matched = {face["student_id"] for face in faces} - {None}
    gone = matched - with_face_data(caller, matched, clock.now())  # withdrawn while the pictures were read
    row = Recognition(
        organisation_id=caller.organisation_id,
        class_id=class_id,
        taken_on=caller.today,
        taken_by_id=caller.user_id,
        sizes=[list(size) for size in sizes],
    )
    db.session.add(row)
    db.session.flush()
    own = {"organisation_id": caller.organisation_id, "recognition_id": row.id}
    rows = [own | face | (UNMATCHED if face["student_id"] in gone else {}) for face in faces]
    if rows:
        db.session.execute(insert(SeenFace), rows, execution_options={"render_nulls": True})
    if caller.settings.faces.keep_pictures_days:
        theirs = {face["image"] for face in faces if face["student_id"] in gone}
        for image, picture in enumerate(pictures):
            if image not in theirs:
                _keep_picture(own | {"image": image}, picture)
    return row.id


def _keep_picture(own: dict[str, Any], picture: bytes) -> None:
    for part, begin in enumerate(range(0, len(picture), PART)):
        db.session.add(RecognitionPicture(**own, part=part, sealed=seal(picture[begin : begin + PART])))
        db.session.flush()  # each in a statement of its own


def with_face_data(caller: Caller, user_ids: Collection[uuid.UUID], at: datetime) -> set[uuid.UUID]:
    """Within a transaction: those of the people who have face data, and had it then. They keep it until the end of the
    transaction."""
    held = caller.rows(User, User.id).where(User.id.in_(user_ids)).order_by(User.id)
    db.session.execute(held.with_for_update(key_share=True))
    enrolled = caller.rows(FaceTemplate, FaceTemplate.user_id).where(
        FaceTemplate.user_id.in_(user_ids), FaceTemplate.created_at <= at
    )
    return set(db.session.scalars(enrolled.distinct()))


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
