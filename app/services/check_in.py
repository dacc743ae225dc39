"""Checking in and out: the decision (`services.decision`), kept exactly once, with every attempt.

The hottest path there is, when a whole school comes at nine o'clock: those who come at the same moment are read in two
statements, decided, and saved together in three. The record is not written to the audit log: that is a chain, at whose
end all of an organisation would queue. The attempt, which is never changed, tells as much; what anybody changes of the
record by hand later is in the log.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from itertools import groupby
from types import SimpleNamespace
from typing import Any, Literal, cast

from flask import current_app
from sqlalchemy import and_, bindparam, select
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Attempt, Record, Session, Status, Verification
from app.services import audit
from app.services.audit import Actor
from app.services.caller import Caller
from app.services.counting import not_counted
from app.services.decision import arrival
from app.services.errors import (
    AlreadyCheckedIn,
    AlreadyCheckedOut,
    ChangedMeanwhile,
    CheckInRefused,
    NotCheckedIn,
    NotFound,
    Refusal,
)
from app.services.evidence import Case, Shown, Weighed, weigh
from app.services.group_commit import GroupCommit
from app.services.marks import RECORD_KEY
from app.services.organisation_settings import Evidence
from app.services.seen import CheckedIn, Seen, State, see, see_record
from app.services.sent_later import When, is_in, is_too_late, left_before, not_in, signs, still_in
from app.services.transaction import changed, filled, insert_missing, insert_new, reading, release, transaction

SAID = {
    "not_enrolled": "This session is not for this person, who is not enrolled",
    "session_cancelled": "This session was cancelled",
    "session_closed": "This session is closed",
    "not_timed": "This session is marked by hand",
    "too_early": "Check-in has not opened yet",
    "too_late": "This session is over",
    "no_place": "This session checks where you are, and has no place: tell who made it",
    "location_missing": "Send where you are: this session checks it",
    "location_invalid": "This is no place on earth",
    "location_inaccurate": "Your position is not accurate enough: go outside, or wait a moment, and try again",
    "location_old": "Your position is too old: let your phone find out where it is, and try again",
    "outside_geofence": "You are too far away",
    "no_network": "This session checks your network, and none is named: tell who made it",
    "network_outside": "You are not in a network of this session: join it, and try again",
    "code_missing": "Scan the code that is shown in the session",
    "code_wrong": "This is not the code of this session",
    "code_expired": "This code has expired: scan the one that is shown now",
    "code_of_another_session": "This code is of another session",
    "faces_off": "This session checks faces, and your organisation does not use face recognition: tell who made it",
    "face_missing": "Send a picture of your face: this session checks it",
    "face_not_enrolled": "Consent to face recognition and enrol your face first: this session checks it",
    "face_unclear": "Your face cannot be seen clearly",
    "face_mismatch": "This does not look like you",
    "liveness_missing": "Ask for a challenge, answer it before the camera, and send its token and the frames",
    "challenge_expired": "This challenge has expired: ask for a new one, and answer it at once",
    "challenge_wrong": "This challenge was not given to you for this session: ask for one",
    "liveness_no_face": "Every frame must show your face, and nobody else's",
    "liveness_different_faces": "The pictures do not all show the same person",
    "liveness_not_done": "The frames do not show what you were asked to do: ask for a new challenge, and try again",
    "captured_in_future": "Your phone says that this was done later than now",
    "sent_too_late": "This was done without network, and sent when the session was closed already",
    "decided_by_office": "The office has decided this record: ask there",
}


ARRIVED = ("checked_in_at", "checked_in_as", "distance", "verification", "flags")
"""What checking in says even where the office has decided the status."""
ATTEMPT_KEY = ("organisation_id", "user_id", "client_id")
LOOKS = 5
"""So often a session may change while somebody checks in to it, before they are told to come again."""


Outcome = tuple[Refusal | None, CheckedIn | None]
"""What was refused, or else what there is now."""


class SessionChanged(Exception):
    """It was cancelled, closed, opened again or deleted since it was looked at; or the person was checked out, or their
    record deleted."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What somebody asks for, with what they show, and from where. kind: as attempts have it."""

    kind: Literal["in", "out"]
    caller: Caller
    shown: Shown
    when: When
    actor: Actor = field(default_factory=audit.actor)


@dataclass(frozen=True, slots=True, eq=False)
class Tried:
    """One try as it was decided. record: what a check-in makes, where there was none before."""

    asked: Asked
    seen: Seen
    weighed: Weighed
    refusal: Refusal | None
    record: dict[str, Any] | None = None

    @property
    def attempt(self) -> dict[str, Any]:
        return _attempt(self, self.refusal.code if self.refusal else None)


