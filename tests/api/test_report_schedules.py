"""Reports by mail: each to whom it is meant for, of the days that it is of, once."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier
from typing import Any

import pytest
from sqlalchemy import func, select, text, update

from app import clock
from app.extensions import db
from app.models import Guardian, Mail, Organisation, ReportKind, ReportSchedule, Role, User, UserStatus
from app.services import report_mails
from tests.conftest import Cast, Person
from tests.factories import make, make_user
from tests.mails import mailed
from tests.statements import counted
from tests.story import Classroom

PATH = "/api/reports/schedules"
WEEK = "Mar 2\u2009\u2013\u20098, 2026"
At = Callable[[str], None]


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """Sets the time, in UTC."""

    def set_time(moment: str) -> None:
        set_to = datetime.fromisoformat(moment).replace(tzinfo=UTC)
        monkeypatch.setattr(clock, "now", lambda: set_to)

    set_time("2026-03-02T06:00")
    return set_time


@pytest.fixture
def room(cast: Cast, at: At) -> Classroom:
    """In the week of Monday, 2 March, Ada is there twice, Grace once; there is nothing else."""
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    at("2026-03-04T12:00")
    for day, grace in (("2026-03-03", "absent"), ("2026-03-04", "present")):
        marks = {"Ada": "present", "Grace": grace}
        body = [{"student_id": str(room.students[name].id), "status": status} for name, status in marks.items()]
        path = f"/api/attendance/session/{room.session(session_date=day)}/marks"
        assert room.teacher.post(path, {"marks": body}).status_code == 200
    return room


@pytest.fixture
def head(cast: Cast, at: At) -> Person:
    return cast.person(Role.ADMIN)


def schedule(person: Person, **values: Any) -> Any:
    answer = person.post(PATH, {"kind": "organisation", "frequency": "weekly"} | values)
    assert answer.status_code == 201, answer.text
    return answer.json


def send_due(cast: Cast) -> None:
    with cast.app.app_context():
        report_mails.send_due()


def parent_of(cast: Cast, *children: Person, **values: Any) -> str:
    """A parent's address."""
    with cast.app.app_context():
        own = {"organisation_id": children[0].organisation_id}
        parent = make_user(**own, role=Role.PARENT, **values)
        address = str(parent.email)
        for child in children:
            make(Guardian, **own, student_id=child.id, parent_id=parent.id)
    return address


def how_many(cast: Cast) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(Mail)) or 0


def in_zone(cast: Cast, name: str) -> None:
    with cast.app.app_context():
        db.session.execute(update(Organisation).values(time_zone=name))
        db.session.commit()


def test_a_class_has_its_figures_and_each_students(cast: Cast, room: Classroom, head: Person, at: At) -> None:
    made = schedule(head, kind="class", class_id=room.id, user_ids=[str(room.teacher.id)])
    assert (made["due_at"], made["last_period"]) == ("2026-03-09T07:00:00Z", None)
    at("2026-03-09T06:59")
    send_due(cast)
    assert mailed(cast, room.teacher.email) == []
    at("2026-03-09T07:00")
    send_due(cast)
    (text,) = mailed(cast, room.teacher.email)
    assert f"Astronomy was 75% ({WEEK}, sessions: 2)" in text
    assert "100% (present 2, late 0, absent 0" in next(line for line in text.splitlines() if "Ada" in line)
    assert "50% (present 1, late 0, absent 1" in next(line for line in text.splitlines() if "Grace" in line)
    read = head.get(f"{PATH}/{made['id']}").json
    assert (read["due_at"], read["last_period"]) == ("2026-03-16T07:00:00Z", "2026-03-02/2026-03-08")
    assert mailed(cast, head.email) == []


def test_the_organisation_has_its_total_lowest_classes_and_registers(
    cast: Cast, room: Classroom, head: Person, at: At
) -> None:
    room.session(session_date="2026-03-05", session_name="nobody took it")
    schedule(head)
    at("2026-03-09T08:00")
    send_due(cast)
    (text,) = mailed(cast, head.email)
    assert "attendance was 75%" in text
    assert "missed a tenth of their sessions or more: 1" in text
    assert "Registers not taken: 1" in text
    assert "- Astronomy: 75%" in text
    at("2026-03-16T08:00")
    send_due(cast)
    assert "attendance was no data" in mailed(cast, head.email)[-1]


