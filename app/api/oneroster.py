"""OneRoster in and out, for administrators."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response

from app.api.jobs import may_respond_async
from app.api.openapi import refuses
from app.api.policy import ADMIN, caller, who_may
from app.schemas.oneroster import OneRosterIn, OneRosterOut, OneRosterQuery
from app.services import errors
from app.services.oneroster_export import export_archive
from app.services.oneroster_import import Imported, import_archive

oneroster = APIBlueprint("oneroster", __name__, tag="OneRoster")

ZIP = "application/zip"
ARCHIVE: Any = {
    200: {"description": "A file", "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}},
}


@oneroster.post("/admin/oneroster/import")
@who_may(ADMIN)
@refuses(errors.UnreadableFile, errors.RowsRefused, errors.ChangedMeanwhile, errors.JobsBusy)
@oneroster.input(OneRosterQuery, location="query")
@oneroster.input(OneRosterIn)
@oneroster.output(OneRosterOut)
@may_respond_async(OneRosterOut)
def import_roster(query_data: OneRosterQuery, json_data: OneRosterIn) -> Imported:
    """Import people, classes and enrolments from a OneRoster archive: all or nothing; a second time changes nothing"""
    return import_archive(caller(), json_data.file, query_data.dry_run)


@oneroster.get("/admin/oneroster/export")
@who_may(ADMIN)
@oneroster.doc(responses=ARCHIVE)
def export_roster() -> Response:
    """People, classes and enrolments as a OneRoster 1.2 archive"""
    headers = {"Content-Disposition": 'attachment; filename="oneroster.zip"'}
    return Response(export_archive(caller()), headers=headers, mimetype=ZIP)
