"""OneRoster in and out, as an administrator's script does it."""

from __future__ import annotations

import csv
import io
import uuid
import zipfile
from datetime import date
from typing import Any

import pytest
from sqlalchemy import func, select

from app import clock
from app.extensions import db
from app.models import (
    AuditEntry,
    Class,
    ClassTeacher,
    Department,
    Enrolment,
    Guardian,
    Mail,
    Organisation,
    Role,
    SignIn,
    StudentProfile,
    Subject,
    TeacherRole,
    Term,
    User,
    UserStatus,
)
from app.services import classes
from tests.api.test_walls import snapshot
from tests.conftest import Cast, Person
from tests.factories import make, make_user
from tests.statements import counted

IMPORT, EXPORT = "/api/admin/oneroster/import", "/api/admin/oneroster/export"
Files = dict[str, list[dict[str, Any]]]


def school() -> Files:
    """A school with a department, a class, its teacher, two students and the mother of one."""
    return {
        "orgs": [
            {"sourcedId": "school", "name": "Byron School", "type": "school"},
            {"sourcedId": "science", "name": "Science", "type": "department", "parentSourcedId": "school"},
        ],
        "academicSessions": [
            {"sourcedId": "autumn", "title": "Autumn", "type": "term", "startDate": "2026-09-01",
             "endDate": "2026-12-19", "schoolYear": "2027"},
        ],
        "courses": [{"sourcedId": "maths", "title": "Mathematics", "courseCode": "M1", "orgSourcedId": "science"}],
        "classes": [
            {"sourcedId": "maths-1", "title": "Maths 1", "courseSourcedId": "maths", "classType": "scheduled",
             "schoolSourcedId": "school", "termSourcedIds": "autumn"},
        ],
        "users": [
            user("mary", "Mary", "Somerville", email="Mary@School.test", primaryOrgSourcedId="science"),
            user("ada", "Ada", "Lovelace", identifier="R-1", agentSourcedIds="anna"),
            user("grace", "Grace", "Hopper", identifier="R-2", agentSourcedIds=""),
            user("anna", "Annabella", "Milbanke", email="anna@home.test", sms="+44 20"),
        ],
        "roles": [role("mary", "teacher"), role("ada", "student"), role("grace", "student"), role("anna", "guardian")],
        "demographics": [{"sourcedId": "ada", "birthDate": "2015-12-10", "sex": "female"}],
        "enrollments": [
            enrollment("e-mary", "mary", role="teacher", primary="true"),
            enrollment("e-ada", "ada", beginDate="2026-09-01", endDate="2099-12-19"),
            enrollment("e-grace", "grace"),
        ],
    }  # fmt: skip


def user(key: str, first: str, last: str = "", **values: Any) -> dict[str, Any]:
    return {"sourcedId": key, "enabledUser": "true", "username": key, "givenName": first, "familyName": last} | values


def role(key: str, name: str, **values: Any) -> dict[str, Any]:
    of = {"userSourcedId": key, "roleType": "primary", "role": name, "orgSourcedId": "school"}
    return {"sourcedId": f"r-{key}"} | of | values


def enrollment(key: str, of: str, **values: Any) -> dict[str, Any]:
    at = {"classSourcedId": "maths-1", "schoolSourcedId": "school", "userSourcedId": of}
    return {"sourcedId": key, "role": "student"} | at | values


def archive(files: Files, mode: str = "bulk", version: str = "1.2", **properties: str) -> bytes:
    manifest = {"manifest.version": "1.0", "oneroster.version": version} | {f"file.{name}": mode for name in files}
    rows: Files = files | {"manifest": [{"propertyName": n, "value": v} for n, v in (manifest | properties).items()]}
    return packed({f"{name}.csv": written(lines) for name, lines in rows.items()})


