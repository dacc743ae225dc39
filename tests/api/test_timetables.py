"""Timetables: their sessions are made ahead, each once, at the time that the clocks show where they are held."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select

from app import clock
from app.extensions import db
from app.models import Class, Job, Recognition, Role, Session, Subject
from app.services import timetables
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
from tests.story import Classroom

MONDAY = datetime(2026, 3, 2, 7, 0, tzinfo=UTC)
"""At seven."""
WEEKLY = {
    "name": "Maths",
    "first_day": "2026-03-02",
    "starts_at": "09:00",
    "minutes": 60,
    "rule": "FREQ=WEEKLY;BYDAY=MO,WE",
}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the time, in days from the Monday."""

    def set_time(days: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: MONDAY + timedelta(days=days))

    set_time(-10)
    return set_time


@pytest.fixture
def room(cast: Cast, at: Any) -> Classroom:
    room = Classroom.open(cast)
    room.join("Ada")
    at(0)
    return room


@pytest.fixture
def admin(cast: Cast, at: Any) -> Person:
    return cast.person(Role.ADMIN)


def timetable(person: Person, **values: Any) -> Any:
    answer = person.post("/admin/timetables", WEEKLY | values)
    assert answer.status_code == 201, answer.text
    return answer.json


def sessions(person: Person, **filters: Any) -> list[Any]:
    query = {"per_page": 100, "sort": "session_date"} | filters
    found: list[Any] = person.get("/admin/sessions", query_string=query).json["items"]
    return found


def days(person: Person) -> list[str]:
    return [session["session_date"] for session in sessions(person)]


def run(cast: Cast) -> None:
    with cast.app.app_context():
        timetables.make_sessions()


def test_its_sessions_are_there_for_four_weeks_and_new_ones_come(room: Classroom, cast: Cast, at: Any) -> None:
    made = timetable(room.teacher, class_id=room.id, policy={"grace": 3})
    there = sessions(room.teacher)
    assert [s["session_date"][-5:] for s in there] == [
        "03-02", "03-04", "03-09", "03-11", "03-16", "03-18", "03-23", "03-25", "03-30"
    ]  # fmt: skip
    assert {(s["timetable_id"], s["class_id"], s["session_name"]) for s in there} == {(made["id"], room.id, "Maths")}
    assert (there[0]["start_time"][:16], there[0]["end_time"][:16]) == ("2026-03-02T09:00", "2026-03-02T10:00")
    assert (there[0]["policy"]["grace"], there[0]["counts"]["expected"]) == (3, 1)
    at(7)
    for _ in "ab":
        run(cast)
    assert days(room.teacher)[9:] == ["2026-04-01", "2026-04-06"]


def test_each_organisation_decides_how_far_ahead(cast: Cast, at: Any) -> None:
    admin = cast.person(Role.ADMIN, cast.other_organisation())
    at(0)
    admin.put(f"/api/admin/organizations/{admin.organisation_id}", {"settings": {"timetable_days": 3}})
    timetable(admin)
    assert days(admin) == ["2026-03-04"]  # it is Monday evening there


def test_nine_oclock_stays_nine_oclock_where_the_class_is(cast: Cast, at: Any) -> None:
    teacher = cast.teacher()
    body = {"name": "Evening", "time_zone": "America/New_York"}
    room = teacher.post("/api/classes/create", body).json
    assert room["time_zone"] == "America/New_York"
    at(0)
    made = timetable(teacher, class_id=room["id"], rule="FREQ=WEEKLY")
    assert made["time_zone"] == "America/New_York"
    starts = [s["start_time"][:16] for s in sessions(teacher)]
    assert starts[:2] == ["2026-03-02T14:00", "2026-03-09T13:00"]
    naive = {"session_name": "x", "start_time": "2026-03-02T09:00:00", "end_time": "2026-03-02T10:00:00"}
    assert teacher.post("/admin/sessions", naive | {"class_id": room["id"]}).json["start_time"][:16] == starts[0]


def test_a_night_shift_is_one_session_of_its_first_day(cast: Cast, at: Any, admin: Person) -> None:
    at(0)
    made = timetable(admin, rule="FREQ=DAILY", starts_at="22:00", minutes=None, ends_at="06:00")
    assert (made["minutes"], made["starts_at"], made["ends_at"]) == (480, "22:00", "06:00")
    first = sessions(admin)[0]
    assert (first["session_date"], first["start_time"][:16], first["end_time"][:16]) == (
        "2026-03-02",
        "2026-03-02T22:00",
        "2026-03-03T06:00",
    )


