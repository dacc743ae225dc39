"""Students: who sees them, their guardians, and the classes that they are in from one day to another."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Enrolment, Role
from tests.conftest import Cast, Person
from tests.factories import PASSWORD
from tests.story import Classroom


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json.get("code")


def seen(person: Person) -> set[str]:
    answer = person.get("/api/students")
    assert answer.status_code == 200, answer.text
    assert answer.json["total"] == len(answer.json["items"])
    return {student["name"] for student in answer.json["items"]}


def parent_of(cast: Cast, admin: Person, *children: Person) -> Person:
    parent = cast.person(Role.PARENT, first_name="Annabella", last_name="Milbanke")
    ids = [str(child.id) for child in children]
    assert admin.put(f"/api/admin/users/{parent.id}", {"student_ids": ids}).status_code == 200
    return parent


def test_everybody_sees_the_students_who_are_theirs_to_see(cast: Cast, admin: Person, teacher: Person) -> None:
    ada, eve, grace = (cast.student(first_name=name) for name in ("Ada", "Eve", "Grace"))
    cast.student(organisation_id=cast.other_organisation(), first_name="Elsewhere")
    for person, names in (
        (ada, {"Ada"}),
        (parent_of(cast, admin, ada), {"Ada"}),
        (parent_of(cast, admin, ada, eve), {"Ada", "Eve"}),
        (cast.person(Role.PARENT), set()),
        (cast.person(Role.EMPLOYEE), set()),
        (teacher, {"Ada", "Eve", "Grace"}),
        (admin, {"Ada", "Eve", "Grace"}),
    ):
        assert seen(person) == names
        for name, student in (("Ada", ada), ("Eve", eve), ("Grace", grace)):
            answer = person.get(f"/api/students/{student.id}")
            assert answer.status_code == (200 if name in names else 404)


def test_searching_shows_nobody_who_is_not_theirs_to_see(cast: Cast, admin: Person) -> None:
    ada, _ = cast.student(first_name="Ada"), cast.student(first_name="Adam")
    for person in (ada, parent_of(cast, admin, ada)):
        answer = person.get("/api/students?search=ada").json
        assert [student["name"] for student in answer["items"]] == ["Ada"]


def test_a_child_that_is_taken_from_a_parent_is_out_of_their_sight(cast: Cast, admin: Person) -> None:
    ada, eve = cast.student(first_name="Ada"), cast.student(first_name="Eve")
    parent = parent_of(cast, admin, ada, eve)
    assert admin.put(f"/api/admin/users/{parent.id}", {"student_ids": [str(eve.id)]}).status_code == 200
    assert seen(parent) == {"Eve"}
    assert parent.get(f"/api/students/{ada.id}").status_code == 404


@pytest.mark.parametrize("role", [Role.STUDENT, Role.PARENT])
def test_families_read_and_do_not_write(cast: Cast, admin: Person, role: Role) -> None:
    room = Classroom.open(cast)
    ada = room.join("Ada")
    person = ada if role == Role.STUDENT else parent_of(cast, admin, ada)
    before = admin.get(f"/api/students/{ada.id}").json
    body = {"from_class_id": room.id, "to_class_id": room.id}
    for method, path, sent in (
        ("POST", "/api/students", {"name": "Eve"}),
        ("PUT", f"/api/students/{ada.id}", {"name": "Eve"}),
        ("DELETE", f"/api/students/{ada.id}", None),
        ("POST", f"/api/students/{ada.id}/transfer", body),
        ("POST", f"/api/classes/{room.id}/students", {"student_ids": [str(ada.id)]}),
        ("DELETE", f"/api/classes/{room.id}/students/{ada.id}", None),
    ):
        assert told(person.call(method, path, sent)) == (403, "role_not_allowed"), (method, path)
    assert admin.get(f"/api/students/{ada.id}").json == before


def test_guardians_are_replaced_and_linked_parents_stay(cast: Cast, admin: Person, student: Person) -> None:
    parent = parent_of(cast, admin, student)
    path = f"/api/students/{student.id}"
    for names in (["George Byron", "Mary Somerville"], ["Augusta Leigh"], []):
        answer = admin.put(path, {"guardians": [{"name": name} for name in names]})
        linked = [g["name"] for g in answer.json["guardians"] if g["parent_id"]]
        others = [g["name"] for g in answer.json["guardians"] if not g["parent_id"]]
        assert (linked, others) == (["Annabella Milbanke"], names)
    assert parent.get(path).status_code == 200


def test_what_is_not_sent_stays(admin: Person, student: Person) -> None:
    path = f"/api/students/{student.id}"
    lists = {"guardians": [{"name": "George"}], "emergency_contacts": [{"name": "Mary", "phone": "+1"}]}
    before = admin.put(path, lists | {"roll_number": "7", "gender": "female", "department": "Science"}).json
    assert admin.put(path, {}).json == before
    after = admin.put(path, {"phone": "+2"}).json
    assert {name for name in after if after[name] != before[name]} == {"phone"}
    assert admin.put(path, {"department": None, "roll_number": None}).json["department"] is None


@pytest.mark.parametrize("day", ["2999-01-01", "1899-12-31", "12 March 2012"])
def test_a_date_of_birth_is_a_day_in_the_past(admin: Person, student: Person, day: str) -> None:
    answer = admin.put(f"/api/students/{student.id}", {"date_of_birth": day})
    assert (answer.status_code, list(answer.json["errors"])) == (422, ["date_of_birth"])


class Calendar:
    """Turns the clock, for people who stay signed in."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.monkeypatch = monkeypatch

    def turn(self, day: date, *people: Person) -> None:
        self.monkeypatch.setattr(clock, "now", lambda: datetime(day.year, day.month, day.day, 9, tzinfo=UTC))
        for person in people:
            signed_in = person.post("/api/auth/login", {"email": person.email, "password": PASSWORD})
            person.token = signed_in.json["access_token"]


