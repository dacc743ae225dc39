"""Checking in and out: the decision (`services.decision`), kept exactly once, with every attempt.

The hottest path there is, when a whole school comes at nine o'clock. What it takes is read before the transaction, in
two statements; the transaction is two inserts. The record is not written to the audit log: that is a chain, at whose
end all of an organisation would queue. The attempt, which is never changed, tells as much; what anybody changes of the
record by hand later is in the log.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Uuid, and_, bindparam, or_
from sqlalchemy.orm import load_only
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Attempt, Class, Record, Session, Source, Status, User, Verification
from app.services import audit
from app.services.caller import Caller, anybody
from app.services.decision import Window, arrival
from app.services.errors import (
    AlreadyCheckedIn,
    AlreadyCheckedOut,
    ChangedMeanwhile,
    CheckInRefused,
    NotCheckedIn,
    NotFound,
    Refusal,
)
from app.services.evidence import Setting, Shown, Weighed, weigh
from app.services.group_commit import ATTEMPT_KEY, Brought, SessionChanged, State, check_ins, require_unchanged
from app.services.organisation_settings import Evidence
from app.services.policies import Rules, rules
from app.services.records import RecordView
from app.services.sessions import may_attend
from app.services.transaction import changed, insert_missing, transaction

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
    "captured_in_future": "Your phone says that this was done later than now",
    "sent_too_late": "This was done without network, and sent when the session was closed already",
    "decided_by_office": "The office has decided this record: ask there",
}


OWN = (Source.CHECK_IN, Source.OFFLINE)
ARRIVED = ("checked_in_at", "checked_in_as", "distance", "verification", "flags")
"""What checking in says even where the office has decided the status."""
SEEN_THEN = (Source.CHECK_IN, Source.MANUAL)
LOOKS = 5
"""So often a session may change while somebody checks in to it, before they are told to come again."""


@dataclass(frozen=True, slots=True)
class When:
    """at: when it was done. client_id: the phone's own id of what it did without network. flags: signs of fraud of its
    own. refused: a code, where when it was done is reason enough."""

    at: datetime = field(default_factory=lambda: clock.now())  # noqa: PLW0108 - the clock that a test sets later
    client_id: uuid.UUID | None = None
    flags: tuple[str, ...] = ()
    refused: str | None = None

    @property
    def is_offline(self) -> bool:
        return self.client_id is not None

    @property
    def source(self) -> Source:
        return Source.OFFLINE if self.is_offline else Source.CHECK_IN


@dataclass(frozen=True, slots=True)
class CheckedIn(RecordView):
    class_name: str | None


Outcome = tuple[Refusal | None, CheckedIn | None]
"""What was refused, or else what there is now."""


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of a session for one person. record: theirs in it."""

    session: Session
    record: Record | None
    class_name: str | None
    class_policy: dict[str, Any] | None
    first_name: str
    last_name: str
    email: str | None
    is_expected: bool
    rules: Rules

    def setting(self, when: When) -> Setting:
        # which network a phone was in when it had none to send with is not known
        address = None if when.is_offline else audit.actor().address
        return Setting(self.session.id, self.rules, when.at, address)

    @property
    def state(self) -> State:
        return self.session.cancelled_at, self.session.closed_at

    def window(self) -> Window | None:
        """None where it is marked by hand."""
        starts_at, ends_at, decided = self.session.starts_at, self.session.ends_at, self.rules
        return Window(starts_at, ends_at, decided.opens_before, decided.grace) if starts_at and ends_at else None

    def view(self, person_id: uuid.UUID, record: Record) -> CheckedIn:
        # never saved: it is known, and would be read again else
        person = User(id=person_id, first_name=self.first_name, last_name=self.last_name, email=self.email)
        return CheckedIn(record, person, self.session, self.class_name)


@dataclass(frozen=True, slots=True)
class Try:
    """What is tried. kind: as attempts have it."""

    kind: str
    seen: Seen
    shown: Shown
    when: When


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
    return _answer(*try_check_out(caller, shown, When(), record_id=record_id))


