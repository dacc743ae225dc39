"""Timetables: their sessions are made ahead, each once, and follow what is changed until they begin."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from sqlalchemy import ColumnElement, Select, and_, func, inspect, or_, select
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Attempt, Class, Holiday, Organisation, Recognition, Record, Session, Term, Timetable
from app.services import jobs
from app.services.caller import Caller, system
from app.services.classes import taught_class
from app.services.errors import NotYourTimetable, TimetableRefused
from app.services.organisations import all_organisations
from app.services.paging import Page, Paging, paginate
from app.services.recurrence import Occurrence, Recurrence
from app.services.sessions import managed, overlaps, require_theirs, teaches_subject, with_radius, zone_of
from app.services.transaction import afterwards, insert_missing, release, transaction

log = structlog.get_logger(__name__)

MAKE = "make_sessions"
A_DAY = timedelta(days=1)
LOOKS_AHEAD = timedelta(days=3653)
"""A timetable that holds nothing for ten years holds nothing."""
KEY_DAY = 48
"""Where the day begins in the key of a session; counted from 1."""


@dataclass(frozen=True, slots=True)
class TimetableView:
    row: Timetable
    overlaps: Sequence[uuid.UUID] = ()
    """Other sessions of the class at the times of those that were made; asked when it is saved."""

    @property
    def ends_at(self) -> time:
        return _later(self.row.starts_at, self.row.minutes)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@transaction
def create_timetable(caller: Caller, values: dict[str, Any]) -> TimetableView:
    """Save a timetable and make its first sessions. values: the model's, and ends_at (a time) instead of minutes.

    Raises:
        NotFound, NotYourClass, NotYourSubject: as `require_theirs`, and of a term.
        TimetableRefused: its rule is wrong, or no session comes of it.
    """
    require_theirs(caller, values["class_id"], values["subject_id"], values["department_id"])
    row = Timetable(organisation_id=caller.organisation_id, created_by_id=caller.user_id)
    row.time_zone = zone_of(caller, values["class_id"])
    _set(caller, row, values)
    _require_days(caller, row, max(row.first_day, clock.today(row.time_zone)))
    db.session.add(row)
    db.session.flush()
    return _saved(caller, row)


def list_timetables(caller: Caller, class_id: uuid.UUID | None, paging: Paging) -> Page[TimetableView]:
    """Those that the caller manages: an administrator's are all of the organisation."""
    query = caller.rows(Timetable).where(managed(caller, Timetable))
    if class_id is not None:
        caller.require(Class, class_id)
        query = query.where(Timetable.class_id == class_id)
    columns = {"id": Timetable.id, "name": Timetable.name, "first_day": Timetable.first_day}
    page = paginate(query, paging, columns)
    return page.of([TimetableView(row) for row in page.items])


def read_timetable(caller: Caller, timetable_id: uuid.UUID) -> TimetableView:
    """Raises NotFound, NotYourClass or NotYourTimetable."""
    return TimetableView(_managed(caller, timetable_id))


@transaction
def change_timetable(caller: Caller, timetable_id: uuid.UUID, changes: dict[str, Any]) -> TimetableView:
    """Set what is given; sessions to come follow, unless they were changed by themselves or have records.

    Raises as `read_timetable`, and NotFound or TimetableRefused as `create_timetable`.
    """
    _managed(caller, timetable_id)
    row = locked(caller, timetable_id)
    _set(caller, row, changes)
    _require_days(caller, row, row.first_day)
    return _saved(caller, row)


@transaction
def remove_timetable(caller: Caller, timetable_id: uuid.UUID) -> None:
    """Its sessions to come are gone, but for those that have records; past ones stay. Raises as `read_timetable`."""
    _managed(caller, timetable_id)
    row = locked(caller, timetable_id)
    coming = sessions_from(caller, row, clock.today(row.time_zone))
    _withdraw(caller, [session for session in coming if is_to_come(session)])
    db.session.flush()
    # that they are not its any more is told by the timetable's own entry in the audit log
    left = caller.change(Session).where(Session.timetable_id == row.id).values(timetable_id=None)
    db.session.execute(left.execution_options(audited=False))
    db.session.delete(row)


