"""The story of a day, as those who live it see it: what happened, who was told of it, and what is kept of it. It is the
same when the mail server is down for an hour, and when two schedulers do everything at the same moment."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from app import clock
from app.extensions import db
from app.models import Event, NotificationKind, Role
from app.services import audit
from app.services.schedules import SCHEDULES
from tests.conftest import Cast, Person
from tests.mail_server import MailServer, free_port
from tests.story import Classroom

ZONE = ZoneInfo("Asia/Kathmandu")
"""Whose hours begin at a quarter past those of UTC."""
TODAY = "2026-03-12"
PDF = b"%PDF-1.4\n% a fever\n"
ABSENT, ALERT, APPROVED = "Ada was absent from Maths", "Ada needs attention", "Leave of Ada is approved"
DAILY = "1 notification from Rollcall"
AWAY = "consecutive_absences"
OVER = "the session was over"


@dataclass
class Day:
    """At its moments all is done that the schedules do by then, by each scheduler.

    down: from when to when there is no mail server.
    """

    cast: Cast
    patch: pytest.MonkeyPatch
    schedulers: int = 1
    down: tuple[str, str] = ("", "")
    mail: MailServer = field(default_factory=lambda: MailServer(free_port()))

    @contextmanager
    def begun(self) -> Iterator[None]:
        self.patch.setattr(self.cast.app.extensions["settings"], "smtp_url", SecretStr(self.mail.url))
        with ExitStack() as self._opened, ThreadPoolExecutor(self.schedulers) as self._pool:
            self._opened.enter_context(self.mail.open())
            self.set_clock(f"{TODAY}T08:30")
            yield

    def set_clock(self, local: str) -> None:
        now = datetime.fromisoformat(local).replace(tzinfo=ZONE).astimezone(UTC)
        self.patch.setattr(clock, "now", lambda: now)

    def at(self, *times: str) -> None:
        for time in times:
            before = clock.now()
            self.set_clock(f"{TODAY}T{time}")
            if time == self.down[0]:
                self._opened.close()
            elif time == self.down[1]:
                self._opened.enter_context(self.mail.open())
            self._work(before)

    def _work(self, before: datetime) -> None:
        due = [schedule.work for schedule in SCHEDULES if schedule.slot(before) != schedule.slot(clock.now())]
        start = Barrier(self.schedulers)

        def do_due(_scheduler: int) -> None:
            for work in due * 2:  # most are due again seconds later, for what follows from what the others did
                start.wait()
                audit.act(audit.NOBODY)
                with self.cast.app.app_context():
                    work()

        list(self._pool.map(do_due, range(self.schedulers)))


@dataclass
class School:
    """Ada and Alan have a mother who wants to know at once, and a father who wants one mail a day; Grace's mother is
    their neighbour."""

    cast: Cast
    admin: Person
    room: Classroom
    mother: Person
    father: Person
    neighbour: Person

    @classmethod
    def open(cls, cast: Cast) -> School:
        admin, room = cast.person(Role.ADMIN, first_name="Head"), Classroom.open(cast)
        ada, alan, grace = (str(room.join(name).id) for name in ("Ada", "Alan", "Grace"))
        parents = []
        for children in ([ada, alan], [ada, alan], [grace]):
            parents.append(cast.person(Role.PARENT))
            given(admin.put(f"/api/admin/users/{parents[-1].id}", {"student_ids": children}))
        settings = {"at_risk": {"consecutive_absences": 1}}
        body = {"time_zone": str(ZONE), "settings": settings}
        given(admin.put(f"/api/admin/organizations/{admin.organisation_id}", body))
        daily = {"notifications": dict.fromkeys(NotificationKind, "daily")}
        given(parents[1].put("/api/users/me/settings", daily))
        return cls(cast, admin, room, *parents)

    @property
    def people(self) -> dict[str, Person]:
        parents = {"Mother": self.mother, "Father": self.father, "Neighbour": self.neighbour}
        return {"Head": self.admin, "Mary": self.room.teacher, **self.room.students, **parents}

    def told(self) -> dict[str, list[str]]:
        """What each has in the app, and nobody else has anything; those told at the same moment have no order."""
        told = {
            name: [item["title"] for item in given(person.get("/api/notifications"))["items"]]
            for name, person in self.people.items()
        }
        assert given(self.admin.get("/api/admin/notifications"))["total"] == sum(map(len, told.values()))
        return {name: sorted(titles) for name, titles in told.items() if titles}

    def mailed(self, server: MailServer) -> list[tuple[str, str]]:
        """To whom a mail has come, and its subject."""
        names = {person.email: name for name, person in self.people.items()}
        return sorted((names[message["To"]], message["Subject"]) for message in server.received)

    def mails(self) -> Counter[str]:
        """How many there are, by what became of them."""
        found = given(self.admin.get("/api/admin/mails?per_page=100"))
        return Counter(mail["status"] for mail in found["items"])

    def figures(self) -> dict[str, Any]:
        """Ada's, as she, her parents and her teacher see them alike; the class's; and today's."""
        ada = self.room.students["Ada"]
        own = given(ada.get("/api/dashboard/student"))
        for parent in (self.mother, self.father):
            assert own in given(parent.get("/api/dashboard/parent"))["children"]
        for person in (self.mother, self.room.teacher):
            assert given(person.get(f"/api/reports/user/{ada.id}/detailed"))["total"] == own["attendance"]
        (of_class,) = given(self.room.teacher.get("/api/dashboard/teacher"))["classes"]
        return {
            "Ada": some(own["attendance"]),
            "in a row": own["consecutive_absences"],
            "class": some(of_class["attendance"]),
            "today": given(self.admin.get("/api/dashboard/stats"))["today_attendance"],
        }

    def alerts(self) -> list[tuple[str, str, bool]]:
        items = given(self.room.teacher.get("/api/alerts"))["items"]
        return sorted((item["student"]["first_name"], item["kind"], item["is_open"]) for item in items)

    def records(self, session: str) -> dict[str, tuple[str, str]]:
        items = given(self.room.teacher.get(f"/api/attendance/session/{session}/records"))["items"]
        return {item["student"]["first_name"]: (item["status"], item["source"]) for item in items}

    def log(self) -> list[tuple[Any, ...]]:
        """Of today: who did what, to whose row, what of it became how, and why."""
        day = datetime.fromisoformat(TODAY).replace(tzinfo=ZONE)
        wanted = {"since": day.isoformat(), "until": (day + timedelta(days=1)).isoformat(), "sort": "sequence"}
        found = given(self.admin.get("/api/admin/audit", query_string=wanted | {"per_page": 100}))
        names = {str(person.id): name for name, person in self.people.items()} | {None: None}
        shown = ("status", "name", "kind", "is_open")
        return [
            (
                names[entry["actor_id"]],
                entry["action"],
                entry["entity"],
                names[entry["person_id"]],
                became,
                entry["reason"],
            )
            for entry in found["items"]
            for before, after in [(entry["before"] or {}, entry["after"])]
            for became in [{name: after.get(name) for name in shown if name in before | after}]
        ]

    def wrong_with_log(self) -> list[str]:
        with self.cast.app.app_context():
            return audit.verify(self.cast.organisation())

    def untold(self) -> int:
        """How much has happened that is still to be told."""
        with self.cast.app.app_context():
            return db.session.scalar(select(func.count()).select_from(Event)) or 0


