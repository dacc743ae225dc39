"""One's own face data: enrolling from pictures, seeing what is stored, deleting it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from sqlalchemy import func
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db, face_pool, settings
from app.faces import (
    ONE_PERSON,
    ROOM,
    Analysis,
    Encodings,
    Face,
    FaceRefused,
    FacesBusy,
    FacesUnavailable,
    PictureTooLarge,
    Progress,
    Wanted,
    different_people,
    is_among,
    only_face,
)
from app.models import FaceTemplate, LikenessPermit
from app.services import audit, errors
from app.services.caller import Caller
from app.services.consents import (
    ConsentView,
    child,
    lock_people,
    read_consent,
    require_consent,
    require_may_decide,
)
from app.services.face_vault import seal, unseal_all
from app.services.gallery import gallery, lock_gallery
from app.services.seen_faces import forget
from app.services.transaction import changed, insert_missing, release, transaction
from app.services.users import read_user

SOMEBODY_ELSE = 0.43
"""As near as this, two faces are taken for one person's, however many have enrolled: of 37 pairs of pictures of one
person, each was nearer (bench/README.md). The distance that keeps to a false-match rate falls with their number, to
0.34 among 50,000, where two of three such pairs are further apart."""


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The templates just stored, in the order of their pictures, and how many are stored in all."""

    results: Sequence[FaceTemplate]
    stored: int


@dataclass(frozen=True, slots=True)
class FaceData:
    faces: Sequence[FaceTemplate]
    consent: ConsentView

    @property
    def stored(self) -> int:
        return len(self.faces)


def enrol(caller: Caller, pictures: Sequence[bytes]) -> Enrolled:
    """Store a template of the caller's face from each picture: of all, or of none.

    Raises:
        FacesOff: the organisation does not use face recognition.
        ConsentRequired: the caller has not consented.
        TooManyTemplates: more would be stored than the installation allows.
        FaceRejected, PictureTooLarge: a picture cannot be used; says which, and why.
        DifferentPeople: the pictures, and those stored before, are not all of one person.
        FaceOfAnother: somebody else has enrolled this face, and the caller has no permit (`permit_likeness`).
        FacesBusy: too many pictures are waiting.
    """
    require_faces(caller)
    require_consent(caller)
    _require_room(_stored(caller), len(pictures))
    gallery(caller)  # what has to be loaded is, before others have to wait for the transaction
    release()
    faces = [_only_face(index, analysis) for index, analysis in enumerate(analyse(pictures, wanted=ONE_PERSON))]
    return _store(caller, faces)


def require_faces(caller: Caller) -> None:
    """Raises FacesOff where the organisation does not use face recognition."""
    if not caller.settings.faces.enabled:
        raise errors.FacesOff


def tolerance(caller: Caller) -> float:
    """The largest distance of two encodings of one person."""
    return caller.settings.faces.tolerance or settings().face_tolerance


def analyse(
    pictures: Sequence[bytes], progress: Progress = lambda _done, _total: None, wanted: Wanted = ROOM
) -> list[Analysis]:
    """What is on each picture, read in other processes; `progress` hears how many of how many are read.

    Raises:
        FaceRejected, PictureTooLarge: one cannot be read; says which, by its index, and why.
        FacesBusy: too many are waiting.
    """
    limit = settings().max_picture_mb * 1_000_000
    for index, picture in enumerate(pictures):
        if len(picture) > limit:
            raise _rejected(index, PictureTooLarge(f"The picture has more than {settings().max_picture_mb} MB"))
    try:
        results = face_pool().analyse(pictures, progress, wanted)
    except (FacesBusy, FacesUnavailable) as busy:
        raise errors.FacesBusy from busy
    analyses = []
    for index, result in enumerate(results):
        if isinstance(result, FaceRefused):
            raise _rejected(index, result)
        analyses.append(result)
    return analyses


def my_data(caller: Caller) -> FaceData:
    return _data(caller, caller.user_id)


def data_of_child(caller: Caller, student_id: uuid.UUID) -> FaceData:
    """What is stored of a child, for a guardian. Raises NotFound."""
    child(caller, student_id)
    return _data(caller, student_id)


@transaction
def delete(caller: Caller) -> None:
    """Delete the caller's templates for good, and where they were recognised; the consent stays, so that they can
    enrol anew."""
    _delete(caller, caller.user_id)


