"""Changing, cancelling and restoring sessions: one by itself, or with those that its timetable makes after it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app import clock
from app.extensions import db
from app.models import Record, Session, Timetable
from app.services import audit, timetables
from app.services.caller import Caller
from app.services.changes_told import note_change, state_of
from app.services.errors import SessionCancelled, SessionClosed, TimetableRefused
from app.services.sessions import SessionView, managed_session, set_values, views, zone_of
from app.services.transaction import transaction

TIMES = {"starts_at", "ends_at"}


@transaction
def change_session(caller: Caller, session_id: uuid.UUID, values: dict[str, Any], following: bool) -> SessionView:
    """Set those of name, description, starts_at, ends_at (naive: by the clocks where it is held) and policy that are
    given.

    following: its timetable goes on so from this one on. What has begun or has records stays as it is; what was
    changed by itself as well, unless it is cancelled.

    Raises:
        NotFound, NotYourClass, NotYourSession: as `managed_session`.
        SessionClosed, SessionCancelled: its times cannot be changed.
        DatesRefused: it would end before it starts.
        TimetableRefused: those that follow would move to another day.
    """
    session, timetable = _found(caller, session_id)
    if TIMES & values.keys():
        _require_open(session)
    zone, day = ZoneInfo(zone_of(caller, session.class_id)), session.session_date
    was, goes_on = state_of(session), timetable
    set_values(caller, session, values, zone)
    if timetable is None:
        session.key = session.key if session.session_date == day else None  # marking that day finds another one
    elif following:
        goes_on = _change_following(caller, session, timetable, values)
    elif values:
        session.is_changed = True
    db.session.flush()
    note_change(caller, session, was, _following(caller, session, goes_on) if following else ())
    return views(caller, [session])[0]


@transaction
def cancel_session(caller: Caller, session_id: uuid.UUID, following: bool, reason: str | None) -> SessionView:
    """Cancel a session, or it and all that its timetable makes after it. Cancelling again changes nothing.

    Raises NotFound, NotYourClass, NotYourSession or SessionClosed.
    """
    audit.because(reason)
    session, timetable = _found(caller, session_id)
    if session.closed_at is not None:
        raise SessionClosed
    now, was, others = clock.now(), state_of(session), []
    if following and timetable is not None:
        day = timetables.made_for(session)
        if timetable.cancelled_from is None or day < timetable.cancelled_from:
            timetable.cancelled_from, session.cancelled_at = day, now  # all at one time, by which they are restored
        coming = [row for row in timetables.sessions_from(caller, timetable, day) if timetables.is_to_come(row)]
        with_records = timetables.having(caller, Record, coming)
        for row in coming:
            if row.cancelled_at is None and row.id not in with_records:
                row.cancelled_at = now
                others.append(row)
    session.cancelled_at = session.cancelled_at or now
    db.session.flush()
    note_change(caller, session, was, others)
    return views(caller, [session])[0]


@transaction
def restore_session(caller: Caller, session_id: uuid.UUID, following: bool, reason: str | None) -> SessionView:
    """Undo cancelling: of this session, or of all that were cancelled with it, whose timetable then goes on.

    Raises NotFound, NotYourClass or NotYourSession.
    """
    audit.because(reason)
    session, timetable = _found(caller, session_id)
    was = state_of(session)
    cancelled_at, session.cancelled_at = session.cancelled_at, None
    if timetable is not None and timetable.cancelled_from is not None:
        day = timetables.made_for(session)
        goes_on = day >= timetable.cancelled_from
        if following and goes_on:
            timetable.cancelled_from = None
            for row in timetables.sessions_from(caller, timetable, day):
                row.cancelled_at = None if row.cancelled_at == cancelled_at else row.cancelled_at
            timetables.make(caller, timetable)
        elif goes_on:
            session.is_changed = True  # else it would go with those that stay cancelled
    db.session.flush()
    note_change(caller, session, was, _following(caller, session, timetable) if following else ())
    return views(caller, [session])[0]


def _found(caller: Caller, session_id: uuid.UUID) -> tuple[Session, Timetable | None]:
    """Both locked, the timetable first, as those lock them who make its sessions."""
    timetable_id = managed_session(caller, session_id).timetable_id
    timetable = timetables.locked(caller, timetable_id) if timetable_id else None
    query = caller.rows(Session).where(Session.id == session_id).with_for_update()
    return db.session.scalars(query.execution_options(populate_existing=True)).one(), timetable


def _require_open(session: Session) -> None:
    if session.closed_at is not None:
        raise SessionClosed
    if session.cancelled_at is not None:
        raise SessionCancelled


def _following(caller: Caller, session: Session, timetable: Timetable | None) -> Sequence[Session]:
    """Those that take place after it."""
    if timetable is None:
        return ()
    coming = timetables.sessions_from(caller, timetable, timetables.made_for(session))
    return [row for row in coming if row.cancelled_at is None and row.id != session.id]


def _change_following(caller: Caller, session: Session, timetable: Timetable, values: dict[str, Any]) -> Timetable:
    """The timetable by which it goes on."""
    day = timetables.made_for(session)
    if next(timetables.recurrence(timetable).days(day, day), None) is None:
        raise TimetableRefused("The timetable was changed: it does not have this session any more")
    new = timetables.split(caller, timetable, day)
    for name in values.keys() - TIMES:
        setattr(new, name, getattr(session, name))
    if TIMES & values.keys():
        begins, ends = (_local(moment, new.time_zone) for moment in (session.starts_at, session.ends_at))
        if begins.date() != day or not timedelta(0) < ends - begins <= timedelta(days=1):
            raise TimetableRefused(
                "Those that follow can begin at another time of their day only: change the timetable"
            )
        new.starts_at, new.minutes = begins.time(), round((ends - begins).total_seconds() / 60)
    timetables.make(caller, new)
    return new


def _local(moment: datetime | None, zone: str) -> datetime:
    """What the clocks show there."""
    if moment is None:
        raise TimetableRefused("A timetable's sessions have times")
    return moment.astimezone(ZoneInfo(zone)).replace(tzinfo=None, second=0, microsecond=0)
