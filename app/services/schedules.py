"""What the system does by itself, again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from threading import Thread

import structlog
from flask import Flask

from app import clock
from app.services import closing, delivery, jobs, retention, timetables

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    name: str
    every: timedelta
    work: Callable[[], None]

    @property
    def slot(self) -> int:
        """The number of the present interval, the same for everybody."""
        return int(clock.now().timestamp() // self.every.total_seconds())


SCHEDULES = [
    Schedule("sweep_jobs", timedelta(seconds=10), jobs.sweep),
    Schedule(delivery.SEND, timedelta(seconds=5), delivery.send_due),
    Schedule("remove_expired_jobs", timedelta(hours=1), jobs.remove_expired),
    Schedule("close_sessions", timedelta(minutes=1), closing.close_due),
    Schedule(timetables.MAKE, timedelta(hours=1), timetables.make_sessions),
    Schedule("clean_up", timedelta(days=1), retention.clean_up),
    Schedule("note_audit_heads", timedelta(days=1), retention.note_audit_heads),
]
PULSE = min(schedule.every for schedule in SCHEDULES)
"""How often somebody has to tick."""


def tick() -> None:
    """Start what is due: once for each interval, however many tick."""
    for schedule in SCHEDULES:
        jobs.start_own(schedule.name, key=f"{schedule.name}@{schedule.slot}")


def keep(app: Flask) -> None:
    """Tick from now on, in a thread of this process."""
    Thread(target=_keep, args=(app,), name="schedules", daemon=True).start()


def _keep(app: Flask) -> None:
    pulse = PULSE.total_seconds()
    while True:
        time.sleep(pulse - time.time() % pulse)
        try:
            with app.app_context():
                tick()
        except Exception:  # such as a database that is gone: the next tick may find it again
            log.exception("tick_failed")
