"""Sessions of subjects, departments and events; changed, cancelled and restored, alone or with those that follow."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Department, Role, Subject, Timetable
from app.services import closing, timetables
from tests.conftest import Cast, Person
from tests.factories import make
from tests.story import Classroom

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LESSON = {"session_name": "Maths", "start_time": "2026-03-02T09:00:00Z", "end_time": "2026-03-02T10:00:00Z"}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the time, in minutes from nine on that Monday."""

    def set_time(minutes: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(minutes=minutes))

    set_time(-10_000)
    return set_time


@pytest.fixture
def room(cast: Cast, at: Any) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    at(-60)
    return room


def lesson(person: Person, **values: Any) -> Any:
    answer = person.post("/admin/sessions", LESSON | values)
    assert answer.status_code == 201, answer.text
    return answer.json


def check_in(person: Person, session: Any) -> Any:
    return person.post("/check-in", {"session_id": session["id"]})


def read(person: Person, session: Any) -> Any:
    return person.get(f"/attendance/session/{session['id']}").json


def change(person: Person, session: Any, scope: str = "this", **values: Any) -> Any:
    return person.put(f"/attendance/session/{session['id']}?scope={scope}", values)


def cancel(person: Person, session: Any, scope: str = "this", undo: bool = False) -> Any:
    path = f"/attendance/session/{session['id']}/{'restore' if undo else 'cancel'}"
    return person.post(path, {"scope": scope, "reason": "snow"})


def weekly(room: Classroom, **values: Any) -> list[Any]:
    body = {"class_id": room.id, "name": "Maths", "first_day": "2026-03-02", "starts_at": "09:00", "minutes": 60,
            "rule": "FREQ=WEEKLY"}  # fmt: skip
    answer = room.teacher.post("/admin/timetables", body | values)
    assert answer.status_code == 201, answer.text
    return listed(room.teacher)


def listed(person: Person, **filters: Any) -> list[Any]:
    found: list[Any] = person.get("/admin/sessions", query_string={"sort": "session_date"} | filters).json["items"]
    return found


def run(cast: Cast) -> None:
    with cast.app.app_context():
        timetables.make_sessions()


def active(person: Person) -> list[str]:
    return [session["id"] for session in person.get("/attendance/active-sessions").json["items"]]


def a_subject(room: Classroom) -> str:
    with room.cast.app.app_context():
        subject = make(Subject, organisation_id=room.teacher.organisation_id, teacher_id=room.teacher.id).id
    room.teacher.put(f"/api/classes/{room.id}/update", {"subject_id": str(subject)})
    return str(subject)


def a_department(cast: Cast) -> str:
    with cast.app.app_context():
        return str(make(Department, organisation_id=cast.organisation()).id)


def test_a_subjects_session_is_for_those_in_its_classes(room: Classroom, cast: Cast, at: Any) -> None:
    session, stranger = lesson(room.teacher, subject_id=a_subject(room)), cast.student()
    at(0)
    assert session["counts"]["expected"] == 2
    assert active(room.students["Ada"]) == [session["id"]]
    assert active(stranger) == []
    assert check_in(room.students["Ada"], session).status_code == 201
    assert check_in(stranger, session).json["code"] == "not_enrolled"
    room.students["Grace"].post(f"/api/classes/{room.id}/leave")
    assert read(room.teacher, session)["counts"]["expected"] == 1
    at(90)
    with cast.app.app_context():
        closing.close_due()
    closed = read(room.teacher, session)
    assert (closed["status"], closed["counts"]["present"], closed["counts"]["absent"]) == ("closed", 1, 0)
    assert cast.teacher().post("/admin/sessions", LESSON | {"subject_id": session["subject_id"]}).status_code == 403


def test_a_departments_session_is_for_its_employees(room: Classroom, cast: Cast, at: Any) -> None:
    department = a_department(cast)
    insider = cast.person(Role.EMPLOYEE, department_id=uuid.UUID(department))
    outsider = cast.person(Role.EMPLOYEE)
    session = lesson(room.teacher, department_id=department)
    at(0)
    assert (session["department_id"], session["counts"]["expected"]) == (department, 1)
    assert (active(insider), active(outsider), active(room.students["Ada"])) == ([session["id"]], [], [])
    assert check_in(insider, session).status_code == 201
    for other in (outsider, room.students["Ada"]):
        assert check_in(other, session).json["code"] == "not_enrolled"
        assert other.get(f"/attendance/session/{session['id']}").json["code"] == "not_your_session"


