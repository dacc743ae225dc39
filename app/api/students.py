"""Students, their guardians and emergency contacts."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.schemas.base import Message
from app.schemas.students import (
    NewStudentIn,
    StudentCreatedOut,
    StudentIn,
    StudentListIn,
    StudentOut,
    StudentPageOut,
    TransferIn,
)
from app.schemas.users import ReasonIn
from app.services import classes, errors
from app.services import students as service
from app.services.paging import Page
from app.services.students import StudentFilter

students = APIBlueprint("students", __name__, tag="Students")

SAVING = (errors.MissingFields, errors.EmailTaken, errors.RollNumberTaken, errors.NotFound, errors.AlreadyEnrolled)


@students.get("/students")
@who_may(ANYONE)
@students.input(StudentListIn, location="query")
@students.output(StudentPageOut)
def list_students(query_data: StudentListIn) -> Page[dict[str, Any]]:
    """Active students: staff see all, parents their children, students themselves"""
    sent = query_data
    wanted = StudentFilter(sent.search, sent.department, sent.year, sent.section, sent.class_id)
    page = service.list_students(caller(), wanted, sent.paging)
    return page.of([StudentOut.of(view) for view in page.items])


@students.post("/students")
@who_may(STAFF)
@refuses(*SAVING)
@students.input(NewStudentIn)
@students.output(StudentCreatedOut, status_code=201)
def create(json_data: NewStudentIn) -> dict[str, Any]:
    """Create a student, with guardians and emergency contacts"""
    created = service.create_student(caller(), json_data.values())
    return StudentOut.of(created) | {"message": "The student is saved"}


@students.get("/students/<uuid:student_id>")
@who_may(ANYONE)
@students.output(StudentOut)
def read(student_id: uuid.UUID) -> dict[str, Any]:
    """A student: for staff, their parents, and themselves"""
    return StudentOut.of(service.read_student(caller(), student_id))


@students.put("/students/<uuid:student_id>")
@who_may(STAFF)
@refuses(*SAVING, errors.RoleNotGiven)
@students.input(StudentIn)
@students.output(StudentOut)
def change(student_id: uuid.UUID, json_data: StudentIn) -> dict[str, Any]:
    """Change a student"""
    return StudentOut.of(service.change_student(caller(), student_id, json_data.values()))


@students.delete("/students/<uuid:student_id>")
@who_may(STAFF)
@students.input(ReasonIn, location="query")
@students.output(Message)
def deactivate(student_id: uuid.UUID, query_data: ReasonIn) -> dict[str, str]:
    """Deactivate a student; everything that was recorded of them stays"""
    service.deactivate_student(caller(), student_id, query_data.reason)
    return {"message": "The student is deactivated"}


@students.post("/students/<uuid:student_id>/transfer")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotClassMember, errors.AlreadyEnrolled, errors.DatesRefused)
@students.input(TransferIn)
@students.output(Message)
def transfer(student_id: uuid.UUID, json_data: TransferIn) -> dict[str, str]:
    """Move a student from one class to another from a day on"""
    classes.transfer(caller(), student_id, json_data.from_class_id, json_data.to_class_id, json_data.day)
    return {"message": "The student is in the other class"}
