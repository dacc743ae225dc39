"""Gates: their keys, who passes by face, badge or PIN, and what that makes of the day."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from PIL import Image
from sqlalchemy import func, select, update

from app import clock
from app.extensions import db, limiter
from app.models import (
    AuditEntry,
    Department,
    Gate,
    GateCredential,
    Guardian,
    Organisation,
    Passage,
    Record,
    Role,
    Session,
    Source,
    Status,
    User,
)
from app.services import gates as service
from app.services import retention
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make
from tests.pictures import astronaut, coarse, data_url, encode, grace_hopper, group, variation
from tests.statements import counted
from tests.story import consent, enrol
from tests.test_races import at_once, rows, twin

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the time, in minutes from nine o'clock; people signed in before it began."""

    def set_time(minutes: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(minutes=minutes))

    set_time(-100)
    return set_time


@pytest.fixture
def admin(cast: Cast, at: Any) -> Person:
    admin = cast.person(Role.ADMIN)
    at(0)
    return admin


def add_gate(admin: Person, name: str = "Main entrance", direction: str | None = None) -> Person:
    made = admin.post("/api/gates", {"name": name, "direction": direction})
    assert made.status_code == 201, made.text
    return Person(admin.client, made.json["id"], token=made.json["key"])


def knows(admin: Person, person: Person, badge: str) -> None:
    assert admin.put(f"/api/admin/users/{person.id}/badge", {"badge": badge}).status_code == 200


def passing(gate: Person, **sent: Any) -> Any:
    answer = gate.post("/api/gate/passages", sent)
    assert answer.status_code == 200, answer.text
    (one,) = answer.json["passages"]
    return one


def outcome(gate: Person, **sent: Any) -> str:
    return str(passing(gate, **sent)["outcome"])


def decide(cast: Cast, **settings: Any) -> None:
    """What the organisation has decided, for one test."""
    with cast.app.app_context():
        own = update(Organisation).where(Organisation.id == cast.organisation())
        db.session.execute(own.values(**settings))
        db.session.commit()


def record_of(cast: Cast, person: Person) -> Record:
    with cast.app.app_context():
        return db.session.scalars(select(Record).where(Record.student_id == person.id)).one()


# the devices


def test_a_gates_key_is_shown_once_and_kept_as_a_hash(admin: Person, cast: Cast) -> None:
    gate = add_gate(admin)
    listed = admin.get("/api/gates")
    (only,) = listed.json["items"]
    assert gate.token is not None
    assert (gate.token[:3], len(gate.token)) == ("rg_", 46)
    assert gate.token not in listed.text
    assert (only["hint"], only["direction"], only["last_used_at"]) == (gate.token[:8], None, None)
    with cast.app.app_context():
        entries = db.session.scalars(select(AuditEntry).where(AuditEntry.entity == "gates")).all()
        kept = db.session.scalars(select(Gate)).one().key_hash
        assert gate.token not in kept
        assert [entry.content["after"]["key_hash"] for entry in entries if entry.content] == ["(secret)"]


def test_a_new_key_replaces_the_one_before_and_revives_a_gate(admin: Person) -> None:
    gate = add_gate(admin)
    admin.post(f"/api/gates/{gate.id}/revoke")
    renewed = admin.post(f"/api/gates/{gate.id}/key")
    assert (renewed.status_code, renewed.json["revoked_at"]) == (201, None)
    assert gate.post("/api/gate/passages", {"badge": "7"}).json["code"] == "token_invalid"
    gate.token = renewed.json["key"]
    assert outcome(gate, badge="7") == "unknown"


def test_a_gate_is_renamed_and_turned_and_two_have_not_one_name(admin: Person) -> None:
    gate = add_gate(admin)
    add_gate(admin, "Back door")
    changed = admin.put(f"/api/gates/{gate.id}", {"direction": "out"}).json
    assert (changed["name"], changed["direction"]) == ("Main entrance", "out")
    for taken in (
        admin.put(f"/api/gates/{gate.id}", {"name": "Back door"}),
        admin.post("/api/gates", {"name": "Back door"}),
    ):
        assert (taken.status_code, taken.json["code"]) == (409, "name_taken")


