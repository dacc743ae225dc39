"""Watching a session live: nothing that happens is missed, by those who may see it and nobody else."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Record, Role, SignIn, Source, Status, User, UserStatus, Verification
from app.services import changes, live
from app.services.sign_in import caller_of
from app.services.transaction import insert_missing, transaction
from tests.api.test_check_in import LISBON
from tests.api.test_conventions import lines, written
from tests.conftest import Cast, Person
from tests.story import Classroom

__all__ = ["lines"]

SOON = 0.05
JUST_NOT = timedelta(microseconds=-1)


@dataclass
class Event:
    kind: str
    id: str
    data: Any


class Stream:
    """An EventSource of a few lines. `source`: text, in pieces of any size."""

    def __init__(self, source: Iterator[bytes]) -> None:
        self.source = source
        self.last_id = ""
        self.retry: int | None = None
        self.records: dict[str, Any] = {}
        self.counts: Any = None

    def blocks(self) -> Iterator[str]:
        text = ""
        for piece in self.source:
            *whole, text = (text + piece.decode()).split("\n\n")
            yield from whole

    def events(self) -> Iterator[Event]:
        """Each event; and a heartbeat, as one without data."""
        for block in self.blocks():
            fields = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "retry" in fields:
                self.retry = int(fields["retry"])
                continue
            self.last_id = fields["id"]
            event = Event(fields.get("event", "heartbeat"), self.last_id, json.loads(fields.get("data", "null")))
            self.take(event)
            yield event

    def take(self, event: Event) -> None:
        if event.kind == "reset":
            self.records = {}
        elif event.kind == "record":
            self.records[event.data["id"]] = event.data
        elif event.kind == "counts":
            self.counts = event.data

    def until(self, kind: str) -> list[Event]:
        """The events up to the first of this kind; a stream that is alive says so, so this ends."""
        seen: list[Event] = []
        for event in self.events():
            seen.append(event)
            if event.kind == kind:
                return seen
            assert len(seen) < 1000, f"no {kind}"
        raise AssertionError(f"it ended before a {kind}")

    def rest(self) -> list[Event]:
        return list(self.events())

    @property
    def names(self) -> dict[str, str]:
        return {record["student"]["first_name"]: record["status"] for record in self.records.values()}


@pytest.fixture(autouse=True)
def quick(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Eight may watch, and time passes faster."""
    hub = changes.hub_of(cast.app)
    monkeypatch.setattr(hub, "_free", 8)
    for name in ("HEARTBEAT", "LOOK", "BURST"):
        monkeypatch.setattr(live, name, SOON)
    monkeypatch.setattr(live, "LONGEST", 20)
    yield
    assert hub._free == 8, "a stream was not closed"
    assert not hub._watching


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Bob", "Cleo"):
        room.join(name)
    return room


class Open:
    """Streams that are closed at the end of a test."""

    def __init__(self) -> None:
        self.answers: list[Any] = []

    def __call__(self, person: Person, session: str, last_id: str | None = None, query: str = "") -> Stream:
        headers = {"Authorization": f"Bearer {person.token}"} if person.token else {}
        headers |= {} if last_id is None else {"Last-Event-ID": last_id}
        answer = person.client.get(f"/api/attendance/session/{session}/stream{query}", headers=headers)
        self.answers.append(answer)
        assert answer.status_code == 200, answer.text
        assert answer.mimetype == "text/event-stream"
        assert (answer.headers["Cache-Control"], answer.headers["X-Accel-Buffering"]) == ("no-store", "no")
        pieces: Any = answer.response
        return Stream(iter(pieces))

    def close(self) -> None:
        for answer in self.answers:
            answer.close()


@pytest.fixture
def watch(quick: None) -> Iterator[Open]:
    opened = Open()
    yield opened
    opened.close()


def tomorrow(**values: Any) -> dict[str, Any]:
    now = clock.now()
    return {"session_name": "Lecture", "start_time": (now - timedelta(minutes=1)).isoformat(),
            "end_time": (now + timedelta(hours=1)).isoformat(), **values}  # fmt: skip


def lecture(room: Classroom) -> str:
    answer = room.teacher.post("/api/admin/sessions", tomorrow(class_id=room.id))
    assert answer.status_code == 201, answer.text
    return str(answer.json["id"])


