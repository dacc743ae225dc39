"""Checking in and out, as a phone does it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Attempt, Organisation, Record, Role
from app.services import retention
from tests.conftest import Cast, Person
from tests.story import Classroom
from tests.test_races import at_once, twin

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
LISBON = {"lat": 38.7223, "lon": -9.1393}
METRE = 1 / 111_195


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the time, in minutes from nine o'clock."""

    def set_time(minutes: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(minutes=minutes))

    set_time(-1000)
    return set_time


@pytest.fixture
def room(cast: Cast, at: Any) -> Classroom:
    room = Classroom.open(cast)
    room.join("Ada")
    at(0)
    return room


def lecture(teacher: Person, **values: Any) -> str:
    body = {"session_name": "Lecture 7", "start_time": "2026-03-12T09:00:00Z", "end_time": "2026-03-12T10:00:00Z"}
    answer = teacher.post("/admin/sessions", body | values)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def at_lisbon(room: Classroom, **values: Any) -> str:
    place = {"location_lat": LISBON["lat"], "location_lon": LISBON["lon"], "class_id": room.id}
    return lecture(room.teacher, **place | values)


def away(metres: float, **more: Any) -> dict[str, Any]:
    return {"lat": LISBON["lat"] + metres * METRE, "lon": LISBON["lon"], **more}


def check_in(person: Person, session: str, **where: Any) -> Any:
    return person.post("/attendance/check-in", {"session_id": session} | (where or LISBON))


@pytest.mark.parametrize(("minutes", "status"), [(-15, "present"), (10, "present"), (11, "late"), (60, "late")])
def test_who_checks_in_is_present_and_then_late(room: Classroom, at: Any, minutes: int, status: str) -> None:
    session = at_lisbon(room)
    at(minutes)
    answer = check_in(room.students["Ada"], session, **away(42))
    assert (answer.status_code, answer.json["status"], answer.json["source"]) == (201, status, "check_in")
    assert answer.json["distance"] == pytest.approx(42, abs=0.2)
    assert datetime.fromisoformat(answer.json["check_in_time"]) == NINE + timedelta(minutes=minutes)
    assert answer.json["verification_status"] == "verified"


@pytest.mark.parametrize(("minutes", "code"), [(-16, "too_early"), (61, "too_late")])
def test_outside_its_time_nobody_checks_in(room: Classroom, at: Any, minutes: int, code: str) -> None:
    session = at_lisbon(room)
    at(minutes)
    answer = check_in(room.students["Ada"], session)
    assert (answer.status_code, answer.json["code"]) == (403, code)


def test_who_is_too_far_away_is_told_how_far(room: Classroom, cast: Cast) -> None:
    session = at_lisbon(room, location_radius=50)
    answer = check_in(room.students["Ada"], session, **away(80, accuracy=10.0))
    assert (answer.status_code, answer.json["code"]) == (403, "outside_geofence")
    assert (round(answer.json["distance"]), answer.json["radius"]) == (80, 50)
    with cast.app.app_context():
        attempt = db.session.scalars(select(Attempt)).one()
        assert (attempt.refused, round(attempt.evidence["distance"])) == ("outside_geofence", 80)
        assert db.session.scalars(select(Record)).all() == []


def test_who_may_be_inside_is_let_in_for_the_teacher_to_look_at(room: Classroom) -> None:
    session = at_lisbon(room)
    answer = check_in(room.students["Ada"], session, **away(120, accuracy=40))
    assert (answer.status_code, answer.json["verification_status"]) == (201, "pending")


@pytest.mark.parametrize(
    ("where", "status", "code"),
    [
        ({"accuracy": 5}, 403, "location_missing"),
        ({"lat": 38.7}, 403, "location_missing"),
        ({"lat": 91, "lon": 0}, 403, "location_invalid"),
        ({"lat": 0, "lon": 0}, 403, "outside_geofence"),
        ({"lat": 38.7223, "lon": -9.1393, "accuracy": 500}, 403, "location_inaccurate"),
        ({"lat": "38.7", "lon": "x"}, 422, "invalid_input"),
        ({"lat": True, "lon": False}, 422, "invalid_input"),
    ],
)
def test_what_cannot_be_checked_is_refused(room: Classroom, where: dict[str, Any], status: int, code: str) -> None:
    answer = check_in(room.students["Ada"], at_lisbon(room), **where)
    assert (answer.status_code, answer.json["code"]) == (status, code)


