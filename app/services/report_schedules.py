"""Reports that are sent by mail, again and again: which, when, and to whom. `services.report_mails` sends them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, and_, or_, true

from app import clock
from app.extensions import db
from app.models import (
    Class,
    ClassTeacher,
    Frequency,
    ReportKind,
    ReportRecipient,
    ReportSchedule,
    Role,
    User,
    UserStatus,
    Weekday,
)
from app.services import jobs
from app.services.caller import Caller
from app.services.classes import taught_class
from app.services.errors import NotFound, NotYourReport, ReportRefused
from app.services.figures import Interval
from app.services.paging import Page, Paging, paginate
from app.services.sessions import Days
from app.services.transaction import afterwards, transaction
from app.services.users import MANAGERS

SEND = "send_reports"
"""The system's own work that sends what is due."""
A_DAY = timedelta(days=1)
INTERVALS = {
    Frequency.DAILY: Interval.DAY,
    Frequency.WEEKLY: Interval.WEEK,
    Frequency.MONTHLY: Interval.MONTH,
}


@dataclass(frozen=True, slots=True)
class ReportScheduleView:
    row: ReportSchedule
    user_ids: Sequence[uuid.UUID]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@transaction
def create_report_schedule(caller: Caller, values: dict[str, Any]) -> ReportScheduleView:
    """Save a schedule; what it says of the days before is sent from its next hour on.

    values: the model's, and user_ids; None: the caller, of a report that goes to staff.

    Raises:
        NotFound: there is no such class or person.
        NotYourClass, NotYourReport: the caller is a teacher, and it is not of their class, or not to them alone.
        ReportRefused: what it is of, and whom it goes to, do not fit together.
    """
    row = ReportSchedule(organisation_id=caller.organisation_id, created_by_id=caller.user_id)
    user_ids = values.pop("user_ids")
    if user_ids is None:
        user_ids = [] if values["kind"] == ReportKind.STUDENT else [caller.user_id]
    _set(row, values)
    _require(caller, row, user_ids, user_ids)
    row.due_at = _next_slot(caller, row)
    db.session.add(row)
    db.session.flush()
    _replace_recipients(caller, row, user_ids)
    return _views(caller, [row])[0]


def list_report_schedules(caller: Caller, paging: Paging) -> Page[ReportScheduleView]:
    """Those that the caller manages: an administrator's are all of the organisation, a teacher's their own."""
    columns = {"id": ReportSchedule.id, "created_at": ReportSchedule.created_at, "due_at": ReportSchedule.due_at}
    page = paginate(caller.rows(ReportSchedule).where(_theirs(caller)), paging, columns)
    return page.of(_views(caller, page.items))


def read_report_schedule(caller: Caller, report_schedule_id: uuid.UUID) -> ReportScheduleView:
    """Raises NotFound; another teacher's is no different from none."""
    return _views(caller, [_found(caller, report_schedule_id, caller.rows(ReportSchedule))])[0]


@transaction
def change_report_schedule(
    caller: Caller, report_schedule_id: uuid.UUID, changes: dict[str, Any]
) -> ReportScheduleView:
    """Set what is given; if when it is sent changes, its next time lies ahead; if what it says or to whom, it is
    another report, also of days that were sent already. Raises as `create_report_schedule`."""
    row = _locked(caller, report_schedule_id)
    before, said, there = _when(row), _what(row), _views(caller, [row])[0].user_ids
    user_ids = changes.pop("user_ids", None)
    user_ids = there if user_ids is None else user_ids
    with db.session.no_autoflush:  # a class that is not there is told, and not found out by the database
        _set(row, changes)
        is_other = _what(row) != said
        if is_other or set(user_ids) != set(there):
            # of who was let in before, it is asked again when it is sent
            _require(caller, row, user_ids, user_ids if is_other else set(user_ids) - set(there))
            row.asked += 1
    if _when(row) != before:
        row.due_at = _next_slot(caller, row)
    _replace_recipients(caller, row, user_ids)
    return _views(caller, [row])[0]


