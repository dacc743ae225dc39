"""Marks: who records, sees and corrects them, and that every figure is formed of them alike."""

from __future__ import annotations

import io
import uuid
from datetime import date
from threading import Barrier, Thread
from typing import Any

import pytest
from openpyxl import Workbook
from sqlalchemy import func, select

from app.extensions import db
from app.models import Assessment, Organisation, Role, StudentProfile, Subject, Term
from app.services import printouts
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
from tests.story import Classroom

ALL = "/api/assessments"
EXAM = {"subject_name": "Algebra", "assessment_type": "exam", "score": 40, "max_score": 50, "date_taken": "2026-03-12"}


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    return room


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


def record(person: Person, student: Person, **values: Any) -> Any:
    answer = person.post(ALL, EXAM | {"student_id": str(student.id)} | values)
    assert answer.status_code == 201, answer.text
    return answer.json


def averages(person: Person, student: Person, query: str = "") -> Any:
    return person.get(f"{ALL}/students/{student.id}/averages{query}")


def decide(admin: Person, **rules: Any) -> None:
    path = f"/api/admin/organizations/{admin.organisation_id}"
    answer = admin.put(path, {"settings": {"assessments": rules}})
    assert answer.status_code == 200, answer.text


def count(cast: Cast, model: Any, *where: Any) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model).where(*where)) or 0


def test_a_mark_has_its_percentage_and_grade(room: Classroom) -> None:
    made = record(room.teacher, room.students["Ada"], title="Fractions", notes="Well done", weight=2)
    assert (made["percent"], made["grade"], made["subject_name"]) == (80, "B", "Algebra")
    assert (made["title"], made["weight"], made["date_taken"]) == ("Fractions", 2, "2026-03-12")
    assert (made["recorded_by"], made["student_name"]) == ("Mary Somerville", "Ada")
    assert room.teacher.get(f"{ALL}/{made['id']}").json == made


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"score": 50.5}, "score"),
        ({"score": -1}, "score"),
        ({"assessment_type": "riddle"}, "assessment_type"),
    ],
)
def test_what_does_not_fit_is_refused_by_name(room: Classroom, cast: Cast, values: Any, field: str) -> None:
    answer = room.teacher.post(ALL, EXAM | {"student_id": str(room.students["Ada"].id)} | values)
    assert (answer.status_code, list(answer.json["errors"])) == (400, [field])
    assert count(cast, Assessment) == count(cast, Subject) == 0


@pytest.mark.parametrize("values", [{"max_score": 0}, {"score": "NaN"}, {"weight": -1}, {"date_taken": "soon"}])
def test_what_is_no_mark_is_refused(room: Classroom, values: Any) -> None:
    answer = room.teacher.post(ALL, EXAM | {"student_id": str(room.students["Ada"].id)} | values)
    assert (answer.status_code, list(answer.json["errors"])) == (422, list(values))


def test_a_subject_is_found_by_name_or_code_and_else_made(room: Classroom, admin: Person) -> None:
    ada = room.students["Ada"]
    known = admin.post("/api/subjects", {"name": "Álgebra", "code": "ALG-1"})
    by = [record(room.teacher, ada, subject_name=name)["subject_id"] for name in ("áLGEBRA", "alg-1", " Álgebra ")]
    assert by == [known.json["id"]] * 3
    new = [record(room.teacher, ada, subject_name=name)["subject_id"] for name in ("Music", "MUSIC")]
    assert new[0] == new[1] != known.json["id"]
    nothing = {name: value for name, value in EXAM.items() if name != "subject_name"} | {"student_id": str(ada.id)}
    assert room.teacher.post(ALL, nothing).status_code == 400


