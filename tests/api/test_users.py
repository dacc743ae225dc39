"""An organisation's people: finding, creating, changing, suspending, exporting and erasing them."""

from __future__ import annotations

import base64
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import Enum, String, select, update

from app import clock
from app.extensions import db
from app.models import Base, FaceTemplate, Guardian, Link, Organisation, Role, SignIn, User, UserStatus
from app.services import audit, retention
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make, make_user, models, numbers
from tests.statements import counted
from tests.story import Classroom, consent
from tests.test_races import at_once, twin

SOMEBODY = {"name": "Ada Lovelace", "email": "ada@school.test", "password": PASSWORD}
NEW_PASSWORD = "staple of four words"


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN, first_name="Annie", last_name="Cannon")


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json.get("code")


def found(admin: Person, **query: Any) -> list[str]:
    answer = admin.get("/api/admin/users", query_string=query)
    assert answer.status_code == 200, answer.text
    return [user["name"] for user in answer.json["items"]]


@pytest.fixture
def people(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        own = cast.organisation()
        for name, email, role, status in (
            ("Zoë Ångström", "zoe@uni.test", Role.TEACHER, UserStatus.ACTIVE),
            ("Ada Lovelace", "ada@school.test", Role.STUDENT, UserStatus.SUSPENDED),
            ("Ada King", "king@school.test", Role.STUDENT, UserStatus.ACTIVE),
        ):
            first, last = name.split()
            make_user(organisation_id=own, first_name=first, last_name=last, email=email, role=role, status=status)


def test_people_are_found_by_their_filters(people: None, cast: Cast, admin: Person) -> None:
    cast.person(Role.ADMIN, cast.other_organisation(), first_name="Ada", last_name="Elsewhere")
    for query, names in (
        ({}, ["Zoë Ångström", "Annie Cannon", "Ada King", "Ada Lovelace"]),
        ({"search": "ADA"}, ["Ada King", "Ada Lovelace"]),
        ({"search": "zOË ÅNGS"}, ["Zoë Ångström"]),
        ({"search": "school.TEST ada"}, ["Ada King", "Ada Lovelace"]),
        ({"search": "100%"}, []),
        ({"role": "student"}, ["Ada King", "Ada Lovelace"]),
        ({"status": "suspended"}, ["Ada Lovelace"]),
        ({"is_active": "false"}, ["Ada Lovelace"]),
        ({"is_active": "true", "role": "student"}, ["Ada King"]),
    ):
        assert sorted(found(admin, **query)) == sorted(names), query


def test_people_are_found_by_department(admin: Person) -> None:
    for name, department in (("Ada", "Écologie"), ("Eve", "écologie "), ("Mary", "Physics")):
        body = {"name": name, "role": "employee", "department": department}
        assert admin.post("/api/admin/users", body).status_code == 201
    assert found(admin, department="ÉCOLOGIE") == ["Ada", "Eve"]
    assert admin.get("/api/departments").json["total"] == 2


def test_people_come_sorted_and_in_pages(people: None, admin: Person) -> None:
    assert found(admin, sort="first_name,-last_name") == ["Ada Lovelace", "Ada King", "Annie Cannon", "Zoë Ångström"]
    assert found(admin, sort="-email", per_page=1) == ["Zoë Ångström"]
    page = admin.get("/api/admin/users?sort=first_name,last_name&per_page=3&page=2").json
    assert ([u["name"] for u in page["items"]], page["total"], page["pages"]) == (["Zoë Ångström"], 4, 2)
    assert admin.get("/api/admin/users?sort=password_hash").status_code == 422


def test_an_answer_never_holds_a_password(admin: Person) -> None:
    created = admin.post("/api/admin/users", SOMEBODY | {"role": "teacher"})
    seen = created.text + admin.get("/api/admin/users").text + admin.get(f"/api/admin/users/{created.json['id']}").text
    assert PASSWORD not in seen
    assert "password" not in seen


@pytest.mark.parametrize("role", [role for role in Role if role != Role.SUPER_ADMIN])
def test_an_administrator_gives_every_role_but_the_installations(admin: Person, nobody: Person, role: Role) -> None:
    answer = admin.post("/api/admin/users", SOMEBODY | {"role": role})
    assert (answer.status_code, answer.json["role"]) == (201, role)
    assert nobody.post("/api/auth/login", {"email": "ada@school.test", "password": PASSWORD}).status_code == 200


def test_an_administrator_neither_makes_nor_changes_who_manages_the_installation(cast: Cast, admin: Person) -> None:
    manager = cast.person(Role.SUPER_ADMIN)
    path = f"/api/admin/users/{manager.id}"
    answers = [
        admin.post("/api/admin/users", SOMEBODY | {"role": "super_admin"}),
        admin.put(f"/api/admin/users/{admin.id}", {"role": "super_admin"}),
        admin.put(path, {"password": NEW_PASSWORD}),
        admin.put(path, {"email": "mine@school.test"}),
        admin.delete(path),
        *(admin.post(f"{path}/{what}", {}) for what in ("suspend", "activate", "erase")),
    ]
    assert [told(answer) for answer in answers] == [(403, "role_not_given")] * len(answers)
    assert manager.get("/api/auth/profile").json["email"] == manager.email
    assert manager.post("/api/admin/users", SOMEBODY | {"role": "super_admin"}).status_code == 201


@pytest.mark.parametrize("role", [Role.TEACHER, Role.STUDENT, Role.EMPLOYEE, Role.PARENT])
def test_only_administrators_create_people(cast: Cast, role: Role) -> None:
    person = cast.person(role)
    for path, body in (
        ("users", SOMEBODY | {"role": "student"}),
        ("users/teachers", SOMEBODY),
        ("users/parents", SOMEBODY),
    ):
        assert told(person.post(f"/api/admin/{path}", body)) == (403, "role_not_allowed")


def test_an_email_and_a_password_are_checked_as_at_registration(admin: Person) -> None:
    assert admin.post("/api/admin/users", SOMEBODY | {"role": "teacher"}).status_code == 201
    again = SOMEBODY | {"role": "teacher", "email": "ADA@School.test"}
    assert told(admin.post("/api/admin/users", again)) == (409, "email_taken")
    weak = SOMEBODY | {"role": "teacher", "email": "b@school.test", "password": "password1"}
    assert told(admin.post("/api/admin/users", weak)) == (422, "weak_password")
    assert told(admin.put(f"/api/admin/users/{admin.id}", {"email": "ada@school.test"})) == (409, "email_taken")


def test_a_new_password_ends_the_persons_sign_ins(admin: Person, teacher: Person) -> None:
    assert admin.put(f"/api/admin/users/{teacher.id}", {"password": NEW_PASSWORD}).status_code == 200
    assert told(teacher.get("/api/auth/profile")) == (401, "token_revoked")
    for password, status in ((PASSWORD, 401), (NEW_PASSWORD, 200)):
        answer = teacher.post("/api/auth/login", {"email": teacher.email, "password": password})
        assert answer.status_code == status


def test_a_new_address_has_yet_to_be_confirmed(cast: Cast, admin: Person) -> None:
    for role, path in ((Role.TEACHER, "admin/users"), (Role.STUDENT, "students")):
        person = cast.person(role, email_verified_at=clock.now())
        unchanged = admin.put(f"/api/{path}/{person.id}", {"email": person.email, "phone": "+1"})
        assert unchanged.status_code == 200
        assert person.get("/api/auth/profile").json["email_verified"] is True
        assert admin.put(f"/api/{path}/{person.id}", {"email": f"new-{role}@school.test"}).status_code == 200
        assert person.get("/api/auth/profile").json["email_verified"] is False, role


def test_who_is_suspended_is_out_at_once(admin: Person, teacher: Person, nobody: Person) -> None:
    body = {"email": teacher.email, "password": PASSWORD}
    refresh = {"refresh_token": teacher.post("/api/auth/login", body).json["refresh_token"]}
    suspended = admin.post(f"/api/admin/users/{teacher.id}/suspend", {"reason": "rude"})
    assert (suspended.status_code, suspended.json["status"]) == (200, "suspended")
    assert teacher.get("/api/auth/profile").status_code == 401
    assert nobody.post("/api/auth/refresh", refresh).status_code == 401
    assert told(nobody.post("/api/auth/login", body)) == (403, "account_suspended")


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/{}/suspend", {}),
        ("PUT", "/{}", {"status": "suspended"}),
        ("PUT", "/{}", {"is_active": False}),
        ("DELETE", "/{}", None),
    ],
)
def test_reactivation_does_not_revive_old_tokens(
    admin: Person, teacher: Person, method: str, path: str, body: Any
) -> None:
    sign_in = {"email": teacher.email, "password": PASSWORD}
    refresh = {"refresh_token": teacher.post("/api/auth/login", sign_in).json["refresh_token"]}
    assert admin.call(method, f"/api/admin/users{path.format(teacher.id)}", body).status_code == 200
    assert admin.post(f"/api/admin/users/{teacher.id}/activate", {}).json["status"] == "active"
    assert told(teacher.get("/api/auth/profile")) == (401, "token_revoked")
    assert told(teacher.post("/api/auth/refresh", refresh)) == (401, "token_revoked")
    assert teacher.post("/api/auth/login", sign_in).status_code == 200


