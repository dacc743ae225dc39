"""Closing sessions: by themselves after their end, or by hand; undone by opening them again."""

from __future__ import annotations

import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from itertools import count
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Class, Enrolment, Organisation, Record, Role, Session, User
from app.services import closing
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
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


def test_two_schedulers_at_once_close_once(room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    session = lesson(room.teacher, class_id=room.id)
    ticks = count()  # so that closing twice would show
    monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(minutes=90, microseconds=next(ticks)))
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
    assert [seen[f"{status}_total"] for status in ("absent", "excused", "leave")] == [2, 0, 0]
    assert room.teacher.post(path, {}).json["status"] == "closed"
    refused = room.students["Grace"].post("/check-in", {"session_id": session})
    assert (refused.status_code, refused.json["code"]) == (403, "session_closed")
    assert cast.teacher().post(path, {}).status_code == 403


def test_one_session_that_cannot_be_closed_holds_up_no_other(
    room: Classroom, cast: Cast, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = lesson(room.teacher, class_id=room.id), lesson(room.teacher, class_id=room.id, session_name="Physics")
    mark = closing._mark_unmarked

    def failing(caller: Any, session: Any) -> None:
        if str(session.id) == bad:
            raise RuntimeError
        mark(caller, session)

    monkeypatch.setattr(closing, "_mark_unmarked", failing)
    at(90)
    run(cast)
    assert (statuses(room, bad), len(statuses(room, good))) == ({}, 3)
    with cast.app.app_context():
        assert {str(r.session_id) for r in db.session.scalars(select(Record))} == {good}


TODAY = "2026-03-12"


def alter(cast: Cast, model: Any, id_: Any, **values: Any) -> None:
    """What no call can bring about, or another one's does."""
    with cast.app.app_context():
        row = db.session.get_one(model, uuid.UUID(str(id_)))
        for name, value in values.items():
            setattr(row, name, value)
        db.session.commit()


def is_closed(cast: Cast, session: str) -> bool:
    with cast.app.app_context():
        return db.session.get_one(Session, uuid.UUID(session)).closed_at is not None


def test_who_has_approved_leave_is_excused_or_on_leave_at_the_close(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    room.leave("Ada", TODAY, TODAY, counts_as="excused")
    room.leave("Grace", "2026-03-01", "2026-03-31")
    room.leave("Mary", "2026-03-13", "2026-03-14")
    seen = room.teacher.get(f"/attendance/session/{session}/close").json
    named = {status: [s["first_name"] for s in seen[status]] for status in ("absent", "excused", "leave")}
    assert named == {"absent": ["Mary"], "excused": ["Ada"], "leave": ["Grace"]}
    assert [seen[f"{status}_total"] for status in ("absent", "excused", "leave")] == [1, 1, 1]
    at(90)
    run(cast)
    assert statuses(room, session) == {
        "Ada": ("excused", "leave"),
        "Grace": ("leave", "leave"),
        "Mary": ("absent", "close"),
    }


def test_everyone_else_is_not_who_has_approved_leave(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    room.leave("Ada", TODAY, TODAY)
    assert room.teacher.post(f"/attendance/session/{session}/everyone-else", {}).json["created"] == 2
    at(90)
    run(cast)
    assert statuses(room, session)["Ada"] == ("leave", "leave")


def test_a_preview_names_some_and_counts_all(room: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "NAMED", 2)
    seen = room.teacher.get(f"/attendance/session/{room.session()}/close").json
    assert (len(seen["absent"]), seen["absent_total"]) == (2, 3)


def test_what_is_asked_for_but_not_approved_is_absence(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    body = {"first_day": TODAY, "last_day": TODAY, "reason": "A wedding"}
    assert room.students["Ada"].post("/api/leave-requests", body).status_code == 201
    withdrawn = room.leave("Grace", "2026-03-12", "2026-03-12")
    room.teacher.post(f"/api/leave-requests/{withdrawn}/withdraw", {})
    at(90)
    run(cast)
    assert {status for status, _ in statuses(room, session).values()} == {"absent"}


def test_opening_again_keeps_what_a_teacher_had_marked_before_leave_was_approved(
    room: Classroom, cast: Cast, at: Any
) -> None:
    session = lesson(room.teacher, class_id=room.id)
    room.teacher.post("/api/attendance", mark(room, "Ada", "absent"))
    room.leave("Grace", TODAY, TODAY)
    at(90)
    run(cast)
    room.leave("Ada", TODAY, TODAY)
    room.leave("Mary", TODAY, TODAY)
    assert set(statuses(room, session).values()) == {("leave", "leave")}
    room.teacher.post(f"/attendance/session/{session}/reopen", {})
    assert statuses(room, session) == {"Ada": ("leave", "leave")}


def mark(room: Classroom, name: str, status: str) -> dict[str, Any]:
    return {"student_id": str(room.students[name].id), "class_id": room.id, "date": TODAY, "status": status}


def test_a_session_that_was_opened_again_stays_open_as_long_as_after_its_end(
    room: Classroom, cast: Cast, at: Any
) -> None:
    session = lesson(room.teacher, class_id=room.id)
    at(90)
    run(cast)
    at(100)
    room.teacher.post(f"/attendance/session/{session}/reopen", {})
    for minutes, closed in ((100.5, False), (115, False), (115.1, True)):
        at(minutes)
        run(cast)
        assert is_closed(cast, session) is closed, minutes
    assert len(statuses(room, session)) == 3


def test_what_was_opened_again_or_cancelled_since_it_was_found_stays_as_it_is(
    room: Classroom, cast: Cast, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another scheduler was faster, and so was somebody."""
    reopened, cancelled = lesson(room.teacher, class_id=room.id), lesson(room.teacher, class_id=room.id)
    at(90)
    with cast.app.app_context():
        found = list(closing._ended())
    run(cast)
    for session in (reopened, cancelled):
        room.teacher.post(f"/attendance/session/{session}/reopen", {})
    alter(cast, Session, cancelled, cancelled_at=NINE, reopened_at=None)
    monkeypatch.setattr(closing, "_ended", lambda: found)
    run(cast)
    assert {str(row.id) for row in found} == {reopened, cancelled}
    assert [is_closed(cast, session) for session in (reopened, cancelled)] == [False, False]


def test_opening_what_is_open_changes_nothing(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    at(70)
    assert room.teacher.post(f"/attendance/session/{session}/reopen", {}).status_code == 200
    at(75.1)
    run(cast)
    assert is_closed(cast, session)


def test_each_session_closes_when_its_policy_its_class_or_its_organisation_says(
    room: Classroom, cast: Cast, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that stay open hide none of those that come after them."""
    monkeypatch.setattr(closing, "AT_ONCE", 1)
    alter(cast, Class, room.id, policy={"close_after": 60})
    own = lesson(room.teacher, class_id=room.id, policy={"close_after": 5})
    of_class = lesson(room.teacher, class_id=room.id)
    of_all = lesson(room.teacher)
    at(60)
    for minutes, closed in ((65, []), (66, [own]), (76, [own, of_all]), (120, [own, of_all])):
        at(minutes)
        run(cast)
        assert {s for s in (own, of_class, of_all) if is_closed(cast, s)} == set(closed), minutes
    at(120.1)
    run(cast)
    assert is_closed(cast, of_class)


def test_a_session_whose_policy_makes_no_sense_holds_up_no_other(room: Classroom, cast: Cast, at: Any) -> None:
    bad, good = lesson(room.teacher, class_id=room.id), lesson(room.teacher, class_id=room.id)
    alter(cast, Session, bad, policy={"close_after": "soon"})
    at(90)
    run(cast)
    assert (is_closed(cast, bad), is_closed(cast, good)) == (False, True)


def test_closing_that_is_killed_half_way_is_done_by_the_next(
    room: Classroom, cast: Cast, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = lesson(room.teacher, class_id=room.id)
    room.students["Ada"].post("/check-in", {"session_id": session})
    at(90)
    with monkeypatch.context() as killed:
        killed.setattr(closing, "_still_in", lambda _: sys.exit())  # what comes after the records
        with pytest.raises(SystemExit):
            run(cast)
    assert (is_closed(cast, session), set(statuses(room, session))) == (False, {"Ada"})
    run(cast)
    assert (is_closed(cast, session), len(statuses(room, session))) == (True, 3)


def test_a_cancelled_session_is_never_closed(room: Classroom, cast: Cast, at: Any) -> None:
    session = lesson(room.teacher, class_id=room.id)
    alter(cast, Session, session, cancelled_at=NINE)
    at(90)
    run(cast)
    refused = room.teacher.post(f"/attendance/session/{session}/close", {})
    assert (refused.status_code, refused.json["code"]) == (409, "session_cancelled")
    assert statuses(room, session) == {}


def test_a_session_without_times_is_closed_by_hand_only(room: Classroom, cast: Cast, at: Any) -> None:
    session = room.session(session_date=TODAY)
    at(10_000)
    run(cast)
    assert not is_closed(cast, session)
    assert room.teacher.post(f"/attendance/session/{session}/close", {}).json["counts"]["absent"] == 3


def test_who_joined_on_the_day_is_expected_and_who_joined_or_left_another_day_is_not(
    room: Classroom, cast: Cast, at: Any
) -> None:
    session = lesson(room.teacher, class_id=room.id)
    with cast.app.app_context():
        for name, starts_on, ends_on in (
            ("Today", date(2026, 3, 12), None),
            ("Later", date(2026, 3, 13), None),
            ("Before", date(2026, 3, 1), date(2026, 3, 12)),
        ):
            own = {"organisation_id": cast.organisation(), "class_id": uuid.UUID(room.id)}
            student = make(User, organisation_id=cast.organisation(), role=Role.STUDENT, first_name=name)
            make(Enrolment, **own, student_id=student.id, starts_on=starts_on, ends_on=ends_on, is_current=None)
    at(2 * 1440)
    run(cast)
    assert statuses(room, session).keys() == {"Ada", "Grace", "Mary", "Today"}


def test_what_is_due_in_all_organisations_is_found_in_one_statement(room: Classroom, cast: Cast, at: Any) -> None:
    with cast.app.app_context():
        others = [make(Organisation, time_zone="UTC").id for _ in range(3)]
        for other in others:
            make(
                Session,
                organisation_id=other,
                class_id=None,
                name="Shift",
                starts_at=NINE,
                ends_at=NINE + timedelta(hours=1),
            )
    at(70)
    with counted(cast.app) as said:
        run(cast)
    assert len([statement for statement in said if "SELECT" in statement]) == 1
    at(80)
    run(cast)
    with cast.app.app_context():
        assert set(db.session.scalars(select(Session.closed_at))) == {NINE + timedelta(minutes=80)}


def test_an_employee_on_leave_is_on_leave_in_a_session_of_the_organisation(
    room: Classroom, cast: Cast, at: Any
) -> None:
    admin, clerk = cast.person(Role.ADMIN), cast.person(Role.EMPLOYEE, first_name="Charles")
    session = lesson(admin)
    asked = clerk.post("/api/leave-requests", {"first_day": TODAY, "last_day": TODAY, "reason": "A wedding"}).json
    assert room.teacher.post(f"/api/leave-requests/{asked['id']}/decision", {"approve": True}).status_code == 404
    assert admin.post(f"/api/leave-requests/{asked['id']}/decision", {"approve": True}).status_code == 200
    at(90)
    run(cast)
    records = admin.get(f"/attendance/session/{session}/records").json["items"]
    assert {r["student"]["first_name"]: r["status"] for r in records}["Charles"] == "leave"
