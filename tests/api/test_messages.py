"""Messages: who writes to whom, and what becomes of it."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db, limiter
from app.models import Notification, NotificationKind, Role, UserSettings
from app.services import messages
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
from tests.story import Classroom

WORDS = {"subject": "Museum on Friday", "text": "Bring something to eat."}


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    return room


@pytest.fixture
def ada(room: Classroom) -> Person:
    return room.students["Ada"]


def send(person: Person, **values: Any) -> Any:
    return person.post("/api/messages", WORDS | values)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def notified(cast: Cast) -> dict[uuid.UUID | None, Notification]:
    with cast.app.app_context():
        return {row.user_id: row for row in db.session.scalars(select(Notification))}


def test_a_class_and_its_parents_are_told_once_each(
    cast: Cast, room: Classroom, ada: Person, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    grace = room.students["Grace"]
    of_ada, of_both = cast.parent(ada), cast.parent(ada, grace)
    cast.student()
    now = clock.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    answer = send(room.teacher, class_id=room.id, user_ids=[str(grace.id)])
    assert (answer.status_code, answer.json["people"]) == (201, 4)
    rows = notified(cast)
    assert rows.keys() == {ada.id, grace.id, of_ada.id, of_both.id}
    said = WORDS | {"from_id": str(room.teacher.id), "from_name": "Mary Somerville"}
    name = admin.get(f"/api/students/{ada.id}").json["name"]
    assert rows[of_ada.id].data == said | {"student_name": name}
    assert rows[of_both.id].data == rows[grace.id].data == said
    assert [rows[id_].student_id for id_ in (of_ada.id, of_both.id, ada.id)] == [ada.id, None, None]
    for user_id, row in rows.items():
        assert (row.kind, row.key) == (NotificationKind.MESSAGE, f"message:{answer.json['id']}:{user_id}")
        assert (str(row.about_id), row.mail_due_at, row.read_at) == (answer.json["id"], now, None)


@pytest.mark.parametrize("to", ["parents", "students"])
def test_named_students_or_their_parents(cast: Cast, ada: Person, to: str) -> None:
    people = {"students": ada.id, "parents": cast.parent(ada).id}
    assert send(cast.teacher(), student_ids=[str(ada.id)], to=[to]).status_code == 201
    assert notified(cast).keys() == {people[to]}


@pytest.mark.parametrize(("chosen", "is_mailed"), [("at_once", True), ("daily", True), ("never", False)])
def test_it_is_mailed_unless_its_reader_has_chosen_otherwise(
    cast: Cast, ada: Person, admin: Person, chosen: str, is_mailed: bool
) -> None:
    with cast.app.app_context():
        own = {"organisation_id": cast.organisation(), "user_id": ada.id}
        make(UserSettings, **own, notifications={"message": chosen})
    send(admin, user_ids=[str(ada.id)])
    assert (notified(cast)[ada.id].mail_due_at is not None) is is_mailed


def test_a_teacher_writes_to_a_class_that_they_teach_an_administrator_to_any(
    cast: Cast, room: Classroom, admin: Person
) -> None:
    assert told(send(cast.teacher(), class_id=room.id)) == (403, "not_your_class")
    assert send(admin, class_id=room.id).json["people"] == 2


def test_families_write_to_teachers_of_their_classes_and_to_nobody_else(
    cast: Cast, room: Classroom, ada: Person, admin: Person
) -> None:
    parent, teacher, other = cast.parent(ada), room.teacher, cast.teacher()
    for person in (ada, parent):
        assert send(person, user_ids=[str(teacher.id)]).json["people"] == 1
        for values in (
            {"user_ids": [str(teacher.id), str(other.id)]},
            {"user_ids": [str(admin.id)]},
            {"user_ids": [str(room.students["Grace"].id)]},
            {"user_ids": [str(teacher.id)], "class_id": room.id},
            {"user_ids": [str(teacher.id)], "student_ids": [str(ada.id)]},
        ):
            assert told(send(person, **values)) == (404, "not_found"), values
    assert notified(cast).keys() == {teacher.id}
    ada.post(f"/api/classes/{room.id}/leave")
    for person in (ada, parent):
        assert told(send(person, user_ids=[str(teacher.id)])) == (404, "not_found")
    assert told(send(cast.person(Role.EMPLOYEE), user_ids=[str(teacher.id)])) == (403, "role_not_allowed")


@pytest.mark.parametrize("field", ["student_ids", "user_ids", "class_id"])
def test_who_does_not_exist_is_named_and_nobody_is_told(cast: Cast, admin: Person, ada: Person, field: str) -> None:
    unknown = str(uuid.uuid4())
    named: Any = unknown if field == "class_id" else [str(ada.id), unknown]
    answer = send(admin, **{field: named})
    assert told(answer) == (404, "not_found")
    assert answer.json.get("ids", [unknown]) == [unknown]
    assert notified(cast) == {}


def test_a_message_is_to_somebody(cast: Cast, room: Classroom, ada: Person, admin: Person) -> None:
    assert told(send(room.teacher)) == (422, "invalid_input")
    assert told(send(room.teacher, class_id=room.id, to=[])) == (422, "invalid_input")
    for values in ({"class_id": room.id, "to": ["parents"]}, {"user_ids": [str(room.teacher.id)]}):
        assert told(send(room.teacher, **values)) == (409, "nobody_to_tell")
    assert admin.delete(f"/api/students/{ada.id}").status_code == 200
    assert told(send(admin, student_ids=[str(ada.id)])) == (409, "nobody_to_tell")


def test_too_many_at_once_are_refused(
    cast: Cast, room: Classroom, admin: Person, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MOST_PEOPLE", 1)
    assert told(send(admin, class_id=room.id)) == (400, "too_many_people")
    assert told(send(admin, student_ids=[str(ada.id)], user_ids=[str(cast.teacher().id)])) == (400, "too_many_people")
    assert notified(cast) == {}


def test_families_write_twenty_an_hour_and_staff_as_many_as_they_like(cast: Cast, room: Classroom, ada: Person) -> None:
    limiter.enabled = True
    body = {"user_ids": [str(room.teacher.id)]}
    assert [send(ada, **body).status_code for _ in range(21)] == [201] * 20 + [429]
    assert [send(room.teacher, student_ids=[str(ada.id)]).status_code for _ in range(21)] == [201] * 21


def test_a_repeat_with_the_same_key_tells_nobody_again(room: Classroom, ada: Person) -> None:
    body = WORDS | {"class_id": room.id}
    answers = [room.teacher.post("/api/messages", body, headers={"Idempotency-Key": "once"}) for _ in range(2)]
    assert answers[0].json == answers[1].json
    assert room.teacher.get("/api/messages/sent").json["total"] == 1


def test_one_sees_what_one_has_sent_the_latest_first(room: Classroom, ada: Person) -> None:
    for subject in ("First", "Second"):
        send(room.teacher, class_id=room.id, subject=subject)
    page = room.teacher.get("/api/messages/sent").json
    assert [(m["subject"], m["people"], m["text"]) for m in page["items"]] == [
        ("Second", 2, WORDS["text"]),
        ("First", 2, WORDS["text"]),
    ]
    assert ada.get("/api/messages/sent").json["items"] == []


def test_however_many_are_told_the_statements_are_as_many(cast: Cast, room: Classroom) -> None:
    numbers = []
    for names in (("Mary",), ("Emmy", "Lise", "Sofia", "Hypatia")):
        for name in names:
            cast.parent(room.join(name))
        with counted(cast.app) as said:
            assert send(room.teacher, class_id=room.id).status_code == 201
        numbers.append(len(said))
    assert numbers[0] == numbers[1]


def test_a_message_is_erased_with_who_wrote_it_and_with_whom_it_is_about(
    cast: Cast, room: Classroom, ada: Person, admin: Person
) -> None:
    parent = cast.parent(ada)
    send(parent, user_ids=[str(room.teacher.id)])
    send(room.teacher, student_ids=[str(ada.id)], to=["parents"])
    assert notified(cast).keys() == {room.teacher.id, parent.id}
    assert admin.post(f"/api/admin/users/{ada.id}/erase", {}).status_code == 200
    assert notified(cast).keys() == {room.teacher.id}
    assert room.teacher.get("/api/messages/sent").json["items"] == []
    assert admin.post(f"/api/admin/users/{parent.id}/erase", {}).status_code == 200
    assert notified(cast) == {}
