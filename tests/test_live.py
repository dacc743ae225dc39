"""Watching a session on real servers, over real connections, and when Redis goes."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from json import dumps as to_json
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from apiflask import APIFlask
from pydantic import ValidationError

from app import create_app
from app.extensions import limiter
from app.services import changes
from app.services.changes import Hub
from tests.api.test_live import Stream, lecture
from tests.backends import REDIS, backends
from tests.conftest import Cast, Nowhere, Person, settings_for
from tests.story import Classroom
from tests.test_server import server

WITH_REDIS = pytest.mark.skipif("celery" not in backends(), reason="Redis does not answer")
AT_ONCE = 8.0
"""Seconds, less than the heartbeat after which it would be found out anyway."""


@contextmanager
def people(folder: Path, **settings: str) -> Iterator[Cast]:
    """Who use the database and the secrets of a server."""
    app = create_app(settings_for(folder, database_url=f"sqlite:///{folder / 'rollcall.db'}", **settings))
    app.extensions["backend"] = Nowhere()
    limiter.enabled = False
    with app.app_context():
        yield Cast(app)


@contextmanager
def watching(address: str, path: str, token: str | None = None, **headers: str) -> Iterator[Stream]:
    at = urlsplit(address)
    connection = http.client.HTTPConnection(at.hostname or "", at.port, timeout=AT_ONCE)
    headers |= {"Authorization": f"Bearer {token}"} if token else {}
    connection.request("GET", path, headers=headers)
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    try:
        yield Stream(iter(lambda: answer.read1(1000), b""))
    finally:
        connection.close()


def post(address: str, person: Person, path: str, body: dict[str, Any] | None = None) -> Any:
    at = urlsplit(address)
    remote = Person(Remote(at.hostname or "", at.port or 0), token=person.token)  # type: ignore[arg-type]
    return remote.post(path, body or {})


class Remote:
    """What `Person` calls, over a connection."""

    def __init__(self, host: str, port: int) -> None:
        self.connection = http.client.HTTPConnection(host, port, timeout=30)

    def open(self, path: str, method: str, json: Any, headers: dict[str, str], **_: Any) -> int:
        self.connection.request(method, path, to_json(json), headers | {"Content-Type": "application/json"})
        answer = self.connection.getresponse()
        answer.read()
        self.connection.close()
        return answer.status


def test_a_check_in_is_seen_at_once_and_a_reader_who_comes_back_has_missed_nothing(tmp_path: Path) -> None:
    with ExitStack() as left, server(tmp_path, WEB_THREADS="4") as (address, logged), people(tmp_path) as cast:
        room = Classroom.open(cast)
        ada, bob = room.join("Ada"), room.join("Bob")
        session = lecture(room)
        path = f"/api/attendance/session/{session}/stream"
        ticket = room.teacher.post(f"{path}-ticket").json["ticket"]
        with watching(address, f"{path}?ticket={ticket}") as stream:
            stream.until("counts")
            assert post(address, ada, "/api/attendance/check-in", {"session_id": session}) == 201
            stream.until("counts")
            assert (stream.names, stream.counts["present"]) == ({"Ada": "present"}, 1)
        assert post(address, bob, "/api/check-in", {"session_id": session}) == 201
        again = {"Last-Event-ID": stream.last_id}
        stream = left.enter_context(watching(address, f"{path}?ticket={ticket}", **again))
        stream.until("counts")
        assert "Bob" in stream.names
        # two of the four threads may stream, and whoever went away holds theirs until the next heartbeat
        polls = [left.enter_context(watching(address, path, room.teacher.token)) for _ in range(4)]
        for poll in polls[2:]:
            poll.rest()
            assert (poll.retry, set(poll.names)) == (5000, {"Ada", "Bob"})
    # the server has stopped, though somebody was watching: `server` waits no longer than a stream would
    assert ticket not in logged.read_text()


@WITH_REDIS
def test_what_happens_on_one_server_is_seen_on_the_other(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    second.mkdir(parents=True)
    first.mkdir()
    shared = {"REDIS_URL": REDIS, "JOBS": "threads"}
    same = {"DATABASE_URL": f"sqlite:///{first / 'rollcall.db'}", "INSTANCE_DIR": str(first)}
    with server(first, **shared) as (one, _), server(second, **shared, **same) as (two, _), people(first) as cast:
        room = Classroom.open(cast)
        ada, session = room.join("Ada"), lecture(room)
        path = f"/api/attendance/session/{session}/stream"
        with watching(one, path, room.teacher.token) as here, watching(two, path, room.teacher.token) as there:
            here.until("counts")
            there.until("counts")
            assert post(one, ada, "/api/attendance/check-in", {"session_id": session}) == 201
            for stream in (here, there):
                stream.until("counts")
                assert stream.names == {"Ada": "present"}


def test_not_all_threads_may_stream(tmp_path: Path) -> None:
    assert settings_for(tmp_path, web_threads=16, live_streams=15)
    with pytest.raises(ValidationError, match="LIVE_STREAMS"):
        settings_for(tmp_path, web_threads=16, live_streams=16)


class OwnRedis:
    """A Redis that can be stopped and started."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.url, self.folder = f"redis://127.0.0.1:{self.port}/0", folder
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--save", "", "--bind", "127.0.0.1"]
        self.process = subprocess.Popen(command, cwd=self.folder, stdout=subprocess.DEVNULL)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(10)


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[OwnRedis]:
    own = OwnRedis(tmp_path)
    yield own
    own.stop()


def hub(app: APIFlask, redis: OwnRedis) -> Hub:
    """A process of its own, as far as the others know."""
    return Hub(settings_for(Path(app.instance_path), redis_url=redis.url, live_streams=8))


def soon(condition: Any, within: float = 10) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.skipif(shutil.which("redis-server") is None, reason="Redis is not installed")
def test_while_redis_is_away_nobody_waits_for_it_and_then_it_is_found_again(
    app: APIFlask, redis: OwnRedis, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(changes, "LONGEST_PAUSE", 0.2)
    monkeypatch.setattr(changes, "AWAY", 0.5)
    here, there = hub(app, redis), hub(app, redis)
    session = uuid.uuid4()

    def announced() -> bool:
        there.announce([session])
        return bool(told and told.wait(0.1))

    with here.watch(session) as told:
        assert told
        assert not here.is_told  # they look for themselves
        begun = time.monotonic()
        for _ in range(1000):
            there.announce([session])
        assert time.monotonic() - begun < 1
        redis.start()
        soon(lambda: here.is_told)
        told.clear()
        soon(announced)
        redis.stop()
        told.clear()
        soon(lambda: not here.is_told)
        assert told.wait(1)  # look, now
        redis.start()
        soon(lambda: here.is_told)
        told.clear()
        soon(announced)
    here.close()
    there.close()
