"""Organisations: their settings, who sees and changes them, and how people get into them."""

from __future__ import annotations

import uuid
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from app import clock
from app.extensions import db
from app.models import Enrolment, FaceTemplate, Link, Mail, Organisation, Record, Role, SignIn, Status
from app.services import delivery, retention
from tests.api.test_users import traces
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make
from tests.mails import token_mailed
from tests.story import Classroom
from tests.test_races import at_once, twin

ADA = {"name": "Ada Lovelace", "email": "ada@school.test", "password": PASSWORD}


@pytest.fixture
def manager(cast: Cast) -> Person:
    """Manages the installation."""
    return cast.person(Role.SUPER_ADMIN)


@pytest.fixture
def admin(cast: Cast) -> Person:
    """Administers an organisation of their own, so that its settings are no other test's."""
    return cast.person(Role.ADMIN, cast.other_organisation())


@pytest.fixture
def path(admin: Person) -> str:
    return f"/api/admin/organizations/{admin.organisation_id}"


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json.get("code")


def test_every_setting_has_a_default(admin: Person, path: str) -> None:
    settings = admin.get(path).json["settings"]
    some = ("opens_before", "grace", "late_weight", "low_attendance")
    assert [settings[name] for name in some] == [15, 10, 1.0, 0.75]
    assert settings["registration"] == {"rule": "invitation", "domains": [], "roles": ["student"]}
    assert (settings["geofence"]["radius"], settings["geofence"]["latitude"]) == (100, None)


def test_what_is_not_sent_keeps_what_was_decided(admin: Person, path: str) -> None:
    place = {"latitude": 38.7, "longitude": -9.1, "radius": 50}
    for settings in (
        {"grace": 5, "geofence": place},
        {"late_weight": 0.5},
        {"geofence": {"max_accuracy": 30}},
        {"registration": {"roles": ["teacher"]}},
    ):
        assert admin.put(path, {"settings": settings}).status_code == 200
    kept = admin.get(path).json["settings"]
    assert (kept["grace"], kept["late_weight"], kept["opens_before"]) == (5, 0.5, 15)
    assert kept["geofence"] == place | {"max_accuracy": 30, "max_age": 300}
    assert kept["registration"] == {"rule": "invitation", "domains": [], "roles": ["teacher"]}
    before = admin.get(path).json
    assert admin.put(path, {"description": "On a hill"}).json["settings"] == kept
    assert admin.put(path, {}).json["name"] == before["name"]


