"""The whole story through HTTP: from registering to the rate, on pictures that ship and on real photographs."""

from __future__ import annotations

import csv
from typing import Any

import pytest

from tests.conftest import Cast, Person
from tests.factories import PASSWORD
from tests.pictures import SHARED_FACES, astronaut, data_url, encode, grace_hopper, group, photograph, variation
from tests.story import Classroom, enrol, names


def sign_up(cast: Cast, role: str, first_name: str) -> Person:
    person = cast.nobody
    person.email = f"{first_name.lower()}@school.test"
    body = {"email": person.email, "password": PASSWORD, "first_name": first_name, "last_name": "", "role": role}
    signed_up = person.post("/api/auth/signup", body)
    assert signed_up.status_code == 201, signed_up.text
    signed_in = person.post("/api/auth/login", {"email": person.email, "password": PASSWORD})
    person.token = signed_in.json["access_token"]
    person.id = signed_up.json["id"]
    return person


def test_a_teacher_takes_attendance_from_a_photograph(cast: Cast) -> None:
    teacher = sign_up(cast, "teacher", "Mary")
    room = teacher.post("/api/classes/create", {"name": "Astronomy"}).json
    eileen, ada = sign_up(cast, "student", "Eileen"), sign_up(cast, "student", "Ada")
    for student in (eileen, ada):
        assert student.post("/api/classes/join", {"join_code": room["join_code"]}).status_code == 201

    refused = eileen.post("/api/face-data/upload", {"image": data_url(encode(astronaut()))})
    assert (refused.status_code, refused.json["code"]) == (403, "consent_required")
    asked = eileen.get("/api/face-data/consent").json
    assert (bool(asked["text"]), asked["accepted"]) == (True, False)
    assert eileen.post("/api/face-data/consent", {"accepted": True}).json["accepted"] is True
    images = [data_url(encode(variation(astronaut(), n))) for n in (0, 6)]
    stored = eileen.post("/api/face-data/multiple-upload", {"images": images})
    assert (stored.status_code, stored.json["stored"], len(stored.json["results"])) == (201, 2, 2)

    session = teacher.post("/api/attendance/create-session", {"class_id": room["id"], "session_name": "Stars"}).json
    photo = data_url(encode(group(variation(grace_hopper(), 2), variation(astronaut(), 3))))
    seen = teacher.post("/api/attendance/recognize-faces", {"class_id": room["id"], "images": [photo]})
    assert seen.status_code == 200, seen.text
    assert (names(seen.json["recognised"]), seen.json["uncertain"]) == ({"Eileen"}, [])
    assert seen.json["recognised"][0]["confidence"] > 0.9
    assert [(n["student"]["first_name"], n["has_face_data"]) for n in seen.json["not_seen"]] == [("Ada", False)]
    assert (seen.json["unknown"], len(seen.json["images"][0]["faces"])) == (1, 2)
    records = f"/api/attendance/session/{session['id']}/records"
    assert teacher.get(records).json["items"] == [], "nothing is marked before the teacher confirms"

    confirmed = [item["student"]["id"] for item in seen.json["recognised"]]
    marked = teacher.post("/api/attendance/mark-attendance", {"session_id": session["id"], "student_ids": confirmed})
    assert (marked.json["newly_marked"], marked.json["already_marked"], marked.json["refused"]) == (1, 0, [])
    read = teacher.get(records).json
    assert [(r["student"]["first_name"], r["status"]) for r in read["items"]] == [("Eileen", "present")]
    counts = read["counts"]
    assert (counts["expected"], counts["present"], counts["unmarked"], counts["rate"]) == (2, 1, 1, 0.5)
    (listed,) = teacher.get(f"/api/attendance/sessions/{room['id']}").json["items"]
    assert (listed["id"], listed["counts"]) == (session["id"], counts)


REAL = [SHARED_FACES] if SHARED_FACES else []


@pytest.mark.usefixtures("once")  # who is recognised; that faces are kept, the test above shows
@pytest.mark.parametrize("photographs", REAL, ids=["photographs"] * len(REAL))
def test_on_real_photographs_all_present_are_found_and_nobody_else(cast: Cast, photographs: Any) -> None:
    room = Classroom.open(cast)
    for folder in sorted((photographs / "people").iterdir()):
        answer = enrol(room.join(folder.name), [photograph(file) for file in sorted(folder.iterdir())])
        assert answer.status_code == 201, (folder.name, answer.text)
    with (photographs / "truth.csv").open() as file:
        truth = list(csv.DictReader(file))
    for row in truth:
        seen = room.recognise(photograph(photographs / row["picture"])).json
        present = set(row["people"].split(";"))
        assert names(seen["recognised"]) == present, row
        assert (seen["uncertain"], seen["unknown"]) == ([], int(row["strangers"])), row
        assert names(seen["not_seen"]) == set(room.students) - present, row
