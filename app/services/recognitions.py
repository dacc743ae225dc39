"""Recognitions that are kept: seen again by the class's teachers, confirmed once, and counted."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, insert
from sqlalchemy.orm import aliased
from sqlalchemy.orm.attributes import flag_modified

from app import clock
from app.extensions import db
from app.faces import Box
from app.models import ClassTeacher, Enrolment, FaceTemplate, Recognition, RecognitionPicture, SeenFace, User
from app.services import audit
from app.services.caller import Caller
from app.services.classes import taught_class
from app.services.consents import standing
from app.services.enrolments import enrolled_on
from app.services.errors import ConfirmationRefused, NotFound, RecognitionConfirmed
from app.services.leave_attachments import File
from app.services.paging import Page, Paging, paginate
from app.services.records import Marking, give_present
from app.services.seen_faces import UNMATCHED
from app.services.sessions import Days
from app.services.transaction import transaction
from app.services.vault import seal, unseal

KINDS = {b"\xff": ("image/jpeg", ".jpg"), b"\x89": ("image/png", ".png"), b"R": ("image/webp", ".webp")}
"""Of pictures, by their first byte: others were not taken."""
PART = 4 * 2**20
"""Bytes of a picture in one row."""
COUNTS = ("right", "wrong", "uncertain_right", "uncertain_wrong", "unknown", "unseen")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the teacher says of a face. place: where it stands in the call, by which a wrong one is named."""

    place: str
    image: int
    face: int
    right: bool | None = None
    student_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class KeptFace:
    row: SeenFace
    student: User | None
    person: User | None

    @property
    def box(self) -> Box:
        return Box(self.row.left, self.row.top, self.row.width, self.row.height)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class KeptImage:
    width: int
    height: int
    has_picture: bool
    faces: Sequence[KeptFace]


