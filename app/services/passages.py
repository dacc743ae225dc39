"""Passing a gate: who is at it, whether they go in or out, and what that is in the day's attendance.

Whoever passes is locked first, so that of two gates, or two calls at once, the second sees what the first has saved.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, func
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.faces import ONE_PERSON, Box, match
from app.models import (
    CredentialKind,
    Direction,
    Gate,
    GateCredential,
    Passage,
    Record,
    Session,
    Source,
    Status,
    User,
    UserStatus,
    Verification,
)
from app.services.caller import Caller
from app.services.days import LONGEST_STAY, day_of
from app.services.face_data import analyse, require_faces, tolerance
from app.services.gallery import gallery
from app.services.gates import keyed_hash
from app.services.marks import RECORD_KEY
from app.services.records import THERE
from app.services.transaction import insert_missing, release, transaction

DEBOUNCE = timedelta(seconds=60)
"""Who is seen again so soon has not passed again."""


class Outcome(StrEnum):
    IN = "in"
    OUT = "out"
    DEBOUNCED = "debounced"
    UNKNOWN = "unknown"
    UNCERTAIN = "uncertain"


@dataclass(frozen=True, slots=True)
class Seen:
    """Who is at the gate (nobody: unknown or uncertain), how that is known, and where on the picture."""

    outcome: Outcome | None
    user_id: uuid.UUID | None
    by: str
    figures: dict[str, float] = field(default_factory=dict)
    box: Box | None = None


@dataclass(frozen=True, slots=True)
class Passing:
    """What became of one who is at the gate; the passage is the one before when debounced."""

    outcome: Outcome
    seen: Seen
    person: User | None = None
    passage: Passage | None = None

    @property
    def at(self) -> datetime | None:
        return self.passage.at if self.passage else None

    @property
    def direction(self) -> Direction | None:
        return self.passage.direction if self.passage else None

    @property
    def by(self) -> str:
        return self.seen.by

    @property
    def distance(self) -> float | None:
        return self.seen.figures.get("distance")

    @property
    def confidence(self) -> float | None:
        return self.seen.figures.get("confidence")

    @property
    def box(self) -> Box | None:
        return self.seen.box


def pass_by_face(caller: Caller, picture: bytes) -> list[Passing]:
    """Let through everybody who is recognised on the gate's picture, each by themselves.

    Candidates are the organisation's people who have enrolled their face and whose consent holds; who among them is not
    active is nobody's double, and is unknown.

    Raises:
        FacesOff: the organisation does not use face recognition.
        FaceRejected, PictureTooLarge, FacesBusy: as `face_data.analyse`.
    """
    require_faces(caller)
    release()
    (analysis,) = analyse([picture], wanted=ONE_PERSON)
    known = gallery(caller)
    release()
    seen = []
    matches = match(analysis.encodings, known.templates, tolerance(caller), caller.settings.faces.false_match_rate)
    for face, judged in zip(analysis.faces, matches, strict=True):
        measured = {"distance": judged.distance, "confidence": judged.confidence}
        figures = {name: round(figure, 4) for name, figure in measured.items() if figure is not None}
        if judged.outcome == "recognised" and judged.person is not None:
            seen.append(Seen(None, known.people[judged.person], "face", figures, face.box))
        else:
            seen.append(Seen(Outcome(judged.outcome), None, "face", figures, face.box))
    return _let_through(caller, seen)


def pass_by_credential(caller: Caller, kind: CredentialKind, value: str) -> list[Passing]:
    """Let through whose badge or PIN this is; nobody's: unknown."""
    own = caller.rows(GateCredential, GateCredential.user_id).where(
        GateCredential.kind == kind, GateCredential.value_hash == keyed_hash(caller, kind, value)
    )
    user_id = db.session.scalar(own)
    return _let_through(caller, [Seen(None if user_id else Outcome.UNKNOWN, user_id, kind.value)])


def _let_through(caller: Caller, seen: Sequence[Seen]) -> list[Passing]:
    if any(one.user_id for one in seen):
        return _save(caller, seen)
    return [Passing(one.outcome or Outcome.UNKNOWN, one) for one in seen]


@transaction
def _save(caller: Caller, seen: Sequence[Seen]) -> list[Passing]:
    gate = caller.get(Gate, caller.user_id)
    people = _lock(caller, [one.user_id for one in seen if one.user_id])
    now = clock.now()  # once they are locked: whoever was before us was earlier
    last = _last(caller, list(people), now)
    passings = []
    for one in seen:
        person = people.get(one.user_id) if one.user_id else None
        if person is None:
            passings.append(Passing(one.outcome or Outcome.UNKNOWN, one if one.outcome else replace(one, figures={})))
        elif (before := last.get(person.id)) and now - before.at < DEBOUNCE:
            passings.append(Passing(Outcome.DEBOUNCED, one, person, before))
        else:
            passage = _passage(caller, gate, one, before, now)
            passings.append(Passing(Outcome(passage.direction.value), one, person, passage))
    passages = [p.passage for p in passings if p.passage and p.outcome != Outcome.DEBOUNCED]
    if passages:
        db.session.add_all(passages)
        db.session.flush()
        _attend(caller, gate, passages, now)
    return passings


