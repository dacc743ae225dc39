"""Sessions of a class, recognising who is on a picture of the room, and marking them."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.jobs import may_respond_async
from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.schemas.faces import RecognitionIn, RecognitionOut
from app.schemas.sessions import (
    MarkIn,
    MarkOut,
    RecordListIn,
    RecordPageOut,
    SessionIn,
    SessionListIn,
    SessionOut,
    SessionPageOut,
)
from app.services import errors, recognition, sessions
from app.services.paging import Page
from app.services.recognition import Recognition
from app.services.sessions import Marking, SessionRecords, SessionView

attendance = APIBlueprint("attendance", __name__, tag="Attendance")


@attendance.post("/attendance/recognize-faces")
@who_may(STAFF)
@refuses(
    errors.NotFound,
    errors.NotYourClass,
    errors.FaceRejected,
    errors.PictureTooLarge,
    errors.FacesBusy,
    errors.JobsBusy,
)
@attendance.input(RecognitionIn)
@attendance.output(RecognitionOut)
@may_respond_async(RecognitionOut)
def recognise_faces(json_data: RecognitionIn) -> Recognition:
    """See who of a class is on pictures of the room; nothing is marked yet"""
    return recognition.recognise(caller(), json_data.class_id, json_data.images)


@attendance.post("/attendance/create-session")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass)
@attendance.input(SessionIn)
@attendance.output(SessionOut, status_code=201)
def create_session(json_data: SessionIn) -> SessionView:
    """Create a session of a class"""
    return sessions.create_session(caller(), json_data.class_id, json_data.session_name, json_data.session_date)


@attendance.post("/attendance/mark-attendance")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass)
@attendance.input(MarkIn)
@attendance.output(MarkOut)
def mark_attendance(json_data: MarkIn) -> Marking:
    """Mark students present; marking again changes nothing"""
    return sessions.mark_present(caller(), json_data.session_id, json_data.student_ids)


@attendance.get("/attendance/sessions/<uuid:class_id>")
@who_may(ANYONE)
@refuses(errors.NotClassMember)
@attendance.input(SessionListIn, location="query")
@attendance.output(SessionPageOut)
def list_sessions(class_id: uuid.UUID, query_data: SessionListIn) -> Page[SessionView]:
    """A class's sessions with their counts and rates"""
    return sessions.sessions_of_class(caller(), class_id, query_data.paging)


@attendance.get("/attendance/session/<uuid:session_id>/records")
@who_may(ANYONE)
@refuses(errors.NotClassMember)
@attendance.input(RecordListIn, location="query")
@attendance.output(RecordPageOut)
def list_records(session_id: uuid.UUID, query_data: RecordListIn) -> SessionRecords:
    """A session's records, with its counts and rate for those who teach the class; a student sees their own"""
    return sessions.records_of_session(caller(), session_id, query_data.paging)
