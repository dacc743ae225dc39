"""Who of a class is on pictures of the room."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from app.extensions import db
from app.faces import Analysis, Box, Face, Match, match
from app.models import User
from app.services.caller import Caller
from app.services.classes import taught_class
from app.services.enrolments import current_students
from app.services.face_data import analyse, require_faces, tolerance
from app.services.gallery import gallery
from app.services.jobs import report
from app.services.recognitions import keep
from app.services.transaction import release


@dataclass(frozen=True, slots=True)
class FaceView:
    box: Box
    outcome: str
    student: User | None
    confidence: float | None
    distance: float | None
    figures: dict[str, float]
    """What was measured of the face itself."""


@dataclass(frozen=True, slots=True)
class ImageView:
    width: int
    height: int
    faces: Sequence[FaceView]


@dataclass(frozen=True, slots=True)
class Seen:
    """A student, how sure it is that they were seen, and on which picture (index)."""

    student: User
    confidence: float
    image: int


@dataclass(frozen=True, slots=True)
class NotSeen:
    student: User
    has_face_data: bool


@dataclass(frozen=True, slots=True)
class Recognition:
    recognition_id: uuid.UUID
    """By which it is confirmed (`services.recognitions`)."""
    class_id: uuid.UUID
    images: Sequence[ImageView]
    recognised: Sequence[Seen]
    uncertain: Sequence[Seen]
    unknown: int
    not_seen: Sequence[NotSeen]


def recognise(caller: Caller, class_id: uuid.UUID, pictures: Sequence[bytes]) -> Recognition:
    """Match the faces on pictures of the room with the class's students whose consent holds. Nothing is marked; what
    was seen is kept, to be confirmed.

    A student recognised on one picture is not uncertain because of another.

    Raises:
        FacesOff: the organisation does not use face recognition.
        NotFound, NotYourClass: as `taught_class`.
        FaceRejected, PictureTooLarge, FacesBusy: as `face_data.analyse`.
    """
    require_faces(caller)
    taught_class(caller, class_id)
    students = db.session.scalars(current_students(caller, class_id)).all()
    release()
    analyses = analyse(pictures, report)
    known = gallery(caller)  # after what takes long: who withdrew meanwhile is out
    release()
    by_id = {student.id: student for student in students}
    rows = known.rows_of(by_id)
    enrolled = {known.place[id_]: student for id_, student in by_id.items() if id_ in known.place}
    rate = caller.settings.faces.false_match_rate
    images = []
    for analysis in analyses:
        matches = match(analysis.encodings, known.templates, tolerance(caller), rate, rows)
        images.append(_image(analysis, matches, enrolled))
    sizes = [(image.width, image.height) for image in images]
    recognition_id = keep(caller, class_id, sizes, _seen_faces(images), pictures)
    return _summary(recognition_id, class_id, images, students, by_id.keys() & known.place.keys())


def _seen_faces(images: Sequence[ImageView]) -> list[dict[str, Any]]:
    """Columns of SeenFace."""
    return [
        {"image": image, "number": number, **asdict(face.box), "outcome": face.outcome}
        | {"student_id": face.student and face.student.id, "confidence": face.confidence}
        | {"distance": face.distance, "figures": face.figures}
        for image, view in enumerate(images)
        for number, face in enumerate(view.faces)
    ]


def _figures(face: Face) -> dict[str, float]:
    return {"score": face.score} | asdict(face.quality)


def _image(analysis: Analysis, matches: Iterable[Match], people: Mapping[int, User]) -> ImageView:
    faces = [
        FaceView(
            face.box,
            found.outcome,
            None if found.person is None else people[found.person],
            found.confidence,
            found.distance,
            _figures(face),
        )
        for face, found in zip(analysis.faces, matches, strict=True)
    ]
    return ImageView(analysis.width, analysis.height, faces)


def _summary(
    recognition_id: uuid.UUID,
    class_id: uuid.UUID,
    images: Sequence[ImageView],
    students: Sequence[User],
    enrolled: set[uuid.UUID],
) -> Recognition:
    recognised, uncertain = _best(images, "recognised"), _best(images, "uncertain")
    seen = recognised.keys() | uncertain.keys()
    return Recognition(
        recognition_id,
        class_id,
        images,
        list(recognised.values()),
        [doubtful for id_, doubtful in uncertain.items() if id_ not in recognised],
        sum(face.outcome == "unknown" for image in images for face in image.faces),
        [NotSeen(student, student.id in enrolled) for student in students if student.id not in seen],
    )


def _best(images: Sequence[ImageView], outcome: str) -> dict[uuid.UUID, Seen]:
    """Each student with this outcome, from the picture where it is surest."""
    best: dict[uuid.UUID, Seen] = {}
    for index, image in enumerate(images):
        for face in image.faces:
            if face.student is None or face.confidence is None or face.outcome != outcome:
                continue
            if face.student.id not in best or best[face.student.id].confidence < face.confidence:
                best[face.student.id] = Seen(face.student, face.confidence, index)
    return best
