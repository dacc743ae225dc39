"""Registers not taken: sessions that are over, and nobody marked anybody or checked in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from app import clock
from app.extensions import db
from app.models import Record, Role, Session, Source, Subject
from app.services import closing
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
from tests.story import Classroom

NINE = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the time, in minutes from nine on that Monday."""

    def set_time(minutes: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(minutes=minutes))

    set_time(-10_000)
    return set_time


@pytest.fixture
def room(cast: Cast, at: Any) -> Classroom:
    room = Classroom.open(cast)
    room.join("Ada")
    at(-60)
    return room


def lesson(person: Person, name: str, day: str = "2026-03-02", **values: Any) -> str:
    body = {"session_name": name, "start_time": f"{day}T09:00:00Z", "end_time": f"{day}T10:00:00Z"}
    answer = person.post("/admin/sessions", body | values)
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def missing(person: Person, **filters: Any) -> list[str]:
    query = {"sort": "name"} | filters
    answer = person.get("/attendance/registers-not-taken", query_string=query)
    assert answer.status_code == 200, answer.text
    return [item["session_name"] for item in answer.json["items"]]


def test_what_is_over_and_nobody_took(room: Classroom, cast: Cast, at: Any) -> None:
    marked, checked_in, cancelled = (lesson(room.teacher, name, class_id=room.id) for name in ("m", "c", "x"))
    lesson(room.teacher, "forgotten", class_id=room.id)
    lesson(room.teacher, "tomorrow", "2026-03-03", class_id=room.id)
    lesson(room.teacher, "event", is_event=True)
    room.session(session_name="by hand yesterday", session_date="2026-03-01")
    room.session(session_name="by hand today", session_date="2026-03-02")
    room.mark(marked, "Ada")
    room.teacher.post(f"/attendance/session/{cancelled}/cancel", {})
    at(0)
    assert missing(room.teacher) == ["by hand yesterday"]
    room.students["Ada"].post("/check-in", {"session_id": checked_in})
    at(90)
    assert missing(room.teacher) == ["by hand yesterday", "forgotten"]
    with cast.app.app_context():
        closing.close_due()
    assert missing(room.teacher) == ["by hand yesterday", "forgotten"]  # that it closed is no register


@pytest.mark.parametrize(("source", "is_taken"), [(Source.LEAVE, False), (Source.CLOSE, False), (Source.GATE, True)])
def test_what_comes_by_itself_is_no_register(
    room: Classroom, cast: Cast, at: Any, source: Source, is_taken: bool
) -> None:
    session = lesson(room.teacher, "Stars", class_id=room.id)
    with cast.app.app_context():
        row = db.session.query(Session).one()
        assert str(row.id) == session
        ada = room.students["Ada"].id
        make(Record, organisation_id=row.organisation_id, session_id=row.id, student_id=ada, source=source)
    at(90)
    assert missing(room.teacher) == ([] if is_taken else ["Stars"])


def test_whose_they_are_and_of_which_days(room: Classroom, cast: Cast, at: Any) -> None:
    other = Classroom.open(cast)
    with cast.app.app_context():
        subject = make(Subject, organisation_id=room.teacher.organisation_id, teacher_id=room.teacher.id).id
    admin = cast.person(Role.ADMIN, first_name="Max", last_name="Planck")
    lesson(room.teacher, "stars", "2026-02-27", class_id=room.id)
    lesson(other.teacher, "rocks", class_id=other.id)
    lesson(admin, "subject", subject_id=str(subject))
    lesson(admin, "everybody")
    at(90)
    assert missing(admin) == ["everybody", "rocks", "stars", "subject"]
    assert missing(room.teacher) == ["stars", "subject"]
    assert missing(admin, class_id=other.id) == ["rocks"]
    assert missing(admin, start_date="2026-02-28") == ["everybody", "rocks", "subject"]
    assert missing(admin, end_date="2026-02-28") == ["stars"]
    items = admin.get("/attendance/registers-not-taken?sort=name").json["items"]
    assert [(i["class_name"], [t["name"] for t in i["teachers"]]) for i in items] == [
        (None, ["Max Planck"]),
        ("Astronomy", ["Mary Somerville"]),
        ("Astronomy", ["Mary Somerville"]),
        (None, ["Mary Somerville"]),
    ]
    assert (items[2]["class_id"], items[2]["session_date"], items[2]["end_time"][:16]) == (
        room.id,
        "2026-02-27",
        "2026-02-27T10:00",
    )
    assert admin.get(f"/attendance/registers-not-taken?class_id={subject}").status_code == 404
    assert room.students["Ada"].get("/attendance/registers-not-taken").status_code == 403


def test_statements_do_not_grow_with_the_list(room: Classroom, cast: Cast, at: Any) -> None:
    numbers = []
    at(90)
    for more in (1, 5):
        for n in range(more):
            lesson(room.teacher, f"lesson {n}", class_id=room.id)
        with counted(cast.app) as said:
            answer = room.teacher.get("/attendance/registers-not-taken?per_page=100")
        numbers.append(len(said))
    assert numbers[0] == numbers[1]
    assert answer.json["total"] == 6