def check_in(caller: Caller, session_id: uuid.UUID, shown: Shown) -> CheckedIn:
    """Check the caller in to a session, once, whatever else is sent at the same moment; the attempt is kept either way.

    Raises:
        NotFound: there is no such session.
        CheckInRefused: its code says why (`SAID`), with the figures.
        AlreadyCheckedIn: with the record's id.
        FacesBusy: too many pictures are waiting; nothing is kept.
    """
    return _answer(*try_check_in(caller, session_id, shown, When()))


def check_out(caller: Caller, record_id: uuid.UUID, shown: Shown) -> CheckedIn:
    """Check the caller out: where and in which network they are counts as when checking in; code and face do not.

    Raises as `check_in`, and NotCheckedIn or AlreadyCheckedOut.
    """
    return _answer(*try_check_out(caller, shown, When(), lambda: see_record(caller, caller.user_id, record_id)))


def _answer(refusal: Refusal | None, checked_in: CheckedIn | None) -> CheckedIn:
    if refusal is not None or checked_in is None:
        raise refusal or NotFound
    return checked_in


def try_check_in(caller: Caller, session_id: uuid.UUID, shown: Shown, when: When) -> Outcome:
    """As `check_in`, at a moment; what is refused is returned, not raised."""
    asked = Asked("in", caller, shown, when)
    for _ in range(LOOKS):
        with suppress(SessionChanged):
            if shown.picture or when.is_offline:  # a picture takes long, and those who come together come now
                ((tried, is_saved),) = _check_in_all([(asked, session_id)])
            else:
                release()
                tried, is_saved = check_ins().do((asked, session_id))
            return _outcome(tried, is_saved=is_saved)
    return ChangedMeanwhile(), None


def _outcome(tried: Tried | None, *, is_saved: bool) -> Outcome:
    if tried is None:
        return NotFound("There is no session with this id"), None
    if tried.refusal:
        return tried.refusal, None
    if is_saved and tried.record:
        return None, tried.seen.view(cast(Record, SimpleNamespace(**UNSAID | tried.record)))
    return _check_in_over_a_mark(tried)


def check_ins() -> GroupCommit[tuple[Asked, uuid.UUID], tuple[Tried | None, bool]]:
    """Those of this process that come together."""
    return cast("GroupCommit[Any, Any]", current_app.extensions["check_ins"])


def group_of_check_ins() -> GroupCommit[tuple[Asked, uuid.UUID], tuple[Tried | None, bool]]:
    return GroupCommit(_check_in_all)


def _check_in_all(some: Sequence[tuple[Asked, uuid.UUID]]) -> list[tuple[Tried | None, bool]]:
    """What came of each, None where there is no such session; and whether it is kept. Not kept is what finds a record.

    Raises:
        SessionChanged: one of the sessions was closed, cancelled or deleted since it was looked at.
        FacesBusy
    """
    reading()
    seen = _see_all(some)
    tried = iter(_decide([(asked, seen[asked]) for asked, _ in some if asked in seen]))
    outcome = [next(tried) if asked in seen else None for asked, _ in some]
    complete = [one for one in outcome if one and (one.refusal or one.record)]
    saved = _save(complete) if complete else set()
    return [(one, one in saved) for one in outcome]


def _see_all(some: Sequence[tuple[Asked, uuid.UUID]]) -> dict[Asked, Seen]:
    seen: dict[Asked, Seen] = {}
    for _, group in groupby(sorted(some, key=_organisation), key=_organisation):
        theirs = [(asked, (asked.caller.user_id, session_id)) for asked, session_id in group]
        found = see(theirs[0][0].caller, {pair for _, pair in theirs})
        seen |= {asked: found[pair] for asked, pair in theirs if pair in found}
    return seen


def _organisation(one: tuple[Asked, uuid.UUID]) -> uuid.UUID:
    return one[0].caller.organisation_id


def _decide(some: Sequence[tuple[Asked, Seen]]) -> list[Tried]:
    weighed = weigh([_case(asked, seen) for asked, seen in some])
    return [_decided(asked, seen, how) for (asked, seen), how in zip(some, weighed, strict=True)]


def _case(asked: Asked, seen: Seen) -> Case:
    arrived = _arrival(seen, asked.when) if asked.kind == "in" else _departure(seen, asked.when)
    requires = seen.rules.requires if isinstance(arrived, Status) or asked.kind == "out" else frozenset()
    if asked.kind == "out":
        requires &= {Evidence.LOCATION, Evidence.NETWORK}
    # which network a phone was in when it had none to send with is not known
    address = None if asked.when.is_offline else asked.actor.address
    return Case(asked.caller, seen.session.id, seen.rules, requires, asked.shown, asked.when.at, arrived, address)


