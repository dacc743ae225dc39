"""Participation in events and activities."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.schemas.base import Message
from app.schemas.participations import (
    ParticipationChangeIn,
    ParticipationIn,
    ParticipationListIn,
    ParticipationOut,
    ParticipationPageOut,
    ParticipationsOut,
)
from app.schemas.users import ReasonIn
from app.services import errors
from app.services import participations as service
from app.services.paging import Page
from app.services.participations import ParticipationView

participations = APIBlueprint("participations", __name__, tag="Participation")


@participations.post("/participations")
@who_may(STAFF)
@refuses(errors.NotFound, errors.ParticipationTaken, errors.DatesRefused)
@participations.input(ParticipationIn)
@participations.output(ParticipationsOut, status_code=201)
def enter(json_data: ParticipationIn) -> dict[str, Any]:
    """Enter students for an event: all of them, or none"""
    return {"items": service.enter(caller(), **json_data.model_dump())}


@participations.get("/participations")
@who_may(ANYONE)
@participations.input(ParticipationListIn, location="query")
@participations.output(ParticipationPageOut)
def list_participations(query_data: ParticipationListIn) -> Page[ParticipationView]:
    """Who took part in what, the latest first; students and parents see their own"""
    return service.list_participations(caller(), query_data.wanted, query_data.paging)


@participations.get("/participations/<uuid:participation_id>")
@who_may(ANYONE)
@participations.output(ParticipationOut)
def read(participation_id: uuid.UUID) -> ParticipationView:
    """One student's participation in an event"""
    return service.read(caller(), participation_id)


@participations.put("/participations/<uuid:participation_id>")
@who_may(STAFF)
@refuses(errors.ParticipationTaken, errors.DatesRefused)
@participations.input(ParticipationChangeIn)
@participations.output(ParticipationOut)
def change(participation_id: uuid.UUID, json_data: ParticipationChangeIn) -> ParticipationView:
    """Change a participation, such as its status after the event"""
    return service.change(caller(), participation_id, json_data.reason, json_data.changes())


@participations.delete("/participations/<uuid:participation_id>")
@who_may(STAFF)
@participations.input(ReasonIn, location="query")
@participations.output(Message)
def remove(participation_id: uuid.UUID, query_data: ReasonIn) -> dict[str, str]:
    """Delete a participation"""
    service.remove(caller(), participation_id, query_data.reason)
    return {"message": "The participation is deleted"}
