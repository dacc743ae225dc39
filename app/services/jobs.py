"""Work that goes on after its call was answered, with progress to follow; and the system's own.

A job is a row: what is to be done, for whom, how far it is. A backend (`services.backends`) is told no more than its
id, and may hear it twice, or forget it: `run` takes a job with one statement, and `sweep` announces what nobody took.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import timedelta
from threading import Event, Thread
from typing import Any, Protocol

import structlog
from flask import Flask, current_app
from sqlalchemy import ColumnElement, and_, delete, select, update
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Job, JobPart, JobStatus
from app.services import audit
from app.services.caller import Caller
from app.services.errors import JobInterrupted, JobsBusy, NotFound, Refusal, UnexpectedFailure
from app.services.sign_in import caller_for
from app.services.transaction import changed, insert_missing, release, transaction
from app.services.vault import seal, unseal

KEPT = timedelta(days=1)
OWN_KEPT = timedelta(hours=1)
"""How long a job can be read after its end, and one of the system's own."""
BEAT = timedelta(seconds=5)
SILENCE = timedelta(minutes=1)
"""A running job not heard of for so long went down with its server; a queued one was forgotten by the backend."""
ATTEMPTS = 3
PART = 4 * 2**20
"""Bytes of a job's payload in one row."""

_current: ContextVar[Job | None] = ContextVar("job", default=None)

log = structlog.get_logger(__name__)


class Backend(Protocol):
    """Runs what is announced to it, sooner or later."""

    def announce(self, job_id: uuid.UUID, own: bool) -> None:
        """Have `run` called for this job; the system's `own` come before people's. Raises JobsBusy."""

    def close(self) -> None:
        """Finish what runs, and leave what waits to others."""


def start(caller: Caller, kind: str, payload: bytes) -> Job:
    """Have the work of this kind done for the caller after this call.

    Raises:
        JobsBusy: too many jobs are waiting.
    """
    job = _create(caller, kind, payload)
    try:
        _announce(job)
    except JobsBusy:
        _withdraw(job)
        raise
    return job


def start_own(kind: str, key: str | None = None) -> None:
    """Have the system's own work of this kind done; with a key once only, whoever starts it and however often."""
    if job := _create_own(kind, key):
        _announce(job)


def run(job_id: uuid.UUID) -> None:
    """Do an announced job, unless somebody else does. What its work returns (JSON), or the refusal it raises, is its
    outcome."""
    job = _claim(job_id)
    if job is None:
        return
    with _heard_of(job):
        outcome = _outcome(job)
    _end(job, **outcome)


def report(done: int, total: int) -> None:
    """Within a job: so many steps of so many are done. Elsewhere nobody is listening."""
    if job := _current.get():
        _change(job, done=done, total=total)


def read(caller: Caller, job_id: uuid.UUID) -> Job:
    """A job that the caller has started.

    Raises:
        NotFound: there is none, or it is somebody else's.
    """
    job = caller.get(Job, job_id)
    if job.user_id != caller.user_id:
        raise NotFound("There is no job with this id")
    return job


def sweep() -> None:
    """Queue again what was interrupted, give it up after so many attempts, and announce what nobody took."""
    for job in _forgotten():
        with suppress(JobsBusy):  # then the next sweep but a few finds it again
            _announce(job)


@transaction
def remove_expired() -> None:
    db.session.execute(delete(Job).where(Job.expires_at <= clock.now()))


@transaction
def _create(caller: Caller, kind: str, payload: bytes) -> Job:
    job = Job(
        id=uuid7(),
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        origin=audit.origin(),
        scopes=None if caller.scopes is None else sorted(caller.scopes),
        kind=kind,
        beat_at=clock.now(),
    )
    db.session.add(job)
    db.session.flush()
    for number, begin in enumerate(range(0, len(payload), PART)):
        sealed = seal(payload[begin : begin + PART])
        db.session.add(JobPart(organisation_id=caller.organisation_id, job_id=job.id, number=number, sealed=sealed))
        db.session.flush()  # each in a statement of its own
    return job


@transaction
def _create_own(kind: str, key: str | None) -> Job | None:
    job = {"id": uuid7(), "kind": kind, "key": key, "beat_at": clock.now()}
    insert_missing(Job, [job], ("key",))
    return db.session.get(Job, job["id"])


