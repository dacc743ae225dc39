"""Records as files, at once or as a job."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint
from flask import Response, stream_with_context

from app.api.jobs import may_respond_async
from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.schemas.exports import CsvQuery, ExportIn, ExportOut, ExportQuery, PrintQuery, XlsxQuery
from app.services import errors, export, kept_exports, printouts
from app.services.export import Wanted
from app.services.kept_exports import KINDS, Download, Format

exports = APIBlueprint("exports", __name__, tag="Exports")


def a_file(*media_types: str) -> Any:
    """What the document says of an answer that is a file."""
    binary, array = {"type": "string", "format": "binary"}, {"type": "array", "items": {"type": "object"}}
    content = {kind: {"schema": array if kind == "application/json" else binary} for kind in media_types}
    return {200: {"description": "A file", "content": content}}


def _file(form: Format) -> Any:
    return a_file(KINDS[form].media_type)


@exports.get("/reports/export/csv")
@who_may(STAFF)
@refuses(errors.NotFound)
@exports.input(CsvQuery, location="query")
@exports.doc(responses=_file(Format.CSV))
def export_csv(query_data: CsvQuery) -> Response:
    """Records as CSV, of at most 400 days"""
    return _written(Format.CSV, query_data.wanted)


@exports.get("/reports/export/json")
@who_may(STAFF)
@refuses(errors.NotFound)
@exports.input(ExportQuery, location="query")
@exports.doc(responses=_file(Format.JSON))
def export_json(query_data: ExportQuery) -> Response:
    """Records as an array of JSON objects, of at most 400 days"""
    return _written(Format.JSON, query_data.wanted)


@exports.get("/reports/export/xlsx")
@who_may(STAFF)
@refuses(errors.NotFound)
@exports.input(XlsxQuery, location="query")
@exports.doc(responses=_file(Format.XLSX))
def export_xlsx(query_data: XlsxQuery) -> Response:
    """Records as a spreadsheet, of at most 400 days"""
    return _written(Format.XLSX, query_data.wanted)


@exports.get("/reports/export/ed-fi")
@who_may(STAFF)
@refuses(errors.NotFound)
@exports.input(ExportQuery, location="query")
@exports.doc(responses=_file(Format.ED_FI))
def export_ed_fi(query_data: ExportQuery) -> Response:
    """Records as Ed-Fi attendance events, one in each line of JSON, of at most 400 days"""
    return _written(Format.ED_FI, query_data.wanted)


def _require_known(json_data: ExportIn) -> None:
    export.require_known(caller(), json_data.filters)


@exports.post("/reports/exports")
@who_may(STAFF)
@refuses(errors.NotFound, errors.JobsBusy)
@exports.input(ExportIn)
@exports.output(ExportOut)
@may_respond_async(ExportOut, always_once=_require_known)
def make(json_data: ExportIn) -> dict[str, Any]:
    """Have records of any time written to a file, as a job, whose result says where it is fetched"""
    made = kept_exports.make(caller(), json_data.format, json_data.wanted)
    shown = {name: getattr(made, name) for name in ("id", "format", "rows", "size", "expires_at")}
    return shown | {"download": f"/api/reports/exports/{made.id}"}


@exports.get("/reports/exports/<uuid:export_id>")
@who_may(STAFF)
@exports.doc(responses=a_file(*(kind.media_type for kind in KINDS.values())))
def read(export_id: uuid.UUID) -> Response:
    """A file that one has had made; kept for a day"""
    return sent(kept_exports.read(caller(), export_id))


PDF = "application/pdf"


@exports.get("/reports/class/<uuid:class_id>/register.pdf")
@who_may(STAFF)
@refuses(errors.DatesRefused)
@exports.input(PrintQuery, location="query")
@exports.doc(responses=a_file(PDF))
def print_register(class_id: uuid.UUID, query_data: PrintQuery) -> Response:
    """A class's register to be printed: its students and the sessions of some time, by default the last month"""
    file = printouts.class_register(caller(), class_id, query_data.days)
    return sent(Download("register.pdf", PDF, iter([file])))


@exports.get("/reports/user/<uuid:user_id>/report.pdf")
@who_may(ANYONE)
@refuses(errors.DatesRefused)
@exports.input(PrintQuery, location="query")
@exports.doc(responses=a_file(PDF))
def print_report(user_id: uuid.UUID, query_data: PrintQuery) -> Response:
    """A person's attendance to be printed, by default the last month's: for staff, their parents, and themselves"""
    file = printouts.person_report(caller(), user_id, query_data.days)
    return sent(Download("attendance.pdf", PDF, iter([file])))


def _written(form: Format, wanted: Wanted) -> Response:
    return sent(kept_exports.write(caller(), form, wanted))


def sent(file: Download) -> Response:
    headers = {
        "Content-Disposition": f'attachment; filename="{file.name}"',
        "Cache-Control": "private, no-store",
        "X-Content-Type-Options": "nosniff",
    }
    return Response(stream_with_context(file.content), headers=headers, mimetype=file.media_type)
