"""Check-ins and check-outs that a phone made without network, and sends when it has one again."""

from __future__ import annotations

import uuid
from collections import Counter
from datetime import datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from app.extensions import db
from app.models import Attempt, Record, RecordMark, Session
from app.services import check_in
from tests.api.test_check_in import LISBON, NINE, at, at_lisbon, away, lecture, room
from tests.conftest import Cast, Person
from tests.story import Classroom
from tests.test_races import at_once, twin

__all__ = ["at", "room"]


def captured(session: str, minutes: float, kind: str = "check_in", **values: Any) -> dict[str, Any]:
    """Done so many minutes after nine by the phone's clock, which is right."""
    moment = (NINE + timedelta(minutes=minutes)).isoformat()
    return {"id": str(uuid.uuid4()), "kind": kind, "session_id": session, "captured_at": moment} | LISBON | values


def sync(person: Person, minutes: float, *items: dict[str, Any]) -> Any:
    """minutes: what the phone's clock shows."""
    moment = (NINE + timedelta(minutes=minutes)).isoformat()
    return person.post("/attendance/sync", {"device_time": moment, "items": list(items)})


def told(answer: Any) -> list[tuple[str, str | None]]:
    assert answer.status_code == 200, answer.text
    return [(item["outcome"], item["code"]) for item in answer.json["items"]]


def kept(person: Person) -> list[tuple[str, str, str | None, str | None]]:
    records = person.get("/attendance/my-history").json["items"]
    return [(r["status"], r["source"], _time(r["check_in_time"]), _time(r["check_out_time"])) for r in records]


def _time(moment: str | None) -> str | None:
    return moment and datetime.fromisoformat(moment).strftime("%H:%M")