def test_parents_read_of_their_own_child_alone(cast: Cast, room: Classroom, head: Person, at: At) -> None:
    ada, grace = room.students["Ada"], room.students["Grace"]
    elsewhere = cast.student(first_name="Emmy")
    of_ada, of_both = parent_of(cast, ada), parent_of(cast, ada, grace)
    of_emmy, gone = parent_of(cast, elsewhere), parent_of(cast, ada, status=UserStatus.SUSPENDED)
    made = schedule(head, kind="student", class_id=room.id)
    at("2026-03-09T08:00")
    send_due(cast)
    (text,) = mailed(cast, of_ada)
    assert "attendance of Ada" in text
    assert f"was 100% ({WEEK}, sessions: 2)" in text
    assert "Grace" not in text
    one, other = sorted(mailed(cast, of_both), key=lambda text: "Grace" in text)
    assert ("100%" in one, "Grace" in one, "50%" in other, "Ada" in other) == (True, False, True, False)
    assert mailed(cast, of_emmy) == mailed(cast, gone) == mailed(cast, head.email) == []
    assert head.put(f"{PATH}/{made['id']}", {"class_id": None}).status_code == 200
    assert head.put(f"/api/admin/users/{ada.id}", {"status": "inactive"}).status_code == 200
    at("2026-03-16T08:00")
    send_due(cast)
    assert [len(mailed(cast, address)) for address in (of_ada, of_both, of_emmy)] == [1, 2, 0], "nothing to tell"


def test_two_who_send_at_once_send_once(cast: Cast, room: Classroom, head: Person, at: At) -> None:
    parent = parent_of(cast, *room.students.values())
    schedule(head)
    schedule(head, kind="student")
    at("2026-03-09T07:05")
    together = Barrier(2)

    def send(_: int) -> None:
        together.wait()
        send_due(cast)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(send, range(2)))
    send_due(cast)
    assert (len(mailed(cast, head.email)), len(mailed(cast, parent))) == (1, 2)