def dismissals(person: Person) -> list[tuple[str, str, Any]]:
    path = f"/api/admin/users/{person.id}"
    return [
        ("DELETE", path, None),
        ("POST", f"{path}/suspend", {}),
        ("POST", f"{path}/erase", {}),
        ("PUT", path, {"role": "teacher"}),
        ("PUT", path, {"status": "inactive"}),
        ("PUT", path, {"is_active": False}),
    ]


def test_the_last_administrator_stays(cast: Cast, admin: Person) -> None:
    cast.person(Role.ADMIN, cast.other_organisation())
    with cast.app.app_context():
        make_user(organisation_id=cast.organisation(), role=Role.ADMIN, status=UserStatus.SUSPENDED)
    for method, path, body in dismissals(admin):
        assert told(admin.call(method, path, body)) == (409, "last_admin"), (method, path, body)
    assert admin.get("/api/auth/profile").json["role"] == "admin"


def test_one_of_two_administrators_may_go(cast: Cast, admin: Person) -> None:
    for number in range(len(dismissals(admin))):
        other = cast.person(Role.ADMIN)
        method, path, body = dismissals(other)[number]
        assert admin.call(method, path, body).status_code == 200, (method, path, body)


@pytest.mark.parametrize("which", range(4))
def test_two_administrators_who_dismiss_each_other_at_once_leave_one(cast: Cast, which: int) -> None:
    for _ in range(5):
        own = cast.other_organisation()
        pair = [cast.person(Role.ADMIN, own) for _ in range(2)]

        def dismiss(number: int, pair: list[Person] = pair) -> Any:
            method, path, body = dismissals(pair[1 - number])[which]
            return twin(cast, pair[number]).call(method, path, body)

        answers = at_once(dismiss, times=2)
        assert answers[200] == 1
        assert sum(answers[status] for status in (401, 403, 409)) == 1, answers
        with cast.app.app_context():
            active = select(User).where(User.organisation_id == own, User.status == UserStatus.ACTIVE)
            assert len(db.session.scalars(active.where(User.role == Role.ADMIN)).all()) == 1


