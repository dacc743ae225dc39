"""Checking in and out, as a phone does it."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select

from app import clock, create_app
from app.extensions import db
from app.models import (
    Attempt,
    AuditEntry,
    Class,
    Department,
    Organisation,
    Record,
    Role,
    Session,
    Status,
    Subject,
    User,
)
from app.services import face_check, face_data, installation, retention
from tests.conftest import Cast, Person, settings_for
from tests.factories import make
from tests.pictures import astronaut, coarse, data_url, encode, grace_hopper, variation
from tests.statements import counted
from tests.story import Classroom, consent, enrol
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
    assert answer.json["failed"] == ["outside_geofence"]
    with cast.app.app_context():
        attempt = db.session.scalars(select(Attempt)).one()
        assert (attempt.refused, round(attempt.evidence["location"]["distance"])) == ("outside_geofence", 80)
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
    assert running(room.teacher) == {own, everybodys}
    assert running(cast.person(Role.PARENT)) == {everybodys}
    at(61)
    assert running(room.students["Ada"]) == set()


def test_a_session_runs_from_when_it_opens_by_its_own_rules(room: Classroom, cast: Cast, at: Any) -> None:
    ada = room.students["Ada"]
    usual, early, late = (with_policy(room, **policy) for policy in ({}, {"opens_before": 60}, {"opens_before": 5}))
    sessions = {usual: "usual", early: "early", late: "late"}

    def running() -> list[str]:
        listed = ada.get("/attendance/active-sessions")
        assert listed.status_code == 200, listed.text
        return sorted(sessions[session["id"]] for session in listed.json["items"])

    def lets_in() -> list[str]:
        person = room.join(f"Ada at {clock.now()}")
        return sorted(name for id_, name in sessions.items() if check_in(person, id_).json.get("code") != "too_early")

    for minutes, names in ((-61, []), (-60, ["early"]), (-15, ["early", "usual"]), (-5, ["early", "late", "usual"])):
        at(minutes)
        assert running() == lets_in() == names
    with cast.app.app_context():
        db.session.get_one(Class, uuid.UUID(room.id)).policy = {"opens_before": 1440}
        db.session.commit()
    at(-1440)
    assert running() == lets_in() == ["usual"]
    before = said(cast, lambda: ada.get("/attendance/active-sessions"))
    for _ in range(10):
        with_policy(room, opens_before=1440)
    assert said(cast, lambda: ada.get("/attendance/active-sessions")) == before


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


def with_policy(room: Classroom, **policy: Any) -> str:
    return lecture(room.teacher, class_id=room.id, policy=policy)


def kept(cast: Cast) -> list[Attempt]:
    with cast.app.app_context():
        return list(db.session.scalars(select(Attempt).order_by(Attempt.created_at, Attempt.id)))


@pytest.fixture
def decide(cast: Cast) -> Iterator[Any]:
    """Sets the organisation's settings, which outlive a test else."""

    def set_settings(**settings: Any) -> None:
        with cast.app.app_context():
            db.session.get_one(Organisation, cast.organisation()).settings = settings
            db.session.commit()

    yield set_settings
    set_settings()


SQUARE = [[38.7, -9.2], [38.7, -9.1], [38.8, -9.1], [38.8, -9.2]]


def test_what_was_shown_is_kept_piece_by_piece(room: Classroom, cast: Cast) -> None:
    session = with_policy(room, requires=["location"], sites=[{"polygon": SQUARE}, {"latitude": 0.0, "longitude": 0.0}])
    phone = LISBON | {"accuracy": 12, "fix_time": "2026-03-12T08:59:50Z", "device_id": "Ada's phone"}
    answer = check_in(room.students["Ada"], session, **phone)
    assert (answer.status_code, answer.json["class_name"], answer.json["session_name"]) == (
        201,
        "Astronomy",
        "Lecture 7",
    )
    assert (answer.json["distance"], answer.json["flags"], answer.json["review_reason"]) == (0, [], None)
    (attempt,) = kept(cast)
    assert attempt.evidence == {"location": {"outcome": "pass", "distance": 0.0, "radius": 0.0, "accuracy": 12.0}}
    assert (attempt.latitude, attempt.longitude, attempt.accuracy) == (38.7223, -9.1393, 12.0)
    assert len(attempt.device_id or "") == 64
    assert "phone" not in str(attempt.device_id)