def test_one_that_is_over_today_is_not_made(room: Classroom, at: Any) -> None:
    at(0.2)  # almost noon
    timetable(room.teacher, class_id=room.id)
    assert days(room.teacher)[0] == "2026-03-04"


def test_terms_holidays_and_days_left_out(room: Classroom, admin: Person, cast: Cast) -> None:
    term = admin.post("/api/terms", {"name": "T", "first_day": "2026-03-04", "last_day": "2026-03-17"}).json["id"]
    holiday = {"name": "Fair", "first_day": "2026-03-08", "last_day": "2026-03-09"}
    admin.post("/api/holidays", holiday)
    made = timetable(room.teacher, class_id=room.id, term_id=term, left_out=["2026-03-11"])
    assert days(room.teacher) == ["2026-03-04", "2026-03-16"]
    path = f"/admin/timetables/{made['id']}"
    changed = room.teacher.put(path, {"on_holidays": True, "left_out": []})
    assert changed.json["left_out"] == []
    assert days(room.teacher) == ["2026-03-04", "2026-03-09", "2026-03-11", "2026-03-16"]


def test_a_change_of_a_term_or_a_holiday_reaches_the_sessions_to_come(
    room: Classroom, admin: Person, cast: Cast
) -> None:
    term = admin.post("/api/terms", {"name": "T", "first_day": "2026-03-01", "last_day": "2026-03-31"}).json["id"]
    timetable(room.teacher, class_id=room.id, term_id=term)
    assert len(days(room.teacher)) == 9
    admin.put(f"/api/terms/{term}", {"last_day": "2026-03-12"})
    holiday = admin.post("/api/holidays", {"name": "Fair", "first_day": "2026-03-09", "last_day": "2026-03-09"}).json
    with cast.app.app_context():
        assert db.session.scalar(select(func.count()).where(Job.kind == timetables.MAKE)) == 3
    run(cast)
    assert days(room.teacher) == ["2026-03-02", "2026-03-04", "2026-03-11"]
    admin.delete(f"/api/holidays/{holiday['id']}")
    run(cast)
    assert days(room.teacher) == ["2026-03-02", "2026-03-04", "2026-03-09", "2026-03-11"]


def test_a_change_reaches_the_sessions_to_come_but_not_what_was_taken_or_changed(room: Classroom, at: Any) -> None:
    made = timetable(room.teacher, class_id=room.id)
    _, second, third, fourth, *_ = sessions(room.teacher)
    room.mark(third["id"], "Ada")
    room.teacher.put(f"/attendance/session/{fourth['id']}", {"session_name": "Test"})
    at(1)
    body = {"name": "Physics", "starts_at": "11:00", "ends_at": "11:45"}
    answer = room.teacher.put(f"/admin/timetables/{made['id']}", body)
    assert (answer.status_code, answer.json["minutes"]) == (200, 45)
    now = [(s["session_name"], s["start_time"][11:16], s["end_time"][11:16]) for s in sessions(room.teacher)]
    maths, physics = ("Maths", "09:00", "10:00"), ("Physics", "11:00", "11:45")
    assert now == [maths, physics, maths, ("Test", "09:00", "10:00"), *[physics] * 5]
    room.teacher.put(f"/admin/timetables/{made['id']}", {"rule": "FREQ=WEEKLY;BYDAY=MO"})
    assert second["session_date"] not in days(room.teacher)
    assert fourth["session_date"] in days(room.teacher)


def test_a_removed_timetable_leaves_what_was_held(room: Classroom, at: Any, cast: Cast) -> None:
    made = timetable(room.teacher, class_id=room.id)
    taken = sessions(room.teacher)[3]
    room.mark(taken["id"], "Ada")
    tried = sessions(room.teacher)[1]
    assert room.students["Ada"].post("/check-in", {"session_id": tried["id"]}).json["code"] == "too_early"
    at(1)
    assert room.teacher.delete(f"/admin/timetables/{made['id']}").status_code == 200
    assert days(room.teacher) == ["2026-03-02", tried["session_date"], taken["session_date"]]
    assert [s["status"] for s in sessions(room.teacher)] == ["ended", "cancelled", "scheduled"]
    assert room.teacher.get(f"/admin/timetables/{made['id']}").status_code == 404


