"""Departments, subjects, terms and holidays."""

from __future__ import annotations

import uuid
from typing import Any

import pytest

from app.models import Role
from tests.conftest import Cast, Person

KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "departments": ({"name": "Science", "code": "SC", "external_id": "dep-7"}, {"name": "Sciences", "code": None}),
    "subjects": (
        {"name": "Mathematics", "code": "MATH-1", "credits": 5, "external_id": "course-7"},
        {"name": "Maths", "credits": 2.5},
    ),
    "terms": (
        {
            "name": "Autumn",
            "academic_year": "2026/27",
            "first_day": "2026-09-01",
            "last_day": "2026-12-18",
            "external_id": "t-1",
        },
        {"name": "Fall", "last_day": "2026-12-11"},
    ),
    "holidays": (
        {"name": "Easter", "first_day": "2026-04-03", "last_day": "2026-04-06", "external_id": "easter"},
        {"name": "Easter days", "last_day": "2026-04-07"},
    ),
}
each_kind = pytest.mark.parametrize("kind", KINDS)


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


def told(answer: Any) -> tuple[int, Any]:
    return answer.status_code, answer.json.get("code")


def names(person: Person, kind: str, query: str = "") -> list[str]:
    return [row["name"] for row in person.get(f"/api/{kind}{query}").json["items"]]


@each_kind
def test_each_is_made_read_changed_and_removed(admin: Person, kind: str) -> None:
    fields, changes = KINDS[kind]
    made = admin.post(f"/api/{kind}", fields)
    assert (made.status_code, {name: made.json[name] for name in fields}) == (201, fields)
    path = f"/api/{kind}/{made.json['id']}"
    assert admin.get(path).json == made.json
    changed = admin.put(path, changes)
    assert (changed.status_code, {name: changed.json[name] for name in fields}) == (200, fields | changes)
    assert admin.get(f"/api/{kind}").json["items"] == [changed.json]
    assert admin.delete(path).status_code == 200
    assert told(admin.get(path)) == (404, "not_found")
    assert names(admin, kind) == []


@each_kind
def test_everybody_sees_them_and_administrators_keep_them(cast: Cast, admin: Person, kind: str) -> None:
    fields, changes = KINDS[kind]
    path = f"/api/{kind}/{admin.post(f'/api/{kind}', fields).json['id']}"
    for role in (Role.TEACHER, Role.STUDENT, Role.PARENT, Role.EMPLOYEE):
        person = cast.person(role)
        assert names(person, kind) == [fields["name"]]
        assert person.get(path).status_code == 200
        for method, where, body in (("POST", f"/api/{kind}", fields), ("PUT", path, changes), ("DELETE", path, None)):
            assert told(person.call(method, where, body)) == (403, "role_not_allowed")
    outsider = cast.person(Role.ADMIN, cast.other_organisation())
    assert names(outsider, kind) == []
    assert [told(outsider.call(m, path, {} if m == "PUT" else None)) for m in ("GET", "PUT", "DELETE")] == [
        (404, "not_found")
    ] * 3
    assert outsider.post(f"/api/{kind}", fields).status_code == 201


@pytest.mark.parametrize(
    ("kind", "same"),
    [
        ("departments", {"name": "Science"}),
        ("departments", {"name": "Other", "external_id": "dep-7"}),
        ("subjects", {"name": "Other", "code": "MATH-1"}),
        ("subjects", {"name": "Other", "external_id": "course-7"}),
        ("terms", {"name": "Autumn", "first_day": "2027-09-01", "last_day": "2027-12-18"}),
        ("holidays", {"name": "Other", "first_day": "2026-04-03", "last_day": "2026-04-06", "external_id": "easter"}),
    ],
)
def test_what_tells_them_apart_is_taken_once(admin: Person, kind: str, same: dict[str, Any]) -> None:
    assert admin.post(f"/api/{kind}", KINDS[kind][0]).status_code == 201
    assert told(admin.post(f"/api/{kind}", same)) == (409, "name_taken")
    other = same | {"name": "Yet another", "code": "Y", "external_id": "other"}
    if kind in {"terms", "holidays"}:
        del other["code"]
    row = admin.post(f"/api/{kind}", other).json["id"]
    assert told(admin.put(f"/api/{kind}/{row}", same)) == (409, "name_taken")
    assert len(names(admin, kind)) == 2