@pytest.fixture
def calendar(monkeypatch: pytest.MonkeyPatch) -> Calendar:
    calendar = Calendar(monkeypatch)
    calendar.turn(date(2026, 3, 12))
    return calendar


@pytest.fixture
def room(calendar: Calendar, cast: Cast) -> Classroom:
    return Classroom.open(cast)


def expected(room: Classroom, day: str) -> int:
    session = room.session(session_date=day)
    counts = room.teacher.get(f"/api/attendance/session/{session}/records").json["counts"]
    return int(counts["expected"])


def enrol(room: Classroom, student: Person, **days: str) -> Any:
    return room.teacher.post(f"/api/classes/{room.id}/students", {"student_ids": [str(student.id)]} | days)


def test_who_joined_in_march_was_not_expected_in_january(room: Classroom, student: Person) -> None:
    assert enrol(room, student, starts_on="2026-03-02").status_code == 201
    days = ("2026-01-12", "2026-03-01", "2026-03-02", "2026-03-12")
    assert [expected(room, day) for day in days] == [0, 0, 1, 1]


def test_enrolment_begins_today_where_nothing_is_said(room: Classroom, student: Person) -> None:
    assert enrol(room, student).json["student_count"] == 1
    assert [expected(room, day) for day in ("2026-03-11", "2026-03-12")] == [0, 1]


def test_from_the_end_on_a_student_is_not_expected(
    room: Classroom, student: Person, calendar: Calendar, cast: Cast
) -> None:
    assert enrol(room, student, ends_on="2026-04-01").json["student_count"] == 1
    assert [expected(room, day) for day in ("2026-03-31", "2026-04-01")] == [1, 0]
    assert told(enrol(room, student)) == (409, "already_enrolled")
    calendar.turn(date(2026, 3, 31), room.teacher, student)
    assert student.get(f"/api/classes/{room.id}").status_code == 200
    calendar.turn(date(2026, 4, 1), room.teacher, student)
    assert told(student.get(f"/api/classes/{room.id}")) == (403, "not_class_member")
    assert student.get("/api/classes/my-classes").json["total"] == 0
    assert room.teacher.get(f"/api/classes/{room.id}").json["students"] == []
    assert room.teacher.get(f"/api/students/{student.id}").json["classes"] == []


@pytest.mark.parametrize("again", ["by a teacher", "with the code"])
def test_who_was_enrolled_to_a_day_may_be_enrolled_again_afterwards(
    room: Classroom, student: Person, calendar: Calendar, again: str
) -> None:
    enrol(room, student, starts_on="2026-03-02", ends_on="2026-04-01")
    calendar.turn(date(2026, 5, 4), room.teacher, student)
    if again == "by a teacher":
        assert enrol(room, student).status_code == 201
    else:
        assert student.post("/api/classes/join", {"join_code": room.join_code}).status_code == 201
    days = ("2026-03-12", "2026-04-01", "2026-05-03", "2026-05-04")
    assert [expected(room, day) for day in days] == [1, 0, 0, 1]
    (of,) = room.teacher.get(f"/api/students/{student.id}").json["classes"]
    assert (of["id"], of["starts_on"], of["ends_on"]) == (room.id, "2026-05-04", None)


@pytest.mark.parametrize("days", [{"starts_on": "2026-03-12", "ends_on": "2026-03-12"}, {"ends_on": "2026-03-01"}])
def test_an_enrolment_ends_after_it_begins(room: Classroom, student: Person, days: dict[str, str]) -> None:
    assert told(enrol(room, student, **days)) == (400, "dates_refused")


