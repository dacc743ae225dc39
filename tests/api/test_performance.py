"""Performance: what marks and attendance come to together, and who may see it."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

import pytest

from app import clock
from app.extensions import db
from app.models import Class, Guardian, Organisation, Role, Status, Subject, UserStatus
from tests.conftest import Cast, Person
from tests.factories import make, make_user
from tests.marks import Teaching
from tests.statements import counted
from tests.story import Classroom

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)
ABSENT, PRESENT, LATE = Status.ABSENT, Status.PRESENT, Status.LATE


@pytest.fixture(autouse=True)
def at_noon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock, "now", lambda: NOON)


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    return room


@pytest.fixture
def ada(room: Classroom) -> Person:
    return room.students["Ada"]


@pytest.fixture
def teaching(cast: Cast, room: Classroom) -> Teaching:
    with cast.app.app_context():
        return Teaching(cast.organisation(), room.teacher.id, NOON.date())


@pytest.fixture
def subject(cast: Cast, teaching: Teaching, room: Classroom) -> uuid.UUID:
    """Of the room's class."""
    with cast.app.app_context():
        subject = make(Subject, organisation_id=teaching.organisation_id, name="Maths")
        db.session.get_one(Class, uuid.UUID(room.id)).subject_id = subject.id
        db.session.commit()
        return subject.id


def get(person: Person, path: str) -> Any:
    answer = person.get(f"/api/{path}")
    assert answer.status_code == 200, answer.text
    return answer.json


def test_a_high_performer_reaches_both_the_average_and_the_attendance(
    cast: Cast, room: Classroom, teaching: Teaching, subject: uuid.UUID, ada: Person
) -> None:
    grace = room.students["Grace"].id
    with cast.app.app_context():
        teaching.marks(ada.id, subject, 80, 90)
        teaching.records(ada.id, PRESENT, LATE, PRESENT, ABSENT)
        teaching.marks(grace, subject, 84.9)
        teaching.records(grace, PRESENT)
        own = {"organisation_id": teaching.organisation_id, "role": Role.STUDENT}
        absent, unmarked, left = (make_user(**own, status=s).id for s in (*[UserStatus.ACTIVE] * 2, "inactive"))
        teaching.marks(absent, subject, 100)
        teaching.records(absent, PRESENT, ABSENT)
        teaching.records(unmarked, PRESENT)
        teaching.marks(left, subject, 100)
        teaching.records(left, PRESENT, ABSENT)
    assert get(room.teacher, "dashboard/summary") == {
        "total_students": 4,
        "average_score": 88.72,
        "attendance_rate": 75.0,
        "high_performers": 1,
    }
    for student_id, expected in ((ada.id, True), (grace, False), (absent, False), (unmarked, False)):
        told = get(room.teacher, f"dashboard/students/{student_id}/performance")
        assert told["is_high_performer"] is expected


def test_who_is_a_high_performer_is_the_organisations_to_say(
    cast: Cast, room: Classroom, teaching: Teaching, subject: uuid.UUID, ada: Person
) -> None:
    with cast.app.app_context():
        teaching.marks(ada.id, subject, 60)
        teaching.records(ada.id, PRESENT, ABSENT)
        row = db.session.get_one(Organisation, teaching.organisation_id)
        row.settings = row.settings | {"assessments": {"high_performer": 60}, "required_rate": 0.5}
        db.session.commit()
    assert get(room.teacher, "dashboard/summary")["high_performers"] == 1


def test_without_marks_and_records_there_are_no_figures(room: Classroom, ada: Person) -> None:
    told = get(ada, f"dashboard/students/{ada.id}/performance")
    assert (told["average_score"], told["attendance_rate"], told["is_high_performer"]) == (None, None, False)
    assert told["subject_breakdown"] == []
    nothing = {"average_score": None, "attendance_rate": None}
    assert [(trend["days"], trend["before"], trend["change"]) for trend in told["trends"]] == [
        (30, nothing, nothing),
        (90, nothing, nothing),
        (365, nothing, nothing),
    ]


def test_trends_compare_days_with_as_many_before_them(
    cast: Cast, teaching: Teaching, subject: uuid.UUID, ada: Person
) -> None:
    with cast.app.app_context():
        for ago, score in ((0, 90), (29, 80), (30, 60), (59, 50), (89, 40), (365, 10)):
            teaching.marks(ada.id, subject, score, ago=ago)
        teaching.records(ada.id, PRESENT, ago=29)
        teaching.records(ada.id, ABSENT, ago=30)
    told = get(ada, f"dashboard/students/{ada.id}/performance")
    month, quarter, year = told["trends"]
    assert (month["start_date"], month["end_date"]) == ("2026-02-11", "2026-03-12")
    assert (month["average_score"], month["before"]["average_score"]) == (85, 55)
    assert month["change"] == {"average_score": 30, "attendance_rate": 100}
    assert (quarter["average_score"], quarter["before"]["average_score"]) == (64, None)
    assert (quarter["attendance_rate"], quarter["change"]["average_score"]) == (50, None)
    assert (year["average_score"], year["before"]["average_score"], year["change"]["average_score"]) == (64, 10, 54)
    assert (told["average_score"], told["attendance_rate"]) == (64, 50)