def given(answer: Any) -> Any:
    """What a call answers that is not refused."""
    assert answer.status_code in {200, 201}, answer.text
    return answer.json


def some(figure: dict[str, Any]) -> dict[str, Any]:
    """Of a figure, the statuses that anybody has, and what they come to."""
    counts = {name: figure[name] for name in ("present", "late", "absent", "excused", "leave") if figure[name]}
    return counts | {"percentage": figure["percentage"]}


BEFORE = {
    "Ada": {"absent": 1, "percentage": 0},
    "in a row": 1,
    "class": {"present": 1, "late": 1, "absent": 1, "percentage": 66.67},
    "today": 66.67,
}
AFTER = {
    "Ada": {"excused": 1, "percentage": None},
    "in a row": 0,
    "class": {"present": 1, "late": 1, "excused": 1, "percentage": 100},
    "today": 100,
}
LOG = [
    ("Mary", "create", "sessions", None, {"name": "Maths"}, None),
    ("Mary", "create", "records", "Grace", {"status": "present"}, None),
    (None, "create", "records", "Ada", {"status": "absent"}, OVER),
    (None, "create", "records", "Alan", {"status": "absent"}, OVER),
    (None, "update", "sessions", None, {}, OVER),
    (None, "create", "alerts", "Ada", {"kind": AWAY, "is_open": True}, None),
    (None, "create", "alerts", "Alan", {"kind": AWAY, "is_open": True}, None),
    ("Mary", "update", "records", "Alan", {"status": "late"}, None),
    (None, "update", "alerts", "Alan", {"is_open": None}, None),
    ("Father", "create", "leave_requests", "Ada", {"status": "pending"}, None),
    ("Father", "create", "leave_attachments", "Ada", {"name": "note.pdf"}, None),
    ("Mary", "update", "records", "Ada", {"status": "excused"}, "Get well soon"),
    ("Mary", "update", "leave_requests", "Ada", {"status": "approved"}, "Get well soon"),
    (None, "update", "alerts", "Ada", {"is_open": None}, None),
]


