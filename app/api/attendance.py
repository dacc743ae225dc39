"""Records: marked by hand, recognised on pictures of the room, listed and looked up."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint

from app.api.jobs import may_respond_async
from app.api.openapi import refuses
from app.api.policy import ADMIN, ANYONE, STAFF, caller, who_may
from app.api.repeats import repeatable
from app.schemas.base import Message
from app.schemas.faces import RecognitionIn, RecognitionOut
from app.schemas.marking import (
    BatchIn,
    CopyIn,
    EveryoneElseIn,
    MarkDayIn,
    MarkedListIn,
    MarkedOut,
    MarkedPageOut,
    MarkListIn,
    RecordMarkPageOut,
    SessionMarkedOut,
    SessionMarksIn,
    StatusesOut,
)
from app.schemas.sessions import (
    DaysIn,
    HistoryOut,
    MarkIn,
    MarkOut,
    RecordListIn,
    RecordPageOut,
    SessionReportOut,
)
from app.schemas.users import ReasonIn
from app.services import errors, marking, marks, recognition, records, statuses
from app.services.marking import Marked, MarkedRecord, SessionMarked
from app.services.marks import MarkView
from app.services.paging import Page
from app.services.recognition import Recognition
from app.services.records import Marking, RecordView, SessionRecords, SessionReport

attendance = APIBlueprint("attendance", __name__, tag="Attendance")

MARKING_SESSION = (errors.NotYourClass, errors.NotYourSession, errors.SessionCancelled)


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


@attendance.post("/attendance/mark-attendance")
@who_may(STAFF)
@repeatable
@refuses(errors.NotFound, *MARKING_SESSION)
@attendance.input(MarkIn)
@attendance.output(MarkOut)
def mark_attendance(json_data: MarkIn) -> Marking:
    """Mark students present; marking again changes nothing"""
    return records.mark_present(caller(), json_data.session_id, json_data.student_ids, json_data.reason)


@attendance.get("/attendance/session/<uuid:session_id>/records")
@who_may(ANYONE)
@refuses(errors.NotClassMember)
@attendance.input(RecordListIn, location="query")
@attendance.output(RecordPageOut)
def list_records(session_id: uuid.UUID, query_data: RecordListIn) -> SessionRecords:
    """A session's records, with its counts and rate for those who teach the class; a student sees their own"""
    return records.records_of_session(caller(), session_id, query_data.paging)


@attendance.get("/attendance/session/<uuid:session_id>/report")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@attendance.input(RecordListIn, location="query")
@attendance.output(SessionReportOut)
def report(session_id: uuid.UUID, query_data: RecordListIn) -> SessionReport:
    """A session's counts, the share of each status, and its records"""
    return records.report(caller(), session_id, query_data.paging)


@attendance.get("/attendance/my-history")
@who_may(ANYONE)
@attendance.input(DaysIn, location="query")
@attendance.output(HistoryOut)
def my_history(query_data: DaysIn) -> Page[RecordView]:
    """One's own records"""
    return records.history(caller(), caller().user_id, query_data.days, query_data.paging)


@attendance.get("/attendance/user/<uuid:user_id>/history")
@who_may(ANYONE)
@attendance.input(DaysIn, location="query")
@attendance.output(HistoryOut)
def user_history(user_id: uuid.UUID, query_data: DaysIn) -> Page[RecordView]:
    """A person's records: for staff, their parents, and themselves"""
    return records.history(caller(), user_id, query_data.days, query_data.paging)


MARKING = (errors.NotFound, errors.NotYourClass, errors.NotYourSubject, errors.MarksRefused,
           errors.SessionCancelled)  # fmt: skip


@attendance.post("/attendance")
@who_may(STAFF)
@repeatable
@refuses(*MARKING)
@attendance.input(MarkDayIn)
@attendance.output(MarkedOut, status_code=201)
def mark_day(json_data: MarkDayIn) -> dict[str, Any]:
    """Mark a subject's day, or one student in a class; marking again changes, and all is saved or nothing"""
    return _marked(marking.mark(caller(), json_data.marks(), json_data.reason))