def test_all_are_enrolled_or_none(room: Classroom, cast: Cast) -> None:
    ada, eve = cast.student(), cast.student()
    enrol(room, eve)
    foreign = cast.student(organisation_id=cast.other_organisation())
    for other, answer in (
        (eve, (409, "already_enrolled")),
        (cast.person(Role.PARENT), (409, "not_a_student")),
        (foreign, (404, "not_found")),
    ):
        body = {"student_ids": [str(ada.id), str(other.id)]}
        assert told(room.teacher.post(f"/api/classes/{room.id}/students", body)) == answer
        assert room.teacher.get(f"/api/classes/{room.id}").json["student_count"] == 1


def test_ending_an_enrolment_keeps_what_was(room: Classroom, calendar: Calendar) -> None:
    ada, session = room.join("Ada"), room.session()
    room.mark(session, "Ada")
    path = f"/api/classes/{room.id}/students/{ada.id}"
    assert told(room.teacher.delete(f"{path}?ends_on=2026-03-01")) == (400, "dates_refused")
    assert room.teacher.delete(f"{path}?ends_on=2026-03-20").status_code == 200
    assert room.teacher.get(f"/api/classes/{room.id}").json["student_count"] == 1
    calendar.turn(date(2026, 3, 20), room.teacher)
    assert room.teacher.get(f"/api/classes/{room.id}").json["student_count"] == 0
    assert told(room.teacher.delete(path)) == (403, "not_class_member")
    assert [expected(room, day) for day in ("2026-03-19", "2026-03-20")] == [1, 0]
    assert room.teacher.get(f"/api/attendance/session/{session}/records").json["counts"]["present"] == 1


@pytest.mark.parametrize("day", [None, "2026-03-16"])
def test_a_transfer_keeps_the_history(room: Classroom, cast: Cast, calendar: Calendar, day: str | None) -> None:
    ada, session = room.join("Ada"), room.session(session_date="2026-03-12")
    room.mark(session, "Ada")
    calendar.turn(date(2026, 3, 16) if day is None else date(2026, 3, 13), room.teacher)
    other = Classroom.open(cast)
    body = {"from_class_id": room.id, "to_class_id": other.id} | ({"day": day} if day else {})
    answer = room.teacher.post(f"/api/students/{ada.id}/transfer", body)
    assert (answer.status_code, bool(answer.json["message"])) == (200, True)
    calendar.turn(date(2026, 3, 20), room.teacher, other.teacher)
    (of,) = room.teacher.get(f"/api/students/{ada.id}").json["classes"]
    assert (of["id"], of["starts_on"]) == (other.id, "2026-03-16")
    assert [expected(room, on) for on in ("2026-03-12", "2026-03-15", "2026-03-16")] == [1, 1, 0]
    assert [expected(other, on) for on in ("2026-03-12", "2026-03-15", "2026-03-16")] == [0, 0, 1]
    (record,) = room.teacher.get(f"/api/attendance/session/{session}/records").json["items"]
    assert (record["student"]["id"], record["status"]) == (str(ada.id), "present")
    back = {"from_class_id": other.id, "to_class_id": room.id}
    assert other.teacher.post(f"/api/students/{ada.id}/transfer", back).status_code == 200
    assert expected(room, "2026-03-20") == 1


def test_a_transfer_is_whole_or_is_not(room: Classroom, cast: Cast) -> None:
    ada, other = room.join("Ada"), Classroom.open(cast)
    ada.post("/api/classes/join", {"join_code": other.join_code})
    elsewhere = Classroom.open(cast)
    foreign = cast.teacher(organisation_id=cast.other_organisation())
    theirs = foreign.post("/api/classes/create", {"name": "Theirs"}).json["id"]
    for teacher, to, answer in (
        (room.teacher, other.id, (409, "already_enrolled")),
        (room.teacher, theirs, (404, "not_found")),
        (elsewhere.teacher, elsewhere.id, (403, "not_your_class")),
    ):
        body = {"from_class_id": room.id, "to_class_id": to}
        assert told(teacher.post(f"/api/students/{ada.id}/transfer", body)) == answer
        assert room.teacher.get(f"/api/classes/{room.id}").json["student_count"] == 1


def set_teacher(room: Classroom, by: Person, teacher: Person, role: str) -> Any:
    return by.post(f"/api/classes/{room.id}/teachers", {"teacher_id": str(teacher.id), "role": role})


