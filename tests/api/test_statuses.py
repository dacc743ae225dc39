"""Statuses of an organisation's own, beside the five that there are."""

from __future__ import annotations

from typing import Any

import pytest

from app.models import Role
from tests.conftest import Cast, Person
from tests.story import Classroom

DAY = "2026-03-12"
SICK = {"code": "Sick", "label": "Ill, with a note", "counts_as": "excused", "colour": "#AA00FF"}
BUS = {"code": "BUS-1", "label": "The bus was late", "counts_as": "present", "ed_fi": "Tardy"}


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def room(cast: Cast, admin: Person) -> Any:
    """Its organisation has two statuses of its own meanwhile."""
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    assert define(admin, [SICK, BUS]).status_code == 200
    yield room
    define(admin, [])


def define(admin: Person, statuses: Any) -> Any:
    return admin.put(f"/api/admin/organizations/{admin.organisation_id}", {"settings": {"statuses": statuses}})


def test_everybody_sees_the_five_and_the_organisations_own(room: Classroom, cast: Cast) -> None:
    elsewhere = cast.student(organisation_id=cast.other_organisation())
    five = elsewhere.get("/api/attendance/statuses").json["items"]
    assert {s["code"]: (s["letter"], s["ed_fi"]) for s in five} == {
        "present": ("P", "In Attendance"),
        "late": ("L", "Tardy"),
        "absent": ("A", "Unexcused Absence"),
        "excused": ("E", "Excused Absence"),
        "leave": ("V", "Excused Absence"),
    }
    assert all(s["code"] == s["counts_as"] for s in five)
    all_ = room.students["Ada"].get("/api/attendance/statuses").json["items"]
    sick, bus = all_[5:]
    assert all_[:5] == five
    assert sick == SICK | {"colour": "#aa00ff", "letter": "S", "ed_fi": "Excused Absence"}
    assert bus == BUS | {"colour": "#6b7280", "letter": "B"}


@pytest.mark.parametrize(
    "statuses",
    [
        [SICK | {"code": "present"}],
        [SICK | {"code": "Late"}],
        [SICK | {"code": "a b"}],
        [SICK | {"code": "x" * 21}],
        [SICK | {"code": ""}],
        [SICK, SICK | {"code": "SICK"}],
        [SICK | {"counts_as": "ill"}],
        [SICK | {"colour": "red"}],
        [SICK | {"colour": "#12345"}],
        [SICK | {"ed_fi": "Ill"}],
        [SICK | {"label": " "}],
        [SICK | {"label": "a\x00b"}],
        [SICK | {"note": 1}],
        [{"code": "SICK"}],
        [SICK | {"code": f"S{n}"} for n in range(51)],
        "SICK",
    ],
    ids=range(16),
)
def test_a_status_that_makes_no_sense_is_refused(admin: Person, statuses: Any) -> None:
    answer = define(admin, statuses)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")
    assert any("statuses" in field for field in answer.json["errors"])


@pytest.mark.parametrize("word", ["Sick", "SICK", " sick "])
def test_every_form_takes_an_organisations_own_status(room: Classroom, admin: Person, word: str) -> None:
    ada = str(room.students["Ada"].id)
    today = room.teacher.get(f"/api/attendance/sessions/{room.id}")
    assert today.status_code == 200
    session = room.session()
    day = room.teacher.get(f"/api/attendance/sessions/{room.id}").json["items"][0]["session_date"]
    subject = admin.post("/api/subjects", {"name": "Mathematics", "code": "M-1"}).json["id"]
    single = {"student_id": ada, "class_id": room.id, "date": day, "status": word}
    marks = f"/api/attendance/session/{session}/marks"
    for path, body in (
        ("/api/attendance", {"date": day, "subject_id": subject, "attendance": {ada: word}}),
        ("/api/attendance", single),
        ("/api/attendance/batch", {"records": [single]}),
        (marks, {"marks": {ada: word}}),
        (marks, {"marks": [{"student_id": ada, "status": word}]}),
    ):
        (record,) = room.teacher.post(path, body).json["records"]
        assert (record["status"], record["code"]) == ("excused", "Sick")
    room.teacher.post(f"/api/attendance/session/{session}/everyone-else", {"status": "bus-1"})
    items = room.teacher.get(f"/api/attendance/session/{session}/records").json["items"]
    assert {r["student"]["first_name"]: (r["status"], r["code"]) for r in items} == {
        "Ada": ("excused", "Sick"),
        "Grace": ("present", "BUS-1"),
    }
    (mine,) = room.students["Grace"].get("/api/attendance/my-history").json["items"]
    assert mine["code"] == "BUS-1"
    copied = room.session()
    room.teacher.post(f"/api/attendance/session/{copied}/copy", {"from_session_id": session})
    items = room.teacher.get(f"/api/attendance/session/{copied}/records").json["items"]
    assert {r["code"] for r in items} == {"Sick", "BUS-1"}


def test_it_counts_as_what_it_counts_as_and_a_built_in_word_takes_its_code_away(room: Classroom) -> None:
    ada, session = str(room.students["Ada"].id), room.session()
    path = f"/api/attendance/session/{session}"
    room.teacher.post(f"{path}/marks", {"marks": {ada: "sick"}})
    assert room.teacher.get(f"{path}/report").json["counts"]["excused"] == 1
    again = room.teacher.post(f"{path}/marks", {"marks": {ada: "excused"}}).json
    assert (again["updated"], again["records"][0]["code"]) == (1, None)


def test_another_organisations_status_is_none(room: Classroom, cast: Cast) -> None:
    foreign = cast.other_organisation()
    teacher, student = cast.teacher(organisation_id=foreign), cast.student(organisation_id=foreign)
    created = teacher.post("/api/classes/create", {"name": "Botany"}).json
    student.post("/api/classes/join", {"join_code": created["join_code"]})
    session = teacher.post("/api/attendance/create-session", {"class_id": created["id"], "session_name": "x"}).json
    path = f"/api/attendance/session/{session['id']}/marks"
    answer = teacher.post(path, {"marks": {str(student.id): "sick"}})
    assert (answer.status_code, answer.json["code"]) == (422, "marks_refused")
    assert teacher.post(path, {"marks": {str(student.id): "present"}}).status_code == 200


def test_a_record_keeps_a_code_that_is_no_longer_given(room: Classroom, admin: Person) -> None:
    ada, session = str(room.students["Ada"].id), room.session()
    path = f"/api/attendance/session/{session}"
    room.teacher.post(f"{path}/marks", {"marks": {ada: "sick"}})
    define(admin, [BUS])
    (record,) = room.teacher.get(f"{path}/records").json["items"]
    assert (record["status"], record["code"]) == ("excused", "Sick")
    assert room.teacher.post(f"{path}/marks", {"marks": {ada: "sick"}}).json["code"] == "marks_refused"