@transaction
def _withdraw(job: Job) -> None:
    db.session.execute(delete(JobPart).where(JobPart.job_id == job.id))
    db.session.execute(delete(Job).where(Job.id == job.id))


def _announce(job: Job) -> None:
    backend: Backend = current_app.extensions["backend"]
    backend.announce(job.id, own=job.user_id is None)


@transaction
def _claim(job_id: uuid.UUID) -> Job | None:
    queued = update(Job).where(Job.id == job_id, Job.status == JobStatus.QUEUED)
    claimed = changed(queued.values(status=JobStatus.RUNNING, attempts=Job.attempts + 1, beat_at=clock.now()))
    return db.session.get(Job, job_id) if claimed else None


@contextmanager
def _heard_of(job: Job) -> Iterator[None]:
    """While the work goes on, it is the current job, and its heart beats, even when it reports nothing."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    over, before = Event(), _current.set(job)
    Thread(target=_beat, args=(app, job, over), name="heart", daemon=True).start()
    try:
        yield
    finally:
        over.set()
        _current.reset(before)


def _beat(app: Flask, job: Job, over: Event) -> None:
    while not over.wait(BEAT.total_seconds()):
        try:
            with app.app_context():
                _change(job)
        except Exception:
            log.exception("heart_missed_a_beat", job_id=str(job.id))


def _outcome(job: Job) -> dict[str, Any]:
    try:
        work = current_app.extensions["work"][job.kind]
        return {"status": JobStatus.DONE, "result": work(*_asked(job))}
    except Refusal as refusal:
        return {"status": JobStatus.FAILED, "problem": _problem(refusal)}
    except Exception:
        log.exception("job_failed", job_id=str(job.id))
        return {"status": JobStatus.FAILED, "problem": _problem(UnexpectedFailure())}


def _asked(job: Job) -> tuple[Any, ...]:
    """Who asked, as they are now, and what was given; of the system's own nothing is."""
    audit.act(audit.Actor(job.user_id, **job.origin or {}))
    if job.user_id is None:
        return ()
    caller = caller_for(job.user_id, job.scopes)
    parts = db.session.scalars(
        caller.rows(JobPart, JobPart.sealed).where(JobPart.job_id == job.id).order_by(JobPart.number)
    ).all()
    release()
    return caller, b"".join(map(unseal, parts))


@transaction
def _change(job: Job, **values: Any) -> None:
    db.session.execute(update(Job).where(_runs(job)).values(beat_at=clock.now(), **values))


@transaction
def _end(job: Job, **outcome: Any) -> None:
    kept = KEPT if job.user_id else OWN_KEPT
    if changed(update(Job).where(_runs(job)).values(expires_at=clock.now() + kept, **outcome)):
        db.session.execute(delete(JobPart).where(JobPart.job_id == job.id))


def _runs(job: Job) -> ColumnElement[bool]:
    """Whether the one who claimed this row still runs the job: after a long silence somebody else does."""
    return and_(Job.id == job.id, Job.status == JobStatus.RUNNING, Job.attempts == job.attempts)


@transaction
def _forgotten() -> Sequence[Job]:
    """The queued jobs that have to be announced again, those that were interrupted included."""
    now = clock.now()
    silent = Job.beat_at < now - SILENCE
    interrupted = and_(Job.status == JobStatus.RUNNING, silent)
    given_up = {"status": JobStatus.FAILED, "problem": _problem(JobInterrupted()), "expires_at": now + KEPT}
    db.session.execute(update(Job).where(interrupted, Job.attempts >= ATTEMPTS).values(given_up))
    over = select(Job.id).where(Job.status == JobStatus.FAILED)
    db.session.execute(delete(JobPart).where(JobPart.job_id.in_(over)))
    db.session.execute(update(Job).where(interrupted).values(status=JobStatus.QUEUED))
    waiting = db.session.scalars(
        select(Job).where(Job.status == JobStatus.QUEUED, silent).order_by(Job.beat_at).limit(1000)
    ).all()
    db.session.execute(update(Job).where(Job.id.in_([job.id for job in waiting])).values(beat_at=now))
    return waiting


def _problem(refusal: Refusal) -> dict[str, Any]:
    return {"status": refusal.status, "code": refusal.code, "detail": refusal.detail, **refusal.figures}
