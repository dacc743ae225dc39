"""Records counted into days: by organisation, class and person, so that a figure over years is a sum of few rows.

A session whose records will hardly change any more is counted in, once: `Session.counted_at` says so. Before anything
of it changes (a record of it, its day, its class, that it is held), in the same transaction, it is counted out, with
what its records still say then, so that the counts are those of the records in every state that anybody can see.
Whoever changes or counts a session holds its row, so that neither comes between the other's reading and writing. What
is not counted in is counted when it is asked for (`services.figures`).
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    and_,
    case,
    delete,
    event,
    func,
    inspect,
    literal,
    or_,
    select,
    true,
    union_all,
    update,
)
from sqlalchemy.orm import ORMExecuteState, UOWTransaction
from sqlalchemy.orm import Session as Database

from app import clock
from app.extensions import db
from app.models import DayCount, Record, Session, Source, Status
from app.services.rates import STATUSES
from app.services.sessions import Days
from app.services.transaction import add_up, release, some_at_once, transaction

AT_ONCE = 100
"""Sessions that are counted in one transaction."""
UNTIMED = timedelta(hours=36)
"""So long after midnight UTC its day is over everywhere for a session without an end."""
BY_ITSELF = (Source.CLOSE, Source.LEAVE)
"""Records that come without anybody taking the register."""
KEY = ("organisation_id", "is_month", "of_id", "day", "is_taken")
FIGURES = ("sessions", *STATUSES)
MATTERS = {
    Record: {"session_id", "student_id", "status", "source"},
    Session: {"class_id", "session_date", "cancelled_at"},
}
"""What counts depend on."""
_RECORDS = func.sum(sum((getattr(DayCount, name) for name in STATUSES), literal(0)))


def count_due() -> None:
    """Count in what is closed, or is over and has no end at which it could be closed."""
    while ids := _due():
        for some in some_at_once(ids, AT_ONCE):
            count_in(some)


def rebuild() -> int:
    """Count everything anew, in case somebody has written into the tables by other means; returns how many sessions are
    counted. What is read meanwhile is right: it is counted when it is asked for."""
    _forget()
    count_due()
    counted = db.session.scalar(select(func.count()).where(Session.counted_at.is_not(None)))
    release()
    return counted or 0


@transaction
def count_in(ids: Collection[uuid.UUID]) -> None:
    """Those of these sessions that are due still."""
    held = select(Session.id).where(Session.id.in_(ids), _is_due()).order_by(Session.id).with_for_update()
    if due := db.session.scalars(held).all():
        _add(db.session(), due, 1)
        _set(db.session(), Session.id.in_(due), clock.now())


@transaction
def _forget() -> None:
    # so that nobody counts any of them meanwhile
    db.session.scalars(select(Session.id).order_by(Session.id).with_for_update()).all()
    db.session.execute(delete(DayCount), execution_options={"audited": False})
    _set(db.session(), Session.counted_at.is_not(None), None)


def how_many(organisation_id: uuid.UUID, class_id: uuid.UUID | None, days: Days) -> Select[Any]:
    """Query of how many records there are of these days: of sessions that are counted, what they were counted for."""
    kept = select(func.coalesce(_RECORDS, 0)).where(
        DayCount.organisation_id == organisation_id, DayCount.is_month.is_(False), days.condition(DayCount.day),
        DayCount.of_id == (class_id or organisation_id),
    )  # fmt: skip
    others = (
        select(func.count())
        .join_from(Session, Record, and_(Record.organisation_id == organisation_id, Record.session_id == Session.id))
        .where(Session.organisation_id == organisation_id, Session.counted_at.is_(None))
        .where(days.condition(Session.session_date), true() if class_id is None else Session.class_id == class_id)
    )
    return select(kept.scalar_subquery() + others.scalar_subquery())


def how_many_sessions(organisation_id: Any) -> Select[Any]:
    """Query of how many the organisation has in all, whether or not anybody was there."""
    kept = select(func.coalesce(func.sum(DayCount.held), 0)).where(
        DayCount.organisation_id == organisation_id, DayCount.is_month, DayCount.of_id == organisation_id
    )
    others = select(func.count()).where(Session.organisation_id == organisation_id, Session.counted_at.is_(None))
    return select(kept.scalar_subquery() + others.scalar_subquery())


def not_counted(held: Iterable[Any]) -> None:
    """Within a transaction that holds these sessions' rows: of those that are not counted nothing has to be asked
    before their records are changed, the others are counted out."""
    counted_at = {session.id: session.counted_at for session in held}
    _held(db.session()).update(id_ for id_, at in counted_at.items() if at is None)
    count_out(db.session(), counted_at)


def count_out(database: Database, ids: Collection[uuid.UUID]) -> None:
    """Within a transaction, before something of these sessions changes: hold them, and count out those that are
    counted."""
    left = set(ids) - _held(database)
    if not left:
        return
    counted: list[uuid.UUID] = []
    for some in some_at_once(sorted(left)):
        states = select(Session.id, Session.counted_at).where(Session.id.in_(some)).order_by(Session.id)
        rows = database.execute(states.with_for_update()).all()
        counted += [row.id for row in rows if row.counted_at is not None]
    if counted:
        _add(database, counted, -1)
        _set(database, Session.id.in_(counted), None)
    _held(database).update(left)


def _set(database: Database, which: ColumnElement[bool], at: datetime | None) -> None:
    """No change of the session's own, of which anybody is told."""
    values = {"counted_at": at, "changed_at": Session.changed_at}
    database.connection().execute(update(Session.__table__).where(which).values(values))  # type: ignore[arg-type]


