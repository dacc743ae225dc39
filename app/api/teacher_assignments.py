"""Teacher assignments: who teaches which subject to which class in which term."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ADMIN, STAFF, caller, who_may
from app.schemas.base import Message
from app.schemas.teacher_assignments import (
    TeacherAssignmentIn,
    TeacherAssignmentListIn,
    TeacherAssignmentOut,
    TeacherAssignmentPageOut,
)
from app.services import errors
from app.services import teacher_assignments as service
from app.services.paging import Page
from app.services.teacher_assignments import AssignmentView

teacher_assignments = APIBlueprint("teacher_assignments", __name__, tag="Teacher assignments")


@teacher_assignments.post("/teacher-assignments")
@who_may(ADMIN)
@refuses(errors.NotFound, errors.NotATeacher, errors.AssignmentTaken)
@teacher_assignments.input(TeacherAssignmentIn)
@teacher_assignments.output(TeacherAssignmentOut, status_code=201)
def create(json_data: TeacherAssignmentIn) -> AssignmentView:
    """Have a teacher teach a subject to a class in a term; they may take the class's attendance from then on"""
    return service.create(caller(), **json_data.model_dump())


@teacher_assignments.get("/teacher-assignments")
@who_may(STAFF)
@teacher_assignments.input(TeacherAssignmentListIn, location="query")
@teacher_assignments.output(TeacherAssignmentPageOut)
def list_assignments(query_data: TeacherAssignmentListIn) -> Page[AssignmentView]:
    """Who teaches what to whom; a teacher sees their own"""
    return service.list_assignments(caller(), query_data.wanted, query_data.paging)


@teacher_assignments.delete("/teacher-assignments/<uuid:teacher_assignment_id>")
@who_may(ADMIN)
@teacher_assignments.output(Message)
def remove(teacher_assignment_id: uuid.UUID) -> dict[str, str]:
    """Remove an assignment; the teacher stays one of the class's teachers until they are removed there"""
    service.remove(caller(), teacher_assignment_id)
    return {"message": "The assignment is gone"}
