"""Recognitions that are kept: seen again, confirmed once, forgotten with whoever withdraws, and counted."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import func, select, update

from app import clock
from app.extensions import db, settings
from app.faces import Analysis, Box, Face, Match, Quality, match
from app.models import Base, FaceTemplate, Recognition, RecognitionPicture, Role, SeenFace
from app.services import recognition, recognitions, retention, vault
from app.services.face_vault import seal
from tests.conftest import Cast, Person
from tests.factories import make
from tests.pictures import encode, grace_hopper
from tests.statements import counted
from tests.story import Classroom, consent
from tests.test_races import at_once, twin

NOON = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)
JPEG = encode(grace_hopper().resize((32, 32)))
GOOD = Quality(30, 99.5, yaw=0, pitch=0, roll=0, brightness=120, contrast=50, dark=0, bright=0)
NAMES = ("Ada", "Eileen", "Grace")


def encoding(person: int, away: float = 0.0) -> Any:
    """Of a person, so far away from the person's template; that of another is at 1.4."""
    numbers = [0.0] * 128
    numbers[person], numbers[-1] = 1.0, away
    return np.array(numbers, np.float32)


def face(person: int, away: float = 0.2) -> Face:
    return Face(Box(10 + person, 20, 30, 40), 1.0, encoding(person, away), GOOD)


ADA, EILEEN, GRACE, STRANGER = face(0), face(1), face(2, 0.58), face(9)


