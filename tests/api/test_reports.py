"""Reports: the numbers, counted by hand, whether their records are in the days' counts yet or not."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from app import clock
from app.extensions import db
from app.models import Class, Department, Guardian, Role, StudentProfile, Subject, User
from app.services.counting import count_due
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
from tests.story import Classroom

MONDAY = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
WEEK = "start_date=2026-03-02&end_date=2026-03-08"
MARKED: list[dict[str, str]] = [
    {"Ada": "present", "Grace": "absent", "Mary": "late"},
    {"Ada": "present", "Grace": "absent", "Mary": "present"},
    {"Ada": "excused", "Grace": "absent", "Mary": "present"},
    {},  # nobody took it
    {"Ada": "absent", "Grace": "present", "Mary": "absent"},  # and was then cancelled
]
TAKEN = {"sessions": 3, "expected": 9, "present": 4, "late": 1, "absent": 3, "excused": 1, "leave": 0, "rate": 0.625}
SCHEDULED = TAKEN | {"sessions": 4, "expected": 12, "absent": 6, "rate": round(5 / 11, 4)}


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_time(day: int, minutes: float = 0) -> None:
        monkeypatch.setattr(clock, "now", lambda: MONDAY + timedelta(days=day, minutes=minutes))

    set_time(-1)
    return set_time


@pytest.fixture(params=["counted", "not counted"])
def room(cast: Cast, at: Any, request: pytest.FixtureRequest) -> Classroom:
    """A week of a class of three, which is of a subject; one of them is of a department."""
    room = Classroom.open(cast)
    for name in ("Ada", "Grace", "Mary"):
        room.join(name)
    with cast.app.app_context():
        own = {"organisation_id": room.teacher.organisation_id}
        maths, science = make(Subject, name="Maths", **own), make(Department, name="Science", **own)
        db.session.execute(update(Class).where(Class.id == uuid.UUID(room.id)).values(subject_id=maths.id))
        ada = room.students["Ada"].id
        db.session.execute(update(User).where(User.id == ada).values(department_id=science.id))
        make(StudentProfile, user_id=ada, roll_number="CS-042", **own)
        db.session.commit()
    for day, marked in enumerate(MARKED):
        at(day)
        times = {"start_time": clock.now().isoformat(), "end_time": (clock.now() + timedelta(hours=1)).isoformat()}
        session = room.teacher.post(
            "/api/admin/sessions", {"session_name": f"Lesson {day}", "class_id": room.id} | times
        ).json["id"]
        marks = [{"student_id": str(room.students[name].id), "status": status} for name, status in marked.items()]
        if marks:
            assert room.teacher.post(f"/api/attendance/session/{session}/marks", {"marks": marks}).status_code == 200
        at(day, 90)
        end = "cancel" if day == 4 else "close"
        ended = room.teacher.post(f"/api/attendance/session/{session}/{end}", {"reason": "over"})
        assert ended.status_code == 200, ended.text
    if request.param == "counted":
        with cast.app.app_context():
            count_due()
    return room


@pytest.fixture
def admin(cast: Cast, room: Classroom) -> Person:
    return cast.person(Role.ADMIN)


def get(person: Person, path: str) -> Any:
    answer = person.get(f"/api/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json


def figure(told: Any) -> dict[str, Any]:
    return {name: told[name] for name in TAKEN}


def test_the_organisations_summary_counts_what_was_taken(admin: Person, room: Classroom) -> None:
    told = get(admin, f"reports/organization/summary?{WEEK}")
    assert figure(told["total"]) == TAKEN
    assert [(one["name"], figure(one)) for one in told["by_class"]["items"]] == [("Astronomy", TAKEN)]
    of_people = [(one["name"], one["expected"], one["present"]) for one in told["by_department"]]
    assert of_people == [("Science", 3, 2), (None, 6, 2)]
    assert [(one["name"], one["expected"]) for one in told["by_role"]] == [("student", 9)]
    assert (told["people"]["student"], told["people"]["admin"]) == (3, 1)
    assert room.teacher.get("/api/reports/organization/summary").status_code == 403


def test_without_records_there_is_no_rate(admin: Person, at: Any) -> None:
    told = get(admin, "reports/organization/summary?start_date=2025-01-01&end_date=2025-02-01")
    assert (told["total"]["expected"], told["total"]["rate"], told["total"]["missed"]) == (0, None, None)
    assert told["by_class"]["items"][0]["rate"] is None
    assert get(admin, "reports/attendance/trends?end_date=2025-02-01")["points"] == []


def test_days_at_the_ends_of_time_are_days(admin: Person) -> None:
    for days in ("start_date=9999-12-31", "start_date=0001-01-01&end_date=9999-12-31", "end_date=0001-01-01"):
        for path in ("trends?interval=month&", "people?", "people?department=Science&", "absent-in-a-row?"):
            assert admin.get(f"/api/reports/attendance/{path}{days}").status_code == 200, (path, days)


def test_what_was_scheduled_and_not_taken_counts_where_it_is_asked_for(room: Classroom) -> None:
    for basis, expected in (("taken", TAKEN), ("scheduled", SCHEDULED)):
        points = get(room.teacher, f"reports/attendance/trends?{WEEK}&interval=week&basis={basis}")["points"]
        assert [(point["interval"], figure(point)) for point in points] == [("2026-03-02", expected)]


def test_trends_have_a_point_for_each_interval(room: Classroom) -> None:
    for interval, expected in (
        ("day", [("2026-03-02", 0.6667), ("2026-03-03", 0.6667), ("2026-03-04", 0.5)]),
        ("week", [("2026-03-02", 0.625)]),
        ("month", [("2026-03-01", 0.625)]),
        ("weekday", [("monday", 0.6667), ("tuesday", 0.6667), ("wednesday", 0.5)]),
        ("hour", [("09:00", 0.625)]),
    ):
        points = get(room.teacher, f"reports/attendance/trends?{WEEK}&interval={interval}")["points"]
        assert [(point["interval"], point["rate"]) for point in points] == expected


def test_filters_combine(room: Classroom, admin: Person) -> None:
    ada = room.students["Ada"].id
    for filters, expected in (
        ("department=science", 3),
        (f"department=Science&class_id={room.id}", 3),
        (f"student_id={ada}&department=Science", 3),
        (f"student_id={room.students['Grace'].id}&department=Science", 0),
        (f"teacher_id={room.teacher.id}", 9),
        (f"teacher_id={admin.id}", 0),
        (f"class_id={room.id}&student_id={ada}", 3),
        ("year=7", 0),
    ):
        points = get(admin, f"reports/attendance/trends?{WEEK}&interval=week&{filters}")["points"]
        assert sum(point["expected"] for point in points) == expected, filters


def test_students_and_parents_see_their_own(cast: Cast, room: Classroom) -> None:
    ada, grace, parent = room.students["Ada"], room.students["Grace"], cast.person(Role.PARENT)
    with cast.app.app_context():
        own = {"organisation_id": room.teacher.organisation_id, "student_id": ada.id}
        make(Guardian, parent_id=parent.id, **own)
    trends = f"reports/attendance/trends?{WEEK}&interval=week"
    assert get(ada, trends)["points"][0]["expected"] == 3
    assert get(parent, f"{trends}&student_id={ada.id}")["points"][0]["present"] == 2
    for person in (ada, parent):
        assert person.get(f"/api/{trends}&student_id={grace.id}").status_code == 404
        assert person.get(f"/api/reports/user/{grace.id}/detailed").status_code == 404
        assert person.get("/api/attendance/reports").status_code == 403
    assert get(parent, f"reports/user/{ada.id}/detailed")["total"]["expected"] == 3
    assert get(parent, trends)["points"] == []


def test_a_persons_report_has_streaks_lateness_classes_and_months(room: Classroom) -> None:
    told = get(room.teacher, f"reports/user/{room.students['Grace'].id}/detailed?{WEEK}")
    assert told["streaks"] == {"absent": 3, "longest_absent": 3, "longest_there": 0}
    assert (told["total"]["rate"], told["total"]["missed"]) == (0.0, 1.0)
    assert [(one["name"], one["absent"]) for one in told["by_class"]] == [("Astronomy", 3)]
    assert [(one["interval"], one["absent"]) for one in told["by_month"]] == [("2026-03-01", 3)]
    told = get(room.students["Mary"], f"reports/user/{room.students['Mary'].id}/detailed?{WEEK}")
    assert told["streaks"] == {"absent": 0, "longest_absent": 0, "longest_there": 3}
    assert (told["lateness"]["late"], told["lateness"]["minutes_late"]) == (1, None)
    assert told["records"]["total"] == 5, "all there are, also those that do not count"


def test_who_checks_in_and_out_is_late_for_so_long_and_there_for_so_long(room: Classroom, at: Any) -> None:
    at(7)
    times = {"start_time": clock.now().isoformat(), "end_time": (clock.now() + timedelta(hours=1)).isoformat()}
    made = room.teacher.post("/api/admin/sessions", {"session_name": "Late", "class_id": room.id} | times).json
    at(7, 20)
    ada = room.students["Ada"]
    checked_in = ada.post("/api/attendance/check-in", {"session_id": made["id"], "lat": 38.7, "lon": -9.1}).json
    at(7, 50)
    assert ada.post("/api/attendance/check-out", {"record_id": checked_in["id"], "lat": 38.7, "lon": -9.1}).json
    told = get(ada, f"reports/user/{ada.id}/detailed?start_date=2026-03-09")["lateness"]
    assert told == {"late": 1, "minutes_late": 20.0, "left_early": 1, "minutes": 30.0}
    told = get(room.teacher, "reports/attendance/verification?start_date=2026-03-09")
    assert [(one["source"], one["verification"], one["records"]) for one in told["records"]] == [
        ("check_in", "verified", 1)
    ]


def test_each_student_and_subject_has_a_row(room: Classroom) -> None:
    told = get(room.teacher, f"attendance/reports?{WEEK}")
    assert told["total"] == 3
    rows = {row["student_name"].split()[0]: row for row in told["items"]}
    names = ("roll_number", "subject", "total_classes", "present_count", "absent_count", "late_count")
    assert [rows["Ada"][name] for name in names] == ["CS-042", "Maths", 3, 2, 0, 0]
    assert [rows["Mary"][name] for name in names[1:]] == ["Maths", 3, 2, 0, 1]
    assert [rows[name]["attendance_percentage"] for name in ("Ada", "Grace", "Mary")] == [100.0, 0.0, 100.0]
    subject = rows["Ada"]["subject_id"]
    assert len(get(room.teacher, f"attendance/reports?{WEEK}&department=SCIENCE&subject_id={subject}")["items"]) == 1
    assert get(room.teacher, f"attendance/reports?{WEEK}&subject_id={room.id}")["items"] == []


def test_a_session_names_everybody_who_is_expected(room: Classroom, at: Any) -> None:
    at(7)
    session = room.session()
    room.mark(session, "Ada")
    told = get(room.teacher, f"reports/session/{session}/detailed?per_page=2")
    assert told["people"]["total"] == 3
    people = (
        told["people"]["items"]
        + get(room.teacher, f"reports/session/{session}/detailed?per_page=2&page=2")["people"]["items"]
    )
    by_name = {one["student"]["first_name"]: one["record"] and one["record"]["status"] for one in people}
    assert by_name == {"Ada": "present", "Grace": None, "Mary": None}
    assert (told["rates"]["present"], told["rates"]["attendance"]) == (0.3333, 0.3333)
    assert room.students["Ada"].get(f"/api/reports/session/{session}/detailed").status_code == 403


def test_absence_is_chronic_from_a_tenth_on(room: Classroom) -> None:
    def listed(query: str, days: str = WEEK) -> list[tuple[str, float]]:
        items = get(room.teacher, f"reports/attendance/people?{days}&{query}")["items"]
        return [(one["student"]["first_name"], one["missed"]) for one in items]

    assert listed("") == [("Grace", 1.0), ("Ada", 0.3333), ("Mary", 0.0)]
    assert listed("standing=chronic") == [("Grace", 1.0), ("Ada", 0.3333)]
    assert listed("standing=chronic&missed=0.5") == [("Grace", 1.0)]
    assert listed("standing=perfect") == []
    assert listed("standing=perfect", "start_date=2026-03-03") == [("Mary", 0.0)]
    assert listed("per_page=1&page=2") == [("Ada", 0.3333)]


def test_one_of_ten_is_a_tenth(cast: Cast, at: Any) -> None:
    room = Classroom.open(cast)
    room.join("Ada")
    for day in range(10):
        at(day)
        mark(room, room.session(), Ada="present" if day else "absent")
    items = get(room.teacher, "reports/attendance/people?standing=chronic&start_date=2026-01-01")["items"]
    assert [one["missed"] for one in items] == [0.1]


def test_who_was_absent_in_their_last_sessions_is_named(room: Classroom) -> None:
    told = get(room.teacher, f"reports/attendance/absent-in-a-row?{WEEK}")
    assert [(one["student"]["first_name"], one["absences"]) for one in told["items"]] == [("Grace", 3)]
    assert get(room.teacher, f"reports/attendance/absent-in-a-row?{WEEK}&at_least=4")["items"] == []
    told = get(room.teacher, f"reports/attendance/absent-in-a-row?{WEEK}&basis=scheduled&at_least=1")
    absences = {one["student"]["first_name"]: one["absences"] for one in told["items"]}
    assert absences == {"Grace": 4, "Ada": 1, "Mary": 1}


def test_the_matrix_shows_who_was_what_in_which_session(room: Classroom, cast: Cast) -> None:
    told = get(room.teacher, f"reports/class/{room.id}/matrix?{WEEK}")
    assert [session["name"] for session in told["sessions"]] == ["Lesson 0", "Lesson 1", "Lesson 2", "Lesson 3"]
    rows = {row["student"]["first_name"]: row["statuses"] for row in told["items"]}
    assert rows["Ada"] == ["present", "present", "excused", "absent"]
    assert rows["Mary"] == ["late", "present", "present", "absent"]
    assert cast.teacher().get(f"/api/reports/class/{room.id}/matrix?{WEEK}").status_code == 403


def test_two_periods_are_compared(room: Classroom) -> None:
    days = "start_date=2026-03-02&end_date=2026-03-02&other_start_date=2026-03-04&other_end_date=2026-03-04"
    told = get(room.teacher, f"reports/attendance/comparison?{days}")
    assert (told["one"]["rate"], told["other"]["rate"], told["change"]) == (0.6667, 0.5, -0.1667)
    empty = "start_date=2025-03-02&end_date=2025-03-02&other_start_date=2026-03-04"
    assert get(room.teacher, f"reports/attendance/comparison?{empty}")["change"] is None


def test_another_organisation_has_none_of_it(cast: Cast, room: Classroom) -> None:
    elsewhere = cast.person(Role.ADMIN, cast.other_organisation())
    assert get(elsewhere, "reports/organization/summary")["total"]["expected"] == 0
    assert get(elsewhere, "attendance/reports")["items"] == []
    assert get(elsewhere, "reports/attendance/people")["items"] == []
    for path in (f"user/{room.students['Ada'].id}/detailed", f"class/{room.id}/matrix?{WEEK}"):
        assert elsewhere.get(f"/api/reports/{path}").status_code == 404


def test_a_report_costs_as_many_statements_for_more_people(cast: Cast, room: Classroom, at: Any) -> None:
    admin = cast.person(Role.ADMIN)
    paths = [f"reports/attendance/{name}?{WEEK}" for name in ("people", "trends", "absent-in-a-row", "verification")]
    paths += [f"attendance/reports?{WEEK}", "reports/organization/summary", f"reports/class/{room.id}/matrix?{WEEK}"]

    def costs() -> list[int]:
        found = []
        for path in paths:
            with counted(cast.app) as said:
                get(admin, path)
            found.append(len(said))
        return found

    at(2, 110)
    room.mark(room.session(), "Ada")
    few = costs()
    for name in ("Emmy", "Sofja", "Hypatia", "Ida"):
        room.join(name)
    at(2, 120)
    room.mark(room.session(), "Ada", "Emmy", "Sofja", "Hypatia", "Ida")
    assert costs() == few


def test_a_session_that_was_closed_before_its_day_does_not_count_until_then(
    cast: Cast, room: Classroom, at: Any
) -> None:
    ada = room.students["Ada"]
    before = get(ada, f"reports/user/{ada.id}/detailed")["total"]
    session = room.session(session_date="2026-03-15")
    room.mark(session, "Ada")
    assert room.teacher.post(f"/api/attendance/session/{session}/close", {"reason": "early"}).status_code == 200
    with cast.app.app_context():
        count_due()
    told = get(ada, f"reports/user/{ada.id}/detailed")
    assert (told["total"], told["by_class"][0]["expected"]) == (before, 3)
    at(15)
    with cast.app.app_context():
        count_due()
    assert get(ada, f"reports/user/{ada.id}/detailed")["total"]["expected"] == 4


def test_rubbish_in_a_filter_is_refused_by_name(room: Classroom) -> None:
    for name in ("department", "year", "section"):
        for path in ("reports/attendance/trends", "attendance/reports", "reports/attendance/people"):
            answer = room.teacher.get(f"/api/{path}?{name}=%00")
            assert (answer.status_code, answer.json["code"]) == (422, "invalid_input"), (path, name)


def test_an_id_that_is_no_classs_has_no_figures(room: Classroom) -> None:
    for id_ in (room.teacher.organisation_id, room.students["Ada"].id):
        told = get(room.teacher, f"reports/attendance/comparison?{WEEK}&class_id={id_}")
        assert told["one"]["expected"] == 0


def test_refused_check_ins_are_filtered_like_records(room: Classroom, at: Any) -> None:
    at(7)
    session = room.session(session_date="2026-03-09")
    for name in ("Ada", "Mary"):
        assert room.students[name].post("/api/attendance/check-in", {"session_id": session}).status_code == 403
    path = "reports/attendance/verification?start_date=2026-03-09"
    assert [one["attempts"] for one in get(room.teacher, path)["refused"]] == [2]
    assert [one["attempts"] for one in get(room.teacher, f"{path}&department=Science")["refused"]] == [1]
    assert get(room.teacher, f"{path}&student_id={room.students['Grace'].id}")["refused"] == []


def test_of_a_day_what_has_no_times_comes_last(room: Classroom, at: Any) -> None:
    at(7)
    times = {"start_time": "2026-03-09T09:00:00Z", "end_time": "2026-03-09T10:00:00Z"}
    lesson = room.teacher.post("/api/admin/sessions", {"session_name": "L", "class_id": room.id} | times).json["id"]
    whole_day = room.session(session_date="2026-03-09")
    room.mark(whole_day, "Mary")
    marks = {"marks": [{"student_id": str(room.students["Mary"].id), "status": "absent"}]}
    assert room.teacher.post(f"/api/attendance/session/{lesson}/marks", marks).status_code == 200
    path = "reports/attendance/absent-in-a-row?start_date=2026-03-09&at_least=1"
    assert [one["absences"] for one in get(room.teacher, path)["items"]] == [1]
    mary = room.students["Mary"]
    assert get(mary, f"reports/user/{mary.id}/detailed?start_date=2026-03-09")["streaks"]["absent"] == 1


TIMETABLE = {
    "name": "Stars",
    "first_day": "2026-03-02",
    "starts_at": "09:00",
    "minutes": 60,
    "rule": "FREQ=WEEKLY;BYDAY=MO,WE",
    "left_out": ["2026-03-25"],
}
REQUIRED = "reports/attendance/required"


@pytest.fixture
def office(cast: Cast, at: Any) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def term(office: Person) -> str:
    made = office.post("/api/terms", {"name": "Spring", "first_day": "2026-03-02", "last_day": "2026-03-29"})
    assert made.status_code == 201, made.text
    return str(made.json["id"])


@pytest.fixture
def running(cast: Cast, office: Person, term: str, at: Any) -> Classroom:
    """A class on Mondays and Wednesdays of a term, its sessions made eight days ahead: on the 2nd and the 4th, when Ada
    was there and Grace was not, on the 9th, 11th, 18th and 23rd (the 16th is a holiday), and by hand on the 20th. Since
    then one on the 21st was cancelled, and Mary has joined. It is noon on the 4th."""
    office.put(f"/api/admin/organizations/{office.organisation_id}", {"settings": {"timetable_days": 8}})
    office.post("/api/holidays", {"name": "Fair", "first_day": "2026-03-15", "last_day": "2026-03-16"})
    room = Classroom.open(cast)
    room.join("Ada")
    room.join("Grace")
    made = room.teacher.post("/api/admin/timetables", TIMETABLE | {"class_id": room.id, "term_id": term})
    assert made.status_code == 201, made.text
    sessions = office.get("/api/admin/sessions?sort=session_date").json["items"]
    made_ahead = ["2026-03-02", "2026-03-04", "2026-03-09"]
    assert [one["session_date"] for one in sessions] == made_ahead, "the others are to be made"
    at(2, 180)
    for session in sessions[:2]:
        mark(room, session["id"], Ada="present", Grace="absent")
    room.session(session_date="2026-03-20")
    cancelled = room.session(session_date="2026-03-21")
    assert room.teacher.post(f"/api/attendance/session/{cancelled}/cancel", {"reason": "ill"}).status_code == 200
    room.join("Mary")
    return room


def mark(room: Classroom, session: str, **statuses: str) -> None:
    marks = [{"student_id": str(room.students[name].id), "status": status} for name, status in statuses.items()]
    assert room.teacher.post(f"/api/attendance/session/{session}/marks", {"marks": marks}).status_code == 200


def outlooks(person: Person, query: str = "standing=all") -> dict[str, tuple[Any, ...]]:
    """rate, remaining, best and needed, in the order of the answer."""
    items = get(person, f"{REQUIRED}?{query}")["items"]
    return {
        one["student"]["first_name"]: tuple(one[name] for name in ("rate", "remaining", "best", "needed"))
        for one in items
    }


def test_who_can_no_longer_reach_the_required_rate_is_named(running: Classroom, office: Person) -> None:
    grace, ada, mary = (0.0, 5, 0.7143, None), (1.0, 5, 1.0, 4), (None, 5, 1.0, 4)
    told = get(running.teacher, REQUIRED)
    about = ("start_date", "end_date", "required_rate", "total")
    assert [told[name] for name in about] == ["2026-03-02", "2026-03-29", 0.75, 1]
    assert outlooks(running.teacher, "") == {"Grace": grace}
    assert outlooks(running.teacher) == {"Grace": grace, "Ada": ada, "Mary": mary}
    assert list(outlooks(running.teacher, "standing=all&sort=-best"))[-1] == "Grace"
    assert [*outlooks(running.teacher, "standing=all&per_page=1"), *outlooks(running.teacher, "")] == ["Grace", "Grace"]
    assert outlooks(running.teacher, "standing=at_risk") == {}
    assert outlooks(running.teacher, "standing=at_risk&rate=0.7") == {"Grace": (0.0, 5, 0.7143, 5)}
    office.put(f"/api/admin/organizations/{office.organisation_id}", {"settings": {"required_rate": 0.5}})
    assert outlooks(running.teacher, "standing=at_risk") == {"Grace": (0.0, 5, 0.7143, 4)}


def test_remaining_follows_what_is_to_come(running: Classroom, office: Person, at: Any) -> None:
    def left(query: str = "") -> list[int]:
        found = outlooks(running.teacher, f"standing=all&{query}")
        return [found[name][1] if name in found else 0 for name in ("Ada", "Grace", "Mary")]

    assert left() == [5, 5, 5]
    assert left("start_date=2026-03-01&end_date=2026-03-11") == [2, 2, 2]
    assert left("start_date=2026-03-01&end_date=2026-04-30") == [5, 5, 5], "the timetable ends with its term"
    office.post("/api/holidays", {"name": "Snow", "first_day": "2026-03-23", "last_day": "2026-03-23"})
    assert left() == [4, 4, 4]
    running.leave("Grace", "2026-03-09", "2026-03-11")
    mark(running, running.session(session_date="2026-03-27"), Ada="excused")
    assert left() == [4, 3, 5]
    ends = {"ends_on": "2026-03-18"}
    path = f"/api/classes/{running.id}/students/{running.students['Mary'].id}"
    assert running.teacher.delete(path, query_string=ends).status_code == 200
    assert left()[2] == 2, "on the 9th and the 11th"


def test_who_is_expected_nowhere_has_no_outlook(running: Classroom, cast: Cast) -> None:
    cast.student(first_name="Sofja")
    assert "Sofja" not in outlooks(running.teacher)
    mark(running, running.session(session_date="2026-03-04"), Mary="excused")
    assert outlooks(running.teacher, "standing=all&end_date=2026-03-04")["Mary"] == (None, 0, None, None)
    assert outlooks(running.teacher, "end_date=2026-03-04") == {"Grace": (0.0, 0, 0.0, None)}


def test_the_outlook_is_of_the_class_or_subject_that_is_asked_for(running: Classroom, office: Person) -> None:
    subject = office.post("/api/subjects", {"name": "Physics", "code": "PH"}).json["id"]
    other = running.teacher.post("/api/classes/create", {"name": "Physics", "subject_id": subject}).json
    for name in ("Ada", "Grace"):
        joined = running.students[name].post("/api/classes/join", {"join_code": other["join_code"]})
        assert joined.status_code == 201, joined.text
    running.session(class_id=other["id"], session_date="2026-03-10")
    times = {"start_time": "2026-03-12T09:00:00Z", "end_time": "2026-03-12T10:00:00Z"}
    made = office.post("/api/admin/sessions", {"session_name": "Lab", "subject_id": subject} | times)
    assert made.status_code == 201, made.text
    everywhere = outlooks(running.teacher)
    assert {name: one[1] for name, one in everywhere.items()} == {"Grace": 7, "Ada": 7, "Mary": 5}
    assert outlooks(running.teacher, f"standing=all&class_id={other['id']}")["Ada"] == (None, 1, 1.0, 1)
    assert {name: one[1] for name, one in outlooks(office, f"standing=all&subject_id={subject}").items()} == {
        "Grace": 2,
        "Ada": 2,
    }
    assert outlooks(running.teacher, f"class_id={running.id}")["Grace"] == (0.0, 5, 0.7143, None)
    assert {*outlooks(office, f"standing=all&teacher_id={running.teacher.id}")} == {"Ada", "Grace", "Mary"}
    assert outlooks(office, f"standing=all&teacher_id={office.id}") == {}
    one = outlooks(office, f"standing=all&student_id={running.students['Ada'].id}")
    assert one == {"Ada": (1.0, 7, 1.0, 5)}


def test_outlooks_cost_as_many_statements_for_more_people(running: Classroom, cast: Cast) -> None:
    def costs() -> int:
        with counted(cast.app) as said:
            get(running.teacher, f"{REQUIRED}?standing=all")
        return len(said)

    few = costs()
    for name in ("Emmy", "Hypatia", "Ida"):
        running.join(name)
    assert (costs(), len(outlooks(running.teacher))) == (few, 6)


def test_outlooks_arrivals_and_departures_are_ones_own_and_the_staffs(
    running: Classroom, cast: Cast, term: str
) -> None:
    elsewhere = cast.person(Role.ADMIN, cast.other_organisation())
    for path in (REQUIRED, "reports/attendance/late", "reports/attendance/early"):
        for person in (running.students["Ada"], cast.person(Role.PARENT), cast.person(Role.EMPLOYEE)):
            told = get(person, f"{path}?class_id={running.id}")["items"]
            assert {one["student"]["id"] for one in told} <= {str(person.id)}
            assert person.get(f"/api/{path}?student_id={running.students['Grace'].id}").status_code == 404
        assert get(elsewhere, f"{path}?class_id={running.id}")["items"] == []
        assert elsewhere.get(f"/api/{path}?term_id={term}").status_code == 404
    assert get(elsewhere, f"{REQUIRED}?standing=all")["items"] == []
    (own,) = get(running.students["Ada"], f"{REQUIRED}?standing=all")["items"]
    assert own["student"]["first_name"] == "Ada"


def test_who_was_excused_where_they_are_no_longer_is_expected_elsewhere_as_ever(
    running: Classroom, cast: Cast, office: Person
) -> None:
    ada = running.students["Ada"]
    (coming,) = office.get("/api/admin/sessions?start_date=2026-03-09&end_date=2026-03-09").json["items"]
    mark(running, coming["id"], Ada="excused")
    other = Classroom.open(cast)
    assert ada.post("/api/classes/join", {"join_code": other.join_code}).status_code == 201
    for day in ("2026-03-10", "2026-03-11"):
        other.session(session_date=day)
    assert ada.post(f"/api/classes/{running.id}/leave").status_code == 200
    assert outlooks(office)["Ada"][1] == 2


def test_late_arrivals_and_early_leavers_are_listed(cast: Cast, at: Any) -> None:
    room = Classroom.open(cast)
    ada, grace = room.join("Ada"), room.join("Grace")
    at(0)
    times = {"start_time": clock.now().isoformat(), "end_time": (clock.now() + timedelta(hours=1)).isoformat()}
    lesson = room.teacher.post("/api/admin/sessions", {"session_name": "L", "class_id": room.id} | times).json["id"]
    here = {"lat": 38.7, "lon": -9.1}
    at(0, 20)
    came, _ = (person.post("/api/attendance/check-in", {"session_id": lesson} | here).json for person in (ada, grace))
    at(0, 50)
    out = ada.post("/api/attendance/check-out", {"record_id": came["id"]} | here)
    assert out.status_code == 200, out.text
    at(0, 90)
    assert room.teacher.post(f"/api/attendance/session/{lesson}/close", {"reason": "over"}).status_code == 200
    at(1)
    mark(room, room.session(session_date="2026-03-03"), Ada="late")

    def listed(which: str, query: str = "") -> list[tuple[Any, ...]]:
        told = get(room.teacher, f"reports/attendance/{which}?{query}")
        figures = ("minutes_late", "minutes_early", "minutes")
        return [
            (one["student"]["first_name"], one["session"]["session_date"], *(one[name] for name in figures))
            for one in told["items"]
        ]

    by_hand, of_ada = ("Ada", "2026-03-03", None, None, None), ("Ada", "2026-03-02", 20.0, 10.0, 30.0)
    assert listed("late") == [by_hand, ("Grace", "2026-03-02", 20.0, None, 40.0), of_ada]
    assert listed("early") == [of_ada], "who forgot to check out did not leave early"
    assert listed("late", "per_page=1&page=3") == [of_ada]
    assert listed("late", "start_date=2026-03-03") == [by_hand]
    assert [one[0] for one in listed("late", f"student_id={grace.id}&class_id={room.id}")] == ["Grace"]
    assert listed("late", "department=Nowhere") == []


def test_a_term_stands_for_its_days(room: Classroom, admin: Person) -> None:
    term = admin.post("/api/terms", {"name": "T", "first_day": "2026-03-03", "last_day": "2026-03-03"}).json["id"]
    unknown = uuid.uuid4()
    paths = [f"reports/attendance/{name}" for name in ("trends", "people", "comparison", "verification", "required")]
    paths += [f"reports/class/{room.id}/matrix", f"reports/user/{room.students['Ada'].id}/detailed"]
    for path in (*paths, "reports/organization/summary", "attendance/reports"):
        assert admin.get(f"/api/{path}?term_id={term}").status_code == 200, path
        assert admin.get(f"/api/{path}?term_id={unknown}").status_code == 404, path
        both = admin.get(f"/api/{path}?term_id={term}&end_date=2026-03-04")
        assert (both.status_code, both.json["code"]) == (422, "invalid_input"), path
    assert get(admin, f"reports/organization/summary?term_id={term}")["total"]["expected"] == 3
    assert len(get(admin, f"reports/class/{room.id}/matrix?term_id={term}")["sessions"]) == 1
    assert [one["interval"] for one in get(admin, f"reports/attendance/trends?term_id={term}")["points"]] == [
        "2026-03-03"
    ]


def test_the_matrix_is_in_the_order_in_which_sessions_follow_each_other(room: Classroom, at: Any) -> None:
    at(7)
    for name, hour in (("Late", "15"), ("Early", "08")):
        times = {"start_time": f"2026-03-09T{hour}:00:00Z", "end_time": f"2026-03-09T{hour}:45:00Z"}
        made = room.teacher.post("/api/admin/sessions", {"session_name": name, "class_id": room.id} | times)
        assert made.status_code == 201, made.text
    room.session(session_name="Whole day", session_date="2026-03-09")
    sessions = get(room.teacher, f"reports/class/{room.id}/matrix?start_date=2026-03-09")["sessions"]
    assert [one["name"] for one in sessions] == ["Whole day", "Early", "Late"]


def test_who_has_a_report_is_told_that_nothing_has_changed(room: Classroom, admin: Person) -> None:
    at_once = admin.get("/api/admin/sessions").json["items"][0]["id"]
    names = ("trends", "comparison", "people", "required", "late", "early", "absent-in-a-row", "verification")
    ada = room.students["Ada"].id
    paths = [f"reports/attendance/{name}?{WEEK}" for name in names]
    paths += [f"reports/user/{ada}/detailed", f"reports/class/{room.id}/matrix", f"reports/session/{at_once}/detailed"]
    had = {}
    for path in (*paths, "attendance/reports", "reports/organization/summary"):
        first = admin.get(f"/api/{path}")
        had[path] = {"If-None-Match": first.headers["ETag"]}
        assert admin.get(f"/api/{path}", headers=had[path]).status_code == 304, path
    mark(room, room.session(session_date="2026-03-06"), Ada="late")
    for path in (f"reports/attendance/people?{WEEK}", f"reports/user/{ada}/detailed", "reports/organization/summary"):
        assert admin.get(f"/api/{path}", headers=had[path]).status_code == 200, path
