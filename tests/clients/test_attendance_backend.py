"""Attendance Backend, mobile check-in for several organisations: its calls at the server's root, as it makes them."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import timedelta
from typing import Any

import pytest
from flask_jwt_extended import create_access_token
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Organisation, Role, SignIn
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make
from tests.story import Classroom

NEW_PASSWORD = "staple of four words"
ADA = {"name": "Ada Lovelace", "email": "ada@school.test", "password": PASSWORD}
OPEN = {"registration": {"rule": "open", "roles": ["student", "teacher"]}}


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def manager(cast: Cast) -> Person:
    """Manages the installation."""
    return cast.person(Role.SUPER_ADMIN)


def test_registering_with_an_organisation_gives_the_user(cast: Cast, nobody: Person) -> None:
    with cast.app.app_context():
        org_id = str(make(Organisation, settings=OPEN, time_zone="UTC").id)
    answer = nobody.post("/auth/register", ADA | {"role": "student", "org_id": org_id})
    assert answer.status_code == 201, answer.text
    told = {name: answer.json[name] for name in ("name", "email", "role", "organisation_id")}
    assert told == {"name": "Ada Lovelace", "email": "ada@school.test", "role": "student", "organisation_id": org_id}
    unknown = nobody.post(
        "/auth/register", ADA | {"email": "b@school.test", "role": "student", "org_id": str(uuid.uuid4())}
    )
    assert (unknown.status_code, unknown.json["code"]) == (404, "not_found")


def test_signing_in_gives_both_tokens_and_keeps_device_and_address(nobody: Person, teacher: Person) -> None:
    body = {"email": teacher.email, "password": PASSWORD, "device_info": "Pixel 9, Android 16"}
    answer = nobody.post("/auth/login", body, environ_overrides={"REMOTE_ADDR": "192.0.2.7"})
    assert (answer.status_code, answer.json["user"]["id"]) == (200, str(teacher.id))
    nobody.token = answer.json["access_token"]
    signed_in = nobody.get("/auth/sign-ins").json
    here = next(item for item in signed_in["items"] if item["id"] == signed_in["current_id"])
    assert (here["device"], here["address"]) == ("Pixel 9, Android 16", "192.0.2.7")
    refreshed = nobody.post("/auth/refresh", {"refresh_token": answer.json["refresh_token"]})
    assert (refreshed.status_code, bool(refreshed.json["access_token"])) == (200, True)


@pytest.mark.parametrize("device", [{"os": "Android", "version": 16}, ["a"], 7, None])
def test_a_device_may_describe_itself_in_any_json(nobody: Person, teacher: Person, device: Any) -> None:
    body = {"email": teacher.email, "password": PASSWORD, "device_info": device}
    assert nobody.post("/auth/login", body).status_code == 200


def test_signing_out_ends_the_session(teacher: Person) -> None:
    answer = teacher.post("/auth/logout")
    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
    assert teacher.get("/auth/profile").status_code == 401


def test_the_token_is_verified(teacher: Person) -> None:
    answer = teacher.get("/auth/verify")
    assert (answer.status_code, answer.json["valid"], answer.json["user"]["id"]) == (200, True, str(teacher.id))


def test_a_bad_an_expired_and_a_revoked_token_are_not_valid(cast: Cast, teacher: Person, nobody: Person) -> None:
    with cast.app.app_context():
        sid = str(db.session.scalars(select(SignIn.id).where(SignIn.user_id == teacher.id)).one())
        past = timedelta(seconds=-1)
        expired = create_access_token(str(teacher.id), additional_claims={"sid": sid}, expires_delta=past)
    bad = f"{teacher.token}x"
    teacher.post("/auth/logout")
    for token, code in ((bad, "token_invalid"), (expired, "token_expired"), (teacher.token, "token_revoked")):
        nobody.token = token
        answer = nobody.get("/auth/verify")
        assert (answer.status_code, answer.json["code"]) == (401, code)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/admin/users/{}/suspend", {}),
        ("PUT", "/admin/users/{}", {"status": "suspended"}),
        ("PUT", "/admin/users/{}", {"is_active": False}),
        ("DELETE", "/admin/users/{}", None),
    ],
)
def test_the_token_of_who_was_suspended_is_not_valid(
    admin: Person, teacher: Person, method: str, path: str, body: Any
) -> None:
    assert admin.call(method, path.format(teacher.id), body).status_code == 200
    assert teacher.get("/auth/verify").status_code == 401


def test_the_profile_is_ones_own(teacher: Person) -> None:
    answer = teacher.get("/auth/profile")
    assert (answer.status_code, answer.json["name"], answer.json["role"]) == (200, "Mary Somerville", "teacher")


def test_changing_the_password_ends_the_other_sessions(cast: Cast, teacher: Person) -> None:
    body = {"email": teacher.email, "password": PASSWORD}
    other = Person(cast.app.test_client(), token=teacher.post("/auth/login", body).json["access_token"])
    changed = teacher.post("/auth/change-password", {"current_password": PASSWORD, "new_password": NEW_PASSWORD})
    assert (changed.status_code, bool(changed.json["message"])) == (200, True)
    assert (teacher.get("/auth/verify").status_code, other.get("/auth/verify").status_code) == (200, 401)
    assert teacher.post("/auth/login", body).status_code == 401


def test_users_come_in_pages_with_their_filters(cast: Cast, admin: Person, teacher: Person, student: Person) -> None:
    admin.delete(f"/admin/users/{student.id}")
    for query, found in (
        ({}, {admin.id, teacher.id, student.id}),
        ({"search": "SOMER"}, {teacher.id}),
        ({"role": "teacher"}, {teacher.id}),
        ({"is_active": "true"}, {admin.id, teacher.id}),
        ({"is_active": "false"}, {student.id}),
        ({"page": 2, "per_page": 2}, None),
    ):
        answer = admin.get("/admin/users", query_string=query)
        assert answer.status_code == 200, answer.text
        if found is not None:
            assert {item["id"] for item in answer.json["items"]} == set(map(str, found)), query
            assert answer.json["total"] == len(found)
    assert (len(answer.json["items"]), answer.json["page"], answer.json["pages"]) == (1, 2, 2)


def test_an_administrator_creates_reads_and_changes_a_user(admin: Person, nobody: Person) -> None:
    created = admin.post("/admin/users", ADA | {"role": "employee"})
    assert (created.status_code, created.json["name"], created.json["role"]) == (201, "Ada Lovelace", "employee")
    path = f"/admin/users/{created.json['id']}"
    assert admin.get(path).json == created.json
    fields = {"name": "Ada King", "phone": "+44 20", "email": "king@school.test", "role": "teacher"}
    changed = admin.put(path, fields)
    assert (changed.status_code, {name: changed.json[name] for name in fields}) == (200, fields)
    assert admin.get(path).json == changed.json
    assert nobody.post("/auth/login", {"email": "king@school.test", "password": PASSWORD}).status_code == 200


def test_each_of_a_users_fields_may_be_changed(admin: Person, teacher: Person) -> None:
    department = admin.post("/departments", {"name": "Science"}).json["id"]
    for field in (
        {"first_name": "Mary F."},
        {"last_name": "Greig"},
        {"email": "greig@school.test"},
        {"username": "mary"},
        {"phone": "+44 1"},
        {"address": "London"},
        {"avatar": "https://school.test/m.png"},
        {"department_id": department},
        {"department_id": None},
        {"role": "employee"},
        {"status": "suspended"},
        {"status": "active"},
        {"is_active": False},
    ):
        answer = admin.put(f"/admin/users/{teacher.id}", field)
        assert answer.status_code == 200, answer.text
        assert {name: answer.json[name] for name in field} == field


def test_deleting_a_user_keeps_them(admin: Person, teacher: Person) -> None:
    answer = admin.delete(f"/admin/users/{teacher.id}")
    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
    kept = admin.get(f"/admin/users/{teacher.id}")
    assert (kept.status_code, kept.json["name"], kept.json["is_active"]) == (200, "Mary Somerville", False)


@pytest.mark.parametrize("role", [Role.TEACHER, Role.STUDENT])
def test_users_and_organisations_are_the_administrators(cast: Cast, role: Role) -> None:
    person = cast.person(role)
    for method, path in (
        ("GET", "/admin/users"),
        ("POST", "/admin/users"),
        ("GET", f"/admin/users/{person.id}"),
        ("PUT", f"/admin/users/{person.id}"),
        ("DELETE", f"/admin/users/{person.id}"),
        ("GET", "/admin/organizations"),
        ("POST", "/admin/organizations"),
        ("GET", f"/admin/organizations/{person.organisation_id}"),
        ("PUT", f"/admin/organizations/{person.organisation_id}"),
    ):
        answer = person.call(method, path, None if method in {"GET", "DELETE"} else {})
        assert (answer.status_code, answer.json["code"]) == (403, "role_not_allowed"), (method, path)


@pytest.fixture
def room(cast: Cast) -> Classroom:
    """Ada has just checked in, at the place of the session; Grace, of whom a spreadsheet has to beware, has not."""
    room = Classroom.open(cast)
    ada, _ = room.join("Ada"), room.join("=Grace()")
    times = {"start_time": clock.now().isoformat(), "end_time": (clock.now() + timedelta(hours=1)).isoformat()}
    here = {"location_lat": 38.7, "location_lon": -9.1}
    made = room.teacher.post("/admin/sessions", {"session_name": "Stars", "class_id": room.id} | times | here)
    assert made.status_code == 201, made.text
    came = ada.post("/attendance/check-in", {"session_id": made.json["id"], "lat": 38.7001, "lon": -9.1})
    assert came.status_code == 201, came.text
    return room


def the_session(room: Classroom) -> str:
    (session,) = room.teacher.get("/admin/sessions?page=1&per_page=10&status=active").json["items"]
    return str(session["id"])


def days() -> str:
    return f"start_date={clock.now().date() - timedelta(days=2)}&end_date={clock.now().date() + timedelta(days=2)}"


def test_the_dashboard_counts_users_sessions_and_attendance(admin: Person, room: Classroom) -> None:
    told = admin.get("/admin/dashboard/stats")
    assert (told.status_code, told.json["users_by_role"]["student"]) == (200, 2)
    assert told.json["sessions"] == {"active": 1, "total": 1}
    assert [told.json[when]["present"] for when in ("today", "period")] == [1, 1]
    assert room.teacher.get("/admin/dashboard/stats").status_code == 403


def test_a_sessions_report_names_everybody_who_is_expected(room: Classroom) -> None:
    told = room.teacher.get(f"/reports/session/{the_session(room)}/detailed").json
    records = {one["student"]["first_name"]: one["record"] for one in told["people"]["items"]}
    assert (told["session"]["session_name"], records["=Grace()"]) == ("Stars", None)
    ada = records["Ada"]
    assert (ada["status"], ada["verification_status"], ada["check_out_time"]) == ("present", "verified", None)
    assert (ada["check_in_time"] is not None, round(ada["distance"])) == (True, 11)
    assert (told["rates"]["present"], told["rates"]["attendance"]) == (0.5, 0.5)


def test_the_summary_is_by_class_department_and_role(admin: Person, room: Classroom) -> None:
    told = admin.get(f"/reports/organization/summary?{days()}").json
    assert [(one["name"], one["rate"]) for one in told["by_class"]["items"]] == [("Astronomy", 1.0)]
    of_people = [[(one["name"], one["present"]) for one in told[by]] for by in ("by_department", "by_role")]
    assert (told["total"]["present"], of_people) == (1, [[(None, 1)], [("student", 1)]])


def test_a_users_report_is_for_staff_and_the_user(room: Classroom) -> None:
    ada = room.students["Ada"]
    for person in (ada, room.teacher):
        told = person.get(f"/reports/user/{ada.id}/detailed?{days()}").json
        assert (told["total"]["rate"], told["streaks"]["longest_there"], told["lateness"]["late"]) == (1.0, 1, 0)
        assert [len(told[by]) for by in ("by_class", "by_month")] == [1, 1]
        assert [one["status"] for one in told["records"]["items"]] == ["present"]


def test_trends_have_counts_and_a_rate_for_each_interval(room: Classroom) -> None:
    for interval in ("day", "week", "month"):
        query = f"{days()}&interval={interval}&class_id={room.id}"
        points = room.teacher.get(f"/reports/attendance/trends?{query}").json["points"]
        assert [(point["present"], point["expected"], point["rate"]) for point in points] == [(1, 1, 1.0)]
        assert room.teacher.get(f"/reports/attendance/trends?{query}&department=Arts").json["points"] == []


def test_records_are_downloaded_as_csv_in_which_nothing_runs(room: Classroom) -> None:
    room.mark(the_session(room), "=Grace()")
    for user, names in (("", ["'=Grace()", "Ada"]), (f"&user_id={room.students['Ada'].id}", ["Ada"])):
        answer = room.teacher.get(f"/reports/export/csv?{days()}&class_id={room.id}{user}")
        assert (answer.status_code, answer.mimetype) == (200, "text/csv")
        assert answer.headers["Content-Disposition"].startswith("attachment")
        assert sorted(row["first_name"] for row in csv.DictReader(io.StringIO(answer.text))) == names


def test_organisations_are_made_and_listed_by_who_manages_the_installation(manager: Person, admin: Person) -> None:
    fields = {
        "name": "Village School",
        "description": "120 children",
        "address": "Church Lane 1",
        "contact_email": "office@village.test",
        "contact_phone": "+44 20 7946 0000",
    }
    created = manager.post("/admin/organizations", fields)
    assert (created.status_code, {name: created.json[name] for name in fields}) == (201, fields)
    listed = manager.get("/admin/organizations")
    assert (listed.status_code, listed.json["total"]) == (200, 2)
    assert "Village School" in [item["name"] for item in listed.json["items"]]
    assert manager.post("/admin/organizations", {"name": "Town School"}).status_code == 201
    for call in (admin.get("/admin/organizations"), admin.post("/admin/organizations", {"name": "Mine"})):
        assert call.status_code == 403


def test_an_organisation_is_read_with_its_statistics(admin: Person, student: Person) -> None:
    answer = admin.get(f"/admin/organizations/{admin.organisation_id}")
    assert answer.status_code == 200
    statistics = answer.json["statistics"]
    assert (statistics["users"], statistics["users_by_role"]) == (2, {"admin": 1, "student": 1})


def test_an_organisation_is_changed_by_its_administrator(cast: Cast, nobody: Person) -> None:
    admin = cast.person(Role.ADMIN, cast.other_organisation())
    path = f"/admin/organizations/{admin.organisation_id}"
    fields = {"name": "Hill School", "description": "On a hill", "address": "Hill 1", "contact_email": "a@hill.test"}
    answer = admin.put(path, fields)
    assert (answer.status_code, {name: answer.json[name] for name in fields}) == (200, fields)
    assert admin.put(path, {"contact_phone": "+1"}).json["description"] == "On a hill"