def test_a_session_of_a_confirmed_recognition_is_cancelled_as_well(room: Classroom, cast: Cast) -> None:
    made = timetable(room.teacher, class_id=room.id)
    seen = sessions(room.teacher)[1]
    own = {"organisation_id": room.teacher.organisation_id, "class_id": uuid.UUID(room.id)}
    with cast.app.app_context():
        taken = make(Recognition, **own, taken_on=MONDAY.date(), taken_by_id=room.teacher.id, sizes=[[640, 480]]).id
    path = f"/api/attendance/recognitions/{taken}/confirm"
    assert room.teacher.post(path, {"session_id": seen["id"]}).status_code == 200, "nobody was there"
    assert room.teacher.delete(f"/admin/timetables/{made['id']}").status_code == 200
    assert [(s["id"], s["status"]) for s in sessions(room.teacher)] == [(seen["id"], "cancelled")]


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"rule": "FREQ=HOURLY"}, 422, "timetable_refused"),
        ({"rule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30"}, 422, "timetable_refused"),
        ({"rule": "every Monday"}, 422, "timetable_refused"),
        ({"last_day": "2026-03-01"}, 422, "timetable_refused"),
        ({"first_day": "2025-03-03", "last_day": "2026-03-01"}, 422, "timetable_refused"),
        ({"rule": "FREQ=DAILY;COUNT=1", "left_out": ["2026-03-02"]}, 422, "timetable_refused"),
        ({"first_day": "1999-01-01"}, 422, "invalid_input"),
        ({"starts_at": "9:00"}, 422, "invalid_input"),
        ({"starts_at": 9}, 422, "invalid_input"),
        ({"minutes": 0}, 422, "invalid_input"),
        ({"minutes": "60"}, 422, "invalid_input"),
        ({"minutes": None}, 422, "invalid_input"),
        ({"ends_at": "10:00"}, 422, "invalid_input"),
        ({"is_event": True, "subject_id": "01935c1e-8f00-7000-8000-000000000001"}, 422, "invalid_input"),
        ({"subject_id": "01935c1e-8f00-7000-8000-000000000001"}, 404, "not_found"),
        ({"department_id": "01935c1e-8f00-7000-8000-000000000001"}, 404, "not_found"),
        ({"term_id": "01935c1e-8f00-7000-8000-000000000001"}, 404, "not_found"),
    ],
)
def test_what_makes_no_sessions_is_refused(
    teacher: Person, at: Any, values: dict[str, Any], status: int, code: str
) -> None:
    at(0)
    answer = teacher.post("/admin/timetables", WEEKLY | values)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert teacher.get("/admin/timetables").json["total"] == 0


def test_a_timetable_is_its_teachers(room: Classroom, cast: Cast, admin: Person) -> None:
    made, other = timetable(room.teacher, class_id=room.id), cast.teacher()
    path = f"/admin/timetables/{made['id']}"
    assert other.post("/admin/timetables", WEEKLY | {"class_id": room.id}).json["code"] == "not_your_class"
    assert {call(path).json["code"] for call in (other.get, other.delete)} == {"not_your_class"}
    own = timetable(other)
    assert room.teacher.put(f"/admin/timetables/{own['id']}", {"name": "x"}).json["code"] == "not_your_timetable"
    for person, ids in ((room.teacher, [made["id"]]), (other, [own["id"]]), (admin, [made["id"], own["id"]])):
        items = person.get("/admin/timetables?sort=-first_day").json["items"]
        assert sorted(item["id"] for item in items) == sorted(ids)
    listed = admin.get("/admin/timetables", query_string={"class_id": room.id}).json["items"]
    assert [item["id"] for item in listed] == [made["id"]]


def test_what_overlaps_is_allowed_and_told(room: Classroom) -> None:
    first = timetable(room.teacher, class_id=room.id)
    assert first["overlaps"] == []
    lesson = {"session_name": "Extra", "start_time": "2026-03-04T09:30:00", "end_time": "2026-03-04T10:30:00"}
    extra = room.teacher.post("/admin/sessions", lesson | {"class_id": room.id})
    assert extra.json["overlaps"] == [sessions(room.teacher)[1]["id"]]
    second = timetable(room.teacher, class_id=room.id, rule="FREQ=WEEKLY;BYDAY=WE", starts_at="10:00")
    assert second["overlaps"] == [extra.json["id"]]
    assert timetable(room.teacher)["overlaps"] == []


