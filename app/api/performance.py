"""Performance: marks and attendance together."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from apiflask import APIBlueprint

from app.api.conditional import conditional
from app.api.openapi import refuses
from app.api.policy import PARENT, STAFF, STUDENT, caller, who_may
from app.schemas.performance import (
    CorrelationIn,
    CorrelationOut,
    StudentPerformanceOut,
    SubjectPerformanceIn,
    SubjectPerformancePageOut,
    SummaryOfStudentsOut,
)
from app.services import correlation as correlations
from app.services import errors
from app.services import performance as service
from app.services.paging import Page
from app.services.performance import Change, Performance, SubjectPerformance

performance = APIBlueprint("performance", __name__, tag="Performance")


@performance.get("/dashboard/summary")
@who_may(STAFF)
@conditional
@performance.output(SummaryOfStudentsOut)
def summary() -> dict[str, Any]:
    """How many students there are, and their marks and attendance of the last 365 days"""
    found = service.summary(caller())
    return {
        "total_students": found.total_students,
        "high_performers": found.high_performers,
        **_performance(found.performance),
    }


@performance.get("/dashboard/students/<uuid:student_id>/performance")
@who_may(STAFF | PARENT | STUDENT)
@conditional
@refuses(errors.NotFound)
@performance.output(StudentPerformanceOut)
def of_student(student_id: uuid.UUID) -> dict[str, Any]:
    """A student's marks and attendance of the last 365 days, by subject, and how they change"""
    found = service.of_student(caller(), student_id)
    return {
        "student": found.student,
        "is_high_performer": found.is_high_performer,
        "subject_breakdown": _subjects(found.subjects),
        "trends": [_change(one) for one in found.trends],
        **_performance(found.performance),
    }


@performance.get("/dashboard/subject-performance")
@who_may(STAFF)
@conditional
@performance.input(SubjectPerformanceIn, location="query")
@performance.output(SubjectPerformancePageOut)
def by_subject(query_data: SubjectPerformanceIn) -> Page[dict[str, Any]]:
    """Marks and attendance by subject"""
    page = service.by_subject(caller(), query_data.days, query_data.class_id, query_data.paging)
    return page.of(_subjects(page.items))


@performance.get("/reports/classes/<uuid:class_id>/correlation")
@who_may(STAFF)
@conditional
@refuses(errors.NotFound, errors.NotYourClass)
@performance.input(CorrelationIn, location="query")
@performance.output(CorrelationOut)
def correlation(class_id: uuid.UUID, query_data: CorrelationIn) -> dict[str, Any]:
    """Whether those students of a class who are there more often have better marks"""
    found = correlations.of_class(caller(), class_id, query_data.days)
    return {
        "start_date": found.days.first,
        "end_date": found.days.last,
        "r": found.r,
        "students": found.students,
        "points": found.points,
    }


def _performance(found: Performance) -> dict[str, Any]:
    return {"average_score": found.average_score, "attendance_rate": found.attendance_rate}


def _subjects(found: Sequence[SubjectPerformance]) -> list[dict[str, Any]]:
    return [
        {
            "subject_id": one.subject.id,
            "subject": one.subject.name,
            "assessments": one.performance.marks.count,
            "grade": one.grade,
            **_performance(one.performance),
        }
        for one in found
    ]


def _change(found: Change) -> dict[str, Any]:
    return {
        "days": found.length,
        "start_date": found.first,
        "end_date": found.last,
        "before": found.before,
        "change": found,
        **_performance(found.now),
    }