def _answer(refusal: Refusal | None, checked_in: CheckedIn | None) -> CheckedIn:
    if refusal is not None or checked_in is None:
        raise refusal or NotFound
    return checked_in


def try_check_in(caller: Caller, session_id: uuid.UUID, shown: Shown, when: When) -> Outcome:
    """As `check_in`, at a moment; what is refused is returned, not raised."""
    for _ in range(LOOKS):
        with suppress(SessionChanged), nullcontext() if shown.picture else check_ins().coming() as ticket:
            return _try_check_in(caller, session_id, shown, when, ticket)
    return ChangedMeanwhile(), None


def _try_check_in(caller: Caller, session_id: uuid.UUID, shown: Shown, when: When, ticket: int | None) -> Outcome:
    """Raises SessionChanged when the session was closed, cancelled or deleted since it was looked at."""
    try:
        seen = see(caller, caller.user_id, session_id=session_id)
        arrived, setting = _arrival(seen, when), seen.setting(when)
        requires = setting.rules.requires if isinstance(arrived, Status) else frozenset()
        weighed = _flagged(weigh(caller, setting, requires, shown, arrived), seen, when, SEEN_THEN)
    except Refusal as refusal:
        return refusal, None
    tried = Try("in", seen, shown, when)
    if weighed.decision.refused:
        return _refuse(caller, tried, weighed, ticket)
    values = _arrived(caller, tried, weighed)
    if seen.record is None:
        record = Record(**values)
        if check_ins().save(Brought(values, _attempt(caller, tried, weighed, None), seen.state), ticket):
            return None, seen.view(caller.user_id, record)
    return _check_in_over_a_mark(caller, tried, weighed, values)


def try_check_out(caller: Caller, shown: Shown, when: When, **which: uuid.UUID) -> Outcome:
    """As `check_out`, at a moment; what is refused is returned, not raised. which: as `see` has it."""
    try:
        seen = see(caller, caller.user_id, **which)
    except NotFound as unknown:
        return unknown, None
    left, setting = _departure(seen, when), seen.setting(when)
    requires = setting.rules.requires & {Evidence.LOCATION, Evidence.NETWORK}
    weighed = _flagged(weigh(caller, setting, requires, shown, left), seen, when, ())
    tried = Try("out", seen, shown, when)
    return _refuse(caller, tried, weighed) if weighed.decision.refused else _check_out(caller, tried, weighed)


def see(
    caller: Caller, person_id: uuid.UUID, *, session_id: uuid.UUID | None = None, record_id: uuid.UUID | None = None
) -> Seen:
    """A session, or that of the person's record, with what concerns one person of the organisation: one statement.

    Raises:
        NotFound: there is no such session, or record.
    """
    of = {"organisation_id": caller.organisation_id, "person_id": person_id}
    if record_id is not None:
        found = db.session.execute(_OF_RECORD, of | {"record_id": record_id}).one_or_none()
    else:
        found = db.session.execute(_OF_SESSION, of | {"session_id": session_id}).one_or_none()
    if found is None:
        raise NotFound(f"There is no {'record' if record_id else 'session'} with this id")
    decided = rules(caller.settings, found.policy or {}, found.Session.policy)
    return Seen(*found, decided)  # type: ignore[call-arg]


def _put_together() -> Select[Any]:
    """The query of `see` for any person and organisation. To put it together takes longer than to ask it."""
    caller, person_id = anybody(), bindparam("person_id", type_=Uuid())
    columns = (Session, Record, Class.name, Class.policy, User.first_name, User.last_name, User.email)
    own_record = and_(caller.owns(Record), Record.session_id == Session.id, Record.student_id == person_id)
    return (
        caller.rows(Session, *columns, may_attend(caller, person_id))
        .join(User, and_(caller.owns(User), User.id == person_id))
        .outerjoin(Class, Class.id == Session.class_id)
        .outerjoin(Record, own_record)
    )