def test_what_there_is_comes_first_and_then_what_changes(room: Classroom, watch: Open) -> None:
    session = lecture(room)
    room.mark(session, "Ada")
    stream = watch(room.teacher, session)
    first = stream.until("counts")
    assert [event.kind for event in first] == ["reset", "record", "counts"]
    assert (first[0].data["id"], first[0].data["session_name"], stream.retry) == (session, "Lecture", 3000)
    assert (stream.names, stream.counts["present"], stream.counts["expected"]) == ({"Ada": "present"}, 1, 3)
    checked_in = room.students["Bob"].post("/attendance/check-in", {"session_id": session} | LISBON)
    assert checked_in.status_code == 201, checked_in.text
    seen = stream.until("counts")
    assert [event.kind for event in seen if event.kind != "heartbeat"] == ["record", "counts"]
    bob = next(event.data for event in seen if event.kind == "record")
    listed = room.teacher.get(f"/api/attendance/session/{session}/records?sort=first_name").json["items"][1]
    assert bob == listed
    out = {"record_id": bob["id"]} | LISBON
    assert room.students["Bob"].post("/attendance/check-out", out).status_code == 200
    changed = stream.until("record")[-1].data
    assert (changed["id"], changed["check_out_time"] is None) == (bob["id"], False)


def test_marks_are_told_at_once_and_not_at_the_next_look(
    room: Classroom, watch: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "HEARTBEAT", 15)
    monkeypatch.setattr(live, "LONGEST", 5)  # when the stream of one who is told nothing ends
    session = room.session()
    stream = watch(room.teacher, session)
    stream.until("counts")
    for name in ("Ada", "Bob"):
        room.mark(session, name)
        assert stream.until("counts")[-1].data["present"] == len(stream.records)
    body = {"records": [{"student_id": str(room.students["Ada"].id), "class_id": room.id,
                         "date": clock.today("UTC").isoformat(), "status": "late"}]}  # fmt: skip
    assert room.teacher.post("/api/attendance/batch", body).status_code == 201
    stream.until("counts")
    assert stream.names == {"Ada": "late", "Bob": "present"}


def test_who_comes_back_gets_what_has_changed_since(room: Classroom, watch: Open, monkeypatch: Any) -> None:
    monkeypatch.setattr(live, "OVERLAP", JUST_NOT)
    session = room.session()
    room.mark(session, "Ada")
    stream = watch(room.teacher, session)
    stream.until("counts")
    watch.close()
    room.mark(session, "Bob")
    room.mark(session, "Cleo")
    again = watch(room.teacher, session, stream.last_id)
    kinds = [event.kind for event in again.until("counts")]
    assert (kinds, again.names) == (["record", "record", "counts"], {"Bob": "present", "Cleo": "present"})
    plain = watch(room.teacher, session, stream.last_id.partition("~")[0])
    plain.until("counts")
    assert plain.names.keys() == {"Bob", "Cleo"}
    by_query = watch(room.teacher, session, query=f"?last_event_id={stream.last_id}")
    by_query.until("counts")
    assert by_query.names.keys() == {"Bob", "Cleo"}


def test_what_was_changed_first_and_saved_last_is_not_missed(room: Classroom, cast: Cast, watch: Open) -> None:
    session = room.session()
    room.mark(session, "Ada", "Bob")
    stream = watch(room.teacher, session)
    stream.until("counts")
    late = clock.now() - timedelta(seconds=20)  # its transaction waited so long for a lock
    with cast.app.app_context():
        of_bob = update(Record).where(Record.student_id == room.students["Bob"].id)
        db.session.execute(of_bob.values(status=Status.EXCUSED, changed_at=late))
        db.session.commit()
    stream.until("counts")
    assert stream.names == {"Ada": "present", "Bob": "excused"}
    again = watch(room.teacher, session, stream.last_id)
    again.until("counts")
    assert again.names["Bob"] == "excused"


@pytest.mark.parametrize(
    "last_id",
    ["", "rubbish", "~~", "2026-03-12", "2026-03-12T09:00:00", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z",
     "2026-03-12T09:00:00Z~x~y", "\xff" * 2000],
)  # fmt: skip
def test_after_an_event_that_cannot_be_there_is_everything(room: Classroom, watch: Open, last_id: str) -> None:
    session = room.session()
    room.mark(session, "Ada")
    stream = watch(room.teacher, session, last_id)
    assert [event.kind for event in stream.until("counts")] == ["reset", "record", "counts"]