def written(lines: list[dict[str, Any]]) -> str:
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(column for line in lines for column in line)))
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def packed(files: dict[str, str]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as into:
        for name, text in files.items():
            into.writestr(name, text)
    return data.getvalue()


def send(admin: Person, data: bytes, query: str = "") -> Any:
    return admin.post(IMPORT + query, data={"file": (io.BytesIO(data), "roster.zip")})


def done(admin: Person, files: Files, mode: str = "bulk", query: str = "") -> Any:
    answer = send(admin, archive(files, mode), query)
    assert answer.status_code == 200, answer.text
    return answer.json


def refused(answer: Any) -> set[tuple[str, int, str | None]]:
    assert (answer.status_code, answer.json["code"]) == (422, "rows_refused"), answer.text
    return {(row["file"], row["line"], row["column"]) for row in answer.json["rows"]}


def some(counts: dict[str, int]) -> dict[str, int]:
    return {name: count for name, count in counts.items() if count}


def rows(admin: Person, model: type[Any]) -> dict[str, Any]:
    """The organisation's rows by what the other system calls them."""
    found = db.session.scalars(select(model).where(model.organisation_id == admin.organisation_id)).all()
    return {getattr(row, "external_id", None) or str(row.id): row for row in found}


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN, cast.other_organisation())


def test_a_whole_roster_becomes_people_classes_and_enrolments(cast: Cast, admin: Person) -> None:
    told = done(admin, school())
    assert told["created"] == {
        "departments": 1, "subjects": 1, "terms": 1, "classes": 1, "users": 4, "student_profiles": 2, "guardians": 1,
        "class_teachers": 1, "enrolments": 2,
    }  # fmt: skip
    assert [some(told[what]) for what in ("updated", "unchanged", "removed")] == [{}, {}, {}]
    with cast.app.app_context():
        users, (room,) = rows(admin, User), rows(admin, Class).values()
        term, subject = rows(admin, Term)["autumn"], rows(admin, Subject)["maths"]
        science = rows(admin, Department)["science"]
        assert (term.first_day, term.last_day, term.academic_year) == (date(2026, 9, 1), date(2026, 12, 18), "2027")
        assert (subject.name, subject.code, subject.department_id) == ("Mathematics", "M1", science.id)
        assert (room.name, room.subject_id, room.term_id, len(room.join_code)) == ("Maths 1", subject.id, term.id, 6)
        mary, ada = users["mary"], users["ada"]
        assert (mary.name, mary.email, mary.role, mary.department_id) == (
            "Mary Somerville", "mary@school.test", Role.TEACHER, science.id,
        )  # fmt: skip
        profile = db.session.scalars(select(StudentProfile).where(StudentProfile.user_id == ada.id)).one()
        assert (profile.roll_number, profile.date_of_birth, profile.gender) == ("R-1", date(2015, 12, 10), "female")
        (lead,) = rows(admin, ClassTeacher).values()
        assert (lead.teacher_id, lead.role) == (mary.id, TeacherRole.LEAD)
        enrolments = rows(admin, Enrolment)
        assert (enrolments["e-ada"].starts_on, enrolments["e-ada"].ends_on) == (date(2026, 9, 1), date(2099, 12, 19))
        assert enrolments["e-grace"].starts_on == clock.today("Pacific/Auckland")
        assert db.session.get_one(Organisation, admin.organisation_id).external_id == "school"


def test_an_agent_of_a_student_is_their_guardian(cast: Cast, admin: Person) -> None:
    done(admin, school())
    with cast.app.app_context():
        users, (link,) = rows(admin, User), rows(admin, Guardian).values()
        assert (link.student_id, link.parent_id) == (users["ada"].id, users["anna"].id)
        assert (link.name, link.phone, link.email) == ("Annabella Milbanke", "+44 20", "anna@home.test")
        assert users["anna"].role == Role.PARENT


def test_an_agent_who_is_one_no_more_sees_the_student_no_more(cast: Cast, admin: Person) -> None:
    done(admin, school())
    with cast.app.app_context():
        ada = rows(admin, User)["ada"].id
        by_hand = make_user(organisation_id=admin.organisation_id, role=Role.PARENT).id
        make(Guardian, organisation_id=admin.organisation_id, student_id=ada, parent_id=by_hand)
    told = done(admin, {"users": [user("ada", "Ada", agentSourcedIds="")]}, "delta")
    assert some(told["removed"]) == {"guardians": 1}
    with cast.app.app_context():
        assert [link.parent_id for link in rows(admin, Guardian).values()] == [by_hand]