def test_infinity_is_no_place(room: Classroom) -> None:
    body = f'{{"session_id": "{at_lisbon(room)}", "lat": 1e999, "lon": 0}}'
    student = room.students["Ada"]
    answer = student.post("/attendance/check-in", data=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in {403, 422}


def test_who_is_not_in_the_class_does_not_check_in(room: Classroom, cast: Cast) -> None:
    answer = check_in(cast.student(), at_lisbon(room))
    assert (answer.status_code, answer.json["code"]) == (403, "not_enrolled")


def test_a_session_that_is_marked_by_hand_takes_no_check_in(room: Classroom) -> None:
    assert check_in(room.students["Ada"], room.session()).json["code"] == "not_timed"


def test_checking_in_twice_says_so_and_is_no_check_out(room: Classroom) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    record = check_in(ada, session).json
    again = check_in(ada, session)
    assert (again.status_code, again.json["code"], again.json["record_id"]) == (409, "already_checked_in", record["id"])
    (kept,) = ada.get("/attendance/my-history").json["items"]
    assert (kept["check_in_time"], kept["check_out_time"]) == (record["check_in_time"], None)


def test_thirty_taps_at_once_are_one_record(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    assert at_once(lambda _: check_in(twin(cast, ada), session), 30) == {201: 1, 409: 29}
    with cast.app.app_context():
        assert len(db.session.scalars(select(Record)).all()) == 1
        assert len(db.session.scalars(select(Attempt)).all()) == 30


def test_who_was_thought_absent_and_checks_in_is_there(room: Classroom, cast: Cast, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    room.mark(session, "Ada")
    at(20)
    answer = check_in(ada, session)
    assert (answer.status_code, answer.json["status"], answer.json["source"]) == (201, "late", "check_in")
    assert check_in(ada, session).status_code == 409


def test_checking_out_tells_how_long_one_stayed(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    record = check_in(ada, session).json["id"]
    at(45)
    body = {"record_id": record} | LISBON
    outside = ada.post("/attendance/check-out", {"record_id": record} | away(900))
    assert (outside.status_code, outside.json["code"]) == (403, "outside_geofence")
    out = ada.post("/attendance/check-out", body)
    assert (out.status_code, out.json["minutes"]) == (200, 45)
    again = ada.post("/attendance/check-out", body)
    assert (again.status_code, again.json["code"]) == (409, "already_checked_out")


def test_nobody_checks_out_who_has_not_checked_in_nor_for_another(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    room.mark(session, "Ada")
    (record,) = ada.get("/attendance/my-history").json["items"]
    body = {"record_id": record["id"]} | LISBON
    assert ada.post("/attendance/check-out", body).json["code"] == "not_checked_in"
    assert cast.student().post("/attendance/check-out", body).status_code == 404


def test_a_time_without_an_offset_is_where_the_organisation_is(cast: Cast) -> None:
    own = cast.other_organisation()
    with cast.app.app_context():
        organisation = db.session.get(Organisation, own)
        assert organisation
        organisation.time_zone = "America/New_York"
        db.session.commit()
    teacher = cast.teacher(organisation_id=own)
    # the clocks went forward on the 8th: nine o'clock is 14:00 in UTC before, and 13:00 after
    for day, hour in (("2026-03-06", 14), ("2026-03-09", 13)):
        body = {"session_name": "Maths", "start_time": f"{day}T09:00:00", "end_time": f"{day}T10:00:00"}
        made = teacher.post("/admin/sessions", body).json
        assert datetime.fromisoformat(made["start_time"]).astimezone(UTC).hour == hour
        assert made["session_date"] == day


def test_a_night_shift_is_one_session_of_its_first_day(teacher: Person, at: Any) -> None:
    body = {"session_name": "Night", "start_time": "2026-03-12T22:00:00", "end_time": "2026-03-13T06:00:00"}
    assert teacher.post("/admin/sessions", body).json["session_date"] == "2026-03-12"


@pytest.mark.parametrize(
    "values",
    [{"end_time": "2026-03-12T08:00:00Z"}, {"location_lat": 38.7}, {"location_radius": 1}, {"start_time": "nine"}],
)
def test_a_session_that_makes_no_sense_is_refused(teacher: Person, values: dict[str, Any]) -> None:
    body = {"session_name": "Lecture", "start_time": "2026-03-12T09:00:00Z", "end_time": "2026-03-12T10:00:00Z"}
    assert teacher.post("/admin/sessions", body | values).status_code in {400, 422}


def test_the_radius_is_the_organisations_unless_it_is_given(room: Classroom) -> None:
    made = room.teacher.get("/admin/sessions").json["total"]
    at_lisbon(room)
    listed = room.teacher.get("/admin/sessions").json
    assert (listed["total"], listed["items"][0]["location_radius"]) == (made + 1, 100)


def test_the_sessions_that_run_now_are_those_that_one_may_attend(room: Classroom, cast: Cast, at: Any) -> None:
    own, everybodys = at_lisbon(room), lecture(room.teacher)
    other = Classroom.open(cast)
    at_lisbon(other)

    def running(person: Person) -> set[str]:
        return {session["id"] for session in person.get("/attendance/active-sessions").json["items"]}

    assert running(room.students["Ada"]) == {own, everybodys}
    assert len(running(cast.person(Role.ADMIN))) == 3
    at(61)
    assert running(room.students["Ada"]) == set()


@pytest.mark.parametrize(("minutes", "status"), [(-20, "scheduled"), (30, "active"), (90, "ended")])
def test_sessions_are_listed_by_what_they_are_now(room: Classroom, at: Any, minutes: int, status: str) -> None:
    session = at_lisbon(room)
    at(minutes)
    for wanted in ("scheduled", "active", "ended"):
        items = room.teacher.get(f"/admin/sessions?status={wanted}").json["items"]
        assert [(s["id"], s["status"]) for s in items] == ([(session, status)] if wanted == status else [])
    assert room.teacher.get("/admin/sessions?start_date=2026-03-13").json["total"] == 0


def test_somebody_elses_sessions_are_not_ones_own_to_report(room: Classroom, cast: Cast) -> None:
    session = lecture(room.teacher)
    colleague = cast.teacher()
    assert colleague.get(f"/attendance/session/{session}/report").json["code"] == "not_your_session"
    assert colleague.get("/admin/sessions").json["total"] == 0


def test_a_report_has_counts_shares_and_records(room: Classroom) -> None:
    room.join("Grace")
    session = at_lisbon(room)
    check_in(room.students["Ada"], session)
    report = room.teacher.get(f"/attendance/session/{session}/report").json
    assert (report["counts"]["expected"], report["counts"]["present"], report["rates"]["present"]) == (2, 1, 0.5)
    assert [r["student"]["first_name"] for r in report["records"]["items"]] == ["Ada"]


def test_a_history_is_for_staff_and_for_oneself(room: Classroom, cast: Cast) -> None:
    ada = room.students["Ada"]
    check_in(ada, at_lisbon(room))
    path = f"/attendance/user/{ada.id}/history"
    for person in (ada, room.teacher, cast.person(Role.ADMIN)):
        assert person.get(path).json["total"] == 1
    for person in (cast.student(), cast.person(Role.PARENT), cast.person(Role.EMPLOYEE)):
        assert person.get(path).status_code == 404
    assert ada.get("/attendance/my-history?end_date=2026-03-11").json["total"] == 0
    assert ada.get("/attendance/my-history?start_date=2026-03-12&end_date=2026-03-12").json["total"] == 1


def test_older_clients_check_in_at_their_own_address(room: Classroom) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    assert ada.post("/check-in", {"session_id": session} | LISBON).status_code == 201
    assert room.teacher.get(f"/session/{session}/attendance").json["total"] == 1
    assert room.teacher.get(f"/attendance/session/{session}/attendance").json["total"] == 1


def test_where_people_were_is_forgotten_in_its_time_and_that_they_were_is_not(
    room: Classroom, cast: Cast, at: Any
) -> None:
    check_in(room.students["Ada"], at_lisbon(room))
    kept = []
    for days in (89, 91):
        at(days * 24 * 60)
        with cast.app.app_context():
            retention.clean_up()
            kept.append((len(db.session.scalars(select(Attempt)).all()), len(db.session.scalars(select(Record)).all())))
    assert kept == [(1, 1), (0, 1)]
