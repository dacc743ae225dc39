"""Exports: the same records in every format, as text that runs nowhere, in pieces of a fixed size."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from openpyxl import load_workbook
from sqlalchemy import func, select, update

from app import clock
from app.extensions import db
from app.models import (
    AuditEntry,
    Class,
    Department,
    Export,
    ExportPart,
    Guardian,
    Organisation,
    Record,
    Role,
    Session,
    Source,
    Status,
    StudentProfile,
    Subject,
    Term,
)
from app.services import export, export_xlsx, jobs, kept_exports, printouts
from tests.backends import backend
from tests.conftest import Cast, Person
from tests.factories import make, make_user
from tests.statements import counted

DAY = date(2026, 3, 2)
SPAN = "start_date=2026-03-01&end_date=2026-03-31"
RUNS = set("=+-@\t\r\uff1d\uff0b\uff0d\uff20")
HOSTILE = [
    '=HYPERLINK("x")', "+1", "-1", "@a", "a\tb", 'He said "no", twice', "two\nlines", "عمر", "שלום", "🎓 Ada", "'=1",
    "''+1", "O'Brien", "\uff1d1+1", "-", "#N/A", "=1", "1e5", "TRUE", "007",
]  # fmt: skip


@dataclass
class School:
    """A class, a subject and whoever is in it, with records as they are given."""

    cast: Cast
    office: Person
    own: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        with self.cast.app.app_context():
            self.own = {"organisation_id": self.office.organisation_id}
            self.department = make(Department, **self.own, name="Science").id
            self.subject = make(Subject, **self.own, name="Mathematics", code="MATH").id
            self.room = self.a_class("7b")

    def a_class(self, name: str, **values: Any) -> uuid.UUID:
        with self.cast.app.app_context():
            return make(Class, **self.own, name=name, subject_id=self.subject, **values).id

    def student(self, first_name: str = "Ada", last_name: str = "King", **profile: Any) -> uuid.UUID:
        with self.cast.app.app_context():
            names = {"first_name": first_name, "last_name": last_name, "department_id": self.department}
            user = make_user(**self.own, role=Role.STUDENT, **names)
            make(StudentProfile, **self.own, user_id=user.id, **profile)
            return user.id

    def session(self, day: date = DAY, class_id: uuid.UUID | None = None, **values: Any) -> uuid.UUID:
        with self.cast.app.app_context():
            named = {"class_id": class_id or self.room, "session_date": day, "name": "Algebra"} | values
            return make(Session, **self.own, **named, created_by_id=self.office.id).id

    def record(self, session_id: uuid.UUID, student_id: uuid.UUID, **values: Any) -> None:
        with self.cast.app.app_context():
            marked = {"marked_by_id": self.office.id, "marked_at": clock.now()}
            given = {"status": Status.PRESENT, "source": Source.MANUAL} | marked | values
            make(Record, **self.own, session_id=session_id, student_id=student_id, **given)


@pytest.fixture
def school(cast: Cast) -> School:
    return School(cast, cast.person(Role.ADMIN))


def many(school: School, days: int = 3, students: int = 4) -> None:
    people = [school.student(f"S{n}", roll_number=f"R-{n}") for n in range(students)]
    for number in range(days):
        session = school.session(DAY + timedelta(days=number))
        for n, student in enumerate(people):
            begun = datetime(2026, 3, 2 + number, 8, n, 7, 250_000, tzinfo=UTC)
            times = {"checked_in_at": begun, "checked_out_at": begun + timedelta(minutes=50 + n)} if n else {}
            school.record(session, student, status=list(Status)[n % 5], remarks="=1+1", **times)


def get(person: Person, form: str, query: str = SPAN) -> Any:
    answer = person.get(f"/api/reports/export/{form}?{query}")
    assert answer.status_code == 200, answer.text
    return answer


def in_csv(person: Person, query: str = SPAN) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(get(person, "csv", query).data.decode(), newline=""), strict=True))


def in_json(person: Person, query: str = SPAN) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(get(person, "json", query).data)
    return found


def sheets(person: Person, query: str = SPAN) -> dict[str, list[dict[str, Any]]]:
    book = load_workbook(io.BytesIO(get(person, "xlsx", query).data))
    found = {}
    for sheet in book.worksheets:
        header, *rows = sheet.iter_rows(values_only=True)
        found[sheet.title] = [dict(zip(map(str, header), row, strict=True)) for row in rows]
    return found


def in_ed_fi(person: Person, query: str = SPAN) -> list[dict[str, Any]]:
    return [json.loads(line) for line in get(person, "ed-fi", query).data.splitlines()]


def unsafe(cell: str) -> str:
    """As the import reads a cell."""
    return cell[1:] if cell.startswith("'") and cell.lstrip("'").lstrip()[:1] in RUNS else cell


def test_the_same_filters_give_the_same_rows_in_every_format(
    school: School, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(school)
    monkeypatch.setattr(export, "BATCH", 5)
    with cast.app.app_context():
        here = update(Organisation).where(Organisation.id == school.office.organisation_id)
        db.session.execute(here.values(time_zone="Asia/Kolkata"))
        db.session.commit()
    expected = in_json(school.office)
    assert len(expected) == 12
    assert expected == sorted(expected, key=lambda row: (row["date"], row["session_id"], row["student_id"]))
    assert len({(row["session_id"], row["student_id"]) for row in expected}) == 12
    assert expected[1] | {"session_id": "", "student_id": ""} == {
        "date": "2026-03-02", "session": "Algebra", "class": "7b", "subject": "Mathematics", "last_name": "King",
        "first_name": "S1", "roll_number": "R-1", "department": "Science", "status": "late", "code": None,
        "checked_in": "2026-03-02T13:31:07+05:30", "checked_out": "2026-03-02T14:22:07+05:30", "minutes": 51.0,
        "verified": "verified", "remarks": "=1+1", "session_id": "", "student_id": "",
    }  # fmt: skip
    read = [{name: unsafe(cell) for name, cell in row.items()} for row in in_csv(school.office)]
    assert read == [{name: "" if value is None else str(value) for name, value in row.items()} for row in expected]
    (spread,) = sheets(school.office).values()
    for row, there in zip(spread, expected, strict=True):
        assert row["date"] == datetime.fromisoformat(there["date"])
        for name in ("checked_in", "checked_out"):
            at = there[name] and datetime.fromisoformat(there[name]).replace(tzinfo=None)
            assert row.pop(name) == at
        text = {name: value for name, value in row.items() if name != "date"}
        assert text == {name: there[name] for name in text}
    events = [event["studentSectionAttendanceEvent"] for event in in_ed_fi(school.office)]
    assert [(event["eventDate"], event["studentReference"]["studentUniqueId"]) for event in events] == [
        (row["date"], row["student_id"].replace("-", "")) for row in expected
    ]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("status=late", {"Grace"}),
        ("department=science", {"Ada", "Grace"}),
        ("year=7", {"Grace"}),
        ("section=b", {"Grace"}),
        ("basis=scheduled", {"Ada", "Grace", "Emmy"}),
        ("class_id={room}&user_id={ada}", {"Ada"}),
        ("class_id={room}&student_id={ada}", {"Ada"}),
        ("user_id={ada}&student_id={grace}", set()),
        ("subject_id={subject}", {"Ada", "Grace"}),
        ("teacher_id={teacher}", set()),
        ("department=arts", set()),
    ],
)
def test_filters_keep_what_fits(school: School, cast: Cast, query: str, kept: set[str]) -> None:
    ada, grace, emmy = school.student("Ada"), school.student("Grace", year="7", section="B"), school.student("Emmy")
    session = school.session()
    school.record(session, ada)
    school.record(session, grace, status=Status.LATE)
    school.record(school.session(), emmy, source=Source.CLOSE, status=Status.ABSENT)
    school.record(school.session(cancelled_at=clock.now()), ada)
    school.record(school.session(date(2026, 4, 1)), ada)
    ids = {"room": school.room, "ada": ada, "grace": grace, "subject": school.subject, "teacher": cast.teacher().id}
    query = f"{SPAN}&{query.format(**ids)}"
    for found in (
        in_csv(school.office, query),
        in_json(school.office, query),
        sheets(school.office, query)["Attendance"],
    ):
        assert {row["first_name"] for row in found} == kept
    assert len(in_ed_fi(school.office, query)) == len(kept)


def test_text_that_a_spreadsheet_would_run_comes_out_as_text_and_back_in_unchanged(school: School, cast: Cast) -> None:
    session = school.session()
    for number, name in enumerate(HOSTILE):
        school.record(session, school.student(name, name, roll_number=f"R-{number}"), remarks=f"  {name}")
    raw = get(school.office, "csv").data
    read = list(csv.DictReader(io.StringIO(raw.decode(), newline=""), strict=True))
    assert len(read) == len(HOSTILE)
    for row in read:
        for column in ("first_name", "last_name", "remarks"):
            assert row[column].lstrip()[:1] not in RUNS, row
    assert raw.count(b"\r\n") == len(HOSTILE) + 1
    columns = ("first_name", "last_name", "roll_number", "department")
    file = io.StringIO()
    csv.writer(file).writerows([columns, *([row[column] for column in columns] for row in read)])
    people = {"file": (io.BytesIO(file.getvalue().encode()), "people.csv")}
    done = school.office.post("/api/admin/import/users", data=people)
    assert (done.status_code, done.json["unchanged"]) == (200, len(HOSTILE)), done.text
    elsewhere = cast.person(Role.ADMIN, cast.other_organisation())
    people = {"file": (io.BytesIO(file.getvalue().encode()), "people.csv")}
    assert elsewhere.post("/api/admin/import/users", data=people).json["created"] == len(HOSTILE)
    there = elsewhere.get("/api/students?per_page=100").json["items"]
    assert {row["first_name"] for row in there} == set(HOSTILE)


def test_a_spreadsheet_has_types_and_no_formula(school: School) -> None:
    session = school.session()
    for name in HOSTILE:
        student = school.student(name, name)
        begun = datetime(2026, 3, 2, 8, tzinfo=UTC)
        # a phone's clock may be wrong: what is negative stays a number
        school.record(session, student, checked_in_at=begun, checked_out_at=begun - timedelta(minutes=1), remarks=name)
    book = load_workbook(io.BytesIO(get(school.office, "xlsx").data))
    (sheet,) = book.worksheets
    assert (sheet.freeze_panes, sheet.auto_filter.ref) == ("A2", f"A1:Q{len(HOSTILE) + 1}")
    header = [cell.value for cell in sheet[1]]
    types = dict(zip(header, (cell.data_type for cell in sheet[2]), strict=True))
    assert (types["date"], types["checked_in"], types["minutes"], types["status"]) == ("d", "d", "n", "s")
    names = [row[header.index("first_name")] for row in sheet.iter_rows(min_row=2)]
    assert {cell.data_type for cell in names} == {"s"}
    assert [cell.value for cell in names] == HOSTILE
    assert {row["minutes"] for row in in_csv(school.office)} == {"-1.0"}


def test_a_mark_at_the_beginning_is_given_when_asked_for(school: School) -> None:
    assert get(school.office, "csv", f"{SPAN}&bom=true").data.startswith(b"\xef\xbb\xbfdate,session,class,subject,")
    answer = get(school.office, "csv")
    assert answer.data.startswith(b"date,")
    assert answer.mimetype == "text/csv"
    disposition = 'attachment; filename="attendance-2026-03-01-2026-03-31.csv"'
    assert answer.headers["Content-Disposition"] == disposition


def test_a_sheet_for_each_class_has_a_name_that_spreadsheets_take(school: School) -> None:
    student = school.student()
    names = ["7b", "7B", "a/b:c*[d]?", "x" * 40, "X" * 40, "History", "'", "🎓" * 40, "🎓" * 40]
    for name in names:
        school.record(school.session(class_id=school.a_class(name)), student)
    with school.cast.app.app_context():
        event = make(Session, **school.own, session_date=DAY, is_event=True, created_by_id=school.office.id).id
    school.record(event, student)
    found = sheets(school.office, f"{SPAN}&sheets=class")
    assert len(found) == len({title.lower() for title in found}) == len(names) + 1
    for title, rows in found.items():
        assert 0 < len(title.encode("utf-16-le")) <= 62
        assert not set(title) & set("[]:*?/\\")
        assert len(rows) == 1
    assert {"7B", "7b (2)", "a-b-c--d--", "No class"} <= found.keys()


def test_what_a_sheet_cannot_hold_goes_on_to_the_next(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    many(school)
    monkeypatch.setattr(export_xlsx, "MOST_ROWS", 5)
    found = sheets(school.office)
    assert {title: len(rows) for title, rows in found.items()} == {
        "Attendance": 5, "Attendance (2)": 5, "Attendance (3)": 2}  # fmt: skip
    assert [row["session_id"] for rows in found.values() for row in rows] == [
        row["session_id"] for row in in_json(school.office)
    ]


def test_no_records_make_an_empty_file_of_each_format(school: School) -> None:
    assert (in_csv(school.office), in_json(school.office), in_ed_fi(school.office)) == ([], [], [])
    assert sheets(school.office) == sheets(school.office, f"{SPAN}&sheets=class") == {"Attendance": []}


def test_ed_fi_events_are_of_sections_or_of_the_school(school: School, cast: Cast) -> None:
    with cast.app.app_context():
        term = make(Term, **school.own, name="Spring", first_day=date(2026, 1, 8), last_day=date(2026, 6, 30)).id
        own = school.office.put(
            f"/api/admin/organizations/{school.office.organisation_id}",
            {"settings": {"statuses": [{"code": "sick", "label": "Sick", "counts_as": "excused", "ed_fi": "Partial"}]}},
        )
        assert own.status_code == 200, own.text
        event = make(Session, **school.own, session_date=DAY, is_event=True, created_by_id=school.office.id).id
    room = school.a_class("8a", term_id=term, external_id="sec-8a")
    student = school.student()
    begun = datetime(2026, 3, 2, 8, tzinfo=UTC)
    school.record(school.session(class_id=room), student, status=Status.LATE, checked_in_at=begun, remarks="Bus",
                  checked_out_at=begun + timedelta(minutes=90))  # fmt: skip
    school.record(event, student, status=Status.EXCUSED, code="sick")
    events = {next(iter(event)): next(iter(event.values())) for event in in_ed_fi(school.office)}
    assert school.office.organisation_id
    school_id = school.office.organisation_id.hex
    of = {"schoolId": school_id, "schoolYear": 2026, "sessionName": "Spring"}
    assert events["studentSectionAttendanceEvent"] == {
        "studentReference": {"studentUniqueId": student.hex},
        "sectionReference": {"localCourseCode": "MATH", "sectionIdentifier": "sec-8a"} | of,
        "eventDate": "2026-03-02",
        "attendanceEventCategoryDescriptor": "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Tardy",
        "attendanceEventReason": "Bus",
        "arrivalTime": "08:00:00",
        "departureTime": "09:30:00",
        "eventDuration": 0.25,
        "sectionAttendanceDuration": 90,
    }
    assert events["studentSchoolAttendanceEvent"] == {
        "studentReference": {"studentUniqueId": student.hex},
        "schoolReference": {"schoolId": school_id},
        "sessionReference": of,
        "eventDate": "2026-03-02",
        "attendanceEventCategoryDescriptor": "uri://ed-fi.org/AttendanceEventCategoryDescriptor#Partial",
    }


@pytest.mark.parametrize("form", ["csv", "json", "xlsx", "ed-fi"])
@pytest.mark.parametrize(
    "query",
    [
        "", "start_date=2026-03-01", "end_date=2026-03-01", "start_date=2026-03-02&end_date=2026-03-01",
        "start_date=2025-01-01&end_date=2026-02-05", f"{SPAN}&status=asleep", f"{SPAN}&basis=none",
    ],
)  # fmt: skip
def test_days_are_asked_for_and_not_too_many(school: School, form: str, query: str) -> None:
    answer = school.office.get(f"/api/reports/export/{form}?{query}")
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")
    get(school.office, form, "start_date=2025-01-01&end_date=2026-02-04")


def test_the_statements_grow_with_the_batches_alone(
    school: School, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(school, days=4, students=5)
    numbers = {}
    for form in ("csv", "json", "xlsx", "ed-fi"):
        for batch in (30, 6):
            monkeypatch.setattr(export, "BATCH", batch)
            with counted(cast.app) as statements:
                get(school.office, form)
            numbers[form, batch] = sum(statement.startswith("SELECT") for statement in statements)
    assert {numbers[form, 6] - numbers[form, 30] for form in ("csv", "json", "xlsx", "ed-fi")} == {3}


def test_a_download_begins_before_the_rows_are_read(school: School, cast: Cast) -> None:
    many(school)
    with counted(cast.app) as statements:
        answer = cast.app.test_client().open(
            f"/api/reports/export/csv?{SPAN}", headers={"Authorization": f"Bearer {school.office.token}"}
        )
        pieces: Iterator[Any] = iter(answer.response)
        first, asked = next(pieces), len(statements)
        rest = b"".join(piece.encode() if isinstance(piece, str) else piece for piece in pieces)
    assert bytes(first).startswith(b"date,")
    assert rest.count(b"\r\n") == 12
    assert len(statements) > asked


def test_another_organisation_sees_nothing(school: School, cast: Cast) -> None:
    many(school)
    stranger = cast.person(Role.ADMIN, cast.other_organisation())
    assert (in_csv(stranger), in_json(stranger), in_ed_fi(stranger)) == ([], [], [])
    assert sheets(stranger) == {"Attendance": []}
    for name, id_ in {"class_id": school.room, "subject_id": school.subject, "user_id": school.office.id}.items():
        answer = stranger.get(f"/api/reports/export/csv?{SPAN}&{name}={id_}")
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert len(in_csv(cast.teacher())) == 12


def ask(person: Person, form: str = "csv", **more: Any) -> Any:
    body = {"format": form, "start_date": "2020-01-01", "end_date": "2026-12-31"} | more
    return person.post("/api/reports/exports", body)


def run(cast: Cast, asked: Any) -> Any:
    assert asked.status_code == 202, asked.text
    with cast.app.app_context():
        jobs.run(uuid.UUID(asked.json["id"]))


def exported(person: Person, asked: Any) -> Any:
    job = person.get(asked.headers["Location"]).json
    assert job["status"] == "done", job
    return job


@pytest.mark.parametrize("form", ["csv", "json", "xlsx", "ed-fi"])
def test_a_big_export_is_a_job_whose_file_is_fetched(
    school: School, cast: Cast, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    many(school)
    monkeypatch.setattr(export, "BATCH", 5)
    monkeypatch.setattr(kept_exports, "PART", 700)
    asked = ask(school.office, form, sheets="class", bom=True)
    run(cast, asked)
    job = exported(school.office, asked)
    assert (job["done"], job["total"], job["result"]["rows"], job["result"]["format"]) == (12, 12, 12, form)
    file = school.office.get(job["result"]["download"])
    assert (file.status_code, len(file.data)) == (200, job["result"]["size"])
    direct = get(school.office, form, f"{SPAN}&{'bom=true' if form == 'csv' else ''}")
    assert file.mimetype == direct.mimetype
    if form == "xlsx":
        assert load_workbook(io.BytesIO(file.data)).sheetnames == ["7b"]
    else:
        assert file.data == direct.data
    with cast.app.app_context():
        parts = db.session.scalars(select(ExportPart.sealed)).all()
        assert len(parts) > 1
        assert not any(b"King" in part for part in parts)
        told = select(AuditEntry).where(AuditEntry.entity == "exports", AuditEntry.actor_id == school.office.id)
        assert db.session.scalars(told).all()


def test_a_file_is_for_who_asked_until_it_expires(school: School, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    many(school)
    asked = ask(school.office)
    run(cast, asked)
    link = exported(school.office, asked)["result"]["download"]
    others = [cast.person(Role.ADMIN), cast.teacher(), cast.person(Role.ADMIN, cast.other_organisation())]
    assert {other.get(link).status_code for other in others} == {404}
    assert school.office.get(link).status_code == 200
    with cast.app.app_context():
        kept_exports.remove_expired()
        assert db.session.scalar(select(func.count()).select_from(Export)) == 1
        db.session.execute(update(Export).values(expires_at=clock.now()))
        db.session.commit()
    assert school.office.get(link).status_code == 404
    with cast.app.app_context():
        kept_exports.remove_expired()
        for model in (Export, ExportPart):
            assert db.session.scalar(select(func.count()).select_from(model)) == 0


def test_what_an_export_names_must_be_there_before_it_is_begun(school: School, cast: Cast) -> None:
    stranger = cast.person(Role.ADMIN, cast.other_organisation())
    assert ask(stranger, class_id=str(school.room)).status_code == 404
    assert ask(stranger, format="pdf").status_code == 422
    assert ask(cast.student()).status_code == 403


def test_jobs_are_run_by_the_backend(school: School, cast: Cast) -> None:
    many(school)
    with backend("threads", cast.app) as running:
        asked = ask(school.office)
        running.close()
    assert exported(school.office, asked)["result"]["rows"] == 12


def register(person: Person, room: uuid.UUID, query: str = SPAN) -> Any:
    return person.get(f"/api/reports/class/{room}/register.pdf?{query}")


def report(person: Person, user: uuid.UUID, query: str = SPAN) -> Any:
    return person.get(f"/api/reports/user/{user}/report.pdf?{query}")


@pytest.fixture
def printed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is written on the pages."""
    cells: list[str] = []
    draw = printouts.Paper.cell

    def cell(self: Any, *given: Any, **more: Any) -> Any:
        cells.append(more.get("text", given[2] if len(given) > 2 else ""))
        return draw(self, *given, **more)

    monkeypatch.setattr(printouts.Paper, "cell", cell)
    return cells


