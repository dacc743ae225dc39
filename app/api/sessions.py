"""Sessions: the times in which attendance is taken, from their making to their closing."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.api.repeats import repeatable
from app.schemas.sessions import (
    ActiveListIn,
    CancelIn,
    ClosingOut,
    NewSessionOut,
    RegisterPageOut,
    RegistersIn,
    ScopeIn,
    SessionChangeIn,
    SessionIn,
    SessionListIn,
    SessionOut,
    SessionPageOut,
    TimedSessionIn,
    TimedSessionListIn,
)
from app.schemas.users import ReasonIn
from app.services import closing, errors, registers, session_changes
from app.services import sessions as services
from app.services.paging import Page
from app.services.registers import Register
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
@refuses(errors.NotFound, errors.NotYourClass, errors.NotYourSubject, errors.DatesRefused)
@sessions.input(TimedSessionIn)
@sessions.output(NewSessionOut, status_code=201)
def create_timed_session(json_data: TimedSessionIn) -> SessionView:
    """Create a session in which people check in: of a class, a subject, a department, an event, or of everybody"""
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


@sessions.get("/attendance/session/<uuid:session_id>")
@who_may(ANYONE)
@refuses(errors.NotClassMember, errors.NotYourSession)
@sessions.output(SessionOut)
def read_session(session_id: uuid.UUID) -> SessionView:
    """A session, for those who take it and those who may attend it"""
    return services.read_session(caller(), session_id)


@sessions.put("/attendance/session/<uuid:session_id>")
@who_may(STAFF)
@refuses(
    errors.NotYourClass,
    errors.NotYourSession,
    errors.DatesRefused,
    errors.SessionClosed,
    errors.SessionCancelled,
    errors.TimetableRefused,
)
@sessions.input(ScopeIn, location="query")
@sessions.input(SessionChangeIn)
@sessions.output(SessionOut)
def change_session(session_id: uuid.UUID, query_data: ScopeIn, json_data: SessionChangeIn) -> SessionView:
    """Change a session, or it and those that its timetable makes after it"""
    following = query_data.scope == "following"
    return session_changes.change_session(caller(), session_id, json_data.values(), following)


@sessions.post("/attendance/session/<uuid:session_id>/cancel")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession, errors.SessionClosed)
@sessions.input(CancelIn)
@sessions.output(SessionOut)
def cancel(session_id: uuid.UUID, json_data: CancelIn) -> SessionView:
    """Cancel a session, or it and all that its timetable makes after it"""
    return session_changes.cancel_session(caller(), session_id, json_data.scope == "following", json_data.reason)


@sessions.post("/attendance/session/<uuid:session_id>/restore")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@sessions.input(CancelIn)
@sessions.output(SessionOut)
def restore(session_id: uuid.UUID, json_data: CancelIn) -> SessionView:
    """Undo cancelling: of a session, or of all that were cancelled with it"""
    return session_changes.restore_session(caller(), session_id, json_data.scope == "following", json_data.reason)


@sessions.get("/attendance/registers-not-taken")
@who_may(STAFF)
@refuses(errors.NotFound)
@sessions.input(RegistersIn, location="query")
@sessions.output(RegisterPageOut)
def registers_not_taken(query_data: RegistersIn) -> Page[Register]:
    """Sessions that are over, and nobody marked anybody or checked in"""
    return registers.not_taken(caller(), query_data.class_id, query_data.days, query_data.paging)


@sessions.get("/attendance/session/<uuid:session_id>/close")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@sessions.output(ClosingOut)
def preview_closing(session_id: uuid.UUID) -> closing.Closing:
    """Who would be absent, excused or on leave if the session were closed now"""
    return closing.preview(caller(), session_id)


@sessions.post("/attendance/session/<uuid:session_id>/close")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession, errors.SessionCancelled, errors.SessionNotBegun)
@sessions.input(ReasonIn)
@sessions.output(SessionOut)
def close(session_id: uuid.UUID, json_data: ReasonIn) -> SessionView:
    """Close a session: who is unmarked is absent, or on leave; ones with times close by themselves after their end"""
    return closing.close(caller(), session_id, json_data.reason)


@sessions.post("/attendance/session/<uuid:session_id>/reopen")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@sessions.input(ReasonIn)
@sessions.output(SessionOut)
def reopen(session_id: uuid.UUID, json_data: ReasonIn) -> SessionView:
    """Undo a session's closing; what was marked since stays"""
    return closing.reopen(caller(), session_id, json_data.reason)