def test_where_one_died_another_goes_on(
    cast: Cast, room: Classroom, head: Person, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    addresses = [parent_of(cast, room.students["Ada"]) for _ in range(3)]
    made = schedule(head, kind="student")
    at("2026-03-09T07:05")
    monkeypatch.setattr(report_mails, "AT_ONCE", 1)
    post, posted = report_mails._post, list[Any]()

    def die_at_the_second(*args: Any) -> bool:
        if posted:
            raise KeyboardInterrupt
        posted.append(args)
        return post(*args)

    with monkeypatch.context() as dying:
        dying.setattr(report_mails, "_post", die_at_the_second)
        with pytest.raises(KeyboardInterrupt):
            send_due(cast)
    assert [len(mailed(cast, address)) for address in addresses] == [1, 0, 0]
    assert head.get(f"{PATH}/{made['id']}").json["last_period"] is None
    at("2026-03-09T07:10")
    send_due(cast)
    send_due(cast)
    assert [len(mailed(cast, address)) for address in addresses] == [1, 1, 1]


def test_many_parents_are_no_more_statements(cast: Cast, room: Classroom, head: Person, at: At) -> None:
    made = schedule(head, kind="student")
    parent_of(cast, room.students["Ada"])
    at("2026-03-09T07:05")
    with counted(cast.app) as few:
        send_due(cast)
    for _ in range(9):
        parent_of(cast, *room.students.values())
    assert head.post(f"{PATH}/{made['id']}/send").status_code == 200
    with counted(cast.app) as many:
        send_due(cast)
    assert how_many(cast) == 1 + 19
    assert len(many) <= len(few)


def test_one_that_fails_holds_up_no_other(
    cast: Cast, room: Classroom, head: Person, at: At, monkeypatch: pytest.MonkeyPatch
) -> None:
    schedule(head, kind="class", class_id=room.id)
    schedule(head)

    def fail(*_: Any) -> Any:
        return db.session.execute(text("SELECT no_such_column"))

    monkeypatch.setitem(report_mails.LETTERS, ReportKind.CLASS, fail)
    at("2026-03-09T07:05")
    send_due(cast)
    assert len(mailed(cast, head.email)) == 1


def test_who_may_no_longer_see_it_gets_nothing(cast: Cast, room: Classroom, head: Person, at: At) -> None:
    demoted, suspended = cast.person(Role.ADMIN), cast.person(Role.ADMIN)
    both = [str(demoted.id), str(suspended.id)]
    schedule(head, user_ids=both)
    schedule(head, kind="class", class_id=room.id, user_ids=[*both, str(room.teacher.id)])
    with cast.app.app_context():
        for id_, values in ((demoted.id, {"role": Role.TEACHER}), (suspended.id, {"status": UserStatus.SUSPENDED})):
            db.session.execute(update(User).where(User.id == id_).values(**values))
        db.session.commit()
    at("2026-03-09T07:05")
    send_due(cast)
    assert mailed(cast, demoted.email) == mailed(cast, suspended.email) == []
    assert len(mailed(cast, room.teacher.email)) == 1
    head.post(f"/api/classes/{room.id}/teachers", {"teacher_id": str(head.id), "role": "lead"})
    assert head.delete(f"/api/classes/{room.id}/teachers/{room.teacher.id}").status_code == 200
    at("2026-03-16T07:05")
    send_due(cast)
    assert len(mailed(cast, room.teacher.email)) == 1


@pytest.mark.parametrize(
    ("made_on", "slots"),
    [
        ("2026-03-28T12:00", ["2026-03-29T01:00", "2026-03-30T00:00"]),  # two o'clock is skipped on the 29th
        ("2026-10-24T12:00", ["2026-10-25T00:00", "2026-10-26T01:00"]),  # and on 25 October comes twice
    ],
)
def test_the_hour_is_that_of_the_clocks_there(cast: Cast, head: Person, at: At, made_on: str, slots: list[str]) -> None:
    in_zone(cast, "Europe/Berlin")
    at(made_on)
    head = cast.person(Role.ADMIN)
    path = f"{PATH}/{schedule(head, frequency='daily', hour=2)['id']}"
    for slot in slots:
        assert head.get(path).json["due_at"] == f"{slot}:00Z"
        at(slot)
        send_due(cast)
    assert head.get(path).json["last_period"] == "/".join([str(datetime.fromisoformat(slots[0]).date())] * 2)
    assert how_many(cast) == 2


def test_another_time_zone_sends_no_day_twice(cast: Cast, head: Person, at: At) -> None:
    in_zone(cast, "Pacific/Auckland")
    path = f"{PATH}/{schedule(head, frequency='daily')['id']}"
    at("2026-03-09T18:05")  # seven in the morning of the 10th
    send_due(cast)
    in_zone(cast, "America/Los_Angeles")
    for moment, mails in (("2026-03-10T14:05", 1), ("2026-03-10T18:05", 1), ("2026-03-11T14:05", 2)):
        at(moment)
        send_due(cast)
        assert how_many(cast) == mails, moment
    assert head.get(path).json["last_period"] == "2026-03-10/2026-03-10"


@pytest.mark.parametrize(
    ("values", "moments"),
    [
        ({"frequency": "daily"}, ("2026-03-12T09:00", "2026-03-11/2026-03-11", "2026-03-13T07:00")),
        ({"weekday": "wednesday"}, ("2026-03-26T09:00", "2026-03-16/2026-03-22", "2026-04-01T07:00")),
        (
            {"frequency": "monthly", "day_of_month": 28},
            ("2026-06-05T09:00", "2026-04-01/2026-04-30", "2026-06-28T07:00"),
        ),
        ({"frequency": "monthly"}, ("2028-03-01T07:00", "2028-02-01/2028-02-29", "2028-04-01T07:00")),
    ],
)
def test_what_was_missed_is_sent_once_of_the_latest_days(
    cast: Cast, head: Person, at: At, values: Any, moments: tuple[str, str, str]
) -> None:
    now, last_period, due_at = moments
    made = schedule(head, **values)
    at(now)
    send_due(cast)
    send_due(cast)
    assert len(mailed(cast, head.email)) == 1
    with cast.app.app_context():  # who made it is not signed in any more
        row = db.session.get(ReportSchedule, uuid.UUID(made["id"]))
        assert row
        assert row.due_at
        assert (row.last_period, f"{row.due_at:%Y-%m-%dT%H:%M}") == (last_period, due_at)


def test_while_paused_it_is_sent_only_when_somebody_asks(cast: Cast, head: Person, at: At) -> None:
    path = f"{PATH}/{schedule(head, frequency='daily')['id']}"
    assert head.put(path, {"is_paused": True}).json["due_at"] is None
    at("2026-03-03T08:00")
    send_due(cast)
    assert how_many(cast) == 0
    for mails in (1, 2):
        assert head.post(f"{path}/send").status_code == 200
        send_due(cast)
        send_due(cast)
        assert how_many(cast) == mails
    assert head.get(path).json["due_at"] is None
    at("2026-03-04T08:00")
    assert head.put(path, {"is_paused": False}).json["due_at"] == "2026-03-05T07:00:00Z"
    send_due(cast)
    assert how_many(cast) == 2


def test_a_change_of_the_hour_sends_no_days_twice(cast: Cast, head: Person, at: At) -> None:
    path = f"{PATH}/{schedule(head, frequency='daily')['id']}"
    at("2026-03-03T07:05")
    send_due(cast)
    assert head.put(path, {"hour": 9}).json["due_at"] == "2026-03-03T09:00:00Z"
    at("2026-03-03T09:05")
    send_due(cast)
    assert how_many(cast) == 1
    assert head.delete(path).status_code == 200
    at("2026-03-04T09:05")
    send_due(cast)
    assert how_many(cast) == 1
    assert head.get(path).status_code == 404


def test_a_change_of_whom_it_goes_to_puts_nothing_off(cast: Cast, head: Person, at: At) -> None:
    other = cast.person(Role.ADMIN)
    made = schedule(head)
    at("2026-03-09T07:01")
    changed = head.put(f"{PATH}/{made['id']}", {"user_ids": [str(other.id)]}).json
    assert (changed["due_at"], changed["user_ids"]) == (made["due_at"], [str(other.id)])
    send_due(cast)
    assert (len(mailed(cast, other.email)), len(mailed(cast, head.email))) == (1, 0)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"kind": "school"}, "invalid_input"),
        ({"frequency": "hourly"}, "invalid_input"),
        ({"weekday": "lundi"}, "invalid_input"),
        ({"day_of_month": 29}, "invalid_input"),
        ({"hour": 24}, "invalid_input"),
        ({"year": "x" * 21}, "invalid_input"),
        ({"user_ids": ["head@school.example"]}, "invalid_input"),
        ({"user_ids": []}, "report_refused"),
        ({"user_ids": ["teacher"]}, "report_refused"),
        ({"kind": "class"}, "report_refused"),
        ({"class_id": "class"}, "report_refused"),
        ({"kind": "class", "class_id": "class", "user_ids": ["student"]}, "report_refused"),
        ({"kind": "student", "user_ids": ["teacher"]}, "report_refused"),
    ],
)
def test_what_does_not_fit_is_refused(room: Classroom, head: Person, values: dict[str, Any], code: str) -> None:
    ids = {"teacher": str(room.teacher.id), "student": str(room.students["Ada"].id), "class": room.id}
    body = {"kind": "organisation", "frequency": "weekly"} | values
    body |= {"class_id": ids[body["class_id"]]} if "class_id" in body else {}
    body |= {"user_ids": [ids.get(id_, id_) for id_ in body["user_ids"]]} if "user_ids" in body else {}
    answer = head.post(PATH, body)
    assert (answer.status_code, answer.json["code"]) == (422, code)
    made = schedule(head, kind="class", class_id=room.id)
    assert head.put(f"{PATH}/{made['id']}", {"kind": "organisation", "class_id": None} | body).status_code == 422
    assert head.get(f"{PATH}/{made['id']}").json == made


