"""Alerts: which students are at risk, and why."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ADMIN, STAFF, caller, who_may
from app.models import AlertKind
from app.schemas.alerts import AcknowledgeIn, AlertListIn, AlertOut, AlertPageOut, OpenAlertsOut, RefreshedOut
from app.services import alerts as service
from app.services import errors
from app.services.alerts import AlertView, Refreshed
from app.services.paging import Page

alerts = APIBlueprint("alerts", __name__, tag="Alerts")

ON_DASHBOARDS = {
    "low_attendance": AlertKind.LOW_ATTENDANCE,
    "low_performance": AlertKind.LOW_MARKS,
    "behavioral_concerns": AlertKind.BEHAVIOUR,
    "consecutive_absences": AlertKind.CONSECUTIVE_ABSENCES,
}


@alerts.get("/dashboard/alerts")
@who_may(STAFF)
@alerts.output(OpenAlertsOut)
def on_dashboard() -> dict[str, Any]:
    """The open alerts by kind, the latest of each: all to administrators, teachers their classes' students'"""
    found = service.open_alerts(caller())
    lists = {name: found.by_kind.get(kind, []) for name, kind in ON_DASHBOARDS.items()}
    return {**lists, "totals": {name: found.totals[kind] for name, kind in ON_DASHBOARDS.items()}}


@alerts.get("/alerts")
@who_may(STAFF)
@alerts.input(AlertListIn, location="query")
@alerts.output(AlertPageOut)
def list_alerts(query_data: AlertListIn) -> Page[AlertView]:
    """Alerts, open and closed: all to administrators, teachers those of their classes' students"""
    return service.list_alerts(caller(), query_data.wanted, query_data.paging)


@alerts.get("/alerts/<uuid:alert_id>")
@who_may(STAFF)
@refuses(errors.NotFound)
@alerts.output(AlertOut)
def read(alert_id: uuid.UUID) -> AlertView:
    """An alert"""
    return service.read(caller(), alert_id)


@alerts.post("/alerts/<uuid:alert_id>/acknowledge")
@who_may(STAFF)
@refuses(errors.NotFound, errors.AlertClosed)
@alerts.input(AcknowledgeIn)
@alerts.output(AlertOut)
def acknowledge(alert_id: uuid.UUID, json_data: AcknowledgeIn) -> AlertView:
    """Say that one has seen an open alert, with a note"""
    return service.acknowledge(caller(), alert_id, json_data.note)


@alerts.post("/alerts/refresh")
@who_may(ADMIN)
@alerts.output(RefreshedOut)
def refresh() -> Refreshed:
    """Have the organisation's alerts say what holds now, which is done every hour anyway"""
    return service.refresh_of(caller())
