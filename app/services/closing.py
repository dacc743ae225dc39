"""Closing sessions: whoever was expected and is unmarked becomes absent, or excused or on leave where an approved
leave request covers the day; once, whoever closes it and however often."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import Select, and_, false, func, or_, select, true
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import (
    Class,
    EventKind,
    Organisation,
    Record,
    RecordMark,
    Session,
    Source,
    Status,
    User,
    Verification,
)
from app.services import audit
from app.services.absences_due import note_absences
from app.services.caller import Caller, system
from app.services.counting import not_counted
from app.services.errors import SessionCancelled, SessionNotBegun
from app.services.events import happened
from app.services.leave import leave_on
from app.services.marks import RECORD_KEY
from app.services.policies import rules
from app.services.sessions import SessionView, expected_people, managed_session, session_counts, views
from app.services.transaction import insert_missing, release, some_at_once, transaction

log = structlog.get_logger(__name__)

AT_ONCE = 1000
"""Sessions that are read in one go."""
NAMED = 1000
"""People of each kind whom a preview names."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What closing a session would do now: how many would become what, and who, the first NAMED of them."""

    absent: Sequence[User]
    absent_total: int
    excused: Sequence[User]
    excused_total: int
    leave: Sequence[User]
    leave_total: int
    not_checked_out: int


def close_due() -> None:
    """Close what has been over for long enough, in all organisations; one that cannot be closed holds up no other."""
    for row in _ended():
        try:
            keeper = system(row.Organisation, row.created_by_id)
            decided = rules(keeper.settings, row.class_policy or {}, row.policy)
            close_after = timedelta(minutes=decided.close_after)
            if _is_over(row, close_after):
                _close_over(keeper, row.id, close_after)
        except Exception:
            log.exception("session_not_closed", session_id=str(row.id))


def preview(caller: Caller, session_id: uuid.UUID) -> Closing:
    """Raises NotFound, NotYourClass or NotYourSession."""
    session = managed_session(caller, session_id)
    found: dict[uuid.UUID, Status | None] = dict(db.session.execute(unmarked(caller, session)).all())
    people: dict[Status, list[User]] = {Status.ABSENT: [], Status.EXCUSED: [], Status.LEAVE: []}
    for some in some_at_once(found):  # not joined: PostgreSQL may run the whole query again for each person
        for user in db.session.scalars(caller.rows(User).where(User.id.in_(some))):
            people[found[user.id] or Status.ABSENT].append(user)
    become: dict[str, Any] = {}
    for status, users in people.items():
        by_name = sorted(users, key=lambda user: (user.last_name, user.first_name, user.id))
        become |= {status: by_name[:NAMED], f"{status}_total": len(users)}
    forgotten = caller.rows(Record, func.count()).where(_still_in(session))
    return Closing(**become, not_checked_out=db.session.scalar(forgotten) or 0)


@transaction
def close(caller: Caller, session_id: uuid.UUID, reason: str | None) -> SessionView:
    """Close a session now. Closing again changes nothing.

    Raises as `preview`, and SessionCancelled or SessionNotBegun.
    """
    audit.because(reason)
    managed_session(caller, session_id)
    session = _locked(caller, session_id)
    if session.cancelled_at is not None:
        raise SessionCancelled
    if session.starts_at is not None and clock.now() < session.starts_at:
        raise SessionNotBegun
    if session.closed_at is None:
        _finish(caller, session)
    return views(caller, [session])[0]


@transaction
def reopen(caller: Caller, session_id: uuid.UUID, reason: str | None) -> SessionView:
    """Undo what closing did; what was marked since stays, and what a teacher had marked before a leave request was
    approved. It closes by itself again, as long after this as it would after its end. Raises as `preview`."""
    audit.because(reason)
    managed_session(caller, session_id)
    session = _locked(caller, session_id)
    if session.closed_at is not None:
        session.closed_at, session.reopened_at = None, clock.now()
        of_it = Record.session_id == session_id
        marked = caller.rows(RecordMark).where(RecordMark.record_id == Record.id, RecordMark.source != Source.CLOSE)
        made = or_(
            Record.source == Source.CLOSE,
            and_(Record.source == Source.LEAVE, ~marked.correlate(Record).exists()),
        )
        db.session.execute(caller.remove(Record).where(of_it, made))
        forgotten = caller.change(Record).where(of_it, Record.forgot_to_check_out)
        db.session.execute(forgotten.values(checked_out_at=None, forgot_to_check_out=False))
        db.session.flush()
    return views(caller, [session])[0]