def test_a_class_has_several_teachers_with_their_roles(room: Classroom, cast: Cast) -> None:
    assistant, substitute = cast.teacher(first_name="Assi"), cast.teacher(first_name="Subs")
    set_teacher(room, room.teacher, assistant, "assistant")
    answer = set_teacher(room, room.teacher, substitute, "substitute")
    assert [(t["name"], t["role"]) for t in answer.json["teachers"]] == [
        ("Mary Somerville", "lead"), ("Assi", "assistant"), ("Subs", "substitute"),
    ]  # fmt: skip
    assert (answer.json["teacher_name"], answer.json["teacher_id"]) == ("Mary Somerville", str(room.teacher.id))
    again = set_teacher(room, room.teacher, assistant, "substitute")
    assert [t["role"] for t in again.json["teachers"]] == ["lead", "substitute", "substitute"]


@pytest.mark.parametrize("role", ["assistant", "substitute"])
def test_who_helps_takes_attendance_and_does_not_change_the_teachers(room: Classroom, cast: Cast, role: str) -> None:
    room.join("Ada")
    helper, friend = cast.teacher(), cast.teacher()
    assert told(set_teacher(room, helper, helper, "lead")) == (403, "not_your_class")
    assert set_teacher(room, room.teacher, helper, role).status_code == 200
    body = {"class_id": room.id, "session_name": "Stars"}
    session = helper.post("/api/attendance/create-session", body).json["id"]
    marks = {"session_id": session, "student_ids": [str(room.students["Ada"].id)]}
    assert helper.post("/api/attendance/mark-attendance", marks).json["newly_marked"] == 1
    assert helper.get("/api/classes/my-classes").json["total"] == 1
    assert helper.get(f"/api/classes/{room.id}").json["join_code"] == room.join_code
    for answer in (
        set_teacher(room, helper, friend, "assistant"),
        set_teacher(room, helper, helper, "lead"),
        helper.delete(f"/api/classes/{room.id}/teachers/{room.teacher.id}"),
    ):
        assert told(answer) == (403, "not_your_class")


def test_who_was_taken_off_a_class_is_out_of_it(room: Classroom, cast: Cast, admin: Person) -> None:
    helper, path = cast.teacher(), f"/api/classes/{room.id}/teachers"
    set_teacher(room, room.teacher, helper, "assistant")
    assert room.teacher.delete(f"{path}/{helper.id}").status_code == 200
    assert told(room.teacher.delete(f"{path}/{helper.id}")) == (404, "not_found")
    body = {"class_id": room.id, "session_name": "Stars"}
    assert told(helper.post("/api/attendance/create-session", body)) == (403, "not_your_class")
    assert helper.get("/api/classes/my-classes").json["total"] == 0
    assert set_teacher(room, admin, helper, "lead").status_code == 200


def test_only_who_teaches_is_a_teacher_of_a_class(room: Classroom, cast: Cast, admin: Person) -> None:
    suspended = cast.teacher()
    admin.post(f"/api/admin/users/{suspended.id}/suspend", {})
    for person in (cast.student(), cast.person(Role.PARENT), suspended):
        assert told(set_teacher(room, room.teacher, person, "assistant")) == (409, "not_a_teacher")
    foreign = cast.teacher(organisation_id=cast.other_organisation())
    assert told(set_teacher(room, room.teacher, foreign, "assistant")) == (404, "not_found")


def test_a_teacher_cannot_take_a_students_account_over_by_its_address(cast: Cast, student: Person) -> None:
    taken = cast.teacher().put(f"/api/students/{student.id}", {"email": "teacher.too@school.test"})
    assert (taken.status_code, taken.json["code"]) == (403, "role_not_given")
    same = cast.teacher().put(f"/api/students/{student.id}", {"email": student.email, "phone": "1"})
    assert same.status_code == 200
    admin = cast.person(Role.ADMIN)
    assert admin.put(f"/api/students/{student.id}", {"email": "ada@new.test"}).json["email"] == "ada@new.test"


def test_who_is_deactivated_was_expected_before_and_is_not_from_then_on(cast: Cast) -> None:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    with cast.app.app_context():
        for enrolment in db.session.scalars(select(Enrolment)):
            enrolment.starts_on = date(2026, 1, 1)
        db.session.commit()
    past, now = room.session(session_date="2026-03-02"), room.session()
    cast.person(Role.ADMIN).delete(f"/api/students/{room.students['Ada'].id}")

    def expected(session: str) -> int:
        counts = room.teacher.get(f"/api/attendance/session/{session}/records").json["counts"]
        return int(counts["expected"])

    assert (expected(past), expected(now)) == (2, 1)
    cast.person(Role.ADMIN).post(f"/api/admin/users/{room.students['Ada'].id}/erase", {})
    assert (expected(past), expected(now)) == (2, 1), "counts stay true when a name is gone"
    cast.person(Role.ADMIN).post(f"/api/admin/users/{room.students['Grace'].id}/suspend", {})
    cast.person(Role.ADMIN).post(f"/api/admin/users/{room.students['Grace'].id}/activate", {})
    assert (expected(past), expected(now)) == (2, 1)
