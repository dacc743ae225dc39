"""What the system does by itself, again and again."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Thread

import structlog
from flask import Flask

from app import clock
from app.services import (
    alerts,
    closing,
    counting,
    delivery,
    jobs,
    kept_exports,
    notification_mails,
    report_mails,
    retention,
    statistics,
    telling,
    timetables,
    webhook_delivery,
)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Schedule:
    name: str
    every: timedelta
    work: Callable[[], None]

    def slot(self, at: datetime) -> int:
        """The number of the interval at a moment, the same for everybody."""
        return int(at.timestamp() // self.every.total_seconds())


SCHEDULES = [
    Schedule("sweep_jobs", timedelta(seconds=10), jobs.sweep),
    Schedule(delivery.SEND, timedelta(seconds=5), delivery.send_due),
    Schedule(telling.TELL, timedelta(seconds=5), telling.tell_due),
    Schedule(webhook_delivery.SEND, timedelta(seconds=5), webhook_delivery.send_due),
    Schedule(notification_mails.SEND, timedelta(seconds=15), notification_mails.mail_due),
    Schedule("remove_expired_jobs", timedelta(hours=1), jobs.remove_expired),
    Schedule("remove_expired_exports", timedelta(hours=1), kept_exports.remove_expired),
    Schedule("close_sessions", timedelta(minutes=1), closing.close_due),
    Schedule("count_sessions", timedelta(minutes=1), counting.count_due),
    Schedule(report_mails.SEND, timedelta(minutes=5), report_mails.send_due),
    Schedule(timetables.MAKE, timedelta(hours=1), timetables.make_sessions),
    Schedule("refresh_alerts", timedelta(minutes=15), alerts.refresh),
    Schedule("clean_up", timedelta(days=1), retention.clean_up),
    Schedule("note_audit_heads", timedelta(days=1), retention.note_audit_heads),
    Schedule("refresh_statistics", timedelta(days=1), statistics.refresh),
]
PULSE = min(schedule.every for schedule in SCHEDULES)
"""How often somebody has to tick."""


def tick(before: datetime | None = None) -> datetime:
    """Start what is due: once for each interval, however many tick.

    before: when the caller ticked last; what was due in the same interval was started then. Returns when it is now.
    """
    now = clock.now()
    for schedule in SCHEDULES:
        if before is None or schedule.slot(before) != schedule.slot(now):
            jobs.start_own(schedule.name, key=f"{schedule.name}@{schedule.slot(now)}")
    return now


def keep(app: Flask) -> None:
    """Tick from now on, in a thread of this process."""
    Thread(target=_keep, args=(app,), name="schedules", daemon=True).start()


def _keep(app: Flask) -> None:
    pulse, last = PULSE.total_seconds(), None
    while True:
        time.sleep(pulse - time.time() % pulse)
        try:
            with app.app_context():
                last = tick(last)
        except Exception:  # such as a database that is gone: the next tick may find it again
            log.exception("tick_failed")
