"""Notifications: what happened is told to whom it concerns, once, as it is when it is told."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, select

from app import clock
from app.extensions import db
from app.models import (
    Alert,
    AlertKind,
    Enrolment,
    Event,
    EventKind,
    Guardian,
    Mail,
    Notification,
    NotificationKind,
    Organisation,
    Role,
    UserSettings,
)
from app.services import alerts, closing, delivery, notification_mails, retention, telling
from app.services.wording import Words
from tests.conftest import Cast, Person
from tests.factories import make, make_user
from tests.mail_server import MailServer, free_port
from tests.mails import mailed
from tests.statements import counted
from tests.story import Classroom

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
LESSON = {"session_name": "Maths", "start_time": "2026-03-12T09:00:00Z", "end_time": "2026-03-12T10:00:00Z"}
ABSENT = "Ada was absent from Maths"


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Sets the time, in minutes from nine on that Thursday."""

    def set_time(minutes: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(minutes=minutes))

    set_time(-60)
    return set_time


@pytest.fixture
def room(cast: Cast, at: Any) -> Classroom:
    at(-10_000)
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    at(-60)
    return room


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN, first_name="Head")


@pytest.fixture
def parent(cast: Cast, room: Classroom) -> Person:
    return cast.parent(room.students["Ada"])


def lesson(room: Classroom, days: int = 0, **values: Any) -> str:
    """In which Grace is, and Ada is not."""
    times = {name: f"{NINE + timedelta(days=days, hours=hour):%Y-%m-%dT%H:%M:%SZ}"
             for name, hour in (("start_time", 0), ("end_time", 1))}  # fmt: skip
    answer = room.teacher.post("/admin/sessions", LESSON | {"class_id": room.id} | times | values)
    assert answer.status_code == 201, answer.text
    room.mark(answer.json["id"], "Grace")
    return str(answer.json["id"])


def work(cast: Cast) -> None:
    """What the schedules would do now, but to hand mail over."""
    with cast.app.app_context():
        closing.close_due()
        telling.tell_due()
        notification_mails.mail_due()


def decide(cast: Cast, **rules: Any) -> None:
    with cast.app.app_context():
        organisation = db.session.get_one(Organisation, cast.organisation())
        organisation.settings = organisation.settings | {"notifications": rules}
        db.session.commit()


def choose(cast: Cast, person: Person, **mailings: str) -> None:
    with cast.app.app_context():
        own = {"organisation_id": person.organisation_id, "user_id": person.id}
        make(UserSettings, **own, notifications=mailings)


def alert_at(cast: Cast, absences: int) -> None:
    """So many in a row are an alert, of which everybody is told whom it concerns."""
    with cast.app.app_context():
        organisation = db.session.get_one(Organisation, cast.organisation())
        organisation.settings = organisation.settings | {"at_risk": {"consecutive_absences": absences}}
        db.session.commit()


def refresh(cast: Cast) -> None:
    with cast.app.app_context():
        alerts.refresh()


def told(person: Person) -> list[str]:
    return [item["title"] for item in person.get("/api/notifications").json["items"]]


def subjects(cast: Cast, person: Person) -> list[str]:
    with cast.app.app_context():
        return list(db.session.scalars(select(Mail.subject).where(Mail.recipient == person.email).order_by(Mail.id)))


def mark(room: Classroom, session: str, name: str, status: str) -> None:
    marks = [{"student_id": str(room.students[name].id), "status": status}]
    answer = room.teacher.post(f"/attendance/session/{session}/marks", {"marks": marks})
    assert answer.status_code == 200, answer.text


def test_a_parent_is_told_once_some_time_after_the_session_has_closed(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    lesson(room)
    at(80)
    work(cast)
    at(94)
    work(cast)
    assert told(parent) == []
    at(95.1)
    for _ in "abc":
        work(cast)
    (item,) = parent.get("/api/notifications").json["items"]
    assert (item["kind"], item["title"], item["read_at"]) == ("absence", ABSENT, None)
    assert item["student_id"] == str(room.students["Ada"].id)
    assert subjects(cast, parent) == [ABSENT]
    assert "on March 12, 2026, 9:00" in mailed(cast, parent.email)[0]
    assert told(room.students["Ada"]) == told(room.students["Grace"]) == told(room.teacher) == []


@pytest.mark.parametrize("then", ["present", "excused", "on leave", "reopened"])
def test_who_is_not_absent_any_more_when_it_is_time_to_tell_is_not_told_of(
    cast: Cast, room: Classroom, parent: Person, at: Any, then: str
) -> None:
    session = lesson(room)
    at(80)
    work(cast)
    if then == "on leave":
        room.leave("Ada", "2026-03-12", "2026-03-12")
    elif then == "reopened":
        assert room.teacher.post(f"/attendance/session/{session}/reopen", {"reason": "too early"}).status_code == 200
    else:
        mark(room, session, "Ada", then)
    at(95.1)
    with cast.app.app_context():
        telling.tell_due()
        notification_mails.mail_due()
    assert [title for title in told(parent) if title == ABSENT] == []
    assert ABSENT not in subjects(cast, parent)


def test_a_session_that_nobody_took_tells_nobody(cast: Cast, room: Classroom, parent: Person, at: Any) -> None:
    assert room.teacher.post("/admin/sessions", LESSON | {"class_id": room.id}).status_code == 201
    at(80)
    work(cast)
    at(100)
    work(cast)
    assert told(parent) == []


def test_ten_who_tell_and_mail_at_once_tell_once(cast: Cast, room: Classroom, parent: Person, at: Any) -> None:
    lesson(room)
    at(80)
    work(cast)
    at(100)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: work(cast), range(10)))
    assert told(parent) == subjects(cast, parent) == [ABSENT]


