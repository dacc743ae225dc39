"""Timetables, from which sessions are made ahead."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import STAFF, caller, who_may
from app.schemas.base import Message
from app.schemas.timetables import (
    SavedTimetableOut,
    TimetableChangeIn,
    TimetableIn,
    TimetableListIn,
    TimetableOut,
    TimetablePageOut,
)
from app.services import errors
from app.services import timetables as service
from app.services.paging import Page
from app.services.timetables import TimetableView

timetables = APIBlueprint("timetables", __name__, tag="Timetables")


@timetables.post("/admin/timetables")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass, errors.NotYourSubject, errors.TimetableRefused)
@timetables.input(TimetableIn)
@timetables.output(SavedTimetableOut, status_code=201)
def create(json_data: TimetableIn) -> TimetableView:
    """Create a timetable; the sessions of the coming weeks are made at once, later ones as time goes on"""
    return service.create_timetable(caller(), json_data.values())


@timetables.get("/admin/timetables")
@who_may(STAFF)
@refuses(errors.NotFound)
@timetables.input(TimetableListIn, location="query")
@timetables.output(TimetablePageOut)
def list_timetables(query_data: TimetableListIn) -> Page[TimetableView]:
    """The timetables that one manages"""
    return service.list_timetables(caller(), query_data.class_id, query_data.paging)


@timetables.get("/admin/timetables/<uuid:timetable_id>")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourTimetable)
@timetables.output(TimetableOut)
def read(timetable_id: uuid.UUID) -> TimetableView:
    """A timetable"""
    return service.read_timetable(caller(), timetable_id)


@timetables.put("/admin/timetables/<uuid:timetable_id>")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourTimetable, errors.TimetableRefused)
@timetables.input(TimetableChangeIn)
@timetables.output(SavedTimetableOut)
def change(timetable_id: uuid.UUID, json_data: TimetableChangeIn) -> TimetableView:
    """Change a timetable; sessions to come follow, unless they were changed by themselves or have records"""
    return service.change_timetable(caller(), timetable_id, json_data.values())


@timetables.delete("/admin/timetables/<uuid:timetable_id>")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourTimetable)
@timetables.output(Message)
def remove(timetable_id: uuid.UUID) -> dict[str, str]:
    """Remove a timetable with its sessions to come; past ones stay, and those that have records"""
    service.remove_timetable(caller(), timetable_id)
    return {"message": "The timetable is gone"}
