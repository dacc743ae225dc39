"""What the system does by itself: once for each interval, however many servers tick, and whatever dies."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier, Event

import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db
from app.models import Job, JobStatus
from app.services import jobs, schedules
from app.services.backends import Threads
from app.services.schedules import Schedule
from tests.backends import backend, backends
from tests.conftest import Cast
from tests.statements import counted

NOON = datetime(2026, 3, 12, 12, tzinfo=UTC)


@pytest.fixture
def runs(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """When the only schedule, of every minute, did its work."""
    runs: list[datetime] = []
    schedule(cast, monkeypatch, lambda: runs.append(clock.now()))
    return runs


def schedule(cast: Cast, monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> None:
    monkeypatch.setattr(schedules, "SCHEDULES", [Schedule("water_plants", timedelta(minutes=1), work)])
    monkeypatch.setitem(cast.app.extensions["work"], "water_plants", work)
    at(monkeypatch, NOON)


def at(monkeypatch: pytest.MonkeyPatch, moment: datetime) -> None:
    monkeypatch.setattr(clock, "now", lambda: moment)


def within(cast: Cast, *calls: Callable[[], object]) -> None:
    with cast.app.app_context():
        for call in calls:
            call()


@pytest.mark.parametrize("kind", backends())
def test_ten_who_tick_at_the_same_moment_are_one_run(
    cast: Cast, runs: list[datetime], monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    together = Barrier(10)

    def tick(_: int) -> None:
        together.wait()
        within(cast, schedules.tick)

    intervals = [NOON + timedelta(minutes=n) for n in range(5)]
    for moment in intervals:
        at(monkeypatch, moment)
        with backend(kind, cast.app), ThreadPoolExecutor(10) as pool:
            list(pool.map(tick, range(10)))
            within(cast, wait_for_the_end)
    assert runs == intervals


def wait_for_the_end() -> None:
    ended = Event()
    while db.session.scalars(select(Job.id).where(Job.expires_at.is_(None))).all():
        db.session.rollback()
        ended.wait(0.05)


def test_an_interval_ends_at_the_same_moment_for_everybody(
    cast: Cast, runs: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    for seconds, kept in ((0, 1), (59, 1), (60, 2), (61, 2), (3600, 3)):
        at(monkeypatch, NOON + timedelta(seconds=seconds))
        within(cast, schedules.tick)
        with cast.app.app_context():
            assert len(db.session.scalars(select(Job.id)).all()) == kept


def test_who_has_ticked_in_an_interval_asks_the_database_no_more(
    cast: Cast, runs: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    last: list[datetime | None] = [None]
    for seconds, begun in ((0, 1), (5, 0), (59, 0), (60, 1), (3600, 1)):
        at(monkeypatch, NOON + timedelta(seconds=seconds))
        with counted(cast.app) as said:
            within(cast, lambda: last.append(schedules.tick(last[-1])))
        assert len([statement for statement in said if statement.startswith("INSERT INTO jobs")]) == begun, seconds


def test_a_run_whose_server_died_is_run_again(
    cast: Cast, runs: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    within(cast, schedules.tick)
    with cast.app.app_context():
        jobs._claim(db.session.scalars(select(Job.id)).one())
    at(monkeypatch, NOON + timedelta(minutes=2))
    with backend("threads", cast.app):
        within(cast, jobs.sweep, wait_for_the_end)
    assert len(runs) == 1


def test_runs_are_not_kept_for_longer_than_an_hour(
    cast: Cast, runs: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    with backend("threads", cast.app):
        within(cast, schedules.tick, wait_for_the_end)
    for minutes, kept in ((59, 1), (60, 0)):
        at(monkeypatch, NOON + timedelta(minutes=minutes))
        within(cast, jobs.remove_expired)
        with cast.app.app_context():
            assert len(db.session.scalars(select(Job.id)).all()) == kept


def test_the_systems_own_do_not_wait_for_peoples_jobs(
    cast: Cast, runs: list[datetime], monkeypatch: pytest.MonkeyPatch
) -> None:
    goes_on, backend = Event(), Threads(cast.app, 1, waiting=0)
    monkeypatch.setitem(cast.app.extensions, "backend", backend)
    backend._executors[False].submit(goes_on.wait, 30)
    within(cast, schedules.tick, wait_for_the_end)
    assert len(runs) == 1
    goes_on.set()
    backend.close()


def test_a_run_that_fails_is_told_and_the_next_one_runs(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        raise RuntimeError

    schedule(cast, monkeypatch, fail)
    with backend("threads", cast.app):
        within(cast, schedules.tick, wait_for_the_end)
        at(monkeypatch, NOON + timedelta(minutes=1))
        within(cast, schedules.tick, wait_for_the_end)
    with cast.app.app_context():
        assert db.session.scalars(select(Job.status)).all() == [JobStatus.FAILED] * 2