def test_many_records_come_in_pages_and_who_is_cut_off_goes_on_there(
    room: Classroom, watch: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "PAGE", 2)
    monkeypatch.setattr(live, "OVERLAP", JUST_NOT)
    session = room.session()
    room.mark(session, "Ada")
    for name in ("Bob", "Cleo"):
        room.mark(session, name)
    stream = watch(room.teacher, session)
    stream.until("record")
    assert stream.names.keys() == {"Ada"}
    rest = watch(room.teacher, session, stream.last_id)
    rest.until("counts")
    assert rest.names.keys() == {"Bob", "Cleo"}
    stream.until("counts")
    assert stream.names.keys() == {"Ada", "Bob", "Cleo"}


def test_closing_is_told_and_reopening_begins_anew(room: Classroom, watch: Open) -> None:
    session = lecture(room)
    room.mark(session, "Ada")
    stream, path = watch(room.teacher, session), f"/api/attendance/session/{session}"
    stream.until("counts")
    open_id = stream.last_id
    assert room.teacher.post(f"{path}/close", {"reason": "Done"}).status_code == 200
    closed = stream.until("counts")
    assert [event.kind for event in closed if event.kind != "heartbeat"] == ["closed", "record", "record", "counts"]
    assert (next(e for e in closed if e.kind == "closed").data["status"], stream.counts["absent"]) == ("closed", 2)
    assert room.teacher.post(f"{path}/reopen", {"reason": "Too early"}).status_code == 200
    closed_id = stream.last_id
    stream.until("reset")
    stream.until("counts")
    assert stream.names == {"Ada": "present"}
    assert watch(room.teacher, session, closed_id).until("counts")[0].kind == "reset"
    assert "reset" not in [event.kind for event in watch(room.teacher, session, open_id).until("counts")]


def test_a_record_that_the_office_takes_back_is_gone_also_for_who_comes_back(
    room: Classroom, cast: Cast, watch: Open
) -> None:
    office, session = cast.person(Role.ADMIN), room.session()
    row = {"student_id": str(room.students["Bob"].id), "status": "excused"}
    assert office.post(f"/api/attendance/session/{session}/marks", {"marks": [row]}).status_code == 200
    room.mark(session, "Ada")
    stream, cut_off = watch(room.teacher, session), watch(room.teacher, session)
    for each in (stream, cut_off):
        each.until("counts")
        assert each.names == {"Ada": "present", "Bob": "excused"}
    bob = next(id_ for id_, record in stream.records.items() if record["status"] == "excused")
    assert office.delete(f"/api/attendance/records/{bob}/override").status_code == 200
    stream.until("counts")
    assert (stream.names, stream.counts["excused"]) == ({"Ada": "present"}, 0)
    again = watch(room.teacher, session, cut_off.last_id)
    assert [event.kind for event in again.until("counts")] == ["reset", "record", "counts"]
    once_more = watch(room.teacher, session, again.last_id)
    assert "reset" not in [event.kind for event in once_more.until("counts")]
    room.mark(session, "Cleo")
    assert "reset" not in [event.kind for event in stream.until("counts")]


def test_two_who_watch_are_told_the_same(room: Classroom, cast: Cast, watch: Open) -> None:
    session, other = room.session(), room.session()
    streams = [watch(person, session) for person in (room.teacher, cast.person(Role.ADMIN))]
    elsewhere = watch(room.teacher, other)
    for stream in (*streams, elsewhere):
        stream.until("counts")
    room.mark(session, "Ada")
    for stream in streams:
        stream.until("counts")
        assert stream.names == {"Ada": "present"}
    elsewhere.until("heartbeat")
    assert elsewhere.records == {}


def test_who_may_not_see_a_session_does_not_watch_it(room: Classroom, cast: Cast) -> None:
    session = room.session()
    for path, method in (("stream", "GET"), ("stream-ticket", "POST")):
        call = f"/api/attendance/session/{session}/{path}"
        other = cast.teacher(organisation_id=cast.other_organisation())
        for person, status in ((cast.teacher(), 403), (other, 404), (room.students["Ada"], 403), (cast.nobody, 401)):
            answer = person.call(method, call)
            assert (answer.status_code, answer.mimetype) == (status, "application/problem+json"), call


