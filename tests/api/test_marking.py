"""Marking by hand, by class or subject and day, and by session."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Enrolment, Record, RecordMark, Role, Session, User
from tests.conftest import Cast, Person
from tests.statements import counted
from tests.story import Classroom
from tests.test_races import at_once, twin

DAY = "2026-03-12"


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    begin(cast)
    return room


def begin(cast: Cast) -> None:
    """Everybody was enrolled from the beginning of the year."""
    with cast.app.app_context():
        for enrolment in db.session.scalars(select(Enrolment)):
            enrolment.starts_on = enrolment.starts_on.replace(year=2026, month=1, day=1)
        db.session.commit()


@pytest.fixture
def maths(cast: Cast) -> str:
    admin = cast.person(Role.ADMIN)
    return str(admin.post("/api/subjects", {"name": "Mathematics", "code": "M-1"}).json["id"])


def counts(cast: Cast) -> tuple[int, int]:
    with cast.app.app_context():
        return len(db.session.scalars(select(Session)).all()), len(db.session.scalars(select(Record)).all())


def of(room: Classroom, *names: str) -> list[str]:
    return [str(room.students[name].id) for name in names]


def test_a_subjects_day_is_marked_from_a_map_and_again_changes_it(room: Classroom, cast: Cast, maths: str) -> None:
    ada, grace = of(room, "Ada", "Grace")
    body = {"date": DAY, "subject_id": maths, "attendance": {ada: "present", grace: "Absent"}}
    first = room.teacher.post("/api/attendance", body)
    assert (first.status_code, first.json["created"], first.json["updated"]) == (201, 2, 0)
    assert {r["student_name"]: r["status"] for r in first.json["records"]} == {"Ada": "present", "Grace": "absent"}
    assert {(r["subject"], r["teacher"], r["date"]) for r in first.json["records"]} == {
        ("Mathematics", "Mary Somerville", DAY)
    }
    again = room.teacher.post("/api/attendance", body | {"attendance": {ada: "present", grace: "late"}})
    assert (again.json["created"], again.json["updated"]) == (0, 1)
    assert counts(cast) == (1, 2)


def test_one_wrong_mark_refuses_the_whole_call_and_is_named(room: Classroom, cast: Cast, maths: str) -> None:
    ada, grace = of(room, "Ada", "Grace")
    stranger, foreign = str(uuid.uuid4()), str(cast.student(organisation_id=cast.other_organisation()).id)
    marks = {ada: "present", grace: "there", stranger: "present", foreign: "present"}
    answer = room.teacher.post("/api/attendance", {"date": DAY, "subject_id": maths, "attendance": marks})
    assert (answer.status_code, answer.json["code"]) == (422, "marks_refused")
    assert set(answer.json["errors"]) == {f"attendance.{id_}" for id_ in (grace, stranger, foreign)}
    assert counts(cast) == (0, 0)


def test_a_subject_is_marked_by_its_teacher(room: Classroom, cast: Cast, maths: str) -> None:
    admin = cast.person(Role.ADMIN)
    body = {"date": DAY, "subject_id": maths, "attendance": {of(room, "Ada")[0]: "present"}}
    admin.put(f"/api/subjects/{maths}", {"teacher_id": str(room.teacher.id)})
    assert cast.teacher().post("/api/attendance", body).json["code"] == "not_your_subject"
    assert [person.post("/api/attendance", body).status_code for person in (room.teacher, admin)] == [201, 201]


def test_one_student_is_marked_in_a_class_as_the_tracker_sends_it(room: Classroom, cast: Cast) -> None:
    (ada,) = of(room, "Ada")
    body = {"studentId": ada, "classId": room.id, "date": DAY, "status": "late", "remarks": "bus"}
    answer = room.teacher.post("/attendance/", body)
    assert (answer.status_code, answer.json["id"], bool(answer.json["message"])) == (
        201,
        answer.json["records"][0]["id"],
        True,
    )
    (kept,) = room.teacher.get(f"/attendance/?class_id={room.id}&date={DAY}").json["items"]
    assert (kept["status"], kept["remarks"], kept["student_id"]) == ("late", "bus", ada)


def test_a_batch_counts_what_is_new_and_what_changed(room: Classroom, cast: Cast) -> None:
    ada, grace = of(room, "Ada", "Grace")
    rows = [{"student_id": s, "class_id": room.id, "date": DAY, "status": "present"} for s in (ada, grace)]
    room.teacher.post("/attendance/batch", {"records": rows[:1]})
    rows[0]["status"] = "excused"
    answer = room.teacher.post("/attendance/batch", {"records": rows})
    assert (answer.status_code, answer.json["created"], answer.json["updated"]) == (201, 1, 1)
    assert counts(cast) == (1, 2)


def test_a_wrong_row_of_a_batch_is_named_by_its_index(room: Classroom, cast: Cast) -> None:
    (ada,) = of(room, "Ada")
    good = {"student_id": ada, "class_id": room.id, "date": DAY, "status": "present"}
    before = good | {"date": "2025-12-31"}
    rows = [good, good | {"status": "x"}, before, good | {"student_id": str(cast.student().id)}]
    answer = room.teacher.post("/attendance/batch", {"records": rows})
    assert (answer.status_code, set(answer.json["errors"])) == (422, {"records.1", "records.2", "records.3"})
    assert counts(cast) == (0, 0)


def test_a_day_that_has_a_session_is_marked_in_it(room: Classroom, cast: Cast) -> None:
    session = room.session(session_date=DAY)
    (ada,) = of(room, "Ada")
    body = {"student_id": ada, "class_id": room.id, "date": DAY, "status": "present"}
    assert room.teacher.post("/attendance/", body).json["records"][0]["session_id"] == session
    assert counts(cast) == (1, 1)


def test_twenty_who_mark_a_day_at_once_make_one_session(room: Classroom, cast: Cast, maths: str) -> None:
    ada, grace = of(room, "Ada", "Grace")
    body = {"date": DAY, "subject_id": maths, "attendance": {ada: "present", grace: "present"}}
    assert at_once(lambda _: twin(cast, room.teacher).post("/api/attendance", body), 20) == {201: 20}
    assert counts(cast) == (1, 2)


def test_another_teachers_class_is_not_ones_own_to_mark(room: Classroom, cast: Cast) -> None:
    body = {"student_id": of(room, "Ada")[0], "class_id": room.id, "date": DAY, "status": "present"}
    assert cast.teacher().post("/attendance/", body).json["code"] == "not_your_class"
    assert room.students["Ada"].post("/attendance/", body).status_code == 403


@pytest.mark.parametrize(
    "body", [{"date": DAY}, {"date": DAY, "subject_id": str(uuid.uuid4())}, {"date": "12.3.", "attendance": {}}]
)
def test_half_a_mark_is_none(room: Classroom, body: dict[str, Any]) -> None:
    assert room.teacher.post("/api/attendance", body).status_code == 422


def test_records_are_seen_by_whom_they_concern(room: Classroom, cast: Cast, maths: str) -> None:
    ada, grace = of(room, "Ada", "Grace")
    for day in (DAY, "2026-03-13"):
        body = {"date": day, "subject_id": maths, "attendance": {ada: "present", grace: "late"}}
        room.teacher.post("/api/attendance", body)
    admin = cast.person(Role.ADMIN)
    parent = {"full_name": "Annabella", "email": "a@home.test", "password": "four quiet words", "student_ids": [ada]}
    admin.post("/api/admin/users/parents", parent)
    mother = Person(cast.app.test_client())
    mother.token = mother.post("/api/auth/login", {"email": "a@home.test", "password": "four quiet words"}).json[
        "access_token"
    ]
    seen = {
        name: {r["student_id"] for r in person.get("/api/attendance").json["items"]}
        for name, person in {"teacher": room.teacher, "ada": room.students["Ada"], "mother": mother}.items()
    }
    assert seen == {"teacher": {ada, grace}, "ada": {ada}, "mother": {ada}}
    newest = room.teacher.get(f"/api/attendance?subject_id={maths}&student_id={ada}").json["items"]
    assert [r["date"] for r in newest] == ["2026-03-13", DAY]
    assert mother.get(f"/api/attendance?student_id={grace}").json["total"] == 0


def session_marks(room: Classroom, session: str, marks: Any, **more: Any) -> Any:
    return room.teacher.post(f"/api/attendance/session/{session}/marks", {"marks": marks} | more)


def said(room: Classroom, session: str) -> dict[str, str]:
    items = room.teacher.get(f"/api/attendance/session/{session}/records").json["items"]
    return {r["student"]["first_name"]: r["status"] for r in items}


def cancel(cast: Cast, session: str) -> None:
    with cast.app.app_context():
        db.session.get_one(Session, uuid.UUID(session)).cancelled_at = clock.now()
        db.session.commit()


@pytest.mark.parametrize("form", ["map", "list"])
def test_a_session_is_marked_and_marking_again_changes(room: Classroom, cast: Cast, form: str) -> None:
    session, (ada, grace) = room.session(session_date=DAY), of(room, "Ada", "Grace")

    def marks(**statuses: str) -> Any:
        given = {of(room, name)[0]: status for name, status in statuses.items()}
        return given if form == "map" else [{"student_id": id_, "status": status} for id_, status in given.items()]

    first = session_marks(room, session, marks(Ada="present", Grace="Absent"))
    assert (first.status_code, first.json["created"], first.json["updated"]) == (200, 2, 0)
    assert {r["student_id"]: (r["status"], r["teacher"]) for r in first.json["records"]} == {
        ada: ("present", "Mary Somerville"),
        grace: ("absent", "Mary Somerville"),
    }
    again = session_marks(room, session, marks(Grace="late"))
    assert (again.json["created"], again.json["updated"], said(room, session)) == (
        0,
        1,
        {"Ada": "present", "Grace": "late"},
    )
    assert counts(cast) == (1, 2)


def test_a_wrong_mark_of_a_session_is_named_and_refuses_all(room: Classroom, cast: Cast) -> None:
    session, (ada, grace) = room.session(session_date=DAY), of(room, "Ada", "Grace")
    foreign = str(cast.student(organisation_id=cast.other_organisation()).id)
    rows = [(ada, "present"), (grace, "there"), (str(cast.student().id), "present"), (foreign, "present")]
    rows += [(ada, "late"), (str(cast.teacher().id), "present")]
    answer = session_marks(room, session, [{"student_id": id_, "status": status} for id_, status in rows])
    assert (answer.status_code, answer.json["code"]) == (422, "marks_refused")
    assert set(answer.json["errors"]) == {f"marks.{n}" for n in range(1, 6)}
    answer = session_marks(room, session, {ada: "present", foreign: "present"})
    assert set(answer.json["errors"]) == {f"marks.{foreign}"}
    assert counts(cast) == (1, 0)


@pytest.mark.parametrize("marks", [{}, [], None, "present", {"x": "present"}, [{"status": "present"}], {"a": 1}])
def test_marks_of_another_shape_are_refused(room: Classroom, marks: Any) -> None:
    assert session_marks(room, room.session(), marks).status_code == 422


FORMS: dict[str, Any] = {
    "marks": {"marks": {str(uuid.UUID(int=1)): "present"}},
    "copy": {"from_session_id": str(uuid.UUID(int=1))},
    "everyone-else": {},
}


@pytest.mark.parametrize("form", FORMS)
def test_a_session_of_another_teacher_is_theirs_to_mark(room: Classroom, cast: Cast, form: str) -> None:
    path = f"/api/attendance/session/{room.session(session_date=DAY)}/{form}"
    assert cast.teacher().post(path, FORMS[form]).json["code"] == "not_your_class"
    own = cast.teacher().post("/api/admin/sessions", {"session_name": "Gym", "start_time": "2026-03-12T09:00:00Z",
                                                       "end_time": "2026-03-12T10:00:00Z"}).json["id"]  # fmt: skip
    assert room.teacher.post(f"/api/attendance/session/{own}/{form}", FORMS[form]).json["code"] == "not_your_session"
    assert room.students["Ada"].post(path, FORMS[form]).status_code == 403
    assert counts(cast)[1] == 0


def test_a_cancelled_session_refuses_marks_and_a_closed_one_is_corrected(room: Classroom, cast: Cast) -> None:
    session, (ada,) = room.session(session_date=DAY), of(room, "Ada")
    room.teacher.post(f"/api/attendance/session/{session}/close", {})
    assert session_marks(room, session, {ada: "excused"}).json["updated"] == 1
    cancel(cast, session)
    paths = {f"/api/attendance/session/{session}/{form}": body for form, body in FORMS.items()}
    single = {"student_id": ada, "class_id": room.id, "date": DAY, "status": "present"}
    paths |= {"/api/attendance": single, "/api/attendance/batch": {"records": [single]}}
    paths["/api/attendance/mark-attendance"] = {"session_id": session, "student_ids": [ada]}
    answers = [room.teacher.post(path, body) for path, body in paths.items()]
    assert {(a.status_code, a.json["code"]) for a in answers} == {(409, "session_cancelled")}
    assert said(room, session) == {"Ada": "excused", "Grace": "absent"}


def test_an_absence_that_somebody_marked_outlasts_opening_the_session_again(room: Classroom, cast: Cast) -> None:
    session, (ada,) = room.session(session_date=DAY), of(room, "Ada")
    room.teacher.post(f"/api/attendance/session/{session}/close", {})
    assert session_marks(room, session, {ada: "absent"}).json["updated"] == 1
    room.teacher.post(f"/api/attendance/session/{session}/reopen", {})
    assert said(room, session) == {"Ada": "absent"}


def test_a_day_is_marked_in_its_session_that_takes_place(room: Classroom, cast: Cast) -> None:
    cancelled, held = room.session(session_date=DAY), room.session(session_date=DAY)
    cancel(cast, cancelled)
    body = {"student_id": of(room, "Ada")[0], "class_id": room.id, "date": DAY, "status": "present"}
    assert room.teacher.post("/attendance/", body).json["records"][0]["session_id"] == held


def test_a_person_who_left_since_is_corrected_in_a_session_in_which_they_were_expected(
    room: Classroom, cast: Cast
) -> None:
    session, (ada,) = room.session(session_date=DAY), of(room, "Ada")
    with cast.app.app_context():
        for enrolment in db.session.scalars(select(Enrolment)):
            enrolment.ends_on = date(2026, 3, 20)
        db.session.commit()
    assert session_marks(room, session, {ada: "late"}).json["created"] == 1
    later = room.session(session_date="2026-03-21")
    assert session_marks(room, later, {ada: "late"}).json["code"] == "marks_refused"


def test_statuses_are_copied_from_another_session(room: Classroom, cast: Cast) -> None:
    room.join("Emmy")
    begin(cast)
    first, second = room.session(session_date=DAY), room.session(session_date=DAY)
    ada, grace, emmy = of(room, "Ada", "Grace", "Emmy")
    session_marks(room, first, {ada: "late", grace: "absent"})
    session_marks(room, second, {grace: "present"})
    path, body = f"/api/attendance/session/{second}/copy", {"from_session_id": first}
    copied = room.teacher.post(path, body)
    assert (copied.status_code, copied.json["created"], copied.json["updated"]) == (200, 1, 0)
    assert said(room, second) == {"Ada": "late", "Grace": "present"}
    assert room.teacher.post(path, body | {"only_unmarked": False}).json["updated"] == 1
    assert said(room, second) == {"Ada": "late", "Grace": "absent"}
    other = Classroom.open(cast)
    foreign = other.session(session_date=DAY)
    assert room.teacher.post(path, {"from_session_id": foreign}).json["code"] == "not_your_class"
    assert session_marks(room, second, {emmy: "excused"}).status_code == 200
    fremd = other.teacher.post(f"/api/attendance/session/{foreign}/copy", {"from_session_id": foreign})
    assert (fremd.status_code, fremd.json["created"]) == (200, 0)


def test_only_who_is_expected_gets_a_copy(room: Classroom, cast: Cast) -> None:
    first = room.session(session_date=DAY)
    session_marks(room, first, dict.fromkeys(of(room, "Ada", "Grace"), "present"))
    with cast.app.app_context():
        ada = db.session.scalars(select(Enrolment).where(Enrolment.student_id == room.students["Ada"].id)).one()
        ada.ends_on = date(2026, 3, 20)
        db.session.commit()
    later = room.session(session_date="2026-03-21")
    path = f"/api/attendance/session/{later}/copy"
    assert room.teacher.post(path, {"from_session_id": first}).json["created"] == 1
    assert said(room, later) == {"Grace": "present"}


def test_everyone_else_gets_a_status_in_one_go(room: Classroom, cast: Cast) -> None:
    session, (ada,) = room.session(session_date=DAY), of(room, "Ada")
    room.join("Emmy")
    begin(cast)
    session_marks(room, session, {ada: "absent"})
    path = f"/api/attendance/session/{session}/everyone-else"
    assert room.teacher.post(path, {"status": "here"}).json["code"] == "marks_refused"
    assert room.teacher.post(path, {}).json["created"] == 2
    assert said(room, session) == {"Ada": "absent", "Grace": "present", "Emmy": "present"}
    assert room.teacher.post(path, {"status": "late"}).json["created"] == 0


def test_everyone_else_marked_ten_times_at_once_is_marked_once(room: Classroom, cast: Cast) -> None:
    session = room.session(session_date=DAY)
    created: list[int] = []

    def call(number: int) -> Any:
        body = {"status": "present" if number % 2 else "late"}
        answer = twin(cast, room.teacher).post(f"/api/attendance/session/{session}/everyone-else", body)
        created.append(answer.json["created"])
        return answer

    assert at_once(call, 10) == {200: 10}
    assert (sum(created), counts(cast)) == (2, (1, 2))


def test_remarks_are_kept_and_changing_only_them_is_a_change(room: Classroom) -> None:
    session, (ada,) = room.session(session_date=DAY), of(room, "Ada")

    def mark(**more: str) -> Any:
        return session_marks(room, session, [{"student_id": ada, "status": "late"} | more])

    assert mark(remarks="bus").json["created"] == 1
    assert [mark(remarks="bus").json["updated"], mark().json["updated"]] == [0, 0]
    changed = mark(remarks="train").json
    assert (changed["updated"], changed["records"][0]["remarks"]) == (1, "train")
    (record,) = room.teacher.get(f"/api/attendance/session/{session}/records").json["items"]
    assert record["remarks"] == "train"
    assert mark(remarks="x" * 501).status_code == 422


def many(cast: Cast, size: int) -> tuple[Classroom, list[str]]:
    room = Classroom.open(cast)
    rows = [{"name": f"S{n}", "external_id": f"{size}-{n}", "role": "student"} for n in range(size)]
    admin = cast.person(Role.ADMIN)
    assert admin.post("/api/admin/import/users", {"rows": rows}).status_code == 200
    with cast.app.app_context():
        found = db.session.scalars(select(User.id).where(User.external_id.startswith(f"{size}-")))
        ids = [str(id_) for id_ in found]
    assert room.teacher.post(f"/api/classes/{room.id}/students", {"student_ids": ids}).status_code == 201
    begin(cast)
    return room, ids


def test_marking_two_hundred_takes_as_many_statements_as_marking_two(cast: Cast, maths: str) -> None:
    """Of all forms, by teacher and office, for new records and for changed ones: 12 at the most."""
    took: dict[int, dict[str, int]] = {}
    for size, day in ((2, "2026-03-12"), (200, "2026-03-13")):
        took[size] = {}
        room, ids = many(cast, size)
        admin = cast.person(Role.ADMIN)

        def taken(name: str, person: Person, path: str, body: Any, outcome: str, *, size: int = size) -> None:
            with counted(cast.app) as statements:
                answer = person.post(path, body)
            assert (answer.json[outcome], answer.status_code in {200, 201}) == (size, True), (name, answer.text)
            took[size][name] = sum(not said.startswith("BEGIN") for said in statements)  # SQLite's alone are seen

        def mixed(status: str, other: str, ids: list[str] = ids) -> dict[str, str]:
            return {id_: other if n % 2 else status for n, id_ in enumerate(ids)}

        in_map = {"date": day, "subject_id": maths}
        taken("map", room.teacher, "/api/attendance", in_map | {"attendance": mixed("present", "late")}, "created")
        taken("map again", room.teacher, "/api/attendance", in_map | {"attendance": mixed("late", "absent")}, "updated")
        batch = [{"student_id": id_, "class_id": room.id, "date": day, "status": "late"} for id_ in ids]
        taken("batch", room.teacher, "/api/attendance/batch", {"records": batch}, "created")
        for row in batch[::2]:
            row |= {"status": "present"}
        for row in batch[1::2]:
            row |= {"remarks": "bus"}
        taken("batch again", room.teacher, "/api/attendance/batch", {"records": batch}, "updated")
        taken("batch, office", admin, "/api/attendance/batch", {"records": batch}, "updated")
        session = room.session(session_date=day)
        path, listed = f"/api/attendance/session/{session}", {"session_id": session, "student_ids": ids}
        taken("session", room.teacher, f"{path}/marks", {"marks": mixed("absent", "excused")}, "created")
        taken("session again", room.teacher, f"{path}/marks", {"marks": mixed("leave", "absent")}, "updated")
        taken("list again", room.teacher, "/api/attendance/mark-attendance", listed, "newly_marked")
        taken("session, office", admin, f"{path}/marks", {"marks": mixed("late", "present")}, "updated")
        session = room.session(session_date=day)
        path, listed = f"/api/attendance/session/{session}", listed | {"session_id": session}
        taken("list", room.teacher, "/api/attendance/mark-attendance", listed, "newly_marked")
        path = f"/api/attendance/session/{room.session(session_date=day)}"
        taken("copy", room.teacher, f"{path}/copy", {"from_session_id": session}, "created")
        path = f"/api/attendance/session/{room.session(session_date=day)}"
        taken("everyone else", room.teacher, f"{path}/everyone-else", {}, "created")
    assert took[2] == took[200]
    assert max(took[200].values()) <= 12, took[200]


def test_two_who_mark_thirty_at_once_leave_one_whole_mark_of_each(cast: Cast) -> None:
    room, ids = many(cast, 30)
    session, other = room.session(session_date=DAY), cast.teacher(first_name="Emmy")
    room.teacher.post(f"/api/classes/{room.id}/teachers", {"teacher_id": str(other.id)})
    given = {"late": (room.teacher, "bus"), "absent": (other, "ill")}

    def call(number: int) -> Any:
        status = ("late", "absent")[number % 2]
        who, remarks = given[status]
        order = ids if number % 4 < 2 else ids[::-1]
        marks = [{"student_id": id_, "status": status, "remarks": remarks} for id_ in order]
        return twin(cast, who).post(f"/api/attendance/session/{session}/marks", {"marks": marks})

    for _ in range(2):  # records that are new, then records that are there
        assert at_once(call, 4) == {200: 4}
        with cast.app.app_context():
            records = db.session.scalars(select(Record)).all()
            marks = db.session.scalars(select(RecordMark)).all()
            whole = {(r.status.value, r.marked_by_id, r.remarks) for r in records}
        assert len(records) == 30
        assert whole <= {(status, who.id, remarks) for status, (who, remarks) in given.items()}
    assert len(marks) == 240
