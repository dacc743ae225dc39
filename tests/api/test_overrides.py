"""The teacher's mark and the office's over it: both are kept, with who, when and why."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from app import clock
from app.extensions import db
from app.models import AuditEntry, Record, RecordMark, Role
from tests.conftest import Cast, Person
from tests.story import Classroom

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
LESSON = {"session_name": "Maths", "start_time": "2026-03-12T09:00:00Z", "end_time": "2026-03-12T10:00:00Z"}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_time(minutes: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(minutes=minutes))

    set_time(-1000)
    return set_time


@pytest.fixture
def room(cast: Cast, at: Any) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    at(0)
    return room


@pytest.fixture
def office(cast: Cast, room: Classroom) -> Person:
    return cast.person(Role.ADMIN, first_name="Olga", last_name="Office")


@pytest.fixture
def session(room: Classroom) -> str:
    return str(room.teacher.post("/api/admin/sessions", LESSON | {"class_id": room.id}).json["id"])


def mark(person: Person, room: Classroom, session: str, status: str, **more: Any) -> Any:
    row = {"student_id": str(room.students["Ada"].id), "status": status, **more.pop("row", {})}
    answer = person.post(f"/api/attendance/session/{session}/marks", {"marks": [row], **more})
    assert answer.status_code == 200, answer.text
    return answer.json


def record(room: Classroom, session: str) -> Any:
    items = room.teacher.get(f"/api/attendance/session/{session}/records").json["items"]
    return next((r for r in items if r["student"]["first_name"] == "Ada"), None)


def marks(person: Person, record_id: str) -> list[tuple[Any, ...]]:
    items = person.get(f"/api/attendance/records/{record_id}/marks").json["items"]
    return [(m["source"], m["marked_by"], m["status"], m["is_office"], m["reason"]) for m in items]


def release(person: Person, record_id: str) -> Any:
    return person.delete(f"/api/attendance/records/{record_id}/override?reason=mistake")


def test_what_the_office_marks_stands_and_every_mark_is_kept(
    room: Classroom, office: Person, session: str, at: Any
) -> None:
    first = mark(room.teacher, room, session, "absent", row={"remarks": "not seen"})
    id_, ada = first["records"][0]["id"], first["records"][0]["student_id"]
    at(5)
    decided = mark(office, room, session, "excused", reason="Doctor's note", row={"remarks": "dentist"})
    assert (decided["updated"], decided["overridden"], decided["records"][0]["is_office"]) == (1, [], True)
    at(10)
    again = mark(room.teacher, room, session, "late", reason="Came after all")
    assert (again["created"], again["updated"], again["overridden"]) == (0, 0, [ada])
    shown = record(room, session)
    assert (shown["status"], shown["is_office"], shown["remarks"]) == ("excused", True, "dentist")
    assert marks(room.teacher, id_) == [
        ("manual", "Mary Somerville", "absent", False, None),
        ("manual", "Olga Office", "excused", True, "Doctor's note"),
        ("manual", "Mary Somerville", "late", False, "Came after all"),
    ]
    items = office.get(f"/api/attendance/records/{id_}/marks?sort=-marked_at").json["items"]
    assert [m["remarks"] for m in items] == [None, "dentist", "not seen"]
    assert [datetime.fromisoformat(m["marked_at"]) - NINE for m in items] == [
        timedelta(minutes=minutes) for minutes in (10, 5, 0)
    ]


def test_the_office_may_change_what_it_decided(room: Classroom, office: Person, session: str) -> None:
    mark(office, room, session, "excused")
    assert mark(office, room, session, "leave")["updated"] == 1
    assert (record(room, session)["status"], record(room, session)["is_office"]) == ("leave", True)


def test_an_office_that_agrees_makes_it_stand(room: Classroom, office: Person, session: str) -> None:
    mark(room.teacher, room, session, "absent")
    assert mark(office, room, session, "absent")["updated"] == 1
    assert mark(room.teacher, room, session, "present")["overridden"]


def test_an_administrator_who_teaches_the_class_is_its_teacher(room: Classroom, office: Person, session: str) -> None:
    room.teacher.post(f"/api/classes/{room.id}/teachers", {"teacher_id": str(office.id)})
    assert mark(office, room, session, "excused")["records"][0]["is_office"] is False
    assert mark(room.teacher, room, session, "present")["updated"] == 1


@pytest.mark.parametrize("form", ["day", "batch", "list", "copy", "everyone-else"])
def test_no_form_of_marking_changes_what_the_office_decided(
    room: Classroom, office: Person, session: str, form: str
) -> None:
    ada = mark(office, room, session, "excused")["records"][0]["student_id"]
    other = str(room.teacher.post("/api/admin/sessions", LESSON | {"class_id": room.id}).json["id"])
    mark(room.teacher, room, other, "present")
    single = {"student_id": ada, "class_id": room.id, "date": "2026-03-12", "status": "present"}
    path, body = {
        "day": ("/api/attendance", single),
        "batch": ("/api/attendance/batch", {"records": [single]}),
        "list": ("/api/attendance/mark-attendance", {"session_id": session, "student_ids": [ada]}),
        "copy": (f"/api/attendance/session/{session}/copy", {"from_session_id": other, "only_unmarked": False}),
        "everyone-else": (f"/api/attendance/session/{session}/everyone-else", {}),
    }[form]
    answer = room.teacher.post(path, body)
    assert answer.status_code in {200, 201}
    assert answer.json["overridden"] == ([] if form == "everyone-else" else [ada])
    assert answer.json.get("newly_marked", 0) == answer.json.get("updated", 0) == 0
    assert record(room, session)["status"] == "excused"


@pytest.mark.parametrize("form", ["map", "day", "batch", "list", "everyone-else"])
def test_every_form_of_marking_is_the_offices_when_the_office_does_it(
    room: Classroom, office: Person, session: str, form: str
) -> None:
    ada = str(room.students["Ada"].id)
    subject = office.post("/api/subjects", {"name": "Mathematics", "code": "M-1"}).json["id"]
    single = {"student_id": ada, "class_id": room.id, "date": "2026-03-12", "status": "late"}
    path, body = {
        "map": ("/api/attendance", {"date": "2026-03-12", "subject_id": subject, "attendance": {ada: "late"}}),
        "day": ("/api/attendance", single),
        "batch": ("/api/attendance/batch", {"records": [single]}),
        "list": ("/api/attendance/mark-attendance", {"session_id": session, "student_ids": [ada]}),
        "everyone-else": (f"/api/attendance/session/{session}/everyone-else", {}),
    }[form]
    assert office.post(path, body, headers={"X-Reason": "by telephone"}).status_code in {200, 201}
    (found,) = office.get(f"/api/attendance?student_id={ada}").json["items"]
    assert found["is_office"] is True
    assert [mark[2:] for mark in marks(office, found["id"])] == [(found["status"], True, "by telephone")]


def test_released_a_record_says_what_the_teacher_marked_last(
    room: Classroom, office: Person, session: str, cast: Cast, at: Any
) -> None:
    id_ = mark(room.teacher, room, session, "absent")["records"][0]["id"]
    at(1)
    mark(office, room, session, "excused")
    at(2)
    mark(room.teacher, room, session, "late", row={"remarks": "bus"})
    assert release(room.teacher, id_).json["code"] == "role_not_allowed"
    assert release(office, id_).status_code == 200
    shown = record(room, session)
    assert (shown["status"], shown["remarks"], shown["is_office"]) == ("late", "bus", False)
    assert shown["marked_by_id"] == str(room.teacher.id)
    assert release(office, id_).json["code"] == "not_overridden"
    assert len(marks(office, id_)) == 3
    with cast.app.app_context():
        entries = db.session.scalars(select(AuditEntry).where(AuditEntry.row_id == uuid.UUID(id_))).all()
    assert (entries[-1].content or {})["reason"] == "mistake"
    assert mark(room.teacher, room, session, "present")["updated"] == 1


def test_released_a_record_says_how_they_checked_in(room: Classroom, office: Person, session: str, at: Any) -> None:
    at(20)
    room.students["Ada"].post("/check-in", {"session_id": session})
    at(30)
    id_ = mark(office, room, session, "absent")["records"][0]["id"]
    assert [m[0] for m in marks(office, id_)] == ["check_in", "manual"]
    release(office, id_)
    shown = record(room, session)
    assert (shown["status"], shown["source"], shown["is_office"]) == ("late", "check_in", False)
    assert shown["marked_by_id"] == str(room.students["Ada"].id)
    at(31)
    mark(room.teacher, room, session, "present")
    assert [m[0] for m in marks(office, id_)] == ["check_in", "manual", "manual"]


def test_released_a_record_of_somebody_who_checked_in_since_says_present(
    room: Classroom, office: Person, session: str, cast: Cast, at: Any
) -> None:
    id_ = mark(office, room, session, "excused")["records"][0]["id"]
    at(3)
    with cast.app.app_context():
        db.session.get_one(Record, uuid.UUID(id_)).checked_in_at = clock.now()
        db.session.commit()
    release(office, id_)
    assert (record(room, session)["status"], record(room, session)["source"]) == ("present", "check_in")


@pytest.mark.parametrize("marked_before", [False, True])
def test_released_a_record_of_somebody_who_came_late_since_says_late(
    room: Classroom, office: Person, session: str, at: Any, marked_before: bool
) -> None:
    if marked_before:
        mark(room.teacher, room, session, "absent")
        at(1)
    id_ = mark(office, room, session, "excused")["records"][0]["id"]
    at(20)
    assert room.students["Ada"].post("/check-in", {"session_id": session}).status_code == 201
    release(office, id_)
    assert (record(room, session)["status"], record(room, session)["source"]) == ("late", "check_in")


@pytest.mark.parametrize("comes_first", [False, True])
def test_released_a_record_whose_check_in_was_rejected_meanwhile_says_absent(
    room: Classroom, office: Person, session: str, at: Any, comes_first: bool
) -> None:
    def come() -> None:
        assert room.students["Ada"].post("/check-in", {"session_id": session}).status_code == 201

    if comes_first:
        come()
    at(1)
    id_ = mark(office, room, session, "excused")["records"][0]["id"]
    at(2)
    if not comes_first:
        come()
    for accept, status in ((False, "absent"), (True, "present")):
        answer = room.teacher.post(f"/attendance/reviews/{id_}", {"accept": accept, "reason": "not seen"})
        assert answer.status_code == 200, answer.text
        release(office, id_)
        assert record(room, session)["status"] == status
        mark(office, room, session, "excused")


def test_released_a_record_that_only_the_office_made_is_gone_or_absent_where_closed(
    room: Classroom, office: Person, session: str, cast: Cast
) -> None:
    id_ = mark(office, room, session, "excused")["records"][0]["id"]
    release(office, id_)
    assert record(room, session) is None
    assert office.get(f"/api/attendance/records/{id_}/marks").status_code == 404
    id_ = mark(office, room, session, "excused")["records"][0]["id"]
    room.teacher.post(f"/api/attendance/session/{session}/close", {})
    release(office, id_)
    assert (record(room, session)["status"], record(room, session)["source"]) == ("absent", "close")
    assert len(marks(office, id_)) == 1
    room.teacher.post(f"/api/attendance/session/{session}/reopen", {})
    assert record(room, session) is None


def test_what_was_recorded_before_there_were_marks_is_kept_as_one(
    room: Classroom, office: Person, session: str, cast: Cast, at: Any
) -> None:
    id_ = mark(room.teacher, room, session, "late")["records"][0]["id"]
    with cast.app.app_context():
        db.session.execute(delete(RecordMark))
        db.session.commit()
    at(1)
    mark(office, room, session, "absent")
    assert [m[1:3] for m in marks(office, id_)] == [("Mary Somerville", "late"), ("Olga Office", "absent")]
    release(office, id_)
    assert record(room, session)["status"] == "late"


def test_marks_are_seen_by_who_takes_the_sessions_attendance(
    room: Classroom, office: Person, session: str, cast: Cast
) -> None:
    path = f"/api/attendance/records/{mark(office, room, session, 'late')['records'][0]['id']}/marks"
    assert [person.get(path).status_code for person in (room.teacher, office)] == [200, 200]
    assert cast.teacher().get(path).json["code"] == "not_your_class"
    assert room.students["Ada"].get(path).status_code == 403
    elsewhere = cast.person(Role.ADMIN, cast.other_organisation())
    assert elsewhere.get(path).status_code == 404
    assert release(elsewhere, path.split("/")[-2]).status_code == 404