@pytest.fixture
def show(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Have the pictures to come show these faces: reading real ones is what other tests are about."""

    def set_faces(*pictures: list[Face]) -> None:
        found = [Analysis(640, 480, tuple(faces)) for faces in pictures]
        monkeypatch.setattr(recognition, "analyse", lambda *_: found)

    return set_faces


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_day(days: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(days=days))

    set_day(0)
    return set_day


@pytest.fixture
def room(cast: Cast) -> Classroom:
    """Ada, Eileen and Grace have face data, Mary has none."""
    room = Classroom.open(cast)
    for number, name in enumerate(NAMES):
        enrol(cast, room.join(name), number)
    room.join("Mary")
    return room


def enrol(cast: Cast, student: Person, number: int) -> None:
    consent(student)
    with cast.app.app_context():
        own: dict[str, Any] = {"organisation_id": student.organisation_id, "user_id": student.id}
        make(FaceTemplate, **own, encoding=seal(encoding(number)))


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def kept_pictures(admin: Person) -> Iterator[None]:
    """The organisation keeps pictures for ten days."""
    decide(admin, faces={"keep_pictures_days": 10})
    yield
    decide(admin, faces={"keep_pictures_days": 0})


def decide(admin: Person, **settings: Any) -> None:
    changed = admin.put(f"/api/admin/organizations/{admin.organisation_id}", {"settings": settings})
    assert changed.status_code == 200, changed.text


def take(room: Classroom, pictures: int = 1) -> str:
    taken = room.recognise(*[JPEG] * pictures)
    assert taken.status_code == 200, taken.text
    return str(taken.json["recognition_id"])


def path(recognition_id: str, rest: str = "") -> str:
    return f"/api/attendance/recognitions/{recognition_id}{rest}"


def read(person: Person, recognition_id: str) -> Any:
    answer = person.get(path(recognition_id))
    assert answer.status_code == 200, answer.text
    return answer.json


def confirm(room: Classroom, recognition_id: str, *faces: dict[str, Any], **values: Any) -> Any:
    return room.teacher.post(path(recognition_id, "/confirm"), {"faces": faces} | values)


def verdict(number: int, right: bool | None = None, who: Person | None = None, image: int = 0) -> dict[str, Any]:
    return {"image": image, "face": number, "right": right, "student_id": who and str(who.id)}


def quality(person: Person, query: str = "") -> Any:
    answer = person.get(path("quality", query))
    assert answer.status_code == 200, answer.text
    return answer.json


def who(kept: Any, key: str = "student", image: int = 0) -> list[str | None]:
    return [face[key] and face[key]["first_name"] for face in kept["images"][image]["faces"]]


def rows(cast: Cast, model: type[Base]) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_what_was_seen_is_seen_again_with_who_took_it_and_when(room: Classroom, show: Any) -> None:
    show([ADA, GRACE, STRANGER], [EILEEN])
    answered = room.recognise(JPEG, JPEG).json
    kept = read(room.teacher, answered["recognition_id"])
    assert (kept["class_id"], kept["taken_by"], kept["taken_on"]) == (room.id, "Mary Somerville", "2026-03-12")
    assert (kept["session_id"], kept["confirmed_at"], kept["pictures"]) == (None, None, 2)
    assert (who(kept), who(kept, image=1)) == (["Ada", "Grace", None], ["Eileen"])
    for told, image in zip(answered["images"], kept["images"], strict=True):
        assert (image["width"], image["height"], image["has_picture"]) == (640, 480, False)
        own = {"figures", "is_right", "person"}
        assert told["faces"] == [{k: v for k, v in face.items() if k not in own} for face in image["faces"]]
    assert kept["images"][0]["faces"][0]["figures"] == {"score": 1.0} | asdict(GOOD)


def test_no_encoding_is_kept_of_a_face_that_was_only_seen(cast: Cast, room: Classroom, show: Any) -> None:
    show([ADA, STRANGER])
    taken = take(room)
    with cast.app.app_context():
        kept = [dict(row._mapping) for row in db.session.execute(select(SeenFace.__table__))]
        assert rows(cast, FaceTemplate) == len(NAMES)
    assert not [value for row in kept for value in row.values() if isinstance(value, bytes)]
    assert "encoding" not in json.dumps(read(room.teacher, taken))


def test_a_list_is_of_one_class_and_in_pages(room: Classroom, cast: Cast, at: Any, show: Any) -> None:
    show([ADA])
    taken = []
    for minutes in range(3):
        at(minutes / 1440)
        taken.append(take(room))
    assert confirm(room, taken[0]).status_code == 200
    listed = room.teacher.get(path("", f"?class_id={room.id}&per_page=2")).json
    assert ([one["id"] for one in listed["items"]], listed["total"]) == (taken[:0:-1], 3)
    assert [one["taken_by"] for one in listed["items"]] == ["Mary Somerville"] * 2
    assert room.teacher.get(path("", "?confirmed=true")).json["items"][0]["id"] == taken[0]
    assert room.teacher.get(path("", "?confirmed=false")).json["total"] == 2
    assert room.teacher.get(path("", "?end_date=2026-03-11")).json["total"] == 0
    assert cast.teacher().get(path("")).json["total"] == 0, "of no class that they teach"


@pytest.mark.usefixtures("kept_pictures")
def test_a_recognition_is_for_the_classs_teachers_and_administrators(
    room: Classroom, cast: Cast, admin: Person, show: Any
) -> None:
    show([ADA])
    taken = take(room)
    colleague = cast.teacher()
    for rest, method in (("", "GET"), ("/picture", "GET"), ("/confirm", "POST")):
        refused = colleague.call(method, path(taken, rest), {} if method == "POST" else None)
        assert (refused.status_code, refused.json["code"]) == (403, "not_your_class")
        assert admin.call(method, path(taken, rest), {} if method == "POST" else None).status_code == 200
    for query in (path("", f"?class_id={room.id}"), path("quality", f"?class_id={room.id}")):
        assert colleague.get(query).json["code"] == "not_your_class"
        assert colleague.get(query.replace(room.id, str(uuid.uuid4()))).status_code == 404


@pytest.mark.usefixtures("kept_pictures")
def test_the_picture_is_kept_only_where_the_organisation_says_so(
    cast: Cast, room: Classroom, admin: Person, show: Any
) -> None:
    show([ADA], [EILEEN])
    taken = take(room, 2)
    assert [image["has_picture"] for image in read(room.teacher, taken)["images"]] == [True, True]
    answer = room.teacher.get(path(taken, "/picture?image=1"))
    assert (answer.data, answer.content_type, answer.headers["Cache-Control"]) == (
        JPEG,
        "image/jpeg",
        "private, no-store",
    )
    assert room.teacher.get(path(taken, "/picture?image=2")).status_code == 404
    decide(admin, faces={"keep_pictures_days": 0})
    assert room.teacher.get(path(take(room, 2), "/picture")).status_code == 404


@pytest.mark.usefixtures("kept_pictures")
def test_a_picture_is_kept_encrypted_and_in_parts(
    cast: Cast, room: Classroom, admin: Person, show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognitions, "PART", 100)
    show([ADA])
    taken = take(room)
    with cast.app.app_context():
        kept = db.session.scalars(select(RecognitionPicture.sealed).order_by(RecognitionPicture.part)).all()
        assert (len(kept), any(JPEG[:20] in part for part in kept)) == (-(-len(JPEG) // 100), False)
        vault.rotate_key()
        assert set(db.session.scalars(select(RecognitionPicture.sealed))).isdisjoint(kept)
    assert room.teacher.get(path(taken, "/picture")).data == JPEG
    assert admin.get("/api/face-data/report").json["pictures"] == 1


@pytest.mark.usefixtures("kept_pictures")
def test_a_picture_whose_key_is_gone_is_said_to_be(
    cast: Cast, room: Classroom, show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    show([])
    taken = take(room)
    with cast.app.app_context():
        monkeypatch.setattr(settings(), "face_keys", [SecretStr(Fernet.generate_key().decode())])
    answer = room.teacher.get(path(taken, "/picture"))
    assert (answer.status_code, answer.json["code"]) == (503, "key_missing")


@pytest.mark.usefixtures("kept_pictures")
def test_pictures_and_unconfirmed_recognitions_go_when_their_time_is_over_and_counts_stay(
    cast: Cast, room: Classroom, admin: Person, at: Any, show: Any
) -> None:
    decide(admin, faces={"keep_pictures_days": 40}, retention={"recognitions": 20})
    show([ADA, STRANGER])
    confirmed, _ = take(room), take(room)
    confirm(room, confirmed)
    models = (Recognition, SeenFace, RecognitionPicture)
    found = {}
    for days in (19, 21, 39, 41):
        at(days)
        with cast.app.app_context():
            retention.clean_up()
        found[days] = [rows(cast, model) for model in models]
    assert found == {19: [2, 4, 2], 21: [1, 2, 1], 39: [1, 2, 1], 41: [1, 0, 0]}
    at(0)
    assert (quality(admin)["right"], quality(admin)["unknown"]) == (1, 1)
    decide(admin, retention={"recognitions": 30})


@pytest.mark.usefixtures("kept_pictures")
@pytest.mark.parametrize("way", ["withdraw", "delete", "erase"])
def test_who_withdraws_or_is_erased_loses_the_name_on_faces_and_the_pictures_of_them(
    cast: Cast, room: Classroom, admin: Person, show: Any, way: str
) -> None:
    show([ADA, EILEEN], [EILEEN], [STRANGER])
    matched, named = take(room, 3), take(room, 3)
    ada = room.students["Ada"]
    assert confirm(room, named, verdict(0, False), verdict(0, who=ada, image=2)).status_code == 200
    calls = {
        "withdraw": lambda: ada.post("/api/face-data/consent", {"accepted": False}),
        "delete": lambda: ada.delete("/api/face-data/delete"),
        "erase": lambda: admin.post(f"/api/admin/users/{ada.id}/erase", {}),
    }
    assert calls[way]().status_code == 200
    kept = read(room.teacher, matched)
    assert (who(kept), who(kept, image=1)) == ([None, "Eileen"], ["Eileen"])
    lost = kept["images"][0]["faces"][0]
    assert [lost[name] for name in ("outcome", "confidence", "distance")] == ["unknown", None, None]
    assert [image["has_picture"] for image in kept["images"]] == [False, True, True]
    kept = read(room.teacher, named)
    assert [image["has_picture"] for image in kept["images"]] == [False, True, False]
    assert who(kept, "person", 2) == [None]
    with cast.app.app_context():
        names = select(SeenFace.id).where((SeenFace.student_id == ada.id) | (SeenFace.person_id == ada.id))
        assert db.session.scalars(names).all() == []
    assert quality(room.teacher)["wrong"] == 1, "what was counted stays"


@pytest.mark.usefixtures("kept_pictures")
def test_whose_last_template_retention_deletes_is_forgotten_as_well(cast: Cast, room: Classroom, show: Any) -> None:
    with cast.app.app_context():
        db.session.execute(update(FaceTemplate).values(created_at=NOON - timedelta(days=1096)))
        db.session.commit()
    enrol(cast, room.students["Ada"], 0)
    show([ADA], [EILEEN])
    taken = take(room, 2)
    assert (who(read(room.teacher, taken)), who(read(room.teacher, taken), image=1)) == (["Ada"], ["Eileen"])
    with cast.app.app_context():
        retention.clean_up()
    kept = read(room.teacher, taken)
    assert (who(kept), who(kept, image=1)) == (["Ada"], [None]), "Ada has a newer one"
    assert [image["has_picture"] for image in kept["images"]] == [True, False]


@pytest.mark.usefixtures("kept_pictures")
def test_who_withdraws_while_they_are_recognised_is_not_kept(
    room: Classroom, show: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    show([ADA, EILEEN], [EILEEN])

    def withdraw_and_match(*compared: Any) -> list[Match]:
        room.students["Ada"].post("/api/face-data/consent", {"accepted": False})
        return match(*compared)

    monkeypatch.setattr(recognition, "match", withdraw_and_match)
    kept = read(room.teacher, take(room, 2))
    assert who(kept) == [None, "Eileen"]
    assert [image["has_picture"] for image in kept["images"]] == [False, True]


def test_confirming_counts_what_was_right_wrong_uncertain_unknown_and_unseen(room: Classroom, show: Any) -> None:
    show([ADA, GRACE, STRANGER, face(8)], [ADA, GRACE])
    taken = take(room, 2)
    grace, eileen, mary = (room.students[name] for name in ("Grace", "Eileen", "Mary"))
    answer = confirm(
        room,
        taken,
        verdict(0, False, grace, image=1),
        verdict(1, True),
        verdict(1, False, image=1),
        verdict(2, who=eileen),
        also_there=[str(mary.id)],
    )
    assert answer.status_code == 200, answer.text
    kept = answer.json["recognition"]
    assert (who(kept, "person"), who(kept, "person", 1)) == (["Ada", "Grace", "Eileen", None], ["Grace", None])
    assert [face["is_right"] for face in kept["images"][0]["faces"]] == [True, True, None, None]
    assert read(room.teacher, taken) == kept
    counts = quality(room.teacher, f"?class_id={room.id}")
    assert counts == {
        "confirmed": 1, "unconfirmed": 0, "right": 1, "wrong": 1, "uncertain_right": 1, "uncertain_wrong": 1,
        "unknown": 2, "unseen": 1, "wrong_share": 0.5, "uncertain_right_share": 0.5,
    }, "Eileen has face data and was not found; Mary has none, so that she could not be"  # fmt: skip


def test_what_is_not_said_is_right_of_the_sure_and_open_of_the_uncertain(room: Classroom, show: Any) -> None:
    show([ADA, GRACE])
    kept = confirm(room, take(room)).json["recognition"]
    assert ([face["is_right"] for face in kept["images"][0]["faces"]], who(kept, "person")) == (
        [True, None],
        ["Ada", None],
    )
    counts = quality(room.teacher)
    assert (counts["right"], counts["uncertain_right"], counts["uncertain_wrong"]) == (1, 0, 0)
    assert (counts["wrong_share"], counts["uncertain_right_share"]) == (0.0, None)


def test_a_name_is_kept_on_a_face_only_of_who_has_face_data(cast: Cast, room: Classroom, show: Any) -> None:
    show([STRANGER])
    mary = room.students["Mary"]
    session = room.session()
    answer = confirm(room, take(room), verdict(0, who=mary), session_id=session).json
    assert who(answer["recognition"], "person") == [None]
    assert answer["marking"]["newly_marked"] == 1


def test_whose_consent_a_new_text_has_ended_is_neither_named_nor_missed(
    room: Classroom, admin: Person, show: Any
) -> None:
    show([STRANGER])
    taken = take(room)
    body = {"text": "I allow it.", "requires_new_consent": True}
    assert admin.post("/api/face-data/consent-texts", body).status_code == 201
    there = [str(room.students["Ada"].id)]
    answer = confirm(room, taken, verdict(0, who=room.students["Grace"]), also_there=there).json
    assert who(answer["recognition"], "person") == [None]
    assert quality(admin)["unseen"] == 0


def test_confirming_marks_those_who_were_there_and_nobody_twice(room: Classroom, show: Any) -> None:
    show([ADA, GRACE, STRANGER])
    session = room.session()
    room.mark(session, "Ada")
    taken, eileen = take(room), room.students["Eileen"]
    answer = confirm(room, taken, verdict(1, True), also_there=[str(eileen.id)], session_id=session, reason="Seen")
    assert answer.status_code == 200, answer.text
    marking = answer.json["marking"]
    assert (marking["newly_marked"], marking["already_marked"], marking["refused"]) == (2, 1, [])
    assert answer.json["recognition"]["session_id"] == session
    listed = room.teacher.get(f"/api/attendance/session/{session}/records").json
    assert {row["student"]["first_name"]: row["status"] for row in listed["items"]} == dict.fromkeys(NAMES, "present")


def test_a_recognition_is_confirmed_once(room: Classroom, show: Any) -> None:
    show([ADA])
    taken = take(room)
    assert confirm(room, taken).status_code == 200
    again = confirm(room, taken, verdict(0, False))
    assert (again.status_code, again.json["code"]) == (409, "recognition_confirmed")
    assert quality(room.teacher)["wrong"] == 0


def test_of_two_who_confirm_at_once_one_does(room: Classroom, show: Any) -> None:
    show([ADA, GRACE])
    taken, session = take(room), room.session()
    body = {"session_id": session, "faces": [verdict(1, True)]}
    answers = at_once(lambda _: twin(room.cast, room.teacher).post(path(taken, "/confirm"), body), 4)
    assert answers == {200: 1, 409: 3}
    assert (quality(room.teacher)["right"], quality(room.teacher)["uncertain_right"]) == (1, 1)


@pytest.mark.parametrize(
    ("faces", "there", "wrong"),
    [
        ([(7, True, None)], [], "faces.0"),
        ([(0, True, None), (0, True, None)], [], "faces.0"),
        ([(2, True, None)], [], "faces.0"),
        ([(0, True, "Eileen")], [], "faces.0"),
        ([(0, False, "Ada")], [], "faces.0"),
        ([(1, True, None), (2, None, "Ada")], [], "faces.1"),
        ([(2, None, "nobody")], [], "faces.0"),
        ([], ["Ada", "nobody"], "also_there.1"),
    ],
    ids=["no such face", "twice", "no match", "right but another", "wrong but the same", "one person twice",
         "not in the class", "not in the class either"],
)  # fmt: skip
def test_what_makes_no_sense_is_named_and_nothing_is_saved(
    room: Classroom, show: Any, faces: Any, there: list[str], wrong: str
) -> None:
    show([ADA, GRACE, STRANGER])
    taken, session = take(room), room.session()
    people = room.students | {"nobody": room.cast.student()}
    verdicts = [verdict(number, right, people.get(name)) for number, right, name in faces]
    refused = confirm(room, taken, *verdicts, also_there=[str(people[name].id) for name in there], session_id=session)
    assert (refused.status_code, refused.json["code"], list(refused.json["errors"])) == (
        422,
        "confirmation_refused",
        [wrong],
    )
    kept = read(room.teacher, taken)
    assert (kept["confirmed_at"], [face["is_right"] for face in kept["images"][0]["faces"]]) == (None, [None] * 3)
    assert room.teacher.get(f"/api/attendance/session/{session}/records").json["total"] == 0


def test_what_cannot_be_marked_leaves_the_recognition_unconfirmed(room: Classroom, cast: Cast, show: Any) -> None:
    show([ADA])
    taken, other = take(room), Classroom.open(cast).session()
    refused = confirm(room, taken, session_id=other)
    assert (refused.status_code, refused.json["code"]) == (403, "not_your_class")
    assert confirm(room, taken, session_id=str(uuid.uuid4())).status_code == 404
    assert read(room.teacher, taken)["confirmed_at"] is None


def test_quality_is_of_a_time_a_class_or_the_whole_organisation(
    room: Classroom, cast: Cast, admin: Person, show: Any
) -> None:
    other = Classroom.open(cast)
    show([STRANGER])
    taken = {take(one): one for one in (room, room, other)}
    for recognition_id, one in taken.items():
        assert confirm(one, recognition_id).status_code == 200
    take(other)
    with cast.app.app_context():
        first = update(Recognition).where(Recognition.id == uuid.UUID(next(iter(taken))))
        db.session.execute(first.values(taken_on=NOON.date() - timedelta(9)))
        db.session.commit()
    assert [quality(person)["unknown"] for person in (room.teacher, other.teacher, admin)] == [2, 1, 3]
    assert (quality(admin)["confirmed"], quality(admin)["unconfirmed"]) == (3, 1)
    assert quality(admin, f"?class_id={other.id}")["unknown"] == 1
    assert quality(admin, "?start_date=2026-03-10&end_date=2026-03-12")["unknown"] == 2
    assert quality(cast.person(Role.ADMIN, cast.other_organisation()))["unconfirmed"] == 0


def test_statements_do_not_grow_with_the_faces(room: Classroom, cast: Cast, show: Any) -> None:
    numbers = []
    show([])
    take(room)  # loads the gallery
    for faces in ([ADA, STRANGER], [ADA, EILEEN, GRACE, *[STRANGER] * 30]):
        show(faces, faces)
        with counted(cast.app) as taking:
            taken = take(room, 2)
        with counted(cast.app) as reading:
            read(room.teacher, taken)
        session = room.session()
        with counted(cast.app) as confirming:
            assert confirm(room, taken, session_id=session).status_code == 200
        with counted(cast.app) as counting:
            quality(room.teacher)
        numbers.append([len(taking), len(reading), len(confirming), len(counting)])
    assert numbers[0] == numbers[1]