def test_who_is_not_of_a_department_or_a_subject_is_not_marked_in_its_session(room: Classroom, cast: Cast) -> None:
    department, stranger = a_department(cast), cast.student()
    insider = cast.person(Role.EMPLOYEE, department_id=uuid.UUID(department))
    for owner, expected in (
        ({"department_id": department}, insider),
        ({"subject_id": a_subject(room)}, room.students["Ada"]),
    ):
        body = {"session_id": lesson(room.teacher, **owner)["id"], "student_ids": [str(expected.id), str(stranger.id)]}
        marked = room.teacher.post("/attendance/mark-attendance", body).json
        assert (marked["newly_marked"], [r["student_id"] for r in marked["refused"]]) == (1, [str(stranger.id)])


def test_who_comes_later_was_not_expected_in_what_is_closed(room: Classroom, cast: Cast, at: Any) -> None:
    department = a_department(cast)
    sessions = [lesson(room.teacher), lesson(room.teacher, department_id=department)]
    at(90)
    with cast.app.app_context():
        closing.close_due()
    at(3 * 1440)
    cast.person(Role.EMPLOYEE, department_id=uuid.UUID(department))
    assert [read(room.teacher, session)["counts"]["expected"] for session in sessions] == [2, 0]


def test_a_subject_without_a_teacher_is_every_teachers_in_lists_too(room: Classroom, cast: Cast, at: Any) -> None:
    with cast.app.app_context():
        subject = str(make(Subject, organisation_id=cast.organisation(), teacher_id=None).id)
    session = lesson(cast.person(Role.ADMIN), subject_id=subject)
    assert [s["id"] for s in listed(room.teacher)] == [session["id"]]
    at(90)
    missing = room.teacher.get("/attendance/registers-not-taken").json["items"]
    assert [register["id"] for register in missing] == [session["id"]]


def test_an_event_expects_nobody_and_welcomes_everybody(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, is_event=True)
    at(0)
    assert (session["is_event"], session["counts"]["expected"]) == (True, 0)
    for person in (room.students["Ada"], cast.person(Role.EMPLOYEE), cast.teacher()):
        assert session["id"] in active(person)
        assert check_in(person, session).status_code == 201
    at(90)
    with cast.app.app_context():
        closing.close_due()
    counts = read(room.teacher, session)["counts"]
    assert (counts["expected"], counts["present"], counts["absent"]) == (3, 3, 0)


def test_everybodys_session_expects_students_and_employees(room: Classroom, cast: Cast) -> None:
    cast.person(Role.EMPLOYEE)
    assert lesson(room.teacher)["counts"]["expected"] == 3


@pytest.mark.parametrize("second", ["subject_id", "department_id", "is_event"])
def test_a_session_is_of_one_thing_at_most(room: Classroom, second: str) -> None:
    body = LESSON | {"class_id": room.id, second: True if second == "is_event" else room.id}
    answer = room.teacher.post("/admin/sessions", body)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")


@pytest.mark.parametrize("place", [(90.1, 0.0), (0.0, -180.1)])
def test_a_session_is_held_on_earth(room: Classroom, place: tuple[float, float]) -> None:
    body = LESSON | {"class_id": room.id, "location_lat": place[0], "location_lon": place[1]}
    assert room.teacher.post("/admin/sessions", body).json["code"] == "invalid_input"
    assert listed(room.teacher) == []


@pytest.mark.parametrize("whose", ["subject_id", "department_id"])
def test_another_organisations_subject_or_department_is_none(room: Classroom, cast: Cast, whose: str) -> None:
    model = {"subject_id": Subject, "department_id": Department}[whose]
    foreign = cast.other_organisation()
    with cast.app.app_context():
        id_ = str(make(model, organisation_id=foreign).id)
    assert room.teacher.post("/admin/sessions", LESSON | {whose: id_}).status_code == 404


def test_who_may_read_a_session(room: Classroom, cast: Cast) -> None:
    session = lesson(room.teacher, class_id=room.id, policy={"grace": 5})
    for person in (room.teacher, room.students["Ada"], cast.person(Role.ADMIN)):
        assert read(person, session)["policy"]["grace"] == 5
    refused = cast.student().get(f"/attendance/session/{session['id']}")
    assert (refused.status_code, refused.json["code"]) == (403, "not_class_member")


def test_one_session_is_renamed_and_moved(room: Classroom, cast: Cast) -> None:
    session = lesson(room.teacher, class_id=room.id)
    room.mark(session["id"], "Ada")
    answer = change(room.teacher, session, session_name="Test", description="Hall", policy={"grace": 1},
                    start_time="2026-03-03T11:00:00", end_time="2026-03-03T12:00:00")  # fmt: skip
    moved = read(room.teacher, session)
    assert answer.json == moved
    assert (moved["session_name"], moved["description"], moved["policy"]["grace"]) == ("Test", "Hall", 1)
    assert (moved["session_date"], moved["start_time"][:16]) == ("2026-03-03", "2026-03-03T11:00")
    assert moved["counts"]["present"] == 1
    entries = cast.person(Role.ADMIN).get("/api/admin/audit?entity=sessions&action=update").json["items"]
    assert entries[0]["after"]["name"] == "Test"


