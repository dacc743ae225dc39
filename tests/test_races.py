"""Many at once: the database's constraint decides, one wins, nobody gets a 5xx."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from sqlalchemy import func, select

from app.extensions import db
from app.models import ClassTeacher, Enrolment, FaceTemplate, Holiday, Record, Role, SecondFactor, StudentProfile, User
from tests.conftest import Cast, Person
from tests.factories import PASSWORD
from tests.pictures import astronaut, data_url, encode
from tests.story import Classroom, consent

AT_ONCE = 50


def at_once(call: Callable[[int], Any], times: int = AT_ONCE) -> Counter[int]:
    """How many of the simultaneous calls were answered with which status."""
    start = Barrier(times)

    def one(number: int) -> int:
        start.wait()
        return int(call(number).status_code)

    with ThreadPoolExecutor(times) as pool:
        return Counter(pool.map(one, range(times)))


def rows(cast: Cast, model: Any) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def twin(cast: Cast, person: Person) -> Person:
    """The same person on another device."""
    return Person(cast.app.test_client(), person.id, token=person.token)


def test_fifty_joins_of_one_student_are_one_enrolment(cast: Cast) -> None:
    room, student = Classroom.open(cast), cast.student()
    body = {"join_code": room.join_code}
    answers = at_once(lambda _: twin(cast, student).post("/api/classes/join", body))
    assert answers == {201: 1, 409: AT_ONCE - 1}
    assert rows(cast, Enrolment) == 1


def test_ten_beginnings_of_one_second_factor_are_one(cast: Cast) -> None:
    student = cast.student()
    body = {"password": PASSWORD}
    assert at_once(lambda _: twin(cast, student).post("/api/auth/second-factor", body), 10) == {201: 10}
    assert rows(cast, SecondFactor) == 1


def test_fifty_marks_of_one_session_are_one_record_each(cast: Cast) -> None:
    room = Classroom.open(cast)
    for n in range(5):
        room.join(f"Student {n}")
    session, ids = room.session(), [str(s.id) for s in room.students.values()]
    newly: list[int] = []

    def mark(number: int) -> Any:
        order = ids if number % 2 else ids[::-1]
        body = {"session_id": session, "student_ids": order}
        answer = twin(cast, room.teacher).post("/api/attendance/mark-attendance", body)
        newly.append(answer.json["newly_marked"])
        return answer

    assert at_once(mark) == {200: AT_ONCE}
    assert (rows(cast, Record), sum(newly)) == (5, 5)


def test_fifty_registrations_with_one_email_are_one_account(cast: Cast) -> None:
    body = {"email": "ada@school.test", "password": PASSWORD, "first_name": "Ada", "role": "student"}
    answers = at_once(lambda _: cast.nobody.post("/api/auth/signup", body))
    assert answers == {201: 1, 409: AT_ONCE - 1}
    assert rows(cast, User) == 1


def test_uploads_at_once_do_not_exceed_what_may_be_stored(cast: Cast) -> None:
    student = cast.student()
    consent(student)
    body = {"images": [data_url(encode(astronaut()))] * 3}
    answers = at_once(lambda _: twin(cast, student).post("/api/face-data/multiple-upload", body), times=5)
    assert answers == {201: 2, 409: 3}
    assert rows(cast, FaceTemplate) == 6


def test_a_picture_that_was_being_read_when_consent_was_withdrawn_is_not_stored(cast: Cast) -> None:
    student = cast.student()
    consent(student)
    body = {"image": data_url(encode(astronaut()))}

    def call(number: int) -> Any:
        person = twin(cast, student)
        return (
            person.post("/api/face-data/consent", {"accepted": False})
            if number
            else person.post("/api/face-data/upload", body)
        )

    answers = at_once(call, times=2)
    assert answers in ({200: 1, 403: 1}, {200: 1, 201: 1})
    assert rows(cast, FaceTemplate) == 0


def test_an_import_sent_ten_times_at_once_is_imported_once(cast: Cast) -> None:
    admin = cast.person(Role.ADMIN)
    rows_ = [{"name": f"Student {n}", "roll_number": f"R-{n}", "department": "Science"} for n in range(20)]
    answers = at_once(lambda _: twin(cast, admin).post("/api/admin/import/users", {"rows": rows_}), 10)
    assert set(answers) <= {200, 409}
    assert rows(cast, StudentProfile) == 20


def test_a_calendar_sent_ten_times_at_once_is_imported_once(cast: Cast) -> None:
    admin = cast.person(Role.ADMIN)
    event = "BEGIN:VEVENT\r\nUID:1\r\nDTSTART;VALUE=DATE:20260403\r\nSUMMARY:Easter\r\nEND:VEVENT"
    body = {"calendar": f"BEGIN:VCALENDAR\r\n{event}\r\nEND:VCALENDAR\r\n"}
    answers = at_once(lambda _: twin(cast, admin).post("/api/holidays/import", body), 10)
    assert set(answers) <= {200, 409}
    assert rows(cast, Holiday) == 1


def test_a_teacher_who_is_added_ten_times_at_once_is_added_once(cast: Cast) -> None:
    room, other = Classroom.open(cast), cast.teacher()
    body = {"teacher_id": str(other.id), "role": "assistant"}
    answers = at_once(lambda _: twin(cast, room.teacher).post(f"/api/classes/{room.id}/teachers", body), 10)
    assert answers == {200: 10}
    assert rows(cast, ClassTeacher) == 2
