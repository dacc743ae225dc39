"""What takes long, done after the answer: `Prefer: respond-async`, by either backend, whatever stops in between."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import func, select, update

from app import clock
from app.extensions import db, face_pool
from app.models import Job, JobPart, Role, User, UserStatus
from app.services import jobs, recognition
from app.services.backends import Threads
from app.services.errors import NotClassMember, NotYourClass
from app.services.jobs import Backend
from tests.backends import backend, backends, queue
from tests.conftest import Cast, Nowhere
from tests.pictures import astronaut, data_url, encode, grace_hopper, group
from tests.story import Classroom, enrol

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def room(cast: Cast) -> Classroom:
    return Classroom.open(cast)


@pytest.fixture(params=backends())
def running(request: pytest.FixtureRequest, cast: Cast) -> Iterator[Backend]:
    """Jobs are done, by each of the backends."""
    with backend(request.param, cast.app) as running:
        yield running


def recognise(room: Classroom, *pictures: bytes) -> Any:
    body = {"class_id": room.id, "images": [data_url(picture) for picture in pictures]}
    return room.teacher.post("/api/attendance/recognize-faces", body, headers=ASYNC)


def read(room: Classroom, accepted: Any) -> Any:
    return room.teacher.get(accepted.headers["Location"]).json


def follow(room: Classroom, accepted: Any) -> Any:
    """The job as it is when it has ended."""
    wait_until(lambda: read(room, accepted)["status"] in {"done", "failed"})
    return read(room, accepted)


def wait_until(condition: Callable[[], Any]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def later(monkeypatch: pytest.MonkeyPatch, **passed: float) -> None:
    moment = clock.now() + timedelta(**passed)
    monkeypatch.setattr(clock, "now", lambda: moment)


def sweep(cast: Cast) -> None:
    with cast.app.app_context():
        jobs.sweep()


def job_id(accepted: Any) -> uuid.UUID:
    return uuid.UUID(accepted.json["id"])


def kept(cast: Cast, model: Any) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_recognition_in_the_background_gives_what_the_call_would_have(room: Classroom, running: Backend) -> None:
    enrol(room.join("Eileen"), [encode(astronaut())])
    pictures = [encode(group(astronaut(), grace_hopper())), encode(astronaut())]
    accepted = recognise(room, *pictures)
    assert (accepted.status_code, accepted.json["status"]) == (202, "queued")
    assert accepted.headers["Preference-Applied"] == "respond-async"
    job = follow(room, accepted)
    assert (job["status"], job["done"], job["total"], job["problem"]) == ("done", 2, 2, None)
    direct = room.recognise(*pictures).json
    assert job["result"] | {"recognition_id": ""} == direct | {"recognition_id": ""}


def test_progress_can_be_followed(room: Classroom, cast: Cast) -> None:
    with cast.app.app_context():
        pool = face_pool()
    seen = []
    pool.analyse([encode(astronaut())] * 3, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_refusal_is_the_jobs_outcome(room: Classroom, running: Backend) -> None:
    job = follow(room, recognise(room, b"no picture"))
    assert (job["status"], job["result"]) == ("failed", None)
    assert (job["problem"]["status"], job["problem"]["code"], job["problem"]["image"]) == (400, "not_an_image", 0)


def test_an_unexpected_failure_tells_nothing(
    room: Classroom, running: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(recognition, "recognise", fail)
    job = follow(room, recognise(room, b""))
    assert (job["status"], job["problem"]["code"]) == ("failed", "internal_server_error")
    assert "secret" not in str(job)


def test_a_job_is_for_who_started_it(room: Classroom, cast: Cast) -> None:
    accepted = recognise(room, encode(astronaut()))
    assert read(room, accepted)["status"] == "queued"
    for other in (cast.teacher(), cast.person(Role.ADMIN)):
        answer = other.get(accepted.headers["Location"])
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_what_a_job_was_given_is_kept_sealed_until_it_ends(
    room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pieces: MariaDB takes no statement of more than 16 MB."""
    seen: list[bytes] = []
    monkeypatch.setattr(recognition, "recognise", lambda _caller, _class, pictures: seen.extend(pictures))
    picture = b"picture " * 2**21
    accepted = recognise(room, picture, b"second")
    with cast.app.app_context():
        parts = db.session.scalars(select(JobPart.sealed)).all()
        assert max(map(len, parts)) < 8_000_000
        assert not any(b"class_id" in part for part in parts)
        jobs.run(job_id(accepted))
    assert seen == [picture, b"second"]
    assert kept(cast, JobPart) == 0