def ticket(room: Classroom, session: str) -> str:
    answer = room.teacher.post(f"/api/attendance/session/{session}/stream-ticket")
    assert answer.status_code == 201, answer.text
    return str(answer.json["ticket"])


def refused(nobody: Person, session: str, ticket: str, last_id: str = "") -> tuple[int, str]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    answer = nobody.get(f"/api/attendance/session/{session}/stream?ticket={ticket}", headers=headers)
    return answer.status_code, answer.json["code"]


def test_a_ticket_stands_for_its_owner_and_session(
    room: Classroom, nobody: Person, watch: Open, lines: io.StringIO
) -> None:
    session, other = room.session(), room.session()
    given = ticket(room, session)
    watch(nobody, session, query=f"?ticket={given}").until("counts")
    assert refused(nobody, other, given) == (401, "token_invalid")
    for forged in ("", "x", given[:-1], given + "x", given.swapcase(), "a.b.c"):
        assert refused(nobody, session, forged) == (401, "token_invalid")
    record = f"/api/attendance/session/{session}/records?ticket={given}"
    assert nobody.get(record).json["code"] == "token_missing"
    assert given not in lines.getvalue()
    assert f"/api/attendance/session/{session}/stream" in [line.get("path") for line in written(lines)]


def test_a_ticket_is_for_a_minute_and_for_who_comes_back_with_what_they_were_told(
    room: Classroom, nobody: Person, watch: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, other = room.session(), room.session()
    given = ticket(room, session)
    stream = watch(nobody, session, query=f"?ticket={given}")
    stream.until("counts")
    elsewhere = watch(room.teacher, other)
    elsewhere.until("counts")
    real = clock.now
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(seconds=61))
    assert refused(nobody, session, given) == (401, "token_expired")
    assert refused(nobody, session, given, "2026-03-12T09:00:00Z") == (401, "token_expired")
    assert refused(nobody, session, given, elsewhere.last_id) == (401, "token_expired")
    in_the_address = nobody.get(
        f"/api/attendance/session/{session}/stream?ticket={given}&last_event_id={stream.last_id}"
    )
    assert in_the_address.json["code"] == "token_expired"
    watch(nobody, session, stream.last_id, f"?ticket={given}").until("counts")
    monkeypatch.setattr(clock, "now", lambda: real() + timedelta(hours=1, seconds=60))
    assert refused(nobody, session, given, stream.last_id) == (401, "token_expired")


def test_a_stream_goes_on_as_long_as_its_reader_is_signed_in(room: Classroom, nobody: Person, watch: Open) -> None:
    session = room.session()
    given = ticket(room, session)
    streams = [watch(room.teacher, session), watch(nobody, session, query=f"?ticket={given}")]
    for stream in streams:
        stream.until("heartbeat")
    room.teacher.post("/api/auth/logout")
    for stream in streams:
        stream.rest()
        assert stream.records == {}
    assert refused(nobody, session, given, streams[1].last_id) == (401, "token_revoked")


@pytest.mark.parametrize("change", [{"status": UserStatus.SUSPENDED}, {"role": Role.STUDENT}])
def test_who_may_no_longer_watch_is_told_nothing_more(
    room: Classroom, cast: Cast, watch: Open, change: dict[str, Any]
) -> None:
    session = room.session()
    stream = watch(room.teacher, session)
    stream.until("counts")
    with cast.app.app_context():
        db.session.execute(update(User).where(User.id == room.teacher.id).values(change))
        db.session.commit()
    stream.rest()


def test_an_api_key_watches_too_until_it_is_revoked(room: Classroom, cast: Cast, watch: Open) -> None:
    admin, session = cast.person(Role.ADMIN), room.session()
    body = {"name": "Screen in the hall", "scopes": ["live:read", "live:write"], "expires_in_days": 1}
    made = admin.post("/api/admin/api-keys", body)
    assert made.status_code == 201, made.text
    script = Person(cast.app.test_client(), token=made.json["key"])
    stream = watch(script, session)
    stream.until("heartbeat")
    assert script.post(f"/api/attendance/session/{session}/stream-ticket").status_code == 403
    assert admin.delete(f"/api/admin/api-keys/{made.json['id']}").status_code in {200, 204}
    stream.rest()