def test_half_of_what_belongs_together_may_change_where_the_other_half_is_there(admin: Person, path: str) -> None:
    admin.put(path, {"settings": {"geofence": {"latitude": 38.7, "longitude": -9.1}}})
    moved = admin.put(path, {"settings": {"geofence": {"latitude": 41.1}}})
    assert (moved.status_code, moved.json["settings"]["geofence"]["longitude"]) == (200, -9.1)
    admin.put(path, {"settings": {"registration": {"domains": ["school.test"]}}})
    ruled = admin.put(path, {"settings": {"registration": {"rule": "domain"}}})
    assert (ruled.status_code, ruled.json["settings"]["registration"]["domains"]) == (200, ["school.test"])


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"late_weight": 1.5}, "settings.late_weight"),
        ({"grace": -1}, "settings.grace"),
        ({"graze": 1}, "settings.graze"),
        ({"geofence": {"radius": 0}}, "settings.geofence.radius"),
        ({"geofence": {"latitude": 91, "longitude": 0}}, "settings.geofence.latitude"),
        ({"geofence": {"latitude": 38.7}}, "settings.geofence"),
        ({"registration": {"rule": "domain"}}, "settings.registration"),
        ({"registration": {"rule": "anybody"}}, "settings.registration.rule"),
        ({"registration": {"roles": ["admin"]}}, "settings.registration.roles.0"),
        ({"registration": {"roles": ["super_admin"]}}, "settings.registration.roles.0"),
        ({"mail": {"name": "Office\r\nBcc: all@school.test"}}, "settings.mail.name"),
        ({"faces": {"tolerance": 0.7}}, "settings.faces.tolerance"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused_by_name(
    admin: Person, path: str, settings: dict[str, Any], field: str
) -> None:
    before = admin.get(path).json
    answer = admin.put(path, {"description": "Changed", "settings": settings})
    assert (told(answer), list(answer.json["errors"])) == ((422, "invalid_input"), [field])
    assert admin.get(path).json == before


def test_settings_that_make_no_sense_together_with_what_was_decided_are_refused(admin: Person, path: str) -> None:
    decided = {
        "geofence": {"latitude": 38.7, "longitude": -9.1},
        "registration": {"rule": "domain", "domains": ["School.test"]},
    }
    assert admin.put(path, {"settings": decided}).status_code == 200
    before = admin.get(path).json
    assert before["settings"]["registration"]["domains"] == ["school.test"]
    for settings, field in (
        ({"geofence": {"latitude": None}}, "settings.geofence"),
        ({"registration": {"domains": []}}, "settings.registration"),
    ):
        answer = admin.put(path, {"settings": settings})
        assert (told(answer), list(answer.json["errors"])) == ((422, "invalid_input"), [field])
        assert admin.get(path).json == before


@pytest.mark.parametrize(("field", "value"), [("time_zone", "Mars/Olympus"), ("name", " "), ("contact_email", "x")])
def test_a_field_that_makes_no_sense_is_refused_by_name(admin: Person, path: str, field: str, value: str) -> None:
    answer = admin.put(path, {field: value})
    assert (answer.status_code, list(answer.json["errors"])) == (422, [field])


def test_the_weight_of_being_late_changes_the_rate(cast: Cast) -> None:
    own = cast.other_organisation()
    admin, teacher = cast.person(Role.ADMIN, own), cast.teacher(organisation_id=own)
    room = room_of(cast, teacher)
    ada, grace = (cast.student(organisation_id=own) for _ in range(2))
    body = {"student_ids": [str(ada.id), str(grace.id)]}
    assert teacher.post(f"/api/classes/{room.id}/students", body).status_code == 201
    session = room.session()
    teacher.post("/api/attendance/mark-attendance", {"session_id": session, "student_ids": [str(ada.id)]})
    with cast.app.app_context():
        db.session.execute(update(Record).values(status=Status.LATE))
        db.session.commit()
    for weight, rate in ((1, 0.5), (0.5, 0.25), (0, 0)):
        settings = {"settings": {"late_weight": weight}}
        assert admin.put(f"/api/admin/organizations/{own}", settings).status_code == 200
        assert teacher.get(f"/api/attendance/session/{session}/records").json["counts"]["rate"] == rate


def room_of(cast: Cast, teacher: Person) -> Classroom:
    created = teacher.post("/api/classes/create", {"name": "Astronomy"}).json
    return Classroom(cast, teacher, created["id"], created["join_code"])


def test_a_deactivated_organisations_people_are_out_at_once(cast: Cast, admin: Person, path: str) -> None:
    manager, student = cast.person(Role.SUPER_ADMIN), cast.student(organisation_id=admin.organisation_id)
    body = {"email": student.email, "password": PASSWORD}
    refresh = {"refresh_token": student.post("/api/auth/login", body).json["refresh_token"]}
    for method, sent, active in (("PUT", {"is_active": False}, False), ("PUT", {"is_active": True}, True)):
        answer = manager.call(method, path, sent)
        assert (answer.status_code, answer.json["is_active"]) == (200, active)
        if not active:
            for refused in (
                admin.get(path),
                student.get("/api/auth/profile"),
                student.post("/api/auth/login", body),
                student.post("/api/auth/refresh", refresh),
            ):
                assert told(refused) == (403, "organisation_inactive")
            assert manager.get("/api/auth/profile").status_code == 200
    assert student.post("/api/auth/login", body).status_code == 200
    assert manager.delete(f"{path}?reason=merged").status_code == 200
    assert told(student.post("/api/auth/login", body)) == (403, "organisation_inactive")
    assert manager.get(path).json["is_active"] is False


def test_a_deactivated_organisation_takes_nobody_in(cast: Cast, manager: Person) -> None:
    own = organisation(cast, rule="open", roles=["student"])
    assert manager.delete(f"/api/admin/organizations/{own}").status_code == 200
    assert told(register(cast, own)) == (403, "registration_refused")


def test_nobody_deactivates_their_own_organisation(manager: Person, admin: Person, path: str) -> None:
    own = f"/api/admin/organizations/{manager.organisation_id}"
    assert told(manager.put(own, {"is_active": False})) == (409, "last_admin")
    assert told(manager.delete(own)) == (409, "last_admin")
    assert told(admin.put(path, {"is_active": False})) == (403, "role_not_given")
    assert told(admin.delete(path)) == (403, "role_not_allowed")
    assert admin.put(path, {"is_active": True, "description": "As it is"}).status_code == 200


def test_an_administrator_knows_of_no_organisation_but_their_own(cast: Cast, manager: Person, admin: Person) -> None:
    other = cast.other_organisation()
    answers = [
        (admin.get(f"/api/admin/organizations/{id_}"), admin.put(f"/api/admin/organizations/{id_}", {"name": "Mine"}))
        for id_ in (other, uuid.uuid4())
    ]
    assert {told(answer) for pair in answers for answer in pair} == {(404, "not_found")}
    assert admin.get(f"/api/admin/organizations/{admin.organisation_id}").status_code == 200
    assert manager.get(f"/api/admin/organizations/{other}").json["name"] != "Mine"
    assert told(admin.get("/api/admin/organizations")) == (403, "role_not_allowed")


def test_organisations_are_found_sorted_and_paged(manager: Person) -> None:
    for name in ("École B", "Academy", "école A"):
        assert manager.post("/api/admin/organizations", {"name": name}).status_code == 201
    found = manager.get("/api/admin/organizations?search=ÉCOLE").json
    assert {item["name"] for item in found["items"]} == {"École B", "école A"}
    page = manager.get("/api/admin/organizations?per_page=2&page=2").json
    assert (len(page["items"]), page["total"], page["pages"]) == (2, 4, 2)
    newest = manager.get("/api/admin/organizations?sort=-created_at&per_page=1").json["items"]
    assert [item["name"] for item in newest] == ["école A"]


def test_a_name_is_one_organisations(manager: Person, admin: Person, path: str) -> None:
    assert manager.post("/api/admin/organizations", {"name": "Hill School"}).status_code == 201
    assert told(manager.post("/api/admin/organizations", {"name": "Hill School"})) == (409, "name_taken")
    assert told(admin.put(path, {"name": "Hill School"})) == (409, "name_taken")


def test_a_new_organisation_takes_nobody_until_its_settings_say_so(cast: Cast, manager: Person) -> None:
    new = manager.post("/api/admin/organizations", {"name": "Hill School"}).json["id"]
    assert told(register(cast, new)) == (403, "registration_refused")
    opened = {"settings": {"registration": {"rule": "open"}}}
    assert manager.put(f"/api/admin/organizations/{new}", opened).status_code == 200
    assert register(cast, new).status_code == 201


def test_the_statistics_are_the_organisations_own(cast: Cast, admin: Person, path: str) -> None:
    own = admin.organisation_id
    teacher, elsewhere = cast.teacher(organisation_id=own), Classroom.open(cast)
    elsewhere.join("Grace")
    room = room_of(cast, teacher)
    student = cast.student(organisation_id=own)
    student.post("/api/classes/join", {"join_code": room.join_code})
    session = room.session()
    teacher.post("/api/attendance/mark-attendance", {"session_id": session, "student_ids": [str(student.id)]})
    admin.post("/api/departments", {"name": "Science"})
    admin.post("/api/admin/users", {"name": "Gone", "role": "employee"})
    assert admin.get(path).json["statistics"] == {
        "users": 4,
        "users_by_role": {"admin": 1, "teacher": 1, "student": 1, "employee": 1},
        "users_by_status": {"active": 4},
        "departments": 1,
        "classes": 1,
        "enrolments": 1,
        "sessions": 1,
        "records": 1,
        "signed_in": 3,
    }


def organisation(cast: Cast, **registration: Any) -> str:
    with cast.app.app_context():
        return str(make(Organisation, settings={"registration": registration}, time_zone="UTC").id)


def register(cast: Cast, organisation_id: str, **values: Any) -> Any:
    body = ADA | {"role": "student", "organisation_id": organisation_id} | values
    return cast.nobody.post("/api/auth/register", body)


@pytest.mark.parametrize("rule", ["invitation", "closed"])
def test_by_invitation_or_closed_nobody_registers_by_themselves(cast: Cast, rule: str) -> None:
    own = organisation(cast, rule=rule, roles=["student", "teacher"])
    assert told(register(cast, own)) == (403, "registration_refused")


def test_everybody_registers_where_it_is_open_with_the_roles_that_it_offers(cast: Cast) -> None:
    own = organisation(cast, rule="open", roles=["parent", "employee"])
    statuses = {role: register(cast, own, role=role, email=f"{role}@home.test").status_code for role in Role}
    assert statuses == {role: 201 if role in {"parent", "employee"} else 403 for role in Role}


def test_an_address_of_another_domain_does_not_register(cast: Cast) -> None:
    own = organisation(cast, rule="domain", domains=["school.test"], roles=["student"])
    for email in ("ada@home.test", "ada@sub.school.test", "ada@school.test.home.test", "school.test@home.test"):
        assert told(register(cast, own, email=email)) == (403, "registration_refused"), email
    assert told(register(cast, own, role="teacher")) == (403, "registration_refused")


def test_an_address_of_the_domain_signs_in_once_it_is_confirmed(cast: Cast) -> None:
    own = organisation(cast, rule="domain", domains=["school.test"], roles=["student"])
    answer = register(cast, own, email="Ada@School.TEST")
    assert (answer.status_code, answer.json["status"], answer.json["access_token"]) == (201, "pending", None)
    sign_in = {"email": "ada@school.test", "password": PASSWORD}
    assert told(cast.nobody.post("/api/auth/login", sign_in)) == (403, "email_unconfirmed")
    link = {"token": token_mailed(cast, "ada@school.test")}
    for status in (200, 400):
        assert cast.nobody.post("/api/auth/confirm-email", link).status_code == status
    assert cast.nobody.post("/api/auth/login", sign_in).status_code == 200


def test_who_is_invited_joins_with_the_role_of_the_invitation(cast: Cast) -> None:
    own = uuid.UUID(organisation(cast, rule="invitation"))
    admin = cast.person(Role.ADMIN, own)
    assert told(admin.post("/api/admin/invitations", {"email": "a@home.test", "role": "super_admin"}))[0] == 403
    tokens = []
    for _ in "ab":
        invitation = {"email": "mary@home.test", "role": "teacher", "name": "Mary Somerville"}
        assert admin.post("/api/admin/invitations", invitation).status_code == 201
        tokens.append(token_mailed(cast, "mary@home.test"))
    first, second = tokens
    assert len(admin.get("/api/admin/invitations").json["items"]) == 1
    accept = {"token": first, "password": PASSWORD}
    assert told(cast.nobody.post("/api/auth/accept-invitation", accept)) == (400, "link_invalid")
    joined = cast.nobody.post("/api/auth/accept-invitation", accept | {"token": second})
    assert (joined.status_code, joined.json["role"], joined.json["organisation_id"]) == (201, "teacher", str(own))
    assert joined.json["name"] == "Mary Somerville"
    again = cast.nobody.post("/api/auth/accept-invitation", accept | {"token": second})
    assert told(again) == (400, "link_invalid")
    assert admin.get("/api/admin/invitations").json["items"] == []


def test_after_erasing_nothing_tells_that_a_person_accepted_an_invitation(cast: Cast) -> None:
    admin = cast.person(Role.ADMIN, cast.other_organisation())
    admin.post("/api/admin/invitations", {"email": "ada.byron@home.test", "role": "student", "name": "Augusta Byron"})
    accept = {"token": token_mailed(cast, "ada.byron@home.test"), "password": PASSWORD}
    ada = cast.nobody.post("/api/auth/accept-invitation", accept).json["id"]
    assert admin.put(f"/api/admin/users/{ada}", {"email": "other@home.test", "name": "Other"}).status_code == 200
    assert admin.post(f"/api/admin/users/{ada}/erase", {}).status_code == 200
    assert traces(cast, "byron") == []


def test_settings_that_are_changed_at_once_are_all_changed(cast: Cast, admin: Person) -> None:
    changes: list[dict[str, float]] = [{"grace": 3}, {"opens_before": 4}, {"late_weight": 0.5}, {"low_attendance": 0.6}]
    path = f"/api/admin/organizations/{admin.organisation_id}"
    at_once(lambda n: twin(cast, admin).put(path, {"settings": changes[n]}), len(changes))
    settings = admin.get(path).json["settings"]
    assert [settings[name] for change in changes for name in change] == [3, 4, 0.5, 0.6]


def test_an_enrolment_that_is_over_is_not_counted(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        over = {"organisation_id": admin.organisation_id, "starts_on": date(2020, 1, 1), "ends_on": date(2020, 2, 1)}
        make(Enrolment, **over)
    path = f"/api/admin/organizations/{admin.organisation_id}"
    assert admin.get(path).json["statistics"]["enrolments"] == 0


def test_faces_are_kept_for_as_long_as_the_organisation_has_it(cast: Cast, admin: Person) -> None:
    path = f"/api/admin/organizations/{admin.organisation_id}"
    assert admin.put(path, {"settings": {"retention": {"faces": 30}}}).status_code == 200
    with cast.app.app_context():
        for days in (29, 31):
            created_at = clock.now() - timedelta(days=days)
            make(FaceTemplate, organisation_id=admin.organisation_id, user_id=admin.id, created_at=created_at)
        retention.clean_up()
        assert db.session.query(FaceTemplate).count() == 1


def test_ended_sign_ins_old_mails_and_links_are_deleted_in_their_time(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    student, admin = cast.student(), cast.person(Role.ADMIN)
    admin.post("/api/admin/invitations", {"email": "mary@home.test", "role": "teacher"})
    student.post("/api/auth/logout")
    with cast.app.app_context():
        delivery.send_due()
    counts = []
    for days in (0, 89, 200):
        later = clock.now() + timedelta(days=days)
        with monkeypatch.context() as patched, cast.app.app_context():
            patched.setattr(clock, "now", lambda later=later: later)
            retention.clean_up()
            counts.append(tuple(len(db.session.scalars(select(model)).all()) for model in (SignIn, Mail, Link)))
    assert counts == [(2, 1, 1), (2, 1, 0), (0, 0, 0)]