@pytest.mark.parametrize("kind", ["terms", "holidays"])
def test_the_last_day_is_not_before_the_first(admin: Person, kind: str) -> None:
    body = {"name": "Day", "first_day": "2026-04-03", "last_day": "2026-04-02"}
    assert told(admin.post(f"/api/{kind}", body)) == (400, "dates_refused")
    row = admin.post(f"/api/{kind}", body | {"last_day": "2026-04-03"}).json["id"]
    for change in ({"last_day": "2026-04-02"}, {"first_day": "2026-04-04"}):
        assert told(admin.put(f"/api/{kind}/{row}", change)) == (400, "dates_refused")
    assert admin.get(f"/api/{kind}/{row}").json["last_day"] == "2026-04-03"


def test_what_something_refers_to_is_in_use(admin: Person, teacher: Person) -> None:
    department = admin.post("/api/departments", {"name": "Science"}).json["id"]
    body = {"name": "Maths", "department_id": department, "teacher_id": str(teacher.id)}
    subject = admin.post("/api/subjects", body).json["id"]
    term = admin.post("/api/terms", KINDS["terms"][0]).json["id"]
    of = {"subject_id": subject, "term_id": term}
    school_class = teacher.post("/api/classes/create", {"name": "7b"} | of).json
    assert {name: school_class[name] for name in of} == of
    paths = [f"/api/departments/{department}", f"/api/subjects/{subject}", f"/api/terms/{term}"]
    for path in paths:
        assert told(admin.delete(path)) == (409, "in_use")
        assert admin.get(path).status_code == 200
    teacher.put(f"/api/classes/{school_class['id']}/update", dict.fromkeys(of))
    for path in reversed(paths):
        assert admin.delete(path).status_code == 200


def test_a_department_of_people_is_in_use(admin: Person) -> None:
    body = {"name": "Ada", "role": "employee", "department": "Science"}
    person = admin.post("/api/admin/users", body).json
    path = f"/api/departments/{person['department_id']}"
    assert told(admin.delete(path)) == (409, "in_use")
    assert admin.put(f"/api/admin/users/{person['id']}", {"department": ""}).json["department_id"] is None
    assert admin.delete(path).status_code == 200


def test_a_subject_names_its_department_which_is_made_if_it_is_new(admin: Person) -> None:
    first, second = (
        admin.post("/api/subjects", {"name": n, "department": d}).json for n, d in (("A", "É"), ("B", "é"))
    )
    assert first["department_id"] == second["department_id"]
    assert names(admin, "departments") == ["É"]
    assert admin.put(f"/api/subjects/{first['id']}", {"department": None}).json["department_id"] is None


def test_a_subject_refers_to_what_there_is(admin: Person, cast: Cast) -> None:
    foreign = cast.teacher(organisation_id=cast.other_organisation())
    for reference in ({"teacher_id": str(foreign.id)}, {"department_id": str(uuid.uuid4())}):
        assert told(admin.post("/api/subjects", {"name": "Maths"} | reference)) == (404, "not_found")
    assert admin.post("/api/subjects", {"name": "Maths", "credits": -1}).status_code == 422
    assert names(admin, "subjects") == []


def test_they_are_searched_by_name_and_code_whatever_the_case(admin: Person) -> None:
    for name, code in (("Écologie", "BIO-2"), ("Algebra", "MATH-1")):
        admin.post("/api/subjects", {"name": name, "code": code})
    for search, found in (("éCO", ["Écologie"]), ("math", ["Algebra"]), ("", ["Algebra", "Écologie"]), ("%", [])):
        assert sorted(names(admin, "subjects", f"?search={search}")) == sorted(found), search


def test_they_come_sorted_and_in_pages(admin: Person) -> None:
    for name, day in (("B", "2026-01-01"), ("C", "2026-03-01"), ("A", "2026-02-01")):
        admin.post("/api/holidays", {"name": name, "first_day": day, "last_day": day})
    assert names(admin, "holidays") == ["B", "A", "C"]
    assert names(admin, "holidays", "?sort=-name&per_page=2") == ["C", "B"]
    page = admin.get("/api/holidays?per_page=2&page=2").json
    assert (len(page["items"]), page["total"], page["pages"]) == (1, 3, 2)