@pytest.mark.parametrize(
    "different",
    [{}, {"down": ("10:30", "11:30")}, {"schedulers": 2}],
    ids=["as usual", "mail server down for an hour", "two schedulers"],
)
def test_a_day(cast: Cast, monkeypatch: pytest.MonkeyPatch, different: dict[str, Any]) -> None:
    day = Day(cast, monkeypatch, **different)
    day.set_clock("2026-03-05T08:00")
    school = School.open(cast)
    with day.begun():
        session = take_register(day, school)
        assert school.alerts() == [("Ada", AWAY, True), ("Alan", AWAY, False)]
        assert school.figures() == BEFORE
        excuse(day, school)
        assert school.figures() == AFTER
        day.at("14:20", "16:50", "17:00", "17:30")
    (daily,) = (message for message in day.mail.received if message["To"] == school.father.email)
    text = next(daily.iter_parts()).get_content()
    assert [line for line in text.splitlines() if line.startswith("*")] == [f"* {APPROVED}"]
    assert "Get well soon" in text
    assert school.told() == {
        "Mary": [ALERT],
        "Ada": [APPROVED],
        "Mother": [ALERT, ABSENT],
        "Father": [APPROVED],
    }
    assert school.mailed(day.mail) == [
        ("Ada", APPROVED),
        ("Father", DAILY),
        ("Mary", ALERT),
        ("Mother", ALERT),
        ("Mother", ABSENT),
    ]
    assert school.mails() == {"sent": 5}
    assert school.records(session) == {
        "Ada": ("excused", "leave"),
        "Alan": ("late", "manual"),
        "Grace": ("present", "manual"),
    }
    assert school.alerts() == [("Ada", AWAY, False), ("Alan", AWAY, False)]
    assert school.figures() == AFTER
    assert school.log() == LOG
    assert (school.wrong_with_log(), school.untold()) == ([], 0)


def take_register(day: Day, school: School) -> str:
    """Grace is there, Alan comes late and is forgotten at first, Ada is absent: of whom is told after the delay."""
    room, lesson = school.room, {"start_time": f"{TODAY}T09:00:00", "end_time": f"{TODAY}T10:00:00"}
    body = lesson | {"class_id": room.id, "session_name": "Maths"}
    session = str(given(room.teacher.post("/api/admin/sessions", body))["id"])
    day.at("09:10")
    given(room.mark(session, "Grace"))
    day.at("10:20")  # it has closed by itself
    marks = [{"student_id": str(room.students["Alan"].id), "status": "late"}]
    given(room.teacher.post(f"/api/attendance/session/{session}/marks", {"marks": marks}))
    day.at("10:30")
    assert (school.told(), school.mailed(day.mail), school.mails()) == ({}, [], {})
    day.at("10:40")
    assert school.told() == {"Mary": [ALERT], "Mother": [ALERT, ABSENT], "Father": [ALERT, ABSENT]}
    mailed = [("Mary", ALERT), ("Mother", ALERT), ("Mother", ABSENT)]
    assert school.mailed(day.mail) == ([] if day.down[0] else mailed)
    day.at("10:50", "11:00", "11:30", "13:40")
    assert school.mailed(day.mail) == mailed
    return session


def excuse(day: Day, school: School) -> None:
    """Ada's father sends a doctor's note, and her teacher approves it."""
    body = {"student_id": str(school.room.students["Ada"].id), "first_day": TODAY, "last_day": TODAY}
    body |= {"counts_as": "excused", "reason": "A fever"}
    request = f"/api/leave-requests/{given(school.father.post('/api/leave-requests', body))['id']}"
    given(school.father.post(f"{request}/attachment", data={"file": (io.BytesIO(PDF), "note.pdf")}))
    day.at("14:00")
    teacher = school.room.teacher
    (waiting,) = given(teacher.get("/api/leave-requests?status=pending"))["items"]
    (note,) = waiting["attachments"]
    assert teacher.get(f"{request}/attachments/{note['id']}").data == PDF
    given(teacher.post(f"{request}/decision", {"approve": True, "reason": "Get well soon"}))
