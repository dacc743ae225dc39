"""Importing many people and enrolments at once."""

from __future__ import annotations

from functools import partial

from apiflask import APIBlueprint

from app.api.jobs import may_respond_async
from app.api.openapi import refuses
from app.api.policy import ADMIN, caller, who_may
from app.schemas.imports import EnrolmentRowIn, ImportedOut, ImportIn, UserRowIn, check
from app.services import errors
from app.services import imports as service
from app.services.imports import Imported

imports = APIBlueprint("imports", __name__, tag="Imports")

REFUSALS = (errors.UnreadableFile, errors.RowsRefused, errors.DatesRefused, errors.ChangedMeanwhile, errors.JobsBusy)


@imports.post("/admin/import/users")
@who_may(ADMIN)
@refuses(*REFUSALS)
@imports.input(ImportIn)
@imports.output(ImportedOut)
@may_respond_async(ImportedOut)
def import_users(json_data: ImportIn) -> Imported:
    """Create and change people from CSV, XLSX or JSON: all rows or none; a second time changes nothing"""
    return service.import_users(caller(), json_data.read(), partial(check, UserRowIn), json_data.dry_run)


@imports.post("/admin/import/enrolments")
@who_may(ADMIN)
@refuses(*REFUSALS)
@imports.input(ImportIn)
@imports.output(ImportedOut)
@may_respond_async(ImportedOut)
def import_enrolments(json_data: ImportIn) -> Imported:
    """Enrol students in classes from CSV, XLSX or JSON: all rows or none; a second time changes nothing"""
    return service.import_enrolments(caller(), json_data.read(), partial(check, EnrolmentRowIn), json_data.dry_run)
