"""What somebody shows to check in, weighed piece by piece."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from app.models import Session, Status, Verification
from app.services import codes
from app.services.caller import Caller
from app.services.decision import Decision, Piece, decide, network
from app.services.face_check import Answer, face
from app.services.fraud import Asking, History, history, signs
from app.services.geofence import Fix, location
from app.services.organisation_settings import Evidence
from app.services.policies import Rules
from app.services.sessions import taking_check_ins


@dataclass(frozen=True, slots=True)
class Shown:
    """Everything that a phone shows to check in or out.

    code: as it was scanned or typed. device_id: what the phone calls itself. picture: a file's bytes. frames: those
    that were taken, in order, while its owner did what the challenge asked for.
    """

    fix: Fix | None = None
    is_mocked: bool = False
    code: str | None = None
    device_id: str | None = None
    picture: bytes | None = None
    challenge_token: str | None = None
    frames: Sequence[bytes] = ()

    @property
    def device_hash(self) -> str | None:
        """Whose phone it is can be compared, and not be read."""
        return hashlib.sha256(self.device_id.encode()).hexdigest() if self.device_id else None


@dataclass(frozen=True, slots=True, eq=False)
class Case:
    """What is to be weighed: what somebody shows for a session with its rules, at a moment.

    requires: the evidence that decides. arrived: as `decide` has it. address: from where it is sent; None: not known,
    which proves nothing.
    """

    caller: Caller
    session_id: uuid.UUID
    rules: Rules
    requires: Collection[str]
    shown: Shown
    at: datetime
    arrived: Status | str
    address: str | None

    @property
    def asking(self) -> Asking:
        is_faceless = Evidence.FACE in self.requires and not self.shown.picture
        who = self.caller.organisation_id, self.caller.user_id
        return Asking(*who, self.at, self.shown.device_hash, is_refused=is_faceless)


@dataclass(frozen=True, slots=True)
class Weighed:
    decision: Decision
    pieces: dict[str, Piece]
    flags: Sequence[str]

    @property
    def evidence(self) -> dict[str, Any]:
        """As attempts have it."""
        return {name: piece.told for name, piece in self.pieces.items()}

    @property
    def distance(self) -> float | None:
        """From the session's place, in metres, where that is known."""
        return self.pieces["location"].figures.get("distance") if "location" in self.pieces else None

    @property
    def verification(self) -> Verification:
        return Verification.PENDING if self.flags else self.decision.verification


def weigh(cases: Sequence[Case]) -> list[Weighed]:
    """Each case, piece by piece: what is required, and where somebody is even if that does not matter.

    A picture is read last, and takes long: not within a transaction.

    Raises:
        FacesBusy: too many pictures are waiting.
    """
    weighed = [(case, _pieces(case)) for case in cases]
    hopeful = [case.asking for case, pieces in weighed if _is_hopeful(case, pieces)]
    before = history(hopeful)
    return [_weighed(case, pieces, before.get(case.asking, History())) for case, pieces in weighed]


def _pieces(case: Case) -> dict[str, Piece]:
    """All but the face."""
    geofence, shown = case.caller.settings.geofence, case.shown
    pieces: dict[str, Piece] = {}
    if Evidence.LOCATION in case.requires or (shown.fix and case.rules.sites):
        limits = geofence.max_accuracy, geofence.max_age
        pieces["location"] = location(case.rules.sites, shown.fix, *limits, case.at)
    if Evidence.NETWORK in case.requires:
        pieces["network"] = network(case.rules.networks, case.address)
    if Evidence.CODE in case.requires:
        pieces["code"] = _code(case.caller, case.session_id, shown.code, case.at)
    return pieces


def _is_hopeful(case: Case, pieces: dict[str, Piece]) -> bool:
    return isinstance(case.arrived, Status) and not decide(case.arrived, pieces, pieces.keys() & case.requires).refused


def _weighed(case: Case, pieces: dict[str, Piece], before: History) -> Weighed:
    shown, caller = case.shown, case.caller
    fix = shown.fix if shown.fix and shown.fix.is_on_earth else None
    flags = signs(case.session_id, case.at, fix, before, is_mocked=shown.is_mocked)
    if Evidence.FACE in case.requires:
        answer = Answer(case.session_id, shown.challenge_token, shown.frames, case.at) if case.rules.liveness else None
        pieces["face"] = face(caller, shown.picture, answer)
    return Weighed(decide(case.arrived, pieces, case.requires), pieces, flags)


def _code(caller: Caller, session_id: uuid.UUID, text: str | None, at: datetime) -> Piece:
    if not text:
        return Piece("fail", {}, "code_missing")
    named, code = codes.read(text)
    if named and named != session_id:
        name = _running(caller, named, at) if codes.age(named, code, at) in range(codes.ACCEPTED) else None
        return Piece("fail", {"session_name": name}, "code_of_another_session") if name else _WRONG_CODE
    steps = codes.age(session_id, code, at)
    if steps is None:
        return _WRONG_CODE
    figures = {"age": steps * codes.STEP}
    return Piece("pass", figures) if steps < codes.ACCEPTED else Piece("fail", figures, "code_expired")


_WRONG_CODE = Piece("fail", {}, "code_wrong")


def _running(caller: Caller, session_id: uuid.UUID, at: datetime) -> str | None:
    """The name of a session that takes check-ins at this moment."""
    return taking_check_ins(caller, at, Session.id == session_id).get(session_id)
