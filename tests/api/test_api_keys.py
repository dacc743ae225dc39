"""API keys: a script's own way in."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest

from app import clock
from app.models import Role
from app.services import jobs
from app.services.api_keys import RESOURCES
from tests.conftest import Cast, Person


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


def script(cast: Cast, admin: Person, *scopes: str, **more: Any) -> tuple[Person, dict[str, Any]]:
    made = admin.post("/api/admin/api-keys", {"name": "Nightly import", "scopes": scopes} | more)
    assert made.status_code == 201, made.text
    return Person(cast.app.test_client(), token=made.json["key"]), made.json


def test_a_key_may_do_what_it_was_given_and_nothing_else(cast: Cast, admin: Person) -> None:
    key, _ = script(cast, admin, "students:read", "students:write", "users:read")
    assert key.get("/api/students").status_code == 200
    assert key.post("/api/students", {"name": "Ada", "gender": "female"}).status_code == 201
    assert key.get("/api/admin/users").status_code == 200
    for refused in (key.delete(f"/api/admin/users/{admin.id}"), key.get("/api/admin/audit"), key.get("/api/terms")):
        assert (refused.status_code, refused.json["code"]) == (403, "scope_missing")


def test_a_key_never_opens_what_its_owner_signs_in_with(cast: Cast, admin: Person) -> None:
    scopes = [f"{resource}:{right}" for resource in RESOURCES for right in ("read", "write")]
    key, _ = script(cast, admin, *scopes)
    for method, path in (("GET", "/api/auth/sign-ins"), ("POST", "/api/auth/change-password"),
                         ("POST", "/api/auth/second-factor"), ("POST", "/api/admin/api-keys"),
                         ("POST", "/api/admin/invitations")):  # fmt: skip
        assert key.call(method, path, {}).json["code"] == "scope_missing", path


def test_a_key_neither_makes_nor_changes_administrators(cast: Cast, admin: Person) -> None:
    """Who finds it would sign in as one, and may then do what the key was not given."""
    key, _ = script(cast, admin, "users:write", "imports:write")
    mallory = {"name": "Mallory", "email": "mallory@evil.test", "role": "admin"}
    answers = [
        key.post("/api/admin/users", mallory),
        key.put(f"/api/admin/users/{admin.id}", {"password": "four quite new words"}),
        key.put(f"/api/admin/users/{cast.student().id}", {"role": "admin"}),
    ]
    assert {(a.status_code, a.json.get("code")) for a in answers} == {(403, "role_not_given")}
    assert key.post("/api/admin/users", mallory | {"role": "teacher"}).status_code == 201


def test_nor_does_it_by_way_of_a_job(cast: Cast, admin: Person) -> None:
    key, _ = script(cast, admin, "imports:write", "jobs:read")
    rows = {"rows": [{"first_name": "Mallory", "email": "mallory@evil.test", "role": "admin"}]}
    asked = key.post("/api/admin/import/users", rows, headers={"Prefer": "respond-async"})
    assert asked.status_code == 202, asked.text
    with cast.app.app_context():
        jobs.run(uuid.UUID(asked.json["id"]))
    job = key.get(f"/api/jobs/{asked.json['id']}").json
    assert (job["status"], "role" in str(job["problem"])) == ("failed", True), job


def test_every_scope_is_of_calls_that_there_are(cast: Cast) -> None:
    without_keys = {
        "auth",
        "api_keys",
        "face_data",
        "single_sign_on",
        "pages",
        "health",
        "swagger_ui",
        "openapi",
    }
    assert set(RESOURCES) == set(cast.app.blueprints) - without_keys


def test_a_key_is_shown_once_and_its_use_is_noted(cast: Cast, admin: Person) -> None:
    key, made = script(cast, admin, "students:read")
    listed = admin.get("/api/admin/api-keys")
    assert made["key"] not in listed.text
    assert (listed.json["items"][0]["hint"], listed.json["items"][0]["last_used_at"]) == (made["key"][:8], None)
    key.get("/api/students")
    (used,) = admin.get("/api/admin/api-keys").json["items"]
    assert used["last_used_at"]
    assert used["last_used_address"] == "127.0.0.1"


def test_an_administrator_sees_and_revokes_everybodys_keys(cast: Cast, admin: Person) -> None:
    key, made = script(cast, admin, "students:read")
    boss = cast.person(Role.ADMIN)
    (listed,) = boss.get("/api/admin/api-keys").json["items"]
    assert (listed["id"], listed["user_id"]) == (made["id"], str(admin.id))
    assert boss.delete(f"/api/admin/api-keys/{made['id']}").status_code == 200
    assert key.get("/api/students").json["code"] == "token_revoked"


def test_a_revoked_key_stops_at_once(cast: Cast, admin: Person) -> None:
    key, made = script(cast, admin, "students:read")
    assert admin.delete(f"/api/admin/api-keys/{made['id']}").status_code == 200
    assert (key.get("/api/students").status_code, key.get("/api/students").json["code"]) == (401, "token_revoked")


def test_a_key_expires(cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    key, _ = script(cast, admin, "students:read", expires_in_days=7)
    moved = clock.now() + timedelta(days=7, seconds=1)
    monkeypatch.setattr(clock, "now", lambda: moved)
    assert key.get("/api/students").json["code"] == "token_revoked"


def test_a_key_is_worth_no_more_than_its_owner(cast: Cast, admin: Person) -> None:
    key, _ = script(cast, admin, "students:read", "users:read")
    boss = cast.person(Role.ADMIN)
    boss.put(f"/api/admin/users/{admin.id}", {"role": "teacher"})
    assert key.get("/api/admin/users").json["code"] == "role_not_allowed"
    boss.post(f"/api/admin/users/{admin.id}/suspend", {})
    assert key.get("/api/students").json["code"] == "account_suspended"


def test_a_made_up_key_opens_nothing(cast: Cast) -> None:
    answer = Person(cast.app.test_client(), token="rk_made-up").get("/api/students")
    assert (answer.status_code, answer.json["code"]) == (401, "token_invalid")


def test_a_scope_that_is_none_is_refused_by_name(admin: Person) -> None:
    answer = admin.post("/api/admin/api-keys", {"name": "x", "scopes": ["auth:write"]})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["scopes.0"])
