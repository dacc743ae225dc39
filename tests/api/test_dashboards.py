"""Dashboards: each role's own, in one call, with the numbers that one counts by hand."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.extensions import db
from app.models import Class, Enrolment, Guardian, Role, Session, Subject
from app.services import closing, counting
from tests.api import test_check_in as checking
from tests.api.test_check_in import at_lisbon, away
from tests.api.test_reviews import doubtful
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
from tests.story import Classroom

NOON = datetime(2026, 3, 12, 12, 0, tzinfo=UTC)
"""A Thursday."""
MONTHS = ["2025-10", "2025-11", "2025-12", "2026-01", "2026-02", "2026-03"]
CALLS = {
    "/dashboard/stats": {Role.SUPER_ADMIN, Role.ADMIN, Role.TEACHER},
    "/admin/dashboard/stats": {Role.SUPER_ADMIN, Role.ADMIN},
    "/dashboard/teacher": {Role.TEACHER},
    "/dashboard/student": {Role.STUDENT, Role.EMPLOYEE},
    "/dashboard/parent": {Role.PARENT},
}
at, in_lisbon = checking.at, checking.room


@pytest.fixture
def room(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    """Ada, Grace and Mary, who have been in the class for a year, at noon on 12 March 2026."""
    monkeypatch.setattr(clock, "now", lambda: NOON - timedelta(days=365))
    room = Classroom.open(cast)
    for name in ("Ada", "Grace", "Mary"):
        room.join(name)
    monkeypatch.setattr(clock, "now", lambda: NOON)
    for person in (room.teacher, *room.students.values()):
        signed_in = person.post("/auth/login", {"email": person.email, "password": "correct horse battery"})
        person.token = signed_in.json["access_token"]
    return room


def get(person: Person, path: str) -> Any:
    answer = person.get(path)
    assert answer.status_code == 200, answer.text
    return answer.json


def lesson(room: Classroom, day: str, **statuses: str) -> str:
    """A session of the class on a day, in which students are marked."""
    session = room.session(session_date=day)
    marks = [{"student_id": str(room.students[name].id), "status": status} for name, status in statuses.items()]
    if marks:
        answer = room.teacher.post(f"/attendance/session/{session}/marks", {"marks": marks})
        assert answer.status_code == 200, answer.text
    return session


def figure(*counts: int, percentage: float | None) -> dict[str, Any]:
    names = ("sessions", "expected", "present", "late", "absent", "excused", "leave")
    told = dict(zip(names, counts, strict=True))
    there, expected = told["present"] + told["late"], told["expected"]
    return told | {
        "percentage": percentage,
        "rate": None if percentage is None else pytest.approx(percentage / 100, abs=1e-4),
        "missed": pytest.approx(1 - there / expected, abs=1e-4) if expected else None,
    }


@pytest.mark.parametrize("role", Role)
def test_each_role_sees_its_own(cast: Cast, role: Role) -> None:
    person = cast.person(role)
    allowed = {path for path in CALLS if person.get(path).status_code == 200}
    assert allowed == {path for path, roles in CALLS.items() if role in roles}
    for path in CALLS.keys() - allowed:
        assert (person.get(f"/api{path}").status_code, person.get(path).json["code"]) == (403, "role_not_allowed")


def test_without_data_a_percentage_is_null_and_not_zero(cast: Cast) -> None:
    nothing = figure(0, 0, 0, 0, 0, 0, 0, percentage=None)
    admin = cast.person(Role.ADMIN)
    stats = get(admin, "/api/dashboard/stats")
    assert (stats["today_attendance"], stats["average_attendance"], stats["recent_activities"]) == (None, None, [])
    assert [month["percentage"] for month in stats["monthly_trend"]] == [None] * 6
    stats = get(admin, "/api/admin/dashboard/stats")
    assert (stats["today"], stats["period"]) == (nothing, nothing)
    assert stats["sessions"] == {"active": 0, "total": 0}
    own = get(cast.student(), "/dashboard/student")
    assert (own["attendance"], own["classes"], own["today"], own["consecutive_absences"]) == (nothing, [], [], 0)
    assert get(cast.person(Role.PARENT), "/dashboard/parent") == {"children": []}
    of_teacher = get(cast.teacher(), "/dashboard/teacher")
    assert (of_teacher["classes"], of_teacher["today"], of_teacher["reviews"]) == ([], [], 0)
    assert of_teacher["registers_not_taken"]["total"] == 0


@pytest.mark.parametrize("is_counted", [False, True])
def test_the_organisations_numbers_are_those_counted_by_hand(room: Classroom, cast: Cast, is_counted: bool) -> None:
    lesson(room, "2025-09-30", Ada="present", Grace="present", Mary="present")  # too long ago
    lesson(room, "2025-10-01", Ada="present", Grace="absent", Mary="absent")
    lesson(room, "2026-02-10", Ada="present", Grace="late", Mary="absent")
    lesson(room, "2026-02-11", Ada="present", Grace="present", Mary="excused")
    lesson(room, "2026-03-12", Ada="present", Grace="absent", Mary="leave")
    cancelled = lesson(room, "2026-03-12", Ada="absent", Grace="absent", Mary="absent")
    room.teacher.post(f"/attendance/session/{cancelled}/cancel", {})
    lesson(room, "2026-03-13", Ada="absent", Grace="absent", Mary="absent")  # has not begun
    cast.student(status="active")
    cast.person(Role.EMPLOYEE)
    if is_counted:
        with cast.app.app_context():
            counting.count_due()
    stats = get(room.teacher, "/dashboard/stats")
    assert (stats["total_students"], stats["total_teachers"]) == (4, 1)
    assert stats["today_attendance"] == 50
    assert stats["average_attendance"] == 60  # 1 + 2 + 2 + 1 of 3 + 3 + 2 + 2
    assert stats["monthly_trend"] == [
        {"month": month, "percentage": {"2025-10": 33.33, "2026-02": 80.0, "2026-03": 50.0}.get(month)}
        for month in MONTHS
    ]
    assert get(cast.person(Role.ADMIN), "/api/dashboard/stats/") == stats


def test_the_latest_activities_are_marks_and_check_ins_by_their_time(
    in_lisbon: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = in_lisbon
    session = at_lisbon(room)
    record = doubtful(room, session)
    begun = clock.now()
    for n in range(1, 12):
        monkeypatch.setattr(clock, "now", lambda n=n: begun + timedelta(seconds=n))
        status = "late" if n % 2 else "present"
        marks = [{"student_id": str(room.students["Ada"].id), "status": status}]
        assert room.teacher.post(f"/attendance/session/{session}/marks", {"marks": marks}).status_code == 200
    out = {"record_id": record["id"]} | away(0)
    monkeypatch.setattr(clock, "now", lambda: begun + timedelta(seconds=20))
    assert room.students["Ada"].post("/attendance/check-out", out).status_code == 200
    activities = get(room.teacher, "/dashboard/stats")["recent_activities"]
    assert [activity["kind"] for activity in activities] == ["checked_out"] + 9 * ["marked"]
    assert [activity["status"] for activity in activities[:4]] == [None, "late", "present", "late"]
    assert {name: activities[1][name] for name in ("student_id", "student_name", "session_id", "session_name")} == {
        "student_id": str(room.students["Ada"].id),
        "student_name": "Ada",
        "session_id": session,
        "session_name": "Lecture 7",
    }
    assert [activity["by"] for activity in activities[:2]] == [None, "Mary Somerville"]
    assert activities == sorted(activities, key=lambda activity: activity["at"], reverse=True)


def test_a_refused_check_in_is_no_activity(in_lisbon: Classroom) -> None:
    session = at_lisbon(in_lisbon)
    ada = in_lisbon.students["Ada"]
    assert ada.post("/check-in", {"session_id": session, "lat": 0, "lon": 0}).status_code == 403
    assert get(in_lisbon.teacher, "/dashboard/stats")["recent_activities"] == []
    doubtful(in_lisbon, session)
    (activity,) = get(in_lisbon.teacher, "/dashboard/stats")["recent_activities"]
    assert (activity["kind"], activity["student_id"], activity["by"]) == ("checked_in", str(ada.id), None)


def test_an_administrators_numbers(room: Classroom, cast: Cast) -> None:
    lesson(room, "2026-02-10", Ada="present", Grace="late", Mary="absent")
    lesson(room, "2026-02-11", Ada="present", Grace="absent", Mary="excused")
    lesson(room, "2026-03-12", Ada="present", Grace="absent", Mary="leave")
    lesson(room, "2026-03-13")
    admin = cast.person(Role.ADMIN)
    stats = get(admin, "/admin/dashboard/stats")
    roles = dict.fromkeys(Role, 0) | {"admin": 1, "teacher": 1, "student": 3}
    assert stats["users_by_role"] == {str(role.value): roles[role] for role in Role}
    assert stats["sessions"] == {"active": 1, "total": 4}
    assert stats["today"] == figure(1, 3, 1, 0, 1, 0, 1, percentage=50)
    assert (stats["start_date"], stats["end_date"]) == ("2026-02-11", "2026-03-12")
    assert stats["period"] == figure(2, 6, 2, 0, 2, 1, 1, percentage=50)
    stats = get(admin, "/api/admin/dashboard/stats?start_date=2026-02-10&end_date=2026-02-10")
    assert stats["period"] == figure(1, 3, 1, 1, 1, 0, 0, percentage=66.67)
    assert stats["today"] == figure(1, 3, 1, 0, 1, 0, 1, percentage=50)
    assert get(admin, "/admin/dashboard/stats?end_date=2026-02-10")["start_date"] == "2026-01-12"
    assert get(admin, "/admin/dashboard/stats?end_date=0001-01-02")["start_date"] == "0001-01-01"
    assert admin.get("/admin/dashboard/stats?start_date=soon").status_code == 422


def test_nothing_of_another_organisation_is_counted(room: Classroom, cast: Cast) -> None:
    lesson(room, "2026-03-12", Ada="present", Grace="absent", Mary="late")
    elsewhere = cast.other_organisation()
    stranger = cast.person(Role.ADMIN, elsewhere)
    stats = get(stranger, "/dashboard/stats")
    assert (stats["total_students"], stats["average_attendance"], stats["recent_activities"]) == (0, None, [])
    stats = get(stranger, "/admin/dashboard/stats")
    assert (stats["sessions"]["total"], stats["period"]["sessions"]) == (0, 0)
    foreign = cast.person(Role.PARENT, elsewhere)
    with cast.app.app_context():
        make(Guardian, organisation_id=elsewhere, student_id=room.students["Ada"].id, parent_id=foreign.id, name="X")
    assert get(foreign, "/dashboard/parent") == {"children": []}


def test_a_teacher_sees_their_classes_sessions_and_what_there_is_to_do(room: Classroom, cast: Cast) -> None:
    other = Classroom.open(cast)
    lesson(room, "2026-02-10", Ada="absent", Grace="absent", Mary="absent")  # more than 30 days ago
    lesson(room, "2026-03-11", Ada="present", Grace="late", Mary="absent")
    lesson(room, "2026-03-10")
    today = lesson(room, "2026-03-12", Ada="present")
    other.session(session_date="2026-03-10")
    other.session(session_date="2026-03-12")
    empty = room.teacher.post("/classes/create", {"name": "Botany"}).json["id"]
    seen = get(room.teacher, "/dashboard/teacher")
    assert seen["classes"] == [
        {"id": room.id, "name": "Astronomy", "attendance": figure(2, 4, 2, 1, 1, 0, 0, percentage=75)},
        {"id": empty, "name": "Botany", "attendance": figure(0, 0, 0, 0, 0, 0, 0, percentage=None)},
    ]
    (session,) = seen["today"]
    assert (session["id"], session["status"]) == (today, "active")
    assert {name: session["counts"][name] for name in ("expected", "present", "unmarked")} == {
        "expected": 3,
        "present": 1,
        "unmarked": 2,
    }
    assert [item["session_date"] for item in seen["registers_not_taken"]["items"]] == ["2026-03-10"]
    assert (seen["registers_not_taken"]["total"], seen["reviews"]) == (1, 0)


def test_a_teacher_is_told_how_many_check_ins_wait(in_lisbon: Classroom, cast: Cast) -> None:
    doubtful(in_lisbon, at_lisbon(in_lisbon))
    assert get(in_lisbon.teacher, "/dashboard/teacher")["reviews"] == 1
    assert get(cast.teacher(), "/dashboard/teacher")["reviews"] == 0


def test_a_student_sees_what_is_theirs(room: Classroom, cast: Cast) -> None:
    lesson(room, "2026-02-10", Ada="present", Grace="absent", Mary="absent")
    lesson(room, "2026-03-11", Ada="absent", Grace="late", Mary="present")
    today = lesson(room, "2026-03-12", Ada="excused", Grace="absent")
    with cast.app.app_context():
        chess = make(Class, organisation_id=room.teacher.organisation_id, name="Chess").id
        subject = make(Subject, organisation_id=room.teacher.organisation_id).id
        own = {"organisation_id": room.teacher.organisation_id, "created_by_id": room.teacher.id}
        make(Session, **own, class_id=chess, name="Not theirs", session_date=NOON.date())
        make(Session, **own, subject_id=subject, name="Nobody's", session_date=NOON.date())
        event = make(Session, **own, is_event=True, name="Fair", session_date=NOON.date(), cancelled_at=NOON).id
    own = get(room.students["Ada"], "/dashboard/student")
    assert (own["student"]["id"], own["since"]) == (str(room.students["Ada"].id), "2025-10-01")
    assert own["attendance"] == figure(3, 3, 1, 0, 1, 1, 0, percentage=50)
    assert own["classes"] == [{"id": room.id, "name": "Astronomy", "attendance": own["attendance"]}]
    by_id = {item["id"]: item for item in own["today"]}
    assert by_id.keys() == {today, str(event)}
    assert (by_id[today]["class_name"], by_id[today]["attendance"], by_id[today]["status"]) == (
        "Astronomy",
        "excused",
        "active",
    )
    assert (by_id[str(event)]["attendance"], by_id[str(event)]["status"]) == (None, "cancelled")


@pytest.mark.parametrize(
    ("statuses", "in_a_row"),
    [
        ([], 0),
        (["present"], 0),
        (["absent"], 1),
        (["absent", "absent", "present"], 0),
        (["absent", "late", "absent", "absent"], 2),
        (["present", "absent", "excused", "absent", "leave"], 2),
        (["absent", "excused", "absent"], 2),
    ],
)
def test_absences_are_counted_since_one_was_last_there(room: Classroom, statuses: list[str], in_a_row: int) -> None:
    for number, status in enumerate(statuses):
        lesson(room, f"2026-03-0{number + 1}", Ada=status, Grace="present")
    assert get(room.students["Ada"], "/dashboard/student")["consecutive_absences"] == in_a_row
    assert get(room.students["Grace"], "/dashboard/student")["consecutive_absences"] == 0


def test_of_one_day_the_later_session_is_the_later_one(room: Classroom, cast: Cast) -> None:
    for hour, status in ((9, "present"), (8, "absent"), (10, "absent")):
        times = {"start_time": f"2026-03-12T{hour:02}:00:00Z", "end_time": f"2026-03-12T{hour:02}:45:00Z"}
        made = room.teacher.post("/admin/sessions", {"session_name": "Stars", "class_id": room.id} | times).json
        marks = [{"student_id": str(room.students["Ada"].id), "status": status}]
        assert room.teacher.post(f"/attendance/session/{made['id']}/marks", {"marks": marks}).status_code == 200
    assert get(room.students["Ada"], "/dashboard/student")["consecutive_absences"] == 1


def test_parents_see_each_of_their_children_and_nobody_else(room: Classroom, cast: Cast) -> None:
    lesson(room, "2026-03-11", Ada="present", Grace="absent", Mary="absent")
    lesson(room, "2026-03-12", Ada="late", Grace="absent", Mary="absent")
    parent = cast.parent(room.students["Grace"], room.students["Ada"])
    children = get(parent, "/api/dashboard/parent")["children"]
    assert [child["student"]["first_name"] for child in children] == ["Ada", "Grace"]
    assert [child["attendance"]["percentage"] for child in children] == [100, 0]
    assert [child["consecutive_absences"] for child in children] == [0, 2]
    for child, name in zip(children, ("Ada", "Grace"), strict=True):
        assert child == get(room.students[name], "/dashboard/student")


def fill(room: Classroom, cast: Cast, sessions: int) -> None:
    """So many more sessions, each with the records of three students, today's and of before."""
    for number in range(sessions):
        day = NOON.date() - timedelta(days=number % 3)
        lesson(room, str(day), Ada="present", Grace="absent", Mary="late")
    with cast.app.app_context():
        closing.close_due()