def test_two_who_name_a_new_subject_at_once_make_one(room: Classroom, cast: Cast) -> None:
    ada, start, answers = room.students["Ada"], Barrier(3), list[int]()
    people = [cast.teacher() for _ in range(3)]

    def send(person: Person) -> None:
        start.wait()
        answers.append(person.post(ALL, EXAM | {"student_id": str(ada.id)}).status_code)

    threads = [Thread(target=send, args=(person,)) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (answers, count(cast, Subject)) == ([201] * 3, 1)


def test_a_class_is_its_teachers_and_its_students(room: Classroom, cast: Cast) -> None:
    made = record(room.teacher, room.students["Ada"], class_id=room.id)
    assert made["class_id"] == room.id
    body = EXAM | {"class_id": room.id, "student_id": str(room.students["Ada"].id)}
    assert cast.teacher().post(ALL, body).json["code"] == "not_your_class"
    stranger = room.teacher.post(ALL, body | {"student_id": str(cast.student().id)})
    assert (stranger.status_code, list(stranger.json["errors"])) == (400, ["student_id"])
    unknown = room.teacher.post(ALL, body | {"student_id": str(uuid.uuid4())})
    assert unknown.status_code == 404


def test_a_mark_is_of_the_term_that_its_day_lies_in(room: Classroom, cast: Cast) -> None:
    with cast.app.app_context():
        days = {"first_day": date(2026, 1, 1), "last_day": date(2026, 5, 31)}
        make(Term, organisation_id=room.teacher.organisation_id, name="Spring", academic_year="2025/26", **days)
    ada = room.students["Ada"]
    cases = [
        ({}, ("Spring", "2025/26")),
        ({"term": "Spring"}, ("Spring", "2025/26")),
        ({"term": "spring"}, ("Spring", "2025/26")),
        ({"term": "Trial"}, ("Trial", None)),
        ({"date_taken": "2026-06-01"}, (None, None)),
    ]
    for values, expected in cases:
        made = record(room.teacher, ada, **values)
        assert (made["term"], made["academic_year"]) == expected


def test_a_mark_that_moves_to_another_day_moves_to_its_term(room: Classroom, cast: Cast) -> None:
    with cast.app.app_context():
        for name, month in (("Spring", 1), ("Summer", 6)):
            days = {"first_day": date(2026, month, 1), "last_day": date(2026, month + 4, 28)}
            make(Term, organisation_id=room.teacher.organisation_id, name=name, academic_year="2025/26", **days)
    given: tuple[dict[str, Any], ...] = ({}, {"term": "Trial"})
    marks = [record(room.teacher, room.students["Ada"], title=f"{n}", **values) for n, values in enumerate(given)]
    moved = [room.teacher.put(f"{ALL}/{mark['id']}", {"date_taken": "2026-06-12"}).json["term"] for mark in marks]
    assert moved == ["Summer", "Trial"]


def test_a_subject_is_one_in_every_script(room: Classroom, cast: Cast) -> None:
    ada = room.students["Ada"]
    for name in ("İngilizce", "ΦΥΣΙΚΗΣ"):
        first, again = (record(room.teacher, ada, subject_name=name, title=title) for title in ("One", "Two"))
        assert first["subject_id"] == again["subject_id"]
    assert record(room.teacher, ada, subject_name="ingilizce", title="Three")["subject_name"]
    assert room.teacher.get(f"{ALL}?subject=ΦΥΣΙΚΗΣ").json["total"] == 2


def test_marks_too_small_to_divide_are_none(room: Classroom) -> None:
    tiny = {"score": 5e-324, "max_score": 1e6, "weight": 1e-200}
    made = record(room.teacher, room.students["Ada"], **tiny)
    assert (made["score"], made["weight"]) == (0, 0)
    assert room.teacher.get(f"{ALL}/statistics").json["average_score"] is None
    refused = room.teacher.post(ALL, EXAM | {"student_id": str(room.students["Ada"].id), "max_score": 1e-9})
    assert refused.status_code == 422


def test_a_scale_may_have_one_grade(room: Classroom, admin: Person) -> None:
    decide(admin, scale=[{"grade": "P", "from_percent": 0}])
    record(room.teacher, room.students["Ada"])
    assert room.teacher.get(f"{ALL}/statistics").json["grade_distribution"] == {"P": 1}


def test_students_and_parents_see_their_own_alone(room: Classroom, cast: Cast) -> None:
    ada, grace = room.students["Ada"], room.students["Grace"]
    own, other = record(room.teacher, ada)["id"], record(room.teacher, grace)["id"]
    parent = cast.parent(ada)
    for person in (ada, parent):
        assert [row["id"] for row in person.get(ALL).json["items"]] == [own]
        assert person.get(f"{ALL}/{own}").status_code == 200
        assert person.get(f"{ALL}/{other}").status_code == 404
        assert person.get(f"{ALL}?student_id={grace.id}").status_code == 404
        assert averages(person, ada).status_code == 200
        assert averages(person, grace).status_code == 404
        assert person.get(f"/api/students/{ada.id}/report-card").status_code == 200
        assert person.get(f"/api/students/{grace.id}/report-card").status_code == 404
        assert person.get(f"{ALL}/statistics").status_code == 403
        assert person.post(ALL, EXAM | {"student_id": str(ada.id)}).status_code == 403
    assert room.teacher.get(ALL).json["total"] == 2
    foreign = cast.person(Role.ADMIN, cast.other_organisation())
    assert foreign.get(ALL).json["total"] == 0
    assert foreign.get(f"{ALL}/{own}").status_code == averages(foreign, ada).status_code == 404
    assert foreign.delete(f"{ALL}/{own}").status_code == 404


def test_the_list_is_filtered_and_the_newest_comes_first(room: Classroom, cast: Cast) -> None:
    ada, grace, teacher = room.students["Ada"], room.students["Grace"], room.teacher
    first = record(teacher, ada, subject_name="Music", assessment_type="quiz", date_taken="2026-01-10")
    second = record(teacher, grace, term="Spring", academic_year="2025/26", date_taken="2026-02-10")
    third = record(teacher, ada, class_id=room.id, date_taken="2026-03-10")
    cases = {
        "": [third, second, first],
        f"student_id={ada.id}": [third, first],
        "subject=music": [first],
        "subject=nothing": [],
        f"subject_id={third['subject_id']}": [third, second],
        f"class_id={room.id}": [third],
        "assessment_type=QUIZ": [first],
        "term=spring&academic_year=2025/26": [second],
        "start_date=2026-02-10&end_date=2026-02-28": [second],
        "sort=date_taken&per_page=1": [first],
    }
    for query, rows in cases.items():
        assert teacher.get(f"{ALL}?{query}").json["items"] == rows, query
    for name in ("student_id", "subject_id", "class_id"):
        assert teacher.get(f"{ALL}?{name}={uuid.uuid4()}").status_code == 404
    with counted(cast.app) as statements:
        teacher.get(ALL)
    few = len(statements)
    for n in range(10):
        record(teacher, ada, subject_name=f"Subject {n}")
    with counted(cast.app) as statements:
        teacher.get(ALL)
        assert len(statements) == few
    with counted(cast.app) as statements:
        teacher.get(f"{ALL}/statistics")
        assert len(statements) <= few


def test_statistics_weigh_marks_and_agree_with_averages(room: Classroom, admin: Person) -> None:
    ada, grace, teacher = room.students["Ada"], room.students["Grace"], room.teacher
    record(teacher, ada, score=45)
    record(teacher, ada, score=25, weight=3)
    record(teacher, grace, score=8, max_score=10, subject_name="Music")
    record(teacher, grace, score=0, weight=0)
    found = teacher.get(f"{ALL}/statistics").json
    assert (found["total_assessments"], found["average_score"]) == (4, 64)  # (90 + 3 x 50 + 80) / 5
    by_subject = {row["subject_name"]: (row["count"], row["average"]) for row in found["subject_performance"]}
    assert by_subject == {"Algebra": (3, 60), "Music": (1, 80)}
    assert found["grade_distribution"] == {"A": 1, "B": 1, "C": 0, "D": 0, "F": 2}
    of_ada = averages(teacher, ada).json
    assert of_ada["overall"] == {"count": 2, "average": 60, "grade": "D"}
    assert teacher.get(f"{ALL}/statistics?student_id={ada.id}").json["average_score"] == 60
    assert averages(teacher, grace).json["overall"]["average"] == 80
    none = teacher.get(f"{ALL}/statistics?subject=nothing").json
    assert (none["total_assessments"], none["average_score"], none["subject_performance"]) == (0, None, [])
    decide(admin, scale=[{"grade": "pass", "from_percent": 50}, {"grade": "fail", "from_percent": 0}])
    assert teacher.get(f"{ALL}/statistics").json["grade_distribution"] == {"pass": 3, "fail": 1}
    assert averages(teacher, ada).json["overall"]["grade"] == "pass"


def test_what_is_shown_as_a_bound_has_its_grade(room: Classroom) -> None:
    ada = room.students["Ada"]
    exact = record(room.teacher, ada, score=0.9, max_score=1)
    below = record(room.teacher, ada, score=89.99, max_score=100)
    rounded = record(room.teacher, ada, score=89.999, max_score=100)
    assert [(made["percent"], made["grade"]) for made in (exact, below, rounded)] == [
        (90, "A"),
        (89.99, "B"),
        (90, "A"),
    ]
    found = room.teacher.get(f"{ALL}/statistics").json["grade_distribution"]
    assert (found["A"], found["B"]) == (2, 1)


@pytest.mark.parametrize(
    "rules",
    [
        {"scale": [{"grade": "A", "from_percent": 0}, {"grade": "A", "from_percent": 50}]},
        {"scale": [{"grade": "A", "from_percent": 0}, {"grade": "B", "from_percent": 0}]},
        {"scale": [{"grade": "A", "from_percent": 10}]},
        {"types": ["quiz", "QUIZ"]},
        {"types": []},
    ],
)
def test_a_scale_or_types_that_make_no_sense_are_refused(admin: Person, rules: Any) -> None:
    path = f"/api/admin/organizations/{admin.organisation_id}"
    assert admin.put(path, {"settings": {"assessments": rules}}).status_code == 422


def test_an_organisation_has_its_own_types(room: Classroom, admin: Person) -> None:
    decide(admin, types=["Project"])
    assert record(room.teacher, room.students["Ada"], assessment_type="PROJECT")["assessment_type"] == "project"
    body = EXAM | {"student_id": str(room.students["Ada"].id)}
    assert list(room.teacher.post(ALL, body).json["errors"]) == ["assessment_type"]


def test_averages_are_by_subject_and_term(room: Classroom) -> None:
    ada, teacher = room.students["Ada"], room.teacher
    record(teacher, ada, score=50, term="Autumn", academic_year="2025/26")
    record(teacher, ada, score=25, term="Spring", academic_year="2025/26", subject_name="Music")
    found = averages(teacher, ada).json
    assert [(row["subject_name"], row["average"], row["grade"]) for row in found["by_subject"]] == [
        ("Algebra", 100, "A"),
        ("Music", 50, "F"),
    ]
    assert [(row["academic_year"], row["term"], row["average"]) for row in found["by_term"]] == [
        ("2025/26", "Autumn", 100),
        ("2025/26", "Spring", 50),
    ]
    assert averages(teacher, ada, "?term=spring").json["overall"] == {"count": 1, "average": 50, "grade": "F"}
    empty = averages(teacher, room.students["Grace"]).json
    assert empty["overall"] == {"count": 0, "average": None, "grade": None}


def test_ranks_are_shown_where_the_organisation_says_so(room: Classroom, admin: Person, cast: Cast) -> None:
    students = [room.students["Ada"], room.students["Grace"], room.join("Emmy"), room.join("Lise"), cast.student()]
    for student, score in zip(students, (30, 40, 40, 20, 50), strict=True):
        record(room.teacher, student, score=score)
    in_class = f"?class_id={room.id}"
    assert averages(room.teacher, students[0], in_class).json["rank"] is None
    decide(admin, rank=True)
    ranks = [averages(room.teacher, student, in_class).json["rank"]["position"] for student in students[:4]]
    assert ranks == [3, 1, 1, 4]
    assert averages(students[0], students[0], in_class).json["rank"] == {"position": 3, "of": 4}
    assert averages(room.teacher, students[4], in_class).status_code == 403
    assert averages(room.teacher, students[0]).json["rank"] is None  # nobody has a year
    with cast.app.app_context():
        for student in (students[0], students[4]):
            make(StudentProfile, organisation_id=student.organisation_id, user_id=student.id, year="7")
    assert averages(room.teacher, students[0]).json["rank"] == {"position": 2, "of": 2}


def test_a_mark_is_corrected_by_who_recorded_it_a_teacher_of_its_class_or_the_office(
    room: Classroom, admin: Person, cast: Cast
) -> None:
    colleague, ada = cast.teacher(), room.students["Ada"]
    own, of_class = record(colleague, ada)["id"], record(admin, ada, class_id=room.id)["id"]
    for person, row, status in (
        (colleague, own, 200),
        (room.teacher, own, 403),
        (admin, own, 200),
        (room.teacher, of_class, 200),
        (colleague, of_class, 403),
        (ada, own, 403),
    ):
        assert person.put(f"{ALL}/{row}", {"score": 44}).status_code == status
    assert colleague.delete(f"{ALL}/{of_class}").json["code"] == "not_your_assessment"
    assert room.teacher.delete(f"{ALL}/{of_class}").status_code == 200
    assert room.teacher.get(f"{ALL}/{of_class}").status_code == 404


def test_a_correction_changes_what_is_sent_and_is_kept_with_its_reason(room: Classroom, admin: Person) -> None:
    made = record(room.teacher, room.students["Ada"], notes="Late")
    path = f"{ALL}/{made['id']}"
    refused = room.teacher.put(path, {"maxScore": 30})
    assert (refused.status_code, list(refused.json["errors"])) == (400, ["score"])
    body = {"score": 45, "subjectName": "Music", "notes": None, "reason": "Added up wrongly"}
    changed = room.teacher.put(path, body).json
    assert (changed["score"], changed["subject_name"], changed["notes"]) == (45, "Music", None)
    assert (changed["max_score"], changed["date_taken"]) == (50, "2026-03-12")
    entry = admin.get("/api/admin/audit?entity=assessments&action=update").json["items"][0]
    assert (entry["reason"], entry["before"]["score"], entry["after"]["score"]) == ("Added up wrongly", 40, 45)


def test_a_class_is_recorded_at_once_or_not_at_all(room: Classroom, cast: Cast) -> None:
    ids = [str(student.id) for student in room.students.values()]
    common = {"class_id": room.id, "subject_name": "Stars", "assessment_type": "quiz", "max_score": 10}
    common |= {"date_taken": "2026-03-12", "title": "Constellations"}
    good = [{"student_id": ids[0], "score": 7}, {"student_id": ids[1], "score": 9.5, "notes": "Best"}]
    bad = [*good, {"student_id": ids[0], "score": 11}, {"student_id": str(cast.student().id), "score": 1}]
    refused = room.teacher.post(f"{ALL}/class", common | {"scores": bad})
    assert refused.status_code == 400
    assert list(refused.json["errors"]) == ["scores.2.score", "scores.2.student_id", "scores.3.student_id"]
    assert count(cast, Assessment) == 0
    headers = {"Idempotency-Key": "once"}
    for _ in range(2):
        made = room.teacher.post(f"{ALL}/class", common | {"scores": good}, headers=headers)
        assert (made.status_code, made.json["created"]) == (201, 2)
    assert [row["score"] for row in made.json["items"]] == [7, 9.5]
    assert count(cast, Assessment) == 2
    assert cast.teacher().post(f"{ALL}/class", common | {"scores": good}).status_code == 403


CSV = """email;subject;assessment_type;score;max_score;date_taken;title
{ada};algebra;Exam;40;50;2026-03-12;Fractions
{grace};ALG;exam;20;50;2026-03-12;Fractions
"""


def send(person: Person, data: str | bytes, **more: Any) -> Any:
    raw = data.encode() if isinstance(data, str) else data
    return person.post(f"{ALL}/import", data={"file": (io.BytesIO(raw), "marks.csv"), **more})


@pytest.fixture
def csv(room: Classroom, admin: Person) -> str:
    assert admin.post("/api/subjects", {"name": "Algebra", "code": "ALG"}).status_code == 201
    return CSV.format(ada=room.students["Ada"].email, grace=room.students["Grace"].email)


def test_a_table_of_marks_is_taken_once(room: Classroom, csv: str, cast: Cast) -> None:
    done = [send(room.teacher, csv, dry_run=dry).json for dry in ("true", "false", "false")]
    assert [(one["created"], one["unchanged"]) for one in done] == [(2, 0), (2, 0), (0, 2)]
    assert count(cast, Assessment) == 2
    changed = csv.replace(";20;", ";30;")
    refused = send(cast.teacher(), changed)
    assert (refused.status_code, [row["line"] for row in refused.json["rows"]]) == (422, [3])
    assert send(room.teacher, changed).json == {"dry_run": False, "created": 0, "updated": 1, "unchanged": 1}
    found = room.teacher.get(f"{ALL}?student_id={room.students['Grace'].id}").json["items"]
    assert [(row["score"], row["grade"], row["title"]) for row in found] == [(30, "D", "Fractions")]


def test_every_bad_cell_is_named_and_nothing_is_saved(room: Classroom, csv: str, cast: Cast) -> None:
    ada = room.students["Ada"].email
    bad = csv + f"nobody@x.test;Alchemy;riddle;60;50;2026-03-12;\n{ada};ALG;exam;x;0;soon;\n"
    bad += f"{ada};Algebra;exam;41;50;2026-03-12;Fractions\n"
    answer = send(room.teacher, bad)
    named = {(row["line"], row["column"]) for row in answer.json["rows"]}
    assert answer.status_code == 422
    assert named == {
        *((4, column) for column in ("email", "subject", "assessment_type", "score")),
        *((5, column) for column in ("score", "max_score", "date_taken")),
        (6, None),
    }
    assert count(cast, Assessment) == 0


def test_a_row_that_names_two_people_is_refused(room: Classroom, csv: str, cast: Cast) -> None:
    with cast.app.app_context():
        grace = {"organisation_id": room.teacher.organisation_id, "user_id": room.students["Grace"].id}
        make(StudentProfile, **grace, roll_number="R-2")
    row: dict[str, Any] = {"email": room.students["Ada"].email, "roll_number": "R-2", "subject": "Algebra"}
    row |= {"assessment_type": "exam", "score": 4, "max_score": 5, "date_taken": "2026-03-12"}
    answer = room.teacher.post(f"{ALL}/import", {"rows": [row]})
    assert (answer.status_code, answer.json["rows"][0]["column"]) == (422, "roll_number")
    assert count(cast, Assessment) == 0


def test_marks_are_taken_from_a_spreadsheet_and_from_json(room: Classroom, csv: str) -> None:
    book = Workbook()
    sheet: Any = book.active
    for line in csv.splitlines():
        sheet.append([int(cell) if cell.isdigit() else cell for cell in line.split(";")])
    file = io.BytesIO()
    book.save(file)
    assert send(room.teacher, file.getvalue()).json["created"] == 2
    row: dict[str, Any] = {"student_id": str(room.students["Ada"].id), "subject": "ALG", "assessment_type": "exam"}
    row |= {"score": 1, "max_score": 2, "date_taken": "2026-03-13"}
    assert room.teacher.post(f"{ALL}/import", {"rows": [row]}).json["created"] == 1


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


def test_a_report_card_has_averages_grades_and_attendance(
    room: Classroom, admin: Person, cast: Cast, printed: list[str]
) -> None:
    ada = room.students["Ada"]
    decide(admin, rank=True)
    room.mark(room.session(session_date="2026-03-10"), "Ada")
    record(room.teacher, ada, term="Spring", academic_year="2025/26", date_taken="2026-03-09")
    record(room.teacher, ada, term="Spring", subject_name="موسيقى", score=20, date_taken="2026-03-12")
    record(room.teacher, ada, term="Autumn", subject_name="History", date_taken="2026-03-12")
    answer = ada.get(f"/api/students/{ada.id}/report-card?term=spring")
    assert (answer.status_code, answer.mimetype, answer.data[:5]) == (200, "application/pdf", b"%PDF-")
    assert {"Algebra", "80.00 %", "B", "موسيقى", "40.00 %", "F", "60.00 %", "D"} <= set(printed)
    assert {"Spring, 2025/26", "Spring", "All terms"} <= set(printed)
    assert "History" not in printed
    assert any("2026-03-09 – 2026-03-12" in cell for cell in printed)  # noqa: RUF001
    with cast.app.app_context():
        name = db.session.get_one(Organisation, ada.organisation_id).name
    assert name in printed


def test_a_deactivated_students_marks_stay_and_an_erased_ones_go(room: Classroom, admin: Person) -> None:
    ada = room.students["Ada"]
    made = record(room.teacher, ada)["id"]
    admin.delete(f"/api/students/{ada.id}")
    assert room.teacher.get(f"{ALL}/{made}").status_code == 200
    assert averages(room.teacher, ada).json["overall"]["count"] == 1
    assert admin.post(f"/api/admin/users/{ada.id}/erase", {"reason": "Asked for"}).status_code == 200
    assert room.teacher.get(f"{ALL}/{made}").status_code == 404
    assert averages(room.teacher, ada).status_code == 404
    assert room.teacher.post(ALL, EXAM | {"student_id": str(ada.id)}).status_code == 404
