"""Checking in and out: the decision (`services.decision`), kept exactly once, with every attempt."""

from __future__ import annotations

import uuid
from typing import Any

from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Attempt, Record, Session, Source, Status, User
from app.services import audit
from app.services.caller import Caller
from app.services.decision import Decision, Fix, Place, Window, arrival, decide, is_on_earth, location
from app.services.errors import (
    AlreadyCheckedIn,
    AlreadyCheckedOut,
    CheckInRefused,
    NotCheckedIn,
    NotFound,
    Refusal,
)
from app.services.organisation_settings import Evidence
from app.services.policies import rules
from app.services.records import RecordView
from app.services.sessions import may_attend
from app.services.transaction import changed, insert_missing, transaction

SAID = {
    "not_enrolled": "You are not in the class of this session",
    "session_closed": "This session is closed",
    "not_timed": "This session is marked by hand",
    "too_early": "Check-in has not opened yet",
    "too_late": "This session is over",
    "location_missing": "Send where you are: this session checks it",
    "location_invalid": "This is no place on earth",
    "location_inaccurate": "Your position is not accurate enough: go outside, or wait a moment, and try again",
    "outside_geofence": "You are too far away",
}


def check_in(caller: Caller, session_id: uuid.UUID, fix: Fix | None) -> RecordView:
    """Check the caller in to a session, once, whatever else is sent at the same moment; the attempt is kept either way.

    Raises:
        NotFound: there is no such session.
        CheckInRefused: its code says why (`SAID`), with the figures.
        AlreadyCheckedIn: with the record's id.
    """
    refusal, record = _check_in(caller, session_id, fix)
    return _answer(caller, refusal, record)


def check_out(caller: Caller, record_id: uuid.UUID, fix: Fix | None) -> RecordView:
    """Check the caller out. Raises as `check_in`, and NotCheckedIn or AlreadyCheckedOut."""
    refusal, record = _check_out(caller, record_id, fix)
    return _answer(caller, refusal, record)


def _answer(caller: Caller, refusal: Refusal | None, record: Record | None) -> RecordView:
    if refusal is not None or record is None:
        raise refusal or NotFound
    return RecordView(record, caller.get(User, caller.user_id), caller.get(Session, record.session_id))


@transaction
def _check_in(caller: Caller, session_id: uuid.UUID, fix: Fix | None) -> tuple[Refusal | None, Record | None]:
    session = caller.get(Session, session_id)
    decision = _decide(caller, session, fix)
    record = None if decision.refused else _record(caller, session, decision)
    there = _own_record(caller, session_id)
    refusal: Refusal | None = None
    if decision.refused:
        refusal = _refusal(decision)
    elif record is None:
        refusal = AlreadyCheckedIn(record_id=str(there.id) if there else None)
    _keep(caller, Attempt(session_id=session_id, kind="in"), decision, fix, refusal)
    return refusal, there


@transaction
def _check_out(caller: Caller, record_id: uuid.UUID, fix: Fix | None) -> tuple[Refusal | None, Record | None]:
    record = caller.get(Record, record_id)
    if record.student_id != caller.user_id:
        raise NotFound("There is no record with this id")
    session = caller.get(Session, record.session_id)
    decision = decide(Status.PRESENT, _pieces(caller, session, fix))
    refusal: Refusal | None = _refusal(decision) if decision.refused else None
    if record.checked_in_at is None:
        refusal = NotCheckedIn()
    elif refusal is None:
        out = caller.change(Record).where(Record.id == record_id, Record.checked_out_at.is_(None))
        if not changed(out.values(checked_out_at=clock.now())):
            refusal = AlreadyCheckedOut()
    _keep(caller, Attempt(session_id=session.id, kind="out"), decision, fix, refusal)
    return refusal, record


def _decide(caller: Caller, session: Session, fix: Fix | None) -> Decision:
    if not _expects(caller, session):
        return decide("not_enrolled", {})
    if session.closed_at is not None:
        return decide("session_closed", {})
    if session.starts_at is None or session.ends_at is None:
        return decide("not_timed", {})
    decided = rules(caller.settings, session.policy)
    window = Window(session.starts_at, session.ends_at, decided.opens_before, decided.grace)
    return decide(arrival(window, clock.now()), _pieces(caller, session, fix))


def _pieces(caller: Caller, session: Session, fix: Fix | None) -> dict[str, Any]:
    decided = rules(caller.settings, session.policy)
    if Evidence.LOCATION not in decided.requires:
        return {}
    site = decided.sites[0]
    place = Place(site.latitude or 0, site.longitude or 0, site.radius or 0, caller.settings.geofence.max_accuracy)
    return {"location": location(place, fix)}


def _expects(caller: Caller, session: Session) -> bool:
    welcome = caller.rows(Session, Session.id).where(
        Session.id == session.id, Session.cancelled_at.is_(None), may_attend(caller, caller.user_id)
    )
    return db.session.scalar(welcome) is not None


def _record(caller: Caller, session: Session, decision: Decision) -> Record | None:
    """The new record, or the one that somebody had made by hand; None when the caller had checked in before."""
    now = clock.now()
    values = {
        "status": decision.status,
        "source": Source.CHECK_IN,
        "verification": decision.verification,
        "checked_in_at": now,
        "distance": decision.figures.get("distance"),
        "marked_at": now,
        "marked_by_id": caller.user_id,
    }
    key = {"organisation_id": caller.organisation_id, "session_id": session.id, "student_id": caller.user_id}
    row = {"id": uuid7(), "created_at": now, **key, **values}
    insert_missing(Record, [row], tuple(key))
    made = _own_record(caller, session.id)
    if made is None or made.id == row["id"]:
        return made
    # who was marked by hand and then checks in was there, from the time that they checked in
    by_hand = caller.change(Record).where(Record.id == made.id, Record.checked_in_at.is_(None))
    return made if changed(by_hand.values(values)) else None


def _own_record(caller: Caller, session_id: uuid.UUID) -> Record | None:
    query = caller.rows(Record).where(Record.session_id == session_id, Record.student_id == caller.user_id)
    found: Record | None = db.session.scalar(query.execution_options(populate_existing=True))
    return found


def _refusal(decision: Decision) -> Refusal:
    code = str(decision.refused)
    refused = CheckInRefused(SAID[code], **decision.figures)
    refused.code = code
    return refused


def _keep(caller: Caller, attempt: Attempt, decision: Decision, fix: Fix | None, refusal: Refusal | None) -> None:
    actor = audit.actor()
    attempt.organisation_id, attempt.user_id = caller.organisation_id, caller.user_id
    attempt.refused = refusal.code if refusal else None
    attempt.evidence = dict(decision.figures)
    if fix and is_on_earth(fix):
        attempt.latitude, attempt.longitude, attempt.accuracy = fix.latitude, fix.longitude, fix.accuracy
    attempt.address, attempt.device = actor.address, actor.device
    db.session.add(attempt)