def test_another_organisations_class_and_people_are_not_there(cast: Cast, room: Classroom, head: Person) -> None:
    stranger = cast.person(Role.ADMIN, organisation_id=cast.other_organisation())
    assert stranger.post(PATH, {"kind": "student", "frequency": "daily", "class_id": room.id}).status_code == 404
    assert head.post(PATH, {"kind": "organisation", "frequency": "daily", "user_ids": [str(stranger.id)]}).json[
        "ids"
    ] == [str(stranger.id)]
    made = schedule(head)
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", ""), ("POST", "/send")):
        assert stranger.call(method, f"{PATH}/{made['id']}{path}", {} if method == "PUT" else None).status_code == 404
    assert stranger.get(PATH).json["total"] == 0


def test_a_teacher_has_their_own_classes_sent_to_themselves(cast: Cast, room: Classroom, head: Person) -> None:
    of_class = {"kind": "class", "frequency": "daily", "class_id": room.id}
    made = schedule(room.teacher, **of_class)
    assert made["user_ids"] == [str(room.teacher.id)]
    by_head = schedule(head, **of_class)
    other = cast.teacher()
    refused = {
        "not_your_class": other.post(PATH, of_class),
        "not_your_report": room.teacher.post(PATH, of_class | {"user_ids": [str(head.id)]}),
        "not_found": room.teacher.get(f"{PATH}/{by_head['id']}"),
        "role_not_allowed": room.students["Ada"].get(PATH),
    }
    assert {code: answer.json["code"] for code, answer in refused.items()} == {code: code for code in refused}
    for kind in ("organisation", "student"):
        answer = room.teacher.post(PATH, {"kind": kind, "frequency": "daily"})
        assert (answer.status_code, answer.json["code"]) == (403, "not_your_report")
    assert [item["id"] for item in room.teacher.get(PATH).json["items"]] == [made["id"]]
    assert [item["id"] for item in head.get(PATH).json["items"]] == [made["id"], by_head["id"]]


