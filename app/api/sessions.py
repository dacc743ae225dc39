"""Sessions: the times in which attendance is taken, from their making to their closing."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.api.repeats import repeatable
from app.schemas.sessions import (
    ActiveListIn,
    ClosingOut,
    SessionIn,
    SessionListIn,
    SessionOut,
    SessionPageOut,
    TimedSessionIn,
    TimedSessionListIn,
)
from app.schemas.users import ReasonIn
from app.services import closing, errors
from app.services import sessions as services
from app.services.paging import Page
from app.services.sessions import SessionView

sessions = APIBlueprint("sessions", __name__, tag="Sessions")


@sessions.post("/attendance/create-session")
@who_may(STAFF)
@repeatable
@refuses(errors.NotFound, errors.NotYourClass)
@sessions.input(SessionIn)
@sessions.output(SessionOut, status_code=201)
def create_session(json_data: SessionIn) -> SessionView:
    """Create a session of a class"""
    return services.create_session(caller(), json_data.class_id, json_data.session_name, json_data.session_date)


@sessions.get("/attendance/sessions/<uuid:class_id>")
@who_may(ANYONE)
@refuses(errors.NotClassMember)
@sessions.input(SessionListIn, location="query")
@sessions.output(SessionPageOut)
def list_sessions(class_id: uuid.UUID, query_data: SessionListIn) -> Page[SessionView]:
    """A class's sessions with their counts and rates"""
    return services.sessions_of_class(caller(), class_id, query_data.paging)


@sessions.post("/admin/sessions")
@who_may(STAFF)
@repeatable
@refuses(errors.NotFound, errors.NotYourClass, errors.DatesRefused)
@sessions.input(TimedSessionIn)
@sessions.output(SessionOut, status_code=201)
def create_timed_session(json_data: TimedSessionIn) -> SessionView:
    """Create a session in which people check in, at a place if one is given"""
    return services.create_session(caller(), **json_data.values())


@sessions.get("/admin/sessions")
@who_may(STAFF)
@sessions.input(TimedSessionListIn, location="query")
@sessions.output(SessionPageOut)
def list_managed_sessions(query_data: TimedSessionListIn) -> Page[SessionView]:
    """The sessions that one manages"""
    return services.list_sessions(caller(), query_data.status, query_data.days, query_data.paging)


@sessions.get("/attendance/active-sessions")
@who_may(ANYONE)
@sessions.input(ActiveListIn, location="query")
@sessions.output(SessionPageOut)
def list_active_sessions(query_data: ActiveListIn) -> Page[SessionView]:
    """The sessions in which one can check in now"""
    return services.active_sessions(caller(), query_data.paging)


@sessions.get("/attendance/session/<uuid:session_id>/close")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@sessions.output(ClosingOut)
def preview_closing(session_id: uuid.UUID) -> closing.Closing:
    """Who would be absent if the session were closed now"""
    return closing.preview(caller(), session_id)


@sessions.post("/attendance/session/<uuid:session_id>/close")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@sessions.input(ReasonIn)
@sessions.output(SessionOut)
def close(session_id: uuid.UUID, json_data: ReasonIn) -> SessionView:
    """Close a session: who is unmarked is absent; sessions with times close by themselves after their end"""
    return closing.close(caller(), session_id, json_data.reason)


@sessions.post("/attendance/session/<uuid:session_id>/reopen")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@sessions.input(ReasonIn)
@sessions.output(SessionOut)
def reopen(session_id: uuid.UUID, json_data: ReasonIn) -> SessionView:
    """Undo a session's closing; what was marked since stays"""
    return closing.reopen(caller(), session_id, json_data.reason)
