"""The student tracker, a school's program: /students/ at the server's root, /admin/users under /api."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from app import clock
from app.models import BehaviourKind, Role, Status, Subject
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make
from tests.marks import Teaching

GUARDIANS = [
    {"name": "Annabella Milbanke", "relationship": "mother", "phone": "+44 1", "email": "annabella@home.test"},
    {"name": "George Byron", "relationship": None, "phone": None, "email": None},
]
CONTACTS = [{"name": "Mary Somerville", "relationship": "aunt", "phone": "+44 2"}]
ADA = {
    "name": "Ada Lovelace",
    "gender": "female",
    "dateOfBirth": "2012-12-10",
    "guardians": GUARDIANS,
    "emergencyContacts": CONTACTS,
}


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def class_id(teacher: Person) -> str:
    return str(teacher.post("/api/classes/create", {"name": "Year 7"}).json["id"])


@pytest.fixture
def ada(teacher: Person, class_id: str) -> str:
    answer = teacher.post("/students/", ADA | {"classId": class_id})
    assert answer.status_code == 201, answer.text
    assert answer.json["message"]
    return str(answer.json["student_id"])


def without(rows: list[dict[str, Any]], *names: str) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name not in names} for row in rows]


def shown(student: Any) -> tuple[Any, ...]:
    return (
        student["name"],
        student["gender"],
        student["date_of_birth"],
        without(student["guardians"], "id", "parent_id"),
        without(student["emergency_contacts"], "id"),
    )


WHOLE = ("Ada Lovelace", "female", "2012-12-10", GUARDIANS, CONTACTS)


def test_a_student_has_guardians_and_emergency_contacts(teacher: Person, ada: str, class_id: str) -> None:
    (listed,) = teacher.get("/students/").json["items"]
    read = teacher.get(f"/students/{ada}")
    assert (read.status_code, read.json["student_id"], read.json["class_id"]) == (200, ada, class_id)
    assert shown(listed) == shown(read.json) == WHOLE


def test_the_fields_may_be_in_snake_case(teacher: Person, class_id: str) -> None:
    body = {
        "name": "Ada Lovelace",
        "gender": "female",
        "date_of_birth": "2012-12-10",
        "class_id": class_id,
        "guardians": GUARDIANS,
        "emergency_contacts": CONTACTS,
    }
    created = teacher.post("/students/", body).json["student_id"]
    read = teacher.get(f"/students/{created}").json
    assert (shown(read), read["class_id"]) == (WHOLE, class_id)


def test_a_name_is_enough_for_a_student(teacher: Person) -> None:
    assert teacher.post("/students/", {"name": "Ada"}).status_code == 201
    answer = teacher.post("/students/", {"gender": "female"})
    assert (answer.status_code, list(answer.json["errors"])) == (400, ["name"])


def test_a_field_left_blank_in_the_form_is_nothing(teacher: Person, ada: str) -> None:
    guardian = {"name": "George Byron", "relationship": "", "phone": "", "email": ""}
    body = {"name": "Eve", "gender": "", "dateOfBirth": "", "classId": "", "guardians": [guardian]}
    assert teacher.post("/students/", body).status_code == 201
    changed = teacher.put(f"/students/{ada}", body | {"email": " ", "phone": ""})
    assert changed.status_code == 200, changed.text
    told = {name: changed.json[name] for name in ("gender", "date_of_birth", "email", "phone")}
    assert told == dict.fromkeys(told)
    assert without(changed.json["guardians"], "id", "parent_id") == [GUARDIANS[1]]
    nameless = teacher.put(f"/students/{ada}", {"name": ""})
    assert (nameless.status_code, list(nameless.json["errors"])) == (422, ["name"])


def test_a_bad_guardian_is_named_and_nobody_is_created(teacher: Person) -> None:
    answer = teacher.post("/students/", ADA | {"emergencyContacts": [*CONTACTS, {"name": "Nobody"}]})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["emergency_contacts.1.phone"])
    assert teacher.get("/students/").json["total"] == 0


def test_an_unknown_class_creates_nobody(teacher: Person, cast: Cast) -> None:
    foreign = cast.teacher(organisation_id=cast.other_organisation())
    theirs = foreign.post("/api/classes/create", {"name": "Theirs"}).json["id"]
    assert teacher.post("/students/", ADA | {"classId": theirs}).status_code == 404
    assert teacher.get("/students/").json["total"] == 0


def test_a_change_takes_what_creating_takes(teacher: Person, ada: str) -> None:
    answer = teacher.put(f"/students/{ada}", {"gender": "other", "dateOfBirth": "2013-01-02"})
    assert (answer.status_code, shown(answer.json)) == (
        200,
        ("Ada Lovelace", "other", "2013-01-02", GUARDIANS, CONTACTS),
    )
    other = teacher.post("/api/classes/create", {"name": "Year 8"}).json["id"]
    again = ADA | {"classId": other, "guardians": GUARDIANS[1:], "emergencyContacts": []}
    changed = teacher.put(f"/students/{ada}", again)
    assert (changed.status_code, shown(changed.json)) == (
        200,
        ("Ada Lovelace", "female", "2012-12-10", GUARDIANS[1:], []),
    )
    assert other in {of["id"] for of in changed.json["classes"]}


def test_a_deleted_student_is_deactivated_and_can_be_read(teacher: Person, ada: str) -> None:
    answer = teacher.delete(f"/students/{ada}")
    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
    assert teacher.get("/students/").json["total"] == 0
    read = teacher.get(f"/students/{ada}").json
    assert (read["status"], shown(read)) == ("inactive", WHOLE)


def test_erasing_is_for_administrators(teacher: Person, admin: Person, ada: str) -> None:
    assert teacher.post(f"/api/admin/users/{ada}/erase", {}).status_code == 403
    assert admin.post(f"/api/admin/users/{ada}/erase", {}).status_code == 200
    assert teacher.get(f"/students/{ada}").status_code == 404


def test_a_student_is_read_by_staff_their_parent_and_themselves(
    cast: Cast, admin: Person, teacher: Person, student: Person, ada: str
) -> None:
    body = {"full_name": "Annabella Milbanke", "email": "a@home.test", "password": PASSWORD, "student_ids": [ada]}
    assert admin.post("/api/admin/users/parents", body).status_code == 201
    parent = cast.nobody
    signed_in = parent.post("/api/auth/login", {"email": "a@home.test", "password": PASSWORD})
    parent.token = signed_in.json["access_token"]
    statuses = {
        "parent": parent.get(f"/students/{ada}").status_code,
        "teacher": cast.teacher().get(f"/students/{ada}").status_code,
        "another student": student.get(f"/students/{ada}").status_code,
        "another parent": cast.person(Role.PARENT).get(f"/students/{ada}").status_code,
        "themselves": student.get(f"/students/{student.id}").status_code,
    }
    assert statuses == {
        "parent": 200, "teacher": 200, "another student": 404, "another parent": 404, "themselves": 200,
    }  # fmt: skip


def test_an_administrator_creates_teachers(admin: Person, nobody: Person) -> None:
    body = {"full_name": "Mary Somerville", "email": "mary@school.test"}
    told = {"name": "Mary Somerville", "email": "mary@school.test", "role": "teacher"}
    answer = admin.post("/api/admin/users/teachers", body)
    assert (answer.status_code, {name: answer.json[name] for name in told}) == (201, told)
    more = {"email": "m2@school.test", "password": PASSWORD, "phone": "+44 3", "username": "mary"}
    answer = admin.post("/api/admin/users/teachers", body | more)
    assert (answer.status_code, answer.json["phone"], answer.json["username"]) == (201, "+44 3", "mary")
    assert nobody.post("/api/auth/login", {"email": "m2@school.test", "password": PASSWORD}).status_code == 200
    for incomplete in ({"full_name": "Mary"}, {"email": "m3@school.test"}):
        assert admin.post("/api/admin/users/teachers", incomplete).status_code == 422


def test_an_administrator_creates_parents_with_their_children(admin: Person, teacher: Person, ada: str) -> None:
    body = {"full_name": "Annabella Milbanke", "email": "a@home.test", "phone": "+44 1", "address": "London"}
    answer = admin.post("/api/admin/users/parents", body | {"student_ids": [ada]})
    told = {"name": "Annabella Milbanke", "role": "parent", "phone": "+44 1", "address": "London"}
    assert (answer.status_code, {name: answer.json[name] for name in told}) == (201, told)
    guardians = teacher.get(f"/students/{ada}").json["guardians"]
    assert [g["name"] for g in guardians if g["parent_id"] == answer.json["id"]] == ["Annabella Milbanke"]


def test_a_parents_child_has_to_be_a_student(admin: Person, teacher: Person) -> None:
    body = {"full_name": "Annabella", "email": "a@home.test", "student_ids": [str(teacher.id)]}
    answer = admin.post("/api/admin/users/parents", body)
    assert (answer.status_code, answer.json["code"]) == (409, "not_a_student")
    assert admin.get("/api/admin/users?role=parent").json["total"] == 0


def test_users_are_listed_changed_and_deactivated(admin: Person, teacher: Person) -> None:
    listed = admin.get("/api/admin/users")
    assert (listed.status_code, {u["id"] for u in listed.json["items"]}) == (200, {str(admin.id), str(teacher.id)})
    changed = admin.put(f"/api/admin/users/{teacher.id}", {"full_name": "Mary Greig", "phone": "+44 4"})
    assert (changed.status_code, changed.json["name"], changed.json["phone"]) == (200, "Mary Greig", "+44 4")
    gone = admin.delete(f"/api/admin/users/{teacher.id}")
    assert (gone.status_code, bool(gone.json["message"])) == (200, True)
    assert teacher.get("/api/auth/profile").status_code == 401


MARK = {
    "subject_name": "Mathematics",
    "assessment_type": "quiz",
    "score": 18,
    "max_score": 20,
    "date_taken": "2026-03-12",
    "term": "Spring",
    "academic_year": "2025/26",
    "notes": "Showed the working",
}
IN_CAMEL_CASE = {
    "subjectName": "mathematics",
    "assessmentType": "exam",
    "score": 60,
    "maxScore": 100,
    "dateTaken": "2026-03-20",
    "academicYear": "",
    "notes": "",
}


def test_marks_are_recorded_and_listed(teacher: Person, cast: Cast, ada: str) -> None:
    first = teacher.post("/api/assessments/", MARK | {"student_id": ada})
    second = teacher.post("/api/assessments/", IN_CAMEL_CASE | {"studentId": ada})
    assert (first.status_code, second.status_code) == (201, 201), second.text
    listed = teacher.get("/api/assessments/").json["items"]
    assert [row["id"] for row in listed] == [second.json["id"], first.json["id"]]
    assert {name: listed[1][name] for name in MARK} == MARK
    query = f"?student_id={ada}&subject=Mathematics&assessment_type=quiz&term=Spring&academic_year=2025/26"
    assert [row["id"] for row in teacher.get(f"/api/assessments/{query}").json["items"]] == [first.json["id"]]
    assert teacher.get("/api/assessments/?assessmentType=exam").json["total"] == 1
    assert cast.student().get("/api/assessments/").json["items"] == []


def test_a_score_lies_between_0_and_the_most_there_is(teacher: Person, ada: str) -> None:
    for score in (-1, 21):
        answer = teacher.post("/api/assessments/", MARK | {"student_id": ada, "score": score})
        assert (answer.status_code, list(answer.json["errors"])) == (400, ["score"])
    assert teacher.get("/api/assessments/").json["total"] == 0


def test_marks_have_statistics(teacher: Person, cast: Cast, ada: str) -> None:
    for body in (MARK, IN_CAMEL_CASE):
        teacher.post("/api/assessments/", body | {"student_id": ada})
    found = teacher.get("/api/assessments/statistics").json
    assert (found["total_assessments"], found["average_score"]) == (2, 75)
    (subject,) = found["subject_performance"]
    assert (subject["subject_name"], subject["count"], subject["average"]) == ("Mathematics", 2, 75)
    assert found["grade_distribution"] == {"A": 1, "B": 0, "C": 0, "D": 1, "F": 0}
    assert cast.student().get("/api/assessments/statistics").status_code == 403


def test_the_dashboard_shows_marks_and_attendance(cast: Cast, admin: Person, teacher: Person, ada: str) -> None:
    with cast.app.app_context():
        teaching, student_id = Teaching(cast.organisation(), teacher.id, clock.today("UTC")), uuid.UUID(ada)
        subject = make(Subject, organisation_id=cast.organisation(), name="Maths").id
        teaching.records(student_id, *[Status.ABSENT] * 3)
        teaching.marks(student_id, subject, 40, 50)
        teaching.notes(student_id, BehaviourKind.NEGATIVE, 3)
    figures = {"average_score": 45, "attendance_rate": 0}
    summary = teacher.get("/api/dashboard/summary")
    assert (summary.status_code, summary.json) == (200, {"total_students": 1, "high_performers": 0} | figures)
    read = teacher.get(f"/api/dashboard/students/{ada}/performance")
    assert read.status_code == 200
    assert {name: read.json[name] for name in figures} == figures
    assert (read.json["is_high_performer"], read.json["subject_breakdown"][0]["subject"]) == (False, "Maths")
    by_subject = teacher.get("/api/dashboard/subject-performance/")
    assert (by_subject.status_code, by_subject.json["items"][0]["average_score"]) == (200, 45)
    alerts = teacher.get("/api/dashboard/alerts")
    assert alerts.status_code == 200
    for name in ("low_attendance", "low_performance", "behavioral_concerns"):
        (alert,) = alerts.json[name]
        assert (alert["student_id"], bool(alert["reason"])) == (ada, True)
    assert [alert["student_id"] for alert in alerts.json["consecutive_absences"]] == [ada]
