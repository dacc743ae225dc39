"""Checking somebody in by force, whose phone cannot."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from app.extensions import db
from app.models import AuditEntry, Record, Role
from tests.api import test_check_in as checking
from tests.api.test_check_in import LISBON, NINE, at_lisbon, away, change_session, check_in, kept
from tests.api.test_reviews import review
from tests.conftest import Cast, Person
from tests.story import Classroom
from tests.test_races import at_once, twin

at, room = checking.at, checking.room


def force(person: Person, session: str, student: Person, **values: Any) -> Any:
    body = {"student_id": str(student.id), "reason": "Battery was empty"} | values
    return person.post(f"/attendance/session/{session}/force-check-in", body)


@pytest.mark.parametrize(
    ("minutes", "given", "status"),
    [(0, None, "present"), (10, None, "present"), (11, None, "late"), (11, "present", "present"), (0, "late", "late")],
)
def test_who_is_checked_in_by_force_is_there(
    room: Classroom, at: Any, minutes: int, given: str | None, status: str
) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(minutes)
    answer = force(room.teacher, session, ada, **({"status": given} if given else {}))
    assert (answer.status_code, answer.json["status"], answer.json["source"]) == (200, status, "forced")


def test_who_forced_it_and_why_is_kept(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    answer = force(room.teacher, session, ada)
    assert (answer.json["verification_status"], answer.json["marked_by_id"]) == ("verified", str(room.teacher.id))
    (attempt,) = kept(cast)
    assert (attempt.kind, attempt.user_id, attempt.refused) == ("forced", ada.id, None)
    with cast.app.app_context():
        (entry,) = db.session.scalars(select(AuditEntry).where(AuditEntry.entity == "records")).all()
        assert entry.content
        assert (entry.action, entry.content["reason"], entry.person_id) == ("create", "Battery was empty", ada.id)
    assert check_in(ada, session).json["code"] == "already_checked_in"
    assert ada.post("/attendance/check-out", {"record_id": answer.json["id"]} | LISBON).status_code == 200


def test_it_is_among_the_marks_with_what_was_said_before(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    new = force(room.teacher, session, ada).json["id"]
    assert marks(room, new) == [("forced", "present", "Battery was empty")]
    second = at_lisbon(room)
    at(70)
    room.teacher.post(f"/attendance/session/{second}/close", {})
    changed = force(room.teacher, second, ada).json["id"]
    assert marks(room, changed) == [("close", "absent", None), ("forced", "late", "Battery was empty")]


def marks(room: Classroom, record: str) -> list[tuple[str, str, str | None]]:
    items = room.teacher.get(f"/attendance/records/{record}/marks?sort=marked_at").json["items"]
    return [(mark["source"], mark["status"], mark["reason"]) for mark in items]


def test_a_second_time_changes_nothing(room: Classroom, cast: Cast, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    first = force(room.teacher, session, ada).json
    at(30)
    again = force(cast.person(Role.ADMIN), session, ada, status="late")
    assert (again.status_code, again.json) == (200, first)
    assert len(kept(cast)) == 1


def test_who_was_absent_by_the_close_was_there_after_all(room: Classroom, at: Any) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    at(70)
    room.teacher.post(f"/attendance/session/{session}/close", {})
    (absent,) = ada.get("/attendance/my-history").json["items"]
    assert absent["status"] == "absent"
    answer = force(room.teacher, session, ada, status="present").json
    assert (answer["id"], answer["status"], answer["source"]) == (absent["id"], "present", "forced")
    assert answer["check_in_time"] is None, "when they came nobody knows"


def test_who_has_checked_in_stays_as_they_are_and_who_is_in_doubt_is_not_any_more(room: Classroom) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    own = check_in(ada, session).json
    assert force(room.teacher, session, ada).json["source"] == "check_in"
    room.join("Grace")
    doubtful = check_in(room.students["Grace"], session, **away(120, accuracy=40)).json
    forced = force(room.teacher, session, room.students["Grace"]).json
    assert (forced["id"], forced["verification_status"], forced["source"]) == (doubtful["id"], "verified", "forced")
    assert forced["check_in_time"] == doubtful["check_in_time"] == own["check_in_time"]


def test_who_is_rejected_after_all_may_be_accepted_or_forced_again(room: Classroom) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    record = force(room.teacher, session, ada, status="late").json["id"]
    for by_force in (False, True):
        assert review(room.teacher, record, False, "Mistaken").json["status"] == "absent"
        again = force(room.teacher, session, ada, status="late") if by_force else review(room.teacher, record, True)
        assert (again.json["status"], again.json["verification_status"]) == ("late", "verified")


def test_who_is_not_expected_is_not_forced_in(room: Classroom, cast: Cast) -> None:
    session = at_lisbon(room)
    stranger = force(room.teacher, session, cast.student())
    assert (stranger.status_code, stranger.json["code"]) == (403, "not_enrolled")
    assert force(room.teacher, session, cast.student(organisation_id=cast.other_organisation())).status_code == 404
    change_session(cast, session, cancelled_at=NINE)
    assert force(room.teacher, session, room.students["Ada"]).json["code"] == "session_cancelled"


def test_what_the_office_decided_is_for_the_office_to_change(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    room.mark(session, "Ada")
    with cast.app.app_context():
        db.session.scalars(select(Record)).one().is_office = True
        db.session.commit()
    assert force(room.teacher, session, ada).json["code"] == "decided_by_office"
    assert force(cast.person(Role.ADMIN), session, ada).json["source"] == "forced"


def test_only_who_manages_the_session_and_for_a_reason(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    assert force(ada, session, ada).json["code"] == "role_not_allowed"
    assert force(cast.teacher(), session, ada).json["code"] == "not_your_class"
    for values in ({"reason": " "}, {"reason": None}, {"status": "absent"}):
        assert force(room.teacher, session, ada, **values).status_code == 422
    with cast.app.app_context():
        assert db.session.scalars(select(Record)).all() == []
    assert force(room.teacher, str(uuid.uuid4()), ada).status_code == 404


def test_ten_at_once_are_one_record(room: Classroom, cast: Cast) -> None:
    session, ada = at_lisbon(room), room.students["Ada"]
    assert at_once(lambda _: force(twin(cast, room.teacher), session, ada), 10) == {200: 10}
    with cast.app.app_context():
        assert len(db.session.scalars(select(Record)).all()) == 1
    assert len(kept(cast)) == 1