def test_what_was_corrected_while_the_mail_server_was_down_is_not_mailed(
    cast: Cast, room: Classroom, parent: Person, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = cast.person(Role.ADMIN)
    other = cast.parent(room.join("Mary"))
    server = MailServer(free_port())
    monkeypatch.setattr(cast.app.extensions["settings"], "smtp_url", SecretStr(server.url))
    session = lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    with cast.app.app_context():
        delivery.send_due()  # nobody answers
    mark(room, session, "Ada", "present")
    at(160)
    with server.open(), cast.app.app_context():
        for _ in "ab":
            delivery.send_due()
    assert [message["To"] for message in server.received] == [other.email]
    log = admin.get("/api/admin/notifications").json["items"]
    assert {(row["user"]["id"], row["mail"]["status"]) for row in log} == {(str(other.id), "sent")}
    with cast.app.app_context():
        assert db.session.scalar(select(Mail.status).where(Mail.recipient == parent.email)) == "withdrawn"
    assert told(parent) == []


def test_a_mail_that_is_corrected_at_the_last_moment_is_not_handed_over(
    cast: Cast, room: Classroom, parent: Person, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = MailServer(free_port())
    monkeypatch.setattr(cast.app.extensions["settings"], "smtp_url", SecretStr(server.url))
    session = lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    seen = delivery._due

    def due_then_corrected() -> Any:
        found = seen()
        mark(room, session, "Ada", "present")
        return found

    monkeypatch.setattr(delivery, "_due", due_then_corrected)
    with server.open(), cast.app.app_context():
        delivery.send_due()
    assert server.received == []


def test_an_absence_that_comes_back_after_its_mail_was_withdrawn_is_told_again(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    session = lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    assert room.teacher.post(f"/attendance/session/{session}/reopen", {"reason": "x"}).status_code == 200
    with cast.app.app_context():
        delivery.send_due()
    at(120)
    work(cast)
    at(140)
    work(cast)
    assert subjects(cast, parent) == [ABSENT, ABSENT]
    assert told(parent) == [ABSENT]
    with cast.app.app_context():
        statuses = db.session.scalars(select(Mail.status).where(Mail.recipient == parent.email).order_by(Mail.id)).all()
    assert statuses == ["withdrawn", "queued"]


@pytest.mark.parametrize("mailing", ["at_once", "daily"])
def test_one_that_cannot_be_worded_holds_up_no_other(
    cast: Cast, room: Classroom, at: Any, monkeypatch: pytest.MonkeyPatch, mailing: str
) -> None:
    part = {"at_once": "of", "daily": "digest"}[mailing]
    parents = [cast.parent(room.students["Ada"]) for _ in "ab"]
    for parent in parents:
        choose(cast, parent, absence=mailing)
    lesson(room)
    at(80)
    work(cast)
    worded = getattr(Words, part)
    failed: list[Any] = []

    def fails_once(*given: Any) -> Any:
        if not failed:
            failed.append(given)
            raise ValueError("no words")
        return worded(*given)

    monkeypatch.setattr(Words, part, fails_once)
    for minutes in (100, 481):
        at(minutes)
        work(cast)
    assert sorted(len(mailed(cast, parent.email)) for parent in parents) == [0, 1]


@pytest.mark.parametrize("later", ["marked", "leave withdrawn", "register taken"])
def test_who_turns_out_to_be_absent_after_the_session_has_closed_is_told_of(
    cast: Cast, room: Classroom, parent: Person, at: Any, later: str
) -> None:
    leave = room.leave("Ada", "2026-03-12", "2026-03-12") if later == "leave withdrawn" else None
    if later == "register taken":
        session = room.teacher.post("/admin/sessions", LESSON | {"class_id": room.id}).json["id"]
    else:
        session = lesson(room)
    if later == "marked":
        mark(room, session, "Ada", "present")
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    assert ABSENT not in told(parent)
    if leave:
        assert room.teacher.post(f"/api/leave-requests/{leave}/withdraw", {}).status_code == 200
    elif later == "marked":
        mark(room, session, "Ada", "absent")
    else:
        mark(room, session, "Grace", "present")
    at(114)
    work(cast)
    assert ABSENT not in told(parent)
    at(115.1)
    work(cast)
    assert told(parent).count(ABSENT) == 1


def test_what_was_marked_after_more_than_a_week_is_not_told_of(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    session = lesson(room)
    mark(room, session, "Ada", "present")
    at(80)
    work(cast)
    at(8 * 24 * 60)
    mark(room, session, "Ada", "absent")
    at(9 * 24 * 60)
    work(cast)
    assert told(parent) == []


def test_a_row_of_absences_that_was_broken_is_not_mailed(cast: Cast, room: Classroom, parent: Person, at: Any) -> None:
    decide(cast, escalate_after=2)
    for day in range(2):
        session = lesson(room, day)
        for minutes in (80, 100):
            at(day * 24 * 60 + minutes)
            work(cast)
    row = "Ada: absences in a row: 2"
    assert told(room.teacher) == subjects(cast, room.teacher) == [row]
    mark(room, session, "Ada", "present")
    with cast.app.app_context():
        delivery.send_due()
    assert mailed(cast, room.teacher.email) == [""]
    assert told(room.teacher) == []


def test_quiet_hours_keep_mail_back_until_their_end_where_the_organisation_is(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    decide(cast, quiet_from="21:00", quiet_until="07:00")
    with cast.app.app_context():
        db.session.get_one(Organisation, cast.organisation()).time_zone = "Europe/Paris"
        db.session.commit()
    lesson(room, start_time="2026-03-28T19:00:00Z", end_time="2026-03-28T19:30:00Z")
    evening = datetime(2026, 3, 28, 19, 50, tzinfo=UTC)  # 20:50; the clocks go forward that night
    minutes = (evening - NINE).total_seconds() / 60
    for passed in (0, 20, 60, (9 * 60) + 9):
        at(minutes + passed)
        work(cast)
        assert subjects(cast, parent) == []
    assert told(parent) == [ABSENT]
    at(minutes + 9 * 60 + 11)  # 05:01 UTC, where it is 07:01
    work(cast)
    assert subjects(cast, parent) == [ABSENT]


def test_what_could_not_be_sent_waits_for_the_end_of_the_quiet_hours(
    cast: Cast, room: Classroom, parent: Person, at: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    admin = cast.person(Role.ADMIN)
    decide(cast, quiet_from="11:00", quiet_until="13:00")
    server = MailServer(free_port())
    monkeypatch.setattr(cast.app.extensions["settings"], "smtp_url", SecretStr(server.url))
    lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    with cast.app.app_context():
        delivery.send_due()  # nobody answers
    assert admin.post("/api/admin/mails/test").status_code == 200
    with server.open(), cast.app.app_context():
        for minutes, received in ((125, [admin.email]), (239, [admin.email]), (240, [admin.email, parent.email])):
            at(minutes)
            delivery.send_due()
            assert [message["To"] for message in server.received] == received


def test_quiet_hours_are_kept_in_as_many_statements_however_many_mails_wait(
    cast: Cast, room: Classroom, at: Any
) -> None:
    taken = []
    for day, parents in ((0, 1), (1, 5)):
        for _ in range(parents):
            cast.parent(room.students["Ada"])
        decide(cast)
        lesson(room, day)
        for minutes in (80, 100):
            at(day * 24 * 60 + minutes)
            work(cast)
        decide(cast, quiet_from="10:00", quiet_until="13:00")
        with cast.app.app_context(), counted(cast.app) as said:
            delivery.send_due()
        taken.append(len(said))
        with cast.app.app_context():
            assert set(db.session.scalars(select(Mail.status))) == {"queued"}
    assert taken[0] == taken[1]


def test_a_daily_mail_that_was_missed_waits_for_the_end_of_the_quiet_hours_and_keeps_its_day(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    decide(cast, quiet_from="21:00", quiet_until="07:00")
    choose(cast, parent, absence="daily")
    lesson(room)
    for minutes in (80, 100, 14 * 60, 21 * 60 + 59):  # nothing ran at 17:00, but at 23:00 and at 6:59
        at(minutes)
        work(cast)
    assert subjects(cast, parent) == []
    at(22 * 60)
    work(cast)
    assert len(subjects(cast, parent)) == 1
    lesson(room, 1)
    for minutes in (80, 100, 480):
        at(24 * 60 + minutes)
        work(cast)
    assert len(subjects(cast, parent)) == 2


@pytest.mark.parametrize("mailing", ["at_once", "daily"])
def test_who_wants_no_mail_any_more_gets_none_that_has_waited(
    cast: Cast, room: Classroom, parent: Person, at: Any, mailing: str
) -> None:
    decide(cast, quiet_from="10:00", quiet_until="13:00")
    chosen = {"notifications": {"absence": mailing}}
    assert parent.put("/api/users/me/settings", chosen).status_code == 200
    lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    assert parent.put("/api/users/me/settings", {"notifications": {"absence": "never"}}).status_code == 200
    at(500)
    work(cast)
    assert (told(parent), subjects(cast, parent)) == ([ABSENT], [])


def test_the_daily_mail_has_what_still_holds_and_comes_once(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    choose(cast, parent, absence="daily")
    first, second = (lesson(room, session_name=name) for name in ("Maths", "Music"))
    for minutes in (80, 100, 479):
        at(minutes)
        work(cast)
    assert len(told(parent)) == 2
    assert subjects(cast, parent) == []
    mark(room, first, "Ada", "present")
    at(3 * 24 * 60)  # nothing ran at 17:00
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: work(cast), range(4)))
    (text,) = mailed(cast, parent.email)
    assert "Ada was absent from Music" in text
    assert "Maths" not in text
    mark(room, second, "Ada", "present")
    with cast.app.app_context():
        delivery.send_due()
    at(4 * 24 * 60)
    work(cast)
    assert len(subjects(cast, parent)) == 1


def test_a_daily_mail_that_had_to_wait_is_written_anew_without_what_was_corrected(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    choose(cast, parent, absence="daily")
    first, _ = (lesson(room, session_name=name) for name in ("Maths", "Music"))
    for minutes in (80, 100, 481):
        at(minutes)
        work(cast)
    mark(room, first, "Ada", "present")
    with cast.app.app_context():
        delivery.send_due()
    work(cast)
    withdrawn, text = mailed(cast, parent.email)
    assert withdrawn == ""
    assert "Music" in text
    assert "Maths" not in text


def test_who_wants_no_mail_or_cannot_get_any_is_told_in_the_app(
    cast: Cast, admin: Person, room: Classroom, parent: Person, at: Any
) -> None:
    gone = cast.parent(room.students["Ada"])
    choose(cast, parent, absence="never")
    lesson(room)
    at(80)
    work(cast)
    assert admin.post(f"/api/admin/users/{gone.id}/suspend", {"reason": "x"}).status_code == 200
    at(100)
    work(cast)
    assert told(parent) == [ABSENT]
    assert subjects(cast, parent) == [] == [s for s in subjects(cast, gone) if s == ABSENT]


@pytest.mark.parametrize("wanted", [True, False])
def test_guardians_without_an_account_are_mailed_where_the_organisation_wants_it(
    cast: Cast, room: Classroom, parent: Person, at: Any, wanted: bool
) -> None:
    admin = cast.person(Role.ADMIN)
    decide(cast, guardians_without_account=wanted)
    own = {"organisation_id": room.teacher.organisation_id, "student_id": room.students["Ada"].id}
    with cast.app.app_context():
        for address in ("aunt@home.test", "aunt@home.test", parent.email):
            make(Guardian, **own, parent_id=None, email=address)
    lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    assert subjects(cast, parent) == [ABSENT]
    assert len(mailed(cast, "aunt@home.test")) == wanted
    log = admin.get("/api/admin/notifications").json["items"]
    assert {row["address"] for row in log if row["user"] is None} == ({"aunt@home.test"} if wanted else set())


def test_after_three_absences_in_a_row_guardians_and_the_teacher_are_told_once(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    for day in range(5):
        lesson(room, day)
        for minutes in (80, 100):
            at(day * 24 * 60 + minutes)
            work(cast)
        row = "Ada: absences in a row: 3"
        assert (row in told(parent), row in told(room.teacher)) == (day >= 2, day >= 2)
    assert len(told(room.teacher)) == 1
    assert len(told(parent)) == 5 + 1
    assert "since March 12, 2026" in mailed(cast, room.teacher.email)[-1]


def test_a_session_is_told_of_in_as_many_statements_however_many_are_absent(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    own = {"organisation_id": room.teacher.organisation_id}
    taken = []
    for absent, day in ((3, 0), (30, 1)):
        with cast.app.app_context():
            for _ in range(absent):
                student, guardian = (make_user(role=role, **own).id for role in (Role.STUDENT, Role.PARENT))
                make(Guardian, **own, student_id=student, parent_id=guardian)
                make(Enrolment, **own, class_id=uuid.UUID(room.id), student_id=student, starts_on=date(2026, 1, 1))
        lesson(room, day)
        at(day * 24 * 60 + 80)
        work(cast)
        at(day * 24 * 60 + 100)
        with counted(cast.app) as said:
            work(cast)
        taken.append(len(said))
    assert taken[0] == taken[1]


def test_a_changed_session_is_told_of_once_as_it_is_then(cast: Cast, room: Classroom, parent: Person, at: Any) -> None:
    session = lesson(room)
    path = f"/attendance/session/{session}"
    for hour in ("10", "11"):
        times = {"start_time": f"2026-03-12T{hour}:00:00Z", "end_time": f"2026-03-12T{hour}:30:00Z"}
        assert room.teacher.put(path, times).status_code == 200
        work(cast)
    at(-54)
    work(cast)
    at(-40)
    work(cast)
    assert told(parent) == told(room.students["Grace"]) == ["Maths has changed"]
    assert "11:00" in mailed(cast, parent.email)[0]
    assert room.teacher.post(f"{path}/cancel", {"reason": "snow"}).status_code == 200
    assert room.teacher.post(f"{path}/restore", {"reason": "no snow"}).status_code == 200
    at(-30)
    work(cast)
    assert len(told(parent)) == 1
    assert room.teacher.post(f"{path}/cancel", {"reason": "snow"}).status_code == 200
    at(-20)
    work(cast)
    assert told(parent) == ["Maths is cancelled", "Maths has changed"]


def test_changes_are_told_of_when_the_last_of_them_has_stood_for_five_minutes(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    path = f"/attendance/session/{lesson(room)}"
    for minutes, hour in ((-60, 10), (-56, 11)):
        at(minutes)
        times = {"start_time": f"2026-03-12T{hour}:00:00Z", "end_time": f"2026-03-12T{hour}:30:00Z"}
        assert room.teacher.put(path, times).status_code == 200
    at(-55)
    work(cast)
    assert told(parent) == []
    at(-51)
    for _ in "ab":
        work(cast)
    assert told(parent) == ["Maths has changed"]
    assert "11:00" in mailed(cast, parent.email)[0]


@pytest.mark.parametrize("language", ["en", "ar"])
def test_a_changed_place_is_named(cast: Cast, room: Classroom, parent: Person, at: Any, language: str) -> None:
    assert parent.put("/api/users/me/settings", {"language": language}).status_code == 200
    path = f"/attendance/session/{lesson(room)}"
    hall = {"name": "Main hall", "latitude": 38.7223, "longitude": -9.1393}
    yard = {"polygon": [[38.7, -9.1], [38.7, -9.2], [38.8, -9.2]]}
    for minutes, sites, named in (
        (-50, [hall], "Main hall"),
        (-40, [hall | {"name": ""}], "38.7223, -9.1393"),
        (-30, [hall, yard | {"name": "Yard"}], "Main hall, Yard"),
        (-20, [yard], ""),
    ):
        assert room.teacher.put(path, {"policy": {"sites": sites}}).status_code == 200
        at(minutes)
        work(cast)
        text = mailed(cast, parent.email)[-1]
        assert named in text
        assert ("{" in text, "None" in text, "Main hall" in text) == (False, False, "Main hall" in named)
    assert len(told(parent)) == 4


def test_a_cancelled_series_is_one_notification(cast: Cast, room: Classroom, parent: Person, at: Any) -> None:
    body = {"class_id": room.id, "name": "Maths", "first_day": "2026-03-12", "starts_at": "09:00", "minutes": 60}
    assert room.teacher.post("/admin/timetables", body | {"rule": "FREQ=WEEKLY"}).status_code == 201
    sessions = room.teacher.get("/admin/sessions", query_string={"sort": "session_date"}).json["items"]
    path = f"/attendance/session/{sessions[0]['id']}/cancel"
    assert room.teacher.post(path, {"scope": "following", "reason": "x"}).status_code == 200
    at(-50)
    work(cast)
    (item,) = parent.get("/api/notifications").json["items"]
    assert item["kind"] == "session_cancelled"
    assert "those that follow, until April 9, 2026" in item["text"] or "until April 2, 2026" in item["text"]


def series(room: Classroom) -> list[str]:
    body = {"class_id": room.id, "name": "Maths", "first_day": "2026-03-12", "starts_at": "09:00", "minutes": 60}
    assert room.teacher.post("/admin/timetables", body | {"rule": "FREQ=WEEKLY"}).status_code == 201
    sessions = room.teacher.get("/admin/sessions", query_string={"sort": "session_date"}).json["items"]
    return [f"/attendance/session/{session['id']}" for session in sessions]


AT_TEN = {"start_time": "2026-03-12T10:00:00Z", "end_time": "2026-03-12T11:00:00Z"}


def test_of_a_series_that_was_moved_the_first_that_is_cancelled_is_told_of_by_itself(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    first, *_ = series(room)
    assert room.teacher.put(f"{first}?scope=following", AT_TEN).status_code == 200
    assert room.teacher.post(f"{first}/cancel", {"reason": "snow"}).status_code == 200
    at(-50)
    work(cast)
    moved, cancelled = parent.get("/api/notifications").json["items"]
    assert (moved["kind"], cancelled["kind"]) == ("session_changed", "session_cancelled")
    assert "March 19, 2026" in moved["text"]
    assert "follow, until" in moved["text"]
    assert "follow" not in cancelled["text"]


def test_those_that_stay_cancelled_are_told_of_when_the_first_is_restored(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    first, *_ = series(room)
    for path in (f"{first}/cancel", f"{first}/restore"):
        scope = "following" if path.endswith("cancel") else "this"
        assert room.teacher.post(path, {"scope": scope, "reason": "x"}).status_code == 200
    at(-50)
    work(cast)
    (item,) = parent.get("/api/notifications").json["items"]
    assert item["kind"] == "session_cancelled"
    assert "March 19, 2026" in item["text"]
    assert "follow, until" in item["text"]


def test_a_series_that_is_restored_at_once_is_not_told_of(cast: Cast, room: Classroom, parent: Person, at: Any) -> None:
    first, *_ = series(room)
    for path in (f"{first}/cancel", f"{first}/restore"):
        assert room.teacher.post(path, {"scope": "following", "reason": "x"}).status_code == 200
    at(-50)
    work(cast)
    assert told(parent) == []


def test_decided_leave_is_told_to_who_asked_and_to_the_person(cast: Cast, room: Classroom, parent: Person) -> None:
    days = {"first_day": "2026-03-16", "last_day": "2026-03-17", "reason": "A wedding"}
    asked = parent.post("/api/leave-requests", days | {"student_id": str(room.students["Ada"].id)}).json
    decision = {"approve": False, "reason": "Exams"}
    assert room.teacher.post(f"/api/leave-requests/{asked['id']}/decision", decision).status_code == 200
    work(cast)
    assert told(parent) == told(room.students["Ada"]) == ["Leave of Ada is not approved"]
    assert told(room.teacher) == []


@pytest.mark.parametrize("to_guardians", [True, False])
def test_alerts_are_told_to_teachers_and_where_wanted_to_guardians(
    cast: Cast, room: Classroom, parent: Person, to_guardians: bool
) -> None:
    decide(cast, at_risk_to_guardians=to_guardians)
    own, student_id = {"organisation_id": room.teacher.organisation_id}, room.students["Ada"].id
    figures, opened_at = {"value": 60.0, "threshold": 75.0}, clock.now() - timedelta(minutes=15)
    with cast.app.app_context():
        alert = make(
            Alert, **own, student_id=student_id, kind=AlertKind.LOW_ATTENDANCE, figures=figures, opened_at=opened_at
        )
        make(Event, **own, kind=EventKind.ALERT_OPENED, about_id=alert.id, due_at=clock.now())
    work(cast)
    assert told(room.teacher) == ["Ada needs attention"]
    assert "Attendance of Ada is 60%; at least 75%" in mailed(cast, room.teacher.email)[0]
    assert told(parent) == (["Ada needs attention"] if to_guardians else [])


@pytest.mark.parametrize("then", ["absent", "present"])
def test_an_alert_of_attendance_is_told_of_no_sooner_than_absences(
    cast: Cast, room: Classroom, parent: Person, at: Any, then: str
) -> None:
    alert_at(cast, 1)
    session = lesson(room)
    for minutes in (80, 94):
        at(minutes)
        work(cast)
        refresh(cast)
        work(cast)
        assert told(parent) == told(room.teacher) == []
    mark(room, session, "Ada", then)
    at(95.1)
    refresh(cast)
    work(cast)
    assert told(room.teacher) == (["Ada needs attention"] if then == "absent" else [])
    assert sorted(told(parent)) == (["Ada needs attention", ABSENT] if then == "absent" else [])


def test_the_daily_mail_has_no_alert_that_is_closed_and_no_row_of_absences_that_ended(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    alert_at(cast, 2)
    decide(cast, escalate_after=2)
    choose(cast, parent, absence="daily", absences_in_a_row="daily", at_risk="daily")
    first, second = (lesson(room, session_name=name) for name in ("Maths", "Music"))
    for minutes in (80, 96, 112):
        at(minutes)
        refresh(cast)
        work(cast)
    assert {"Ada: absences in a row: 2", "Ada needs attention"} < set(told(parent))
    for session in (first, second):
        mark(room, session, "Ada", "excused")
    lesson(room, session_name="Art", end_time="2026-03-12T11:00:00Z")
    at(481)
    refresh(cast)
    work(cast)
    at(500)
    work(cast)
    at(24 * 60 + 481)
    work(cast)
    (text,) = mailed(cast, parent.email)
    assert "Ada was absent from Art" in text
    assert "in a row" not in text
    assert "attention" not in text


def notes(room: Classroom, number: int, **values: Any) -> list[str]:
    body = {"student_id": str(room.students["Ada"].id), "kind": "negative", "category": "Talking", "notes": "Loud"}
    written = [room.teacher.post("/api/behaviour", body | values) for _ in range(number)]
    assert {answer.status_code for answer in written} == {201}
    return [answer.json["id"] for answer in written]


def test_guardians_are_told_of_behaviour_by_the_notes_that_they_may_see(
    cast: Cast, admin: Person, room: Classroom, parent: Person
) -> None:
    decide(cast, at_risk_to_guardians=True)
    notes(room, 2, is_visible_to_family=True)
    notes(room, 1, is_visible_to_family=False)
    assert admin.post("/api/alerts/refresh", {}).status_code == 200
    work(cast)
    assert (told(room.teacher), told(parent)) == (["Ada needs attention"], [])


def test_guardians_are_not_told_how_many_notes_there_are_that_they_may_not_see(
    cast: Cast, admin: Person, room: Classroom, parent: Person
) -> None:
    decide(cast, at_risk_to_guardians=True)
    notes(room, 3, is_visible_to_family=True)
    notes(room, 1, is_visible_to_family=False)
    assert admin.post("/api/alerts/refresh", {}).status_code == 200
    work(cast)
    (ours,), (theirs,) = (who.get("/api/notifications").json["items"] for who in (room.teacher, parent))
    assert "4" in ours["text"]
    assert "4" not in theirs["text"]


def test_an_alert_that_is_closed_is_not_mailed(cast: Cast, admin: Person, room: Classroom) -> None:
    written = notes(room, 3)
    assert admin.post("/api/alerts/refresh", {}).status_code == 200
    work(cast)
    assert subjects(cast, room.teacher) == ["Ada needs attention"]
    assert room.teacher.delete(f"/api/behaviour/{written[0]}").status_code in {200, 204}
    assert admin.post("/api/alerts/refresh", {}).status_code == 200
    with cast.app.app_context():
        delivery.send_due()
    assert mailed(cast, room.teacher.email) == [""]
    assert told(room.teacher) == []


def test_who_is_no_guardian_any_more_keeps_nothing_that_they_were_told_of_the_child(
    cast: Cast, admin: Person, room: Classroom, at: Any
) -> None:
    ada, grace = room.students["Ada"], room.join("Mary")
    parent = cast.parent(ada, grace)
    lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    of_mary = "Mary was absent from Maths"
    assert {*told(parent)} == {*subjects(cast, parent)} == {ABSENT, of_mary}
    linked = admin.put(f"/api/admin/users/{parent.id}", {"student_ids": [str(grace.id)]})
    assert linked.status_code == 200, linked.text
    assert told(parent) == [of_mary]
    with cast.app.app_context():
        mails = db.session.scalars(select(Mail).where(Mail.recipient == parent.email)).all()
        statuses = {mail.subject: mail.status for mail in mails}
    assert statuses == {ABSENT: "withdrawn", of_mary: "queued"}


def test_a_mail_is_not_handed_over_to_who_is_no_guardian_any_more(
    cast: Cast, room: Classroom, parent: Person, at: Any
) -> None:
    decide(cast, guardians_without_account=True)
    own = {"organisation_id": room.teacher.organisation_id, "student_id": room.students["Ada"].id}
    with cast.app.app_context():
        make(Guardian, **own, parent_id=None, email="aunt@home.test")
    lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    with cast.app.app_context():
        db.session.execute(delete(Guardian))
        db.session.commit()
        delivery.send_due()
    assert mailed(cast, "aunt@home.test") == mailed(cast, parent.email) == [""]


def test_decided_leave_is_not_told_to_who_asked_and_is_no_guardian_any_more(
    cast: Cast, admin: Person, room: Classroom, parent: Person
) -> None:
    days = {"first_day": "2026-03-16", "last_day": "2026-03-17", "reason": "A wedding"}
    asked = parent.post("/api/leave-requests", days | {"student_id": str(room.students["Ada"].id)}).json
    assert admin.put(f"/api/admin/users/{parent.id}", {"student_ids": []}).status_code == 200
    decision = {"approve": False, "reason": "Exams"}
    assert room.teacher.post(f"/api/leave-requests/{asked['id']}/decision", decision).status_code == 200
    work(cast)
    assert (told(parent), told(room.students["Ada"])) == ([], ["Leave of Ada is not approved"])


def test_one_reads_ones_own_and_nobody_elses(cast: Cast, room: Classroom, parent: Person, at: Any) -> None:
    for name in ("Maths", "Music"):
        lesson(room, session_name=name)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    assert parent.get("/api/notifications/unread-count").json == {"unread": 2}
    item = parent.get("/api/notifications").json["items"][0]
    other = cast.person(Role.PARENT)
    for path in (f"/api/notifications/{item['id']}/read", f"/api/notifications/{uuid.uuid4()}/read"):
        assert other.post(path).status_code == 404
    assert parent.post(f"/api/notifications/{item['id']}/read").json["read_at"] is not None
    (unread,) = parent.get("/api/notifications?unread=true").json["items"]
    assert unread["id"] != item["id"]
    assert parent.post("/api/notifications/read-all").json == {"message": "Read now: 1"}
    assert parent.get("/api/notifications/unread-count").json == {"unread": 0}


def test_administrators_see_what_became_of_what_was_told(
    cast: Cast, admin: Person, room: Classroom, parent: Person, at: Any
) -> None:
    lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    with cast.app.app_context():
        delivery.send_due()
    (row,) = admin.get("/api/admin/notifications").json["items"]
    assert (row["user"]["id"], row["student"]["name"], row["mail"]["status"]) == (str(parent.id), "Ada", "sent")
    for wanted, found in (
        ({"user_id": parent.id, "student_id": room.students["Ada"].id, "kind": "absence"}, 1),
        ({"user_id": admin.id}, 0),
        ({"kind": NotificationKind.MESSAGE}, 0),
        ({"since": "2026-03-12T10:40:00Z", "until": "2026-03-12T10:41:00Z"}, 1),
        ({"until": "2026-03-12T10:40:00Z"}, 0),
    ):
        answer = admin.get("/api/admin/notifications", query_string=wanted)
        assert answer.json["total"] == found, wanted


def test_erasing_a_student_erases_what_their_parents_were_told(
    cast: Cast, admin: Person, room: Classroom, parent: Person, at: Any
) -> None:
    lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    assert admin.post(f"/api/admin/users/{room.students['Ada'].id}/erase", {}).status_code == 200
    assert told(parent) == subjects(cast, parent) == []


@pytest.mark.parametrize("is_sent", [True, False])
def test_erasing_a_student_loses_nothing_that_a_waiting_daily_mail_says_of_others(
    cast: Cast, admin: Person, room: Classroom, at: Any, is_sent: bool
) -> None:
    parent = cast.parent(room.students["Ada"], room.join("Mary"))
    choose(cast, parent, absence="daily")
    lesson(room)
    for minutes in (80, 100, 480):
        at(minutes)
        work(cast)
    if is_sent:
        with cast.app.app_context():
            delivery.send_due()
    assert admin.post(f"/api/admin/users/{room.students['Ada'].id}/erase", {}).status_code == 200
    for _ in "ab":
        work(cast)
    assert told(parent) == ["Mary was absent from Maths"]
    texts = mailed(cast, parent.email)
    assert len(texts) == (0 if is_sent else 1)
    for text in texts:
        assert "Mary was absent" in text
        assert "Ada" not in text


def test_notifications_are_deleted_after_some_time(cast: Cast, room: Classroom, parent: Person, at: Any) -> None:
    lesson(room)
    for minutes in (80, 100):
        at(minutes)
        work(cast)
    for days, kept in ((365, ["absence"]), (365.01, [])):
        at(100 + days * 24 * 60)
        with cast.app.app_context():
            retention.clean_up()
            assert list(db.session.scalars(select(Notification.kind))) == kept


def test_quiet_hours_have_a_beginning_and_an_end(cast: Cast, admin: Person) -> None:
    path = f"/api/admin/organizations/{admin.organisation_id}"
    for rules, status in (
        ({"quiet_from": "21:00"}, 422),
        ({"quiet_from": "21:00", "quiet_until": "21:00"}, 422),
        ({"quiet_from": "21:00", "quiet_until": "07:00"}, 200),
    ):
        assert admin.put(path, {"settings": {"notifications": rules}}).status_code == status
