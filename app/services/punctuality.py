"""Punctuality: who came late, and who left early."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import and_
from sqlalchemy.orm import aliased

from app.models import Record, Session, Status, User
from app.services.caller import Caller
from app.services.figures import Filters, of_whom_they_may_see, records
from app.services.paging import Page, Paging, paginate
from app.services.records import THERE

_Student = aliased(User)
"""By another name: the filters ask for people, too."""


@dataclass(frozen=True, slots=True)
class Lateness:
    """minutes_late: from the start to the check-in, the mean of those late ones who checked in; None without any.
    left_early: checked out before the end. minutes: from check-in to check-out, all together."""

    late: int
    minutes_late: float | None
    left_early: int
    minutes: float


@dataclass(frozen=True, slots=True)
class Stay:
    """When somebody was in a session. Minutes are None where they are not known."""

    student: User | None
    session: Any
    status: Status
    check_in_time: datetime | None
    check_out_time: datetime | None
    forgot_to_check_out: bool

    @property
    def minutes_late(self) -> float | None:
        """From the start to the check-in, of who is late."""
        begins, came = self.session.starts_at, self.check_in_time
        if self.status != Status.LATE or came is None or begins is None or came <= begins:
            return None
        return _minutes(begins, came)

    @property
    def minutes_early(self) -> float | None:
        """From the check-out to the end, of who left before it."""
        ends, went = self.session.ends_at, self.check_out_time
        if self.status not in THERE or went is None or ends is None or went >= ends or self.forgot_to_check_out:
            return None
        return _minutes(went, ends)

    @property
    def minutes(self) -> float | None:
        """From check-in to check-out."""
        came, went = self.check_in_time, self.check_out_time
        return _minutes(came, went) if came and went else None


def late(caller: Caller, filters: Filters, paging: Paging) -> Page[Stay]:
    """Who was late in which session, the latest day first; whoever was marked so by hand, too."""
    return _stays(caller, filters, paging, Record.status == Status.LATE)


def left_early(caller: Caller, filters: Filters, paging: Paging) -> Page[Stay]:
    """Who checked out before the end of which session, the latest day first."""
    is_early = and_(Record.checked_out_at < Session.ends_at, Record.forgot_to_check_out.is_(False))
    return _stays(caller, filters, paging, and_(is_early, Record.status.in_(THERE)))


def _stays(caller: Caller, filters: Filters, paging: Paging, which: Any) -> Page[Stay]:
    filters = of_whom_they_may_see(caller, filters)
    query = records(caller, filters, Record, _Student, Session).where(which)
    query = query.join(_Student, and_(_Student.id == Record.student_id, caller.owns(_Student)))
    columns = {"id": (Session.id, Record.student_id), "date": Session.session_date}
    page = paginate(query, replace(paging, sort=["-date"]), columns)
    return page.of([stay(record, session, person) for record, person, session in page.items])


def stay(record: Any, session: Any, student: User | None = None) -> Stay:
    times = (record.checked_in_at, record.checked_out_at, record.forgot_to_check_out)
    return Stay(student, session, record.status, *times)


def lateness(rows: Iterable[Any]) -> Lateness:
    """Of rows with a record's status and times, and its session's."""
    stays = [stay(row, row) for row in rows]
    waits = [one.minutes_late for one in stays if one.minutes_late is not None]
    return Lateness(
        sum(one.status == Status.LATE for one in stays),
        sum(waits) / len(waits) if waits else None,
        sum(one.minutes_early is not None for one in stays),
        sum(one.minutes or 0 for one in stays),
    )


def _minutes(begun: datetime, ended: datetime) -> float:
    return (ended - begun).total_seconds() / 60
