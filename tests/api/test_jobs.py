"""What takes long, done after the answer: `Prefer: respond-async`."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Event
from typing import Any

import pytest

from app import clock
from app.extensions import face_pool
from app.models import Role
from app.services import recognition
from app.services.jobs import Background
from tests.conftest import Cast
from tests.pictures import astronaut, data_url, encode, grace_hopper, group
from tests.story import Classroom, enrol

ASYNC = {"Prefer": "respond-async"}


@pytest.fixture
def room(cast: Cast) -> Classroom:
    room = Classroom.open(cast)
    enrol(room.join("Eileen"), [encode(astronaut())])
    return room


def recognise(room: Classroom, *pictures: bytes) -> Any:
    body = {"class_id": room.id, "images": [data_url(picture) for picture in pictures]}
    return room.teacher.post("/api/attendance/recognize-faces", body, headers=ASYNC)


def follow(room: Classroom, accepted: Any) -> Any:
    """The job as it is when it has ended."""
    deadline = time.monotonic() + 60
    while (job := room.teacher.get(accepted.headers["Location"]).json)["status"] == "running":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return job


def test_recognition_in_the_background_gives_what_the_call_would_have(room: Classroom) -> None:
    pictures = [encode(group(astronaut(), grace_hopper())), encode(astronaut())]
    accepted = recognise(room, *pictures)
    assert (accepted.status_code, accepted.json["status"]) == (202, "running")
    assert accepted.headers["Preference-Applied"] == "respond-async"
    job = follow(room, accepted)
    assert (job["status"], job["done"], job["total"], job["problem"]) == ("done", 2, 2, None)
    assert job["result"] == room.recognise(*pictures).json


def test_progress_can_be_followed(room: Classroom, cast: Cast) -> None:
    with cast.app.app_context():
        pool = face_pool()
    seen = []
    pool.analyse([encode(astronaut())] * 3, lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_a_refusal_is_the_jobs_outcome(room: Classroom) -> None:
    job = follow(room, recognise(room, b"no picture"))
    assert (job["status"], job["result"]) == ("failed", None)
    assert (job["problem"]["status"], job["problem"]["code"], job["problem"]["image"]) == (400, "not_an_image", 0)


def test_an_unexpected_failure_tells_nothing(room: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(recognition, "recognise", fail)
    job = follow(room, recognise(room, b""))
    assert (job["status"], job["problem"]["code"]) == ("failed", "internal_server_error")
    assert "secret" not in str(job)


def test_a_job_is_for_who_started_it(room: Classroom, cast: Cast) -> None:
    accepted = recognise(room, encode(astronaut()))
    follow(room, accepted)
    for other in (cast.teacher(), cast.person(Role.ADMIN)):
        answer = other.get(accepted.headers["Location"])
        assert (answer.status_code, answer.json["code"]) == (404, "not_found")


def test_a_job_whose_server_was_stopped_says_so(room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cast.app.extensions["background"], "run", lambda _work: None)
    accepted = recognise(room, encode(astronaut()))
    assert room.teacher.get(accepted.headers["Location"]).json["status"] == "running"
    later = clock.now() + timedelta(minutes=11)
    monkeypatch.setattr(clock, "now", lambda: later)
    job = room.teacher.get(accepted.headers["Location"]).json
    assert (job["status"], job["problem"]["code"]) == ("failed", "job_interrupted")


def test_too_many_jobs_are_refused(room: Classroom, cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    goes_on = Event()
    monkeypatch.setitem(cast.app.extensions, "background", Background(1, waiting=1))
    monkeypatch.setattr(recognition, "recognise", lambda *_: goes_on.wait(30))
    answers = [recognise(room, b"") for _ in range(3)]
    goes_on.set()
    assert [answer.status_code for answer in answers] == [202, 202, 503]
    assert answers[2].json["code"] == "jobs_busy"
    for answer in answers[:2]:
        follow(room, answer)