def test_it_is_known_to_the_minute_when_a_gate_last_called(admin: Person, at: Any, cast: Cast) -> None:
    gate = add_gate(admin)
    seen = []
    for minutes in (0, 0.9, 1.1):
        at(minutes)
        outcome(gate, badge="7")
        seen.append(admin.get("/api/gates").json["items"][0]["last_used_at"])
    assert seen[0] == seen[1] != seen[2]
    with cast.app.app_context():
        actions = db.session.scalars(select(AuditEntry.action).where(AuditEntry.entity == "gates")).all()
    assert actions == ["create"]


def test_the_gates_of_a_deactivated_organisation_stop(admin: Person, cast: Cast) -> None:
    gate = add_gate(admin)
    decide(cast, is_active=False)
    answer = gate.post("/api/gate/passages", {"badge": "7"})
    assert (answer.status_code, answer.json["code"]) == (403, "organisation_inactive")


# badges and PINs


def test_a_badge_is_known_in_any_capitals_and_with_blanks(admin: Person, student: Person) -> None:
    knows(admin, student, "04:a2:Straße")
    one = passing(add_gate(admin), badge=" 04:A2:STRASSE ")
    assert (one["outcome"], one["by"], one["person"]["name"]) == ("in", "badge", "Ada Lovelace")
    assert one["person"].keys() == {"id", "name", "first_name", "last_name", "role"}


def test_a_badge_is_one_persons(admin: Person, cast: Cast, student: Person) -> None:
    other, foreign = cast.student(), cast.person(Role.ADMIN, cast.other_organisation())
    knows(admin, student, "7")
    taken = admin.put(f"/api/admin/users/{other.id}/badge", {"badge": " 7"})
    assert (taken.status_code, taken.json["code"]) == (409, "badge_taken")
    knows(admin, student, "7")
    knows(admin, student, "8")
    knows(admin, other, "7")
    knows(foreign, foreign, "7")


def test_a_person_has_the_last_pin_drawn_and_a_badge_until_it_is_taken(admin: Person, student: Person) -> None:
    gate, path = add_gate(admin), f"/api/admin/users/{student.id}"
    first, second = (admin.post(f"{path}/pin").json["pin"] for _ in range(2))
    assert (len(second), second.isdigit()) == (6, True)
    assert outcome(gate, pin=first) == "unknown"
    assert outcome(gate, pin=second) == "in"
    assert outcome(gate, badge=second) == "unknown", "a PIN is no badge"
    knows(admin, student, "7")
    for kind, known in (("pin", {"pin": second}), ("badge", {"badge": "7"})):
        assert admin.delete(f"{path}/{kind}").status_code == 200
        assert outcome(gate, **known) == "unknown"