YEAR_AGO = datetime.now(UTC) - timedelta(days=365)


def a_year_ago(cast: Cast, monkeypatch: pytest.MonkeyPatch, **names: Role) -> dict[str, Person]:
    """People who signed in then."""
    with monkeypatch.context() as then:
        then.setattr(clock, "now", lambda: YEAR_AGO)
        return {name: cast.person(role, first_name=name, created_at=YEAR_AGO) for name, role in names.items()}


def test_a_dry_run_only_names_who_was_not_seen_for_long(
    cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_year_ago(cast, monkeypatch, Ada=Role.STUDENT, Eve=Role.EMPLOYEE)
    cast.student(first_name="Grace")
    for body in ({"days": 180}, {"days": 180, "dry_run": True}):
        answer = admin.post("/api/admin/users/deactivate-inactive", body)
        assert (answer.status_code, answer.json["count"], answer.json["dry_run"]) == (200, 2, True)
        assert [user["name"] for user in answer.json["users"]] == ["Ada", "Eve"]
    assert found(admin, is_active="false") == []
    assert admin.post("/api/admin/users/deactivate-inactive", {"days": 400}).json["count"] == 0


def test_who_was_not_seen_for_long_is_deactivated_and_nobody_else(
    cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    a_year_ago(cast, monkeypatch, Ada=Role.STUDENT, Annie=Role.ADMIN)
    with cast.app.app_context():
        own, other = cast.organisation(), make(Organisation).id
        old = {"role": Role.STUDENT, "created_at": YEAR_AGO}
        make_user(organisation_id=own, first_name="Pupil", password_hash=None, **old)
        make_user(organisation_id=own, first_name="New", role=Role.STUDENT)
        elsewhere = make_user(organisation_id=other, **old).id
    answer = admin.post("/api/admin/users/deactivate-inactive", {"days": 180, "dry_run": False})
    assert ([user["name"] for user in answer.json["users"]], answer.json["dry_run"]) == (["Ada"], False)
    assert found(admin, is_active="false") == ["Ada"]
    with cast.app.app_context():
        assert db.session.get_one(User, elsewhere).status == UserStatus.ACTIVE
        ada = db.session.scalars(select(User).where(User.organisation_id == own, User.first_name == "Ada")).one()
        assert ada.inactive_on == clock.today("UTC"), "from which day on they are expected nowhere"


def test_who_was_marked_in_a_session_lately_is_left_alone(
    cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    absent = a_year_ago(cast, monkeypatch, Ada=Role.STUDENT, Eve=Role.STUDENT)
    room = Classroom.open(cast)
    for name, person in absent.items():
        body = {"student_ids": [str(person.id)]}
        assert room.teacher.post(f"/api/classes/{room.id}/students", body).status_code == 201
        room.students[name] = person
    room.mark(room.session(), "Ada")
    admin.post("/api/admin/users/deactivate-inactive", {"days": 180, "dry_run": False})
    assert found(admin, is_active="false") == ["Eve"]


def test_who_stays_signed_in_and_comes_back_is_seen(cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    person = a_year_ago(cast, monkeypatch, Ada=Role.PARENT)["Ada"]
    with cast.app.app_context():  # a phone that has refreshed its tokens ever since
        begun = db.session.scalars(select(SignIn).where(SignIn.user_id == person.id)).one()
        begun.last_used_at, begun.expires_at = clock.now(), clock.now() + timedelta(days=30)
        db.session.commit()
    admin.post("/api/admin/users/deactivate-inactive", {"days": 180, "dry_run": False})
    assert person.get("/api/auth/profile").status_code == 200


def test_however_many_are_deactivated_the_statements_are_as_many(cast: Cast, admin: Person) -> None:
    def deactivate(people: int) -> int:
        with cast.app.app_context():
            for _ in range(people):
                make_user(
                    role=Role.STUDENT,
                    organisation_id=admin.organisation_id,
                    created_at=datetime(2020, 1, 1, tzinfo=UTC),
                )
        with counted(cast.app) as statements:
            answer = admin.post("/api/admin/users/deactivate-inactive", {"days": 100, "dry_run": False})
        assert answer.json["count"] == people
        return len(statements)

    deactivate(1)  # the first begins the audit log
    assert deactivate(2) == deactivate(9)


def test_who_was_deactivated_so_is_signed_out_for_good(
    cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = a_year_ago(cast, monkeypatch, Ada=Role.PARENT)["Ada"]
    with cast.app.app_context():
        begun = db.session.scalars(select(SignIn).where(SignIn.user_id == person.id)).one()
        begun.expires_at = clock.now() + timedelta(days=30)
        db.session.commit()
    admin.post("/api/admin/users/deactivate-inactive", {"days": 180, "dry_run": False})
    admin.post(f"/api/admin/users/{person.id}/activate", {})
    assert told(person.get("/api/auth/profile")) == (401, "token_revoked")


def test_who_is_deactivated_keeps_their_records(cast: Cast, admin: Person) -> None:
    room = Classroom.open(cast)
    ada, session = room.join("Ada"), room.session()
    room.mark(session, "Ada")
    path = f"/api/attendance/session/{session}/records"
    before = room.teacher.get(path).json
    assert admin.delete(f"/api/admin/users/{ada.id}?reason=left").status_code == 200
    assert room.teacher.get(path).json == before
    assert told(ada.get("/api/auth/profile")) == (401, "token_revoked")


def dump(cast: Cast) -> str:
    """Every row of every table, as text."""
    with cast.app.app_context(), db.engine.connect() as connection:
        return "\n".join(
            f"{table.name} {dict(row)}"
            for table in Base.metadata.sorted_tables
            for row in connection.execute(table.select()).mappings()
        )


def traces(cast: Cast, *strings: str) -> list[str]:
    """The rows in which one of the strings occurs."""
    return [row for row in dump(cast).splitlines() if any(string.lower() in row.lower() for string in strings)]


DEVICE = {"User-Agent": "Fairphone of hers"}
ADDRESS = {"REMOTE_ADDR": "203.0.113.77"}


def sign_up(cast: Cast, email: str, **values: Any) -> Person:
    person = cast.nobody
    body = {"email": email, "password": PASSWORD, "role": "student"} | values
    answer = person.post("/api/auth/register", body, headers=DEVICE, environ_overrides=ADDRESS)
    assert answer.status_code == 201, answer.text
    person.id, person.token, person.email = uuid.UUID(answer.json["id"]), answer.json["token"], email
    return person


def verified(cast: Cast) -> list[str]:
    with cast.app.app_context():
        return audit.verify(cast.organisation())


def test_after_erasing_nothing_that_a_person_did_or_was_tells_their_name(cast: Cast, admin: Person) -> None:
    room = Classroom.open(cast)
    ada = room.students["Ada"] = sign_up(cast, "ada.byron@home.test", name="Augusta Byron")
    ada.post("/api/classes/join", {"join_code": room.join_code})
    other, session = room.join("Grace"), room.session()
    room.mark(session, "Ada", "Grace")
    consent(ada)
    again = {"email": ada.email, "password": PASSWORD, "device_info": "Tablet of hers"}
    refresh = {"refresh_token": ada.post("/api/auth/login", again).json["refresh_token"]}
    for _ in "ab":  # the second time, it was used before
        ada.post("/api/auth/refresh", refresh, headers=DEVICE, environ_overrides=ADDRESS)
    ada.post("/api/auth/forgot-password", {"email": ada.email}, headers=DEVICE, environ_overrides=ADDRESS)
    ada.post("/api/auth/change-email", {"email": "countess@home.test", "password": PASSWORD})
    profile = {"name": "Ada Lovelace", "phone": "+44 555 77", "avatar": "https://home.test/face.png"}
    assert ada.put("/api/auth/profile", profile).status_code == 200
    for guardians in ([{"name": "Gordon Noel", "email": "gordon@home.test"}], [{"name": "Milbanke", "phone": "+39 1"}]):
        body = {
            "guardians": guardians,
            "emergency_contacts": [{"name": "Somerville", "phone": "+44 888"}],
            "roll_number": "ROLL-1815",
            "section": "Analytical",
            "gender": "womanly",
            "address": "St James's Square",
        }
        assert room.teacher.put(f"/api/students/{ada.id}", body).status_code == 200
    admin.put(f"/api/admin/users/{ada.id}", {"username": "enchantress", "external_id": "p-1815"})
    admin.post(f"/api/admin/users/{ada.id}/suspend", {"reason": "Lovelace gambled"})
    path = f"/api/attendance/session/{session}/records"
    before = room.teacher.get(path).json
    personal = (
        "byron", "ada.", "countess", "lovelace", "augusta", "+44 555", "face.png", "gordon", "milbanke", "+39 1",
        "somerville, ", "+44 888", "ROLL-1815", "analytical", "womanly", "james", "enchantress", "p-1815", "gambled",
        "of hers", "203.0.113.77",
    )  # fmt: skip
    assert len(traces(cast, *personal)) > 20

    assert admin.post(f"/api/admin/users/{ada.id}/erase", {"reason": "asked for it"}).status_code == 200

    assert traces(cast, *personal) == []
    after = room.teacher.get(path).json
    assert (after["counts"], after["total"]) == (before["counts"], 2)
    assert {r["student"]["name"] for r in after["items"]} == {"Erased", "Grace"}
    assert verified(cast) == []
    assert admin.get(f"/api/admin/users/{ada.id}").status_code == 404
    assert ada.get("/api/auth/profile").status_code == 401
    assert ada.post("/api/auth/login", again).status_code == 401
    assert other.get("/api/auth/profile").status_code == 200
    assert sign_up(cast, "ada.byron@home.test", name="Another").get("/api/auth/profile").status_code == 200


def test_after_erasing_nothing_tells_that_a_person_was_invited(cast: Cast, admin: Person) -> None:
    invitation = {"email": "ada.byron@home.test", "role": "student", "name": "Augusta Byron"}
    assert admin.post("/api/admin/invitations", invitation).status_code == 201
    ada = sign_up(cast, "ada.byron@home.test", name="Augusta Byron")
    assert len(traces(cast, "byron")) > 3
    assert admin.post(f"/api/admin/users/{ada.id}/erase", {}).status_code == 200
    assert traces(cast, "byron") == []
    assert verified(cast) == []


def test_after_erasing_nothing_tells_of_an_invitation_that_is_deleted_or_an_address_of_before(
    cast: Cast, admin: Person
) -> None:
    invitation = {"email": "ada.byron@home.test", "role": "student", "name": "Augusta Byron"}
    assert admin.post("/api/admin/invitations", invitation).status_code == 201
    ada = sign_up(cast, "ada.byron@home.test", name="Augusta Byron")
    ada.post("/api/auth/forgot-password", {"email": ada.email})
    with cast.app.app_context():
        db.session.execute(update(Link).values(expires_at=clock.now()))
        db.session.commit()
        retention.clean_up()
    assert admin.put(f"/api/admin/users/{ada.id}", {"email": "countess@home.test"}).status_code == 200
    assert admin.post(f"/api/admin/users/{ada.id}/erase", {}).status_code == 200
    assert traces(cast, "byron", "countess") == []
    assert verified(cast) == []


def test_who_is_erased_is_nobody_to_enrol_or_to_be_a_parent_of(cast: Cast, admin: Person) -> None:
    room, ada = Classroom.open(cast), cast.student()
    assert admin.post(f"/api/admin/users/{ada.id}/erase", {}).status_code == 200
    body = {"student_ids": [str(ada.id)]}
    assert admin.post(f"/api/classes/{room.id}/students", body).status_code == 404
    parent = {"name": "Annabella", "email": "annabella@home.test"} | body
    assert admin.post("/api/admin/users/parents", parent).status_code == 404


def test_after_erasing_nothing_tells_whose_parent_a_person_was(cast: Cast, admin: Person) -> None:
    ada, eve = cast.student(), cast.student()
    parent = {"name": "Annabella Milbanke", "email": "annabella@home.test", "phone": "+44 555 77", "password": PASSWORD}
    children = {"student_ids": [str(ada.id), str(eve.id)]}
    created = admin.post("/api/admin/users/parents", parent | children).json["id"]
    assert admin.put(f"/api/admin/users/{created}", {"student_ids": [str(ada.id)]}).status_code == 200
    assert admin.post(f"/api/admin/users/{created}/erase", {}).status_code == 200
    assert traces(cast, "annabella", "milbanke", "+44 555") == []
    assert verified(cast) == []
    assert admin.get(f"/api/students/{ada.id}").json["guardians"] == []


def test_after_erasing_no_row_that_is_only_the_persons_is_left(cast: Cast, admin: Person) -> None:
    """Whatever table a later change adds."""
    with cast.app.app_context():
        own = cast.organisation()
        ada = make_user(organisation_id=own, role=Role.STUDENT, audited=True).id
        for model, column in erasable():
            texts = {c.key for c in model.__table__.columns if is_free_text(c)}
            words = {name: f"Byron {next(numbers)}"[: length(model, name)] for name in texts}
            make(model, organisation_id=own, audited=True, **{column: ada} | words)
    assert len(traces(cast, "byron")) > 5
    assert admin.post(f"/api/admin/users/{ada}/erase", {}).status_code == 200
    assert traces(cast, "byron") == []
    assert verified(cast) == []


def erasable() -> Iterator[tuple[type[Any], str]]:
    return ((model, column) for model in models().values() for column in model.erased_with)


def is_free_text(column: Any) -> bool:
    single = column.unique or column.foreign_keys
    return isinstance(column.type, String) and not isinstance(column.type, Enum) and not single


def length(model: type[Any], name: str) -> int | None:
    longest: int | None = getattr(model, name).type.length
    return longest


def test_erasing_leaves_everybody_else_as_they_were(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        other = make(Organisation).id
        own: dict[str, Any] = {"organisation_id": other, "audited": True}
        theirs = make_user(role=Role.STUDENT, first_name="Byron", **own)
        make(Guardian, student_id=theirs.id, name="Byron", email="ada.byron@home.test", **own)
        make(FaceTemplate, user_id=theirs.id, **own)
    ada = sign_up(cast, "ada.byron@home.test", name="Augusta Byron")
    before = [row for row in dump(cast).splitlines() if str(other) in row]
    assert len(before) > 3
    assert admin.post(f"/api/admin/users/{ada.id}/erase", {}).status_code == 200
    assert [row for row in dump(cast).splitlines() if str(other) in row] == before


def naming_people() -> Iterator[tuple[type[Any], list[str]]]:
    for model in models().values():
        columns = [
            c.key for c in model.__table__.columns if any(k.column.table.name == "users" for k in c.foreign_keys)
        ]
        if columns:
            yield model, columns


def test_an_export_holds_what_names_the_person_and_no_secret(cast: Cast, admin: Person) -> None:
    student = cast.student()
    encoding = b"the numbers of a face"
    rows: dict[str, set[str]] = {}
    with cast.app.app_context():
        own = cast.organisation()
        stranger = make_user(organisation_id=own, role=Role.STUDENT).id
        for model, columns in naming_people():
            secrets = {"encoding": encoding} if model is FaceTemplate else {}
            for column in columns:
                row = make(model, organisation_id=own, audited=True, **{column: student.id} | secrets)
                rows.setdefault(model.__tablename__, set()).add(str(row.id))
        make(FaceTemplate, organisation_id=own, user_id=stranger)
        password_hash = str(db.session.get_one(User, student.id).password_hash)
    answer = admin.get(f"/api/admin/users/{student.id}/export")
    assert answer.status_code == 200, answer.text
    held = answer.json["held"]
    assert held["person"]["email"] == student.email
    for table, ids in rows.items():
        assert ids <= {row["id"] for row in held[table]}, table
    assert {row["user_id"] for row in held["face_templates"]} == {str(student.id)}
    assert held["audit_entries"]
    hidden = [password_hash, base64.b64encode(encoding).decode(), encoding.hex(), encoding.decode(), "token_hash 1"]
    assert [secret for secret in hidden if secret in answer.text] == []
    assert student.get("/api/auth/profile/export").json["held"]["person"] == held["person"]


def test_an_export_does_not_tell_from_where_others_acted(admin: Person, student: Person) -> None:
    admin.put(f"/api/admin/users/{student.id}", {"phone": "1"}, headers={"User-Agent": "The office PC"})
    student.put("/api/auth/profile", {"phone": "2"}, headers={"User-Agent": "My phone"})
    export = student.get("/api/auth/profile/export").text
    assert ("The office PC" in export, "My phone" in export) == (False, True)


def test_an_export_of_somebody_else_is_the_administrators(cast: Cast, admin: Person, teacher: Person) -> None:
    assert told(teacher.get(f"/api/admin/users/{admin.id}/export")) == (403, "role_not_allowed")
    foreign = cast.student(organisation_id=cast.other_organisation())
    assert admin.get(f"/api/admin/users/{foreign.id}/export").status_code == 404


def test_somebody_always_manages_the_installation(cast: Cast) -> None:
    manager = cast.person(Role.SUPER_ADMIN)
    cast.person(Role.ADMIN)
    path = f"/api/admin/users/{manager.id}"
    answers = [manager.put(path, {"role": "admin"}), manager.delete(path), manager.post(f"{path}/erase", {})]
    assert [(a.status_code, a.json["code"]) for a in answers] == [(409, "last_admin")] * 3
    elsewhere = cast.person(Role.SUPER_ADMIN, organisation_id=cast.other_organisation())
    assert manager.delete(path).status_code == 200
    assert elsewhere.get("/api/admin/organizations").status_code == 200


def test_a_persons_department_is_told_by_name(cast: Cast, admin: Person, teacher: Person) -> None:
    for department in ("Science", "Arts"):
        answer = admin.put(f"/api/admin/users/{teacher.id}", {"department": department}).json
        assert (answer["department"], bool(answer["department_id"])) == (department, True)
    assert teacher.get("/api/auth/profile").json["department"] == "Arts"
