"""Who runs the jobs: threads in the server, or Celery's workers. Either hears ids only; see `services.jobs`."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Lock

import structlog
from celery import Celery
from celery.exceptions import OperationalError
from flask import Flask

from app.services import jobs, schedules
from app.services.errors import JobsBusy
from config import Settings

OWN_WORKERS = 3

log = structlog.get_logger(__name__)


def backend_for(app: Flask, settings: Settings) -> jobs.Backend:
    if settings.jobs == "celery":
        return Queue(app, settings)
    return Threads(app, settings.face_workers)


class Threads:
    """Threads beside the server's, for people's jobs and for the system's own, which must not wait for those. What is
    heavy runs in `faces.pool`."""

    def __init__(self, app: Flask, workers: int, waiting: int = 8) -> None:
        self._app = app
        self._executors = {False: ThreadPoolExecutor(workers, "job"), True: ThreadPoolExecutor(OWN_WORKERS, "own")}
        self._room = workers + waiting
        self._announced: dict[uuid.UUID, bool] = {}
        self._closed = False
        self._lock = Lock()

    def announce(self, job_id: uuid.UUID, own: bool) -> None:
        """As soon as a thread is free. Raises JobsBusy when too many of people's jobs wait."""
        with self._lock:
            if job_id in self._announced or self._closed:
                return
            if not own and list(self._announced.values()).count(False) >= self._room:
                raise JobsBusy
            self._executors[own].submit(self._run, job_id)
            self._announced[job_id] = own

    def close(self) -> None:
        with self._lock:
            self._closed = True
        for executor in self._executors.values():
            executor.shutdown(cancel_futures=True)

    def _run(self, job_id: uuid.UUID) -> None:
        try:
            with self._app.app_context():
                jobs.run(job_id)
        except Exception:  # such as a database that is gone: the sweeper will find the job
            log.exception("job_interrupted", job_id=str(job_id))
        finally:
            with self._lock:
                del self._announced[job_id]


class Queue:
    """Celery on Redis; `app.worker` has the programs that take from it."""

    def __init__(self, app: Flask, settings: Settings) -> None:
        self.celery = Celery("rollcall", broker=settings.redis_url, set_as_current=False)
        self.celery.conf.update(
            task_acks_late=True,
            task_ignore_result=True,
            worker_prefetch_multiplier=1,
            worker_pool="threads",  # what is heavy runs in processes of its own, which Celery's could not start
            worker_concurrency=settings.face_workers + OWN_WORKERS,
            worker_hijack_root_logger=False,
            broker_connection_retry_on_startup=True,
            broker_transport_options={"socket_connect_timeout": 2, "max_retries": 1, "interval_start": 0},
            beat_schedule={"tick": {"task": "tick", "schedule": schedules.PULSE, "options": {"expires": 60}}},
        )

        @self.celery.task(name="run_job", shared=False)
        def run_job(job_id: str) -> None:
            with app.app_context():
                jobs.run(uuid.UUID(job_id))

        @self.celery.task(name="tick", shared=False)
        def tick() -> None:
            with app.app_context():
                schedules.tick()

    def announce(self, job_id: uuid.UUID, own: bool) -> None:
        """Never raises: while Redis is gone the job waits in the database, and the sweeper finds it there."""
        try:
            self.celery.send_task("run_job", [str(job_id)], priority=0 if own else 6, retry=False)
        except OperationalError:
            log.exception("redis_unavailable", job_id=str(job_id))

    def close(self) -> None:
        self.celery.close()
