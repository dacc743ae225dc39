"""Portals: all that a teacher, a student or a parent begins the day with, and nothing of anybody else's children."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest

from app import clock
from app.models import (
    BehaviourKind,
    BehaviourNote,
    Participation,
    Record,
    Role,
    Session,
    Source,
    Status,
    Subject,
    TeacherAssignment,
    Term,
    Verification,
)
from tests.conftest import Cast, Person
from tests.factories import make
from tests.marks import Teaching
from tests.statements import counted
from tests.story import Classroom


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    return room


@pytest.fixture
def teaching(room: Classroom) -> Teaching:
    assert room.teacher.organisation_id
    return Teaching(room.teacher.organisation_id, room.teacher.id, clock.today("UTC"))


def get(person: Person, portal: str) -> Any:
    answer = person.get(f"/api/portal/{portal}")
    assert answer.status_code == 200, answer.text
    return answer.json


def live(cast: Cast, room: Classroom, teaching: Teaching, student: Person) -> None:
    """Three lessons, one of them missed, two marks, three notes of which the family may see one, an event and leave."""
    with cast.app.app_context():
        own = {"organisation_id": room.teacher.organisation_id, "student_id": student.id}
        teaching.records(student.id, Status.PRESENT, Status.ABSENT, Status.LATE, class_id=uuid.UUID(room.id))
        subject = make(Subject, organisation_id=own["organisation_id"], name="Maths").id
        teaching.marks(student.id, subject, 70, 90)
        teaching.notes(student.id, BehaviourKind.NEGATIVE, 2)
        shown = {"category": "respect", "happened_on": teaching.today, "is_visible_to_family": True}
        shown |= {"follow_up": "Praise", "teacher_id": room.teacher.id}
        make(BehaviourNote, **own, **shown, kind=BehaviourKind.POSITIVE)
        make(Participation, **own, event="Chess cup", held_on=teaching.today, recorded_by_id=room.teacher.id)
    days = {"first_day": str(teaching.today), "last_day": str(teaching.today), "reason": "A wedding"}
    assert student.post("/api/leave-requests", days).status_code == 201
    message = {"subject": "Trip", "text": "At eight", "user_ids": [str(student.id)]}
    assert room.teacher.post("/api/messages", message).status_code == 201


def test_a_student_sees_their_own_life_in_one_call(cast: Cast, room: Classroom, teaching: Teaching) -> None:
    ada = room.students["Ada"]
    live(cast, room, teaching, ada)
    live(cast, room, teaching, room.students["Grace"])
    portal = get(ada, "student")
    life = portal["student"]
    assert life["attendance"]["attendance"]["rate"] == 0.6667
    assert (life["marks"]["average"], life["marks"]["grade"]) == (80, "B")
    assert [(one["subject_name"], one["average"]) for one in life["subjects"]] == [("Maths", 80)]
    assert life["behaviour"] == {"positive": 1, "negative": 0}
    assert {part: portal[part]["total"] for part in ("assessments", "notes", "participations", "leave_requests")} == {
        "assessments": 2, "notes": 1, "participations": 1, "leave_requests": 1,
    }  # fmt: skip
    assert portal["notes"]["items"][0]["follow_up"] is None
    assert [said["title"] for said in portal["messages"]["items"]] == ["Trip"]
    assert portal["unread"] == 1


def test_a_parent_sees_their_children_and_nothing_of_others(cast: Cast, room: Classroom, teaching: Teaching) -> None:
    ada, grace = room.students["Ada"], room.students["Grace"]
    for student in (ada, grace):
        live(cast, room, teaching, student)
    parent = cast.parent(ada)
    portal = get(parent, "parent")
    (child,) = portal["children"]
    assert child["attendance"]["student"]["id"] == str(ada.id)
    assert (child["marks"]["average"], child["behaviour"]) == (80, {"positive": 1, "negative": 0})
    assert portal["leave_requests"]["items"][0]["student_id"] == str(ada.id)
    said = json.dumps(portal)
    assert str(grace.id) not in said
    assert "conduct" not in said, "what families are not to see"
    assert get(cast.person(Role.PARENT), "parent")["children"] == []
    for path in ("teacher", "student"):
        assert parent.get(f"/api/portal/{path}").status_code == 403


def test_a_teacher_sees_what_there_is_to_do(cast: Cast, room: Classroom, teaching: Teaching) -> None:
    ada, today, own = room.students["Ada"], teaching.today, {"organisation_id": room.teacher.organisation_id}
    with cast.app.app_context():
        teaching.records(ada.id, *[Status.ABSENT] * 3, ago=1, class_id=uuid.UUID(room.id))
        subject = make(Subject, **own, name="Maths").id
        for name, first in (("Spring", today), ("Autumn", today + timedelta(days=100))):
            term = make(Term, **own, name=name, first_day=first, last_day=first + timedelta(days=90)).id
            of = {"teacher_id": room.teacher.id, "subject_id": subject, "class_id": uuid.UUID(room.id)}
            make(TeacherAssignment, **own, **of, term_id=term)
        doubtful = make(Session, **own, class_id=uuid.UUID(room.id), session_date=today, created_by_id=room.teacher.id)
        make(Record, **own, session_id=doubtful.id, student_id=ada.id, status=Status.ABSENT, source=Source.CHECK_IN,
             verification=Verification.PENDING, marked_by_id=ada.id)  # fmt: skip
    assert cast.person(Role.ADMIN).post("/api/alerts/refresh").status_code == 200
    portal = get(room.teacher, "teacher")
    assert [one["name"] for one in portal["attendance"]["classes"]] == ["Astronomy"]
    assert [one["id"] for one in portal["attendance"]["today"]] == [str(doubtful.id)]
    assert portal["attendance"]["reviews"] == portal["reviews"]["total"] == 1
    assert portal["reviews"]["items"][0]["student"]["id"] == str(ada.id)
    assert [(one["subject_name"], one["term_name"]) for one in portal["assignments"]] == [("Maths", "Spring")]
    assert {alert["kind"] for alert in portal["alerts"]["items"]} >= {"consecutive_absences"}
    assert (portal["messages"]["items"], portal["unread"]) == ([], 0)
    assert get(cast.teacher(), "teacher")["alerts"]["items"] == []


def test_statements_do_not_grow_with_children(cast: Cast, room: Classroom, teaching: Teaching) -> None:
    live(cast, room, teaching, room.students["Ada"])
    numbers = []
    for children in (1, 3):
        while len(room.students) < children:
            room.join(f"Child {len(room.students)}")
        students = list(room.students.values())[:children]
        for student in students[1:]:
            live(cast, room, teaching, student)
        parent = cast.parent(*students)
        with counted(cast.app) as statements:
            assert len(get(parent, "parent")["children"]) == children
        numbers.append(len(statements))
    assert numbers[0] >= numbers[1] - 3, "each list is counted once it does not fit its page"