@transaction
def delete_of_child(caller: Caller, student_id: uuid.UUID) -> None:
    """As `delete`, by a guardian. Raises NotFound, or StudentDecides as `consents.require_may_decide`."""
    child(caller, student_id)
    require_may_decide(caller, student_id)
    _delete(caller, student_id)


@transaction
def permit_likeness(caller: Caller, user_id: uuid.UUID, reason: str) -> None:
    """Let a person, such as a twin, enrol although somebody else's face is like theirs. Raises NotFound."""
    audit.because(reason)
    read_user(caller, user_id)
    own = {"organisation_id": caller.organisation_id, "user_id": user_id, "given_by_id": caller.user_id}
    row = {"id": uuid7(), "created_at": clock.now()} | own
    insert_missing(LikenessPermit, [row], ("organisation_id", "user_id"))


@transaction
def forbid_likeness(caller: Caller, user_id: uuid.UUID, reason: str | None) -> None:
    """Take the permit back; what was enrolled with it is deleted. Raises NotFound when there is none."""
    audit.because(reason)
    if not changed(caller.remove(LikenessPermit).where(LikenessPermit.user_id == user_id)):
        raise errors.NotFound("This person has no such permit")
    _delete(caller, user_id)


@transaction
def _store(caller: Caller, faces: Sequence[Face]) -> Enrolled:
    """Consent and room are looked at again: much can happen while pictures are read."""
    lock_people(caller, {caller.user_id})
    require_consent(caller)
    before = _templates(caller, caller.user_id)
    _require_room(len(before), len(faces))
    encodings = np.stack([face.encoding for face in faces])
    stored = (one for one in unseal_all(template.encoding for template in before) if one is not None)
    if different_people(np.stack([*encodings, *stored]), tolerance(caller)):
        raise errors.DifferentPeople
    if not _may_be_like_another(caller):
        _require_nobody_else(caller, encodings)
    templates = [
        FaceTemplate(
            organisation_id=caller.organisation_id,
            user_id=caller.user_id,
            encoding=seal(face.encoding),
            **asdict(face.quality),
        )
        for face in faces
    ]
    db.session.add_all(templates)
    db.session.flush()
    return Enrolled(templates, len(before) + len(templates))


def _require_nobody_else(caller: Caller, encodings: Encodings) -> None:
    lock_gallery(caller)  # of two who enrol one face at once, the second is refused
    known = gallery(caller)
    if is_among(encodings, known.templates, SOMEBODY_ELSE, known.rows_without(caller.user_id)):
        raise errors.FaceOfAnother


def _delete(caller: Caller, user_id: uuid.UUID) -> None:
    lock_people(caller, {user_id})
    db.session.execute(caller.remove(FaceTemplate).where(FaceTemplate.user_id == user_id))
    forget(caller, {user_id})


def _data(caller: Caller, user_id: uuid.UUID) -> FaceData:
    return FaceData(_templates(caller, user_id), read_consent(caller, user_id))


def _may_be_like_another(caller: Caller) -> bool:
    permit = caller.rows(LikenessPermit, LikenessPermit.id).where(LikenessPermit.user_id == caller.user_id)
    return db.session.scalar(permit) is not None


def _templates(caller: Caller, user_id: uuid.UUID) -> Sequence[FaceTemplate]:
    query = caller.rows(FaceTemplate).where(FaceTemplate.user_id == user_id)
    return db.session.scalars(query.order_by(FaceTemplate.id)).all()


def _stored(caller: Caller) -> int:
    query = caller.rows(FaceTemplate, func.count()).where(FaceTemplate.user_id == caller.user_id)
    return db.session.scalar(query) or 0


def _require_room(stored: int, more: int) -> None:
    most = settings().face_max_pictures
    if stored + more > most:
        raise errors.TooManyTemplates(
            f"{stored} of at most {most} pictures are stored, so {more} more have no place: delete the old ones first",
            stored=stored,
            most=most,
        )


def _only_face(index: int, analysis: Analysis) -> Face:
    try:
        return only_face(analysis)
    except FaceRefused as refused:
        raise _rejected(index, refused) from refused


def _rejected(index: int, refused: FaceRefused) -> errors.Refusal:
    kind = errors.PictureTooLarge if isinstance(refused, PictureTooLarge) else errors.FaceRejected
    rejected = kind(refused.detail, image=index, errors={f"images.{index}": [refused.detail]}, **refused.figures)
    rejected.code = refused.code
    return rejected
