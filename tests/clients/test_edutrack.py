"""EduTrack, a college's single-page app: its calls under /api, as it makes them."""

from __future__ import annotations

from typing import Any

import pytest

from app import clock
from app.models import Role, Subject
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make
from tests.story import Classroom

ELODIE = {
    "name": "Élodie Durand",
    "email": "e.durand@college.test",
    "roll_number": "CS-042",
    "department": "Computer Science",
    "year": 2,
    "section": "A",
}
REQUIRED = list(ELODIE)


@pytest.fixture
def elodie(teacher: Person) -> Any:
    answer = teacher.post("/api/students", ELODIE | {"avatar": "https://college.test/e.png"})
    assert answer.status_code == 201, answer.text
    return answer.json


def names(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [student["name"] for student in answer.json["items"]]


def test_signing_in_gives_the_access_token_and_the_user(nobody: Person, teacher: Person) -> None:
    answer = nobody.post("/api/auth/login", {"email": teacher.email, "password": PASSWORD})
    assert (answer.status_code, answer.json["user"]["id"]) == (200, str(teacher.id))
    nobody.token = answer.json["access_token"]
    me = nobody.get("/api/auth/me")
    assert (me.status_code, me.json["id"], me.json["email"]) == (200, str(teacher.id), teacher.email)


def test_after_signing_out_the_token_no_longer_works(teacher: Person) -> None:
    answer = teacher.post("/api/auth/logout")
    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
    assert teacher.get("/api/auth/me").status_code == 401


def test_a_created_student_is_the_answer(elodie: Any) -> None:
    assert {name: elodie[name] for name in REQUIRED} == ELODIE
    assert (elodie["avatar"], elodie["status"]) == ("https://college.test/e.png", "active")


@pytest.mark.parametrize("missing", [*([name] for name in REQUIRED), ["name", "section"], REQUIRED])
def test_every_missing_field_is_named(teacher: Person, missing: list[str]) -> None:
    body = {name: value for name, value in ELODIE.items() if name not in missing}
    answer = teacher.post("/api/students", body)
    assert (answer.status_code, answer.json["code"]) == (400, "missing_fields")
    assert sorted(answer.json["errors"]) == sorted(missing)
    assert all(name in answer.json["error"] for name in missing)
    assert teacher.get("/api/students").json["total"] == 0


@pytest.mark.parametrize("blank", ["", "  ", None])
def test_a_field_left_blank_in_the_form_is_missing(teacher: Person, blank: str | None) -> None:
    answer = teacher.post("/api/students", dict.fromkeys(REQUIRED, blank))
    assert (answer.status_code, sorted(answer.json["errors"])) == (400, sorted(REQUIRED))


@pytest.mark.parametrize(
    ("taken", "code"),
    [
        ({"roll_number": "CS-043"}, "email_taken"),
        ({"roll_number": "CS-043", "email": "E.Durand@College.test"}, "email_taken"),
        ({"email": "other@college.test"}, "roll_number_taken"),
    ],
)
def test_an_email_or_roll_number_that_is_taken_conflicts(
    teacher: Person, elodie: Any, taken: dict[str, str], code: str
) -> None:
    answer = teacher.post("/api/students", ELODIE | taken)
    assert (answer.status_code, answer.json["code"]) == (409, code)
    assert teacher.get("/api/students").json["total"] == 1


def test_a_change_to_what_is_taken_conflicts_too(teacher: Person, elodie: Any) -> None:
    other = teacher.post("/api/students", ELODIE | {"email": "o@college.test", "roll_number": "CS-043"}).json["id"]
    for field, code in (("email", "email_taken"), ("roll_number", "roll_number_taken")):
        answer = teacher.put(f"/api/students/{other}", {field: ELODIE[field]})
        assert (answer.status_code, answer.json["code"]) == (409, code)


def test_two_colleges_may_use_the_same_roll_number(cast: Cast, elodie: Any) -> None:
    other = cast.teacher(organisation_id=cast.other_organisation())
    assert other.post("/api/students", ELODIE | {"email": "o@college.test"}).status_code == 201


@pytest.mark.parametrize(
    "search",
    ["élodie", "ÉLODIE", "ÉlOdIe", "DURAND", "durand élodie", "cs-042", "CS-04", "E.DURAND@", "college.TEST"],
)
def test_the_search_matches_name_roll_number_and_email_whatever_the_case(
    teacher: Person, elodie: Any, search: str
) -> None:
    other = {"name": "Zoë Ångström", "email": "zoe@uni.test", "roll_number": "PH-1"}
    assert teacher.post("/api/students", ELODIE | other).status_code == 201
    assert names(teacher.get("/api/students", query_string={"search": search})) == ["Élodie Durand"]
    assert names(teacher.get("/api/students", query_string={"search": "åNGSTRÖM"})) == ["Zoë Ångström"]


@pytest.mark.parametrize("search", ["%", "_", "Durand%", "e_durand"])
def test_the_search_has_no_wildcards(teacher: Person, elodie: Any, search: str) -> None:
    assert names(teacher.get("/api/students", query_string={"search": search})) == []


def test_students_are_filtered_by_department_and_year(teacher: Person, elodie: Any) -> None:
    paul = ELODIE | {"name": "Paul", "email": "p@college.test", "roll_number": "1", "department": "Écologie", "year": 3}
    assert teacher.post("/api/students", paul).status_code == 201
    for query, found in (
        ({"department": "Computer Science"}, ["Élodie Durand"]),
        ({"department": "écologie"}, ["Paul"]),
        ({"year": "3"}, ["Paul"]),
        ({"year": 2, "department": "Écologie"}, []),
        ({"year": 3, "department": "Écologie", "search": "paul"}, ["Paul"]),
    ):
        assert names(teacher.get("/api/students", query_string=query)) == found, query


def test_students_come_in_pages(teacher: Person) -> None:
    for n in range(5):
        body = ELODIE | {"name": f"Student {n}", "email": f"s{n}@college.test", "roll_number": f"{n}"}
        assert teacher.post("/api/students", body).status_code == 201
    answer = teacher.get("/api/students?page=2&per_page=2")
    assert names(answer) == ["Student 2", "Student 3"]
    assert {name: answer.json[name] for name in ("page", "per_page", "total", "pages")} == {
        "page": 2, "per_page": 2, "total": 5, "pages": 3,
    }  # fmt: skip


def test_only_what_is_sent_of_a_student_changes(teacher: Person, elodie: Any) -> None:
    answer = teacher.put(f"/api/students/{elodie['id']}", {"section": "B", "year": 3, "name": "Élodie Petit"})
    assert answer.status_code == 200
    assert {name: answer.json[name] for name in REQUIRED} == ELODIE | {
        "section": "B", "year": 3, "name": "Élodie Petit",
    }  # fmt: skip
    assert answer.json["avatar"] == elodie["avatar"]


def test_a_deleted_student_is_left_out_and_their_history_stays(cast: Cast) -> None:
    room = Classroom.open(cast)
    ada, session = room.join("Ada"), room.session()
    room.mark(session, "Ada")
    answer = room.teacher.delete(f"/api/students/{ada.id}")
    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
    assert names(room.teacher.get("/api/students")) == []
    assert names(room.teacher.get("/api/students?search=ada")) == []
    assert room.teacher.get(f"/api/students/{ada.id}").json["status"] == "inactive"
    (record,) = room.teacher.get(f"/api/attendance/session/{session}/records").json["items"]
    assert (record["student"]["id"], record["status"]) == (str(ada.id), "present")
    assert ada.get("/api/auth/me").status_code == 401


@pytest.mark.parametrize("role", [Role.STUDENT, Role.PARENT, Role.EMPLOYEE])
def test_students_are_kept_by_staff(cast: Cast, elodie: Any, role: Role) -> None:
    person = cast.person(role)
    for method, path in (("POST", ""), ("PUT", f"/{elodie['id']}"), ("DELETE", f"/{elodie['id']}")):
        answer = person.call(method, f"/api/students{path}", None if method == "DELETE" else ELODIE)
        assert (answer.status_code, answer.json["code"]) == (403, "role_not_allowed")
    assert cast.person(Role.ADMIN).put(f"/api/students/{elodie['id']}", {"section": "C"}).status_code == 200


def test_a_report_has_a_row_for_each_student_and_subject(cast: Cast, teacher: Person, elodie: Any) -> None:
    with cast.app.app_context():
        subject = make(Subject, name="Maths", organisation_id=teacher.organisation_id, teacher_id=teacher.id)
    for day, status in (("2026-03-02", "present"), ("2026-03-03", "absent"), ("2026-03-04", "late")):
        body = {"date": day, "subject_id": str(subject.id), "attendance": {elodie["id"]: status}}
        assert teacher.post("/api/attendance", body).status_code == 201
    query = f"start_date=2026-03-01&end_date=2026-03-31&department=Computer+Science&subject_id={subject.id}"
    (row,) = teacher.get(f"/api/attendance/reports?{query}").json["items"]
    told = ("student_name", "roll_number", "subject", "total_classes", "present_count", "absent_count", "late_count")
    assert [row[name] for name in told] == ["Élodie Durand", "CS-042", "Maths", 3, 1, 1, 1]
    assert row["attendance_percentage"] == pytest.approx(66.67, abs=0.01)


def test_the_dashboard_has_todays_and_the_months_attendance_and_the_latest_activities(
    cast: Cast, teacher: Person, elodie: Any
) -> None:
    with cast.app.app_context():
        subject = make(Subject, name="Maths", organisation_id=teacher.organisation_id, teacher_id=teacher.id)
    today = str(clock.today("UTC"))
    body = {"date": today, "subject_id": str(subject.id), "attendance": {elodie["id"]: "present"}}
    assert teacher.post("/api/attendance", body).status_code == 201
    told = teacher.get("/api/dashboard/stats").json
    numbers = ("total_students", "total_teachers", "today_attendance", "average_attendance")
    assert [told[name] for name in numbers] == [1, 1, 100.0, 100.0]
    assert (len(told["monthly_trend"]), told["monthly_trend"][-1]) == (6, {"month": today[:7], "percentage": 100.0})
    (activity,) = told["recent_activities"]
    assert (activity["student_name"], activity["status"]) == ("Élodie Durand", "present")
    assert cast.student().get("/api/dashboard/stats").status_code == 403