def test_a_register_has_every_student_and_session(school: School, printed: list[str]) -> None:
    many(school, days=28, students=6)
    answer = register(school.office, school.room)
    assert (answer.status_code, answer.mimetype, answer.data[:5]) == (200, "application/pdf", b"%PDF-")
    assert {f"King, S{n}" for n in range(6)} | {f"R-{n}" for n in range(6)} <= set(printed)
    assert {f"{DAY + timedelta(days=n):%m-%d}" for n in range(28)} <= set(printed)
    assert [printed.count(letter) for letter in "PLAEV"] == [56, 28, 28, 28, 28]
    assert printed.count("100.0%") == 3
    assert any("7b, 2026-03-01" in cell for cell in printed)


def test_a_report_has_the_figures_and_the_records_of_one(school: School, cast: Cast, printed: list[str]) -> None:
    ada, grace = school.student("Ada", roll_number="R-1"), school.student("Grace")
    session, later = school.session(), school.session(DAY + timedelta(days=1), name="Geometry")
    for student in (ada, grace):
        school.record(session, student, remarks="Well\ndone")
    school.record(later, ada, status=Status.ABSENT)
    answer = report(school.office, ada)
    assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
    assert {"Number: R-1", "Department: Science", "Algebra", "Geometry", "Well done", "50.0%"} <= set(printed)
    assert not any("Grace" in cell for cell in printed)
    with cast.app.app_context():
        name = db.session.get_one(Organisation, school.office.organisation_id).name
    assert name in printed


