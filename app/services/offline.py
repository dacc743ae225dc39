"""Check-ins and check-outs that phones made without network, and send later.

Each has the phone's own id, under which its attempt is kept: sent again, in pieces or in another order, it is known.
Of several the earliest counts, so that the order in which they come does not matter either.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal

from sqlalchemy import and_

from app import clock
from app.extensions import db
from app.models import Attempt, Class, Record, Session, Verification
from app.services.caller import Caller
from app.services.check_in import SAID, try_check_in, try_check_out
from app.services.errors import AlreadyCheckedIn, AlreadyCheckedOut, NotCheckedIn
from app.services.evidence import Shown
from app.services.organisation_settings import Evidence
from app.services.policies import rules
from app.services.seen import see
from app.services.sent_later import When
from app.services.transaction import transaction

SKEWED = timedelta(minutes=2)
"""A clock that is further off is a sign of fraud: whoever sets it decides when they came."""
AHEAD = timedelta(minutes=1)
"""What the way to the server may make of a moment ago."""
FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
WHEN_LEAVING = frozenset({Evidence.LOCATION, Evidence.NETWORK})
"""The evidence that counts when checking out, too."""


@dataclass(frozen=True, slots=True)
class Captured:
    """What a phone did without network. captured_at: by its own clock, as all times that it shows."""

    client_id: uuid.UUID
    kind: Literal["check_in", "check_out"]
    session_id: uuid.UUID
    captured_at: datetime
    shown: Shown

    def at(self, skew: timedelta) -> datetime:
        """By the server's clock. Times that no calendar has are those nearest to them."""
        try:
            return self.captured_at.astimezone(UTC) + skew
        except OverflowError:
            return LAST if self.captured_at.replace(tzinfo=UTC) > clock.now() else FIRST


@dataclass(frozen=True, slots=True)
class Synced:
    """What became of it, and of the person's record in its session."""

    id: uuid.UUID
    outcome: Literal["accepted", "review", "refused"]
    code: str | None
    record: Record | None

    @property
    def detail(self) -> str | None:
        return WORDS[self.code] if self.code else None

    @property
    def record_id(self) -> uuid.UUID | None:
        return self.record.id if self.record else None

    @property
    def status(self) -> str | None:
        return self.record.status if self.record else None


@dataclass(frozen=True, slots=True)
class Sync:
    """skew: how many seconds the phone's clock is behind the server's."""

    server_time: datetime
    skew: float
    items: Sequence[Synced]


WORDS = SAID | {
    refused.code: refused.title for refused in (AlreadyCheckedIn, AlreadyCheckedOut, NotCheckedIn)
} | {"not_found": "There is no session with this id"}  # fmt: skip


def sync(caller: Caller, device_time: datetime, items: Sequence[Captured]) -> Sync:
    """Take what the caller's phone did without network: each is decided by itself, as of when it was done, and kept.

    device_time: what the phone's clock shows now.
    """
    now = clock.now()
    skew = now - device_time
    known = set(_attempts(caller, items))
    for item in sorted(items, key=lambda item: (item.at(skew), item.kind)):
        if item.client_id not in known:
            known.add(item.client_id)
            _take(caller, item, skew, now)
    waited = _check_out_waiting(caller, {item.session_id for item in items})
    return Sync(now, skew.total_seconds(), _synced(caller, items, waited))


def _take(caller: Caller, item: Captured, skew: timedelta, now: datetime) -> None:
    at = item.at(skew)
    when = When(
        min(at, now),
        item.client_id,
        flags=("clock_skew",) if abs(skew) > SKEWED else (),
        refused="captured_in_future" if at > now + AHEAD else None,
    )
    fix = item.shown.fix
    shown = replace(item.shown, fix=fix and fix.moved(skew))
    if item.kind == "check_in":
        try_check_in(caller, item.session_id, shown, when)
    else:
        own = caller.user_id, item.session_id
        try_check_out(caller, shown, when, lambda: see(caller, [own]).get(own))