def test_where_one_is_is_kept_though_it_does_not_matter(room: Classroom, cast: Cast) -> None:
    session = with_policy(room, requires=[], sites=[{"latitude": 0.0, "longitude": 0.0, "radius": 50}])
    assert check_in(room.students["Ada"], session).json["verification_status"] == "verified"
    assert kept(cast)[0].evidence["location"]["outcome"] == "fail"


def test_a_class_has_rules_of_its_own_and_a_session_others(room: Classroom, cast: Cast) -> None:
    with cast.app.app_context():
        db.session.get_one(Class, uuid.UUID(room.id)).policy = {"requires": ["network"], "networks": ["10.0.0.0/8"]}
        db.session.commit()
    ada = room.students["Ada"]
    assert check_in(ada, lecture(room.teacher, class_id=room.id)).json["code"] == "network_outside"
    assert check_in(ada, with_policy(room, networks=["127.0.0.0/8"])).status_code == 201


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ({"requires": ["location"]}, "no_place"),
        ({"requires": ["network"]}, "no_network"),
        ({"requires": ["code"]}, "code_missing"),
        ({"requires": ["face"]}, "face_missing"),
    ],
)
def test_what_a_session_cannot_check_lets_nobody_in(room: Classroom, policy: dict[str, Any], code: str) -> None:
    answer = check_in(room.students["Ada"], with_policy(room, **policy))
    assert (answer.status_code, answer.json["code"], answer.json["failed"]) == (403, code, [code])


def test_all_that_is_missing_is_said_at_once(room: Classroom) -> None:
    session = with_policy(room, requires=["face", "code", "network", "location"], networks=["10.0.0.0/8"])
    answer = check_in(room.students["Ada"], session)
    assert answer.json["failed"] == ["no_place", "network_outside", "code_missing", "face_missing"]


@pytest.mark.parametrize(
    ("taken", "status", "code"),
    [
        ("2026-03-12T08:54:59Z", 403, "location_old"),
        ("2026-03-12T10:54:59+02:00", 403, "location_old"),
        ("0001-01-01T00:00:00+14:00", 403, "location_old"),
        ("9999-12-31T23:59:59Z", 201, None),
        ("2026-03-12T08:59:00", 422, "invalid_input"),
        (1773305940, 422, "invalid_input"),
    ],
)
def test_a_position_has_its_time(room: Classroom, taken: Any, status: int, code: str | None) -> None:
    answer = check_in(room.students["Ada"], at_lisbon(room), **LISBON, fix_time=taken)
    assert (answer.status_code, answer.json.get("code")) == (status, code)


def test_the_organisation_says_how_old_a_position_may_be(room: Classroom, decide: Any) -> None:
    decide(geofence={"max_age": 30})
    answer = check_in(room.students["Ada"], at_lisbon(room), **LISBON, fix_time="2026-03-12T08:59:29Z")
    assert (answer.json["code"], answer.json["age"], answer.json["max_age"]) == ("location_old", 31, 30)


def signs(cast: Cast, answer: Any) -> list[str]:
    """Those that were found in what was tried last, of which the answer says nothing."""
    assert (answer.status_code, answer.json["flags"]) == (201, []), answer.text
    with cast.app.app_context():
        attempts = db.session.scalars(select(Attempt).order_by(Attempt.id.desc()))
        return list(attempts.first().flags)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("phone", "flags"),
    [
        ({"is_mocked": True}, ["mocked_location"]),
        ({"fix_time": "2026-03-12T08:58:00Z"}, ["old_fix"]),
        ({"fix_time": "2026-03-12T09:02:00Z", "is_mocked": True}, ["future_fix", "mocked_location"]),
    ],
)
def test_a_sign_of_fraud_asks_for_a_look_and_refuses_nobody(
    room: Classroom, cast: Cast, phone: dict[str, Any], flags: list[str]
) -> None:
    answer = check_in(room.students["Ada"], at_lisbon(room), **LISBON, **phone)
    assert answer.status_code == 201, answer.text
    assert (answer.json["verification_status"], signs(cast, answer)) == ("pending", flags)
    assert kept(cast)[0].flags == flags