def _decided(asked: Asked, seen: Seen, weighed: Weighed) -> Tried:
    how = replace(weighed, flags=(*weighed.flags, *signs(asked.kind, seen, asked.when)))
    if how.decision.refused:
        return Tried(asked, seen, how, _refusal(seen, how))
    is_new = asked.kind == "in" and seen.record is None
    return Tried(asked, seen, how, None, _arrived(asked, seen, how) if is_new else None)


@transaction
def _save(some: Sequence[Tried]) -> Collection[Tried | None]:
    """Those that are saved: a check-in is not where there is a record meanwhile, nor is its attempt.

    In the order of their keys, so that two servers who save the same don't lock crosswise. Raises SessionChanged.
    """
    require_unchanged([tried.seen for tried in some])
    made = [tried.record for tried in some if tried.record]
    new: set[uuid.UUID] = set()
    if made:
        new = insert_new(Record, sorted(made, key=lambda row: (row["session_id"], row["student_id"])), RECORD_KEY)
    saved = {tried for tried in some if tried.record is None or tried.record["id"] in new}
    insert_new(Attempt, [tried.attempt for tried in some if tried in saved], ATTEMPT_KEY)
    return saved


_STATES = (
    select(Session.id, Session.cancelled_at, Session.closed_at, Session.counted_at)
    .where(Session.id.in_(bindparam("ids", expanding=True)))
    .order_by(Session.id)
    .with_for_update(read=True)
)


def require_unchanged(some: Sequence[Seen]) -> None:
    """Within a transaction, until whose end these sessions stay as they are: who closes one waits for those who came.

    Raises SessionChanged.
    """
    ids = {seen.session.id for seen in some}
    rows = db.session.connection().execute(_STATES, {"ids": filled(ids)}).all()
    now: dict[uuid.UUID, State] = {row.id: (row.cancelled_at, row.closed_at) for row in rows}
    if any(now.get(seen.session.id) != seen.state for seen in some):
        raise SessionChanged
    not_counted(rows)


def try_check_out(caller: Caller, shown: Shown, when: When, look: Callable[[], Seen | None]) -> Outcome:
    """As `check_out`, at a moment; what is refused is returned, not raised. look: at the session and the caller's
    record, as they are now."""
    asked = Asked("out", caller, shown, when)
    for _ in range(LOOKS):
        with suppress(SessionChanged):
            seen = look()
            if seen is None:
                return NotFound("There is no record with this id"), None
            (tried,) = _decide([(asked, seen)])
            return _check_out(tried)
    return ChangedMeanwhile(), None


def _arrival(seen: Seen, when: When) -> Status | str:
    session, window = seen.session, seen.window()
    is_closed = session.closed_at is not None
    for applies, code in (
        (seen.record is not None and is_in(seen.record, when), "already_checked_in"),
        (not seen.is_expected, "not_enrolled"),
        (session.cancelled_at is not None, "session_cancelled"),
        (is_too_late(seen, when), "sent_too_late"),
        (is_closed and not when.is_offline, "session_closed"),
        (when.refused, when.refused or ""),
    ):
        if applies:
            return code
    return arrival(window, when.at) if window else "not_timed"


def _departure(seen: Seen, when: When) -> Status | str:
    record = seen.record
    is_there = record is not None and record.checked_in_at is not None and record.checked_in_at <= when.at
    is_out = is_there and record is not None and record.checked_out_at is not None
    if is_out and record is not None and not (when.is_offline and left_before(record, when.at)):
        return "already_checked_out"
    if is_too_late(seen, when):
        return "sent_too_late"
    # before not_checked_in, which only waits for the check-in
    return when.refused or (Status.PRESENT if is_there else "not_checked_in")


def _arrived(asked: Asked, seen: Seen, weighed: Weighed) -> dict[str, Any]:
    """The record that a check-in makes."""
    now, when, caller = clock.now(), asked.when, asked.caller
    return {
        "id": uuid7(),
        "created_at": now,
        "organisation_id": caller.organisation_id,
        "session_id": seen.session.id,
        "student_id": caller.user_id,
        "status": weighed.decision.status,
        "source": when.source,
        "is_office": False,
        "verification": weighed.verification,
        "flags": list(weighed.flags),
        "checked_in_at": when.at,
        "checked_in_as": weighed.decision.status,
        "forgot_to_check_out": False,
        "distance": weighed.distance,
        "marked_at": now,
        "marked_by_id": caller.user_id,
        "changed_at": now,
    }


UNSAID: dict[str, Any] = dict.fromkeys(("code", "remarks", "review_reason", "checked_out_at"))
"""What a new check-in does not say. To make a Record of it that is never saved takes as long as to render it."""
MADE_ONCE = {"id", "created_at", "organisation_id", "session_id", "student_id", "is_office", "forgot_to_check_out"}


