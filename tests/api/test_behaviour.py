"""Behaviour notes: who writes, sees, changes and counts them."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from typing import Any

import pytest

from app import clock
from app.extensions import db
from app.models import BehaviourKind, BehaviourNote, Organisation, Role, User
from app.services.behaviour import NoteBy, NoteCounts, NoteFilters, note_counts
from app.services.caller import Caller
from app.services.organisation_settings import OrganisationSettings
from app.services.sessions import Days
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
TODAY = "2026-03-12"


@pytest.fixture(autouse=True)
def _at_nine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NINE)


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def parent(cast: Cast, admin: Person, student: Person) -> Person:
    parent = cast.person(Role.PARENT)
    assert admin.put(f"/api/admin/users/{parent.id}", {"student_ids": [str(student.id)]}).status_code == 200
    return parent


def write(teacher: Person, student: Person, **values: Any) -> Any:
    body = {"student_id": str(student.id), "kind": "negative", "category": "disruption"} | values
    return teacher.post("/api/behaviour", body)


def written(teacher: Person, student: Person, **values: Any) -> str:
    answer = write(teacher, student, **values)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def listed(person: Person, query: str = "") -> list[str]:
    answer = person.get(f"/api/behaviour?{query}")
    assert answer.status_code == 200, answer.text
    return [note["id"] for note in answer.json["items"]]


def test_a_note_is_of_today_and_for_staff_unless_it_says_otherwise(teacher: Person, student: Person) -> None:
    answer = write(teacher, student, followUp="Talk to them", followUpOn="2026-03-19")
    expected = {"happened_on": TODAY, "is_visible_to_family": False, "follow_up": "Talk to them", "notes": ""}
    expected |= {"teacher_id": str(teacher.id), "teacher_name": "Mary Somerville", "follow_up_on": "2026-03-19"}
    assert answer.status_code == 201
    assert {name: answer.json[name] for name in expected} == expected
    assert answer.json["student"]["first_name"] == "Ada"
    assert teacher.get(f"/api/behaviour/{answer.json['id']}").json == answer.json


@pytest.mark.parametrize(
    ("values", "refused"),
    [
        ({"happened_on": "2026-03-13"}, (400, "dates_refused")),
        ({"follow_up_on": "2026-03-13"}, (400, "missing_fields")),
        ({"category": "  "}, (422, "invalid_input")),
        ({"kind": "neutral"}, (422, "invalid_input")),
        ({"class_id": str(uuid.uuid4())}, (404, "not_found")),
        ({"student_id": str(uuid.uuid4())}, (404, "not_found")),
    ],
)
def test_what_makes_no_sense_is_refused(
    teacher: Person, student: Person, values: dict[str, Any], refused: tuple[int, str]
) -> None:
    assert told(write(teacher, student, **values)) == refused
    assert listed(teacher) == []


def test_notes_are_about_students(cast: Cast, teacher: Person) -> None:
    assert told(write(teacher, cast.teacher())) == (404, "not_found")


def test_families_see_what_they_may_of_their_own_and_not_what_is_to_be_done(
    cast: Cast, teacher: Person, student: Person, parent: Person
) -> None:
    hidden = written(teacher, student)
    shown = written(teacher, student, is_visible_to_family=True, follow_up="Talk", follow_up_on=TODAY)
    other = written(teacher, cast.student(), is_visible_to_family=True)
    teacher.post(f"/api/behaviour/{shown}/followed-up")
    assert set(listed(cast.teacher())) == {hidden, shown, other}
    for person in (student, parent):
        assert listed(person) == [shown]
        seen = person.get(f"/api/behaviour/{shown}").json
        assert (seen["follow_up"], seen["follow_up_on"], seen["followed_up_at"]) == (None, None, None)
        for unseen in (hidden, other):
            assert told(person.get(f"/api/behaviour/{unseen}")) == (404, "not_found")
    for person in (cast.person(Role.PARENT), cast.person(Role.EMPLOYEE)):
        assert listed(person) == []


def test_the_list_is_filtered_and_the_latest_first(cast: Cast, teacher: Person, student: Person) -> None:
    room = teacher.post("/api/classes/create", {"name": "Year 7"}).json["id"]
    old = written(teacher, student, happened_on="2026-02-01", kind="positive", category="Respect")
    late = written(teacher, student, follow_up="Talk", class_id=room)
    other = written(teacher, cast.student(), happened_on="2026-03-01")
    for query, expected in (
        ("", [late, other, old]),
        ("sort=happened_on", [old, other, late]),
        (f"student_id={student.id}", [late, old]),
        ("kind=positive", [old]),
        ("category=RESPECT", [old]),
        (f"class_id={room}", [late]),
        ("start_date=2026-02-02&end_date=2026-03-01", [other]),
        ("open_follow_ups=true", [late]),
    ):
        assert listed(teacher, query) == expected, query


def test_that_something_is_to_be_done_does_not_show_in_a_familys_list(teacher: Person, student: Person) -> None:
    written(teacher, student, follow_up="Talk", is_visible_to_family=True)
    assert listed(student, "open_follow_ups=true") == []


def test_what_is_to_be_done_is_done_once_and_again_when_it_changes(teacher: Person, student: Person) -> None:
    note = written(teacher, student, follow_up="Talk")
    done = teacher.post(f"/api/behaviour/{note}/followed-up")
    assert (done.status_code, done.json["followed_up_at"]) == (200, "2026-03-12T09:00:00Z")
    assert listed(teacher, "open_follow_ups=true") == []
    same = teacher.put(f"/api/behaviour/{note}", {"notes": "At noon", "follow_up": "Talk"}).json
    assert same["followed_up_at"] is not None
    assert teacher.put(f"/api/behaviour/{note}", {"follow_up": "Write"}).json["followed_up_at"] is None
    assert listed(teacher, "open_follow_ups=true") == [note]
    nothing = written(teacher, student)
    assert told(teacher.post(f"/api/behaviour/{nothing}/followed-up")) == (409, "nothing_to_follow_up")


def test_its_writer_or_an_administrator_changes_and_deletes_it_with_a_reason(
    cast: Cast, teacher: Person, student: Person, admin: Person
) -> None:
    note = written(teacher, student, is_visible_to_family=True)
    other, path = cast.teacher(), f"/api/behaviour/{note}"
    assert told(other.put(path, {"notes": "No"})) == told(other.delete(path)) == (403, "not_your_note")
    assert told(student.put(path, {"notes": "No"})) == told(student.delete(path)) == (403, "role_not_allowed")
    changed = teacher.put(path, {"kind": "positive", "reason": "It was somebody else"})
    assert (changed.json["kind"], changed.json["category"]) == ("positive", "disruption")
    assert told(teacher.put(path, {"happened_on": "2026-03-13"})) == (400, "dates_refused")
    assert admin.delete(f"{path}?reason=Not+us").status_code == 200
    assert told(teacher.get(path)) == (404, "not_found")
    entries = admin.get("/api/admin/audit?entity=behaviour_notes").json["items"]
    reasons = {entry["action"]: entry["reason"] for entry in entries}
    assert reasons == {"create": None, "update": "It was somebody else", "delete": "Not us"}


def test_any_category_is_taken_and_the_organisations_own_are_spelt_alike(
    teacher: Person, student: Person, admin: Person
) -> None:
    changed = {"settings": {"behaviour": {"categories": ["homework", "respect"]}}}
    assert admin.put(f"/api/admin/organizations/{admin.organisation_id}", changed).status_code == 200
    for category in ("Homework", "homework", "chess", "chess", "lateness"):
        written(teacher, student, category=category)
    answer = teacher.get("/api/behaviour/categories")
    assert [tuple(item.values()) for item in answer.json["items"]] == [
        ("homework", 2),
        ("respect", 0),
        ("chess", 2),
        ("lateness", 1),
    ]
    assert answer.json["total"] == 4


def test_statistics_count_what_their_reader_may_see(
    cast: Cast, teacher: Person, student: Person, parent: Person
) -> None:
    shown = {"is_visible_to_family": True}
    written(teacher, student, happened_on="2026-02-03", kind="positive", category="respect", **shown)
    written(teacher, student, happened_on="2026-02-27", **shown)
    written(teacher, student, category="respect")
    written(teacher, cast.student(), **shown)
    written(teacher, student, happened_on="2024-03-12")
    all_ = teacher.get("/api/behaviour/statistics").json
    assert (all_["positive"], all_["negative"], all_["interval"]) == (1, 3, "month")
    assert all_["by_category"] == [
        {"category": "disruption", "positive": 0, "negative": 2},
        {"category": "respect", "positive": 1, "negative": 1},
    ]
    assert all_["trend"] == [
        {"interval": "2026-02-01", "positive": 1, "negative": 1},
        {"interval": "2026-03-01", "positive": 0, "negative": 2},
    ]
    for person in (student, parent):
        theirs = person.get("/api/behaviour/statistics?interval=week").json
        assert (theirs["positive"], theirs["negative"]) == (1, 1)
        assert [point["interval"] for point in theirs["trend"]] == ["2026-02-02", "2026-02-23"]
    one = teacher.get(f"/api/behaviour/statistics?student_id={student.id}&category=respect&start_date=2026-03-01").json
    assert (one["positive"], one["negative"]) == (0, 1)
    nothing = teacher.get("/api/behaviour/statistics?end_date=2020-01-01").json
    assert (nothing["positive"], nothing["negative"], nothing["trend"]) == (0, 0, [])


def test_notes_are_counted_by_anything_in_one_statement(cast: Cast, teacher: Person, student: Person) -> None:
    other = cast.student()
    assert teacher.id
    assert other.id
    with cast.app.app_context():
        values = {"organisation_id": cast.organisation(), "teacher_id": teacher.id, "category": "respect"}
        for person, day, kind in ((student, 1, "positive"), (student, 2, "negative"), (other, 2, "negative")):
            make(
                BehaviourNote, **values, student_id=person.id, kind=BehaviourKind(kind), happened_on=date(2026, 3, day)
            )
        make(BehaviourNote, organisation_id=make(Organisation).id, happened_on=date(2026, 3, 2))
        caller = Caller(teacher.id, cast.organisation(), Role.TEACHER, "UTC", OrganisationSettings())
        with counted(cast.app) as said:
            by_both = note_counts(caller, NoteFilters(), NoteBy.PERSON, NoteBy.DAY)
        assert len(said) == 1
        assert by_both == {
            (student.id, date(2026, 3, 1)): NoteCounts(1, 0),
            (student.id, date(2026, 3, 2)): NoteCounts(0, 1),
            (other.id, date(2026, 3, 2)): NoteCounts(0, 1),
        }
        assert note_counts(caller, NoteFilters()) == {(): NoteCounts(1, 2)}
        assert note_counts(caller, NoteFilters(for_family=True)) == {}
        wanted = NoteFilters(days=Days(date(2026, 3, 2)), student_ids=[other.id], kind=BehaviourKind.NEGATIVE)
        assert note_counts(caller, wanted, NoteBy.PERSON) == {(other.id,): NoteCounts(0, 1)}
        assert note_counts(caller, NoteFilters(), NoteBy.DAY, most=1) == {(date(2026, 3, 2),): NoteCounts(0, 2)}


def test_however_many_notes_the_statements_are_as_many(cast: Cast, teacher: Person, student: Person) -> None:
    numbers = []
    for more in (1, 10):
        for _ in range(more):
            written(teacher, cast.student() if more > 1 else student)
        with counted(cast.app) as said:
            assert len(listed(teacher)) >= more
        numbers.append(len(said))
    assert numbers[0] == numbers[1]


def test_notes_are_erased_with_their_student(cast: Cast, teacher: Person, student: Person, admin: Person) -> None:
    written(teacher, student, notes="Quarrelled")
    assert admin.post(f"/api/admin/users/{student.id}/erase", {}).status_code == 200
    assert listed(teacher) == []
    assert "Quarrelled" not in admin.get("/api/admin/audit?per_page=100").text
    with cast.app.app_context():
        assert db.session.get_one(User, teacher.id).erased_at is None