NEEDED = (
    load_only(
        Session.class_id, Session.name, Session.session_date, Session.starts_at, Session.ends_at, Session.cancelled_at,
        Session.closed_at, Session.policy, raiseload=True,
    ),
    load_only(
        Record.session_id, Record.student_id, Record.source, Record.is_office, Record.verification, Record.flags,
        Record.checked_in_at, Record.checked_out_at, Record.forgot_to_check_out, Record.reviewed_at, raiseload=True,
    ),
)  # fmt: skip
"""Each column costs. Who checks out is answered with all of their record."""
_SEEN = _put_together()
_OF_SESSION = _SEEN.where(Session.id == bindparam("session_id")).options(*NEEDED)
_OF_RECORD = _SEEN.where(Record.id == bindparam("record_id")).options(NEEDED[0])


def _arrival(seen: Seen, when: When) -> Status | str:
    session, window = seen.session, seen.window()
    is_closed = session.closed_at is not None
    for applies, code in (
        (seen.record is not None and _is_in(seen.record, when), "already_checked_in"),
        (not seen.is_expected, "not_enrolled"),
        (session.cancelled_at is not None, "session_cancelled"),
        (_is_too_late(seen, when), "sent_too_late"),
        (is_closed and not when.is_offline, "session_closed"),
        (when.refused, when.refused or ""),
    ):
        if applies:
            return code
    return arrival(window, when.at) if window else "not_timed"


def _departure(seen: Seen, when: When) -> Status | str:
    record = seen.record
    is_in = record is not None and record.checked_in_at is not None and record.checked_in_at <= when.at
    is_out = is_in and record is not None and record.checked_out_at is not None
    if is_out and record is not None and not (when.is_offline and _left_before(record, when.at)):
        return "already_checked_out"
    if _is_too_late(seen, when):
        return "sent_too_late"
    # before not_checked_in, which only waits for the check-in
    return when.refused or (Status.PRESENT if is_in else "not_checked_in")


def _is_too_late(seen: Seen, when: When) -> bool:
    is_late = when.is_offline and seen.session.closed_at is not None
    return is_late and seen.rules.late_arrival == "refuse"


def _is_in(record: Record, when: When) -> bool:
    """Of what phones did without network the earliest counts, in whatever order it comes; not over a review, nor over
    what anybody has said since."""
    if record.checked_in_at is None or not when.is_offline:
        return record.checked_in_at is not None
    is_said = record.reviewed_at is not None or (record.source not in OWN and not record.is_office)
    return record.checked_in_at <= when.at or is_said


def _left_before(record: Record, at: datetime) -> bool:
    return record.forgot_to_check_out or (record.checked_out_at is not None and at < record.checked_out_at)


def _flagged(weighed: Weighed, seen: Seen, when: When, contradicted: Collection[Source]) -> Weighed:
    """With the signs that lie in its being sent later. contradicted: what it says something else than."""
    is_late = when.is_offline and seen.session.closed_at is not None
    later = {
        "sent_late": is_late and seen.rules.late_arrival == "review",
        # what a phone says afterwards, over what the server saw, or somebody in the room
        "after_the_fact": when.is_offline and seen.record is not None and seen.record.source in contradicted,
    }
    return replace(
        weighed, flags=(*weighed.flags, *when.flags, *(sign for sign, is_there in later.items() if is_there))
    )


def _refuse(caller: Caller, tried: Try, weighed: Weighed, ticket: int | None = None) -> Outcome:
    seen = tried.seen
    refusal = _refusal(seen, weighed)
    check_ins().save(Brought(None, _attempt(caller, tried, weighed, refusal.code), seen.state), ticket)
    return refusal, None