def test_the_same_file_twice_writes_nothing(cast: Cast, admin: Person) -> None:
    first = done(admin, school())
    with cast.app.app_context():
        before = snapshot(uuid.UUID(str(admin.organisation_id)))
    again = done(admin, school())
    assert again["unchanged"] == first["created"]
    assert [some(again[what]) for what in ("created", "updated", "removed")] == [{}, {}, {}]
    with cast.app.app_context():
        assert snapshot(uuid.UUID(str(admin.organisation_id))) == before


def test_only_what_differs_is_changed(cast: Cast, admin: Person) -> None:
    done(admin, school())
    files = school()
    files["users"][1]["familyName"] = "King"
    files["classes"][0]["title"] = "Maths, first year"
    told = done(admin, files)
    assert some(told["updated"]) == {"users": 1, "classes": 1}
    with cast.app.app_context():
        entries = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "update")).all()
        changed = [e.content["after"] for e in entries if e.content and e.entity in {"users", "classes"}]
        assert {"last_name": "King"} in changed
        assert {"name": "Maths, first year"} in changed
        assert {e.content["reason"] for e in entries if e.content} == {"OneRoster import"}


def test_what_a_delta_marks_is_deactivated_and_the_rest_stays(cast: Cast, admin: Person) -> None:
    done(admin, school())
    gone = {"status": "tobedeleted"}
    files: Files = {
        "users": [{"sourcedId": "ada"} | gone | dict.fromkeys(("givenName", "enabledUser"), "")],
        "enrollments": [enrollment("e-ada", "ada", **gone), enrollment("e-mary", "mary", role="teacher", **gone)],
        "courses": [{"sourcedId": "maths", "title": "Mathematics"} | gone],
        "orgs": [{"sourcedId": "unheard-of", "name": "", "type": ""} | gone],
    }
    told = done(admin, files, "delta")
    assert some(told["removed"]) == {"users": 1, "enrolments": 1, "class_teachers": 1}
    assert some(told["unchanged"]) == {"subjects": 1}
    with cast.app.app_context():
        users, enrolments = rows(admin, User), rows(admin, Enrolment)
        assert users["ada"].status == UserStatus.INACTIVE
        assert users["grace"].status == UserStatus.ACTIVE
        today = clock.today("Pacific/Auckland")
        assert (enrolments["e-ada"].ends_on, enrolments["e-ada"].is_current) == (today, None)
        assert rows(admin, ClassTeacher) == {}
        assert rows(admin, Subject).keys() == {"maths"}
    assert some(done(admin, files, "delta")["removed"]) == {}


def test_what_is_marked_and_unused_is_removed(cast: Cast, admin: Person) -> None:
    orgs: Files = {
        "orgs": [{"sourcedId": "arts", "name": "Arts", "type": "department"}],
        "courses": [{"sourcedId": "dance", "title": "Dance", "orgSourcedId": "arts"}],
    }
    done(admin, orgs)
    for line in (orgs["orgs"][0], orgs["courses"][0]):
        line["status"] = "tobedeleted"
    assert some(done(admin, orgs, "delta")["removed"]) == {"departments": 1, "subjects": 1}
    with cast.app.app_context():
        assert (rows(admin, Department), rows(admin, Subject)) == ({}, {})


def test_an_enrolment_that_has_not_begun_is_removed(cast: Cast, admin: Person) -> None:
    files = school()
    files["enrollments"][1]["beginDate"] = "2098-09-01"
    done(admin, files)
    done(admin, {"enrollments": [enrollment("e-ada", "ada", status="tobedeleted")]}, "delta")
    with cast.app.app_context():
        assert "e-ada" not in rows(admin, Enrolment)