def test_a_pin_that_is_taken_is_drawn_again(
    admin: Person, cast: Cast, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = iter([7, 7, 7, 8])
    monkeypatch.setattr("app.services.gates.secrets.randbelow", lambda _: next(numbers))
    other = cast.student()
    drawn = [admin.post(f"/api/admin/users/{person.id}/pin").json["pin"] for person in (student, other)]
    assert drawn == ["000007", "000008"]


def test_pins_are_longer_where_many_have_one(
    admin: Person, student: Person, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "FEW", 1)
    lengths = [len(admin.post(f"/api/admin/users/{p.id}/pin").json["pin"]) for p in (student, cast.student(), student)]
    assert lengths == [6, 8, 8]


def test_neither_badge_nor_pin_is_to_be_read_anywhere(admin: Person, cast: Cast, student: Person) -> None:
    knows(admin, student, "badge-4711")
    pin = admin.post(f"/api/admin/users/{student.id}/pin").json["pin"]
    told = admin.get(f"/api/admin/users/{student.id}/export").text + admin.get("/api/admin/audit?per_page=100").text
    with cast.app.app_context():
        kept = [row.value_hash for row in db.session.scalars(select(GateCredential))]
    assert len(kept) == 2
    assert not any(secret in told for secret in ("badge-4711", f'"{pin}"', *kept))


def test_wrong_guesses_at_a_gate_are_stopped_and_pictures_and_other_gates_are_not(
    admin: Person, student: Person
) -> None:
    limiter.enabled = True
    gate, other = add_gate(admin), add_gate(admin, "Back door")
    pin = admin.post(f"/api/admin/users/{student.id}/pin").json["pin"]
    wrong = f"{(int(pin) + 1) % 10**6:06}"
    assert outcome(gate, pin=pin) == "in"
    body = {"pin": wrong, "image": None}
    guesses = [gate.post("/api/gate/passages", sent).status_code for sent in [body] * 9 + [{"badge": wrong}]]
    assert guesses == [200] * 10
    stopped = gate.post("/api/gate/passages", {"pin": pin})
    assert (stopped.status_code, stopped.json["code"]) == (429, "too_many_requests")
    assert 0 < int(stopped.headers["Retry-After"]) <= 60
    assert gate.post("/api/gate/passages", data={"pin": pin}, content_type="multipart/form-data").status_code == 429
    empty = Image.new("RGB", (320, 240), "grey")
    assert gate.post("/api/gate/passages", {"image": data_url(encode(empty))}).json == {"passages": []}
    assert outcome(other, pin=pin) == "debounced"


def test_people_who_pass_are_no_guesses(admin: Person, student: Person) -> None:
    limiter.enabled = True
    gate = add_gate(admin)
    knows(admin, student, "7")
    assert [outcome(gate, badge="7") for _ in range(15)] == ["in"] + ["debounced"] * 14


@pytest.mark.parametrize("body", [{}, {"badge": "7", "pin": "7"}, {"badge": ""}, {"pin": 7}, {"image": None}])
def test_exactly_one_is_sent(admin: Person, body: Any) -> None:
    answer = add_gate(admin).post("/api/gate/passages", body)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")


# passing


def test_a_gate_without_a_direction_goes_by_turns_for_the_day(
    admin: Person, cast: Cast, student: Person, at: Any
) -> None:
    knows(admin, student, "7")
    gate, back = add_gate(admin), add_gate(admin, "Back door")
    told = []
    for minutes, where in ((0, gate), (0.9, gate), (1.1, back), (60, gate), (24 * 60, gate)):
        at(minutes)
        told.append(outcome(where, badge="7"))
    assert told == ["in", "debounced", "out", "in", "in"], "who was inside at midnight has gone unseen"
    assert rows(cast, Passage) == 4


def test_a_gate_with_a_direction_says_it(admin: Person, student: Person, at: Any) -> None:
    knows(admin, student, "7")
    out, into = add_gate(admin, "Exit", "out"), add_gate(admin, "Entry", "in")
    told = []
    for minutes, gate in ((0, out), (2, into), (4, into), (6, out), (8, out)):
        at(minutes)
        told.append(outcome(gate, badge="7"))
    assert told == ["out", "in", "in", "out", "out"]


def test_who_is_seen_again_at_once_gets_the_passage_that_there_is(admin: Person, student: Person, at: Any) -> None:
    knows(admin, student, "7")
    first, other = add_gate(admin), add_gate(admin, "Exit", "out")
    one = passing(first, badge="7")
    at(0.99)
    again = passing(other, badge="7")
    assert again == one | {"outcome": "debounced"}


def test_the_day_ends_where_the_organisation_is(admin: Person, cast: Cast, student: Person, at: Any) -> None:
    decide(cast, time_zone="Asia/Tokyo")
    knows(admin, student, "7")
    gate = add_gate(admin)
    at(5 * 60)  # 23:00 in Tokyo
    assert outcome(gate, badge="7") == "in"
    at(5.5 * 60)
    assert outcome(gate, badge="7") == "out"
    at(5.75 * 60)
    assert outcome(gate, badge="7") == "in"
    at(6.25 * 60)  # 0:15
    assert outcome(gate, badge="7") == "in"
    with cast.app.app_context():
        keys = db.session.scalars(select(Session.key).order_by(Session.key)).all()
    assert keys == ["day 2026-03-12", "day 2026-03-13"]


@pytest.mark.parametrize("what", ["suspend", "deactivate", "erase"])
def test_who_is_not_active_is_unknown(admin: Person, cast: Cast, student: Person, what: str) -> None:
    knows(admin, student, "7")
    path = f"/api/admin/users/{student.id}"
    done = admin.delete(path) if what == "deactivate" else admin.post(f"{path}/{what}", {})
    assert done.status_code == 200
    one = passing(add_gate(admin), badge="7")
    assert (one["outcome"], one["person"], one["at"]) == ("unknown", None, None)
    assert rows(cast, Passage) == rows(cast, Session) == 0


def test_another_organisations_gate_sees_nobody_of_this_one(admin: Person, cast: Cast, student: Person) -> None:
    knows(admin, student, "7")
    pin = admin.post(f"/api/admin/users/{student.id}/pin").json["pin"]
    enrol(student, [encode(astronaut())])
    elsewhere = add_gate(cast.person(Role.ADMIN, cast.other_organisation()))
    for sent in ({"badge": "7"}, {"pin": pin}, {"image": data_url(encode(astronaut()))}):
        assert outcome(elsewhere, **sent) == "unknown"
    assert rows(cast, Passage) == 0


# faces


def test_everybody_who_is_recognised_passes(admin: Person, cast: Cast, student: Person, at: Any) -> None:
    at(-100)
    grace = cast.student(first_name="Grace")
    at(0)
    enrol(student, [encode(astronaut())])
    enrol(grace, [encode(grace_hopper())])
    gate = add_gate(admin)
    both = gate.post(
        "/api/gate/passages", {"image": data_url(encode(group(variation(astronaut(), 2), grace_hopper())))}
    )
    passages = {one["person"]["first_name"]: one for one in both.json["passages"]}
    assert {name: one["outcome"] for name, one in passages.items()} == {"Ada": "in", "Grace": "in"}
    assert passages["Grace"]["distance"] < 0.5 < passages["Grace"]["confidence"]
    assert passages["Ada"]["box"]["left"] < passages["Grace"]["box"]["left"]
    at(5)
    picture = io.BytesIO(encode(variation(grace_hopper(), 3)))
    (left,) = gate.post("/api/gate/passages", data={"image": (picture, "gate.jpg")}).json["passages"]
    assert (left["outcome"], left["person"]["id"]) == ("out", str(grace.id))
    with cast.app.app_context():
        kept = db.session.scalars(select(Passage).where(Passage.user_id == grace.id).order_by(Passage.at)).all()
    assert [(p.direction, p.by, set(p.figures)) for p in kept] == [
        ("in", "face", {"distance", "confidence"}),
        ("out", "face", {"distance", "confidence"}),
    ]


def test_who_is_unknown_or_uncertain_is_not_let_through(admin: Person, cast: Cast, student: Person) -> None:
    enrol(student, [encode(astronaut())])
    gate = add_gate(admin)
    stranger = passing(gate, image=data_url(encode(grace_hopper())))
    assert (stranger["outcome"], stranger["person"], stranger["distance"]) == ("unknown", None, None)
    near = encode(coarse(astronaut()))
    distance = passing(add_gate(admin, "Trial"), image=data_url(near))["distance"]
    with cast.app.app_context():
        db.session.execute(Passage.__table__.delete())  # type: ignore[attr-defined]
        db.session.commit()
    decide(cast, settings={"faces": {"false_match_rate": 1e-7}})
    doubtful = passing(gate, image=data_url(near))
    assert (doubtful["outcome"], doubtful["person"], doubtful["distance"]) == ("uncertain", None, distance)
    assert rows(cast, Passage) == 0


def test_who_is_recognised_and_not_active_is_unknown(admin: Person, cast: Cast, student: Person) -> None:
    gate, picture = add_gate(admin), data_url(encode(astronaut()))
    enrol(student, [encode(astronaut())])
    assert outcome(gate, image=picture) == "in"
    assert admin.delete(f"/api/admin/users/{student.id}").status_code == 200
    one = passing(gate, image=picture)
    assert (one["outcome"], one["person"], one["distance"], one["confidence"]) == ("unknown", None, None, None)
    assert rows(cast, Passage) == 1


def test_without_consent_to_gates_a_face_is_unknown(
    admin: Person, cast: Cast, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Templates of those who agreed to an earlier text are for the room only."""
    with monkeypatch.context() as earlier:
        earlier.setattr("app.services.consents.TEXT_VERSION", "2026-11")
        enrol(student, [encode(astronaut())])
    gate = add_gate(admin)
    picture = data_url(encode(astronaut()))
    assert outcome(gate, image=picture) == "unknown"
    consent(student)
    assert outcome(gate, image=picture) == "in"


def test_what_is_no_picture_is_refused_and_so_are_faces_where_they_are_off(admin: Person, cast: Cast) -> None:
    gate = add_gate(admin)
    answer = gate.post("/api/gate/passages", {"image": "rubbish"})
    assert (answer.status_code, answer.json["code"]) == (400, "not_an_image")
    decide(cast, settings={"faces": {"enabled": False}})
    assert gate.post("/api/gate/passages", {"image": "rubbish"}).json["code"] == "faces_off"


# races and cost


def test_two_gates_at_once_are_one_passage(admin: Person, cast: Cast, student: Person) -> None:
    knows(admin, student, "7")
    gates = [add_gate(admin, f"Gate {n}") for n in range(2)]
    answers = at_once(lambda n: twin(cast, gates[n % 2]).post("/api/gate/passages", {"badge": "7"}), 10)
    assert answers == {200: 10}
    assert (rows(cast, Passage), rows(cast, Session), rows(cast, Record)) == (1, 1, 1)


def test_many_people_at_once_make_one_day(admin: Person, cast: Cast) -> None:
    with cast.app.app_context():
        own = cast.organisation()
        people = [
            Person(cast.app.test_client(), make(User, organisation_id=own, role=Role.STUDENT).id) for _ in range(10)
        ]
    for number, person in enumerate(people):
        knows(admin, person, str(number))
    gate = add_gate(admin)
    answers = at_once(lambda n: twin(cast, gate).post("/api/gate/passages", {"badge": str(n)}), 10)
    assert answers == {200: 10}
    assert (rows(cast, Passage), rows(cast, Session), rows(cast, Record)) == (10, 1, 10)


def test_passing_takes_few_statements_however_many_pass(admin: Person, cast: Cast, student: Person, at: Any) -> None:
    at(-100)
    grace = cast.student(first_name="Grace")
    at(0)
    enrol(student, [encode(astronaut())])
    enrol(grace, [encode(grace_hopper())])
    gate, said, nobody = add_gate(admin), {}, encode(Image.new("RGB", (80, 80)))
    for minutes, people in ((0, [astronaut()]), (10 * 24 * 60, [astronaut(), grace_hopper()])):
        at(minutes)
        gate.post("/api/gate/passages", {"image": data_url(nobody)})  # notes when it last called, loads the gallery
        picture = data_url(encode(group(*people)))
        with counted(cast.app) as statements:
            answer = gate.post("/api/gate/passages", {"image": picture})
        assert [one["outcome"] for one in answer.json["passages"]] == ["in"] * len(people)
        said[len(people)] = len(statements)
    assert said[1] == said[2] <= 30


# the day's attendance


def test_passing_writes_the_days_attendance(admin: Person, cast: Cast, student: Person, at: Any) -> None:
    knows(admin, student, "7")
    gate = add_gate(admin)
    for minutes in (0, 60, 120, 180):
        at(minutes)
        passing(gate, badge="7")
    record = record_of(cast, student)
    assert (record.status, record.source, record.verification) == ("present", Source.GATE, "verified")
    assert (record.checked_in_at, record.checked_out_at) == (NINE, NINE + timedelta(hours=3))
    (day,) = admin.get("/api/admin/sessions").json["items"]
    assert (day["session_name"], day["session_date"], day["class_id"], day["start_time"]) == (
        "Day", "2026-03-12", None, None,
    )  # fmt: skip
    assert day["counts"]["present"] == 1


@pytest.mark.parametrize(("late_after", "status"), [(None, "present"), ("08:59", "late"), ("09:00", "present")])
def test_who_comes_late_is_late(
    admin: Person, cast: Cast, student: Person, late_after: str | None, status: str
) -> None:
    decide(cast, settings={"day": {"late_after": late_after}})
    knows(admin, student, "7")
    passing(add_gate(admin), badge="7")
    assert record_of(cast, student).status == status


@pytest.mark.parametrize(
    ("marked", "status"),
    [
        ({"status": Status.ABSENT}, "present"),
        ({"status": Status.ABSENT, "code": "SICK"}, "present"),
        ({"status": Status.LEAVE}, "present"),
        ({"status": Status.LATE}, "late"),
        ({"status": Status.ABSENT, "is_office": True}, "absent"),
    ],
)
def test_who_was_thought_away_is_there_unless_the_office_decided_it(
    admin: Person, cast: Cast, student: Person, marked: dict[str, Any], status: str
) -> None:
    other, gate = cast.student(), add_gate(admin)
    knows(admin, student, "7")
    knows(admin, other, "8")
    passing(gate, badge="8")
    with cast.app.app_context():
        (day,) = db.session.scalars(select(Session)).all()
        make(Record, organisation_id=student.organisation_id, session_id=day.id, student_id=student.id,
             marked_by_id=admin.id, **marked)  # fmt: skip
    passing(gate, badge="7")
    assert (record_of(cast, student).status, record_of(cast, student).checked_in_at) == (status, NINE)
    assert record_of(cast, student).code is None, "it means another status"


def test_who_came_by_a_gate_is_rejected_and_accepted_after_all(admin: Person, cast: Cast, student: Person) -> None:
    knows(admin, student, "7")
    passing(add_gate(admin), badge="7")
    for accept, status in ((False, "absent"), (True, "present")):
        body = {"accept": accept, "reason": "Lent the badge"}
        answer = admin.post(f"/api/attendance/reviews/{record_of(cast, student).id}", body)
        assert (answer.status_code, answer.json["status"]) == (200, status)


def test_a_night_shift_is_of_the_day_on_which_it_began(admin: Person, cast: Cast, student: Person, at: Any) -> None:
    knows(admin, student, "7")
    into, out = add_gate(admin, "Entry", "in"), add_gate(admin, "Exit", "out")
    at(13 * 60)
    passing(into, badge="7")
    at(21 * 60)
    assert outcome(out, badge="7") == "out"
    record = record_of(cast, student)
    assert (record.checked_in_at, record.checked_out_at) == (NINE + timedelta(hours=13), NINE + timedelta(hours=21))
    (day,) = admin.get("/api/attendance/days?start_date=2026-03-01&end_date=2026-03-31").json["items"]
    assert (day["date"], day["minutes"], day["part"], day["open"]) == ("2026-03-12", 480, "full", False)


# the roll-up


def days(person: Person, query: str = "", call: str = "days") -> list[Any]:
    answer = person.get(f"/api/attendance/{call}?{query}")
    assert answer.status_code == 200, answer.text
    return list(answer.json["items"])


MARCH = "start_date=2026-03-01&end_date=2026-03-31"


def sign_in_again(*people: Person) -> None:
    for person in people:
        signed_in = person.post(
            "/api/auth/login", {"email": person.email, "password": PASSWORD}, headers={"Authorization": ""}
        )
        person.token = signed_in.json["access_token"]


def test_a_day_is_rolled_up(admin: Person, cast: Cast, student: Person, at: Any) -> None:
    knows(admin, student, "7")
    gate = add_gate(admin)
    for minutes in (0, 170, 180):
        at(minutes)
        passing(gate, badge="7")
    at(195)
    (today,) = days(admin)
    assert (today["person"]["name"], today["date"], today["minutes"], today["part"], today["open"]) == (
        "Ada Lovelace", "2026-03-12", 185, "half", True,
    )  # fmt: skip
    assert datetime.fromisoformat(today["first_in"]) == NINE
    assert datetime.fromisoformat(today["last_out"]) == NINE + timedelta(minutes=170)
    at(24 * 60)
    sign_in_again(admin)
    told = []
    for settings in ({}, {"ends_at": "12:10"}, {"ends_at": "19:00"}, {"ends_at": "19:00", "full_minutes": 1000}):
        decide(cast, settings={"day": settings})
        (yesterday,) = days(admin, "date=2026-03-12")
        told.append((yesterday["minutes"], yesterday["part"], yesterday["open"]))
    assert told == [(170, "none", True), (180, "half", True), (590, "full", True), (590, "half", True)]
    assert days(admin) == []


def test_staff_see_everybodys_days_parents_their_childrens_and_all_their_own(
    admin: Person, cast: Cast, student: Person, at: Any
) -> None:
    at(-100)
    parent, other, teacher = cast.person(Role.PARENT), cast.person(Role.EMPLOYEE), cast.teacher()
    at(0)
    with cast.app.app_context():
        own = cast.organisation()
        make(Guardian, organisation_id=own, student_id=student.id, parent_id=parent.id)
        department = make(Department, organisation_id=own).id
        db.session.execute(update(User).where(User.id == other.id).values(department_id=department))
        db.session.commit()
    gate = add_gate(admin)
    everybody = {"student": student, "other": other, "parent": parent, "teacher": teacher}
    for name, person in everybody.items():
        knows(admin, person, name)
        passing(gate, badge=name)
    stranger = cast.person(Role.ADMIN, cast.other_organisation())

    def seen(by: Person, query: str = "", call: str = "days") -> set[str]:
        return {name for d in days(by, query, call) for name, p in everybody.items() if str(p.id) == d["person"]["id"]}

    assert seen(admin) == seen(teacher) == set(everybody)
    assert (seen(student), seen(other), seen(parent), seen(stranger)) == (
        {"student"}, {"other"}, {"student", "parent"}, set(),
    )  # fmt: skip
    for name, person in everybody.items():
        assert seen(person, call="my-days") == {name}
    assert seen(admin, f"user_id={other.id}") == {"other"}
    assert seen(student, f"user_id={other.id}") == set()
    assert seen(admin, f"department_id={department}") == {"other"}


@pytest.mark.parametrize(
    "query",
    ["date=12", "start_date=2026-03-01", "start_date=2026-03-02&end_date=2026-03-01", "date=2026-03-01&" + MARCH,
     "start_date=2025-01-01&end_date=2026-01-02"],
)  # fmt: skip
def test_days_that_make_no_sense_are_refused(admin: Person, query: str) -> None:
    for call in ("days", "my-days"):
        assert admin.get(f"/api/attendance/{call}?{query}").status_code == 422


def test_days_come_in_pages_with_as_many_statements(admin: Person, cast: Cast, student: Person) -> None:
    with cast.app.app_context():
        own = cast.organisation()
        gate = make(Gate, organisation_id=own)
        for day in range(5):
            at = NINE + timedelta(days=day)
            for hours, way in ((0, "in"), (3 + day, "out")):
                make(Passage, organisation_id=own, user_id=student.id, gate_id=gate.id, direction=way,
                     at=at + timedelta(hours=hours), day=at.date(), by="badge")  # fmt: skip
    said = []
    for per_page in (1, 3):
        with counted(cast.app) as statements:
            answer = admin.get(f"/api/attendance/days?{MARCH}&per_page={per_page}").json
        said.append(len(statements))
    assert said[0] == said[1]
    assert (answer["total"], answer["pages"]) == (5, 2)
    assert [(d["date"][-2:], d["minutes"], d["part"]) for d in answer["items"]] == [
        ("16", 420, "full"), ("15", 360, "full"), ("14", 300, "half"),
    ]  # fmt: skip
    by_date = days(admin, f"{MARCH}&sort=date")
    assert [d["date"][-2:] for d in by_date] == ["12", "13", "14", "15", "16"]


# keeping and forgetting


def test_passages_are_exported_erased_and_kept_as_long_as_the_organisation_has_it(
    admin: Person, cast: Cast, student: Person, at: Any
) -> None:
    other, gate = cast.student(), add_gate(admin)
    for person, badge in ((student, "7"), (other, "8")):
        knows(admin, person, badge)
        passing(gate, badge=badge)
    held = admin.get(f"/api/admin/users/{student.id}/export").json["held"]
    assert [(p["user_id"], p["direction"]) for p in held["passages"]] == [(str(student.id), "in")]
    assert [c["value_hash"] for c in held["gate_credentials"]] == ["(secret)"]
    assert admin.post(f"/api/admin/users/{student.id}/erase", {}).status_code == 200
    with cast.app.app_context():
        for model in (Passage, GateCredential):
            assert db.session.scalars(select(model.user_id)).all() == [other.id]
    decide(cast, settings={"retention": {"passages": 30}})
    left = []
    for days_later in (29, 31):
        at(days_later * 24 * 60)
        with cast.app.app_context():
            retention.clean_up()
            left.append(db.session.scalar(select(func.count()).select_from(Passage)))
    assert left == [1, 0]
