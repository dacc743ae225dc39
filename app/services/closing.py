"""Closing sessions: whoever was expected and is unmarked becomes absent, once, whoever closes it and however often."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import Select, select
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Organisation, Record, Role, Session, Source, Status, User, Verification
from app.services import audit
from app.services.caller import Caller
from app.services.organisation_settings import settings_of
from app.services.organisations import all_organisations
from app.services.sessions import SessionView, expected_people, managed_session, views
from app.services.transaction import insert_missing, release, transaction

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Closing:
    """What closing a session would do now."""

    absent: Sequence[User]
    not_checked_out: int


def close_due() -> None:
    """Close what has been over for long enough, in all organisations; one that cannot be closed holds up no other."""
    for organisation in all_organisations():
        release()
        for session_id, made_by in _due(organisation):
            caller = _keeper(organisation, made_by)
            try:
                _close(caller, session_id, "the session was over")
            except Exception:
                log.exception("session_not_closed", session_id=str(session_id))


def preview(caller: Caller, session_id: uuid.UUID) -> Closing:
    """Raises NotFound, NotYourClass or NotYourSession."""
    session = managed_session(caller, session_id)
    unmarked = caller.rows(User).where(User.id.in_(_unmarked(caller, session)))
    absent = db.session.scalars(unmarked.order_by(User.last_name, User.first_name, User.id).limit(1000)).all()
    return Closing(absent, len(_still_in(caller, session)))


def close(caller: Caller, session_id: uuid.UUID, reason: str | None) -> SessionView:
    """Close a session now. Closing again changes nothing. Raises as `preview`."""
    managed_session(caller, session_id)
    return _close(caller, session_id, reason)


@transaction
def reopen(caller: Caller, session_id: uuid.UUID, reason: str | None) -> SessionView:
    """Undo what closing did; what was marked since stays. Raises as `preview`."""
    audit.because(reason)
    managed_session(caller, session_id)
    session = _locked(caller, session_id)
    session.closed_at = None
    of_it = Record.session_id == session_id
    db.session.execute(caller.remove(Record).where(of_it, Record.source == Source.CLOSE))
    forgotten = caller.change(Record).where(of_it, Record.forgot_to_check_out)
    db.session.execute(forgotten.values(checked_out_at=None, forgot_to_check_out=False))
    db.session.flush()
    return views(caller, [session])[0]


@transaction
def _close(caller: Caller, session_id: uuid.UUID, reason: str | None) -> SessionView:
    audit.because(reason)
    session = _locked(caller, session_id)
    if session.closed_at is None:
        session.closed_at = clock.now()
        _mark_absent(caller, session)
        for record in _still_in(caller, session):
            record.checked_out_at, record.forgot_to_check_out = session.ends_at, True
        db.session.flush()
    return views(caller, [session])[0]


def _mark_absent(caller: Caller, session: Session) -> None:
    now = clock.now()
    own = {"organisation_id": caller.organisation_id, "session_id": session.id, "created_at": now, "marked_at": now}
    of_close = {"status": Status.ABSENT, "source": Source.CLOSE, "verification": Verification.VERIFIED}
    students = db.session.scalars(_unmarked(caller, session)).all()
    rows = [
        {"id": uuid7(), "student_id": id_, "marked_by_id": caller.user_id} | own | of_close for id_ in sorted(students)
    ]
    insert_missing(Record, rows, ("organisation_id", "session_id", "student_id"))


def _unmarked(caller: Caller, session: Session) -> Select[Any]:
    people = expected_people(caller, [session.id])
    marked = caller.rows(Record, Record.student_id).where(Record.session_id == session.id)
    return select(people.c.student_id).where(people.c.student_id.not_in(marked))


def _still_in(caller: Caller, session: Session) -> Sequence[Record]:
    """Who checked in and never out."""
    if session.ends_at is None:
        return []
    query = caller.rows(Record).where(
        Record.session_id == session.id, Record.checked_in_at.is_not(None), Record.checked_out_at.is_(None)
    )
    return db.session.scalars(query).all()


def _locked(caller: Caller, session_id: uuid.UUID) -> Session:
    query = caller.rows(Session).where(Session.id == session_id).with_for_update()
    found: Session = db.session.scalars(query.execution_options(populate_existing=True)).one()
    return found


def _due(organisation: Organisation) -> Sequence[Any]:
    over = clock.now() - timedelta(minutes=settings_of(organisation.settings).close_after)
    due = select(Session.id, Session.created_by_id).where(
        Session.organisation_id == organisation.id,
        Session.closed_at.is_(None),
        Session.cancelled_at.is_(None),
        Session.ends_at < over,
    )
    found = db.session.execute(due.order_by(Session.ends_at).limit(1000)).all()
    release()
    return found


def _keeper(organisation: Organisation, made_by: uuid.UUID) -> Caller:
    """The system, acting for the one who made the session."""
    decided = settings_of(organisation.settings)
    return Caller(made_by, organisation.id, Role.ADMIN, organisation.time_zone, decided)