def test_who_is_missing_in_a_whole_file_is_deactivated_and_out_at_once(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        by_hand = make_user(organisation_id=admin.organisation_id, role=Role.STUDENT).id
        head = make_user(organisation_id=admin.organisation_id, role=Role.ADMIN, external_id="head").id
    teacher = cast.person(Role.TEACHER, admin.organisation_id, external_id="mary", email="mary@school.test")
    done(admin, school())
    assert teacher.get("/api/auth/profile").status_code == 200
    files = school()
    files |= {name: [line for line in files[name] if "mary" not in line.values()] for name in ("users", "roles")}
    files["enrollments"] = []
    assert some(done(admin, files | {"enrollments": [enrollment("e-grace", "grace")]})["removed"]) == {
        "users": 1, "class_teachers": 1, "enrolments": 1,
    }  # fmt: skip
    assert teacher.get("/api/auth/profile").status_code == 401
    with cast.app.app_context():
        status = {row.id: row.status for row in rows(admin, User).values()}
        assert status[teacher.id] == UserStatus.INACTIVE
        assert {status[id_] for id_ in (by_hand, head, admin.id)} == {UserStatus.ACTIVE}
        assert all(ended for ended in db.session.scalars(select(SignIn.ended_at).where(SignIn.user_id == teacher.id)))


def test_who_comes_back_is_active_again(cast: Cast, admin: Person) -> None:
    done(admin, school())
    header: Files = {name: [dict.fromkeys(line, "") for line in school()[name][:1]] for name in ("users", "classes",
        "enrollments")}  # fmt: skip
    gone = done(admin, header)
    assert some(gone["removed"]) == {"users": 4, "classes": 1, "class_teachers": 1, "enrolments": 2}
    again = done(admin, school())
    assert some(again["created"]) == {"class_teachers": 1}
    with cast.app.app_context():
        assert {row.status for row in rows(admin, User).values()} == {UserStatus.ACTIVE}
        assert rows(admin, Class)["maths-1"].is_active
        assert all(row.is_current for row in rows(admin, Enrolment).values())


def test_who_is_there_already_is_found_by_their_email(cast: Cast, admin: Person) -> None:
    teacher = cast.person(Role.TEACHER, admin.organisation_id, email="mary@school.test")
    told = done(admin, school())
    assert (told["created"]["users"], told["updated"]["users"]) == (3, 1)
    with cast.app.app_context():
        assert rows(admin, User)["mary"].id == teacher.id


def test_who_registered_with_anothers_address_gets_nothing_by_an_import(cast: Cast, admin: Person) -> None:
    cast.person(Role.STUDENT, admin.organisation_id, email="mary@school.test")
    assert refused(send(admin, archive(school()))) == {("users.csv", 2, "email")}


def test_every_bad_cell_of_every_file_is_named_and_nothing_is_saved(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        make_user(email="anna@home.test")
        before = snapshot(uuid.UUID(str(admin.organisation_id)))
    files = school()
    files["academicSessions"][0]["endDate"] = "19.12.2026"
    files["classes"][0]["courseSourcedId"] = "alchemy"
    files["users"][1] |= {"givenName": "", "email": "nobody"}
    files["users"][2]["agentSourcedIds"] = "nobody"
    files["users"].append(user("grace", "Grace"))
    files["roles"][3]["role"] = "systemAdministrator"
    files["demographics"].append({"sourcedId": "grace", "birthDate": "2999-01-01"})
    files["enrollments"] += [
        enrollment("e-4", "nobody"),
        enrollment("e-5", "mary"),
        enrollment("e-6", "grace"),
        enrollment("e-7", "grace", beginDate="2026-09-02", endDate="2026-09-01"),
    ]
    assert refused(send(admin, archive(files))) == {
        ("academicSessions.csv", 2, "endDate"),
        ("classes.csv", 2, "courseSourcedId"),
        ("users.csv", 3, "givenName"),
        ("users.csv", 3, "email"),
        ("users.csv", 4, "agentSourcedIds"),
        ("users.csv", 5, "email"),
        ("users.csv", 6, "sourcedId"),
        ("roles.csv", 5, "role"),
        ("demographics.csv", 3, "birthDate"),
        ("enrollments.csv", 5, "userSourcedId"),
        ("enrollments.csv", 6, "role"),
        ("enrollments.csv", 7, None),
        ("enrollments.csv", 8, "endDate"),
    }
    with cast.app.app_context():
        assert snapshot(uuid.UUID(str(admin.organisation_id))) == before


def test_a_column_that_is_missing_is_named_once(admin: Person) -> None:
    files = school()
    for line in files["users"]:
        del line["givenName"]
    assert refused(send(admin, archive(files))) == {("users.csv", 1, "givenName")}


def test_a_roll_number_and_an_email_are_one_persons(admin: Person) -> None:
    files = school()
    files["users"][2]["identifier"] = "R-1"
    files["users"][3]["email"] = "mary@school.test"
    assert refused(send(admin, archive(files))) == {("users.csv", 4, None), ("users.csv", 5, None)}


def test_who_has_no_role_is_not_taken(admin: Person) -> None:
    files = school()
    del files["roles"][1]
    assert refused(send(admin, archive(files))) == {
        ("users.csv", 3, "role"),
    }


def test_an_administrator_stays_one_whatever_the_file_says(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        make_user(organisation_id=admin.organisation_id, role=Role.ADMIN, external_id="mary", password_hash=None)
    files = school()
    files["users"][0]["enabledUser"] = "false"
    files["roles"][2]["role"] = "principal"
    del files["enrollments"][2]
    done(admin, files)
    with cast.app.app_context():
        users = rows(admin, User)
        assert (users["mary"].role, users["mary"].status) == (Role.ADMIN, UserStatus.ACTIVE)
        assert users["grace"].role == Role.ADMIN


def test_nobody_above_the_caller_is_changed(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        make_user(organisation_id=admin.organisation_id, role=Role.SUPER_ADMIN, external_id="mary")
    assert ("users.csv", 2, None) in refused(send(admin, archive(school())))


def test_version_1_1_has_the_role_among_the_users(cast: Cast, admin: Person) -> None:
    files = school()
    named = {line["userSourcedId"]: line["role"] for line in files.pop("roles")}
    for line in files["users"]:
        line["role"] = named[line["sourcedId"]]
    assert send(admin, archive(files, version="1.1")).status_code == 200
    with cast.app.app_context():
        assert rows(admin, User)["mary"].role == Role.TEACHER


def test_a_dry_run_tells_the_same_and_saves_nothing(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        before = snapshot(uuid.UUID(str(admin.organisation_id)))
    dry = done(admin, school(), query="?dry_run=true")
    with cast.app.app_context():
        assert snapshot(uuid.UUID(str(admin.organisation_id))) == before
        assert db.session.get_one(Organisation, admin.organisation_id).external_id is None
    assert dry == done(admin, school()) | {"dry_run": True}


def test_another_organisations_rows_are_untouched(cast: Cast, admin: Person) -> None:
    elsewhere = cast.person(Role.ADMIN, cast.other_organisation())
    files = school()
    for line in files["users"]:
        line.pop("email", None)
    done(elsewhere, files)
    with cast.app.app_context():
        before = snapshot(uuid.UUID(str(elsewhere.organisation_id)))
    assert done(admin, files)["created"]["users"] == 4
    done(admin, {"users": [user("ada", "Ada")]})
    with cast.app.app_context():
        assert snapshot(uuid.UUID(str(elsewhere.organisation_id))) == before


def test_what_is_exported_can_be_imported_elsewhere(cast: Cast, admin: Person) -> None:
    files = school()
    for line in files["users"]:
        line.pop("email", None)
    done(admin, files)
    exported = admin.get(EXPORT)
    assert (exported.status_code, exported.mimetype) == (200, "application/zip")
    elsewhere = cast.person(Role.ADMIN, cast.other_organisation())
    data = without(exported.data, "users.csv", email=admin.email)
    first = send(elsewhere, data)
    assert first.status_code == 200, first.text
    counts = some(first.json["created"])
    assert counts.pop("users") == 5
    assert counts == {
        "departments": 1, "subjects": 1, "terms": 1, "classes": 1, "student_profiles": 2, "guardians": 1,
        "class_teachers": 1, "enrolments": 2,
    }  # fmt: skip
    again = send(elsewhere, data).json
    assert [some(again[what]) for what in ("created", "updated", "removed")] == [{}, {}, {}]
    with cast.app.app_context():
        assert told(elsewhere) == told(admin)


def test_what_is_exported_changes_nothing_at_home(cast: Cast, admin: Person) -> None:
    """Rows that no other system knows are called by their ids."""
    with cast.app.app_context():
        own = {"organisation_id": admin.organisation_id}
        room = make(Class, **own, subject_id=make(Subject, **own, department_id=make(Department, **own).id).id)
        student, parent = make_user(**own, role=Role.STUDENT), make_user(**own, role=Role.PARENT)
        make(StudentProfile, **own, user_id=student.id)
        make(Guardian, **own, student_id=student.id, parent_id=parent.id)
        make(Enrolment, **own, class_id=room.id, student_id=student.id)
        teacher = make_user(**own, role=Role.EMPLOYEE).id, make_user(**own, role=Role.TEACHER).id
        make(ClassTeacher, **own, class_id=room.id, teacher_id=teacher[1], role=TeacherRole.SUBSTITUTE)
        make(Term, **own, academic_year="2026/27")
        make(Enrolment, **own, class_id=room.id, student_id=make_user(**own, erased_at=clock.now()).id)
        make(Enrolment, **own, class_id=make(Class, **own, is_active=False).id, student_id=student.id)
    answer = send(admin, admin.get(EXPORT).data)
    assert answer.status_code == 200, answer.text
    assert [some(answer.json[what]) for what in ("created", "updated", "removed")] == [{}, {}, {}]


def without(data: bytes, name: str, **cells: str) -> bytes:
    """The archive with these cells of a file emptied."""
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        files = {n: found.read(n).decode() for n in found.namelist()}
    for value in cells.values():
        files[name] = files[name].replace(value, "")
    return packed(files)


def told(admin: Person) -> set[tuple[Any, ...]]:
    """People, classes, enrolments and guardians, without ids."""
    users = {row.id: row for row in rows(admin, User).values()}
    rooms = {row.id: row.name for row in rows(admin, Class).values()}
    found: set[tuple[Any, ...]] = {
        (u.first_name, u.last_name, u.role, u.status, u.phone, u.username)
        for u in users.values()
        if u.role != Role.ADMIN
    }
    enrolments, teachers = rows(admin, Enrolment).values(), rows(admin, ClassTeacher).values()
    guardians, profiles = rows(admin, Guardian).values(), rows(admin, StudentProfile).values()
    found |= {(rooms[e.class_id], users[e.student_id].name, e.starts_on, e.ends_on) for e in enrolments}
    found |= {(rooms[t.class_id], users[t.teacher_id].name, t.role) for t in teachers}
    found |= {(users[g.student_id].name, users[g.parent_id].name, g.phone) for g in guardians}
    return found | {(users[p.user_id].name, p.roll_number, p.date_of_birth, p.gender) for p in profiles}


def many(students: int) -> Files:
    files = school()
    keys = [f"s{number}" for number in range(students)]
    files["users"] += [user(key, f"First {key}", "Last", identifier=key, agentSourcedIds="anna") for key in keys]
    files["roles"] += [role(key, "student") for key in keys]
    files["demographics"] += [{"sourcedId": key, "birthDate": "2015-01-01", "sex": "male"} for key in keys]
    files["enrollments"] += [enrollment(f"e-{key}", key) for key in keys]
    return files


def test_the_statements_do_not_grow_with_the_rows(cast: Cast) -> None:
    numbers = []
    for students in (50, 500):
        admin = cast.person(Role.ADMIN, cast.other_organisation())
        files = many(students)
        files["users"] = [{k: v for k, v in line.items() if k != "email"} for line in files["users"]]
        changed = [line | {"familyName": f"New {n}", "phone": "1" * (n % 2)} for n, line in enumerate(files["users"])]
        with counted(cast.app) as statements:
            done(admin, files)
            done(admin, files | {"users": changed})
            done(admin, school() | {"users": [{**line, "email": ""} for line in school()["users"]]})
            done(admin, files, query="?dry_run=true")
            admin.get(EXPORT)
            numbers.append(len(statements))
    assert numbers[0] == numbers[1]


MANIFEST_OF_USERS = "propertyName,value\noneroster.version,1.2\nfile.users,bulk\n"


def bomb() -> bytes:
    """A small archive that says it unpacks to more than the server takes."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as into, into.open("users.csv", "w") as file:
        for _ in range(501):
            file.write(b"0" * 1_000_000)
    return data.getvalue()


def damaged() -> bytes:
    data = bytearray(archive(school()))
    data[60:90] = b"\0" * 30
    return bytes(data)


@pytest.mark.parametrize(
    "data",
    [
        b"not a zip",
        packed({"users.csv": "sourcedId\n1\n"}),
        packed({"manifest.csv": ""}),
        archive(school(), version="1.0"),
        archive(school(), **{"file.users": "some"}),
        archive({"users": []}, **{"file.classes": "bulk"}),
        damaged(),
        bomb(),
        packed({"manifest.csv": MANIFEST_OF_USERS, "users.csv": '"sourcedId,status\n'}),
    ],
    ids=["no zip", "no manifest", "empty manifest", "version", "mode", "file missing", "damaged", "bomb", "no table"],
)
def test_what_is_no_roster_is_refused(admin: Person, data: bytes) -> None:
    answer = send(admin, data)
    assert (answer.status_code, answer.json["code"]) == (400, "unreadable_file")


def test_file_names_and_their_case_do_not_matter(cast: Cast, admin: Person) -> None:
    with zipfile.ZipFile(io.BytesIO(archive(school()))) as found:
        shouted = packed({name.upper(): found.read(name).decode() for name in found.namelist()})
    assert send(admin, shouted).status_code == 200


def test_a_zero_byte_is_a_bad_cell(admin: Person) -> None:
    files = school()
    files["classes"][0]["title"] = "Maths\0"
    assert refused(send(admin, archive(files))) == {("classes.csv", 2, "title")}


def test_an_import_mails_nobody(cast: Cast, admin: Person) -> None:
    done(admin, school())
    with cast.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(Mail)) == 0


def test_who_left_a_class_can_be_enrolled_in_it_anew(cast: Cast, admin: Person) -> None:
    done(admin, school())
    with cast.app.app_context():
        past = rows(admin, Enrolment)["e-ada"]
        past.ends_on = date(2026, 9, 2)
        db.session.commit()
    told = done(admin, {"enrollments": [enrollment("e-ada-2", "ada")]}, "delta")
    assert some(told["created"]) == {"enrolments": 1}
    with cast.app.app_context():
        enrolments = rows(admin, Enrolment)
        assert (enrolments["e-ada"].is_current, enrolments["e-ada"].ends_on) == (None, date(2026, 9, 2))
        assert enrolments["e-ada-2"].is_current


def test_a_class_whose_join_code_is_taken_draws_another(
    cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cast.app.app_context():
        make(Class, join_code="AAAAAA")
    codes = iter(["AAAAAA", "BBBBBB"])
    monkeypatch.setattr(classes, "draw_join_code", lambda: next(codes))
    done(admin, school())
    with cast.app.app_context():
        assert rows(admin, Class)["maths-1"].join_code == "BBBBBB"


def test_who_is_erased_is_not_exported(cast: Cast, admin: Person) -> None:
    own = {"organisation_id": admin.organisation_id}
    with cast.app.app_context():
        ada, mary = make_user(role=Role.STUDENT, **own).id, make_user(role=Role.TEACHER, **own).id
        make(ClassTeacher, teacher_id=mary, **own)
        make(Enrolment, student_id=ada, **own)
    for gone in (ada, mary):
        assert admin.post(f"/api/admin/users/{gone}/erase", {}).status_code == 200
    assert admin.get("/api/admin/oneroster/export").status_code == 200
