"""Whether the face on a picture that somebody sends to check in is their own (1:1), and whether they are before the
camera. No picture is kept."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from app.extensions import db
from app.faces import (
    ONE_PERSON,
    Analysis,
    Encodings,
    Face,
    FaceRefused,
    decide,
    different_people,
    frame,
    only_face,
    verify,
)
from app.faces.liveness import Challenge
from app.models import FaceTemplate
from app.services.caller import Caller
from app.services.challenges import ChallengeRefused, read
from app.services.consents import standing
from app.services.decision import Piece
from app.services.errors import FaceRejected, PictureTooLarge
from app.services.face_data import analyse, tolerance
from app.services.face_vault import unseal_all
from app.services.transaction import release


@dataclass(frozen=True, slots=True)
class Answer:
    """To a challenge: its token, and the pictures taken meanwhile, in order; at: when they were sent."""

    session_id: uuid.UUID
    token: str | None
    frames: Sequence[bytes]
    at: datetime


def own_templates(caller: Caller) -> Encodings | None:
    """The caller's, shape (t, 128); None where there are none, or the caller has not consented to their use."""
    query = caller.rows(FaceTemplate, FaceTemplate.encoding).where(
        FaceTemplate.user_id == caller.user_id, FaceTemplate.user_id.in_(standing(caller))
    )
    opened = [encoding for encoding in unseal_all(db.session.scalars(query)) if encoding is not None]
    return np.stack(opened) if opened else None


def face(caller: Caller, picture: bytes | None, answer: Answer | None) -> Piece:
    """Compare the picture's only face with the person's templates, and decide whether they answered the challenge, if
    an answer is asked for. Takes long: not within a transaction.

    Raises:
        FacesBusy: too many pictures are waiting.
    """
    missing = _missing(caller, picture, answer)
    release()
    if missing or picture is None:
        return Piece("fail", {}, missing)
    try:
        challenge = read(caller, answer.session_id, answer.token or "", answer.at) if answer else None
        frames = list(answer.frames) if answer else []
        pictures = frames if picture in frames else [picture, *frames]
        analyses = analyse(pictures, wanted=replace(ONE_PERSON, is_live=answer is not None))
        own = only_face(analyses[pictures.index(picture)])
    except ChallengeRefused as refused:
        return Piece("fail", {}, refused.code)
    except (FaceRefused, FaceRejected, PictureTooLarge) as unclear:
        return Piece("fail", {"reason": unclear.code, "advice": unclear.detail}, "face_unclear")
    templates = own_templates(caller)  # after what takes long: who withdrew meanwhile is not compared
    if templates is None:
        return Piece("fail", {}, "face_not_enrolled")
    compared = _compared(caller, own, templates)
    if challenge is None or compared.outcome == "fail":
        return compared
    return _live(compared, challenge, own, analyses[-len(frames) :], tolerance(caller))


def _missing(caller: Caller, picture: bytes | None, answer: Answer | None) -> str | None:
    """Why there is nothing to compare, if there is not."""
    if not caller.settings.faces.enabled:
        return "faces_off"
    if answer and not (answer.token and answer.frames):
        return "liveness_missing"
    if picture is None:
        return "face_missing"
    return "face_not_enrolled" if own_templates(caller) is None else None


def _compared(caller: Caller, own: Face, templates: Encodings) -> Piece:
    found = verify(own.encoding, templates, tolerance(caller), caller.settings.faces.false_match_rate)
    figures = {"distance": round(found.distance or 0.0, 4), "confidence": round(found.confidence or 0.0, 4)}
    if found.outcome == "unknown":
        return Piece("fail", figures, "face_mismatch")
    return Piece("pass" if found.outcome == "recognised" else "uncertain", figures)


def _live(compared: Piece, challenge: Challenge, own: Face, analyses: Sequence[Analysis], limit: float) -> Piece:
    """As compared, unless the frames say less. Who was compared is who answered, also where the picture is none of the
    frames."""
    frames = [frame(analysis) for analysis in analyses]
    decided = decide(challenge, frames, limit)
    piece = replace(compared, figures={**compared.figures, "challenge": challenge, **decided.figures})
    encodings = np.stack([own.encoding, *(seen.encoding for seen in frames if seen)])
    if different_people(encodings, limit):
        return replace(piece, outcome="fail", code="liveness_different_faces")
    if decided.outcome == "fail":
        return replace(piece, outcome="fail", code=decided.code)
    return piece if decided.outcome == "pass" else replace(piece, outcome="uncertain")