def test_a_students_subjects_and_all_subjects_are_told_with_their_grades(
    cast: Cast, room: Classroom, teaching: Teaching, subject: uuid.UUID, ada: Person
) -> None:
    with cast.app.app_context():
        music = make(Subject, organisation_id=teaching.organisation_id, name="Music").id
        teaching.marks(ada.id, subject, 70, 80)
        teaching.records(ada.id, PRESENT, ABSENT, class_id=uuid.UUID(room.id))
        teaching.records(ada.id, PRESENT, subject_id=music)
        teaching.marks(room.students["Grace"].id, subject, 100)
    maths = {"subject": "Maths", "subject_id": str(subject), "attendance_rate": 50}
    of_ada = get(ada, f"dashboard/students/{ada.id}/performance")["subject_breakdown"]
    assert of_ada == [
        maths | {"assessments": 2, "average_score": 75, "grade": "C"},
        {
            "subject": "Music", "subject_id": str(music), "assessments": 0, "average_score": None, "grade": None,
            "attendance_rate": 100,
        },
    ]  # fmt: skip
    of_all = get(room.teacher, "dashboard/subject-performance")
    assert of_all["items"][0] == maths | {"assessments": 3, "average_score": 83.33, "grade": "B"}
    assert (of_all["total"], of_all["items"][1]["subject"]) == (2, "Music")
    before = get(room.teacher, "dashboard/subject-performance?end_date=2026-03-01&per_page=1")["items"]
    assert [(one["assessments"], one["attendance_rate"]) for one in before] == [(0, None)]
    own_class = get(room.teacher, f"dashboard/subject-performance?class_id={room.id}")["items"]
    assert [one["attendance_rate"] for one in own_class] == [50, None]


def test_each_sees_their_own_performance_and_nobody_elses(cast: Cast, room: Classroom, ada: Person) -> None:
    grace, parent, admin = room.students["Grace"], cast.person(Role.PARENT), cast.person(Role.ADMIN)
    with cast.app.app_context():
        own = {"organisation_id": cast.organisation()}
        make(Guardian, **own, student_id=ada.id, parent_id=parent.id, name="Annabella")
    foreign = cast.student(organisation_id=cast.other_organisation())
    for person, expected in (
        (ada, {ada.id}),
        (parent, {ada.id}),
        (grace, {grace.id}),
        (cast.person(Role.PARENT), set[uuid.UUID]()),
        (cast.teacher(), {ada.id, grace.id}),
        (admin, {ada.id, grace.id}),
    ):
        for id_ in (ada.id, grace.id, foreign.id, room.teacher.id):
            answer = person.get(f"/api/dashboard/students/{id_}/performance")
            assert answer.status_code == (200 if id_ in expected else 404)
    for path in ("summary", "subject-performance", "alerts"):
        assert parent.get(f"/api/dashboard/{path}").json["code"] == "role_not_allowed"


def test_the_summary_takes_as_many_statements_for_many_as_for_few(
    cast: Cast, room: Classroom, teaching: Teaching, subject: uuid.UUID
) -> None:
    numbers = []
    for many in (1, 10):
        with cast.app.app_context():
            for _ in range(many):
                id_ = make_user(organisation_id=teaching.organisation_id, role=Role.STUDENT).id
                teaching.marks(id_, subject, 90)
                teaching.records(id_, PRESENT)
        with counted(cast.app) as said:
            get(room.teacher, "dashboard/summary")
        numbers.append(len(said))
    assert numbers[0] == numbers[1]


def classmates(cast: Cast, room: Classroom, teaching: Teaching, subject: uuid.UUID, *both: tuple[int, float]) -> None:
    """Students who were there in so many of four sessions, and have this mark."""
    with cast.app.app_context():
        for there, score in both:
            id_ = make_user(organisation_id=teaching.organisation_id, role=Role.STUDENT).id
            statuses = [PRESENT] * there + [ABSENT] * (4 - there)
            teaching.records(id_, *statuses, class_id=uuid.UUID(room.id))
            teaching.marks(id_, subject, score)


def test_attendance_and_marks_correlate_by_pearsons_r(
    cast: Cast, room: Classroom, teaching: Teaching, subject: uuid.UUID, ada: Person
) -> None:
    classmates(cast, room, teaching, subject, (4, 90), (3, 70), (2, 80), (1, 40))
    with cast.app.app_context():
        teaching.records(ada.id, PRESENT, class_id=uuid.UUID(room.id))
        other = make(Subject, organisation_id=teaching.organisation_id).id
        teaching.marks(ada.id, other, 0)
    told = get(room.teacher, f"reports/classes/{room.id}/correlation")
    assert (told["r"], told["students"]) == (0.8367, 4)  # 1750 / sqrt(3125 x 1400)
    assert {(point["attendance_rate"], point["average_score"]) for point in told["points"]} == {
        (100, 90),
        (75, 70),
        (50, 80),
        (25, 40),
    }


@pytest.mark.parametrize(
    "both", [[(4, 90), (1, 40)], [(4, 90), (4, 40), (4, 50)], [(4, 50), (3, 50), (1, 50)], [(4, 100 / 9)] * 3]
)
def test_without_enough_students_or_differences_there_is_no_r(
    cast: Cast, room: Classroom, teaching: Teaching, subject: uuid.UUID, both: list[tuple[int, float]]
) -> None:
    classmates(cast, room, teaching, subject, *both)
    told = get(room.teacher, f"reports/classes/{room.id}/correlation")
    assert (told["r"], told["students"]) == (None, len(both))


def test_the_correlation_is_for_the_classs_teachers_and_administrators(cast: Cast, room: Classroom) -> None:
    path = f"/api/reports/classes/{room.id}/correlation"
    other, admin = cast.teacher(), cast.person(Role.ADMIN)
    assert (other.get(path).status_code, other.get(path).json["code"]) == (403, "not_your_class")
    assert admin.get(path).json["r"] is None
    assert admin.get(f"/api/reports/classes/{uuid.uuid4()}/correlation").status_code == 404
