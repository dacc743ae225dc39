"""Registering, signing in and out, profile and password, as clients do it."""

from __future__ import annotations

import pytest
from flask_jwt_extended import create_access_token
from sqlalchemy import select

from app.extensions import db, limiter
from app.models import Organisation, Role, SignIn, User, UserStatus
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make

ADA = {
    "email": "Ada@School.test",
    "password": PASSWORD,
    "first_name": "Ada",
    "last_name": "Lovelace",
    "role": "student",
}


@pytest.mark.parametrize("name", ["A" * 101, f"Ada {'L' * 101}", f"{'A ' * 60}Lovelace"])
def test_a_name_that_the_database_cannot_keep_is_refused_by_field(nobody: Person, name: str) -> None:
    """SQLite keeps what is too long, the others fail."""
    body = {"email": "ada@school.test", "password": PASSWORD, "role": "student", "name": name}
    answer = nobody.post("/api/auth/register", body)
    assert (answer.status_code, list(answer.json.get("errors", ()))) == (422, ["name"])


def test_who_names_no_organisation_joins_the_installations_own(cast: Cast, nobody: Person) -> None:
    answer = nobody.post("/api/auth/signup", ADA)
    assert answer.status_code == 201
    assert (answer.json["email"], answer.json["name"], answer.json["role"]) == (
        "ada@school.test",
        "Ada Lovelace",
        "student",
    )
    with cast.app.app_context():
        assert answer.json["organisation_id"] == str(cast.organisation())


def test_an_answer_never_holds_a_password(nobody: Person) -> None:
    signed_up = nobody.post("/api/auth/signup", ADA)
    signed_in = nobody.post("/api/auth/login", {"email": ADA["email"], "password": PASSWORD})
    assert "password" not in signed_up.text + signed_in.text
    assert PASSWORD not in signed_up.text + signed_in.text


@pytest.mark.parametrize("role", ["admin", "super_admin", "employee", "parent"])
def test_nobody_registers_with_a_role_that_the_organisation_does_not_offer(nobody: Person, role: str) -> None:
    answer = nobody.post("/api/auth/signup", ADA | {"role": role})
    assert (answer.status_code, answer.json["code"]) == (403, "registration_refused")


def test_an_organisation_without_open_registration_takes_nobody(cast: Cast, nobody: Person) -> None:
    closed = str(cast.other_organisation())
    answers = [nobody.post("/api/auth/signup", ADA | {field: closed}) for field in ("organisation_id", "org_id")]
    assert [(a.status_code, a.json["code"]) for a in answers] == [(403, "registration_refused")] * 2


def test_an_open_organisation_takes_who_names_it(cast: Cast, nobody: Person) -> None:
    with cast.app.app_context():
        named = str(
            make(Organisation, settings={"registration": {"rule": "open", "roles": ["student"]}}, time_zone="UTC").id
        )
    answer = nobody.post("/api/auth/signup", ADA | {"organisation_id": named})
    assert (answer.status_code, answer.json["organisation_id"]) == (201, named)


def test_an_email_is_taken_once_whatever_its_case(nobody: Person) -> None:
    answers = [nobody.post("/api/auth/signup", ADA | {"email": email}) for email in ("ada@x.org", " ADA@X.org ")]
    assert [a.status_code for a in answers] == [201, 409]
    assert answers[1].json["code"] == "email_taken"


@pytest.mark.parametrize(
    "password", ["short", "Password1!", "qwertyuiop", "aaaaaaaaaaaaaaaa", "lovelace1", "ada@school.test"]
)
def test_a_password_that_is_easy_to_guess_is_refused_by_name(nobody: Person, password: str) -> None:
    answer = nobody.post("/api/auth/signup", ADA | {"password": password})
    assert (answer.status_code, answer.json["code"], list(answer.json["errors"])) == (
        422,
        "weak_password",
        ["password"],
    )


@pytest.mark.parametrize(
    "password", ["seven tall trees " * 20, "пароль из многих букв", "我的密碼很難猜到的", "blanks at the end   "]
)
def test_passwords_of_any_length_and_script_count_in_full(nobody: Person, password: str) -> None:
    nobody.post("/api/auth/signup", ADA | {"password": password})
    statuses = [
        nobody.post("/api/auth/login", {"email": ADA["email"], "password": tried}).status_code
        for tried in (password, password[:-1], password + "y")
    ]
    assert statuses == [200, 401, 401]


def test_unknown_email_and_wrong_password_are_answered_alike(nobody: Person) -> None:
    nobody.post("/api/auth/signup", ADA)
    wrong = nobody.post("/api/auth/login", {"email": ADA["email"], "password": "not the one"})
    unknown = nobody.post("/api/auth/login", {"email": "nobody@school.test", "password": "not the one"})
    assert (wrong.status_code, wrong.json["code"]) == (401, "wrong_credentials")
    assert {k: v for k, v in wrong.json.items() if k != "request_id"} == {
        k: v for k, v in unknown.json.items() if k != "request_id"
    }


