"""Classes and joining them."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from apiflask import APIBlueprint

from app.api.limits import limited, the_caller
from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, STUDENT, caller, who_may
from app.schemas.base import Message
from app.schemas.classes import (
    ClassChangeIn,
    ClassDetailOut,
    ClassIn,
    ClassListIn,
    ClassOut,
    ClassPageOut,
    EnrolIn,
    JoinCodeOut,
    JoinIn,
    TeacherIn,
    UnenrolIn,
)
from app.services import classes as service
from app.services import errors
from app.services.classes import ClassView
from app.services.paging import Page

classes = APIBlueprint("classes", __name__, tag="Classes")


@classes.post("/classes/create")
@who_may(STAFF)
@refuses(errors.NotFound)
@classes.input(ClassIn)
@classes.output(ClassOut, status_code=201)
def create(json_data: ClassIn) -> ClassView:
    """Create a class, and get the join code to read out"""
    return service.create_class(caller(), **json_data.values())


@classes.get("/classes/my-classes")
@who_may(ANYONE)
@classes.input(ClassListIn, location="query")
@classes.output(ClassPageOut)
def my_classes(query_data: ClassListIn) -> Page[ClassView]:
    """The classes that one teaches or is enrolled in"""
    return service.my_classes(caller(), query_data.paging)


@classes.get("/classes/<uuid:class_id>")
@who_may(ANYONE)
@refuses(errors.NotClassMember)
@classes.output(ClassDetailOut)
def read(class_id: uuid.UUID) -> ClassView:
    """A class, for its members; those who teach it also see the students and the join code"""
    return service.read_class(caller(), class_id)


@classes.post("/classes/join")
@who_may(STUDENT)
@refuses(errors.UnknownJoinCode, errors.AlreadyEnrolled)
@limited("10 per minute", by=the_caller, counts=HTTPStatus.NOT_FOUND)
@classes.input(JoinIn)
@classes.output(ClassOut, status_code=201)
def join(json_data: JoinIn) -> ClassView:
    """Join a class with its code"""
    return service.join_class(caller(), json_data.join_code)


@classes.post("/classes/<uuid:class_id>/leave")
@who_may(STUDENT)
@refuses(errors.NotClassMember)
@classes.output(Message)
def leave(class_id: uuid.UUID) -> dict[str, str]:
    """Leave a class; one's records stay, and joining again works"""
    service.leave_class(caller(), class_id)
    return {"message": "You have left the class"}


@classes.put("/classes/<uuid:class_id>/update")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass)
@classes.input(ClassChangeIn)
@classes.output(ClassOut)
def update(class_id: uuid.UUID, json_data: ClassChangeIn) -> ClassView:
    """Change a class; its timetables move to its time zone"""
    return service.change_class(caller(), class_id, json_data.changes())


@classes.post("/classes/<uuid:class_id>/teachers")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotATeacher)
@classes.input(TeacherIn)
@classes.output(ClassOut)
def set_teacher(class_id: uuid.UUID, json_data: TeacherIn) -> ClassView:
    """Add a teacher to a class, or change their role in it"""
    return service.set_teacher(caller(), class_id, json_data.teacher_id, json_data.role)


@classes.delete("/classes/<uuid:class_id>/teachers/<uuid:teacher_id>")
@who_may(STAFF)
@refuses(errors.NotYourClass)
@classes.output(Message)
def remove_teacher(class_id: uuid.UUID, teacher_id: uuid.UUID) -> dict[str, str]:
    """Take a teacher off a class"""
    service.remove_teacher(caller(), class_id, teacher_id)
    return {"message": "They do not teach this class any more"}


@classes.post("/classes/<uuid:class_id>/students")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotAStudent, errors.AlreadyEnrolled, errors.DatesRefused)
@classes.input(EnrolIn)
@classes.output(ClassOut, status_code=201)
def enrol(class_id: uuid.UUID, json_data: EnrolIn) -> ClassView:
    """Enrol students in a class, from a day on: all of them, or none"""
    return service.enrol(caller(), class_id, json_data.student_ids, json_data.starts_on, json_data.ends_on)


@classes.delete("/classes/<uuid:class_id>/students/<uuid:student_id>")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotClassMember, errors.DatesRefused)
@classes.input(UnenrolIn, location="query")
@classes.output(Message)
def unenrol(class_id: uuid.UUID, student_id: uuid.UUID, query_data: UnenrolIn) -> dict[str, str]:
    """End a student's enrolment; their records stay"""
    service.unenrol(caller(), class_id, student_id, query_data.ends_on)
    return {"message": "The enrolment has ended"}


@classes.post("/classes/<uuid:class_id>/regenerate-code")
@who_may(STAFF)
@refuses(errors.NotYourClass)
@classes.output(JoinCodeOut)
def regenerate_code(class_id: uuid.UUID) -> dict[str, str]:
    """Get a new join code; the old one stops working at once"""
    return {"join_code": service.regenerate_join_code(caller(), class_id)}
