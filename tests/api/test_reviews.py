"""Reviewing check-ins that are uncertain or look like fraud, and the attempts behind them."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import AuditEntry, Record, Role, Status, Subject
from tests.api import test_check_in as checking
from tests.api.test_check_in import LISBON, at_lisbon, away, change_session, check_in, lecture, said
from tests.conftest import Cast, Person
from tests.factories import make
from tests.story import Classroom
from tests.test_races import at_once, twin

at, room = checking.at, checking.room


def doubtful(room: Classroom, session: str, name: str = "Ada") -> Any:
    answer = check_in(room.students[name], session, **away(120, accuracy=40), is_mocked=True)
    assert (answer.status_code, answer.json["verification_status"]) == (201, "pending")
    return answer.json


def review(person: Person, record: str, accept: bool, reason: str | None = None) -> Any:
    return person.post(f"/attendance/reviews/{record}", {"accept": accept, "reason": reason})


def test_what_is_in_doubt_is_listed_with_what_was_shown(room: Classroom) -> None:
    room.join("Grace")
    session = at_lisbon(room)
    check_in(room.students["Grace"], session)
    record = doubtful(room, session)
    listed = room.teacher.get("/attendance/reviews").json
    assert listed["total"] == 1
    (item,) = listed["items"]
    assert (item["id"], item["student"]["first_name"], item["session_name"]) == (record["id"], "Ada", "Lecture 7")
    assert (item["class_name"], item["flags"]) == ("Astronomy", ["mocked_location"])
    (attempt,) = item["attempts"]
    assert (attempt["kind"], attempt["flags"]) == ("in", ["mocked_location"])
    assert attempt["evidence"]["location"]["outcome"] == "uncertain"
    assert attempt["evidence"]["location"]["distance"] == pytest.approx(120, abs=0.5)


def test_a_list_takes_as_many_statements_for_many_as_for_one(room: Classroom, cast: Cast) -> None:
    session, counts = at_lisbon(room), []
    for names in (["Ada"], ["Grace", "Mary", "Emmy"]):
        for name in names:
            if name != "Ada":
                room.join(name)
            doubtful(room, session, name)
        counts.append(said(cast, lambda: room.teacher.get("/attendance/reviews")))
    assert counts == [(200, counts[0][1])] * 2


def test_each_sees_what_they_manage(room: Classroom, cast: Cast) -> None:
    own = room.teacher.organisation_id
    doubtful(room, at_lisbon(room))
    of_subject = at_lisbon(room, class_id=None)
    colleague = cast.teacher()
    with cast.app.app_context():
        subject = make(Subject, organisation_id=own, teacher_id=colleague.id).id
    doubtful(room, of_subject)
    assert room.teacher.get("/attendance/reviews").json["total"] == 2
    assert colleague.get("/attendance/reviews").json["total"] == 0
    change_session(cast, of_subject, subject_id=subject)
    assert colleague.get("/attendance/reviews").json["total"] == 1
    assert cast.person(Role.ADMIN).get("/attendance/reviews").json["total"] == 2
    assert cast.person(Role.ADMIN, cast.other_organisation()).get("/attendance/reviews").json["total"] == 0
    assert room.students["Ada"].get("/attendance/reviews").status_code == 403


def test_a_list_is_narrowed_by_session_class_and_day(room: Classroom) -> None:
    session, other = at_lisbon(room), at_lisbon(room, class_id=None)
    doubtful(room, session)
    doubtful(room, other)
    for query, total in (
        (f"session_id={session}", 1),
        (f"class_id={room.id}", 1),
        (f"session_id={other}&class_id={room.id}", 0),
        ("start_date=2026-03-12&end_date=2026-03-12", 2),
        ("start_date=2026-03-13", 0),
        ("end_date=2026-03-11", 0),
    ):
        assert room.teacher.get(f"/attendance/reviews?{query}").json["total"] == total, query


def test_who_is_accepted_is_verified_and_stays_what_they_were(room: Classroom, at: Any) -> None:
    session = at_lisbon(room)
    at(20)
    record = doubtful(room, session)["id"]
    accepted = review(room.teacher, record, True).json
    assert (accepted["verification_status"], accepted["status"], accepted["flags"]) == (
        "verified",
        "late",
        ["mocked_location"],
    )
    assert room.teacher.get("/attendance/reviews").json["total"] == 0


def test_who_is_rejected_is_absent_and_gets_it_all_back_when_accepted_after_all(
    room: Classroom, cast: Cast, at: Any
) -> None:
    session = at_lisbon(room)
    at(20)
    record = doubtful(room, session)["id"]
    rejected = review(room.teacher, record, False, "Was in Porto").json
    assert (rejected["verification_status"], rejected["status"], rejected["review_reason"]) == (
        "rejected",
        "absent",
        "Was in Porto",
    )
    report = room.teacher.get(f"/attendance/session/{session}/report").json
    assert (report["counts"]["absent"], report["counts"]["late"]) == (1, 0)
    assert review(room.teacher, record, True, "Was here").json["status"] == "late"
    with cast.app.app_context():
        of_it = select(AuditEntry).where(AuditEntry.row_id == uuid.UUID(record))
        entries = db.session.scalars(of_it.order_by(AuditEntry.sequence)).all()
        assert [entry.content["reason"] for entry in entries if entry.content] == ["Was in Porto", "Was here"]


def test_a_review_that_changes_the_status_is_among_the_marks(room: Classroom, at: Any) -> None:
    session = at_lisbon(room)
    at(20)
    record = doubtful(room, session)["id"]
    at(30)
    review(room.teacher, record, False, "Was in Porto")
    shown = review(room.teacher, record, False, "Was in Faro").json
    assert shown["marked_by_id"] == str(room.teacher.id)
    ada, teacher = str(room.students["Ada"].id), str(room.teacher.id)
    items = room.teacher.get(f"/attendance/records/{record}/marks?sort=marked_at").json["items"]
    assert [(mark["marked_by_id"], mark["status"], mark["reason"]) for mark in items] == [
        (ada, "late", None),
        (teacher, "absent", "Was in Porto"),
    ]


def test_what_was_written_about_somebody_is_erased_with_them(room: Classroom, cast: Cast) -> None:
    record, ada = doubtful(room, at_lisbon(room))["id"], room.students["Ada"].id
    review(room.teacher, record, False, "Was in Porto")
    with cast.app.app_context():
        db.session.get_one(Record, uuid.UUID(record)).remarks = "Again"
        db.session.commit()
    assert cast.person(Role.ADMIN).post(f"/api/admin/users/{ada}/erase", {}).status_code == 200
    with cast.app.app_context():
        row = db.session.get_one(Record, uuid.UUID(record))
        assert (row.status, row.remarks, row.review_reason) == ("absent", None, None)


def test_a_rejection_needs_a_reason(room: Classroom) -> None:
    record = doubtful(room, at_lisbon(room))["id"]
    for reason in (None, "", "   "):
        assert review(room.teacher, record, False, reason).status_code == 422


def test_what_the_office_decided_is_not_reviewed_away(room: Classroom, cast: Cast) -> None:
    record = doubtful(room, at_lisbon(room))["id"]
    with cast.app.app_context():
        row = db.session.get_one(Record, uuid.UUID(record))
        row.status, row.is_office = Status.EXCUSED, True
        db.session.commit()
    answer = review(room.teacher, record, False, "Was in Porto").json
    assert (answer["verification_status"], answer["status"]) == ("rejected", "excused")


def test_who_checks_in_over_the_offices_mark_is_looked_at_all_the_same(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    marks = {"marks": [{"student_id": str(ada.id), "status": "excused"}]}
    assert cast.person(Role.ADMIN).post(f"/api/attendance/session/{session}/marks", marks).status_code == 200
    assert doubtful(room, session)["status"] == "excused"
    (shown,) = room.teacher.get("/attendance/reviews").json["items"]
    assert shown["flags"] == ["mocked_location"]


def test_nobody_decides_on_their_own_check_in(room: Classroom) -> None:
    session = lecture(room.teacher)
    record = check_in(room.teacher, session, **LISBON, is_mocked=True).json["id"]
    for path, body in (
        (f"/attendance/reviews/{record}", {"accept": True}),
        (f"/attendance/session/{session}/force-check-in", {"student_id": str(room.teacher.id), "reason": "Here"}),
    ):
        answer = room.teacher.post(path, body)
        assert (answer.status_code, answer.json["code"]) == (403, "own_record")


def test_only_who_manages_the_session_reviews_it_and_only_check_ins(room: Classroom, cast: Cast) -> None:
    session = at_lisbon(room)
    record = doubtful(room, session)["id"]
    assert review(cast.teacher(), record, True).json["code"] == "not_your_class"
    assert review(cast.person(Role.ADMIN, cast.other_organisation()), record, True).status_code == 404
    room.join("Grace")
    room.mark(session, "Grace")
    (by_hand,) = room.students["Grace"].get("/attendance/my-history").json["items"]
    assert review(room.teacher, by_hand["id"], True).json["code"] == "nothing_to_review"


def test_of_two_reviews_at_once_one_is_the_last(room: Classroom, cast: Cast) -> None:
    record = doubtful(room, at_lisbon(room))["id"]
    answers = at_once(lambda n: review(twin(cast, room.teacher), record, n % 2 == 0, "Looked"), 10)
    assert answers == {200: 10}
    (kept,) = room.students["Ada"].get("/attendance/my-history").json["items"]
    assert (kept["verification_status"], kept["status"]) in {("verified", "present"), ("rejected", "absent")}


def test_a_doubtful_check_out_is_looked_at_too(room: Classroom) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    record = check_in(ada, session).json["id"]
    out = ada.post("/attendance/check-out", {"record_id": record, "is_mocked": True} | LISBON).json
    assert (out["verification_status"], out["flags"]) == ("pending", [])
    (item,) = room.teacher.get("/attendance/reviews").json["items"]
    assert [(attempt["kind"], attempt["flags"]) for attempt in item["attempts"]] == [
        ("in", []),
        ("out", ["mocked_location"]),
    ]


def test_the_attempts_of_a_session_are_listed_the_newest_first_with_the_refused_ones(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    other = lecture(room.teacher)
    for minute, where in enumerate((away(900), LISBON, LISBON)):
        at(minute)
        check_in(ada, session, **where)
    check_in(ada, other)
    listed = room.teacher.get(f"/attendance/session/{session}/attempts?per_page=2").json
    assert (listed["total"], listed["pages"]) == (3, 2)
    assert [attempt["refused"] for attempt in listed["items"]] == ["already_checked_in", None]
    (first,) = room.teacher.get(f"/attendance/session/{session}/attempts?per_page=2&page=2").json["items"]
    assert (first["refused"], first["student"]["first_name"]) == ("outside_geofence", "Ada")
    assert first["evidence"]["location"]["code"] == "outside_geofence"
    assert first["latitude"] == pytest.approx(LISBON["lat"] + 900 / 111_195)