def _lock(caller: Caller, user_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, User]:
    """Those who are active, in one order, so that two gates that see the same people wait for each other."""
    wanted = caller.rows(User).where(User.id.in_(list(user_ids)), User.status == UserStatus.ACTIVE)
    return {
        person.id: person for person in db.session.scalars(wanted.order_by(User.id).with_for_update(key_share=True))
    }


def _last(caller: Caller, user_ids: Sequence[uuid.UUID], now: datetime) -> dict[uuid.UUID, Passage]:
    """Each person's last passage, as far back as one can matter: no day is longer than 25 hours."""
    since = now - LONGEST_STAY - timedelta(hours=1)
    latest = (
        caller.rows(Passage, Passage.user_id, func.max(Passage.at).label("at"))
        .where(Passage.user_id.in_(user_ids), Passage.at >= since)
        .group_by(Passage.user_id)
        .subquery()
    )
    rows = caller.rows(Passage).join(latest, and_(latest.c.user_id == Passage.user_id, latest.c.at == Passage.at))
    return {passage.user_id: passage for passage in db.session.scalars(rows)}


def _passage(caller: Caller, gate: Gate, seen: Seen, last: Passage | None, now: datetime) -> Passage:
    direction = gate.direction or _by_turns(last, now, caller.time_zone)
    return Passage(
        organisation_id=caller.organisation_id,
        user_id=seen.user_id,
        gate_id=gate.id,
        direction=direction,
        at=now,
        day=day_of(direction, now, last, caller.time_zone),
        by=seen.by,
        figures=seen.figures,
    )


def _by_turns(last: Passage | None, now: datetime, time_zone: str) -> Direction:
    """Out for who came in today, in for everybody else."""
    zone = ZoneInfo(time_zone)
    is_inside = (
        last and last.direction == Direction.IN and last.at.astimezone(zone).date() == now.astimezone(zone).date()
    )
    return Direction.OUT if is_inside else Direction.IN


def _attend(caller: Caller, gate: Gate, passages: Sequence[Passage], now: datetime) -> None:
    """The day's session gets its records: there since the first coming in, gone at the last going out."""
    came = sorted(p.user_id for p in passages if p.direction == Direction.IN)
    if came:
        _came(caller, gate, _session_of(caller, gate, now), came, now)
    left = defaultdict[date, list[uuid.UUID]](list)
    for passage in passages:
        if passage.direction == Direction.OUT:
            left[passage.day].append(passage.user_id)
    for day in sorted(left):  # today, and of a night shift yesterday
        of_day = caller.rows(Session, Session.id).where(Session.key == _key(day)).scalar_subquery()
        of_them = caller.change(Record).where(Record.session_id == of_day, Record.student_id.in_(left[day]))
        db.session.execute(of_them.values(checked_out_at=now).execution_options(synchronize_session=False))


def _came(caller: Caller, gate: Gate, session_id: uuid.UUID, user_ids: Sequence[uuid.UUID], now: datetime) -> None:
    late_after = caller.settings.day.late_after
    is_late = late_after is not None and f"{now.astimezone(ZoneInfo(caller.time_zone)):%H:%M}" > late_after
    status = Status.LATE if is_late else Status.PRESENT
    arrived = {
        "status": status,
        "code": None,
        "source": Source.GATE,
        "marked_at": now,
        "marked_by_id": gate.created_by_id,
    }
    came = {"checked_in_at": now, "checked_in_as": status}
    rows: list[dict[str, Any]] = [
        {
            "id": uuid7(),
            "organisation_id": caller.organisation_id,
            "session_id": session_id,
            "student_id": user_id,
            "created_at": now,
            "verification": Verification.VERIFIED,
            **came,
            **arrived,
        }
        for user_id in user_ids
    ]
    insert_missing(Record, rows, RECORD_KEY)
    made_by_hand = caller.change(Record).where(
        Record.session_id == session_id, Record.student_id.in_(user_ids), Record.checked_in_at.is_(None)
    )
    # who was thought away is there after all, unless the office decided it
    thought_away = made_by_hand.where(Record.status.not_in(THERE), Record.is_office.is_(False))
    for statement in (thought_away.values(**came, **arrived), made_by_hand.values(**came)):
        db.session.execute(statement.execution_options(synchronize_session=False))


def _session_of(caller: Caller, gate: Gate, now: datetime) -> uuid.UUID:
    """The organisation's session of today; whoever passes first makes it."""
    day = now.astimezone(ZoneInfo(caller.time_zone)).date()
    there = caller.rows(Session, Session.id).where(Session.key == _key(day))
    found: uuid.UUID | None = db.session.scalar(there)
    if found is None:
        row = {
            "id": uuid7(),
            "organisation_id": caller.organisation_id,
            "key": _key(day),
            "name": "Day",
            "session_date": day,
            "created_by_id": gate.created_by_id,
            "created_at": now,
        }
        insert_missing(Session, [row], ("organisation_id", "key"))
        found = db.session.scalars(there).one()
    return found


def _key(day: date) -> str:
    return f"day {day}"