def test_it_can_be_paused_though_somebody_may_see_it_no_longer(cast: Cast, room: Classroom, head: Person) -> None:
    demoted = cast.person(Role.ADMIN)
    made = schedule(head, user_ids=[str(head.id), str(demoted.id)])
    with cast.app.app_context():
        db.session.execute(update(User).where(User.id == demoted.id).values(role=Role.TEACHER))
        db.session.commit()
    assert head.put(f"{PATH}/{made['id']}", {"is_paused": True}).status_code == 200
    narrowed = head.put(f"{PATH}/{made['id']}", {"year": "7"})
    assert (narrowed.status_code, narrowed.json["code"]) == (422, "report_refused")


def test_who_administers_no_longer_has_the_organisations_reports_no_longer(
    cast: Cast, room: Classroom, head: Person
) -> None:
    made = [schedule(head), schedule(head, kind="student")]
    with cast.app.app_context():
        db.session.execute(update(User).where(User.id == head.id).values(role=Role.TEACHER))
        db.session.commit()
    assert head.get(PATH).json["items"] == []
    assert [head.post(f"{PATH}/{one['id']}/send").status_code for one in made] == [404, 404]


def test_what_was_wrong_is_sent_again_once_it_is_right(cast: Cast, room: Classroom, head: Person, at: At) -> None:
    made = schedule(head, kind="class", class_id=Classroom.open(cast).id)
    at("2026-03-09T08:00")
    send_due(cast)
    assert head.put(f"{PATH}/{made['id']}", {"class_id": room.id}).status_code == 200
    assert head.post(f"{PATH}/{made['id']}/send").status_code == 200
    send_due(cast)
    assert len(mailed(cast, head.email)) == 2


def test_who_is_erased_is_in_no_mail_to_their_parents(cast: Cast, room: Classroom, head: Person, at: At) -> None:
    ada = room.students["Ada"]
    parent = parent_of(cast, ada)
    schedule(head, kind="student")
    at("2026-03-09T08:00")
    send_due(cast)
    assert len(mailed(cast, parent)) == 1
    assert head.post(f"/api/admin/users/{ada.id}/erase", {"reason": "asked for"}).status_code == 200
    assert mailed(cast, parent) == []
