"""Participation in events: who is entered, by whom, and once."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from app import clock
from app.models import Role
from tests.conftest import Cast, Person
from tests.statements import counted
from tests.test_races import at_once, twin

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
TODAY, TOMORROW = "2026-03-12", "2026-03-13"


@pytest.fixture(autouse=True)
def _at_nine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NINE)


def enter(teacher: Person, *students: Person, **values: Any) -> Any:
    body = {"student_ids": [str(student.id) for student in students], "event": "Science fair"} | values
    return teacher.post("/api/participations", body)


def entered(teacher: Person, student: Person, **values: Any) -> str:
    answer = enter(teacher, student, **values)
    assert answer.status_code == 201, answer.text
    return str(answer.json["items"][0]["id"])


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def listed(person: Person, query: str = "") -> list[str]:
    return [item["id"] for item in person.get(f"/api/participations?{query}").json["items"]]


def test_several_are_entered_for_one_event(cast: Cast, teacher: Person, student: Person) -> None:
    other = cast.student()
    answer = enter(teacher, student, other, student, remarks="Second prize")
    assert answer.status_code == 201
    assert [item["student_id"] for item in answer.json["items"]] == [str(student.id), str(other.id)]
    first = answer.json["items"][0]
    expected = {"held_on": TODAY, "status": "participated", "remarks": "Second prize", "event": "Science fair"}
    assert {name: first[name] for name in expected} == expected
    assert teacher.get(f"/api/participations/{first['id']}").json == first


def test_one_who_is_wrong_enters_nobody_and_is_named(cast: Cast, teacher: Person, student: Person) -> None:
    unknown = str(uuid.uuid4())
    ids = [str(student.id), unknown, str(teacher.id)]
    answer = enter(teacher, student_ids=ids)
    assert (told(answer), answer.json["ids"]) == ((404, "not_found"), ids[1:])
    entered(teacher, student)
    again = enter(teacher, cast.student(), student)
    assert told(again) == (409, "participation_taken")
    assert list(again.json["errors"]) == [str(student.id)]
    assert len(listed(teacher)) == 1


def test_one_takes_part_once_in_an_event_on_a_day(teacher: Person, student: Person) -> None:
    entered(teacher, student)
    entered(teacher, student, held_on="2026-03-11")
    other = entered(teacher, student, event="Play")
    assert told(teacher.put(f"/api/participations/{other}", {"event": "Science fair"})) == (409, "participation_taken")
    assert len(listed(teacher)) == 3


def test_ten_who_enter_one_student_at_once_enter_them_once(cast: Cast, teacher: Person, student: Person) -> None:
    assert at_once(lambda _: enter(twin(cast, teacher), student), 10) == {201: 1, 409: 9}


def test_before_the_day_one_is_registered_or_excused(teacher: Person, student: Person) -> None:
    for status in ("participated", "absent"):
        assert told(enter(teacher, student, held_on=TOMORROW, status=status)) == (400, "dates_refused")
    row = entered(teacher, student, held_on=TOMORROW, status="registered")
    assert told(teacher.put(f"/api/participations/{row}", {"status": "participated"})) == (400, "dates_refused")
    changed = teacher.put(f"/api/participations/{row}", {"status": "participated", "heldOn": TODAY})
    assert (changed.json["status"], changed.json["held_on"]) == ("participated", TODAY)


def test_families_see_their_own_and_change_nothing(cast: Cast, teacher: Person, student: Person) -> None:
    parent, admin = cast.person(Role.PARENT), cast.person(Role.ADMIN)
    admin.put(f"/api/admin/users/{parent.id}", {"student_ids": [str(student.id)]})
    own, other = entered(teacher, student), entered(teacher, cast.student())
    for person in (student, parent):
        assert listed(person) == [own]
        assert told(person.get(f"/api/participations/{other}")) == (404, "not_found")
        assert told(person.delete(f"/api/participations/{own}")) == (403, "role_not_allowed")
    assert listed(cast.person(Role.EMPLOYEE)) == []
    assert admin.delete(f"/api/participations/{own}?reason=Twice").status_code == 200
    assert listed(teacher) == [other]
    (entry,) = admin.get("/api/admin/audit?entity=participations&action=delete").json["items"]
    assert entry["reason"] == "Twice"


def test_the_list_is_filtered(cast: Cast, teacher: Person, student: Person) -> None:
    play = entered(teacher, student, event="School play", held_on="2026-03-01", status="absent")
    fair = entered(teacher, student)
    other = entered(teacher, cast.student(), held_on="2026-02-01")
    for query, expected in (
        ("", [fair, play, other]),
        (f"student_id={student.id}", [fair, play]),
        ("event=school+PLAY", [play]),
        ("status=absent", [play]),
        ("start_date=2026-03-01&end_date=2026-03-11", [play]),
        ("sort=event,-held_on", [play, fair, other]),
    ):
        assert listed(teacher, query) == expected, query


def test_however_many_are_entered_the_statements_are_as_many(cast: Cast, teacher: Person) -> None:
    enter(teacher, cast.student())  # with which the audit log begins
    numbers = []
    for event, more in (("Play", 2), ("Fair", 8)):
        students = [cast.student() for _ in range(more)]
        with counted(cast.app) as said:
            assert enter(teacher, *students, event=event).status_code == 201
        numbers.append(len(said))
    assert numbers[0] == numbers[1]
