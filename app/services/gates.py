"""Gates: the devices at them, with keys of their own, and the badges and PINs by which people are known there."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db, settings
from app.models import CredentialKind, Direction, Gate, GateCredential, Organisation, User
from app.services.caller import Caller, Device
from app.services.errors import BadgeTaken, NameTaken, NotFound, OrganisationInactive, TokenInvalid, TokenRevoked
from app.services.organisation_settings import settings_of
from app.services.paging import Page, Paging, paginate
from app.services.transaction import insert_missing, transaction

PREFIX = "rg_"
NOTED = timedelta(minutes=1)
"""How exactly it is known when a gate last called."""
FEW = 1000
"""So many PINs may have six digits, later ones have eight: a guess hits somebody's once in a thousand times at most."""


@dataclass(frozen=True, slots=True)
class NewGate:
    row: Gate
    key: str
    """Shown this once."""


@transaction
def create(caller: Caller, name: str, direction: Direction | None) -> NewGate:
    """A gate, with its key. direction: None for one at which people go in and out by turns.

    Raises NameTaken.
    """
    own = {"organisation_id": caller.organisation_id, "created_by_id": caller.user_id}
    return _with_new_key(Gate(name=name, direction=direction, **own))


def list_gates(caller: Caller, paging: Paging) -> Page[Gate]:
    """The organisation's gates, revoked ones too."""
    return paginate(caller.rows(Gate), paging, {"id": Gate.id, "name": Gate.name, "created_at": Gate.created_at})


@transaction
def change(caller: Caller, gate_id: uuid.UUID, values: dict[str, Any]) -> Gate:
    """Set what is given of name and direction. Raises NotFound or NameTaken."""
    gate = caller.get(Gate, gate_id)
    for name, value in values.items():
        setattr(gate, name, value)
    return _saved(gate)


@transaction
def revoke(caller: Caller, gate_id: uuid.UUID) -> Gate:
    """The gate's key opens nothing from now on; what passed there stays. Raises NotFound."""
    gate = caller.get(Gate, gate_id)
    gate.revoked_at = gate.revoked_at or clock.now()
    return gate


@transaction
def renew_key(caller: Caller, gate_id: uuid.UUID) -> NewGate:
    """A new key in place of the one before, also for a gate that was revoked. Raises NotFound."""
    gate = caller.get(Gate, gate_id)
    gate.revoked_at = None
    return _with_new_key(gate)


def caller_of_gate(key: str) -> Caller:
    """The gate that calls with this key.

    Raises:
        TokenInvalid: there is no such key.
        TokenRevoked: it was revoked.
        OrganisationInactive: its organisation is deactivated.
    """
    organisation = (Organisation.time_zone, Organisation.settings, Organisation.is_active)
    known = db.session.execute(
        select(Gate, *organisation)
        .join(Organisation, Organisation.id == Gate.organisation_id)
        .where(Gate.key_hash == _digest(key))
    ).one_or_none()
    if known is None:
        raise TokenInvalid("This is not a gate's key")
    gate: Gate = known.Gate
    if gate.revoked_at is not None:
        raise TokenRevoked("This gate's key was revoked")
    if not known.is_active:
        raise OrganisationInactive
    if gate.last_used_at is None or gate.last_used_at < clock.now() - NOTED:
        _used(gate.id)
    return Caller(gate.id, gate.organisation_id, Device.GATE, known.time_zone, settings_of(known.settings))


@transaction
def set_badge(caller: Caller, user_id: uuid.UUID, badge: str) -> None:
    """From now on the person is known by this badge, and by no other.

    Raises:
        NotFound: there is no such person.
        BadgeTaken: it is somebody else's.
    """
    _lock(caller, user_id)
    own = _credentials(caller, user_id, CredentialKind.BADGE)
    kept = db.session.scalar(own) or GateCredential(
        organisation_id=caller.organisation_id, user_id=user_id, kind=CredentialKind.BADGE
    )
    kept.value_hash = keyed_hash(caller, CredentialKind.BADGE, badge)
    db.session.add(kept)
    try:
        db.session.flush()
    except IntegrityError as taken:
        raise BadgeTaken from taken


@transaction
def draw_pin(caller: Caller, user_id: uuid.UUID) -> str:
    """A new PIN for the person, in place of the one before; it is shown this once. Raises NotFound."""
    _lock(caller, user_id)
    _remove(caller, user_id, CredentialKind.PIN)
    pins = caller.rows(GateCredential, func.count()).where(GateCredential.kind == CredentialKind.PIN)
    digits = 6 if (db.session.scalar(pins) or 0) < FEW else 8
    while True:  # most of the numbers are free
        pin = f"{secrets.randbelow(10**digits):0{digits}}"
        row = {
            "id": uuid7(),
            "organisation_id": caller.organisation_id,
            "user_id": user_id,
            "kind": CredentialKind.PIN,
            "value_hash": keyed_hash(caller, CredentialKind.PIN, pin),
            "created_at": clock.now(),
        }
        insert_missing(GateCredential, [row], ("organisation_id", "kind", "value_hash"))
        if db.session.scalar(caller.rows(GateCredential, GateCredential.id).where(GateCredential.id == row["id"])):
            return pin


@transaction
def remove_credential(caller: Caller, user_id: uuid.UUID, kind: CredentialKind) -> None:
    """The person's badge, or PIN, is nobody's from now on. Raises NotFound when there is no such person."""
    _lock(caller, user_id)
    _remove(caller, user_id, kind)


def keyed_hash(caller: Caller, kind: CredentialKind, value: str) -> str:
    """How a badge or PIN is kept: one in other capitals, or with blanks around it, is the same."""
    key = hmac.digest(settings().secret_key.get_secret_value().encode(), b"gate credentials", "sha256")
    text = f"{caller.organisation_id} {kind} {value.strip().casefold()}"
    return hmac.digest(key, text.encode(), "sha256").hex()


def _with_new_key(gate: Gate) -> NewGate:
    key = PREFIX + secrets.token_urlsafe(32)
    gate.key_hash, gate.hint = _digest(key), key[:8]
    return NewGate(_saved(gate), key)


def _saved(gate: Gate) -> Gate:
    db.session.add(gate)
    try:
        db.session.flush()
    except IntegrityError as taken:
        raise NameTaken from taken
    return gate


def _lock(caller: Caller, user_id: uuid.UUID) -> None:
    person = caller.rows(User, User.id).where(User.id == user_id, User.erased_at.is_(None))
    if db.session.scalar(person.with_for_update()) is None:
        raise NotFound("There is no user with this id")


def _credentials(caller: Caller, user_id: uuid.UUID, kind: CredentialKind) -> Any:
    return caller.rows(GateCredential).where(GateCredential.user_id == user_id, GateCredential.kind == kind)


def _remove(caller: Caller, user_id: uuid.UUID, kind: CredentialKind) -> None:
    own = (GateCredential.user_id == user_id, GateCredential.kind == kind)
    db.session.execute(caller.remove(GateCredential).where(*own))


@transaction
def _used(gate_id: uuid.UUID) -> None:
    used = update(Gate).where(Gate.id == gate_id).values(last_used_at=clock.now())
    db.session.execute(used.execution_options(audited=False))


def _digest(key: str) -> str:
    """256 bits drawn by chance need no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()