def make_sessions() -> None:
    """Make what is due of all organisations' timetables; one that fails holds up no other."""
    for organisation in all_organisations():
        for timetable_id, made_by in _going_on(organisation):
            caller = system(organisation, made_by)
            try:
                _make(caller, timetable_id)
            except Exception:
                log.exception("sessions_not_made", timetable_id=str(timetable_id))


def make_soon() -> None:
    """Within a transaction: terms, holidays or time zones changed, and the timetables' sessions are to follow."""
    afterwards(_start_making)


def _start_making() -> None:
    jobs.start_own(MAKE)


@transaction
def _make(caller: Caller, timetable_id: uuid.UUID) -> None:
    make(caller, locked(caller, timetable_id))


def make(caller: Caller, row: Timetable) -> None:
    """Within a transaction, with the timetable locked: have the sessions to come as it says, in a fixed number of
    statements. Those that have begun or have records stay as they are, those that were changed by themselves as well;
    a cancelled one stays cancelled."""
    wanted = _wanted(caller, row)
    there = {made_for(session): session for session in sessions_from(caller, row, clock.today(row.time_zone))}
    own = {"organisation_id": caller.organisation_id, "timetable_id": row.id, "created_by_id": row.created_by_id}
    own |= {name: getattr(row, name) for name in ("class_id", "subject_id", "department_id", "is_event")}
    missing = [
        own | _values(row, occurrence) | {"id": uuid7(), "key": key_of(row, day), "created_at": clock.now()}
        for day, occurrence in wanted.items()
        if day not in there
    ]
    following = {day: session for day, session in there.items() if is_to_come(session) and _follows(session)}
    with_records = having(caller, Record, following.values())
    dropped = []
    for day, session in following.items():
        if session.id in with_records:
            continue
        if day in wanted:
            for name, value in _values(row, wanted[day]).items():
                setattr(session, name, value)
        elif session.cancelled_at is None:
            dropped.append(session)
    _withdraw(caller, dropped)
    db.session.flush()
    insert_missing(Session, missing, ("organisation_id", "key"))


def split(caller: Caller, row: Timetable, day: date) -> Timetable:
    """Within a transaction: end a timetable before one of its days and have a new one go on, with the sessions from
    then on; the same one, where it begins on that day."""
    if day <= row.first_day:
        return row
    kept = {column.key for column in inspect(Timetable).columns} - {"id", "created_at", "first_day", "rule"}
    rest = recurrence(row).from_day_on(day)
    new = Timetable(**{name: getattr(row, name) for name in kept}, rule=rest.rule, first_day=day)
    db.session.add(new)
    db.session.flush()
    for session in sessions_from(caller, row, day):
        session.timetable_id, session.key = new.id, key_of(new, made_for(session))
    row.last_day = day - A_DAY
    db.session.flush()
    return new


def sessions_from(caller: Caller, row: Timetable, day: date) -> Sequence[Session]:
    """The sessions that were made of a timetable for a day and later ones, locked."""
    query = caller.rows(Session).where(Session.timetable_id == row.id, Session.key >= key_of(row, day))
    return db.session.scalars(query.order_by(Session.key).with_for_update()).all()


def having(caller: Caller, model: type[Record | Attempt | Recognition], sessions: Any) -> set[uuid.UUID]:
    """Which of the sessions have records, attempts, or recognitions that were confirmed for them."""
    ids = [session.id for session in sessions]
    return set(db.session.scalars(caller.rows(model, model.session_id).where(model.session_id.in_(ids)).distinct()))


def is_to_come(session: Session) -> bool:
    return session.closed_at is None and (session.starts_at is None or session.starts_at > clock.now())