def test_one_phone_for_two_people_is_a_sign_for_half_a_day(room: Classroom, cast: Cast, at: Any) -> None:
    room.join("Grace")
    session, phone = at_lisbon(room), LISBON | {"device_id": "b7f1"}
    assert signs(cast, check_in(room.students["Ada"], session, **phone)) == []
    assert signs(cast, check_in(room.students["Grace"], session, **phone)) == ["shared_device"]
    evening = at_lisbon(room, start_time="2026-03-12T21:01:00Z", end_time="2026-03-12T22:00:00Z")
    at(12 * 60 + 1)
    assert signs(cast, check_in(room.students["Grace"], evening, **phone)) == []
    assert signs(cast, check_in(room.students["Ada"], evening, **phone)) == ["shared_device"]


def test_who_was_far_away_a_moment_ago_is_looked_at(room: Classroom, cast: Cast, at: Any) -> None:
    ada = room.students["Ada"]
    there, here = at_lisbon(room, location_lat=41.1579, location_lon=-8.6291), at_lisbon(room)
    assert signs(cast, check_in(ada, there, lat=41.1579, lon=-8.6291)) == []
    at(5)
    assert signs(cast, check_in(ada, here)) == ["impossible_travel"]


def test_the_same_spot_to_the_last_digit_is_looked_at_the_fourth_time(room: Classroom, cast: Cast) -> None:
    flags = [
        signs(cast, check_in(room.students["Ada"], at_lisbon(room), lat=38.7223011, lon=-9.1393022)) for _ in range(4)
    ]
    assert flags == [[], [], [], ["repeated_position"]]


@pytest.mark.parametrize(
    ("trusted", "forwarded", "code"),
    [
        (0, "10.0.0.5", "network_outside"),
        (1, "10.0.0.5", None),
        (1, "10.0.0.5, 203.0.113.7", "network_outside"),
        (1, "203.0.113.7, ::ffff:10.0.0.5", None),
    ],
)
def test_only_a_trusted_proxy_says_where_a_request_comes_from(
    tmp_path: Any, trusted: int, forwarded: str, code: str | None
) -> None:
    app = create_app(settings_for(tmp_path, trusted_proxies=trusted))
    with app.app_context():
        installation.prepare()
        own = Cast(app).organisation()
    admin = Cast(app).person(Role.ADMIN, own)
    now = datetime.now(UTC)
    times = {"start_time": now.isoformat(), "end_time": (now + timedelta(hours=1)).isoformat()}
    session = lecture(admin, **times, policy={"requires": ["network"], "networks": ["10.0.0.0/8"]})
    body, headers = {"session_id": session}, {"X-Forwarded-For": forwarded}
    assert admin.post("/attendance/check-in", body, headers=headers).json.get("code") == code


def test_a_face_is_compared_with_ones_own_and_nobody_elses(room: Classroom, cast: Cast) -> None:
    room.join("Eileen")
    eileen, ada = room.students["Eileen"], room.students["Ada"]
    enrol(eileen, [encode(astronaut())])
    session = with_policy(room, requires=["face"])

    def try_with(person: Person, picture: bytes) -> Any:
        return check_in(person, session, image=data_url(picture))

    other = try_with(eileen, encode(grace_hopper()))
    assert (other.status_code, other.json["code"]) == (403, "face_mismatch")
    assert other.json["distance"] > 0.6
    assert other.json["confidence"] < 0.3
    nobody = try_with(eileen, encode(astronaut().resize((8, 8))))
    assert (nobody.json["code"], nobody.json["reason"]) == ("face_unclear", "no_face")
    assert try_with(eileen, b"no picture").json["reason"] == "not_an_image"
    assert try_with(ada, encode(astronaut())).json["code"] == "face_not_enrolled"
    consent(ada)
    assert try_with(ada, encode(astronaut())).json["code"] == "face_not_enrolled"
    own = try_with(eileen, encode(variation(astronaut(), 3)))
    assert (own.status_code, own.json["verification_status"]) == (201, "verified")
    *_, attempt = kept(cast)
    assert attempt.evidence["face"]["outcome"] == "pass"
    assert attempt.evidence["face"]["confidence"] > 0.9
    assert try_with(eileen, encode(grace_hopper())).json["code"] == "already_checked_in"