@transaction
def _check_in_over_a_mark(tried: Tried) -> Outcome:
    """Locks in the order of the close: first the session (by the foreign key), then the record. Raises
    SessionChanged."""
    caller, seen = tried.asked.caller, tried.seen
    require_unchanged([seen])
    values = tried.record or _arrived(tried.asked, seen, tried.weighed)
    values = {name: value for name, value in values.items() if name not in MADE_ONCE}
    record = _over_a_mark(caller, seen.session, values, tried.asked.when)
    if record is None:
        own = _own_record(caller, seen.session.id)
        if own is None:  # the mark was taken back
            raise SessionChanged
        refusal = AlreadyCheckedIn(**_record_id(own))
        _keep(tried, refusal.code)
        return refusal, None
    _keep(tried, None)
    return None, seen.view(record)


def _over_a_mark(caller: Caller, session: Session, values: dict[str, Any], when: When) -> Record | None:
    """Who was marked by hand, or by the close, and then checks in was there, from the time that they checked in: unless
    the office decided otherwise, which then stays. None when they had checked in before."""
    own = and_(Record.session_id == session.id, Record.student_id == caller.user_id, not_in(when))
    arrived = {name: values[name] for name in ARRIVED}
    for is_office, some in ((False, values | {"code": None}), (True, arrived)):
        by_hand = caller.change(Record).where(own, Record.is_office.is_(is_office)).values(some)
        if changed(by_hand.execution_options(audited=False, synchronize_session=False)):
            return _own_record(caller, session.id)
    return None


def _own_record(caller: Caller, session_id: uuid.UUID) -> Record | None:
    query = caller.rows(Record).where(Record.session_id == session_id, Record.student_id == caller.user_id)
    found: Record | None = db.session.scalar(query.execution_options(populate_existing=True))
    return found


@transaction
def _check_out(tried: Tried) -> Outcome:
    """As little in the audit log as checking in, and for the same reason. What is doubtful about it has the record
    reviewed. Raises SessionChanged."""
    caller, when, weighed, record = tried.asked.caller, tried.asked.when, tried.weighed, tried.seen.record
    if tried.refusal or record is None:
        require_unchanged([tried.seen])  # a record that is changed keeps its session
        _keep(tried, tried.refusal.code if tried.refusal else NotCheckedIn.code)
        return tried.refusal, None
    values: dict[str, Any] = {"checked_out_at": when.at, "forgot_to_check_out": False}
    values["flags"] = sorted({*record.flags, *weighed.flags})
    if weighed.verification == Verification.PENDING and record.verification == Verification.VERIFIED:
        values["verification"] = Verification.PENDING
    out = caller.change(Record).where(Record.id == record.id, still_in(when)).values(values)
    if not changed(out.execution_options(audited=False, synchronize_session=False)):
        raise SessionChanged
    _keep(tried, None)
    for name, value in values.items():  # it is read no more: `see_record` was of another transaction
        setattr(record, name, value)
    return None, tried.seen.view(record)


def _refusal(seen: Seen, weighed: Weighed) -> Refusal:
    code, decision = str(weighed.decision.refused), weighed.decision
    for refused in (AlreadyCheckedIn, NotCheckedIn, AlreadyCheckedOut):
        if code == refused.code:
            return refused(**_record_id(seen.record))
    told: dict[str, Any] = dict(decision.figures)
    if decision.failed:
        told |= {"failed": decision.failed, "evidence": weighed.evidence}
    return refusal_for(code, **told)


def refusal_for(code: str, **figures: Any) -> CheckInRefused:
    refused = CheckInRefused(SAID[code], **figures)
    refused.code = code
    return refused


def _record_id(record: Record | None) -> dict[str, Any]:
    return {"record_id": str(record.id)} if record else {}


def _keep(tried: Tried, refused: str | None) -> None:
    insert_missing(Attempt, [_attempt(tried, refused)], ATTEMPT_KEY)


def _attempt(tried: Tried, refused: str | None) -> dict[str, Any]:
    asked, weighed = tried.asked, tried.weighed
    fix = asked.shown.fix if asked.shown.fix and asked.shown.fix.is_on_earth else None
    return {
        "id": uuid7(),
        "created_at": clock.now(),
        "organisation_id": asked.caller.organisation_id,
        "session_id": tried.seen.session.id,
        "user_id": asked.caller.user_id,
        "kind": asked.kind,
        "refused": refused,
        "evidence": weighed.evidence,
        "flags": list(weighed.flags),
        "latitude": fix and fix.latitude,
        "longitude": fix and fix.longitude,
        "accuracy": fix and fix.accuracy,
        "address": asked.actor.address,
        "device": asked.actor.device,
        "device_id": asked.shown.device_hash,
        "client_id": asked.when.client_id,
        "captured_at": asked.when.at if asked.when.is_offline else None,
    }