def locked(caller: Caller, timetable_id: uuid.UUID) -> Timetable:
    query = caller.rows(Timetable).where(Timetable.id == timetable_id).with_for_update()
    found: Timetable = db.session.scalars(query.execution_options(populate_existing=True)).one()
    return found


def recurrence(row: Timetable) -> Recurrence:
    """Raises TimetableRefused."""
    left_out = frozenset(map(date.fromisoformat, row.left_out))
    zone = ZoneInfo(row.time_zone)
    try:
        return Recurrence(row.rule, row.first_day, row.last_day, row.starts_at, row.minutes, zone, left_out)
    except ValueError as wrong:
        raise TimetableRefused(f"This rule cannot be used: {wrong}") from wrong


def key_of(row: Timetable, day: date) -> str:
    return f"timetable {row.id} {day}"


def made_for(session: Session) -> date:
    """The day of its timetable that a session was made for, wherever it was moved since."""
    return date.fromisoformat(str(session.key)[-len("YYYY-MM-DD") :])


def _follows(session: Session) -> bool:
    return not session.is_changed or session.cancelled_at is not None


def _values(row: Timetable, occurrence: Occurrence) -> dict[str, Any]:
    return {
        "name": row.name,
        "description": row.description,
        "policy": row.policy,
        "session_date": occurrence.day,
        "starts_at": occurrence.starts_at,
        "ends_at": occurrence.ends_at,
    }


def _wanted(caller: Caller, row: Timetable) -> dict[date, Occurrence]:
    """What it holds from today on, as far ahead as the organisation has sessions made."""
    today = clock.today(row.time_zone)
    held = occurrences(caller, [row], today, today + timedelta(days=caller.settings.timetable_days))[row.id]
    return {occurrence.day: occurrence for occurrence in held if occurrence.ends_at > clock.now()}


def occurrences(
    caller: Caller, rows: Sequence[Timetable], first: date, last: date
) -> dict[uuid.UUID, Sequence[Occurrence]]:
    """What each of these timetables holds between two days, both included, in a fixed number of statements: within its
    term, until it is cancelled, on holidays only if it says so, and nothing once its class is not active."""
    classes = caller.rows(Class, Class.id).where(Class.id.in_({row.class_id for row in rows}), Class.is_active)
    active = {None, *db.session.scalars(classes)}
    of_them = caller.rows(Term).where(Term.id.in_({row.term_id for row in rows}))
    terms = {term.id: term for term in db.session.scalars(of_them)}
    off = _holidays(caller, first, last)

    def held(row: Timetable) -> Sequence[Occurrence]:
        begin, end = _within(terms[row.term_id], first, last) if row.term_id else (first, last)
        if row.cancelled_from is not None:
            end = min(end, row.cancelled_from - A_DAY)
        found = recurrence(row).occurrences(begin, end)
        return found if row.on_holidays else [o for o in found if not any(a <= o.day <= b for a, b in off)]

    return {row.id: held(row) if row.class_id in active else [] for row in rows}


def to_be_made(caller: Caller, query: Select[Any], last: date) -> Sequence[tuple[Timetable, Sequence[date]]]:
    """The days until the last, on which sessions are to come of which none is made yet, for each of a query's
    timetables; in a fixed number of statements."""
    first = caller.today - A_DAY  # where it is held, it may still be yesterday
    going_on = or_(Timetable.last_day.is_(None), Timetable.last_day >= first)
    rows = db.session.scalars(query.where(going_on, Timetable.first_day <= last)).all()
    of_them = caller.rows(Session, Session.key).where(Session.timetable_id.in_([row.id for row in rows]))
    made = {*db.session.scalars(of_them.where(func.substr(Session.key, KEY_DAY) >= str(first)))}
    held, now = occurrences(caller, rows, first, last), clock.now()
    return [
        (row, [o.day for o in held[row.id] if o.starts_at > now and key_of(row, o.day) not in made]) for row in rows
    ]


