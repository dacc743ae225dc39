"""Sessions, marks and records of a class; recognition beside the photographs of the story."""

from __future__ import annotations

import io
import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import update

from app import clock
from app.extensions import db
from app.models import Organisation, Record, Role, Status
from tests.conftest import Cast
from tests.factories import PASSWORD
from tests.pictures import astronaut, data_url, encode, grace_hopper, group, variation
from tests.story import Classroom, enrol, names


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Eileen", "Grace"):
        room.join(name)
    return room


def records(room: Classroom, session: str, query: str = "") -> Any:
    return room.teacher.get(f"/api/attendance/session/{session}/records{query}").json


def test_marking_again_changes_nothing(room: Classroom) -> None:
    session = room.session()
    first, second = room.mark(session, "Ada", "Grace").json, room.mark(session, "Ada", "Grace", "Eileen").json
    assert (first["newly_marked"], first["already_marked"]) == (2, 0)
    assert (second["newly_marked"], second["already_marked"]) == (1, 2)
    assert [r["student"]["first_name"] for r in records(room, session)["items"]] == ["Ada", "Eileen", "Grace"]


def test_who_is_not_in_the_class_is_refused_and_the_others_marked(room: Classroom, cast: Cast) -> None:
    session, stranger = room.session(), cast.student()
    foreign = cast.student(organisation_id=cast.other_organisation())
    ids = [str(person.id) for person in (room.students["Ada"], stranger, foreign)] + [str(uuid.uuid4())]
    answer = room.teacher.post("/api/attendance/mark-attendance", {"session_id": session, "student_ids": ids * 2}).json
    assert (answer["newly_marked"], [refused["student_id"] for refused in answer["refused"]]) == (1, ids[1:])
    assert {(refused["code"], refused["detail"]) for refused in answer["refused"]} == {
        ("not_in_class", "No student of this class has this id")
    }
    assert records(room, session)["total"] == 1


@pytest.mark.parametrize("status", [Status.ABSENT, Status.EXCUSED, Status.LEAVE])
def test_who_was_thought_away_and_is_there_becomes_present(room: Classroom, cast: Cast, status: Status) -> None:
    session = room.session()
    room.mark(session, "Ada")
    with cast.app.app_context():
        db.session.execute(update(Record).values(status=status))
        db.session.commit()
    assert records(room, session)["counts"][status.value] == 1
    assert room.mark(session, "Ada").json["newly_marked"] == 1
    assert records(room, session)["items"][0]["status"] == "present"


def test_late_stays_late_when_marked(room: Classroom, cast: Cast) -> None:
    session = room.session()
    room.mark(session, "Ada")
    with cast.app.app_context():
        db.session.execute(update(Record).values(status=Status.LATE))
        db.session.commit()
    assert room.mark(session, "Ada").json["already_marked"] == 1
    assert records(room, session)["items"][0]["status"] == "late"


@pytest.mark.parametrize(
    ("zone", "now", "today"),
    [
        ("UTC", datetime(2026, 3, 12, 23, 59, tzinfo=UTC), "2026-03-12"),
        ("Pacific/Auckland", datetime(2026, 3, 12, 23, 59, tzinfo=UTC), "2026-03-13"),
        ("America/Lima", datetime(2026, 3, 12, 0, 1, tzinfo=UTC), "2026-03-11"),
    ],
)
def test_today_is_the_organisations_today(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, zone: str, now: datetime, today: str
) -> None:
    monkeypatch.setattr(clock, "now", lambda: now)
    with cast.app.app_context():
        own = cast.organisation()
        db.session.execute(update(Organisation).where(Organisation.id == own).values(time_zone=zone))
        db.session.commit()
    try:
        room = Classroom.open(cast)
        body = {"class_id": room.id, "session_name": "Stars"}
        assert room.teacher.post("/api/attendance/create-session", body).json["session_date"] == today
    finally:
        with cast.app.app_context():
            db.session.execute(update(Organisation).where(Organisation.id == own).values(time_zone="UTC"))
            db.session.commit()


