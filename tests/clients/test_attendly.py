"""Attendly, classes with join codes: its calls of accounts, under /api."""

from __future__ import annotations

import pytest

from tests.conftest import Person
from tests.factories import PASSWORD

NEW_PASSWORD = "staple of four words"
ADA = {"email": "ada@school.test", "password": PASSWORD, "first_name": "Ada", "last_name": "Lovelace"}


@pytest.mark.parametrize("role", ["student", "teacher"])
def test_signing_up_as_a_student_or_teacher_gives_the_user(nobody: Person, role: str) -> None:
    answer = nobody.post("/api/auth/signup", ADA | {"role": role})
    assert (answer.status_code, answer.json["email"], answer.json["role"]) == (201, "ada@school.test", role)
    assert (answer.json["first_name"], answer.json["last_name"]) == ("Ada", "Lovelace")
    signed_in = nobody.post("/api/auth/login", {"email": ADA["email"], "password": PASSWORD})
    assert (signed_in.status_code, signed_in.json["user"]["id"]) == (200, answer.json["id"])
    nobody.token = signed_in.json["access_token"]
    assert nobody.get("/api/auth/profile").json["name"] == "Ada Lovelace"


def test_the_body_may_be_in_camel_case(nobody: Person) -> None:
    body = {"email": "a@school.test", "password": PASSWORD, "firstName": "Ada", "lastName": "King", "role": "student"}
    assert nobody.post("/api/auth/signup", body).json["name"] == "Ada King"


def test_the_profile_takes_each_of_its_fields(student: Person) -> None:
    for sent, told in (
        ({"first_name": "Augusta"}, {"name": "Augusta Lovelace"}),
        ({"last_name": "King"}, {"name": "Augusta King"}),
        ({"name": "Ada Byron"}, {"first_name": "Ada", "last_name": "Byron"}),
        ({"phone": "+44 20 7946"}, {"phone": "+44 20 7946", "name": "Ada Byron"}),
        ({"avatar": "https://school.test/a.png"}, {"avatar": "https://school.test/a.png", "phone": "+44 20 7946"}),
    ):
        answer = student.put("/api/auth/profile", sent)
        assert (answer.status_code, {name: answer.json[name] for name in told}) == (200, told)
        assert student.get("/api/auth/profile").json == answer.json


@pytest.mark.parametrize("field", ["role", "organisation_id", "org_id", "email_verified", "email_verified_at"])
def test_the_profile_does_not_take_role_organisation_or_verification(student: Person, field: str) -> None:
    before = student.get("/api/auth/profile").json
    assert student.put("/api/auth/profile", {"first_name": "Eve", field: "admin"}).status_code == 422
    assert student.get("/api/auth/profile").json == before


def test_the_password_changes(student: Person) -> None:
    answer = student.post("/api/auth/change-password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
    for password, status in ((PASSWORD, 401), (NEW_PASSWORD, 200)):
        assert student.post("/api/auth/login", {"email": student.email, "password": password}).status_code == status
