"""Alerts: opened once when a student is at risk, kept up to date, acknowledged, and closed when it holds no more."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, select

from app import clock
from app.extensions import db
from app.models import (
    Alert,
    BehaviourKind,
    Event,
    EventKind,
    Organisation,
    Record,
    Role,
    Status,
    Subject,
    User,
    UserStatus,
)
from app.services import alerts
from app.services.at_risk import at_risk
from tests.conftest import Cast, Person
from tests.factories import make, make_user
from tests.marks import Teaching
from tests.statements import counted
from tests.story import Classroom
from tests.test_races import at_once, twin

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)
ABSENT, PRESENT, EXCUSED = Status.ABSENT, Status.PRESENT, Status.EXCUSED
NEGATIVE, POSITIVE = BehaviourKind.NEGATIVE, BehaviourKind.POSITIVE
Later = Callable[[float], None]


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> Later:
    def set_days(days: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(days=days))

    set_days(0)
    return set_days


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    return room


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def ada(room: Classroom) -> uuid.UUID:
    id_ = room.students["Ada"].id
    assert id_
    return id_


@pytest.fixture
def teaching(cast: Cast, room: Classroom) -> Teaching:
    with cast.app.app_context():
        return Teaching(cast.organisation(), room.teacher.id, NOON.date())


@pytest.fixture
def subject(cast: Cast, teaching: Teaching) -> uuid.UUID:
    with cast.app.app_context():
        return make(Subject, organisation_id=teaching.organisation_id, name="Maths").id


def refresh(cast: Cast) -> None:
    with cast.app.app_context():
        alerts.refresh()


def listed(person: Person, query: str = "") -> list[Any]:
    answer = person.get(f"/api/alerts?{query}")
    assert answer.status_code == 200, answer.text
    items: list[Any] = answer.json["items"]
    return items


def events(cast: Cast) -> list[tuple[EventKind, str]]:
    with cast.app.app_context():
        return [(event.kind, str(event.about_id)) for event in db.session.scalars(select(Event).order_by(Event.id))]


def decide(cast: Cast, **at_risk: Any) -> None:
    with cast.app.app_context():
        row = db.session.get_one(Organisation, cast.organisation())
        row.settings = row.settings | {"at_risk": at_risk}
        db.session.commit()


def test_each_kind_says_why_with_its_figures(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID, subject: uuid.UUID
) -> None:
    with cast.app.app_context():
        teaching.records(ada, PRESENT, PRESENT, EXCUSED, ABSENT, ABSENT, ABSENT)
        teaching.marks(ada, subject, 30, 45.5)
        teaching.notes(ada, NEGATIVE, 4)
        teaching.notes(ada, POSITIVE, 9)
    refresh(cast)
    told = {item["kind"]: (item["reason"], item["figures"]) for item in listed(admin)}
    assert told == {
        "low_attendance": (
            "Attendance of 40 % in the last 30 days (5 sessions), below 75 %",
            {"value": 40, "threshold": 75, "count": 5, "days": 30},
        ),
        "low_marks": (
            "An average of 37.75 % in the last 90 days (2 assessments), below 50 %",
            {"value": 37.75, "threshold": 50, "count": 2, "days": 90},
        ),
        "behaviour": (
            "4 negative behaviour notes in the last 30 days, where 3 are an alert",
            {"value": 4, "threshold": 3, "count": 4, "days": 30},
        ),
        "consecutive_absences": (
            "3 sessions missed in a row, where 3 are an alert",
            {"value": 3, "threshold": 3, "count": 6, "days": 30},
        ),
    }
    assert {item["student"]["first_name"] for item in listed(admin)} == {"Ada"}


def test_what_is_not_enough_or_not_below_raises_none(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID, subject: uuid.UUID
) -> None:
    grace = cast.student().id
    with cast.app.app_context():
        teaching.records(ada, ABSENT, ABSENT)
        teaching.notes(ada, NEGATIVE, 2)
        teaching.records(ada, *[ABSENT] * 9, ago=31)
        teaching.marks(ada, subject, 10, 10, ago=91)
        teaching.notes(ada, NEGATIVE, 5, ago=31)
        teaching.records(grace, ABSENT, PRESENT, PRESENT, PRESENT, ABSENT, PRESENT, PRESENT, PRESENT)
        teaching.marks(grace, subject, 50, 50)
    refresh(cast)
    assert listed(admin) == []


def test_an_alert_is_opened_once_over_daily_refreshes_and_keeps_its_figures_fresh(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID, later: Later
) -> None:
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3)
    for day in range(3):
        later(day)
        refresh(cast)
        with cast.app.app_context():
            teaching.notes(ada, NEGATIVE, 1)
    (alert,) = listed(admin)
    assert alert["opened_at"].startswith("2026-03-12T12:00")
    assert alert["figures"]["value"] == 5
    assert events(cast) == [(EventKind.ALERT_OPENED, alert["id"])]


def test_an_alert_closes_when_it_holds_no_more_and_opens_anew_when_it_holds_again(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID, later: Later
) -> None:
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3, ago=20)
    refresh(cast)
    later(10)
    refresh(cast)
    (closed,) = listed(admin)
    assert (closed["is_open"], closed["closed_at"][:10]) == (False, "2026-03-22")
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3, ago=-10)
    refresh(cast)
    again = listed(admin, "open=true")[0]["id"]
    assert [item["id"] for item in listed(admin)] == [again, closed["id"]]
    kinds = [EventKind.ALERT_OPENED, EventKind.ALERT_CLOSED, EventKind.ALERT_OPENED]
    assert events(cast) == list(zip(kinds, [closed["id"], closed["id"], again], strict=True))


def test_an_open_alert_stays_while_fewer_sessions_say_the_same(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID, later: Later
) -> None:
    with cast.app.app_context():
        teaching.records(ada, PRESENT, ABSENT, PRESENT, ABSENT, ABSENT, ago=10)
    refresh(cast)
    later(16)
    refresh(cast)
    (alert,) = listed(admin, "open=true")
    assert (alert["kind"], alert["figures"]["count"]) == ("low_attendance", 4)
    later(20)
    refresh(cast)
    assert listed(admin, "open=true") == []


def test_an_acknowledged_alert_stays_so_until_it_closes(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID, later: Later
) -> None:
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3, ago=20)
    refresh(cast)
    (alert,) = listed(admin)
    path = f"/api/alerts/{alert['id']}/acknowledge"
    seen = admin.post(path, {"note": "Spoke with the parents"})
    assert (seen.status_code, seen.json["acknowledged_by_id"]) == (200, str(admin.id))
    later(1)
    refresh(cast)
    assert listed(admin, "acknowledged=false") == []
    (still,) = listed(admin, "open=true&acknowledged=true")
    assert (still["note"], still["acknowledged_at"]) == ("Spoke with the parents", seen.json["acknowledged_at"])
    later(10)
    refresh(cast)
    refused = admin.post(path, {})
    assert (refused.status_code, refused.json["code"]) == (409, "alert_closed")


def test_who_is_not_active_any_more_has_no_open_alert(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID
) -> None:
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3)
    refresh(cast)
    assert admin.delete(f"/api/students/{ada}").status_code == 200
    refresh(cast)
    assert [item["is_open"] for item in listed(admin)] == [False]


def test_a_kind_that_the_organisation_does_not_want_is_closed(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID
) -> None:
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3)
        teaching.records(ada, ABSENT, ABSENT, ABSENT)
    refresh(cast)
    decide(cast, kinds=["consecutive_absences"])
    refresh(cast)
    assert [item["kind"] for item in listed(admin, "open=true")] == ["consecutive_absences"]


def test_administrators_see_all_teachers_their_students_and_others_none(
    cast: Cast, admin: Person, room: Classroom, teaching: Teaching, ada: uuid.UUID
) -> None:
    stranger, other = cast.student(), cast.teacher()
    with cast.app.app_context():
        for student_id in (ada, stranger.id):
            teaching.notes(student_id, NEGATIVE, 3)
    refresh(cast)
    alert_of = {item["student_id"]: item["id"] for item in listed(admin)}
    for person, expected in ((admin, {ada, stranger.id}), (room.teacher, {ada}), (other, set[uuid.UUID]())):
        seen = {str(id_) for id_ in expected}
        assert {item["student_id"] for item in listed(person)} == seen
        dashboard = person.get("/api/dashboard/alerts").json
        assert {item["student_id"] for item in dashboard["behavioral_concerns"]} == seen
        assert dashboard["totals"]["behavioral_concerns"] == len(seen)
        for student_id, alert_id in alert_of.items():
            status = 200 if student_id in seen else 404
            assert person.get(f"/api/alerts/{alert_id}").status_code == status
            assert person.post(f"/api/alerts/{alert_id}/acknowledge", {}).status_code == status
    for role in (Role.PARENT, Role.STUDENT):
        assert cast.person(role).get("/api/alerts").json["code"] == "role_not_allowed"


def test_a_list_is_filtered(cast: Cast, admin: Person, room: Classroom, teaching: Teaching, ada: uuid.UUID) -> None:
    stranger = cast.student()
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3)
        teaching.records(ada, ABSENT, ABSENT, ABSENT)
        teaching.notes(stranger.id, NEGATIVE, 3)
    refresh(cast)
    for query, expected in (
        ("kind=behaviour", 2),
        (f"class_id={room.id}", 3),
        (f"class_id={room.id}&kind=behaviour", 1),
        (f"student_id={stranger.id}", 1),
        ("open=false", 0),
        ("acknowledged=true", 0),
        ("per_page=1&sort=opened_at", 1),
    ):
        assert len(listed(admin, query)) == expected, query
    assert admin.get("/api/alerts?kind=sadness").status_code == 422


def test_an_administrator_refreshes_their_own_organisation_at_once(
    cast: Cast, admin: Person, room: Classroom, teaching: Teaching, ada: uuid.UUID
) -> None:
    foreign = cast.person(Role.ADMIN, organisation_id=cast.other_organisation())
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3)
    assert foreign.post("/api/alerts/refresh").json == {"opened": 0, "closed": 0, "open": 0}
    assert admin.post("/api/alerts/refresh").json == {"opened": 1, "closed": 0, "open": 1}
    assert admin.post("/api/alerts/refresh").json == {"opened": 0, "closed": 0, "open": 1}
    assert room.teacher.post("/api/alerts/refresh").status_code == 403


def test_several_who_refresh_at_once_open_and_tell_once(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID
) -> None:
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3)
        teaching.records(ada, ABSENT, ABSENT, ABSENT)
    assert at_once(lambda _: twin(cast, admin).post("/api/alerts/refresh"), 4) == {200: 4}
    assert len(listed(admin)) == len(events(cast)) == 3
    with cast.app.app_context():
        db.session.get_one(User, ada).status = UserStatus.INACTIVE
        db.session.commit()
    assert at_once(lambda _: twin(cast, admin).post("/api/alerts/refresh"), 4) == {200: 4}
    assert [kind for kind, _ in events(cast)] == [EventKind.ALERT_OPENED] * 3 + [EventKind.ALERT_CLOSED] * 3


def test_what_somebody_else_has_opened_meanwhile_is_newer(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, ticks = at_risk, itertools.count()
    monkeypatch.setattr(clock, "now", lambda: NOON + timedelta(milliseconds=next(ticks)))

    def find_slowly(*given: Any) -> Any:
        """And meanwhile a third note is written, and found by somebody who is quicker."""
        holding = found(*given)
        monkeypatch.setattr(alerts, "at_risk", found)
        teaching.notes(ada, NEGATIVE, 3)
        assert twin(cast, admin).post("/api/alerts/refresh").json["opened"] == 1
        return holding

    with cast.app.app_context():
        teaching.records(ada, *[ABSENT] * 3)
    refresh(cast)
    monkeypatch.setattr(alerts, "at_risk", find_slowly)
    with cast.app.app_context():
        db.session.execute(delete(Record))
        db.session.commit()
    refresh(cast)
    assert [item["kind"] for item in listed(admin, "open=true")] == ["behaviour"]
    assert [kind for kind, _ in events(cast)].count(EventKind.ALERT_OPENED) == 3


def test_an_organisation_that_fails_holds_up_no_other(
    cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID
) -> None:
    foreign = cast.other_organisation()
    with cast.app.app_context():
        db.session.get_one(Organisation, foreign).settings = {"at_risk": "nonsense"}
        db.session.get_one(Organisation, foreign).name = " comes first"
        db.session.commit()
        teaching.notes(ada, NEGATIVE, 3)
    refresh(cast)
    assert len(listed(admin)) == 1


def test_of_many_students_a_refresh_takes_as_many_statements_as_of_few(
    cast: Cast, admin: Person, teaching: Teaching, subject: uuid.UUID, later: Later
) -> None:
    numbers = []
    for many in (3, 30):
        with cast.app.app_context():
            own = {"organisation_id": teaching.organisation_id, "role": Role.STUDENT}
            students = [make_user(**own).id for _ in range(many)]
            for id_ in students:
                teaching.notes(id_, NEGATIVE, 3, ago=20)
                teaching.marks(id_, subject, 20, 30, ago=80)
        later(0)
        for day in (0, 1):
            if day:
                with cast.app.app_context():
                    for id_ in students:
                        teaching.marks(id_, subject, 40, ago=80)
            with counted(cast.app) as said:
                refresh(cast)
            numbers.append(len(said))
            assert admin.get("/api/alerts?open=true").json["total"] == 2 * many
        later(10)
        with counted(cast.app) as said:
            refresh(cast)
        numbers.append(len(said))
    assert numbers[:3] == numbers[3:]


def test_an_erased_students_alerts_are_gone(cast: Cast, admin: Person, teaching: Teaching, ada: uuid.UUID) -> None:
    with cast.app.app_context():
        teaching.notes(ada, NEGATIVE, 3)
    refresh(cast)
    assert admin.post(f"/api/admin/users/{ada}/erase", {}).status_code == 200
    with cast.app.app_context():
        assert db.session.scalars(select(Alert)).all() == []