@dataclass(frozen=True, slots=True)
class RecognitionView:
    """images: None in a list."""

    row: Recognition
    taken_by: str
    images: Sequence[KeptImage] | None = None

    @property
    def pictures(self) -> int:
        return len(self.row.sizes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class Confirmation:
    recognition: RecognitionView
    marking: Marking | None


@dataclass(frozen=True, slots=True)
class Quality:
    """How often the confirmed recognitions of some time were right; counts as of `Recognition`."""

    confirmed: int
    unconfirmed: int
    counts: dict[str, int]

    @property
    def wrong_share(self) -> float | None:
        """Of the faces that were recognised for sure."""
        return _share(self.counts["wrong"], self.counts["right"])

    @property
    def uncertain_right_share(self) -> float | None:
        """Of the uncertain ones that a teacher decided."""
        return _share(self.counts["uncertain_right"], self.counts["uncertain_wrong"])

    def __getattr__(self, name: str) -> int:
        return self.counts[name]


def _share(part: int, rest: int) -> float | None:
    return part / (part + rest) if part + rest else None


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
    gone = matched - _with_face_data(caller, matched, clock.now())  # withdrawn while the pictures were read
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


def list_recognitions(
    caller: Caller, class_id: uuid.UUID | None, confirmed: bool | None, days: Days, paging: Paging
) -> Page[RecognitionView]:
    """A class's recognitions, or those of all classes that the caller teaches; an administrator's are all.

    Raises NotFound, NotYourClass.
    """
    query = _with_taker(caller).where(_of(caller, class_id), days.condition(Recognition.taken_on))
    if confirmed is not None:
        query = query.where(Recognition.confirmed_at.is_not(None) == confirmed)
    page = paginate(query, paging, {"id": Recognition.id, "created_at": Recognition.created_at})
    return page.of([RecognitionView(row, taken_by) for row, taken_by in page.items])


def read(caller: Caller, recognition_id: uuid.UUID) -> RecognitionView:
    """Raises NotFound, NotYourClass."""
    row = _taught(caller, recognition_id)
    return _view(caller, row, _faces(caller, row))


def picture(caller: Caller, recognition_id: uuid.UUID, image: int) -> File:
    """One of the pictures as it was sent, while it is kept. Raises NotFound, NotYourClass."""
    row = _taught(caller, recognition_id)
    parts = caller.rows(RecognitionPicture, RecognitionPicture.sealed).where(
        RecognitionPicture.recognition_id == row.id, RecognitionPicture.image == image
    )
    content = b"".join(map(unseal, db.session.scalars(parts.order_by(RecognitionPicture.part))))
    if not content:
        raise NotFound("This picture is not kept")
    media_type, suffix = KINDS[content[:1]]
    return File(f"{row.taken_on}-{image}{suffix}", media_type, content)


@transaction
def confirm(
    caller: Caller,
    recognition_id: uuid.UUID,
    verdicts: Sequence[Verdict],
    also_there: Sequence[uuid.UUID],
    *,
    session_id: uuid.UUID | None,
    reason: str | None,
) -> Confirmation:
    """Take down, once, which matches are right, who the other faces are and who was there unseen.

    verdicts: of a face that was recognised for sure and is not among them, the match is right; of an uncertain one it
    stays undecided.
    session_id: in which whoever was there is marked present.

    Raises:
        NotFound, NotYourClass: of the recognition.
        RecognitionConfirmed: somebody has confirmed it.
        ConfirmationRefused: names each wrong verdict, by its place; nothing is saved.
        NotFound, NotYourClass, NotYourSession, SessionCancelled: as `records.mark_present`.
    """
    if reason:
        audit.because(reason)
    row = _taught(caller, recognition_id, lock=True)
    if row.confirmed_at is not None:
        raise RecognitionConfirmed
    faces = _faces(caller, row)
    people = _judged(caller, row, faces, verdicts, also_there)
    found = {face.student_id for face in faces if face.is_right}
    there = set(people.values()) | set(also_there)
    known = _with_face_data(caller, there, row.created_at)
    for face in faces:
        person_id = people.get(face.id)
        face.person_id = person_id if person_id in known else None
        for column in ("is_right", "person_id"):  # changed or not: all faces in one statement
            flag_modified(face, column)
    kinds = Counter((face.outcome, face.is_right) for face in faces)
    row.right, row.wrong = kinds["recognised", True], kinds["recognised", False]
    row.uncertain_right, row.uncertain_wrong = kinds["uncertain", True], kinds["uncertain", False]
    row.unknown, row.unseen = kinds["unknown", None], len(known - found)
    marking = give_present(caller, session_id, sorted(there)) if session_id else None
    row.confirmed_at, row.confirmed_by_id, row.session_id = clock.now(), caller.user_id, session_id
    db.session.flush()
    return Confirmation(_view(caller, row, faces), marking)


def quality(caller: Caller, class_id: uuid.UUID | None, days: Days) -> Quality:
    """Of a class, or of all that the caller teaches; an administrator's are all. Raises NotFound, NotYourClass."""
    sums = [func.coalesce(func.sum(getattr(Recognition, name)), 0) for name in COUNTS]
    query = caller.rows(Recognition, func.count(), func.count(Recognition.confirmed_at), *sums)
    found = db.session.execute(query.where(_of(caller, class_id), days.condition(Recognition.taken_on))).one()
    total, confirmed, *counts = map(int, found)
    return Quality(confirmed, total - confirmed, dict(zip(COUNTS, counts, strict=True)))


def _with_face_data(caller: Caller, user_ids: Collection[uuid.UUID], at: datetime) -> set[uuid.UUID]:
    """Within a transaction: those of the people whose consent holds, and who have face data and had it then. They
    keep it until the end of the transaction."""
    held = caller.rows(User, User.id).where(User.id.in_(user_ids)).order_by(User.id)
    db.session.execute(held.with_for_update(key_share=True))
    enrolled = caller.rows(FaceTemplate, FaceTemplate.user_id).where(
        FaceTemplate.user_id.in_(user_ids), FaceTemplate.user_id.in_(standing(caller)), FaceTemplate.created_at <= at
    )
    return set(db.session.scalars(enrolled.distinct()))


def _of(caller: Caller, class_id: uuid.UUID | None) -> Any:
    if class_id is not None:
        return Recognition.class_id == taught_class(caller, class_id).id
    mine = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == caller.user_id)
    return caller.owns(Recognition) if caller.administers else Recognition.class_id.in_(mine)


def _with_taker(caller: Caller) -> Select[Any]:
    taker = aliased(User)
    name = func.trim(taker.first_name + " " + taker.last_name)
    return caller.rows(Recognition, Recognition, name).join(taker, taker.id == Recognition.taken_by_id)


def _taught(caller: Caller, recognition_id: uuid.UUID, *, lock: bool = False) -> Recognition:
    """lock: within a transaction, nobody else confirms it meanwhile. Raises NotFound, NotYourClass."""
    query = caller.rows(Recognition).where(Recognition.id == recognition_id)
    query = query.with_for_update(key_share=True) if lock else query
    row: Recognition | None = db.session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise NotFound("There is no recognition with this id")
    taught_class(caller, row.class_id)
    return row


