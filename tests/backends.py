"""The backends that run jobs: threads, and Celery with a worker of its own where Redis answers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from apiflask import APIFlask
from celery.contrib.testing.worker import start_worker
from redis import Redis
from redis.exceptions import ConnectionError as RedisGone

from app.services.backends import Queue, Threads
from app.services.jobs import Backend
from tests.conftest import settings_for

PREFIX = f"rollcall-test-{os.getpid()}:"
"""Of the keys in Redis, which no other run of the tests uses."""
REDIS = os.environ.get("TEST_REDIS_URL", "redis://127.0.0.1:6379/0")


def backends() -> list[str]:
    try:
        Redis.from_url(REDIS, socket_connect_timeout=2).ping()
    except RedisGone:
        return ["threads"]
    return ["threads", "celery"]


@contextmanager
def backend(kind: str, app: APIFlask) -> Iterator[Backend]:
    """The application with this backend, which does its jobs."""
    before = app.extensions["backend"]
    app.extensions["backend"] = made = Threads(app, 2) if kind == "threads" else queue(app)
    try:
        if isinstance(made, Queue):
            with start_worker(made.celery, concurrency=4, pool="threads", perform_ping_check=False):
                yield made
        else:
            yield made
    finally:
        made.close()
        app.extensions["backend"] = before
        if kind == "celery":
            redis = Redis.from_url(REDIS)
            for key in redis.scan_iter(f"{PREFIX}*"):
                redis.delete(key)


def queue(app: APIFlask, url: str = REDIS) -> Queue:
    """Celery on the Redis of this address."""
    made = Queue(app, settings_for(Path(app.instance_path), jobs="celery", redis_url=url))
    made.celery.conf.broker_transport_options["global_keyprefix"] = PREFIX
    return made
