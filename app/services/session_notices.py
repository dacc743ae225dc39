"""Telling those who are expected in a session, and their guardians, that it was changed or cancelled."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

from app import clock
from app.extensions import db
from app.models import Class, Event, EventKind, NotificationKind, Session, User, UserStatus
from app.services.audience import guardians_of
from app.services.caller import Caller
from app.services.changes_told import state_of
from app.services.notifications import Notice, notify
from app.services.sessions import expected_people


@dataclass(frozen=True, slots=True)
class _Series:
    """Those that follow a session, and stand changed or cancelled: the next one, and until when."""

    next: Session
    last_day: str

    @property
    def kind(self) -> NotificationKind:
        return _kind(self.next)


def tell_of_changes(caller: Caller, event: Event) -> None:
    """Of all changes that wait to be told of, when the last has stood for long enough, in one notification of how
    things stand now; of none that was undone. Those that follow are told of with the session, or by themselves where it
    is otherwise with them."""
    waiting = caller.rows(Event).where(Event.kind == EventKind.CHANGES_DUE, Event.about_id == event.about_id)
    changes = db.session.scalars(waiting.order_by(Event.id).with_for_update()).all()
    if changes[-1].due_at > clock.now():
        event.due_at = changes[-1].due_at
        return
    for change in changes:
        if change is not event:
            db.session.delete(change)
    session, series = _open(caller, event.about_id), _series(caller, changes)
    if session is not None and state_of(session) != changes[0].data["was"]:
        goes_on = series is not None and series.kind == _kind(session)
        last_day = series.last_day if series and goes_on else session.session_date.isoformat()
        _tell(caller, event, session, last_day)
        series = None if goes_on else series
    if series is not None:
        _tell(caller, event, series.next, series.last_day)


def _series(caller: Caller, changes: Sequence[Event]) -> _Series | None:
    """What stands of the changes that were made to those that follow too; None: nothing does."""
    of_series = [change.data for change in changes if change.data["next_id"]]
    if not of_series or of_series[0]["was"] == of_series[-1]["became"]:
        return None
    coming, is_cancelled = _open(caller, uuid.UUID(of_series[-1]["next_id"])), of_series[-1]["became"]["is_cancelled"]
    if coming is None or (coming.cancelled_at is not None) != is_cancelled:  # it was changed by itself since
        return None
    return _Series(coming, of_series[-1]["last_day"])


def _open(caller: Caller, session_id: uuid.UUID) -> Session | None:
    query = caller.rows(Session).where(Session.id == session_id, Session.closed_at.is_(None))
    found: Session | None = db.session.scalar(query)
    return found


def _kind(session: Session) -> NotificationKind:
    is_cancelled = session.cancelled_at is not None
    return NotificationKind.SESSION_CANCELLED if is_cancelled else NotificationKind.SESSION_CHANGED


def _tell(caller: Caller, event: Event, session: Session, last_day: str) -> None:
    data = about(caller, session) | {"place": _place(session), "last_day": last_day}
    notify(caller, _kind(session), _notices(caller, event, session, data))


def about(caller: Caller, session: Session) -> dict[str, Any]:
    """What notifications say of a session."""
    of_it = caller.rows(Class, Class.name, Class.time_zone).where(Class.id == session.class_id)
    found = db.session.execute(of_it).first()
    zone = ZoneInfo((found and found.time_zone) or caller.time_zone)
    return {
        "class_name": found and found.name,
        "session_name": session.name,
        "session_date": session.session_date.isoformat(),
        "starts_at": session.starts_at and session.starts_at.astimezone(zone).isoformat(),
        "ends_at": session.ends_at and session.ends_at.astimezone(zone).isoformat(),
    }


def _place(session: Session) -> str:
    """Of the session's own, their names or coordinates; an area without a name is none that could be told."""
    sites = session.policy.get("sites") or []
    return ", ".join(filter(None, (site.get("name") or _coordinates(site) for site in sites)))


def _coordinates(site: Mapping[str, Any]) -> str:
    return f"{site['latitude']}, {site['longitude']}" if "latitude" in site else ""


def _notices(caller: Caller, event: Event, session: Session, data: dict[str, Any]) -> list[Notice]:
    expected = expected_people(caller, [session.id], even_cancelled=True)
    named = (User.id, User.first_name, User.last_name)
    coming = caller.rows(User, *named).join(expected, expected.c.student_id == User.id)
    people = db.session.execute(coming.where(User.status == UserStatus.ACTIVE)).all()
    told = defaultdict[uuid.UUID, set[uuid.UUID]](set)
    for guardian in guardians_of(caller, [person.id for person in people]):
        told[guardian.student_id].add(guardian.user_id)
    return [
        Notice(
            user_id,
            f"{event.kind}:{event.id}:{session.id}:{person.id}:{user_id}",
            data | {"student": f"{person.first_name} {person.last_name}".strip()},
            person.id,
            session.id,
        )
        for person in people
        for user_id in (person.id, *sorted(told[person.id]))
    ]
