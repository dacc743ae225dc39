"""Gates: their devices, what people are known by there, and passing."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint
from flask import g

from app.api.limits import limited_guessing_at_gates
from app.api.openapi import refuses
from app.api.policy import ADMIN, GATE, caller, who_may
from app.models import CredentialKind, Gate
from app.schemas.base import Message
from app.schemas.gates import (
    BadgeIn,
    GateChangeIn,
    GateIn,
    GateListIn,
    GateOut,
    GatePageOut,
    NewGateOut,
    PassageIn,
    PassagesOut,
    PinOut,
)
from app.services import errors, passages
from app.services import gates as service
from app.services.gates import NewGate
from app.services.paging import Page
from app.services.passages import Outcome

gates = APIBlueprint("gates", __name__, tag="Gates")


@gates.get("/gates")
@who_may(ADMIN)
@gates.input(GateListIn, location="query")
@gates.output(GatePageOut)
def list_gates(query_data: GateListIn) -> Page[Gate]:
    """The organisation's gates, revoked ones too"""
    return service.list_gates(caller(), query_data.paging)


@gates.post("/gates")
@who_may(ADMIN)
@refuses(errors.NameTaken)
@gates.input(GateIn)
@gates.output(NewGateOut, status_code=201)
def create(json_data: GateIn) -> dict[str, Any]:
    """Add a gate; its key is shown this once"""
    return _with_key(service.create(caller(), json_data.name, json_data.direction))


@gates.put("/gates/<uuid:gate_id>")
@who_may(ADMIN)
@refuses(errors.NameTaken)
@gates.input(GateChangeIn)
@gates.output(GateOut)
def change(gate_id: uuid.UUID, json_data: GateChangeIn) -> Gate:
    """Change a gate"""
    return service.change(caller(), gate_id, json_data.changes())


@gates.post("/gates/<uuid:gate_id>/revoke")
@who_may(ADMIN)
@gates.output(GateOut)
def revoke(gate_id: uuid.UUID) -> Gate:
    """Revoke a gate's key: it stops working at once"""
    return service.revoke(caller(), gate_id)


@gates.post("/gates/<uuid:gate_id>/key")
@who_may(ADMIN)
@gates.output(NewGateOut, status_code=201)
def renew_key(gate_id: uuid.UUID) -> dict[str, Any]:
    """Give a gate a new key, shown this once; the one before stops working at once"""
    return _with_key(service.renew_key(caller(), gate_id))


@gates.post("/gate/passages")
@who_may(GATE)
@refuses(errors.OrganisationInactive, errors.FacesOff, errors.FaceRejected, errors.PictureTooLarge, errors.FacesBusy)
@limited_guessing_at_gates
@gates.input(PassageIn)
@gates.output(PassagesOut)
def let_through(json_data: PassageIn) -> dict[str, Any]:
    """Let through who is at the gate, in or out, by their face, badge or PIN"""
    if json_data.image is not None:
        return {"passages": passages.pass_by_face(caller(), json_data.image)}
    (passing,) = passages.pass_by_credential(caller(), *json_data.credential)
    g.guessed_wrong = passing.outcome == Outcome.UNKNOWN
    return {"passages": [passing]}


@gates.put("/admin/users/<uuid:user_id>/badge")
@who_may(ADMIN)
@refuses(errors.BadgeTaken)
@gates.input(BadgeIn)
@gates.output(Message)
def set_badge(user_id: uuid.UUID, json_data: BadgeIn) -> dict[str, str]:
    """Give a person a badge, in place of the one before"""
    service.set_badge(caller(), user_id, json_data.badge)
    return {"message": "They are known by this badge"}


@gates.delete("/admin/users/<uuid:user_id>/badge")
@who_may(ADMIN)
@gates.output(Message)
def remove_badge(user_id: uuid.UUID) -> dict[str, str]:
    """Take a person's badge from them"""
    service.remove_credential(caller(), user_id, CredentialKind.BADGE)
    return {"message": "They have no badge"}


@gates.post("/admin/users/<uuid:user_id>/pin")
@who_may(ADMIN)
@gates.output(PinOut, status_code=201)
def draw_pin(user_id: uuid.UUID) -> dict[str, str]:
    """Draw a new PIN for a person, in place of the one before; it is shown this once"""
    return {"pin": service.draw_pin(caller(), user_id)}


@gates.delete("/admin/users/<uuid:user_id>/pin")
@who_may(ADMIN)
@gates.output(Message)
def remove_pin(user_id: uuid.UUID) -> dict[str, str]:
    """Take a person's PIN from them"""
    service.remove_credential(caller(), user_id, CredentialKind.PIN)
    return {"message": "They have no PIN"}


def _with_key(new: NewGate) -> dict[str, Any]:
    return GateOut.model_validate(new.row).model_dump() | {"key": new.key}