def test_what_was_done_without_network_counts_from_when_it_was_done(room: Classroom, at: Any, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(50)
    items = captured(session, 5), captured(session, 45, "check_out")
    answer = sync(ada, 50, *items)
    assert told(answer) == [("accepted", None)] * 2
    assert (answer.json["skew"], [item["id"] for item in answer.json["items"]]) == (0, [item["id"] for item in items])
    assert kept(ada) == [("present", "offline", "09:05", "09:45")]
    with cast.app.app_context():
        attempts = db.session.scalars(select(Attempt).order_by(Attempt.captured_at)).all()
        assert [attempt.captured_at for attempt in attempts] == [NINE + timedelta(minutes=n) for n in (5, 45)]


@pytest.mark.parametrize(("ahead", "status", "outcome"), [(90, "present", "review"), (1, "present", "accepted")])
def test_a_clock_that_goes_wrong_is_set_right_and_one_far_off_is_looked_at(
    room: Classroom, at: Any, ahead: int, status: str, outcome: str
) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(50)
    answer = sync(ada, 50 + ahead, captured(session, 5 + ahead))
    assert (told(answer), answer.json["skew"]) == ([(outcome, None)], -60 * ahead)
    assert kept(ada) == [(status, "offline", "09:05", None)]
    reviews = room.teacher.get("/attendance/reviews").json["items"]
    assert [review["flags"] for review in reviews] == ([["clock_skew"]] if outcome == "review" else [])


def test_the_same_batch_again_in_pieces_and_in_any_order_changes_nothing(room: Classroom, at: Any, cast: Cast) -> None:
    first, second, ada = at_lisbon(room), lecture(room.teacher, class_id=room.id), room.students["Ada"]
    at(50)
    items = [
        captured(first, 5),
        captured(first, 45, "check_out"),
        captured(second, 12),
        captured(first, 7, **away(900)),
        captured(str(uuid.uuid4()), 8),
    ]
    answer = sync(ada, 50, *items)
    state = kept(ada), attempts(cast)
    assert told(answer) == [
        ("accepted", None), ("accepted", None), ("accepted", None), ("refused", "already_checked_in"),
        ("refused", "not_found"),
    ]  # fmt: skip
    assert sync(ada, 50, *items).json["items"] == answer.json["items"]
    by_id = {item["id"]: item for item in answer.json["items"]}
    for pieces in (items[3:] + items[:3], items[::-1]):
        for item in pieces:
            assert sync(ada, 50, item).json["items"] == [by_id[item["id"]]]
    assert (kept(ada), attempts(cast)) == state


def attempts(cast: Cast) -> int:
    with cast.app.app_context():
        return len(db.session.scalars(select(Attempt)).all())


def test_in_whatever_order_pieces_come_the_same_is_kept(room: Classroom, at: Any, cast: Cast) -> None:
    items = [(5, "check_in"), (8, "check_in"), (45, "check_out"), (50, "check_out")]
    for n, order in enumerate(permutations(items)):
        session = lecture(room.teacher, class_id=room.id)
        ada = room.join(f"Ada {n}")
        at(55)
        for minutes, kind in order:
            sync(ada, 55, captured(session, minutes, kind))
        assert kept(ada) == [("present", "offline", "09:05", "09:45")], order


def test_a_check_out_that_waits_for_its_check_in_is_no_less_looked_at(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(50)
    elsewhere = captured(session, 35, "check_out", **away(900))
    doubtful = captured(session, 40, "check_out", is_mocked=True)
    assert told(sync(ada, 50, elsewhere, doubtful)) == [("refused", "not_checked_in")] * 2
    assert told(sync(ada, 50, captured(session, 5))) == [("review", None)]
    assert told(sync(ada, 50, elsewhere, doubtful)) == [("refused", "not_checked_in"), ("review", None)]
    assert kept(ada) == [("present", "offline", "09:05", "09:40")]
    (record,) = room.teacher.get(f"/attendance/user/{ada.id}/history").json["items"]
    assert (record["verification_status"], record["flags"]) == ("pending", ["mocked_location"])


def test_a_check_out_before_the_check_in_stays_refused(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(50)
    early = captured(session, 5, "check_out")
    sync(ada, 50, captured(session, 10), captured(session, 45, "check_out"))
    assert [told(sync(ada, 50, early)) for _ in range(2)] == [[("refused", "not_checked_in")]] * 2


def test_one_id_is_one_thing(room: Classroom, at: Any, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(50)
    one = captured(session, 5)
    sync(ada, 50, one, captured(session, 45, "check_out", id=one["id"]))
    assert (kept(ada), attempts(cast)) == ([("present", "offline", "09:05", None)], 1)


def test_who_came_online_later_than_offline_was_there_from_the_first(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(30)
    ada.post("/attendance/check-in", {"session_id": session} | LISBON)
    assert kept(ada)[0][0] == "late"
    assert told(sync(ada, 30, captured(session, 3), captured(session, 20))) == [
        ("review", None),
        ("refused", "already_checked_in"),
    ]
    assert kept(ada) == [("present", "offline", "09:03", None)]
    (review,) = room.teacher.get("/attendance/reviews").json["items"]
    assert review["flags"] == ["after_the_fact"]


@pytest.mark.parametrize(
    ("policy", "outcome", "status"),
    [
        ("accept", ("accepted", None), "present"),
        ("review", ("review", None), "present"),
        ("refuse", ("refused", "sent_too_late"), "absent"),
    ],
)
def test_what_comes_when_the_session_is_closed_goes_by_policy(
    room: Classroom, at: Any, policy: str, outcome: tuple[str, str | None], status: str
) -> None:
    session, ada = at_lisbon(room, policy={"late_arrival": policy}), room.students["Ada"]
    at(80)
    room.teacher.post(f"/attendance/session/{session}/close", {})
    at(500)
    assert told(sync(ada, 500, captured(session, 5))) == [outcome]
    ((found, source, came, left),) = kept(ada)
    assert (found, source) == (status, "close" if status == "absent" else "offline")
    assert (came, left) == ((None, None) if status == "absent" else ("09:05", "10:00"))
    (record,) = ada.get("/attendance/my-history").json["items"]
    assert record["forgot_to_check_out"] is (status == "present")


def test_a_check_out_goes_by_policy_as_well(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room, policy={"late_arrival": "refuse"}), room.students["Ada"]
    ada.post("/attendance/check-in", {"session_id": session} | LISBON)
    at(80)
    room.teacher.post(f"/attendance/session/{session}/close", {})
    assert told(sync(ada, 80, captured(session, 40, "check_out"))) == [("refused", "sent_too_late")]
    assert kept(ada) == [("present", "check_in", "09:00", "10:00")]


def test_a_check_out_in_the_future_waits_for_nothing(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(20)
    assert told(sync(ada, 20, captured(session, 40, "check_out"))) == [("refused", "captured_in_future")]
    sync(ada, 20, captured(session, 5))
    assert kept(ada) == [("present", "offline", "09:05", None)]


@pytest.mark.parametrize("how", ["marked", "forced"])
def test_what_staff_have_said_since_stands_over_an_earlier_check_in(room: Classroom, at: Any, how: str) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(20)
    ada.post("/attendance/check-in", {"session_id": session, "is_mocked": True} | LISBON)
    at(30)
    if how == "marked":
        marks = {"marks": [{"student_id": str(ada.id), "status": "absent"}]}
        assert room.teacher.post(f"/api/attendance/session/{session}/marks", marks).status_code == 200
    else:
        force = {"student_id": str(ada.id), "reason": "Seen", "status": "late"}
        assert room.teacher.post(f"/attendance/session/{session}/force-check-in", force).status_code == 200
    before = kept(ada)
    assert told(sync(ada, 50, captured(session, 3))) == [("refused", "already_checked_in")]
    assert kept(ada) == before


def test_a_check_out_that_comes_after_the_close_replaces_the_forgotten_one(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    ada.post("/attendance/check-in", {"session_id": session} | LISBON)
    at(80)
    room.teacher.post(f"/attendance/session/{session}/close", {})
    assert told(sync(ada, 80, captured(session, 40, "check_out"))) == [("review", None)]
    (record,) = room.teacher.get(f"/attendance/user/{ada.id}/history").json["items"]
    assert (record["minutes"], record["forgot_to_check_out"], record["flags"]) == (40, False, ["sent_late"])


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"minutes": -16}, "too_early"),
        ({"minutes": 61}, "too_late"),
        ({"minutes": 75}, "captured_in_future"),
        ({"minutes": 5, "kind": "check_out"}, "not_checked_in"),
        ({"minutes": 5, **away(900)}, "outside_geofence"),
        ({"minutes": 5, "lat": None}, "location_missing"),
        ({"minutes": 5, "fix_time": "2026-03-12T08:00:00Z"}, "location_old"),
    ],
)
def test_each_is_decided_as_of_when_it_was_done(room: Classroom, at: Any, values: dict[str, Any], code: str) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(70)
    assert told(sync(ada, 70, captured(session, **values))) == [("refused", code)]
    assert kept(ada) == []


def test_in_which_network_a_phone_without_network_was_nobody_knows(room: Classroom, at: Any) -> None:
    policy = {"requires": ["network"], "networks": ["127.0.0.0/8"]}
    session, ada = lecture(room.teacher, class_id=room.id, policy=policy), room.students["Ada"]
    at(20)
    assert told(sync(ada, 20, captured(session, 5))) == [("refused", "network_outside")]
    assert ada.post("/attendance/check-in", {"session_id": session}).status_code == 201


def test_a_code_counts_at_the_time_at_which_it_was_scanned(room: Classroom, at: Any) -> None:
    session, ada = lecture(room.teacher, class_id=room.id, policy={"requires": ["code"]}), room.students["Ada"]
    at(5)
    payload = room.teacher.get(f"/attendance/session/{session}/code").json["payload"]
    at(50)
    late, good = captured(session, 6, code=payload), captured(session, 5.1, code=payload)
    assert told(sync(ada, 50, late)) == [("refused", "code_expired")]
    assert told(sync(ada, 50, good)) == [("accepted", None)]


def test_a_batch_sent_ten_times_at_once_is_one_record_and_one_attempt_each(
    room: Classroom, at: Any, cast: Cast
) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(50)
    items = captured(session, 5), captured(session, 45, "check_out")
    assert at_once(lambda _: sync(twin(cast, ada), 50, *items), 10) == {200: 10}
    assert kept(ada) == [("present", "offline", "09:05", "09:45")]
    with cast.app.app_context():
        ids = Counter(db.session.scalars(select(Attempt.client_id)))
    assert ids == {uuid.UUID(item["id"]): 1 for item in items}


def test_at_most_five_hundred_are_sent_at_once_and_rubbish_is_refused(room: Classroom, cast: Cast, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    item = captured(session, 5)
    assert sync(ada, 0, *[item] * 501).status_code == 422
    assert sync(ada, 0).status_code == 422
    for rubbish in ({"kind": "stay"}, {"captured_at": 7}, {"captured_at": "2026-03-12T09:00:00"}, {"id": "x"}):
        assert sync(ada, 0, item | rubbish).status_code == 422
    at(50)
    far = (
        captured(session, 5, captured_at="9999-12-31T23:59:59Z"),
        captured(session, 5, captured_at="0001-01-01T00:00Z"),
    )
    assert told(sync(ada, 50, *far)) == [("refused", "captured_in_future"), ("refused", "too_early")]
    farther = "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"
    answer = sync(ada, 50, *(captured(session, 5, captured_at=moment, fix_time=moment) for moment in farther))
    assert told(answer) == [("refused", "captured_in_future"), ("refused", "too_early")]
    many = [captured(session, 5 + n / 100) for n in range(60)]
    assert Counter(told(sync(ada, 50, *many)))["accepted", None] == 1
    stranger = Person(cast.app.test_client(), token=cast.student(organisation_id=cast.other_organisation()).token)
    assert told(sync(stranger, 50, captured(session, 5))) == [("refused", "not_found")]


def meanwhile(monkeypatch: pytest.MonkeyPatch, *statements: Any) -> None:
    """Executed once, when what comes next has been looked at and before it is saved."""
    original = check_in._decide

    def decide(some: Any) -> Any:
        monkeypatch.setattr(check_in, "_decide", original)
        decided = original(some)
        with db.engine.connect().execution_options(write=True) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        return decided

    monkeypatch.setattr(check_in, "_decide", decide)


def test_a_check_out_of_a_session_that_is_deleted_meanwhile_is_of_none(
    room: Classroom, at: Any, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, other, ada = at_lisbon(room), lecture(room.teacher, class_id=room.id), room.students["Ada"]
    at(50)
    meanwhile(monkeypatch, delete(Session).where(Session.id == uuid.UUID(gone)))
    items = captured(gone, 5, "check_out"), captured(other, 6), captured(other, 45, "check_out")
    answers = [("refused", "not_found"), ("accepted", None), ("accepted", None)]
    assert [told(sync(ada, 50, *items)) for _ in range(2)] == [answers] * 2
    assert (kept(ada), attempts(cast)) == ([("present", "offline", "09:06", "09:45")], 2)


@pytest.mark.parametrize("is_offline", [True, False])
def test_a_check_out_of_a_record_that_is_deleted_meanwhile_is_of_none(
    room: Classroom, at: Any, cast: Cast, monkeypatch: pytest.MonkeyPatch, is_offline: bool
) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(50)
    sync(ada, 50, captured(session, 5))
    (record,) = ada.get("/attendance/my-history").json["items"]
    everything = delete(Attempt), delete(Record), delete(Session).where(Session.id == uuid.UUID(session))
    meanwhile(monkeypatch, *(everything[:2] if is_offline else everything))
    if is_offline:
        assert told(sync(ada, 50, captured(session, 45, "check_out"))) == [("refused", "not_checked_in")]
    else:
        answer = ada.post("/attendance/check-out", {"record_id": record["id"]} | LISBON)
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert (kept(ada), attempts(cast)) == ([], int(is_offline))


def test_of_two_check_outs_at_once_one_counts(
    room: Classroom, at: Any, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(50)
    sync(ada, 50, captured(session, 5))
    meanwhile(monkeypatch, update(Record).values(checked_out_at=NINE + timedelta(minutes=30)))
    assert told(sync(ada, 50, captured(session, 45, "check_out"))) == [("refused", "already_checked_out")]
    assert kept(ada) == [("present", "offline", "09:05", "09:30")]


@pytest.mark.parametrize("is_offline", [True, False])
def test_who_checks_in_while_a_mark_is_taken_back_is_in(
    room: Classroom, at: Any, monkeypatch: pytest.MonkeyPatch, is_offline: bool
) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(5)
    room.mark(session, "Ada")
    meanwhile(monkeypatch, delete(RecordMark), delete(Record))
    if is_offline:
        assert told(sync(ada, 5, captured(session, 5))) == [("accepted", None)]
    else:
        assert ada.post("/attendance/check-in", {"session_id": session} | LISBON).status_code == 201
    assert kept(ada) == [("present", "offline" if is_offline else "check_in", "09:05", None)]