def test_signing_in_keeps_the_device_and_its_address(cast: Cast, nobody: Person) -> None:
    nobody.post("/api/auth/signup", ADA)
    agent = {"User-Agent": "Rollcall/2.1 (Android 16)"}
    answer = nobody.post("/api/auth/login", {"email": ADA["email"], "password": PASSWORD}, headers=agent)
    assert answer.json["user"]["name"] == "Ada Lovelace"
    with cast.app.app_context():
        kept = db.session.scalars(select(SignIn).order_by(SignIn.id.desc())).first()
        assert kept
        assert (kept.device, kept.address) == ("Rollcall/2.1 (Android 16)", "127.0.0.1")


def test_signing_out_ends_the_token_and_no_other(cast: Cast, nobody: Person) -> None:
    nobody.post("/api/auth/signup", ADA)
    tokens = [
        nobody.post("/api/auth/login", {"email": ADA["email"], "password": PASSWORD}).json["access_token"] for _ in "ab"
    ]
    phone, laptop = (Person(cast.app.test_client(), token=token) for token in tokens)
    assert phone.post("/api/auth/logout").status_code == 200
    refused = phone.get("/api/auth/profile")
    assert (refused.status_code, refused.json["code"]) == (401, "token_revoked")
    assert laptop.get("/api/auth/profile").status_code == 200


def test_a_suspended_person_is_out_at_once_and_cannot_sign_in(cast: Cast, student: Person) -> None:
    with cast.app.app_context():
        user = db.session.get(User, student.id)
        assert user
        user.status = UserStatus.SUSPENDED
        db.session.commit()
    again = student.post("/api/auth/login", {"email": student.email, "password": PASSWORD})
    assert [student.get("/api/auth/profile").json["code"], again.json["code"]] == ["account_suspended"] * 2


def test_changing_the_password_ends_the_other_devices(cast: Cast, student: Person) -> None:
    token = student.post("/api/auth/login", {"email": student.email, "password": PASSWORD}).json["access_token"]
    other = Person(cast.app.test_client(), token=token)
    changed = student.post("/api/auth/change-password", {"currentPassword": PASSWORD, "newPassword": "four new words"})
    assert changed.status_code == 200
    assert (student.get("/api/auth/profile").status_code, other.get("/api/auth/profile").status_code) == (200, 401)
    for password, status in ((PASSWORD, 401), ("four new words", 200)):
        assert student.post("/api/auth/login", {"email": student.email, "password": password}).status_code == status


def test_the_password_changes_only_for_who_knows_it(student: Person) -> None:
    answer = student.post(
        "/api/auth/change-password", {"current_password": "a guess", "new_password": "four new words"}
    )
    assert (answer.status_code, answer.json["code"]) == (400, "wrong_password")


def test_only_what_is_sent_of_the_profile_changes(student: Person) -> None:
    assert student.put("/api/auth/profile", {"phone": "+351 21 000"}).json["phone"] == "+351 21 000"
    answer = student.put("/api/auth/profile", {"name": "Augusta  Ada King"})
    assert (answer.json["first_name"], answer.json["last_name"]) == ("Augusta Ada", "King")
    assert student.get("/api/auth/profile").json["name"] == "Augusta Ada King"
    assert student.put("/api/auth/profile", {"name": "Pelé"}).json["name"] == "Pelé"
    assert student.get("/api/auth/me").json["phone"] == "+351 21 000"


@pytest.mark.parametrize("field", ["role", "organisation_id", "email", "email_verified", "status"])
def test_the_profile_gives_no_way_to_more_rights(student: Person, field: str) -> None:
    answer = student.put("/api/auth/profile", {field: "admin"})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_a_token_that_was_not_made_here_is_refused(cast: Cast, student: Person) -> None:
    with cast.app.app_context():
        headless = create_access_token("somebody")
    for token in ("rubbish", f"{student.token}x", headless):
        refused = Person(cast.app.test_client(), token=token).get("/api/auth/profile")
        assert (refused.status_code, refused.json["code"]) == (401, "token_invalid")


def test_guessing_a_password_is_stopped_with_the_time_to_wait(nobody: Person) -> None:
    limiter.enabled = True
    nobody.post("/api/auth/signup", ADA)
    guesses = [nobody.post("/api/auth/login", {"email": ADA["email"], "password": "a guess"}) for _ in range(11)]
    assert [g.status_code for g in guesses] == [401] * 10 + [429]
    assert guesses[-1].json["code"] == "too_many_requests"
    assert 0 < int(guesses[-1].headers["Retry-After"]) <= 60
    elsewhere = {"environ_overrides": {"REMOTE_ADDR": "192.0.2.7"}}
    right = nobody.post("/api/auth/login", {"email": ADA["email"], "password": PASSWORD}, **elsewhere)
    assert right.status_code == 200, "a guesser must not lock the owner out"


def test_a_school_behind_one_address_signs_in_at_nine(student: Person) -> None:
    limiter.enabled = True
    body = {"email": student.email, "password": PASSWORD}
    assert {student.post("/api/auth/login", body).status_code for _ in range(30)} == {200}


def test_every_role_reads_its_own_profile(cast: Cast) -> None:
    for role in Role:
        assert cast.person(role).get("/auth/profile").json["role"] == role
