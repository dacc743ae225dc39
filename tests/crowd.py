"""A crowd at a real server: a class full of people with their tokens, and the calls that they make at once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask_jwt_extended import create_access_token
from sqlalchemy import Table, insert, select
from uuid_utils.compat import uuid7

from app import clock, create_app
from app.extensions import db
from app.models import Base, Class, ClassTeacher, Enrolment, Organisation, Role, Session, SignIn, User, UserStatus
from app.services import installation
from config import ROOT, Settings
from tests.conftest import settings_for
from tests.factories import make, make_user

HERE = (38.7223, -9.1393)


@dataclass
class Crowd:
    """Everybody of one class, and its sessions that run now; a person is their access token."""

    ids: list[uuid.UUID]
    people: list[str]
    teacher: str
    class_id: str
    sessions: list[str]
    settings: Settings

    @property
    def environment(self) -> dict[str, str]:
        """What a server is started with, so that it knows these people."""
        return {
            "DATABASE_URL": self.settings.database_url,
            "INSTANCE_DIR": str(self.settings.instance_dir),
            "LOG_LEVEL": "WARNING",
            "HOST": "127.0.0.1",
            "PORT": "0",
        }

    def check_in(self, person: int, session: int = 0) -> bytes:
        body = {"session_id": self.sessions[session], "lat": HERE[0], "lon": HERE[1], "accuracy": 8.0}
        return request("POST", "/api/attendance/check-in", self.people[person], body)


def crowd(folder: Path, url: str, people: int, sessions: int = 1) -> Crowd:
    """Set up a new database with so many people of one class, who are expected in so many sessions."""
    settings = settings_for(folder, database_url=url)
    app = create_app(settings)
    with app.app_context():
        installation.prepare()
        default = db.session.scalar(select(Organisation.id).where(Organisation.is_default.is_(True)))
        teacher = make_user(role=Role.TEACHER, organisation_id=default)
        own: dict[str, Any] = {"organisation_id": teacher.organisation_id}
        room = make(Class, created_at=clock.now(), **own)
        make(ClassTeacher, class_id=room.id, teacher_id=teacher.id, **own)
        ids = _people(own | {"created_at": clock.now()}, room.id, people)
        tokens = _signed_in(own, [teacher.id, *ids])
        made = _sessions(own, room.id, teacher.id, sessions)
        db.session.remove()
        db.engine.dispose()
    app.extensions["face_pool"].close()
    app.extensions["backend"].close()
    return Crowd(ids, tokens[1:], tokens[0], str(room.id), made, settings)


def _people(own: dict[str, Any], class_id: uuid.UUID, count: int) -> list[uuid.UUID]:
    ids = [uuid7() for _ in range(count)]
    student = {"role": Role.STUDENT, "status": UserStatus.ACTIVE, "first_name": "Ada", "last_name": ""}
    joined = {"class_id": class_id, "starts_on": clock.today("UTC") - timedelta(days=2), "is_current": True}
    _insert(
        {
            User: [own | student | {"id": id_, "email": f"{id_}@school.test"} for id_ in ids],
            Enrolment: [own | joined | {"id": uuid7(), "student_id": id_} for id_ in ids],
        }
    )
    return ids


def _signed_in(own: dict[str, Any], people: list[uuid.UUID]) -> list[str]:
    """An access token of each."""
    begun = {"device": "phone", "address": "127.0.0.1", "expires_at": clock.now() + timedelta(days=1)}
    begun |= {"created_at": clock.now(), "last_used_at": clock.now(), "refreshes": 0}
    ids = [(id_, uuid7()) for id_ in people]
    _insert({SignIn: [own | begun | {"id": sign_in, "user_id": id_} for id_, sign_in in ids]})
    return [
        create_access_token(str(id_), additional_claims={"sid": str(sign_in)}, expires_delta=timedelta(hours=1))
        for id_, sign_in in ids
    ]


def _insert(rows: dict[type[Base], list[dict[str, Any]]]) -> None:
    for model, values in rows.items():
        table = model.__table__
        assert isinstance(table, Table)
        db.session.execute(insert(table), values)
    db.session.commit()


def _sessions(own: dict[str, Any], class_id: uuid.UUID, teacher_id: uuid.UUID, count: int) -> list[str]:
    now = clock.now()
    site = {"name": "Hall", "latitude": HERE[0], "longitude": HERE[1], "radius": 100}
    values = own | {"class_id": class_id, "created_by_id": teacher_id, "session_date": now.date()}
    values |= {"starts_at": now - timedelta(minutes=1), "ends_at": now + timedelta(hours=2)}
    rows = [Session(name=f"Lecture {n}", policy={"sites": [site]}, **values) for n in range(count)]
    db.session.add_all(rows)
    db.session.commit()
    return [str(row.id) for row in rows]


def request(method: str, path: str, token: str | None = None, body: Any = None) -> bytes:
    """An HTTP/1.1 request as it goes over the wire."""
    content = b"" if body is None else json.dumps(body).encode()
    lines = [f"{method} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(content)}"]
    lines += ["Content-Type: application/json"] if content else []
    lines += [f"Authorization: Bearer {token}"] if token else []
    return "\r\n".join([*lines, "", ""]).encode() + content


@dataclass
class Program:
    """A server that runs."""

    address: str
    process: subprocess.Popen[bytes]
    killed: bool = field(default=False)

    def kill(self) -> None:
        """All of its processes at once, as when the power fails."""
        self.killed = True
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)


@contextmanager
def serving(
    folder: Path, environment: dict[str, str], program: Sequence[str | Path] = (ROOT / "run.py",)
) -> Iterator[Program]:
    """A server of its own process group, until the end of the block; it is stopped as an operator stops it."""
    printed = folder / f"printed-{time.monotonic_ns()}"
    with printed.open("w") as out, (folder / "logged").open("a") as err:
        process = subprocess.Popen(
            [sys.executable, *program],
            env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
            stdout=out,
            stderr=err,
            cwd=folder,
            start_new_session=True,
        )
    deadline = time.monotonic() + 60
    while "/api/docs" not in printed.read_text():
        assert process.poll() is None, (folder / "logged").read_text()[-2000:]
        assert time.monotonic() < deadline, "it did not start within a minute"
        time.sleep(0.02)
    running = Program(printed.read_text().split("http://")[1].split()[0], process)
    try:
        yield running
    finally:
        if not running.killed:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def at_once(address: str, requests: Sequence[bytes]) -> list[int | None]:
    """Send all at once, each on a connection of its own; the statuses, None where no whole answer came back."""

    async def all_of_them() -> list[int | None]:
        return await asyncio.gather(*(_answered(address, request) for request in requests))

    return asyncio.run(all_of_them())


def until_killed(program: Program, requests: Sequence[bytes], answers: int) -> list[int | None]:
    """As `at_once`, but the server is killed as soon as so many are answered."""

    async def one(request: bytes) -> int | None:
        nonlocal answers
        status = await _answered(program.address, request)
        answers -= 1
        if answers == 0:
            program.kill()
        return status

    async def all_of_them() -> list[int | None]:
        return await asyncio.gather(*map(one, requests))

    return asyncio.run(all_of_them())


def one_after_another(address: str, requests: Sequence[bytes], connections: int) -> list[int]:
    """Send them over so many connections, which stay open: whichever has its answer sends the next."""
    left = iter(requests)

    async def through_one() -> list[int]:
        reader, writer = await asyncio.open_connection(*_host_and_port(address))
        statuses = []
        for request in left:
            writer.write(request)
            statuses.append(await _answer(reader))
        writer.close()
        return statuses

    async def all_of_them() -> list[list[int]]:
        return await asyncio.gather(*(through_one() for _ in range(connections)))

    return [status for statuses in asyncio.run(all_of_them()) for status in statuses]


async def _answered(address: str, request: bytes) -> int | None:
    try:
        reader, writer = await asyncio.open_connection(*_host_and_port(address))
        writer.write(request)
        status = await _answer(reader)
        writer.close()
    except (OSError, EOFError):  # the server died before it had said all
        return None
    return status


async def _answer(reader: asyncio.StreamReader) -> int:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    length = next(line for line in head.lower().split("\r\n") if line.startswith("content-length:"))
    await reader.readexactly(int(length.partition(":")[2]))
    return int(head.split()[1])


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