def _faces(caller: Caller, row: Recognition) -> Sequence[SeenFace]:
    faces = caller.rows(SeenFace).where(SeenFace.recognition_id == row.id)
    return db.session.scalars(faces.order_by(SeenFace.image, SeenFace.number)).all()


def _judged(
    caller: Caller,
    row: Recognition,
    faces: Sequence[SeenFace],
    verdicts: Sequence[Verdict],
    also_there: Sequence[uuid.UUID],
) -> dict[uuid.UUID, uuid.UUID]:
    """Who is who, by the ids of the faces, whose matches are judged now. Raises ConfirmationRefused."""
    in_class = _in_class(caller, row, {*also_there, *(verdict.student_id for verdict in verdicts)} - {None})
    said = {(verdict.image, verdict.face): verdict for verdict in verdicts}
    there = {(face.image, face.number) for face in faces}
    wrong = {
        f"also_there.{n}": "no student of this class has this id"
        for n, student_id in enumerate(also_there)
        if student_id not in in_class
    }
    wrong |= {verdict.place: "there is no such face" for place, verdict in said.items() if place not in there}
    wrong |= {verdict.place: "another says something of this face" for verdict in verdicts
              if said[verdict.image, verdict.face] is not verdict}  # fmt: skip
    people: dict[uuid.UUID, uuid.UUID] = {}
    named = set[tuple[int, uuid.UUID]]()
    # faces of which nothing is said first: a verdict that contradicts them is the one to be named
    for face in sorted(faces, key=lambda face: (face.image, face.number) in said):
        verdict = said.get((face.image, face.number), Verdict("", face.image, face.number))
        problem = _problem(face, verdict, in_class)
        face.is_right = _is_right(face, verdict)
        person_id = face.student_id if face.is_right else verdict.student_id
        if person_id is not None:
            problem = problem or ("somebody else is this student already" if (face.image, person_id) in named else None)
            named.add((face.image, person_id))
            people[face.id] = person_id
        if problem:
            wrong[verdict.place] = problem
    if wrong:
        raise ConfirmationRefused(errors={place: [what] for place, what in wrong.items()})
    return people


def _problem(face: SeenFace, verdict: Verdict, in_class: set[uuid.UUID]) -> str | None:
    if face.student_id is None and verdict.right is not None:
        return "nobody was matched with this face: say who it is, or nothing"
    if verdict.student_id is None:
        return None
    if verdict.right is not None and verdict.right != (verdict.student_id == face.student_id):
        return "right and student_id contradict each other"
    return None if verdict.student_id in in_class else "no student of this class has this id"


def _is_right(face: SeenFace, verdict: Verdict) -> bool | None:
    if face.student_id is None:
        return None
    if verdict.right is None and verdict.student_id is not None:
        return verdict.student_id == face.student_id
    return True if verdict.right is None and face.outcome == "recognised" else verdict.right


def _in_class(caller: Caller, row: Recognition, student_ids: Iterable[uuid.UUID | None]) -> set[uuid.UUID]:
    """Those of the ids who were in the class on the day of the pictures."""
    enrolled = caller.rows(Enrolment, Enrolment.student_id).where(
        Enrolment.class_id == row.class_id, enrolled_on(row.taken_on), Enrolment.student_id.in_(list(student_ids))
    )
    return set(db.session.scalars(enrolled))


def _view(caller: Caller, row: Recognition, faces: Sequence[SeenFace]) -> RecognitionView:
    ids = {id_ for face in faces for id_ in (face.student_id, face.person_id)} | {row.taken_by_id}
    people = {user.id: user for user in db.session.scalars(caller.rows(User).where(User.id.in_(ids - {None})))}
    pictures = caller.rows(RecognitionPicture, RecognitionPicture.image).where(
        RecognitionPicture.recognition_id == row.id, RecognitionPicture.part == 0
    )
    kept = set(db.session.scalars(pictures))
    images = [
        KeptImage(width, height, image in kept, [_kept(face, people) for face in faces if face.image == image])
        for image, (width, height) in enumerate(row.sizes)
    ]
    return RecognitionView(row, people[row.taken_by_id].name, images)


def _kept(face: SeenFace, people: dict[uuid.UUID, User]) -> KeptFace:
    student, person = (people[id_] if id_ else None for id_ in (face.student_id, face.person_id))
    return KeptFace(face, student, person)
