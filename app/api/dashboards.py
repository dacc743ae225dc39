"""Dashboards: what each role wants to see first, in one call."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from app.api.conditional import conditional
from app.api.policy import ADMIN, COUNTED, PARENT, STAFF, TEACHER, caller, who_may
from app.schemas.dashboards import (
    AdminStatsIn,
    AdminStatsOut,
    ParentDashboardOut,
    PersonDashboardOut,
    StatsOut,
    TeacherDashboardOut,
)
from app.services import dashboards as service
from app.services.dashboards import AdminStats, PersonDashboard, Stats, TeacherDashboard

dashboards = APIBlueprint("dashboards", __name__, tag="Dashboards")


@dashboards.get("/dashboard/stats")
@who_may(STAFF)
@conditional
@dashboards.output(StatsOut)
def stats() -> Stats:
    """How many people there are, attendance today and in the last six months, and the latest activities"""
    return service.stats(caller())


@dashboards.get("/admin/dashboard/stats")
@who_may(ADMIN)
@conditional
@dashboards.input(AdminStatsIn, location="query")
@dashboards.output(AdminStatsOut)
def admin_stats(query_data: AdminStatsIn) -> AdminStats:
    """The organisation's people by role, sessions, and attendance today and of some days"""
    return service.admin_stats(caller(), query_data.days)


@dashboards.get("/dashboard/teacher")
@who_may(TEACHER)
@conditional
@dashboards.output(TeacherDashboardOut)
def of_teacher() -> TeacherDashboard:
    """A teacher's classes, today's sessions, and what there is to do"""
    return service.of_teacher(caller())


@dashboards.get("/dashboard/student")
@who_may(COUNTED)
@conditional
@dashboards.output(PersonDashboardOut)
def of_student() -> PersonDashboard:
    """One's own attendance of the last six months, and today's sessions"""
    return service.of_person(caller())


@dashboards.get("/dashboard/parent")
@who_may(PARENT)
@conditional
@dashboards.output(ParentDashboardOut)
def of_parent() -> dict[str, Any]:
    """As a student's, of each of a parent's children"""
    return {"children": service.of_children(caller())}
