"""Behaviour notes, what is to be done about them, and their figures."""

from __future__ import annotations

import uuid
from dataclasses import asdict
from typing import Any

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.schemas.base import Message
from app.schemas.behaviour import (
    BehaviourCategoriesIn,
    BehaviourCategoryPageOut,
    BehaviourChangeIn,
    BehaviourIn,
    BehaviourListIn,
    BehaviourOut,
    BehaviourPageOut,
    BehaviourStatisticsIn,
    BehaviourStatisticsOut,
)
from app.schemas.users import ReasonIn
from app.services import behaviour as service
from app.services import errors
from app.services.behaviour import CategoryUse, NoteView
from app.services.paging import Page

behaviour = APIBlueprint("behaviour", __name__, tag="Behaviour")


@behaviour.post("/behaviour")
@who_may(STAFF)
@refuses(errors.NotFound, errors.DatesRefused, errors.MissingFields)
@behaviour.input(BehaviourIn)
@behaviour.output(BehaviourOut, status_code=201)
def write(json_data: BehaviourIn) -> NoteView:
    """Write a note about a student's behaviour"""
    return service.write(caller(), **json_data.model_dump())


@behaviour.get("/behaviour")
@who_may(ANYONE)
@behaviour.input(BehaviourListIn, location="query")
@behaviour.output(BehaviourPageOut)
def list_notes(query_data: BehaviourListIn) -> Page[NoteView]:
    """Behaviour notes, the latest first; students and parents see those of theirs that they may"""
    return service.list_notes(caller(), query_data.wanted, query_data.open_follow_ups, query_data.paging)


@behaviour.get("/behaviour/categories")
@who_may(STAFF)
@behaviour.input(BehaviourCategoriesIn, location="query")
@behaviour.output(BehaviourCategoryPageOut)
def categories(query_data: BehaviourCategoriesIn) -> Page[CategoryUse]:
    """What notes may be about, and how many are: the organisation's categories, then the others most used"""
    return service.categories(caller(), query_data.paging)


@behaviour.get("/behaviour/statistics")
@who_may(ANYONE)
@behaviour.input(BehaviourStatisticsIn, location="query")
@behaviour.output(BehaviourStatisticsOut)
def statistics(query_data: BehaviourStatisticsIn) -> dict[str, Any]:
    """Positive and negative notes: in all, by category and over time, of those that one may see"""
    found = service.statistics(caller(), query_data.wanted, query_data.interval)
    return {
        **asdict(found.total),
        "by_category": [{"category": name, **asdict(counts)} for name, counts in found.by_category.items()],
        "interval": query_data.interval,
        "trend": [{"interval": first, **asdict(counts)} for first, counts in found.trend.items()],
    }


@behaviour.get("/behaviour/<uuid:behaviour_note_id>")
@who_may(ANYONE)
@behaviour.output(BehaviourOut)
def read(behaviour_note_id: uuid.UUID) -> NoteView:
    """A behaviour note"""
    return service.read(caller(), behaviour_note_id)


@behaviour.put("/behaviour/<uuid:behaviour_note_id>")
@who_may(STAFF)
@refuses(errors.NotYourNote, errors.DatesRefused, errors.MissingFields)
@behaviour.input(BehaviourChangeIn)
@behaviour.output(BehaviourOut)
def change(behaviour_note_id: uuid.UUID, json_data: BehaviourChangeIn) -> NoteView:
    """Change a note, as its writer or an administrator"""
    return service.change(caller(), behaviour_note_id, json_data.reason, json_data.changes())


@behaviour.delete("/behaviour/<uuid:behaviour_note_id>")
@who_may(STAFF)
@refuses(errors.NotYourNote)
@behaviour.input(ReasonIn, location="query")
@behaviour.output(Message)
def remove(behaviour_note_id: uuid.UUID, query_data: ReasonIn) -> dict[str, str]:
    """Delete a note, as its writer or an administrator"""
    service.remove(caller(), behaviour_note_id, query_data.reason)
    return {"message": "The note is deleted"}


@behaviour.post("/behaviour/<uuid:behaviour_note_id>/followed-up")
@who_may(STAFF)
@refuses(errors.NothingToFollowUp)
@behaviour.output(BehaviourOut)
def followed_up(behaviour_note_id: uuid.UUID) -> NoteView:
    """Note that what was to be done is done"""
    return service.followed_up(caller(), behaviour_note_id)
