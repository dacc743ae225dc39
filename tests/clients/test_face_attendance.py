"""Face Attendance, gate and office: its calls of accounts, under /api."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from app import clock
from app.models import Organisation, Role
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make

ADA = {"name": "Ada Lovelace", "email": "ada@office.test", "password": PASSWORD}


def test_registering_gives_the_user_id_and_a_token(nobody: Person) -> None:
    answer = nobody.post("/api/auth/register", ADA | {"role": "student"})
    assert answer.status_code == 201, answer.text
    nobody.token = answer.json["token"]
    verified = nobody.get("/api/auth/verify-token")
    assert (verified.status_code, verified.json["valid"]) == (200, True)
    assert verified.json["user"]["id"] == answer.json["user_id"]


@pytest.mark.parametrize("role", ["employee", "admin", "super_admin"])
def test_a_role_that_the_rules_do_not_allow_is_refused(nobody: Person, role: str) -> None:
    answer = nobody.post("/api/auth/register", ADA | {"role": role})
    assert (answer.status_code, answer.json["code"]) == (403, "registration_refused")
    assert nobody.post("/api/auth/login", {"email": ADA["email"], "password": PASSWORD}).status_code == 401


def test_an_office_may_let_its_employees_register(cast: Cast, nobody: Person) -> None:
    with cast.app.app_context():
        settings = {"registration": {"rule": "open", "roles": ["employee"]}}
        office = str(make(Organisation, settings=settings, time_zone="UTC").id)
    statuses = [
        nobody.post("/api/auth/register", ADA | {"role": role, "org_id": office}).status_code
        for role in ("student", "admin", "employee")
    ]
    assert statuses == [403, 403, 201]


def test_signing_in_gives_token_and_user_and_keeps_the_time(
    nobody: Person, teacher: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2040, 3, 12, 9, 30, tzinfo=UTC)
    monkeypatch.setattr(clock, "now", lambda: now)
    answer = nobody.post("/api/auth/login", {"email": teacher.email, "password": PASSWORD})
    assert (answer.status_code, answer.json["user"]["id"]) == (200, str(teacher.id))
    nobody.token = answer.json["token"]
    assert datetime.fromisoformat(nobody.get("/api/auth/verify-token").json["user"]["last_sign_in_at"]) == now


def test_a_suspended_account_is_told_so_and_only_to_who_knows_the_password(cast: Cast, teacher: Person) -> None:
    assert cast.person(Role.ADMIN).post(f"/api/admin/users/{teacher.id}/suspend", {}).status_code == 200
    answers = [
        teacher.post("/api/auth/login", {"email": teacher.email, "password": password})
        for password in (PASSWORD, "a guess")
    ]
    assert [(a.status_code, a.json["code"]) for a in answers] == [
        (403, "account_suspended"),
        (401, "wrong_credentials"),
    ]


def test_signing_out_revokes_the_token(teacher: Person) -> None:
    answer = teacher.post("/api/auth/logout")
    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
    refused = teacher.get("/api/auth/verify-token")
    assert (refused.status_code, refused.json["code"]) == (401, "token_revoked")


def test_todays_summary_is_by_department(cast: Cast) -> None:
    admin, ada, mary = cast.person(Role.ADMIN), cast.person(Role.EMPLOYEE), cast.person(Role.EMPLOYEE)
    for person, department in ((ada, "Optics"), (mary, "Sales")):
        assert admin.put(f"/api/admin/users/{person.id}", {"department": department}).status_code == 200
    times = {"start_time": clock.now().isoformat(), "end_time": (clock.now() + timedelta(hours=8)).isoformat()}
    session = admin.post("/api/admin/sessions", {"session_name": "Office day"} | times).json["id"]
    marks = [{"student_id": str(ada.id), "status": "late"}, {"student_id": str(mary.id), "status": "absent"}]
    assert admin.post(f"/api/attendance/session/{session}/marks", {"marks": marks}).status_code == 200
    today = clock.today("UTC")
    told = admin.get(f"/api/reports/organization/summary?start_date={today}&end_date={today}").json
    statuses = ("present", "absent", "late", "leave", "rate")
    assert {one["name"]: [one[status] for status in statuses] for one in told["by_department"]} == {
        "Optics": [0, 0, 1, 0, 1.0],
        "Sales": [0, 1, 0, 0, 0.0],
    }