def test_a_session_may_be_of_another_day(room: Classroom) -> None:
    body = {"class_id": room.id, "session_name": "Stars", "session_date": "2026-03-12"}
    assert room.teacher.post("/api/attendance/create-session", body).json["session_date"] == "2026-03-12"
    answer = room.teacher.post("/api/attendance/create-session", body | {"session_date": "12 March"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["session_date"])


def on(monkeypatch: pytest.MonkeyPatch, day: date) -> None:
    monkeypatch.setattr(clock, "now", lambda: datetime(day.year, day.month, day.day, 9, tzinfo=UTC))


def test_who_joined_later_was_not_expected_before_and_who_left_still_was(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(monkeypatch, date(2026, 1, 12))
    room = Classroom.open(cast)
    ada, _ = room.join("Ada"), room.join("Eileen")
    room.mark(room.session(), "Ada")
    on(monkeypatch, date(2026, 3, 12))
    for person in (room.teacher, *room.students.values()):
        signed_in = person.post("/api/auth/login", {"email": person.email, "password": PASSWORD})
        person.token = signed_in.json["access_token"]
    room.join("Grace")
    ada.post(f"/api/classes/{room.id}/leave")
    room.mark(room.session(), "Grace", "Eileen")
    listed = room.teacher.get(f"/api/attendance/sessions/{room.id}?sort=session_date").json["items"]
    assert [(s["counts"]["expected"], s["counts"]["present"], s["counts"]["rate"]) for s in listed] == [
        (2, 1, 0.5),
        (2, 2, 1.0),
    ]


def test_no_rate_where_nobody_was_expected(cast: Cast) -> None:
    room = Classroom.open(cast)
    assert records(room, room.session())["counts"] == {
        "expected": 0, "present": 0, "late": 0, "absent": 0, "excused": 0, "leave": 0, "unmarked": 0, "rate": None,
    }  # fmt: skip


def test_a_student_sees_the_sessions_and_their_own_record(room: Classroom, cast: Cast) -> None:
    session = room.session()
    room.mark(session, "Ada", "Grace")
    ada = room.students["Ada"]
    own = ada.get(f"/api/attendance/session/{session}/records").json
    assert ([r["student"]["first_name"] for r in own["items"]], own["total"], own["counts"]) == (["Ada"], 1, None)
    assert ada.get(f"/api/attendance/sessions/{room.id}").json["total"] == 1
    stranger = cast.student()
    for path in (f"session/{session}/records", f"sessions/{room.id}"):
        answer = stranger.get(f"/api/attendance/{path}")
        assert (answer.status_code, answer.json["code"]) == (403, "not_class_member")


def test_another_teachers_class_is_theirs(room: Classroom, cast: Cast) -> None:
    session, colleague = room.session(), cast.teacher()
    bodies = {
        "create-session": {"class_id": room.id, "session_name": "Mine"},
        "mark-attendance": {"session_id": session, "student_ids": [str(room.students["Ada"].id)]},
        "recognize-faces": {"class_id": room.id, "images": ["x"]},
    }
    for call, body in bodies.items():
        answer = colleague.post(f"/api/attendance/{call}", body)
        assert (answer.status_code, answer.json["code"]) == (403, "not_your_class")
    assert records(room, session)["total"] == 0


def test_lists_come_in_pages_in_the_order_asked_for(room: Classroom) -> None:
    session = room.session()
    room.mark(session, "Ada", "Grace", "Eileen")
    page = records(room, session, "?sort=-first_name&per_page=2")
    assert ([r["student"]["first_name"] for r in page["items"]], page["pages"]) == (["Grace", "Eileen"], 2)
    assert page["counts"]["present"] == 3


def test_the_older_spellings_of_the_records_answer_alike(room: Classroom) -> None:
    session = room.session()
    room.mark(session, "Ada")
    for path in (f"/session/{session}/attendance", f"/attendance/session/{session}/attendance"):
        assert room.teacher.get(path).json == records(room, session)


def test_who_is_on_any_of_several_pictures_was_seen_once(room: Classroom) -> None:
    enrol(room.students["Eileen"], [encode(astronaut())])
    enrol(room.students["Grace"], [encode(grace_hopper())])
    both, empty = encode(group(variation(astronaut(), 2), grace_hopper())), Image.new("RGB", (640, 480), "grey")
    seen = room.recognise(both, encode(variation(astronaut(), 4)), encode(empty)).json
    assert names(seen["recognised"]) == {"Eileen", "Grace"}
    assert (names(seen["not_seen"]), seen["unknown"], seen["uncertain"]) == ({"Ada"}, 0, [])
    assert [len(image["faces"]) for image in seen["images"]] == [2, 1, 0]
    for image in seen["images"]:
        for face in image["faces"]:
            box = face["box"]
            assert 0 <= box["left"] < box["left"] + box["width"] <= image["width"]
            assert 0 <= box["top"] < box["top"] + box["height"] <= image["height"]


def test_a_face_twice_in_a_picture_is_one_student_once(room: Classroom) -> None:
    enrol(room.students["Eileen"], [encode(astronaut())])
    seen = room.recognise(encode(group(variation(astronaut(), 2), variation(astronaut(), 5)))).json
    assert (len(seen["recognised"]) + len(seen["uncertain"]), seen["unknown"]) == (1, 1)


def test_only_the_classs_students_are_candidates(room: Classroom, cast: Cast) -> None:
    outside = cast.student(first_name="Eileen")
    enrol(outside, [encode(astronaut())])
    gone = room.students["Grace"]
    enrol(gone, [encode(grace_hopper())])
    gone.post(f"/api/classes/{room.id}/leave")
    seen = room.recognise(encode(group(astronaut(), grace_hopper()))).json
    assert (seen["recognised"], seen["unknown"], names(seen["not_seen"])) == ([], 2, {"Ada", "Eileen"})


def test_a_suspended_student_is_neither_expected_nor_a_candidate(room: Classroom, cast: Cast) -> None:
    enrol(room.students["Eileen"], [encode(astronaut())])
    cast.person(Role.ADMIN).post(f"/api/admin/users/{room.students['Eileen'].id}/suspend", {})
    seen = room.recognise(encode(astronaut())).json
    assert (seen["unknown"], names(seen["not_seen"])) == (1, {"Ada", "Grace"})
    assert records(room, room.session())["counts"]["expected"] == 2


def test_an_unreadable_picture_is_named_by_its_place(room: Classroom) -> None:
    answer = room.recognise(encode(astronaut()), b"no picture")
    assert (answer.status_code, answer.json["code"], list(answer.json["errors"])) == (400, "not_an_image", ["images.1"])


@pytest.mark.parametrize("images", [[], ["x"] * 11, "x", None, [1]])
def test_one_to_ten_pictures_at_a_time(room: Classroom, images: Any) -> None:
    answer = room.teacher.post("/api/attendance/recognize-faces", {"class_id": room.id, "images": images})
    assert (answer.status_code, {name.partition(".")[0] for name in answer.json["errors"]}) == (422, {"images"})


def test_recognition_takes_files_as_it_takes_json(room: Classroom) -> None:
    enrol(room.students["Eileen"], [encode(astronaut())])
    picture = encode(variation(astronaut(), 3))
    files = {"class_id": room.id, "images": [(io.BytesIO(picture), "room.jpg")]}
    by_files = room.teacher.post("/api/attendance/recognize-faces", data=files)
    by_json = room.teacher.post("/api/attendance/recognize-faces", {"classId": room.id, "images": [data_url(picture)]})
    assert by_files.status_code == 200
    assert by_files.json | {"recognition_id": ""} == by_json.json | {"recognition_id": ""}
    assert names(by_files.json["recognised"]) == {"Eileen"}