def calendar(*events: str) -> dict[str, str]:
    """An iCalendar file of these events, whose lines are separated by blanks."""
    lines = ["BEGIN:VCALENDAR", "VERSION:2.0", "PRODID:-//school//EN"]
    for event in events:
        lines += ["BEGIN:VEVENT", *event.split(" "), "END:VEVENT"]
    return {"calendar": "\r\n".join([*lines, "END:VCALENDAR", ""])}


DAYS = [
    ("DTSTART;VALUE=DATE:20260403", "2026-04-03", "2026-04-03"),
    ("DTSTART;VALUE=DATE:20260403 DTEND;VALUE=DATE:20260404", "2026-04-03", "2026-04-03"),
    ("DTSTART;VALUE=DATE:20260403 DTEND;VALUE=DATE:20260407", "2026-04-03", "2026-04-06"),
    ("DTSTART;VALUE=DATE:20260403 DTEND;VALUE=DATE:20260403", "2026-04-03", "2026-04-03"),
    ("DTSTART;VALUE=DATE:20260403 DURATION:P1D", "2026-04-03", "2026-04-03"),
    ("DTSTART;VALUE=DATE:20260403 DURATION:P1W", "2026-04-03", "2026-04-09"),
    ("DTSTART:20260403T080000 DTEND:20260403T170000", "2026-04-03", "2026-04-03"),
    ("DTSTART:20260403T000000 DTEND:20260405T000000", "2026-04-03", "2026-04-04"),
    ("DTSTART:20260403T080000 DURATION:P1DT4H", "2026-04-03", "2026-04-04"),
]


@pytest.mark.parametrize(("event", "first_day", "last_day"), DAYS)
def test_an_event_is_the_days_that_it_lasts(admin: Person, event: str, first_day: str, last_day: str) -> None:
    answer = admin.post("/api/holidays/import", calendar(f"UID:1 SUMMARY:Easter {event}"))
    assert (answer.status_code, answer.json) == (200, {"created": 1, "updated": 0, "unchanged": 0})
    (holiday,) = admin.get("/api/holidays").json["items"]
    assert (holiday["name"], holiday["first_day"], holiday["last_day"]) == ("Easter", first_day, last_day)


def test_the_days_are_those_of_the_organisations_time_zone(cast: Cast) -> None:
    auckland = cast.person(Role.ADMIN, cast.other_organisation())
    event = "UID:1 SUMMARY:Easter DTSTART:20260402T110000Z DTEND:20260403T110000Z"
    assert auckland.post("/api/holidays/import", calendar(event)).status_code == 200
    (holiday,) = auckland.get("/api/holidays").json["items"]
    assert (holiday["first_day"], holiday["last_day"]) == ("2026-04-03", "2026-04-03")


@pytest.mark.parametrize("uid", ["UID:1 ", ""])
def test_importing_twice_changes_nothing(admin: Person, uid: str) -> None:
    file = calendar(f"{uid}SUMMARY:Easter DTSTART;VALUE=DATE:20260403", "SUMMARY:May DTSTART;VALUE=DATE:20260501")
    answers = [admin.post("/api/holidays/import", file).json for _ in "ab"]
    assert answers == [
        {"created": 2, "updated": 0, "unchanged": 0},
        {"created": 0, "updated": 0, "unchanged": 2},
    ]
    assert names(admin, "holidays") == ["Easter", "May"]


def test_an_event_that_was_moved_is_updated(admin: Person) -> None:
    admin.post("/api/holidays/import", calendar("UID:1 SUMMARY:Easter DTSTART;VALUE=DATE:20260403"))
    moved = calendar("UID:1 SUMMARY:Easter DTSTART;VALUE=DATE:20270326", "UID:2 DTSTART;VALUE=DATE:20260501")
    assert admin.post("/api/holidays/import", moved).json == {"created": 1, "updated": 1, "unchanged": 0}
    days = [(row["name"], row["first_day"]) for row in admin.get("/api/holidays").json["items"]]
    assert days == [("Holiday", "2026-05-01"), ("Easter", "2027-03-26")]


def test_two_organisations_import_the_same_calendar(cast: Cast, admin: Person) -> None:
    file = calendar("UID:1 SUMMARY:Easter DTSTART;VALUE=DATE:20260403")
    for person in (admin, cast.person(Role.ADMIN, cast.other_organisation())):
        assert person.post("/api/holidays/import", file).json["created"] == 1


