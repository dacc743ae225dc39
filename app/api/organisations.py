"""Organisations: for those who manage the installation, and for each one's own administrators."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ADMIN, SUPER_ADMIN, caller, who_may
from app.schemas.base import Message
from app.schemas.organisations import (
    OrganisationChangeIn,
    OrganisationDetailOut,
    OrganisationIn,
    OrganisationListIn,
    OrganisationOut,
    OrganisationPageOut,
)
from app.schemas.users import ReasonIn
from app.services import errors
from app.services import organisations as service
from app.services.organisations import OrganisationView
from app.services.paging import Page

organisations = APIBlueprint("organisations", __name__, tag="Organisations")


@organisations.get("/admin/organizations")
@who_may(SUPER_ADMIN)
@organisations.input(OrganisationListIn, location="query")
@organisations.output(OrganisationPageOut)
def list_organisations(query_data: OrganisationListIn) -> Page[OrganisationView]:
    """All organisations of the installation"""
    return service.list_organisations(query_data.search, query_data.paging)


@organisations.post("/admin/organizations")
@who_may(SUPER_ADMIN)
@refuses(errors.NameTaken, errors.SettingsRefused)
@organisations.input(OrganisationIn)
@organisations.output(OrganisationOut, status_code=201)
def create(json_data: OrganisationIn) -> OrganisationView:
    """Create an organisation; nobody may register in it until its settings say so"""
    return service.create_organisation({"time_zone": "UTC"} | json_data.values())


@organisations.get("/admin/organizations/<uuid:organisation_id>")
@who_may(ADMIN)
@organisations.output(OrganisationDetailOut)
def read(organisation_id: uuid.UUID) -> OrganisationView:
    """An organisation with its settings and numbers"""
    return service.read_organisation(caller(), organisation_id)


@organisations.put("/admin/organizations/<uuid:organisation_id>")
@who_may(ADMIN)
@refuses(errors.NameTaken, errors.SettingsRefused, errors.RoleNotGiven, errors.LastAdmin)
@organisations.input(OrganisationChangeIn)
@organisations.output(OrganisationOut)
def change(organisation_id: uuid.UUID, json_data: OrganisationChangeIn) -> OrganisationView:
    """Change an organisation and its settings"""
    values = json_data.values()
    reason = values.pop("reason", None)
    return service.change_organisation(caller(), organisation_id, values, reason)


@organisations.delete("/admin/organizations/<uuid:organisation_id>")
@who_may(SUPER_ADMIN)
@refuses(errors.LastAdmin)
@organisations.input(ReasonIn, location="query")
@organisations.output(Message)
def deactivate(organisation_id: uuid.UUID, query_data: ReasonIn) -> dict[str, str]:
    """Deactivate an organisation: its people are out at once, and nothing is lost"""
    service.change_organisation(caller(), organisation_id, {"is_active": False}, query_data.reason)
    return {"message": "The organisation is deactivated"}