@pytest.mark.parametrize(
    ("values", "status", "code"),
    [
        ({"end_time": "2026-03-02T08:00:00Z"}, 400, "dates_refused"),
        ({"start_time": "2026-03-02T10:00:00Z"}, 400, "dates_refused"),
        ({"start_time": "0001-01-01T10:00:00Z"}, 422, "invalid_input"),
        ({"session_name": ""}, 422, "invalid_input"),
        ({"session_name": None}, 422, "invalid_input"),
        ({"start_time": None}, 422, "invalid_input"),
        ({"class_id": None}, 422, "invalid_input"),
        ({"policy": {"grace": -1}}, 422, "invalid_input"),
    ],
)
def test_what_makes_no_sense_changes_nothing(room: Classroom, values: Any, status: int, code: str) -> None:
    session = lesson(room.teacher, class_id=room.id)
    answer = change(room.teacher, session, **values)
    assert (answer.status_code, answer.json["code"]) == (status, code)
    assert read(room.teacher, session)["start_time"] == session["start_time"]


def test_a_session_without_times_gets_both_or_none(room: Classroom) -> None:
    session = {"id": room.session()}
    assert change(room.teacher, session, start_time="2026-03-05T09:00:00").json["code"] == "dates_refused"
    timed = change(room.teacher, session, start_time="2026-03-05T09:00:00", end_time="2026-03-05T10:00:00").json
    assert (timed["session_date"], timed["status"]) == ("2026-03-05", "scheduled")


def test_a_closed_or_cancelled_session_keeps_its_times_and_not_its_name(room: Classroom, at: Any) -> None:
    closed, cancelled = (lesson(room.teacher, class_id=room.id) for _ in "ab")
    early = room.teacher.post(f"/attendance/session/{closed['id']}/close", {})
    assert (early.status_code, early.json["code"]) == (409, "session_not_begun")
    at(0)
    room.teacher.post(f"/attendance/session/{closed['id']}/close", {})
    cancel(room.teacher, cancelled)
    for session, code in ((closed, "session_closed"), (cancelled, "session_cancelled")):
        refused = change(room.teacher, session, start_time="2026-03-02T08:00:00Z")
        assert (refused.status_code, refused.json["code"]) == (409, code)
        assert change(room.teacher, session, session_name="Test").json["session_name"] == "Test"
    assert cancel(room.teacher, closed).json["code"] == "session_closed"


def test_another_teacher_changes_nothing(room: Classroom, cast: Cast) -> None:
    other = cast.teacher()
    of_class, of_all = lesson(room.teacher, class_id=room.id), lesson(room.teacher)
    for session, code in ((of_class, "not_your_class"), (of_all, "not_your_session")):
        for answer in (
            change(other, session, session_name="x"),
            cancel(other, session),
            cancel(other, session, undo=True),
        ):
            assert (answer.status_code, answer.json["code"]) == (403, code)


