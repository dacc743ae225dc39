"""Portals: what a teacher, a student or a parent begins the day with, in one call."""

from __future__ import annotations

from apiflask import APIBlueprint

from app.api.conditional import conditional
from app.api.policy import PARENT, STUDENT, TEACHER, caller, who_may
from app.schemas.portals import ParentPortalOut, StudentPortalOut, TeacherPortalOut
from app.services import portals as service
from app.services.portals import FamilyPortal, TeacherPortal

portals = APIBlueprint("portals", __name__, tag="Portals")


@portals.get("/portal/teacher")
@who_may(TEACHER)
@conditional
@portals.output(TeacherPortalOut)
def of_teacher() -> TeacherPortal:
    """A teacher's classes, sessions of today, registers not taken, assignments, reviews, alerts and messages"""
    return service.teachers(caller())


@portals.get("/portal/student")
@who_may(STUDENT)
@conditional
@portals.output(StudentPortalOut)
def of_student() -> FamilyPortal:
    """A student's own attendance, marks, behaviour, events, leave requests and messages"""
    return service.students(caller())


@portals.get("/portal/parent")
@who_may(PARENT)
@conditional
@portals.output(ParentPortalOut)
def of_parent() -> FamilyPortal:
    """The same of each of a parent's children"""
    return service.parents(caller())
