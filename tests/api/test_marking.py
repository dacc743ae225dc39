"""Marking by hand, by class or subject and day."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import Enrolment, Record, Role, Session
from tests.conftest import Cast, Person
from tests.statements import counted
from tests.story import Classroom
from tests.test_races import at_once, twin

DAY = "2026-03-12"


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    begin(cast)
    return room


def begin(cast: Cast) -> None:
    """Everybody was enrolled from the beginning of the year."""
    with cast.app.app_context():
        for enrolment in db.session.scalars(select(Enrolment)):
            enrolment.starts_on = enrolment.starts_on.replace(year=2026, month=1, day=1)
        db.session.commit()


@pytest.fixture
def maths(cast: Cast) -> str:
    admin = cast.person(Role.ADMIN)
    return str(admin.post("/api/subjects", {"name": "Mathematics", "code": "M-1"}).json["id"])


def counts(cast: Cast) -> tuple[int, int]:
    with cast.app.app_context():
        return len(db.session.scalars(select(Session)).all()), len(db.session.scalars(select(Record)).all())


def of(room: Classroom, *names: str) -> list[str]:
    return [str(room.students[name].id) for name in names]


def test_a_subjects_day_is_marked_from_a_map_and_again_changes_it(room: Classroom, cast: Cast, maths: str) -> None:
    ada, grace = of(room, "Ada", "Grace")
    body = {"date": DAY, "subject_id": maths, "attendance": {ada: "present", grace: "Absent"}}
    first = room.teacher.post("/api/attendance", body)
    assert (first.status_code, first.json["created"], first.json["updated"]) == (201, 2, 0)
    assert {r["student_name"]: r["status"] for r in first.json["records"]} == {"Ada": "present", "Grace": "absent"}
    assert {(r["subject"], r["teacher"], r["date"]) for r in first.json["records"]} == {
        ("Mathematics", "Mary Somerville", DAY)
    }
    again = room.teacher.post("/api/attendance", body | {"attendance": {ada: "present", grace: "late"}})
    assert (again.json["created"], again.json["updated"]) == (0, 1)
    assert counts(cast) == (1, 2)


def test_one_wrong_mark_refuses_the_whole_call_and_is_named(room: Classroom, cast: Cast, maths: str) -> None:
    ada, grace = of(room, "Ada", "Grace")
    stranger, foreign = str(uuid.uuid4()), str(cast.student(organisation_id=cast.other_organisation()).id)
    marks = {ada: "present", grace: "there", stranger: "present", foreign: "present"}
    answer = room.teacher.post("/api/attendance", {"date": DAY, "subject_id": maths, "attendance": marks})
    assert (answer.status_code, answer.json["code"]) == (422, "marks_refused")
    assert set(answer.json["errors"]) == {f"attendance.{id_}" for id_ in (grace, stranger, foreign)}
    assert counts(cast) == (0, 0)


def test_a_subject_is_marked_by_its_teacher(room: Classroom, cast: Cast, maths: str) -> None:
    admin = cast.person(Role.ADMIN)
    body = {"date": DAY, "subject_id": maths, "attendance": {of(room, "Ada")[0]: "present"}}
    admin.put(f"/api/subjects/{maths}", {"teacher_id": str(room.teacher.id)})
    assert cast.teacher().post("/api/attendance", body).json["code"] == "not_your_subject"
    assert [person.post("/api/attendance", body).status_code for person in (room.teacher, admin)] == [201, 201]


def test_one_student_is_marked_in_a_class_as_the_tracker_sends_it(room: Classroom, cast: Cast) -> None:
    (ada,) = of(room, "Ada")
    body = {"studentId": ada, "classId": room.id, "date": DAY, "status": "late", "remarks": "bus"}
    answer = room.teacher.post("/attendance/", body)
    assert (answer.status_code, answer.json["id"], bool(answer.json["message"])) == (
        201,
        answer.json["records"][0]["id"],
        True,
    )
    (kept,) = room.teacher.get(f"/attendance/?class_id={room.id}&date={DAY}").json["items"]
    assert (kept["status"], kept["remarks"], kept["student_id"]) == ("late", "bus", ada)


def test_a_batch_counts_what_is_new_and_what_changed(room: Classroom, cast: Cast) -> None:
    ada, grace = of(room, "Ada", "Grace")
    rows = [{"student_id": s, "class_id": room.id, "date": DAY, "status": "present"} for s in (ada, grace)]
    room.teacher.post("/attendance/batch", {"records": rows[:1]})
    rows[0]["status"] = "excused"
    answer = room.teacher.post("/attendance/batch", {"records": rows})
    assert (answer.status_code, answer.json["created"], answer.json["updated"]) == (201, 1, 1)
    assert counts(cast) == (1, 2)


def test_a_wrong_row_of_a_batch_is_named_by_its_index(room: Classroom, cast: Cast) -> None:
    (ada,) = of(room, "Ada")
    good = {"student_id": ada, "class_id": room.id, "date": DAY, "status": "present"}
    before = good | {"date": "2025-12-31"}
    rows = [good, good | {"status": "x"}, before, good | {"student_id": str(cast.student().id)}]
    answer = room.teacher.post("/attendance/batch", {"records": rows})
    assert (answer.status_code, set(answer.json["errors"])) == (422, {"records.1", "records.2", "records.3"})
    assert counts(cast) == (0, 0)


def test_a_day_that_has_a_session_is_marked_in_it(room: Classroom, cast: Cast) -> None:
    session = room.session(session_date=DAY)
    (ada,) = of(room, "Ada")
    body = {"student_id": ada, "class_id": room.id, "date": DAY, "status": "present"}
    assert room.teacher.post("/attendance/", body).json["records"][0]["session_id"] == session
    assert counts(cast) == (1, 1)


def test_twenty_who_mark_a_day_at_once_make_one_session(room: Classroom, cast: Cast, maths: str) -> None:
    ada, grace = of(room, "Ada", "Grace")
    body = {"date": DAY, "subject_id": maths, "attendance": {ada: "present", grace: "present"}}
    assert at_once(lambda _: twin(cast, room.teacher).post("/api/attendance", body), 20) == {201: 20}
    assert counts(cast) == (1, 2)


def test_another_teachers_class_is_not_ones_own_to_mark(room: Classroom, cast: Cast) -> None:
    body = {"student_id": of(room, "Ada")[0], "class_id": room.id, "date": DAY, "status": "present"}
    assert cast.teacher().post("/attendance/", body).json["code"] == "not_your_class"
    assert room.students["Ada"].post("/attendance/", body).status_code == 403


@pytest.mark.parametrize(
    "body", [{"date": DAY}, {"date": DAY, "subject_id": str(uuid.uuid4())}, {"date": "12.3.", "attendance": {}}]
)
def test_half_a_mark_is_none(room: Classroom, body: dict[str, Any]) -> None:
    assert room.teacher.post("/api/attendance", body).status_code == 422


def test_records_are_seen_by_whom_they_concern(room: Classroom, cast: Cast, maths: str) -> None:
    ada, grace = of(room, "Ada", "Grace")
    for day in (DAY, "2026-03-13"):
        body = {"date": day, "subject_id": maths, "attendance": {ada: "present", grace: "late"}}
        room.teacher.post("/api/attendance", body)
    admin = cast.person(Role.ADMIN)
    parent = {"full_name": "Annabella", "email": "a@home.test", "password": "four quiet words", "student_ids": [ada]}
    admin.post("/api/admin/users/parents", parent)
    mother = Person(cast.app.test_client())
    mother.token = mother.post("/api/auth/login", {"email": "a@home.test", "password": "four quiet words"}).json[
        "access_token"
    ]
    seen = {
        name: {r["student_id"] for r in person.get("/api/attendance").json["items"]}
        for name, person in {"teacher": room.teacher, "ada": room.students["Ada"], "mother": mother}.items()
    }
    assert seen == {"teacher": {ada, grace}, "ada": {ada}, "mother": {ada}}
    newest = room.teacher.get(f"/api/attendance?subject_id={maths}&student_id={ada}").json["items"]
    assert [r["date"] for r in newest] == ["2026-03-13", DAY]
    assert mother.get(f"/api/attendance?student_id={grace}").json["total"] == 0


def test_marking_two_hundred_takes_as_many_statements_as_marking_two(cast: Cast) -> None:
    took = []
    for size in (2, 200):
        room = Classroom.open(cast)
        rows = [{"name": f"S{n}", "external_id": f"{size}-{n}", "role": "student"} for n in range(size)]
        admin = cast.person(Role.ADMIN)
        assert admin.post("/api/admin/import/users", {"rows": rows}).status_code == 200
        found = admin.get("/api/admin/users?role=student&per_page=100&page=1").json["items"]
        found += admin.get("/api/admin/users?role=student&per_page=100&page=2").json["items"]
        ids = [u["id"] for u in found][:size]
        assert room.teacher.post(f"/api/classes/{room.id}/students", {"student_ids": ids}).status_code == 201
        begin(cast)
        marks = [{"student_id": s, "class_id": room.id, "date": DAY, "status": "present"} for s in ids]
        with counted(cast.app) as statements:
            assert room.teacher.post("/attendance/batch", {"records": marks}).json["created"] == size
        took.append(len(statements))
    assert took[0] == took[1], took