@transaction
def _close_over(keeper: Caller, session_id: uuid.UUID, close_after: timedelta) -> None:
    """Unless somebody has closed, cancelled, moved or reopened it since it was read."""
    audit.because("the session was over")
    session = _locked(keeper, session_id)
    if session.closed_at is None and session.cancelled_at is None and _is_over(session, close_after):
        _finish(keeper, session)


def _finish(caller: Caller, session: Session) -> None:
    _mark_unmarked(caller, session)  # of one that is closed only those are expected who have a record
    session.closed_at = clock.now()
    db.session.flush()
    forgotten = caller.change(Record).where(_still_in(session))
    db.session.execute(forgotten.values(checked_out_at=session.ends_at, forgot_to_check_out=True))
    _tell(caller, session)


def _tell(caller: Caller, session: Session) -> None:
    counts = session_counts(caller, [session])[session.id]
    told = {name: getattr(counts, name) for name in ("expected", *Status, "rate")}
    happened(caller.organisation_id, EventKind.SESSION_CLOSED, session.id, counts=told)
    note_absences(caller, [session])


def _mark_unmarked(caller: Caller, session: Session) -> None:
    now = clock.now()
    own = {"organisation_id": caller.organisation_id, "session_id": session.id, "created_at": now, "marked_at": now}
    own |= {"verification": Verification.VERIFIED, "marked_by_id": caller.user_id}
    found: dict[uuid.UUID, Status | None] = dict(db.session.execute(unmarked(caller, session)).all())
    rows = [
        {"id": uuid7(), "student_id": id_, **own}
        | {"status": found[id_] or Status.ABSENT, "source": Source.LEAVE if found[id_] else Source.CLOSE}
        for id_ in sorted(found)
    ]
    insert_missing(Record, rows, RECORD_KEY)


def unmarked(caller: Caller, session: Session) -> Select[Any]:
    """Who is expected and has no record, and as what an approved leave request counts, if there is one."""
    people = expected_people(caller, [session.id])
    away = leave_on(caller, session.session_date)
    marked = caller.rows(Record, Record.student_id).where(Record.session_id == session.id)
    return (
        select(people.c.student_id, away.c.counts_as)
        .outerjoin(away, away.c.user_id == people.c.student_id)
        .where(people.c.student_id.not_in(marked))
    )


def _still_in(session: Session) -> Any:
    """Who checked in and never out; without an end nobody can tell when they left."""
    return and_(
        Record.session_id == session.id,
        Record.checked_in_at.is_not(None),
        Record.checked_out_at.is_(None),
        true() if session.ends_at else false(),
    )


def _locked(caller: Caller, session_id: uuid.UUID) -> Session:
    query = caller.rows(Session).where(Session.id == session_id).with_for_update()
    found: Session = db.session.scalars(query.execution_options(populate_existing=True)).one()
    not_counted([found])
    return found


def _ended() -> Iterator[Any]:
    """What is over and not closed, of all organisations, the oldest first: a statement for each AT_ONCE of them.

    Which may be closed depends on settings and policies, so what stays open must not hide what comes after it.
    """
    query = (
        select(Session.id, Session.ends_at, Session.reopened_at, Session.created_by_id, Session.policy)
        .add_columns(Class.policy.label("class_policy"), Organisation)
        .join(Organisation, Organisation.id == Session.organisation_id)
        .outerjoin(Class, Class.id == Session.class_id)
        .where(Session.closed_at.is_(None), Session.cancelled_at.is_(None), Session.ends_at < clock.now())
        .order_by(Session.ends_at, Session.id)
        .limit(AT_ONCE)
    )
    rows = db.session.execute(query).all()
    while rows:
        release()
        yield from rows
        last = rows[-1]
        after = or_(Session.ends_at > last.ends_at, and_(Session.ends_at == last.ends_at, Session.id > last.id))
        rows = db.session.execute(query.where(after)).all() if len(rows) == AT_ONCE else []
    release()


def _is_over(session: Any, close_after: timedelta) -> bool:
    ends_at: datetime | None = session.ends_at
    return ends_at is not None and clock.now() > max(ends_at, session.reopened_at or ends_at) + close_after
