"""Sessions of a class, recognising who is on a picture of the room, and marking them."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint

from app.api.jobs import may_respond_async
from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.schemas.faces import RecognitionIn, RecognitionOut
from app.schemas.marking import BatchIn, MarkDayIn, MarkedListIn, MarkedOut, MarkedPageOut, MarkedRecordOut
from app.schemas.sessions import (
    ActiveListIn,
    CheckInIn,
    CheckOutIn,
    ClosingOut,
    DaysIn,
    HistoryOut,
    MarkIn,
    MarkOut,
    RecordListIn,
    RecordOut,
    RecordPageOut,
    SessionIn,
    SessionListIn,
    SessionOut,
    SessionPageOut,
    SessionReportOut,
    TimedSessionIn,
    TimedSessionListIn,
)
from app.schemas.users import ReasonIn
from app.services import check_in as check_ins
from app.services import closing, errors, marking, recognition, sessions
from app.services.marking import Marked
from app.services.paging import Page
from app.services.recognition import Recognition
from app.services.sessions import Marking, RecordView, SessionRecords, SessionReport, SessionView

attendance = APIBlueprint("attendance", __name__, tag="Attendance")


@attendance.post("/attendance/recognize-faces")
@who_may(STAFF)
@refuses(
    errors.NotFound,
    errors.NotYourClass,
    errors.FacesOff,
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
@refuses(errors.NotFound, errors.NotYourClass, errors.NotYourSession)
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


@attendance.post("/admin/sessions")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass, errors.DatesRefused)
@attendance.input(TimedSessionIn)
@attendance.output(SessionOut, status_code=201)
def create_timed_session(json_data: TimedSessionIn) -> SessionView:
    """Create a session in which people check in, at a place if one is given"""
    return sessions.create_session(caller(), **json_data.values())


@attendance.get("/admin/sessions")
@who_may(STAFF)
@attendance.input(TimedSessionListIn, location="query")
@attendance.output(SessionPageOut)
def list_managed_sessions(query_data: TimedSessionListIn) -> Page[SessionView]:
    """The sessions that one manages"""
    return sessions.list_sessions(caller(), query_data.status, query_data.days, query_data.paging)


@attendance.get("/attendance/active-sessions")
@who_may(ANYONE)
@attendance.input(ActiveListIn, location="query")
@attendance.output(SessionPageOut)
def list_active_sessions(query_data: ActiveListIn) -> Page[SessionView]:
    """The sessions in which one can check in now"""
    return sessions.active_sessions(caller(), query_data.paging)


@attendance.post("/attendance/check-in")
@who_may(ANYONE)
@refuses(errors.NotFound, errors.CheckInRefused, errors.AlreadyCheckedIn)
@attendance.input(CheckInIn)
@attendance.output(RecordOut, status_code=201)
def check_in(json_data: CheckInIn) -> RecordView:
    """Check in to a session; a refusal's code and figures say why"""
    return check_ins.check_in(caller(), json_data.session_id, json_data.fix)


@attendance.post("/attendance/check-out")
@who_may(ANYONE)
@refuses(errors.NotFound, errors.CheckInRefused, errors.NotCheckedIn, errors.AlreadyCheckedOut)
@attendance.input(CheckOutIn)
@attendance.output(RecordOut)
def check_out(json_data: CheckOutIn) -> RecordView:
    """Check out of a session"""
    return check_ins.check_out(caller(), json_data.record_id, json_data.fix)


@attendance.get("/attendance/my-history")
@who_may(ANYONE)
@attendance.input(DaysIn, location="query")
@attendance.output(HistoryOut)
def my_history(query_data: DaysIn) -> Page[RecordView]:
    """One's own records"""
    return sessions.history(caller(), caller().user_id, query_data.days, query_data.paging)


@attendance.get("/attendance/user/<uuid:user_id>/history")
@who_may(ANYONE)
@attendance.input(DaysIn, location="query")
@attendance.output(HistoryOut)
def user_history(user_id: uuid.UUID, query_data: DaysIn) -> Page[RecordView]:
    """A person's records: for staff, their parents, and themselves"""
    return sessions.history(caller(), user_id, query_data.days, query_data.paging)


@attendance.get("/attendance/session/<uuid:session_id>/report")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@attendance.input(RecordListIn, location="query")
@attendance.output(SessionReportOut)
def report(session_id: uuid.UUID, query_data: RecordListIn) -> SessionReport:
    """A session's counts, the share of each status, and its records"""
    return sessions.report(caller(), session_id, query_data.paging)


MARKING = (errors.NotFound, errors.NotYourClass, errors.NotYourSubject, errors.MarksRefused)


@attendance.post("/attendance")
@who_may(STAFF)
@refuses(*MARKING)
@attendance.input(MarkDayIn)
@attendance.output(MarkedOut, status_code=201)
def mark_day(json_data: MarkDayIn) -> dict[str, Any]:
    """Mark a subject's day, or one student in a class; marking again changes, and all is saved or nothing"""
    return _marked(marking.mark(caller(), json_data.marks()))


@attendance.post("/attendance/batch")
@who_may(STAFF)
@refuses(*MARKING)
@attendance.input(BatchIn)
@attendance.output(MarkedOut, status_code=201)
def mark_batch(json_data: BatchIn) -> dict[str, Any]:
    """Mark many students of classes; a wrong row is named by its index, and nothing is saved then"""
    return _marked(marking.mark(caller(), json_data.marks()))


@attendance.get("/attendance")
@who_may(ANYONE)
@attendance.input(MarkedListIn, location="query")
@attendance.output(MarkedPageOut)
def search(query_data: MarkedListIn) -> Page[dict[str, Any]]:
    """Records, the newest first: staff see all, parents their children's, students their own"""
    page = marking.search(caller(), query_data.wanted(), query_data.paging)
    return page.of([MarkedRecordOut.of(view) for view in page.items])


def _marked(marked: Marked) -> dict[str, Any]:
    records = [MarkedRecordOut.of(view) for view in marked.records]
    return {
        "message": "Attendance saved",
        "id": records[0]["id"] if len(records) == 1 else None,
        "created": marked.created,
        "updated": marked.updated,
        "records": records,
    }


@attendance.get("/attendance/session/<uuid:session_id>/close")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@attendance.output(ClosingOut)
def preview_closing(session_id: uuid.UUID) -> closing.Closing:
    """Who would be absent if the session were closed now"""
    return closing.preview(caller(), session_id)


@attendance.post("/attendance/session/<uuid:session_id>/close")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@attendance.input(ReasonIn)
@attendance.output(SessionOut)
def close(session_id: uuid.UUID, json_data: ReasonIn) -> SessionView:
    """Close a session: who is unmarked is absent; sessions with times close by themselves after their end"""
    return closing.close(caller(), session_id, json_data.reason)


@attendance.post("/attendance/session/<uuid:session_id>/reopen")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@attendance.input(ReasonIn)
@attendance.output(SessionOut)
def reopen(session_id: uuid.UUID, json_data: ReasonIn) -> SessionView:
    """Undo a session's closing; what was marked since stays"""
    return closing.reopen(caller(), session_id, json_data.reason)
