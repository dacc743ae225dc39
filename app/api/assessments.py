"""Assessments: what students scored, and what it comes to."""

from __future__ import annotations

import uuid
from functools import partial
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from app.api.jobs import may_respond_async
from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.api.repeats import repeatable
from app.api.reports_export import PDF, a_file, sent
from app.schemas.assessments import (
    AssessmentChangeIn,
    AssessmentIn,
    AssessmentListIn,
    AssessmentOut,
    AssessmentPageOut,
    AssessmentRowIn,
    AssessmentsImportedOut,
    AssessmentStatisticsOut,
    ClassAssessmentIn,
    ClassAssessmentsOut,
    MarksIn,
    ReportCardIn,
    StudentAveragesIn,
    StudentAveragesOut,
)
from app.schemas.base import Message
from app.schemas.imports import ImportIn, check
from app.schemas.users import ReasonIn
from app.services import assessments as service
from app.services import errors
from app.services.assessment_imports import AssessmentsImported, import_assessments
from app.services.assessments import AssessmentView, Statistics
from app.services.kept_exports import Download
from app.services.paging import Page
from app.services.report_cards import report_card
from app.services.student_averages import StudentAverages, student_averages

assessments = APIBlueprint("assessments", __name__, tag="Assessments")

RECORDING = (errors.NotFound, errors.NotYourClass, errors.MissingFields, errors.AssessmentsRefused)


@assessments.get("/assessments")
@who_may(ANYONE)
@refuses(errors.NotFound)
@assessments.input(AssessmentListIn, location="query")
@assessments.output(AssessmentPageOut)
def list_assessments(query_data: AssessmentListIn) -> Page[AssessmentView]:
    """Marks, the newest first: staff see all, parents their children's, students their own"""
    return service.list_assessments(caller(), query_data.filters, query_data.subject, query_data.paging)


@assessments.post("/assessments")
@who_may(STAFF)
@repeatable
@refuses(*RECORDING)
@assessments.input(AssessmentIn)
@assessments.output(AssessmentOut, status_code=201)
def record(json_data: AssessmentIn) -> AssessmentView:
    """Record what a student scored"""
    return service.record(caller(), json_data.class_id, json_data.subject, json_data.values())


@assessments.post("/assessments/class")
@who_may(STAFF)
@repeatable
@refuses(*RECORDING)
@assessments.input(ClassAssessmentIn)
@assessments.output(ClassAssessmentsOut, status_code=201)
def record_class(json_data: ClassAssessmentIn) -> dict[str, Any]:
    """Record what students of a class scored in the same assessment: all of it or nothing"""
    scores = [score.model_dump() for score in json_data.scores]
    made = service.record_class(caller(), json_data.class_id, json_data.subject, json_data.common(), scores)
    return {"created": len(made), "items": made}


@assessments.post("/assessments/import")
@who_may(STAFF)
@refuses(errors.UnreadableFile, errors.RowsRefused, errors.JobsBusy)
@assessments.input(ImportIn)
@assessments.output(AssessmentsImportedOut)
@may_respond_async(AssessmentsImportedOut)
def import_marks(json_data: ImportIn) -> AssessmentsImported:
    """Record marks from CSV, XLSX or JSON: all rows or none; a second time changes nothing"""
    return import_assessments(caller(), json_data.read(), partial(check, AssessmentRowIn), json_data.dry_run)


@assessments.get("/assessments/statistics")
@who_may(STAFF)
@refuses(errors.NotFound)
@assessments.input(MarksIn, location="query")
@assessments.output(AssessmentStatisticsOut)
def statistics(query_data: MarksIn) -> Statistics:
    """How many marks there are, their average, those of subjects, and how many have each grade"""
    return service.statistics(caller(), query_data.filters, query_data.subject)


@assessments.get("/assessments/<uuid:assessment_id>")
@who_may(ANYONE)
@assessments.output(AssessmentOut)
def read(assessment_id: uuid.UUID) -> AssessmentView:
    """A mark: for staff, the student's parents, and the student"""
    return service.read(caller(), assessment_id)


@assessments.put("/assessments/<uuid:assessment_id>")
@who_may(STAFF)
@refuses(errors.NotYourAssessment, errors.AssessmentsRefused)
@assessments.input(AssessmentChangeIn)
@assessments.output(AssessmentOut)
def change(assessment_id: uuid.UUID, json_data: AssessmentChangeIn) -> AssessmentView:
    """Correct a mark: by who recorded it, a teacher of its class, or an administrator"""
    return service.change(caller(), assessment_id, json_data.other_subject, json_data.values(), json_data.reason)


@assessments.delete("/assessments/<uuid:assessment_id>")
@who_may(STAFF)
@refuses(errors.NotYourAssessment)
@assessments.input(ReasonIn, location="query")
@assessments.output(Message)
def remove(assessment_id: uuid.UUID, query_data: ReasonIn) -> dict[str, str]:
    """Delete a mark: by who recorded it, a teacher of its class, or an administrator"""
    service.remove(caller(), assessment_id, query_data.reason)
    return {"message": "The mark is deleted"}


@assessments.get("/assessments/students/<uuid:student_id>/averages")
@who_may(ANYONE)
@refuses(errors.NotClassMember)
@assessments.input(StudentAveragesIn, location="query")
@assessments.output(StudentAveragesOut)
def averages(student_id: uuid.UUID, query_data: StudentAveragesIn) -> StudentAverages:
    """A student's averages and grades, by subject and by term: for staff, their parents, and themselves"""
    return student_averages(caller(), student_id, query_data.filters, query_data.class_id)


@assessments.get("/students/<uuid:student_id>/report-card")
@who_may(ANYONE)
@assessments.input(ReportCardIn, location="query")
@assessments.doc(responses=a_file(PDF))
def print_report_card(student_id: uuid.UUID, query_data: ReportCardIn) -> Response:
    """A student's averages and grades to be printed, with their attendance of the same time, by default this term's"""
    return sent(Download("report-card.pdf", PDF, iter([report_card(caller(), student_id, query_data.wanted)])))