def test_who_withdraws_while_the_picture_is_read_is_not_compared(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    eileen, analyse = room.join("Eileen"), face_data.analyse
    enrol(eileen, [encode(astronaut())])
    session = with_policy(room, requires=["face"])

    def withdraw_and_analyse(*pictures: Any, **wanted: Any) -> Any:
        eileen.post("/api/face-data/consent", {"accepted": False})
        return analyse(*pictures, **wanted)

    monkeypatch.setattr(face_check, "analyse", withdraw_and_analyse)
    refused = check_in(eileen, session, image=data_url(encode(astronaut())))
    assert (refused.json["code"], "distance" in refused.json) == ("face_not_enrolled", False)


def test_a_face_that_may_be_ones_own_is_looked_at(room: Classroom, cast: Cast, decide: Any) -> None:
    """Strangers are as near as this more often than once in ten million times."""
    eileen, picture = room.join("Eileen"), data_url(encode(coarse(astronaut())))
    enrol(eileen, [encode(astronaut())])
    assert (
        check_in(eileen, with_policy(room, requires=["face"]), image=picture).json["verification_status"] == "verified"
    )
    decide(faces={"false_match_rate": 1e-7})
    answer = check_in(eileen, with_policy(room, requires=["face"]), image=picture)
    assert (answer.status_code, answer.json["verification_status"]) == (201, "pending")
    assert kept(cast)[1].evidence["face"]["outcome"] == "uncertain"


def test_where_faces_are_off_a_session_that_asks_for_one_says_so(room: Classroom, decide: Any) -> None:
    decide(faces={"enabled": False})
    answer = check_in(room.students["Ada"], with_policy(room, requires=["face"]), image=data_url(encode(astronaut())))
    assert (answer.status_code, answer.json["code"]) == (403, "faces_off")


def change_session(cast: Cast, session: str, **values: Any) -> None:
    with cast.app.app_context():
        row = db.session.get_one(Session, uuid.UUID(session))
        for name, value in values.items():
            setattr(row, name, value)
        db.session.commit()


def test_a_cancelled_session_takes_nobody(room: Classroom, cast: Cast) -> None:
    session = at_lisbon(room)
    change_session(cast, session, cancelled_at=NINE)
    assert check_in(room.students["Ada"], session).json["code"] == "session_cancelled"


def test_a_subjects_session_is_for_its_classes_and_a_departments_for_who_works_there(
    room: Classroom, cast: Cast
) -> None:
    own, employee = room.teacher.organisation_id, cast.person(Role.EMPLOYEE)
    with cast.app.app_context():
        subject, department = make(Subject, organisation_id=own).id, make(Department, organisation_id=own).id
        db.session.get_one(Class, uuid.UUID(room.id)).subject_id = subject
        db.session.get_one(User, employee.id).department_id = department
        db.session.commit()
    ada, stranger = room.students["Ada"], cast.student()
    for values, expected in (({"subject_id": subject}, ada), ({"department_id": department}, employee)):
        session = lecture(room.teacher)
        change_session(cast, session, **values)
        for person in (ada, employee, stranger):
            told = check_in(person, session).json.get("code")
            assert told == (None if person is expected else "not_enrolled")


def test_what_the_office_decided_stays_and_when_one_came_is_noted(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    room.mark(session, "Ada")
    with cast.app.app_context():
        record = db.session.scalars(select(Record)).one()
        record.status, record.is_office = Status.EXCUSED, True
        db.session.commit()
    answer = check_in(ada, session)
    assert (answer.status_code, answer.json["status"], answer.json["source"]) == (201, "excused", "manual")
    assert answer.json["check_in_time"]
    assert check_in(ada, session).json["code"] == "already_checked_in"


def test_a_check_in_waits_for_nobodys_audit_log_and_a_change_by_hand_is_in_it(room: Classroom, cast: Cast) -> None:
    def logged() -> int:
        with cast.app.app_context():
            return len(db.session.scalars(select(AuditEntry).where(AuditEntry.entity == "records")).all())

    session, ada = at_lisbon(room), room.students["Ada"]
    record = check_in(ada, session).json["id"]
    assert ada.post("/attendance/check-out", {"record_id": record} | LISBON).status_code == 200
    assert logged() == 0
    assert room.teacher.post(f"/attendance/reviews/{record}", {"accept": False, "reason": "Left"}).status_code == 200
    assert logged() == 1


STATEMENTS = {"in": 6, "again": 4, "refused": 4, "out": 5}
"""The sign-in, the session with all that concerns one of it, the signs of fraud, that the session is still so, the
record, the attempt; what is refused asks for no signs and has no record."""


def said(cast: Cast, call: Any) -> tuple[int, int]:
    """How many statements a call takes; SQLite's BEGIN is none that others send."""
    with counted(cast.app) as statements:
        answer = call()
    return answer.status_code, len([one for one in statements if not one.startswith("BEGIN")])


@pytest.mark.parametrize("others", [10, 1000])
def test_a_check_in_takes_six_statements_however_many_have_checked_in(room: Classroom, cast: Cast, others: int) -> None:
    ada, session = room.students["Ada"], at_lisbon(room)
    own = {"organisation_id": ada.organisation_id, "created_at": NINE}
    people = [uuid.uuid4() for _ in range(others)]
    with cast.app.app_context():
        db.session.execute(insert(User), [own | {"id": id_, "first_name": "A", "role": "student"} for id_ in people],
                           execution_options={"audited": False})  # fmt: skip
        of = own | {"session_id": uuid.UUID(session), "status": "present", "marked_at": NINE, "marked_by_id": ada.id}
        db.session.execute(insert(Record), [of | {"id": uuid.uuid4(), "student_id": id_} for id_ in people],
                           execution_options={"audited": False})  # fmt: skip
        db.session.commit()
    body = {"session_id": session, "device_id": "b7f1"}
    counts = {"refused": said(cast, lambda: ada.post("/attendance/check-in", body | away(900)))}
    counts["in"] = said(cast, lambda: ada.post("/attendance/check-in", body | LISBON))
    counts["again"] = said(cast, lambda: ada.post("/attendance/check-in", body | LISBON))
    (record,) = ada.get("/attendance/my-history").json["items"]
    counts["out"] = said(cast, lambda: ada.post("/attendance/check-out", {"record_id": record["id"]} | LISBON))
    assert {name: status for name, (status, _) in counts.items()} == {
        "in": 201,
        "again": 409,
        "refused": 403,
        "out": 200,
    }
    assert {name: number for name, (_, number) in counts.items()} == STATEMENTS


def test_a_class_that_checks_in_while_the_session_is_closed_has_one_record_each(room: Classroom, cast: Cast) -> None:
    session = at_lisbon(room)
    people = [room.join(f"Student {n}") for n in range(11)]
    before = [twin(cast, person) for person in people]

    def call(n: int) -> Any:
        if n == 5:
            return twin(cast, room.teacher).post(f"/attendance/session/{session}/close", {})
        return check_in(before[n], session)

    answers = at_once(call, 11)
    assert answers.keys() <= {200, 201, 403}
    with cast.app.app_context():
        records = db.session.scalars(select(Record).where(Record.session_id == uuid.UUID(session))).all()
        assert len(records) == len({record.student_id for record in records}) == 12
        assert sum(record.checked_in_at is not None for record in records) == answers[201]
