"""Closing sessions: by themselves after their end, or by hand; undone by opening them again."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Record, Role
from app.services import closing
from tests.conftest import Cast, Person
from tests.story import Classroom

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_time(minutes: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(minutes=minutes))

    set_time(-1000)
    return set_time


@pytest.fixture
def room(cast: Cast, at: Any) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace", "Mary"):
        room.join(name)
    at(0)
    return room


def lesson(teacher: Person, **values: Any) -> str:
    body = {"session_name": "Maths", "start_time": "2026-03-12T09:00:00Z", "end_time": "2026-03-12T10:00:00Z"}
    return str(teacher.post("/admin/sessions", body | values).json["id"])


def statuses(room: Classroom, session: str) -> dict[str, tuple[str, str]]:
    items = room.teacher.get(f"/attendance/session/{session}/records").json["items"]
    return {r["student"]["first_name"]: (r["status"], r["source"]) for r in items}


def run(cast: Cast) -> None:
    with cast.app.app_context():
        closing.close_due()


def test_a_session_closes_some_time_after_its_end_and_who_is_unmarked_is_absent(
    room: Classroom, cast: Cast, at: Any
) -> None:
    session = lesson(room.teacher, class_id=room.id)
    room.students["Ada"].post("/check-in", {"session_id": session})
    room.mark(session, "Grace")
    at(75)
    run(cast)
    assert statuses(room, session) == {"Ada": ("present", "check_in"), "Grace": ("present", "manual")}
    at(75.1)
    for _ in "ab":
        run(cast)
    assert statuses(room, session)["Mary"] == ("absent", "close")
    (listed,) = room.teacher.get("/admin/sessions").json["items"]
    assert (listed["status"], listed["counts"]["absent"], listed["counts"]["rate"]) == (
        "closed",
        1,
        pytest.approx(2 / 3, abs=1e-4),
    )


def test_two_schedulers_at_once_close_once(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    at(90)
    start = Barrier(4)

    def tick(_: int) -> None:
        start.wait()
        run(cast)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(tick, range(4)))
    assert len(statuses(room, session)) == 3
    admin = cast.person(Role.ADMIN)
    closed = admin.get("/api/admin/audit?entity=sessions&action=update").json["items"]
    assert [e["after"].keys() for e in closed] == [{"closed_at"}]


def test_who_is_not_in_the_class_any_more_is_not_absent(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    cast.person(Role.ADMIN).delete(f"/api/students/{room.students['Mary'].id}")
    room.students["Grace"].post(f"/api/classes/{room.id}/leave")
    at(90)
    run(cast)
    assert statuses(room, session) == {"Ada": ("absent", "close")}


def test_who_forgot_to_check_out_leaves_at_the_end_and_it_is_said(room: Classroom, cast: Cast, at: Any) -> None:
    session, ada = lesson(room.teacher, class_id=room.id), room.students["Ada"]
    ada.post("/check-in", {"session_id": session})
    at(90)
    run(cast)
    (record,) = ada.get("/attendance/my-history").json["items"]
    assert (record["forgot_to_check_out"], record["minutes"]) == (True, 60)


def test_opening_again_undoes_the_closing_and_nothing_else(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    room.students["Ada"].post("/check-in", {"session_id": session})
    at(90)
    run(cast)
    room.mark(session, "Grace")
    reopened = room.teacher.post(f"/attendance/session/{session}/reopen", {"reason": "fire alarm"})
    assert (reopened.status_code, reopened.json["closed_at"]) == (200, None)
    assert statuses(room, session) == {"Ada": ("present", "check_in"), "Grace": ("present", "manual")}
    (record,) = room.students["Ada"].get("/attendance/my-history").json["items"]
    assert (record["forgot_to_check_out"], record["check_out_time"]) == (False, None)


def test_a_teacher_sees_what_closing_would_do_and_closes_early(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    room.students["Ada"].post("/check-in", {"session_id": session})
    path = f"/attendance/session/{session}/close"
    seen = room.teacher.get(path).json
    assert ({s["first_name"] for s in seen["absent"]}, seen["not_checked_out"]) == ({"Grace", "Mary"}, 1)
    assert room.teacher.post(path, {}).json["status"] == "closed"
    refused = room.students["Grace"].post("/check-in", {"session_id": session})
    assert (refused.status_code, refused.json["code"]) == (403, "session_closed")
    assert cast.teacher().post(path, {}).status_code == 403


def test_one_session_that_cannot_be_closed_holds_up_no_other(
    room: Classroom, cast: Cast, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = lesson(room.teacher, class_id=room.id), lesson(room.teacher, class_id=room.id, session_name="Physics")
    mark = closing._mark_absent

    def failing(caller: Any, session: Any) -> None:
        if str(session.id) == bad:
            raise RuntimeError
        mark(caller, session)

    monkeypatch.setattr(closing, "_mark_absent", failing)
    at(90)
    run(cast)
    assert (statuses(room, bad), len(statuses(room, good))) == ({}, 3)
    with cast.app.app_context():
        assert {str(r.session_id) for r in db.session.scalars(select(Record))} == {good}