def test_statements_do_not_grow_with_the_records(room: Classroom, cast: Cast) -> None:
    parent = cast.parent(*room.students.values())
    people = {
        "/dashboard/stats": room.teacher,
        "/admin/dashboard/stats": cast.person(Role.ADMIN),
        "/dashboard/teacher": room.teacher,
        "/dashboard/student": room.students["Ada"],
        "/dashboard/parent": parent,
    }
    numbers = []
    for more in (1, 66):
        fill(room, cast, more)
        said = {}
        for path, person in people.items():
            with counted(cast.app) as statements:
                get(person, path)
            said[path] = len(statements)
        numbers.append(said)
    assert numbers[0] == numbers[1]
    assert max(numbers[0].values()) < 20


def test_statements_do_not_grow_with_the_children(room: Classroom, cast: Cast) -> None:
    lesson(room, "2026-03-11", Ada="present", Grace="absent", Mary="absent")
    numbers = []
    for children in (["Ada"], ["Ada", "Grace", "Mary"]):
        parent = cast.parent(*(room.students[name] for name in children))
        with counted(cast.app) as statements:
            assert len(get(parent, "/dashboard/parent")["children"]) == len(children)
        numbers.append(len(statements))
    assert numbers[0] == numbers[1]


def test_who_has_the_answer_is_told_that_nothing_has_changed(room: Classroom, cast: Cast) -> None:
    parent = cast.parent(room.students["Ada"])
    for path, person in (
        ("/dashboard/stats", room.teacher),
        ("/admin/dashboard/stats", cast.person(Role.ADMIN)),
        ("/dashboard/teacher", room.teacher),
        ("/dashboard/student", room.students["Ada"]),
        ("/dashboard/parent", parent),
    ):
        first = person.get(path)
        assert first.headers["Cache-Control"] == "private, no-cache"
        had = {"If-None-Match": first.headers["ETag"]}
        again = person.get(path, headers=had)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", first.headers["ETag"]), path
    lesson(room, "2026-03-12", Ada="present")
    changed = parent.get("/dashboard/parent", headers=had)
    assert (changed.status_code, changed.headers["ETag"] != had["If-None-Match"]) == (200, True)


def test_a_former_student_is_no_longer_among_the_numbers(room: Classroom, cast: Cast) -> None:
    parent = cast.parent(room.students["Ada"], room.students["Grace"])
    admin = cast.person(Role.ADMIN)
    assert admin.delete(f"/students/{room.students['Grace'].id}").status_code == 200
    assert get(admin, "/dashboard/stats")["total_students"] == 2
    assert len(get(parent, "/dashboard/parent")["children"]) == 1
    with cast.app.app_context():
        assert db.session.query(Enrolment).count() == 3