def _held(database: Database) -> set[uuid.UUID]:
    """The sessions that this transaction holds, and that are not counted."""
    held: set[uuid.UUID] = database.info.setdefault("not_counted", set())
    return held


def _is_due() -> Any:
    # one without times can be closed before its day, and does not count until then
    untimed = and_(Session.ends_at.is_(None), Session.session_date < (clock.now() - UNTIMED).date())
    is_over = or_(and_(Session.ends_at.is_not(None), Session.closed_at.is_not(None)), untimed)
    return and_(Session.counted_at.is_(None), Session.cancelled_at.is_(None), is_over)


def _due() -> Sequence[uuid.UUID]:
    """The oldest first; some of them."""
    ids = db.session.scalars(select(Session.id).where(_is_due()).order_by(Session.session_date).limit(100 * AT_ONCE))
    found = ids.all()
    release()
    return found


def _add(database: Database, ids: Sequence[uuid.UUID], sign: int) -> None:
    """Add what these sessions' records come to, or take it away: a statement for each month that they are in."""
    by_month = defaultdict[date, list[uuid.UUID]](list)
    days = select(Session.session_date, Session.id).where(Session.id.in_(ids)).order_by(Session.session_date)
    for day, id_ in database.execute(days):
        by_month[day.replace(day=1)].append(id_)
    for first, some in by_month.items():
        add_up(DayCount, _sums(first, some, sign), KEY, ("held", *FIGURES))


def _sums(month: date, ids: Sequence[uuid.UUID], sign: int) -> Select[Any]:
    """Query of the counts of these sessions, which are all of one month: by its days and as a whole, of the
    organisation, the classes and the people. In the order of the key, in which whoever counts locks the rows."""
    of_session: dict[str, Any] = {"partition_by": Session.id}
    by_somebody = func.max(case((Record.source.not_in(BY_ITSELF), 1), else_=0)).over(**of_session)
    is_first = case((func.row_number().over(**of_session, order_by=Record.student_id) == 1, 1), else_=0)
    own_records = and_(Record.organisation_id == Session.organisation_id, Record.session_id == Session.id)
    said = (
        select(
            Session.organisation_id, Session.class_id, Session.session_date, Record.student_id, Record.status,
            (by_somebody == 1).label("is_taken"), is_first.label("is_first"),
        )
        .outerjoin(Record, own_records)
        .where(Session.id.in_(ids))
        .cte()
    )  # fmt: skip
    of = said.c
    attended = case((of.student_id.is_not(None), of.is_first), else_=0)
    kinds = [
        select(
            of.organisation_id, literal(is_month).label("is_month"), of_id.label("of_id"), day.label("day"),
            of.is_taken, held.label("held"), sessions.label("sessions"), of.status,
        ).where(of_id.is_not(None))
        for of_id, held, sessions in (
            (of.organisation_id, of.is_first, attended),
            (of.class_id, of.is_first, attended),
            (of.student_id, literal(0), literal(1)),
        )
        for is_month, day in ((False, of.session_date), (True, literal(month)))
    ]  # fmt: skip
    each = union_all(*kinds).subquery().c
    statuses = (func.sum(case((each.status == status, sign), else_=0)) for status in Status)
    sums = (sign * func.sum(each.held), sign * func.sum(each.sessions), *statuses)
    key = [each[name] for name in KEY]
    return select(*key, *sums).where(true()).group_by(*key).order_by(*key)


@event.listens_for(db.session, "before_flush")
def _flushing(database: Database, _context: UOWTransaction, _instances: Any) -> None:
    ids = set[uuid.UUID]()
    for row in (*database.new, *database.dirty, *database.deleted):
        if isinstance(row, Record) and (row not in database.dirty or _matters(row)):
            ids.add(row.session_id)
        elif isinstance(row, Session) and row not in database.new and (row in database.deleted or _matters(row)):
            ids.add(row.id)
    with database.no_autoflush:
        count_out(database, ids)


def _matters(row: Record | Session) -> bool:
    state: Any = inspect(row)
    return any(state.attrs[name].history.has_changes() for name in MATTERS[type(row)])


@event.listens_for(db.session, "do_orm_execute")
def _executing(state: ORMExecuteState) -> None:
    """Statements that change many rows at once."""
    if not (state.is_insert or state.is_update or state.is_delete):
        return
    statement: Any = state.statement
    # by its name: an update's or delete's table is an annotated copy
    model = next((model for model in MATTERS if model.__tablename__ == statement.table.name), None)
    if model is None:
        return
    if state.is_insert:
        sent: Any = state.parameters if model is Record else ()
        count_out(state.session, {row["session_id"] for row in ([sent] if isinstance(sent, dict) else sent)})
    elif state.is_delete or MATTERS[model] & {getattr(name, "key", name) for name in statement._values}:
        affected: Any = select(Record.session_id if model is Record else Session.id).distinct()
        if statement.whereclause is not None:
            affected = affected.where(statement.whereclause)
        count_out(state.session, set(state.session.scalars(affected)))


@event.listens_for(db.session, "after_commit")
def _committed(database: Database) -> None:
    database.info.pop("not_counted", None)


@event.listens_for(db.session, "after_soft_rollback")
def _rolled_back(database: Database, _previous: Any) -> None:
    """Also to a savepoint, which may give back what was held since."""
    database.info.pop("not_counted", None)
