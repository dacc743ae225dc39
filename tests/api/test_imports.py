"""Imports: all of a table or nothing of it, and a second time nothing."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from app import clock
from app.extensions import db
from app.models import AuditEntry, Enrolment, Guardian, Job, JobStatus, Role, User, UserStatus
from app.services import jobs
from tests.conftest import Cast, Person
from tests.factories import make_user
from tests.statements import counted

USERS, ENROLMENTS = "/api/admin/import/users", "/api/admin/import/enrolments"
CSV = """name,email,roll_number,department,year,date_of_birth,class,guardian_name,guardian_phone
Ada Lovelace,ada@school.test,R-1,Science,7,2012-12-10,Maths,Annabella Milbanke,+44 1
"Hopper, Grace",GRACE@school.test,R-2,Science,7,,Maths,,
Élodie Durand,,R-3,Arts,8,,,,
"""


@pytest.fixture
def admin(cast: Cast) -> Person:
    admin = cast.person(Role.ADMIN)
    admin.post("/api/classes/create", {"name": "Maths"})
    return admin


def send(admin: Person, data: str | bytes, call: str = USERS, name: str = "people.csv", **more: Any) -> Any:
    raw = data.encode() if isinstance(data, str) else data
    headers = more.pop("headers", {})
    return admin.post(call, data={"file": (io.BytesIO(raw), name), **more}, headers=headers)


def count(cast: Cast, model: Any, *where: Any) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def students(admin: Person) -> dict[str, Any]:
    return {s["roll_number"]: s for s in admin.get("/api/students?per_page=100").json["items"]}


def test_a_table_of_people_is_taken_with_profiles_guardians_and_classes(cast: Cast, admin: Person) -> None:
    answer = send(admin, CSV)
    assert (answer.status_code, answer.json) == (
        200,
        {"dry_run": False, "created": 3, "updated": 0, "unchanged": 0, "enrolled": 2},
    )
    found = students(admin)
    ada = found["R-1"]
    assert (ada["name"], ada["email"], ada["department"], ada["year"], ada["date_of_birth"]) == (
        "Ada Lovelace", "ada@school.test", "Science", 7, "2012-12-10")  # fmt: skip
    assert [g["name"] for g in ada["guardians"]] == ["Annabella Milbanke"]
    assert [c["name"] for c in ada["classes"]] == ["Maths"]
    assert (found["R-2"]["email"], found["R-3"]["name"]) == ("grace@school.test", "Élodie Durand")


@pytest.mark.parametrize(
    "again", [CSV, CSV.replace(",", ";").replace("Hopper;", "Hopper,")], ids=["same", "semicolons"]
)
def test_the_same_table_again_changes_nothing(cast: Cast, admin: Person, again: str) -> None:
    send(admin, CSV)
    before = count(cast, AuditEntry)
    answer = send(admin, again).json
    assert (answer["created"], answer["updated"], answer["unchanged"], answer["enrolled"]) == (0, 0, 3, 0)
    assert count(cast, AuditEntry) == before, "nothing was written"
    assert count(cast, Guardian) == 1


def test_a_changed_row_changes_that_person(cast: Cast, admin: Person) -> None:
    send(admin, CSV)
    answer = send(admin, CSV.replace("R-3,Arts,8", "R-3,Music,8")).json
    assert (answer["updated"], answer["unchanged"]) == (1, 2)
    assert students(admin)["R-3"]["department"] == "Music"


def test_a_dry_run_says_what_would_be_and_saves_nothing(cast: Cast, admin: Person) -> None:
    before = (count(cast, User), count(cast, AuditEntry))
    answer = send(admin, CSV, dry_run="true").json
    assert (answer["dry_run"], answer["created"], answer["enrolled"]) == (True, 3, 2)
    assert (count(cast, User), count(cast, AuditEntry)) == before


def test_a_spreadsheet_is_read_like_a_table(admin: Person) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet
    sheet.append(["Name", "Roll Number", "Date of birth", "Year"])
    sheet.append(["Ada Lovelace", 17, date(2012, 12, 10), 7.0])
    file = io.BytesIO()
    book.save(file)
    assert send(admin, file.getvalue(), name="people.xlsx").json["created"] == 1
    ada = students(admin)["17"]
    assert (ada["date_of_birth"], ada["year"]) == ("2012-12-10", 7)


def spreadsheet(**replaced: str) -> bytes:
    """One whose parts, by the end of their names, are replaced."""
    book, file, broken = Workbook(), io.BytesIO(), io.BytesIO()
    book.save(file)
    with zipfile.ZipFile(file) as whole, zipfile.ZipFile(broken, "w") as into:
        for name in whole.namelist():
            text = next((text for end, text in replaced.items() if name.endswith(f"{end}.xml")), None)
            into.writestr(name, whole.read(name) if text is None else text)
    return broken.getvalue()


ENDLESS = """<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">
<dimension ref="A1:XFD1048576"/>
<sheetData><row r="1"><c r="A1"/></row><row r="1048576"><c r="A1048576"/></row></sheetData></worksheet>"""


@pytest.mark.parametrize(
    "data",
    [spreadsheet(sheet1="<worksheet"), spreadsheet(workbook="<a/>"), spreadsheet(sheet1=ENDLESS), b"PK" + b"\0" * 99],
    ids=["sheet", "workbook", "claims to be endless", "no archive"],
)
def test_what_is_no_spreadsheet_is_refused(admin: Person, data: bytes) -> None:
    answer = send(admin, data, name="people.xlsx")
    assert (answer.status_code, answer.json["code"]) == (400, "unreadable_file")


@pytest.mark.parametrize("prefer", [{}, {"Prefer": "respond-async"}])
def test_half_a_character_is_no_text(admin: Person, prefer: dict[str, str]) -> None:
    headers = {"Authorization": f"Bearer {admin.token}", "Content-Type": "application/json"} | prefer
    body = '{"rows": [{"name": "%s", "email": "ada@school.test"}]}'
    assert admin.client.post(USERS, data=body % r"\ud83d", headers=headers).status_code == 400
    assert admin.client.post(USERS, data=body % r"\ud83d\ude00", headers=headers).status_code in {200, 202}


def test_json_is_read_like_a_table(admin: Person) -> None:
    rows = [{"name": "Mary Somerville", "email": "mary@school.test", "role": "Teacher"}]
    assert admin.post(USERS, {"rows": rows}).json["created"] == 1
    assert admin.get("/api/admin/users?role=teacher&search=mary").json["total"] == 1


BAD = [
    ("email", "no address,R-9,student", "email"),
    ("role", "x1@school.test,R-9,pirate", "role"),
    ("role above one's own", "x2@school.test,R-9,super_admin", "role"),
    ("somebody else's email", "taken@elsewhere.test,R-9,student", "email"),
    ("no key", ",,student", None),
    ("two people at once", "ada@school.test,R-2,student", "roll_number"),
    ("another role", "ada@school.test,R-1,teacher", "role"),
    ("no key of a teacher", ",R-9,teacher", None),
]


@pytest.mark.parametrize(("row", "column"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
def test_a_bad_row_is_named_with_line_column_and_reason(
    cast: Cast, admin: Person, row: str, column: str | None
) -> None:
    send(admin, CSV)
    with cast.app.app_context():
        make_user(role=Role.STUDENT, organisation_id=None, email="taken@elsewhere.test")
    before = count(cast, User)
    answer = send(admin, f"name,email,roll_number,role\nGood One,good@school.test,R-8,student\nBad One,{row}\n")
    assert (answer.status_code, answer.json["code"]) == (422, "rows_refused")
    (bad,) = answer.json["rows"]
    assert (bad["line"], bad["column"], bool(bad["reason"])) == (3, column, True)
    assert count(cast, User) == before


@pytest.mark.parametrize(
    ("table", "line", "column"),
    [
        ("name,email\nA B,a@x.test\nC D,a@x.test", 3, "email"),
        ("name,email,klass\nA B,a@x.test,7b", 2, "klass"),
        ("name,email,class\nA B,a@x.test,Nowhere", 2, "class"),
        ("name,email,date_of_birth\nA B,a@x.test,31.12.2012", 2, "date_of_birth"),
        ('name,email\n"A\nB",a@x.test\nC D,no', 4, "email"),
    ],
    ids=["twice", "unknown column", "unknown class", "date", "line break in a cell"],
)
def test_what_is_wrong_is_found_where_it_stands(admin: Person, table: str, line: int, column: str) -> None:
    (bad,) = send(admin, table).json["rows"]
    assert (bad["line"], bad["column"]) == (line, column)


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04rubbish", b"\x89PNG\r\n\x1a\n\x00\x00", b'name\n"open'])
def test_what_is_no_table_is_said(admin: Person, data: bytes) -> None:
    answer = send(admin, data)
    assert (answer.status_code, answer.json["code"]) in {(400, "unreadable_file"), (422, "rows_refused")}


@pytest.mark.parametrize("body", [{}, {"rows": [], "file": "eA=="}, {"rows": [{"name": ["x"], "email": {}}]}])
def test_another_body_is_refused(admin: Person, body: Any) -> None:
    assert admin.post(USERS, body).status_code == 422


def test_enrolments_are_taken_from_a_table(cast: Cast, admin: Person) -> None:
    send(admin, CSV)
    table = "roll_number,class,starts_on,ends_on\nR-3,Maths,2026-03-02,2100-01-01\nR-1,maths,,\n"
    for created, unchanged in ((1, 1), (0, 2)):
        answer = send(admin, table, ENROLMENTS).json
        assert (answer["created"], answer["unchanged"]) == (created, unchanged)
    with cast.app.app_context():
        dates = select(Enrolment.starts_on, Enrolment.ends_on).where(Enrolment.ends_on.is_not(None))
        assert db.session.execute(dates).all() == [(date(2026, 3, 2), date(2100, 1, 1))]


def test_a_bad_enrolment_is_named(admin: Person) -> None:
    send(admin, CSV)
    table = "roll_number,email,class,starts_on,ends_on\nR-3,,Nowhere,,\nR-77,,Maths,,\n"
    table += ",x@y.test,Maths,2026-03-02,2026-03-01\n"
    rows = send(admin, table, ENROLMENTS).json["rows"]
    assert {(r["line"], r["column"]) for r in rows} >= {(2, "class"), (3, "roll_number")}
    assert {r["line"] for r in rows} == {2, 3, 4}


def table_of(people: int, bad: int = 0) -> str:
    """Students, of whom some have no address worth the name."""
    wrong = range(7, people, people // bad)[:bad] if bad else ()
    rows = [
        f"Student {n},{'no address' if n in wrong else f's{n}@school.test'},R-{n},Science,Maths" for n in range(people)
    ]
    return "\n".join(["name,email,roll_number,department,class", *rows])


def test_ten_thousand_students_with_37_bad_rows_are_named_then_taken(cast: Cast, admin: Person) -> None:
    """So many on SQLite; elsewhere a tenth."""
    many = 10_000 if cast.app.config["SQLALCHEMY_DATABASE_URI"].get_backend_name() == "sqlite" else 1_000
    before = count(cast, User)
    refused = send(admin, table_of(many, bad=37))
    assert refused.status_code == 422
    rows = refused.json["rows"]
    assert len(rows) == len({r["line"] for r in rows}) == 37
    assert {r["column"] for r in rows} == {"email"}
    assert count(cast, User) == before
    saved = send(admin, table_of(many)).json
    assert (saved["created"], saved["enrolled"], count(cast, User)) == (many, many, before + many)
    again = send(admin, table_of(many)).json
    assert (again["created"], again["updated"], again["unchanged"], again["enrolled"]) == (0, 0, many, 0)


def test_the_number_of_statements_does_not_grow_with_the_rows(cast: Cast, admin: Person) -> None:
    took = []
    for people in (20, 2000):
        rows = table_of(people).replace("R-", f"R{people}-").replace("@", f"-{people}@")
        with counted(cast.app) as said:
            assert send(admin, rows).json["created"] == people
        took.append(len(said))
    assert took[1] <= took[0] + 2, took


def test_an_import_can_be_followed_as_a_job(cast: Cast, admin: Person) -> None:
    accepted = send(admin, CSV, headers={"Prefer": "respond-async"})
    assert accepted.status_code == 202
    with cast.app.app_context():
        jobs.run(db.session.scalars(select(Job.id).where(Job.user_id == admin.id)).one())
    job = admin.get(accepted.headers["Location"]).json
    assert (job["status"], job["result"]["created"]) == (JobStatus.DONE, 3)
    with cast.app.app_context():
        made = select(AuditEntry.actor_id).where(AuditEntry.entity == "users", AuditEntry.action == "create")
        assert admin.id in set(db.session.scalars(made)), "what a job does is its owner's doing"


def imported(admin: Person, *rows: dict[str, Any], call: str = USERS) -> Any:
    return admin.post(call, {"rows": list(rows)})


def test_only_students_are_enrolled(cast: Cast, admin: Person) -> None:
    answer = imported(admin, {"name": "Mary", "email": "mary@school.test", "role": "teacher", "class": "Maths"})
    assert [(row["line"], row["column"]) for row in answer.json["rows"]] == [(1, "class")]
    assert count(cast, Enrolment) == 0


def test_two_rows_about_one_person_are_a_mistake_whatever_they_call_them(admin: Person) -> None:
    imported(admin, {"name": "Ada", "external_id": "p-1", "roll_number": "R-1"})
    answer = imported(admin, {"name": "Ada", "external_id": "p-1"}, {"name": "Eve", "roll_number": "R-1"})
    assert [row["line"] for row in answer.json["rows"]] == [2]


@pytest.mark.parametrize(
    ("before", "after"),
    [("suspended", "suspended"), ("pending", "pending"), ("inactive", "active"), ("active", "active")],
)
def test_an_import_lets_in_nobody_who_was_shut_out(cast: Cast, admin: Person, before: str, after: str) -> None:
    with cast.app.app_context():
        values = {"organisation_id": admin.organisation_id, "status": UserStatus(before)}
        email = make_user(role=Role.STUDENT, **values).email
    imported(admin, {"name": "Ada", "email": email})
    assert admin.get(f"/api/admin/users?search={email}").json["items"][0]["status"] == after


def test_an_address_from_a_table_has_yet_to_be_confirmed(cast: Cast, admin: Person) -> None:
    ada = cast.student(external_id="p-1", email_verified_at=clock.now())
    imported(admin, {"name": "Ada", "external_id": "p-1", "email": ada.email})
    assert admin.get(f"/api/admin/users/{ada.id}").json["email_verified"]
    imported(admin, {"name": "Ada", "external_id": "p-1", "email": "eve@school.test"})
    assert not admin.get(f"/api/admin/users/{ada.id}").json["email_verified"]


def test_a_row_with_other_dates_changes_the_enrolment(cast: Cast, admin: Person) -> None:
    send(admin, CSV)
    table = "roll_number,class,starts_on,ends_on\nR-1,Maths,2026-03-02,{}\n"
    for ends_on, told in (("", (0, 1, 0)), ("", (0, 0, 1)), ("2026-04-01", (0, 1, 0)), ("2026-04-01", (0, 0, 1))):
        answer = send(admin, table.format(ends_on), ENROLMENTS).json
        assert (answer["created"], answer["updated"], answer["unchanged"]) == told, ends_on
    assert students(admin)["R-1"]["classes"] == [], "it is over"
    again = send(admin, "roll_number,class\nR-1,Maths\n", ENROLMENTS).json
    assert again["created"] == 1


def test_what_a_job_does_was_done_from_where_it_was_asked_for(cast: Cast, admin: Person) -> None:
    asked = {"Prefer": "respond-async", "X-Reason": "new year", "User-Agent": "office PC"}
    send(admin, CSV, headers=asked)
    with cast.app.app_context():
        jobs.run(db.session.scalars(select(Job.id).where(Job.user_id == admin.id)).one())
    (entry,) = admin.get("/api/admin/audit?entity=student_profiles&per_page=1").json["items"]
    assert (entry["device"], entry["address"], entry["actor_id"]) == ("office PC", "127.0.0.1", str(admin.id))