@transaction
def remove_report_schedule(caller: Caller, report_schedule_id: uuid.UUID) -> None:
    """Raises NotFound."""
    row = _locked(caller, report_schedule_id)
    _replace_recipients(caller, row, [])
    db.session.delete(row)


@transaction
def send_now(caller: Caller, report_schedule_id: uuid.UUID) -> None:
    """Have it sent now, also if it is paused, or those days were sent already. Raises NotFound."""
    row = _locked(caller, report_schedule_id)
    row.due_at, row.last_period, row.asked = clock.now(), None, row.asked + 1
    afterwards(send_soon)


def send_soon() -> None:
    """Have what is due sent now; were this lost, the schedule would do it some minutes later."""
    jobs.start_own(SEND)


@transaction
def finish(keeper: Caller, seen: ReportSchedule, period: str) -> None:
    """It was sent of these days, unless it was changed since it was seen: then what it is now is to be sent."""
    if row := unchanged(keeper, seen):
        row.last_period, row.due_at = period, _next_slot(keeper, row)


def unchanged(keeper: Caller, seen: ReportSchedule) -> ReportSchedule | None:
    """Within a transaction: the schedule, locked, unless somebody has sent, changed or removed it since."""
    same = and_(ReportSchedule.id == seen.id, ReportSchedule.due_at == seen.due_at, ReportSchedule.asked == seen.asked)
    found: ReportSchedule | None = db.session.scalar(keeper.rows(ReportSchedule).where(same).with_for_update())
    return found


def latest_days(caller: Caller, row: ReportSchedule) -> Days:
    """What a report says when it is sent at the latest time that there was: the day, week (from Monday) or month
    before, where the organisation is."""
    now = clock.now()
    day = next(day for day, at in _slots(row, caller, -A_DAY) if at <= now)
    interval = INTERVALS[row.frequency]
    last = interval.first_of(day) - A_DAY
    return Days(interval.first_of(last), last)


def readers(caller: Caller, row: ReportSchedule, *columns: Any) -> Select[Any]:
    """Query of the people who may see, as they are now, what a report to staff says."""
    may_see: ColumnElement[bool] = User.role.in_(MANAGERS)
    if row.kind == ReportKind.CLASS:
        teachers = caller.rows(ClassTeacher, ClassTeacher.teacher_id).where(ClassTeacher.class_id == row.class_id)
        may_see = or_(may_see, and_(User.role == Role.TEACHER, User.id.in_(teachers)))
    return caller.rows(User, *columns).where(may_see, User.status == UserStatus.ACTIVE)


def _next_slot(caller: Caller, row: ReportSchedule) -> datetime | None:
    now = clock.now()
    return None if row.is_paused else next(at for _, at in _slots(row, caller, A_DAY) if at > now)


def _slots(row: ReportSchedule, caller: Caller, step: timedelta) -> Iterator[tuple[date, datetime]]:
    """When it is sent, from today on or back: the day where the organisation is, and the moment. An hour that the
    clocks skip is moved forward; of one that they show twice it is the first."""
    zone, day = ZoneInfo(caller.time_zone), caller.today
    while True:
        if _is_on(row, day):
            yield day, datetime.combine(day, time(row.hour), zone).astimezone(UTC)
        day += step


def _is_on(row: ReportSchedule, day: date) -> bool:
    if row.frequency == Frequency.WEEKLY:
        return row.weekday == list(Weekday)[day.weekday()]
    return row.frequency == Frequency.DAILY or row.day_of_month == day.day


def _when(row: ReportSchedule) -> tuple[Any, ...]:
    return row.frequency, row.weekday, row.day_of_month, row.hour, row.is_paused


def _what(row: ReportSchedule) -> tuple[Any, ...]:
    return row.kind, row.class_id, row.department, row.year, row.section


