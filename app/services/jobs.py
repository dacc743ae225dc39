"""Work that goes on after its call was answered, with progress to follow."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from datetime import timedelta
from threading import BoundedSemaphore
from typing import Any

import structlog
from flask import Flask, current_app

from app import clock
from app.extensions import db
from app.models import Job, JobStatus
from app.services.caller import Caller
from app.services.errors import JobInterrupted, JobsBusy, NotFound, Refusal, UnexpectedFailure
from app.services.transaction import release, transaction

KEPT = timedelta(days=1)
LOST_AFTER = timedelta(minutes=10)
"""A job that has not moved on for so long went down with its server."""

_current: ContextVar[tuple[Caller, uuid.UUID] | None] = ContextVar("job", default=None)

log = structlog.get_logger(__name__)


class Background:
    """Threads beside the server's; few may wait, since each holds its pictures. What is heavy runs in `faces.pool`."""

    def __init__(self, workers: int, waiting: int = 8) -> None:
        self._executor = ThreadPoolExecutor(workers, "job")
        self._room = BoundedSemaphore(workers + waiting)

    def run(self, work: Callable[[], None]) -> None:
        """Do it as soon as a thread is free. Raises JobsBusy when too many wait."""
        if not self._room.acquire(blocking=False):
            raise JobsBusy
        self._executor.submit(work).add_done_callback(lambda _: self._room.release())


def start(caller: Caller, kind: str, work: Callable[[], Any]) -> Job:
    """Have `work` done after this call; what it returns (JSON), or the refusal it raises, is the job's outcome.

    Raises:
        JobsBusy: too many jobs are waiting.
    """
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    job = _create(caller, kind)
    try:
        app.extensions["background"].run(lambda: _run(app, caller, job.id, work))
    except JobsBusy:
        _change(caller, job.id, status=JobStatus.FAILED)
        raise
    return job


def report(done: int, total: int) -> None:
    """Within a job: so many steps of so many are done. Elsewhere nobody is listening."""
    if job := _current.get():
        _change(*job, done=done, total=total)


def read(caller: Caller, job_id: uuid.UUID) -> Job:
    """A job that the caller has started.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    job = caller.get(Job, job_id)
    if job.user_id != caller.user_id:
        raise NotFound("There is no job with this id")
    release()
    if job.status == JobStatus.RUNNING and job.beat_at < clock.now() - LOST_AFTER:
        job.status, job.problem = JobStatus.FAILED, _problem(JobInterrupted())
    return job


def _run(app: Flask, caller: Caller, job_id: uuid.UUID, work: Callable[[], Any]) -> None:
    with app.app_context():
        _current.set((caller, job_id))
        try:
            outcome = {"status": JobStatus.DONE, "result": work()}
        except Refusal as refusal:
            outcome = {"status": JobStatus.FAILED, "problem": _problem(refusal)}
        except Exception:
            log.exception("job_failed", job_id=str(job_id))
            outcome = {"status": JobStatus.FAILED, "problem": _problem(UnexpectedFailure())}
        _change(caller, job_id, **outcome)
        _current.set(None)


@transaction
def _create(caller: Caller, kind: str) -> Job:
    db.session.execute(caller.remove(Job).where(Job.created_at < clock.now() - KEPT))
    job = Job(organisation_id=caller.organisation_id, user_id=caller.user_id, kind=kind, beat_at=clock.now())
    db.session.add(job)
    return job


@transaction
def _change(caller: Caller, job_id: uuid.UUID, **values: Any) -> None:
    db.session.execute(caller.change(Job).where(Job.id == job_id).values(beat_at=clock.now(), **values))


def _problem(refusal: Refusal) -> dict[str, Any]:
    return {"status": refusal.status, "code": refusal.code, "detail": refusal.detail, **refusal.figures}
