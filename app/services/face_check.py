"""Whether the face on a picture that somebody sends to check in is their own (1:1). The picture is not kept."""

from __future__ import annotations

import numpy as np

from app.extensions import db
from app.faces import Encodings, FaceRefused, only_face, verify
from app.models import FaceTemplate
from app.services.caller import Caller
from app.services.consents import standing
from app.services.decision import Piece
from app.services.errors import FaceRejected, PictureTooLarge
from app.services.face_data import analyse, tolerance
from app.services.face_vault import unseal


def own_templates(caller: Caller) -> Encodings | None:
    """The caller's, shape (t, 128); None where there are none, or the caller has not consented to their use."""
    query = caller.rows(FaceTemplate, FaceTemplate.encoding).where(
        FaceTemplate.user_id == caller.user_id, FaceTemplate.user_id.in_(standing(caller))
    )
    kept = db.session.scalars(query).all()
    return np.stack([unseal(encoding) for encoding in kept]) if kept else None


def face(caller: Caller, picture: bytes | None, templates: Encodings | None) -> Piece:
    """Compare the picture's only face with the person's templates. Takes long: not within a transaction.

    Raises:
        FacesBusy: too many pictures are waiting.
    """
    if not caller.settings.faces.enabled:
        return Piece("fail", {}, "faces_off")
    if picture is None:
        return Piece("fail", {}, "face_missing")
    if templates is None:
        return Piece("fail", {}, "face_not_enrolled")
    rate = caller.settings.faces.false_match_rate
    try:
        (analysis,) = analyse([picture])
        found = verify(only_face(analysis).encoding, templates, tolerance(caller), rate)
    except (FaceRefused, FaceRejected, PictureTooLarge) as unclear:
        return Piece("fail", {"reason": unclear.code, "advice": unclear.detail}, "face_unclear")
    figures = {"distance": round(found.distance or 0.0, 4), "confidence": round(found.confidence or 0.0, 4)}
    if found.outcome == "unknown":
        return Piece("fail", figures, "face_mismatch")
    return Piece("pass" if found.outcome == "recognised" else "uncertain", figures)