@attendance.post("/attendance/batch")
@who_may(STAFF)
@repeatable
@refuses(*MARKING)
@attendance.input(BatchIn)
@attendance.output(MarkedOut, status_code=201)
def mark_batch(json_data: BatchIn) -> dict[str, Any]:
    """Mark many students of classes; a wrong row is named by its index, and nothing is saved then"""
    return _marked(marking.mark(caller(), json_data.marks(), json_data.reason))


@attendance.post("/attendance/session/<uuid:session_id>/marks")
@who_may(STAFF)
@refuses(*MARKING_SESSION, errors.MarksRefused)
@attendance.input(SessionMarksIn)
@attendance.output(MarkedOut)
def mark_session(session_id: uuid.UUID, json_data: SessionMarksIn) -> dict[str, Any]:
    """Mark people in a session, closed or not; a wrong mark is named, and nothing is saved then"""
    return _marked(marking.mark_session(caller(), session_id, json_data.given(), json_data.reason))


@attendance.post("/attendance/session/<uuid:session_id>/copy")
@who_may(STAFF)
@refuses(*MARKING_SESSION)
@attendance.input(CopyIn)
@attendance.output(SessionMarkedOut)
def copy(session_id: uuid.UUID, json_data: CopyIn) -> SessionMarked:
    """Mark those who are expected in a session as they were marked in another one"""
    return marking.copy(caller(), session_id, json_data.from_session_id, json_data.only_unmarked, json_data.reason)


@attendance.post("/attendance/session/<uuid:session_id>/everyone-else")
@who_may(STAFF)
@refuses(*MARKING_SESSION, errors.MarksRefused)
@attendance.input(EveryoneElseIn)
@attendance.output(SessionMarkedOut)
def mark_everyone_else(session_id: uuid.UUID, json_data: EveryoneElseIn) -> SessionMarked:
    """Mark everybody who is expected in a session and has no record yet"""
    return marking.mark_everyone_else(caller(), session_id, json_data.status)


@attendance.get("/attendance/records/<uuid:record_id>/marks")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@attendance.input(MarkListIn, location="query")
@attendance.output(RecordMarkPageOut)
def list_marks(record_id: uuid.UUID, query_data: MarkListIn) -> Page[MarkView]:
    """All marks that a record was given by hand, and what it said before: who, when and why"""
    return marks.marks_of(caller(), record_id, query_data.paging)


@attendance.delete("/attendance/records/<uuid:record_id>/override")
@who_may(ADMIN)
@refuses(errors.NotOverridden)
@attendance.input(ReasonIn, location="query")
@attendance.output(Message)
def release_override(record_id: uuid.UUID, query_data: ReasonIn) -> dict[str, str]:
    """Take the office's mark back: the record says what it said without it, or is gone where there was none"""
    record = marks.release_override(caller(), record_id, query_data.reason)
    return {"message": f"The record says {record.status} again" if record else "There is no record any more"}


@attendance.get("/attendance/statuses")
@who_may(ANYONE)
@attendance.output(StatusesOut)
def list_statuses() -> dict[str, Any]:
    """The statuses that a mark may give: the five that there are, and the organisation's own"""
    return {"items": statuses.statuses_of(caller().settings)}


@attendance.get("/attendance")
@who_may(ANYONE)
@attendance.input(MarkedListIn, location="query")
@attendance.output(MarkedPageOut)
def search(query_data: MarkedListIn) -> Page[MarkedRecord]:
    """Records, the newest first: staff see all, parents their children's, students their own"""
    return marking.search(caller(), query_data.wanted(), query_data.paging)


def _marked(marked: Marked) -> dict[str, Any]:
    records = marked.records
    return {
        "message": "Attendance saved",
        "id": records[0].id if len(records) == 1 else None,
        "created": marked.created,
        "updated": marked.updated,
        "overridden": marked.overridden,
        "records": records,
    }