def _set(row: ReportSchedule, values: dict[str, Any]) -> None:
    for name, value in values.items():
        setattr(row, name, value)


def _require(
    caller: Caller, row: ReportSchedule, user_ids: Collection[uuid.UUID], new_ids: Collection[uuid.UUID]
) -> None:
    """What it says is the caller's to send to these people, and the new ones' to see."""
    _require_fitting(row, user_ids)
    caller.require(Class, row.class_id)
    known = caller.rows(User, User.id).where(User.id.in_(new_ids), User.erased_at.is_(None))
    if missing := set(new_ids) - set(db.session.scalars(known)):
        raise NotFound("There is no user with this id", ids=sorted(map(str, missing)))
    if not caller.administers:
        if row.class_id is None or row.kind != ReportKind.CLASS or set(user_ids) != {caller.user_id}:
            raise NotYourReport
        taught_class(caller, row.class_id)
    if others := set(new_ids) - set(db.session.scalars(readers(caller, row, User.id).where(User.id.in_(new_ids)))):
        raise ReportRefused("Some of these people may not see this report", ids=sorted(map(str, others)))


def _require_fitting(row: ReportSchedule, user_ids: Collection[uuid.UUID]) -> None:
    if row.kind == ReportKind.CLASS and row.class_id is None:
        raise ReportRefused("The report of a class needs class_id")
    if row.kind == ReportKind.ORGANISATION and row.class_id is not None:
        raise ReportRefused("The organisation's report is of no class: leave out class_id")
    if row.kind == ReportKind.STUDENT and user_ids:
        raise ReportRefused("Reports of students go to their parents: leave out user_ids")
    if row.kind != ReportKind.STUDENT and not user_ids:
        raise ReportRefused("Say in user_ids whom it goes to")


def _replace_recipients(caller: Caller, row: ReportSchedule, user_ids: Sequence[uuid.UUID]) -> None:
    of_it = ReportRecipient.report_schedule_id == row.id
    there = set(db.session.scalars(caller.rows(ReportRecipient, ReportRecipient.user_id).where(of_it)))
    if gone := there - set(user_ids):
        db.session.execute(caller.remove(ReportRecipient).where(of_it, ReportRecipient.user_id.in_(gone)))
    own = {"organisation_id": caller.organisation_id, "report_schedule_id": row.id}
    db.session.add_all(ReportRecipient(**own, user_id=id_) for id_ in dict.fromkeys(user_ids) if id_ not in there)
    db.session.flush()


def _views(caller: Caller, rows: Sequence[ReportSchedule]) -> list[ReportScheduleView]:
    query = caller.rows(ReportRecipient).where(ReportRecipient.report_schedule_id.in_([row.id for row in rows]))
    user_ids = defaultdict[uuid.UUID, list[uuid.UUID]](list)
    for recipient in db.session.scalars(query.order_by(ReportRecipient.id)):
        user_ids[recipient.report_schedule_id].append(recipient.user_id)
    return [ReportScheduleView(row, user_ids[row.id]) for row in rows]


def _theirs(caller: Caller) -> ColumnElement[bool]:
    if caller.administers:
        return true()
    # who administered before may have made others
    return and_(ReportSchedule.created_by_id == caller.user_id, ReportSchedule.kind == ReportKind.CLASS)


def _locked(caller: Caller, report_schedule_id: uuid.UUID) -> ReportSchedule:
    return _found(caller, report_schedule_id, caller.rows(ReportSchedule).with_for_update())


def _found(caller: Caller, report_schedule_id: uuid.UUID, query: Select[Any]) -> ReportSchedule:
    row: ReportSchedule | None = db.session.scalar(
        query.where(ReportSchedule.id == report_schedule_id, _theirs(caller))
    )
    if row is None:
        raise NotFound("There is no report schedule with this id")
    return row