def test_names_of_every_script_are_printed(school: School, printed: list[str]) -> None:
    session = school.session()
    for name in [*HOSTILE, "Ωmega", "Юрий", "عمر Ada", "数学", "x" * 100, ""]:
        school.record(session, school.student(name, name), remarks=name)
    assert register(school.office, school.room).status_code == 200
    assert {"Ωmega, Ωmega", "Юрий, Юрий", "שלום, שלום", "□□, □□", "□ Ada, □ Ada"} <= set(printed)


def test_a_report_is_for_staff_the_person_and_their_parents(school: School, cast: Cast) -> None:
    ada, grace, anna = cast.student(), cast.student(), cast.person(Role.PARENT)
    assert ada.id
    with cast.app.app_context():
        make(Guardian, **school.own, student_id=ada.id, parent_id=anna.id)
    stranger = cast.person(Role.ADMIN, cast.other_organisation())
    seen = [report(who, ada.id).status_code for who in (school.office, cast.teacher(), ada, anna)]
    assert set(seen) == {200}
    assert {report(who, ada.id).status_code for who in (grace, cast.person(Role.PARENT), stranger)} == {404}
    assert register(stranger, school.room).status_code == 404
    assert register(ada, school.room).status_code == 403


def test_nobodys_attendance_is_printed_too_and_of_no_more_than_400_days(school: School) -> None:
    assert register(school.office, school.room, "").status_code == 200
    assert report(school.office, school.student(), "").status_code == 200
    for query in ("start_date=2026-03-02&end_date=2026-03-01", "start_date=2024-01-01&end_date=2026-03-01"):
        for answer in (register(school.office, school.room, query), report(school.office, school.student(), query)):
            assert (answer.status_code, answer.json["code"]) == (400, "dates_refused")


def test_a_printout_up_to_the_first_days_there_are_is_one_of_these_days(school: School) -> None:
    student = school.student()
    for answer in (register(school.office, school.room, "end_date=0001-01-05"),
                   report(school.office, student, "end_date=0001-01-05")):  # fmt: skip
        assert (answer.status_code, answer.mimetype) == (200, "application/pdf")