def _within(term: Term, first: date, last: date) -> tuple[date, date]:
    """What of these days lies in it."""
    return max(first, term.first_day), min(last, term.last_day)


def _holidays(caller: Caller, first: date, last: date) -> Sequence[Any]:
    between = and_(Holiday.first_day <= last, Holiday.last_day >= first)
    return db.session.execute(caller.rows(Holiday, Holiday.first_day, Holiday.last_day).where(between)).all()


def _withdraw(caller: Caller, sessions: Sequence[Session]) -> None:
    """Those without records are gone; one at which somebody tried to check in, or for which a recognition was
    confirmed, is cancelled, since these are kept."""
    kept = having(caller, Record, sessions)
    tried = having(caller, Attempt, sessions) | having(caller, Recognition, sessions)
    for session in sessions:
        if session.id in tried - kept and session.cancelled_at is None:
            session.cancelled_at = clock.now()
    gone = [session.id for session in sessions if session.id not in kept | tried]
    db.session.flush()
    db.session.execute(caller.remove(Session).where(Session.id.in_(gone)))


def _set(caller: Caller, row: Timetable, values: dict[str, Any]) -> None:
    values = dict(values)
    caller.require(Term, values.get("term_id"))
    ends_at = values.pop("ends_at", None)
    for name, value in values.items():
        setattr(row, name, value)
    if ends_at is not None:
        row.minutes = _between(row.starts_at, ends_at)
    row.policy = with_radius(caller, row.policy or {})


def _require_days(caller: Caller, row: Timetable, from_day: date) -> None:
    """Raises TimetableRefused when nothing is held from a day on."""
    if row.last_day is not None and row.last_day < row.first_day:
        raise TimetableRefused("The last day must not come before the first")
    first, last = from_day, max(from_day, row.first_day) + LOOKS_AHEAD
    if row.term_id is not None:
        first, last = _within(caller.get(Term, row.term_id), first, last)
    if next(recurrence(row).days(first, last), None) is None:
        raise TimetableRefused


def _managed(caller: Caller, timetable_id: uuid.UUID) -> Timetable:
    row = caller.get(Timetable, timetable_id)
    if row.class_id is not None:
        taught_class(caller, row.class_id)
    elif not (caller.administers or row.created_by_id == caller.user_id or _teaches_subject_of(caller, row)):
        raise NotYourTimetable
    return row


def _teaches_subject_of(caller: Caller, row: Timetable) -> bool:
    return row.subject_id is not None and teaches_subject(caller, row.subject_id)


def _saved(caller: Caller, row: Timetable) -> TimetableView:
    make(caller, row)
    coming: ColumnElement[bool] = and_(Session.timetable_id == row.id, Session.ends_at > clock.now())
    return TimetableView(row, overlaps(caller, coming))


def _going_on(organisation: Organisation) -> Sequence[Any]:
    """Ids of its timetables that are not over, and of who made them."""
    yesterday = clock.today(organisation.time_zone) - A_DAY  # a day may have begun elsewhere, or not ended
    going_on = select(Timetable.id, Timetable.created_by_id).where(
        Timetable.organisation_id == organisation.id,
        or_(Timetable.last_day.is_(None), Timetable.last_day >= yesterday),
    )
    found = db.session.execute(going_on.order_by(Timetable.id)).all()
    release()
    return found


def _between(starts_at: time, ends_at: time) -> int:
    """In minutes, to the next day where it does not end after it starts."""
    minutes = (ends_at.hour - starts_at.hour) * 60 + ends_at.minute - starts_at.minute
    return minutes if minutes > 0 else minutes + 24 * 60


def _later(starts_at: time, minutes: int) -> time:
    return (datetime.combine(date.min, starts_at, UTC) + timedelta(minutes=minutes)).time()