def test_a_job_that_nobody_took_is_announced_again(
    room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server died after it had answered; another one comes."""
    accepted = recognise(room, b"no picture")
    later(monkeypatch, minutes=2)
    with backend("threads", cast.app):
        sweep(cast)
        assert follow(room, accepted)["problem"]["code"] == "not_an_image"


def test_a_job_that_was_interrupted_is_done_again_and_in_the_end_given_up(
    room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    accepted = recognise(room, b"no picture")
    for _ in range(jobs.ATTEMPTS):
        with cast.app.app_context():
            jobs._claim(job_id(accepted))  # and the server dies
        sweep(cast)
        assert read(room, accepted)["status"] == "running"
        later(monkeypatch, minutes=2)
        sweep(cast)
    job = read(room, accepted)
    assert (job["status"], job["problem"]["code"]) == ("failed", "job_interrupted")
    assert kept(cast, JobPart) == 0


def test_a_job_that_goes_on_is_not_interrupted_however_long_it_reports_nothing(
    room: Classroom, cast: Cast, running: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, runs = Event(), list[int]()

    def work(*_: Any) -> None:
        runs.append(1)
        goes_on.wait(30)

    def beat_at() -> Any:
        with cast.app.app_context():
            return db.session.scalar(select(Job.beat_at))

    monkeypatch.setattr(jobs, "BEAT", timedelta(seconds=0.05))
    monkeypatch.setattr(recognition, "recognise", work)
    accepted = recognise(room, b"")
    wait_until(lambda: runs)
    later(monkeypatch, minutes=2)
    wait_until(lambda: beat_at() == clock.now())
    sweep(cast)
    goes_on.set()
    follow(room, accepted)
    assert runs == [1]


def test_a_runner_that_comes_back_does_not_end_the_job_of_the_next_one(
    room: Classroom, cast: Cast, running: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    away, comes_back, ended = Event(), Event(), list[int]()
    end = jobs._end

    def recognise_late(*_: Any) -> None:
        if away.is_set():  # this is the next one
            comes_back.set()
            wait_until(lambda: ended == [1])
            raise NotClassMember
        away.set()
        comes_back.wait(30)
        raise NotYourClass

    def told(job: Job, **outcome: Any) -> None:
        end(job, **outcome)
        ended.append(job.attempts)

    monkeypatch.setattr(jobs, "BEAT", timedelta(hours=1))
    monkeypatch.setattr(jobs, "_end", told)
    monkeypatch.setattr(recognition, "recognise", recognise_late)
    accepted = recognise(room, b"")
    assert away.wait(30)
    later(monkeypatch, minutes=2)
    monkeypatch.setitem(cast.app.extensions, "backend", Nowhere())
    sweep(cast)
    with cast.app.app_context():
        jobs.run(job_id(accepted))
    assert read(room, accepted)["problem"]["code"] == "not_class_member"


def test_who_is_told_of_a_job_twice_does_it_once(room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    runs: list[int] = []
    monkeypatch.setattr(recognition, "recognise", lambda *_: runs.append(1))
    accepted = recognise(room, b"")

    def told(_: int) -> None:
        with cast.app.app_context():
            jobs.run(job_id(accepted))

    with ThreadPoolExecutor(10) as pool:
        list(pool.map(told, range(10)))
    assert runs == [1]


def test_a_job_of_somebody_who_was_suspended_since_is_not_done(room: Classroom, cast: Cast) -> None:
    accepted = recognise(room, b"")
    with cast.app.app_context():
        db.session.execute(update(User).where(User.id == room.teacher.id).values(status=UserStatus.SUSPENDED))
        db.session.commit()
        jobs.run(job_id(accepted))
        assert db.session.scalars(select(Job.problem)).one()["code"] == "account_suspended"


def test_a_job_goes_on_when_who_asked_signs_out(room: Classroom, cast: Cast) -> None:
    accepted = recognise(room, b"no picture")
    room.teacher.post("/api/auth/logout")
    with cast.app.app_context():
        jobs.run(job_id(accepted))
        assert db.session.scalars(select(Job.problem)).one()["code"] == "not_an_image"


def test_a_job_is_kept_for_a_day_after_its_end(room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    ended, _waiting = recognise(room, b"no picture"), recognise(room, b"no picture")
    with cast.app.app_context():
        jobs.run(job_id(ended))
        for hours, left in ((23, 2), (2, 1)):
            later(monkeypatch, hours=hours)
            jobs.remove_expired()
            assert kept(cast, Job) == left


def test_too_many_jobs_are_refused_and_leave_nothing(
    room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on = Event()
    threads = Threads(cast.app, 1, waiting=1)
    monkeypatch.setitem(cast.app.extensions, "backend", threads)
    monkeypatch.setattr(recognition, "recognise", lambda *_: goes_on.wait(30))
    answers = [recognise(room, b"") for _ in range(3)]
    assert kept(cast, Job) == 2
    goes_on.set()
    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert answers[2].json["code"] == "jobs_busy"
    for answer in answers[:2]:
        follow(room, answer)
    threads.close()


def test_a_server_that_stops_finishes_what_it_does_and_leaves_the_rest_to_others(
    room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs, goes_on, threads = Event(), Event(), Threads(cast.app, 1)

    def work(*_: Any) -> None:
        runs.set()
        goes_on.wait(30)

    monkeypatch.setitem(cast.app.extensions, "backend", threads)
    monkeypatch.setattr(recognition, "recognise", work)
    begun, waiting = recognise(room, b""), recognise(room, b"")
    assert runs.wait(30)
    with ThreadPoolExecutor() as pool:
        stopped = pool.submit(threads.close)
        wait_until(lambda: threads._closed)
        late = recognise(room, b"")
        goes_on.set()
        stopped.result(30)
    assert [read(room, job)["status"] for job in (begun, waiting, late)] == ["failed", "queued", "queued"]


def test_a_job_is_taken_on_while_redis_is_gone(room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(cast.app.extensions, "backend", queue(cast.app, "redis://127.0.0.1:1/0"))
    accepted = recognise(room, b"no picture")
    assert (accepted.status_code, read(room, accepted)["status"]) == (202, "queued")