GOOD = "UID:0 SUMMARY:May DTSTART;VALUE=DATE:20260501"


@pytest.mark.parametrize(
    "file",
    [
        {"calendar": "garbage"},
        {"calendar": "\0"},
        {"calendar": ""},
        {},
        calendar(GOOD, "UID:1 SUMMARY:Never"),
        calendar(GOOD, "UID:1 SUMMARY:Never DTSTART:whenever"),
        calendar(GOOD, "UID:1 DTSTART;VALUE=DATE:20260403 DTSTART;VALUE=DATE:20260404"),
        calendar(GOOD, "UID:1 DTSTART;VALUE=DATE:20260403 DTEND;VALUE=DATE:20260404 DTEND;VALUE=DATE:20260405"),
        calendar(GOOD, "UID:1 DTSTART;VALUE=DATE:00010101 DTEND;VALUE=DATE:00010101"),
        calendar(GOOD, "UID:1 DTSTART;VALUE=DATE:99991231 DURATION:P9W"),
        calendar(GOOD, "UID:1 DTSTART;VALUE=DATE:20260403 DURATION:P99999999999D"),
        calendar(GOOD, "UID:1 DTSTART;VALUE=PERIOD:20260403T080000Z/PT1H"),
        calendar(GOOD, "UID:1 DTSTART:20260403T080000Z DURATION:soon"),
    ],
)
def test_what_is_no_calendar_or_has_events_without_a_date_is_refused(admin: Person, file: dict[str, str]) -> None:
    answer = admin.post("/api/holidays/import", file)
    assert told(answer) == (400, "unreadable_file"), answer.text
    assert names(admin, "holidays") == []


def test_control_characters_in_a_calendar_do_not_get_in(admin: Person) -> None:
    event = "UID:1\0 SUMMARY:Easter\0\\nMonday DTSTART;VALUE=DATE:20260403"
    assert admin.post("/api/holidays/import", calendar(event)).json["created"] == 1
    (holiday,) = admin.get("/api/holidays").json["items"]
    assert (holiday["name"], holiday["external_id"]) == ("Easter Monday", "1")


def test_a_cancelled_event_is_no_holiday(admin: Person) -> None:
    lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:a", "DTSTART;VALUE=DATE:20260403", "STATUS:CANCELLED",
             "SUMMARY:Easter", "END:VEVENT", "END:VCALENDAR", ""]  # fmt: skip
    answer = admin.post("/api/holidays/import", {"calendar": "\r\n".join(lines)})
    assert (answer.status_code, answer.json["created"]) == (200, 0)


def test_a_subject_is_taught_by_a_teacher(cast: Cast, admin: Person, student: Person) -> None:
    answer = admin.post("/api/subjects", {"name": "Mathematics", "teacher_id": str(student.id)})
    assert (answer.status_code, answer.json["code"]) == (409, "not_a_teacher")


@pytest.mark.parametrize("name", ["İktisat", "ÉCOLE", "ΟΔΟΣ", "STRAẞE"])
def test_a_department_is_found_by_its_name_in_every_script(admin: Person, name: str) -> None:
    for _ in "ab":
        assert admin.post("/api/admin/users", {"name": "Ada", "role": "student", "department": name}).status_code == 201
    for key in "ab":
        row = {"name": "Ada", "external_id": key, "department": name}
        assert admin.post("/api/admin/import/users", {"rows": [row]}).status_code == 200
    assert names(admin, "departments") == [name]


def test_a_holiday_that_recurs_is_one_each_year(admin: Person) -> None:
    lines = ["BEGIN:VCALENDAR", "BEGIN:VEVENT", "UID:xmas", "DTSTART;VALUE=DATE:20261225", "DTEND;VALUE=DATE:20261227",
             "RRULE:FREQ=YEARLY", "EXDATE;VALUE=DATE:20271225", "SUMMARY:Christmas", "END:VEVENT", "END:VCALENDAR",
             ""]  # fmt: skip
    body = {"calendar": "\r\n".join(lines)}
    for created in (10, 0):
        assert admin.post("/api/holidays/import", body).json["created"] == created
    days = [(h["first_day"], h["last_day"]) for h in admin.get("/api/holidays").json["items"]]
    assert days[:2] == [("2026-12-25", "2026-12-26"), ("2028-12-25", "2028-12-26")]
