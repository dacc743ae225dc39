"""Classes: creating, joining with a code, leaving, changing."""

from __future__ import annotations

import re
from typing import Any

import pytest

from app.extensions import limiter
from app.models import Role
from tests.conftest import Cast, Person


@pytest.fixture
def maths(teacher: Person) -> dict[str, Any]:
    answer = teacher.post("/api/classes/create", {"name": "Maths", "description": "Room 12"})
    assert answer.status_code == 201
    created: dict[str, Any] = answer.json
    return created


def test_a_class_gets_a_code_that_can_be_read_out(maths: dict[str, Any]) -> None:
    assert re.fullmatch("[A-HJ-NP-Z2-9]{6}", maths["join_code"])
    assert (maths["name"], maths["description"], maths["student_count"]) == ("Maths", "Room 12", 0)


@pytest.mark.parametrize("spelling", [str.upper, str.lower, lambda code: f" {code} "])
def test_the_code_opens_the_class_however_it_is_typed(maths: dict[str, Any], student: Person, spelling: Any) -> None:
    answer = student.post("/api/classes/join", {"joinCode": spelling(maths["join_code"])})
    assert (answer.status_code, answer.json["id"], answer.json["join_code"]) == (201, maths["id"], None)


def test_joining_twice_says_so(maths: dict[str, Any], student: Person) -> None:
    answers = [student.post("/api/classes/join", {"join_code": maths["join_code"]}) for _ in range(2)]
    assert [(a.status_code, a.json.get("code")) for a in answers] == [(201, None), (409, "already_enrolled")]


def test_no_code_no_class(student: Person) -> None:
    answer = student.post("/api/classes/join", {"join_code": "ZZZZZ9"})
    assert (answer.status_code, answer.json["code"]) == (404, "unknown_join_code")
    assert student.post("/api/classes/join", {"join_code": "not a code"}).status_code == 422


def test_another_organisations_code_opens_nothing(cast: Cast, maths: dict[str, Any]) -> None:
    outsider = cast.student(organisation_id=cast.other_organisation())
    assert outsider.post("/api/classes/join", {"join_code": maths["join_code"]}).json["code"] == "unknown_join_code"


def test_guessing_codes_is_limited_and_joining_is_not(maths: dict[str, Any], cast: Cast, student: Person) -> None:
    limiter.enabled = True
    guesses = [student.post("/api/classes/join", {"join_code": "ZZZZZ9"}) for _ in range(11)]
    assert [g.status_code for g in guesses] == [404] * 10 + [429]
    assert "Retry-After" in guesses[-1].headers
    assert cast.student().post("/api/classes/join", {"join_code": maths["join_code"]}).status_code == 201


def test_who_left_may_join_again(maths: dict[str, Any], teacher: Person, student: Person) -> None:
    code = {"join_code": maths["join_code"]}
    for _ in range(3):
        assert student.post("/api/classes/join", code).status_code == 201
        assert teacher.get(f"/api/classes/{maths['id']}").json["student_count"] == 1
        assert student.post(f"/api/classes/{maths['id']}/leave").status_code == 200
        assert teacher.get(f"/api/classes/{maths['id']}").json["student_count"] == 0
    again = student.post(f"/api/classes/{maths['id']}/leave")
    assert (again.status_code, again.json["code"]) == (403, "not_class_member")


def test_a_new_code_replaces_the_old_one_at_once(maths: dict[str, Any], teacher: Person, student: Person) -> None:
    new = teacher.post(f"/api/classes/{maths['id']}/regenerate-code").json["join_code"]
    assert new != maths["join_code"]
    assert student.post("/api/classes/join", {"join_code": maths["join_code"]}).status_code == 404
    assert student.post("/api/classes/join", {"join_code": new}).status_code == 201


def test_only_what_is_sent_of_a_class_changes(maths: dict[str, Any], teacher: Person) -> None:
    answer = teacher.put(f"/api/classes/{maths['id']}/update", {"description": "Room 14"})
    assert (answer.json["name"], answer.json["description"]) == ("Maths", "Room 14")
    assert teacher.put(f"/api/classes/{maths['id']}/update", {"name": ""}).status_code == 422


def test_students_and_code_are_for_those_who_teach(maths: dict[str, Any], teacher: Person, student: Person) -> None:
    student.post("/api/classes/join", {"join_code": maths["join_code"]})
    seen = teacher.get(f"/api/classes/{maths['id']}").json
    assert ([s["name"] for s in seen["students"]], seen["join_code"]) == (["Ada Lovelace"], maths["join_code"])
    own = student.get(f"/api/classes/{maths['id']}").json
    assert (own["students"], own["join_code"], own["teacher_name"]) == (None, None, "Mary Somerville")


def test_a_class_is_for_its_members(maths: dict[str, Any], cast: Cast, student: Person) -> None:
    stranger = student.get(f"/api/classes/{maths['id']}")
    assert (stranger.status_code, stranger.json["code"]) == (403, "not_class_member")
    colleague = cast.teacher()
    assert colleague.put(f"/api/classes/{maths['id']}/update", {"name": "Mine"}).json["code"] == "not_your_class"
    assert colleague.post(f"/api/classes/{maths['id']}/regenerate-code").status_code == 403
    assert cast.person(Role.ADMIN).get(f"/api/classes/{maths['id']}").json["join_code"] == maths["join_code"]


def test_my_classes_are_those_i_teach_or_attend(maths: dict[str, Any], cast: Cast, teacher: Person) -> None:
    cast.teacher().post("/api/classes/create", {"name": "Somebody else's"})
    student = cast.student()
    assert student.get("/api/classes/my-classes").json["items"] == []
    student.post("/api/classes/join", {"join_code": maths["join_code"]})
    for person in (teacher, student):
        (mine,) = person.get("/api/classes/my-classes").json["items"]
        assert (mine["id"], mine["student_count"], mine["session_count"]) == (maths["id"], 1, 0)


def test_a_list_is_paged_and_sorted(teacher: Person) -> None:
    for name in ("B", "C", "A"):
        teacher.post("/api/classes/create", {"name": name})
    page = teacher.get("/api/classes/my-classes?per_page=2&page=2&sort=-name").json
    assert [item["name"] for item in page["items"]] == ["A"]
    assert (page["page"], page["per_page"], page["total"], page["pages"]) == (2, 2, 3, 2)
    assert [c["name"] for c in teacher.get("/api/classes/my-classes").json["items"]] == ["A", "B", "C"]


@pytest.mark.parametrize(
    "query", ["page=0", "per_page=101", "sort=password_hash", "page=x", "page=99999999999999", "nme=1"]
)
def test_a_list_refuses_what_it_cannot_do(teacher: Person, query: str) -> None:
    answer = teacher.get(f"/api/classes/my-classes?{query}")
    assert (answer.status_code, list(answer.json["errors"])) == (422, [query.partition("=")[0]])