def test_more_than_may_watch_get_what_there_is_and_come_back(
    room: Classroom, watch: Open, monkeypatch: pytest.MonkeyPatch, cast: Cast
) -> None:
    hub = changes.hub_of(cast.app)
    session = room.session()
    streams = [watch(room.teacher, session) for _ in range(8)]
    for stream in streams:
        stream.until("counts")
    room.mark(session, "Ada")
    polling = watch(room.teacher, session)
    assert [event.kind for event in polling.rest()] == ["reset", "record", "counts"]
    assert (polling.retry, polling.names) == (5000, {"Ada": "present"})
    room.mark(session, "Bob")
    again = watch(room.teacher, session, polling.last_id)
    again.rest()
    assert again.names["Bob"] == "present"
    assert hub._free == 0


def test_asking_for_the_headers_alone_watches_nothing(room: Classroom) -> None:
    answer = room.teacher.call("HEAD", f"/api/attendance/session/{room.session()}/stream")
    assert (answer.status_code, answer.data) == (200, b"")  # and its place is free: see `quick`


def test_a_stream_ends_after_a_while(room: Classroom, watch: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LONGEST", 4 * SOON)
    stream = watch(room.teacher, room.session())
    assert "heartbeat" in [event.kind for event in stream.rest()]


def test_who_waits_holds_no_connection(room: Classroom, cast: Cast, watch: Open) -> None:
    stream = watch(room.teacher, room.session())
    stream.until("heartbeat")
    with cast.app.app_context():
        assert db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


def test_every_way_to_change_a_record_notes_when(room: Classroom, cast: Cast) -> None:
    session, ada = room.session(), room.students["Ada"]
    early = clock.now() - timedelta(days=1)
    key = {"organisation_id": ada.organisation_id, "session_id": session, "student_id": ada.id}

    def noted() -> bool:
        with cast.app.app_context():
            found = db.session.scalars(select(Record.changed_at)).one()
            db.session.execute(update(Record).values(changed_at=early))
            db.session.commit()
        return bool(found > early + timedelta(hours=23))

    room.mark(session, "Ada")  # insert_missing
    assert noted()
    with cast.app.app_context():
        row = db.session.scalars(select(Record)).one()
        row.remarks = "By the unit of work"
        db.session.commit()
        key["session_id"] = row.session_id
    assert noted()
    with cast.app.app_context():
        db.session.execute(update(Record).values(remarks="By a statement"))
        db.session.commit()
    assert noted()
    with cast.app.app_context():
        db.session.execute(update(Record.__table__).values(remarks="By a statement of the table"))  # type: ignore[arg-type]
        db.session.commit()
    assert noted()
    with cast.app.app_context():
        taken = key | {"id": uuid7(), "status": Status.ABSENT, "source": Source.CLOSE, "marked_at": early,
                       "verification": Verification.VERIFIED, "marked_by_id": room.teacher.id}  # fmt: skip
        transaction(lambda: insert_missing(Record, [taken], tuple(key)))()
    assert not noted()  # there was one: nothing has changed


def test_a_statement_that_names_no_session_is_told_to_all_of_the_organisation(
    room: Classroom, cast: Cast, watch: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[Any] = []
    monkeypatch.setattr(changes.hub_of(cast.app), "announce", lambda ids: told.append({str(id_) for id_ in ids}))
    session = room.session()
    room.mark(session, "Ada")
    own = str(room.teacher.organisation_id or cast.app)
    with cast.app.app_context():
        sign_in = db.session.scalars(select(SignIn.id).where(SignIn.user_id == room.teacher.id)).one()
        caller = caller_of(sign_in)
        change = caller.change(Record).where(Record.student_id == room.students["Ada"].id).values(remarks="Hm")
        transaction(lambda: db.session.execute(change))()
        quiet = change.execution_options(audited=False).where(Record.session_id.in_(select(Record.session_id)))
        transaction(lambda: db.session.execute(quiet))()
    assert told == [{session}, {session}, {own}, {own}]
