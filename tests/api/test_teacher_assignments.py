"""Teacher assignments: who teaches what to whom, and what follows from it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from app import clock
from app.models import Role
from tests.conftest import Cast, Person
from tests.statements import counted
from tests.test_races import at_once, twin

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
SPRING = {"name": "Spring 2026", "first_day": "2026-01-07", "last_day": "2026-06-30"}
AUTUMN = {"name": "Autumn 2026", "first_day": "2026-09-01", "last_day": "2026-12-18"}


@pytest.fixture(autouse=True)
def _at_nine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NINE)


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def ids(admin: Person, teacher: Person) -> dict[str, str]:
    """Of a teacher, and of what they are to teach."""
    return {
        "teacher_id": str(teacher.id),
        "subject_id": admin.post("/api/subjects", {"name": "Mathematics"}).json["id"],
        "class_id": admin.post("/api/classes/create", {"name": "Year 7"}).json["id"],
        "term_id": admin.post("/api/terms", SPRING).json["id"],
    }


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def assign(admin: Person, ids: dict[str, str], **values: str) -> str:
    answer = admin.post("/api/teacher-assignments", ids | values)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def listed(person: Person, query: str = "") -> list[str]:
    return [item["id"] for item in person.get(f"/api/teacher-assignments?{query}").json["items"]]


def teachers(admin: Person, ids: dict[str, str]) -> dict[str, str]:
    found = admin.get(f"/api/classes/{ids['class_id']}").json["teachers"]
    return {teacher["id"]: teacher["role"] for teacher in found}


def test_who_is_assigned_may_take_the_classs_attendance(admin: Person, teacher: Person, ids: dict[str, str]) -> None:
    session = {"class_id": ids["class_id"], "session_name": "Sums"}
    assert told(teacher.post("/api/attendance/create-session", session)) == (403, "not_your_class")
    answer = admin.post("/api/teacher-assignments", ids)
    names = {"teacher_name": "Mary Somerville", "subject_name": "Mathematics", "class_name": "Year 7"}
    expected = ids | names | {"term_name": "Spring 2026"}
    assert {name: answer.json[name] for name in expected} == expected
    assert teachers(admin, ids)[ids["teacher_id"]] == "assistant"
    assert teacher.post("/api/attendance/create-session", session).status_code == 201


def test_a_lead_stays_the_lead(admin: Person, ids: dict[str, str]) -> None:
    assign(admin, ids, teacher_id=str(admin.id))
    assert teachers(admin, ids) == {str(admin.id): "lead"}


def test_the_same_twice_is_refused_even_at_once(cast: Cast, admin: Person, ids: dict[str, str]) -> None:
    def create(_: int) -> Any:
        return twin(cast, admin).post("/api/teacher-assignments", ids)

    assert at_once(create, 5) == {201: 1, 409: 4}
    assert told(create(0)) == (409, "assignment_taken")


def test_only_who_teaches_is_assigned(cast: Cast, admin: Person, ids: dict[str, str]) -> None:
    someone = ids | {"teacher_id": str(cast.student().id)}
    assert told(admin.post("/api/teacher-assignments", someone)) == (409, "not_a_teacher")


def test_administrators_assign_and_teachers_see_their_own(
    cast: Cast, admin: Person, teacher: Person, ids: dict[str, str]
) -> None:
    other = cast.teacher()
    own, theirs = assign(admin, ids), assign(admin, ids, teacher_id=str(other.id))
    assert listed(admin) == [own, theirs]
    assert (listed(teacher), listed(other)) == ([own], [theirs])
    assert listed(teacher, f"teacher_id={other.id}") == []
    for call in (teacher.post("/api/teacher-assignments", ids), teacher.delete(f"/api/teacher-assignments/{own}")):
        assert told(call) == (403, "role_not_allowed")


def test_the_list_is_filtered(admin: Person, teacher: Person, ids: dict[str, str]) -> None:
    physics = admin.post("/api/subjects", {"name": "Physics"}).json["id"]
    year8 = admin.post("/api/classes/create", {"name": "Year 8"}).json["id"]
    autumn = admin.post("/api/terms", AUTUMN).json["id"]
    sums, light = assign(admin, ids), assign(admin, ids, subject_id=physics)
    eighth, later = assign(admin, ids, class_id=year8), assign(admin, ids, term_id=autumn)
    for query, expected in (
        (f"teacher_id={teacher.id}", [sums, light, eighth, later]),
        (f"subject_id={physics}", [light]),
        (f"class_id={year8}", [eighth]),
        (f"term_id={autumn}", [later]),
        ("current=true", [sums, light, eighth]),
        ("sort=-class,subject,-term", [eighth, later, sums, light]),
    ):
        assert listed(admin, query) == expected, query


def test_however_many_there_are_the_statements_are_as_many(cast: Cast, admin: Person, ids: dict[str, str]) -> None:
    numbers = []
    for more in (1, 5):
        for _ in range(more):
            assign(admin, ids, teacher_id=str(cast.teacher().id))
        with counted(cast.app) as said:
            assert len(listed(admin)) >= more
        numbers.append(len(said))
    assert numbers[0] == numbers[1]


def test_who_is_no_longer_assigned_still_teaches_the_class(admin: Person, ids: dict[str, str]) -> None:
    row = assign(admin, ids)
    assert told(admin.delete(f"/api/subjects/{ids['subject_id']}")) == (409, "in_use")
    assert admin.delete(f"/api/teacher-assignments/{row}").status_code == 200
    assert listed(admin) == []
    assert ids["teacher_id"] in teachers(admin, ids)
    assert told(admin.delete(f"/api/teacher-assignments/{row}")) == (404, "not_found")