def _arrived(caller: Caller, tried: Try, weighed: Weighed) -> dict[str, Any]:
    """The record that a check-in makes."""
    now, when = clock.now(), tried.when
    return {
        "id": uuid7(),
        "created_at": now,
        "organisation_id": caller.organisation_id,
        "session_id": tried.seen.session.id,
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


MADE_ONCE = {"id", "created_at", "organisation_id", "session_id", "student_id", "is_office", "forgot_to_check_out"}


@transaction
def _check_in_over_a_mark(caller: Caller, tried: Try, weighed: Weighed, values: dict[str, Any]) -> Outcome:
    """Locks in the order of the close: first the session (by the foreign key), then the record."""
    seen = tried.seen
    require_unchanged([(seen.session.id, seen.state)])
    values = {name: value for name, value in values.items() if name not in MADE_ONCE}
    record = _over_a_mark(caller, seen.session, values, tried.when)
    if record is None:
        refusal = AlreadyCheckedIn(**_record_id(_own_record(caller, seen.session.id)))
        _keep(caller, tried, weighed, refusal.code)
        return refusal, None
    _keep(caller, tried, weighed, None)
    return None, seen.view(caller.user_id, record)


def _over_a_mark(caller: Caller, session: Session, values: dict[str, Any], when: When) -> Record | None:
    """Who was marked by hand, or by the close, and then checks in was there, from the time that they checked in: unless
    the office decided otherwise, which then stays. None when they had checked in before."""
    not_in: ColumnElement[bool] = Record.checked_in_at.is_(None)
    if when.is_offline:
        by_phone = and_(Record.reviewed_at.is_(None), or_(Record.source.in_(OWN), Record.is_office))
        not_in = or_(not_in, and_(Record.checked_in_at > when.at, by_phone))
    own = and_(Record.session_id == session.id, Record.student_id == caller.user_id, not_in)
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
def _check_out(caller: Caller, tried: Try, weighed: Weighed) -> Outcome:
    """As little in the audit log as checking in, and for the same reason. What is doubtful about it has the record
    reviewed."""
    seen = tried.seen
    record = seen.record
    assert record is not None  # noqa: S101 - else it was refused
    values: dict[str, Any] = {"checked_out_at": tried.when.at, "forgot_to_check_out": False}
    values["flags"] = sorted({*record.flags, *weighed.flags})
    if weighed.verification == Verification.PENDING and record.verification == Verification.VERIFIED:
        values["verification"] = Verification.PENDING
    still_in: ColumnElement[bool] = Record.checked_out_at.is_(None)
    if tried.when.is_offline:
        still_in = or_(still_in, Record.forgot_to_check_out, Record.checked_out_at > tried.when.at)
    out = caller.change(Record).where(Record.id == record.id, still_in).values(values)
    if not changed(out.execution_options(audited=False, synchronize_session=False)):
        _keep(caller, tried, weighed, AlreadyCheckedOut.code)
        return AlreadyCheckedOut(), None
    _keep(caller, tried, weighed, None)
    for name, value in values.items():  # it is read no more: `see` was of another transaction
        setattr(record, name, value)
    return None, seen.view(caller.user_id, record)


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


def _keep(caller: Caller, tried: Try, weighed: Weighed, refused: str | None) -> None:
    insert_missing(Attempt, [_attempt(caller, tried, weighed, refused)], ATTEMPT_KEY)


def _attempt(caller: Caller, tried: Try, weighed: Weighed, refused: str | None) -> dict[str, Any]:
    actor, shown, when = audit.actor(), tried.shown, tried.when
    fix = shown.fix if shown.fix and shown.fix.is_on_earth else None
    return {
        "id": uuid7(),
        "created_at": clock.now(),
        "organisation_id": caller.organisation_id,
        "session_id": tried.seen.session.id,
        "user_id": caller.user_id,
        "kind": tried.kind,
        "refused": refused,
        "evidence": weighed.evidence,
        "flags": list(weighed.flags),
        "latitude": fix and fix.latitude,
        "longitude": fix and fix.longitude,
        "accuracy": fix and fix.accuracy,
        "address": actor.address,
        "device": actor.device,
        "device_id": shown.device_hash,
        "client_id": when.client_id,
        "captured_at": when.at if when.is_offline else None,
    }
