"""Reports that are sent by mail, again and again."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from apiflask import APIBlueprint

from app.api.limits import limited, the_caller
from app.api.openapi import refuses
from app.api.policy import STAFF, caller, who_may
from app.schemas.base import Message
from app.schemas.report_schedules import (
    ReportScheduleChangeIn,
    ReportScheduleIn,
    ReportScheduleListIn,
    ReportScheduleOut,
    ReportSchedulePageOut,
)
from app.services import errors
from app.services import report_schedules as service
from app.services.paging import Page
from app.services.report_schedules import ReportScheduleView

report_schedules = APIBlueprint("report_schedules", __name__, tag="Scheduled reports")


@report_schedules.post("/reports/schedules")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass, errors.NotYourReport, errors.ReportRefused)
@report_schedules.input(ReportScheduleIn)
@report_schedules.output(ReportScheduleOut, status_code=201)
def create(json_data: ReportScheduleIn) -> ReportScheduleView:
    """Have a report sent by mail, daily, weekly or monthly; a teacher, of their own classes, to themselves"""
    return service.create_report_schedule(caller(), json_data.model_dump())


@report_schedules.get("/reports/schedules")
@who_may(STAFF)
@report_schedules.input(ReportScheduleListIn, location="query")
@report_schedules.output(ReportSchedulePageOut)
def list_report_schedules(query_data: ReportScheduleListIn) -> Page[ReportScheduleView]:
    """What is sent; a teacher sees their own"""
    return service.list_report_schedules(caller(), query_data.paging)


@report_schedules.get("/reports/schedules/<uuid:report_schedule_id>")
@who_may(STAFF)
@report_schedules.output(ReportScheduleOut)
def read(report_schedule_id: uuid.UUID) -> ReportScheduleView:
    """What is sent, when it was sent last and will be next"""
    return service.read_report_schedule(caller(), report_schedule_id)


@report_schedules.put("/reports/schedules/<uuid:report_schedule_id>")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourReport, errors.ReportRefused)
@report_schedules.input(ReportScheduleChangeIn)
@report_schedules.output(ReportScheduleOut)
def change(report_schedule_id: uuid.UUID, json_data: ReportScheduleChangeIn) -> ReportScheduleView:
    """Change what is sent, when and to whom, or pause it"""
    return service.change_report_schedule(caller(), report_schedule_id, json_data.changes())


@report_schedules.delete("/reports/schedules/<uuid:report_schedule_id>")
@who_may(STAFF)
@report_schedules.output(Message)
def remove(report_schedule_id: uuid.UUID) -> dict[str, str]:
    """Send it no more"""
    service.remove_report_schedule(caller(), report_schedule_id)
    return {"message": "It is sent no more"}


@report_schedules.post("/reports/schedules/<uuid:report_schedule_id>/send")
@who_may(STAFF)
@limited("10 per hour", by=the_caller, counts=HTTPStatus.OK)
@report_schedules.output(Message)
def send(report_schedule_id: uuid.UUID) -> dict[str, str]:
    """Send the latest report now, to everybody, also if it was sent already or is paused"""
    service.send_now(caller(), report_schedule_id)
    return {"message": "The report is on its way"}