@transaction
def _check_out_waiting(caller: Caller, session_ids: set[uuid.UUID]) -> set[uuid.UUID]:
    """Check-outs that came before the check-ins that they belong to: the ids of the attempts that count after all. And
    who comes into a closed session leaves it."""
    own = and_(caller.owns(Record), Record.student_id == caller.user_id, Record.session_id == Attempt.session_id)
    waiting = (
        caller.rows(Attempt, Attempt, Record, Session.policy, Class.policy)
        .join(Record, own)
        .join(Session, Session.id == Attempt.session_id)
        .outerjoin(Class, Class.id == Session.class_id)
        .where(
            Attempt.user_id == caller.user_id,
            Attempt.session_id.in_(session_ids),
            Attempt.kind == "out",
            Attempt.refused == NotCheckedIn.code,
            Attempt.captured_at >= Record.checked_in_at,
        )
        .order_by(Attempt.captured_at)
    )
    counted = set[uuid.UUID]()
    for attempt, record, policy, class_policy in db.session.execute(waiting):
        required = rules(caller.settings, class_policy or {}, policy).requires & WHEN_LEAVING
        outcomes = {attempt.evidence.get(name, {}).get("outcome", "fail") for name in required}
        if "fail" not in outcomes:
            counted.add(attempt.id)
            _leave(record, attempt, is_doubtful="uncertain" in outcomes)
    db.session.flush()
    closed = (
        caller.rows(Record, Record, Session.ends_at)
        .join(Session, Session.id == Record.session_id)
        .where(Record.student_id == caller.user_id, Record.session_id.in_(session_ids), caller.owns(Session))
        .where(Session.closed_at.is_not(None), Record.checked_in_at.is_not(None), Record.checked_out_at.is_(None))
    )
    for record, ends_at in db.session.execute(closed):
        record.checked_out_at, record.forgot_to_check_out = ends_at, True
    return counted


def _leave(record: Record, attempt: Attempt, *, is_doubtful: bool) -> None:
    """Unless they had left before."""
    left_at, at = record.checked_out_at, attempt.captured_at
    if at is None or (left_at is not None and left_at <= at and not record.forgot_to_check_out):
        return
    record.checked_out_at, record.forgot_to_check_out = at, False
    record.flags = sorted({*record.flags, *attempt.flags})
    if (attempt.flags or is_doubtful) and record.verification == Verification.VERIFIED:
        record.verification = Verification.PENDING


def _synced(caller: Caller, items: Sequence[Captured], waited: set[uuid.UUID]) -> list[Synced]:
    """From what is kept, so that the answer is the same whenever it is asked for. waited: check-outs that count though
    they were refused at first."""
    attempts = _attempts(caller, items)
    own = caller.rows(Record).where(
        Record.student_id == caller.user_id, Record.session_id.in_({item.session_id for item in items})
    )
    fresh = db.session.scalars(own.execution_options(populate_existing=True))
    records = {record.session_id: record for record in fresh}
    return [_one(item, attempts.get(item.client_id), records.get(item.session_id), waited) for item in items]


def _one(item: Captured, attempt: Attempt | None, record: Record | None, waited: set[uuid.UUID]) -> Synced:
    if attempt is None:
        return Synced(item.client_id, "refused", "not_found", None)
    if attempt.refused and attempt.id not in waited:
        return Synced(item.client_id, "refused", attempt.refused, record)
    is_doubtful = record is not None and record.verification == Verification.PENDING
    return Synced(item.client_id, "review" if is_doubtful else "accepted", None, record)


def _attempts(caller: Caller, items: Iterable[Captured]) -> dict[uuid.UUID | None, Attempt]:
    query = caller.rows(Attempt).where(
        Attempt.user_id == caller.user_id, Attempt.client_id.in_({item.client_id for item in items})
    )
    return {attempt.client_id: attempt for attempt in db.session.scalars(query)}