def test_a_cancelled_session_expects_nobody_until_it_is_restored(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    for _ in "ab":
        cancelled = cancel(room.teacher, session).json
    assert (cancelled["status"], cancelled["counts"]["expected"]) == ("cancelled", 0)
    at(0)
    assert active(room.students["Ada"]) == []
    assert check_in(room.students["Ada"], session).status_code == 403
    assert [s["id"] for s in listed(room.teacher, status="cancelled")] == [session["id"]]
    assert listed(room.teacher, status="active") == []
    at(90)
    with cast.app.app_context():
        closing.close_due()
    assert read(room.teacher, session)["closed_at"] is None
    assert cancel(room.teacher, session, undo=True).json["status"] == "ended"
    with cast.app.app_context():
        closing.close_due()
    assert read(room.teacher, session)["counts"]["absent"] == 2
    entries = cast.person(Role.ADMIN).get("/api/admin/audit?entity=sessions&action=update").json["items"]
    assert [(e["reason"], "cancelled_at" in e["after"]) for e in entries if e["reason"] == "snow"][-1] == ("snow", True)


def test_this_one_changes_and_the_others_do_not(room: Classroom, cast: Cast) -> None:
    _, second, *_ = weekly(room)
    changed = change(room.teacher, second, start_time="2026-03-10T14:00:00", end_time="2026-03-10T15:00:00").json
    assert changed["is_changed"] is True
    run(cast)
    assert [s["start_time"][5:16] for s in listed(room.teacher)] == [
        "03-02T09:00", "03-10T14:00", "03-16T09:00", "03-23T09:00", "03-30T09:00"
    ]  # fmt: skip


def test_those_that_follow_change_with_it(room: Classroom, cast: Cast, at: Any) -> None:
    _, second, third, fourth, fifth = weekly(room, rule="FREQ=WEEKLY;COUNT=6")
    change(room.teacher, fourth, session_name="Test")
    room.mark(fifth["id"], "Ada")
    answer = change(room.teacher, third, "following", session_name="Physics", start_time="2026-03-16T10:00:00",
                    end_time="2026-03-16T10:45:00")  # fmt: skip
    assert answer.status_code == 200, answer.text
    at(-60 + 13 * 1440)
    run(cast)
    now = [(s["session_name"], s["start_time"][5:16], s["end_time"][11:16]) for s in listed(room.teacher)]
    assert now == [
        ("Maths", "03-02T09:00", "10:00"),
        ("Maths", "03-09T09:00", "10:00"),
        ("Physics", "03-16T10:00", "10:45"),
        ("Test", "03-23T09:00", "10:00"),
        ("Maths", "03-30T09:00", "10:00"),
        ("Physics", "04-06T10:00", "10:45"),
    ]
    old, new = room.teacher.get("/admin/timetables?sort=first_day").json["items"]
    assert (old["name"], old["last_day"], new["first_day"]) == ("Maths", "2026-03-15", "2026-03-16")
    assert (new["name"], new["starts_at"], new["rule"]) == ("Physics", "10:00", "FREQ=WEEKLY;COUNT=4")
    assert {s["timetable_id"] for s in listed(room.teacher)[2:]} == {new["id"]}
    assert second["timetable_id"] == old["id"]


def test_what_follows_the_first_is_the_whole_timetable(room: Classroom) -> None:
    first, *_ = weekly(room)
    change(room.teacher, first, "following", end_time="2026-03-02T11:00:00")
    (only,) = room.teacher.get("/admin/timetables").json["items"]
    assert (only["minutes"], {s["end_time"][11:16] for s in listed(room.teacher)}) == (120, {"11:00"})


def test_those_that_follow_stay_on_their_day(room: Classroom) -> None:
    _, second, *_ = before = weekly(room)
    moved = {"start_time": "2026-03-10T09:00:00", "end_time": "2026-03-10T10:00:00"}
    refused = change(room.teacher, second, "following", **moved)
    assert (refused.status_code, refused.json["code"]) == (422, "timetable_refused")
    assert listed(room.teacher) == before
    assert change(room.teacher, second, "all", **moved).status_code == 422


def test_a_cancelled_one_follows_and_stays_cancelled(room: Classroom) -> None:
    first, second, *_ = weekly(room)
    cancel(room.teacher, second)
    change(room.teacher, first, "following", session_name="Physics")
    again = listed(room.teacher)[1]
    assert (again["session_name"], again["status"]) == ("Physics", "cancelled")


def test_cancelling_those_that_follow_and_restoring_them(room: Classroom, cast: Cast, at: Any) -> None:
    _, _, third, fourth, fifth = weekly(room)
    cancel(room.teacher, fifth)
    at(-50)
    room.mark(fourth["id"], "Ada")
    cancel(room.teacher, third, "following")
    at(-60 + 7 * 1440)
    run(cast)
    statuses = ["ended", "scheduled", "cancelled", "scheduled", "cancelled"]
    assert [s["status"] for s in listed(room.teacher)] == statuses
    (timetable,) = room.teacher.get("/admin/timetables").json["items"]
    assert timetable["cancelled_from"] == "2026-03-16"
    assert cancel(room.teacher, third, "following", undo=True).status_code == 200
    # what was cancelled before, by itself, stays so; a week later there is one more
    assert [s["status"] for s in listed(room.teacher)] == [*statuses[:2], *["scheduled"] * 2, "cancelled", "scheduled"]


def test_one_that_was_cancelled_before_those_that_follow_is_restored_with_them(room: Classroom, at: Any) -> None:
    _, second, *_ = weekly(room)
    cancel(room.teacher, second)
    at(-50)
    cancel(room.teacher, second, "following")
    cancel(room.teacher, second, "following", undo=True)
    assert [s["status"] for s in listed(room.teacher)] == ["scheduled"] * 5


def test_one_of_those_that_were_cancelled_is_held_after_all(room: Classroom, cast: Cast) -> None:
    _, second, third, *_ = weekly(room)
    cancel(room.teacher, second, "following")
    cancel(room.teacher, third, undo=True)
    run(cast)
    assert [s["status"] for s in listed(room.teacher)] == ["scheduled", "cancelled", "scheduled", *["cancelled"] * 2]
    with cast.app.app_context():
        assert len(db.session.scalars(select(Timetable)).all()) == 1
