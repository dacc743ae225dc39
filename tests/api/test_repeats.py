"""Idempotency-Key: a call is done once, and its repeats are told what the first one did."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app import clock
from app.api import repeats as api
from app.extensions import db
from app.models import Attempt, RepeatableCall, Role, Session
from app.services import records, repeats, retention, vault
from tests.api.test_check_in import LISBON, at, at_lisbon, away, room
from tests.conftest import Cast, Person
from tests.story import Classroom
from tests.test_races import at_once, rows, twin

__all__ = ["at", "room"]

AT_ONCE = 30


def check_in(person: Person, session: str, key: str | None = "tap-1", where: dict[str, Any] | None = None) -> Any:
    headers = {} if key is None else {"Idempotency-Key": key}
    return person.post("/attendance/check-in", {"session_id": session} | (where or LISBON), headers=headers)


def replayed(answer: Any) -> bool:
    return bool(answer.headers.get("Idempotency-Replayed") == "true")


def create(teacher: Person, key: str, name: str = "Stars") -> Any:
    return teacher.post(
        "/api/attendance/create-session",
        {"session_name": name, "class_id": teacher.get("/api/classes/my-classes").json["items"][0]["id"]},
        headers={"Idempotency-Key": key},
    )


def test_a_repeat_gets_the_first_ones_answer(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    first, again = check_in(ada, session), check_in(ada, session)
    assert (first.status_code, again.status_code) == (201, 201)
    assert (replayed(first), replayed(again)) == (False, True)
    assert (again.data, again.content_type) == (first.data, first.content_type)
    assert check_in(ada, session, key=None).status_code == 409
    assert rows(cast, Attempt) == 2


def test_each_spelling_of_a_call_is_the_same_call(room: Classroom) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    first = check_in(ada, session)
    body, headers = {"session_id": session} | LISBON, {"Idempotency-Key": "tap-1"}
    assert ada.post("/api/check-in/", body, headers=headers).data == first.data


def test_thirty_at_once_are_one(room: Classroom, cast: Cast) -> None:
    create(room.teacher, "warm-up")
    fresh: list[Any] = []

    def call(_: int) -> Any:
        answer = create(twin(cast, room.teacher), "one-tap")
        fresh.append(answer)
        return answer

    counted = at_once(call, AT_ONCE)
    assert set(counted) <= {201, 409}
    done = [answer for answer in fresh if answer.status_code == 201 and not replayed(answer)]
    assert len(done) == 1
    assert {answer.json["id"] for answer in fresh if answer.status_code == 201} == {done[0].json["id"]}
    waiting = [answer for answer in fresh if answer.status_code == 409]
    assert {(a.json["code"], a.headers["Retry-After"]) for a in waiting} <= {("call_in_progress", "1")}
    assert rows(cast, Session) == 2


def test_a_key_is_of_one_call(room: Classroom) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    assert check_in(ada, session).status_code == 201
    for other in (
        check_in(ada, session, where=away(3)),
        ada.post("/attendance/check-out", {"record_id": session} | LISBON, headers={"Idempotency-Key": "tap-1"}),
    ):
        assert (other.status_code, other.json["code"]) == (422, "idempotency_key_reused")


def test_the_same_key_of_somebody_else_is_another(room: Classroom) -> None:
    session, bob = at_lisbon(room), room.cast.student(first_name="Bob")
    assert bob.post("/api/classes/join", {"join_code": room.join_code}).status_code == 201
    answers = [check_in(person, session) for person in (room.students["Ada"], bob)]
    assert [(answer.status_code, replayed(answer)) for answer in answers] == [(201, False), (201, False)]


def test_a_refusal_is_repeated_too(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    far = away(9000)
    first, again = check_in(ada, session, where=far), check_in(ada, session, where=far)
    assert (first.status_code, first.json["code"], replayed(again)) == (403, "outside_geofence", True)
    assert (again.data, again.mimetype) == (first.data, "application/problem+json")
    assert rows(cast, Attempt) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "two words", "naïve", "tab\tbed"])
def test_a_key_that_is_none_is_refused(room: Classroom, key: str) -> None:
    answer = check_in(room.students["Ada"], at_lisbon(room), key=key)
    assert (answer.status_code, answer.json["code"]) == (400, "idempotency_key_invalid")


def test_without_a_key_nothing_is_kept(room: Classroom, cast: Cast) -> None:
    assert check_in(room.students["Ada"], at_lisbon(room), key=None).status_code == 201
    assert rows(cast, RepeatableCall) == 0


def unanswered(cast: Cast, age: timedelta) -> None:
    """As a server leaves it that is killed while it does the call."""
    with cast.app.app_context():
        killed = {"status": None, "body": None, "created_at": clock.now() - age}
        db.session.execute(update(RepeatableCall).values(killed))
        db.session.commit()


def test_a_call_whose_server_died_is_done_anew(room: Classroom, cast: Cast) -> None:
    first = create(room.teacher, "tap-1")
    unanswered(cast, timedelta(seconds=59))
    waiting = create(room.teacher, "tap-1")
    assert (waiting.status_code, waiting.json["code"]) == (409, "call_in_progress")
    unanswered(cast, timedelta(seconds=61))
    fresh = at_once(lambda _: create(twin(cast, room.teacher), "tap-1"), 10)
    assert set(fresh) <= {201, 409}
    again = create(room.teacher, "tap-1")
    assert replayed(again)
    assert again.json["id"] != first.json["id"]
    assert rows(cast, Session) == 2


def test_the_answer_of_one_that_was_thought_dead_is_nobodys(room: Classroom, cast: Cast) -> None:
    create(room.teacher, "tap-1")
    with cast.app.app_context():
        slow = db.session.scalars(select(RepeatableCall.id)).one()
    unanswered(cast, timedelta(seconds=61))
    anew = create(room.teacher, "tap-1")
    with cast.app.app_context():
        call = db.session.scalars(select(RepeatableCall)).one()
        assert call.id != slow
    assert create(room.teacher, "tap-1").json["id"] == anew.json["id"]


def test_a_failure_of_the_server_is_done_anew(room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    body = {"session_id": room.session(), "student_ids": [str(room.students["Ada"].id)]}
    headers = {"Idempotency-Key": "mark-1"}

    def fail(*_: Any) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(records, "give", fail)
        assert room.teacher.post("/attendance/mark-attendance", body, headers=headers).status_code == 500
    answer = room.teacher.post("/attendance/mark-attendance", body, headers=headers)
    assert (answer.status_code, answer.json["newly_marked"], replayed(answer)) == (200, 1, False)
    assert room.teacher.post("/attendance/mark-attendance", body, headers=headers).data == answer.data


def test_that_an_answer_cannot_be_kept_does_not_undo_the_call(
    room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: bytes) -> bytes:
        raise RuntimeError

    monkeypatch.setattr(repeats, "seal", fail)
    assert create(room.teacher, "tap-1").status_code == 201


def test_a_large_answer_is_not_kept(room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "LARGEST", 10)
    assert create(room.teacher, "tap-1").status_code == 201
    assert rows(cast, RepeatableCall) == 0


def test_answers_are_kept_sealed_and_for_a_day(room: Classroom, cast: Cast, at: Any) -> None:
    check_in(room.students["Ada"], at_lisbon(room))
    with cast.app.app_context():
        call = db.session.scalars(select(RepeatableCall)).one()
        assert call.body is not None
        assert b"Ada" not in call.body
        assert b"Ada" in vault.unseal(call.body)
        unanswered(cast, timedelta())
        vault.rotate_key()  # passes over what has no answer yet
    for hours, left in ((23, 1), (25, 0)):
        at(hours * 60)
        with cast.app.app_context():
            retention.clean_up()
        assert rows(cast, RepeatableCall) == left


def test_what_is_erased_with_a_person(room: Classroom, cast: Cast) -> None:
    ada = room.students["Ada"]
    check_in(ada, at_lisbon(room))
    assert rows(cast, RepeatableCall) == 1
    erased = cast.person(Role.ADMIN).post(f"/api/admin/users/{ada.id}/erase", {"reason": "Asked to"})
    assert erased.status_code in {200, 204}, erased.text
    assert rows(cast, RepeatableCall) == 0


def test_the_document_names_the_header(nobody: Person) -> None:
    paths = nobody.get("/api/openapi.json").json["paths"]
    repeatable = {
        path
        for path, methods in paths.items()
        for parameter in methods.get("post", {}).get("parameters", ())
        if parameter["name"] == "Idempotency-Key"
    }
    assert repeatable >= {"/api/attendance/check-in", "/api/attendance/check-out", "/api/admin/sessions",
                          "/api/attendance/create-session", "/api/attendance/mark-attendance", "/api/attendance",
                          "/api/attendance/batch"}  # fmt: skip
