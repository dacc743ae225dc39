"""Calendar feeds: secret addresses, for calendar programs."""

from __future__ import annotations

import io
import logging
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from icalendar import Calendar
from sqlalchemy import select

from app import clock, logs
from app.extensions import db, limiter
from app.models import AuditEntry, CalendarFeed, Role, User, UserStatus
from tests.conftest import Cast, Person
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
    return str(person.post("/admin/sessions", body | values).json["id"])


def feed(person: Person, **values: Any) -> Any:
    answer = person.post("/api/calendar-feeds", values)
    assert answer.status_code == 201, answer.text
    return answer.json


def fetch(cast: Cast, made: Any, **kwargs: Any) -> Any:
    return cast.nobody.get(made["url"].removeprefix("http://localhost:8000"), **kwargs)


def events(cast: Cast, made: Any) -> list[Any]:
    answer = fetch(cast, made)
    assert (answer.status_code, answer.mimetype) == (200, "text/calendar")
    return list(Calendar.from_ical(answer.data).walk("VEVENT"))


def summaries(cast: Cast, made: Any) -> list[str]:
    return [str(event["SUMMARY"]) for event in events(cast, made)]


def test_a_calendar_shows_what_one_attends_or_takes(room: Classroom, cast: Cast) -> None:
    lesson(room.teacher, "Stars", class_id=room.id, description="Bring a coat; or two, ✨")
    lesson(room.teacher, "Assembly", is_event=True)
    other = Classroom.open(cast)
    lesson(other.teacher, "Rocks", class_id=other.id)
    lesson(room.teacher, "Long ago", "2026-01-30", class_id=room.id)
    lesson(room.teacher, "Far away", "2026-08-31", class_id=room.id)
    room.session(session_name="By hand", session_date="2026-03-03")
    expected = ["Stars", "Assembly", "By hand"]
    assert summaries(cast, feed(room.students["Ada"])) == expected
    assert summaries(cast, feed(room.teacher)) == expected
    assert summaries(cast, feed(room.teacher, class_id=room.id)) == ["Stars", "By hand"]
    assert summaries(cast, feed(cast.person(Role.PARENT))) == ["Assembly"]
    stars, _, by_hand = events(cast, feed(room.teacher))
    assert (stars.decoded("DTSTART"), stars.decoded("DTEND")) == (NINE, NINE + timedelta(hours=1))
    assert str(stars["DESCRIPTION"]) == "Bring a coat; or two, ✨"
    assert by_hand.decoded("DTSTART") == date(2026, 3, 3)


def test_a_cancelled_session_says_so_under_the_same_identity(room: Classroom, cast: Cast, at: Any) -> None:
    session, made = lesson(room.teacher, "Stars", class_id=room.id), feed(room.students["Ada"])
    (before,) = events(cast, made)
    at(-30)
    room.teacher.post(f"/attendance/session/{session}/cancel", {})
    (after,) = events(cast, made)
    assert (before["STATUS"], after["STATUS"]) == ("CONFIRMED", "CANCELLED")
    assert before["UID"] == after["UID"]
    assert after.decoded("LAST-MODIFIED") - before.decoded("LAST-MODIFIED") == timedelta(minutes=30)


def test_what_did_not_change_is_not_sent_again(room: Classroom, cast: Cast) -> None:
    session, made = lesson(room.teacher, "Stars", class_id=room.id), feed(room.students["Ada"])
    tag = fetch(cast, made).headers["ETag"]
    again = fetch(cast, made, headers={"If-None-Match": tag})
    assert (again.status_code, again.data) == (304, b"")
    room.teacher.put(f"/attendance/session/{session}", {"session_name": "Planets"})
    assert fetch(cast, made, headers={"If-None-Match": tag}).status_code == 200


def test_a_revoked_address_is_none(room: Classroom, cast: Cast) -> None:
    ada = room.students["Ada"]
    made, other = feed(ada), feed(ada)
    for person, status in ((room.teacher, 404), (ada, 200), (ada, 200)):
        assert person.delete(f"/api/calendar-feeds/{made['id']}").status_code == status
    assert fetch(cast, made).status_code == 404
    assert fetch(cast, other).status_code == 200
    assert cast.person(Role.ADMIN).delete(f"/api/calendar-feeds/{other['id']}").status_code == 200
    assert fetch(cast, other).status_code == 404
    items = ada.get("/api/calendar-feeds").json["items"]
    assert [item["id"] for item in items] == [made["id"], other["id"]]
    assert all(item["revoked_at"] and "url" not in item for item in items)
    assert room.teacher.get("/api/calendar-feeds").json["total"] == 0


def test_who_may_not_sign_in_or_is_not_in_the_class_has_no_calendar(room: Classroom, cast: Cast) -> None:
    ada = room.students["Ada"]
    own, of_class = feed(ada), feed(ada, class_id=room.id)
    assert cast.student().post("/api/calendar-feeds", {"class_id": room.id}).json["code"] == "not_class_member"
    ada.post(f"/api/classes/{room.id}/leave")
    assert [fetch(cast, made).status_code for made in (own, of_class)] == [200, 404]
    with cast.app.app_context():
        user = db.session.get(User, ada.id)
        assert user
        user.status = UserStatus.SUSPENDED
        db.session.commit()
    assert fetch(cast, own).json["code"] == "not_found"


def test_the_address_is_nowhere_but_with_its_owner(room: Classroom, cast: Cast) -> None:
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    try:
        made = feed(room.teacher)
        token = made["url"].rpartition("/")[2].removesuffix(".ics")
        for method, path in (
            ("GET", f"/api/calendar/{token}.ics"),
            ("GET", f"/calendar/{token}.ics/"),
            ("POST", f"/calendar/{token}.ics"),
            ("GET", f"/api/calendar/{token}"),
            ("GET", f"/api/calendar/{token}.ics/more"),
            ("GET", f"//api/calendar//{token}.ics"),
        ):
            cast.nobody.call(method, path)
        logging.getLogger(__name__).info("the end")
    finally:
        logs.configure("WARNING")
    assert "the end" in stream.getvalue()
    assert "/api/calendar/..." in stream.getvalue()
    assert token not in stream.getvalue()
    with cast.app.app_context():
        (kept,) = db.session.scalars(select(CalendarFeed.token_hash))
        assert token not in kept
        told = str([entry.content for entry in db.session.scalars(select(AuditEntry))])
    assert token not in told
    assert kept not in told
    assert len(token) >= 43


@pytest.mark.parametrize("token", ["x", "%00", "%ff", "a" * 3000, "../../etc/passwd", "%F0%9F%98%80"])
def test_rubbish_is_no_address(nobody: Person, token: str) -> None:
    assert nobody.get(f"/api/calendar/{token}.ics").status_code == 404


def test_guessing_is_slowed_down_and_fetching_is_not(room: Classroom, cast: Cast) -> None:
    made = feed(room.teacher)
    limiter.enabled = True
    for _ in range(40):
        assert fetch(cast, made).status_code == 200
    guesses = [cast.nobody.get(f"/api/calendar/{uuid.uuid4()}.ics").status_code for _ in range(31)]
    assert guesses == [404] * 30 + [429]