def test_two_schedulers_at_once_make_each_session_once(room: Classroom, cast: Cast, at: Any) -> None:
    timetable(room.teacher, class_id=room.id)
    at(13)
    start = Barrier(4)

    def tick(_: int) -> None:
        start.wait()
        run(cast)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tick, range(4)))
    assert len(days(room.teacher)) == len(set(days(room.teacher))) == 12


def test_one_timetable_that_fails_holds_up_no_other(
    room: Classroom, cast: Cast, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad = timetable(room.teacher, class_id=room.id)["id"]
    timetable(room.teacher, name="Physics")
    make_them = timetables.make

    def failing(caller: Any, row: Any) -> None:
        if str(row.id) == bad:
            raise RuntimeError
        make_them(caller, row)

    monkeypatch.setattr(timetables, "make", failing)
    at(14)
    run(cast)
    made = sessions(room.teacher, start_date="2026-03-31")
    assert {s["session_name"] for s in made} == {"Physics"}
    assert len(made) == 4


def test_statements_do_not_grow_with_the_sessions(room: Classroom, cast: Cast, at: Any) -> None:
    numbers = []
    for rule in ("FREQ=DAILY;COUNT=2", "FREQ=DAILY"):
        with counted(cast.app) as said:
            timetable(room.teacher, class_id=room.id, rule=rule)
        id_ = room.teacher.get("/admin/timetables?sort=name").json["items"][-1]["id"]
        with counted(cast.app) as changed:
            room.teacher.put(f"/admin/timetables/{id_}", {"starts_at": "12:00"})
        numbers.append((len(said), len(changed)))
    assert numbers[0] == numbers[1]
    assert len(days(room.teacher)) == 31


def test_an_inactive_class_has_no_sessions_to_come(room: Classroom, cast: Cast) -> None:
    timetable(room.teacher, class_id=room.id)
    with cast.app.app_context():
        db.session.scalars(select(Class)).one().is_active = False
        db.session.commit()
    run(cast)
    assert days(room.teacher) == []


def test_a_subjects_timetable_is_its_teachers_and_expects_its_students(room: Classroom, cast: Cast) -> None:
    with cast.app.app_context():
        subject = make(Subject, organisation_id=room.teacher.organisation_id, teacher_id=room.teacher.id).id
    room.teacher.put(f"/api/classes/{room.id}/update", {"subject_id": str(subject)})
    made = timetable(room.teacher, subject_id=str(subject))
    assert made["subject_id"] == str(subject)
    assert sessions(room.teacher)[0]["counts"]["expected"] == 1
    other = cast.teacher()
    assert other.post("/admin/timetables", WEEKLY | {"subject_id": str(subject)}).json["code"] == "not_your_subject"
    assert other.get(f"/admin/timetables/{made['id']}").status_code == 403


def test_a_class_that_moves_takes_its_timetables_along(room: Classroom, cast: Cast) -> None:
    timetable(room.teacher, class_id=room.id)
    moved = room.teacher.put(f"/api/classes/{room.id}/update", {"time_zone": "Asia/Tokyo", "policy": {"grace": 1}})
    assert (moved.json["time_zone"], moved.json["policy"]["grace"]) == ("Asia/Tokyo", 1)
    run(cast)
    assert sessions(room.teacher)[0]["start_time"][:16] == "2026-03-04T00:00"
    assert room.teacher.put(f"/api/classes/{room.id}/update", {"time_zone": "Mars/Base"}).status_code == 422


def test_marking_a_day_is_marking_its_session_if_that_is_held(room: Classroom) -> None:
    timetable(room.teacher, class_id=room.id)
    first, second, *_ = sessions(room.teacher)
    room.teacher.post(f"/attendance/session/{second['id']}/cancel", {})
    for session, status in ((first, 201), (second, 409)):
        mark = {"class_id": room.id, "student_id": str(room.students["Ada"].id), "status": "present"}
        answer = room.teacher.post("/api/attendance", mark | {"date": session["session_date"]})
        assert answer.status_code == status, answer.text
    assert [s["counts"]["present"] for s in sessions(room.teacher, end_date="2026-03-04")] == [1, 0]


def test_keys_tell_what_a_session_was_made_for(room: Classroom, cast: Cast) -> None:
    made = timetable(room.teacher, class_id=room.id, rule="FREQ=DAILY;COUNT=1")
    with cast.app.app_context():
        assert db.session.scalars(select(Session.key)).all() == [f"timetable {made['id']} 2026-03-02"]
