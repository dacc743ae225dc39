"""The audit log, for administrators."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint
from flask import Response, stream_with_context

from app.api.policy import ADMIN, caller, who_may
from app.schemas.audit import AuditExportIn, AuditListIn, AuditPageOut
from app.services import audit_log
from app.services.audit_log import AuditFilter
from app.services.paging import Page

audit = APIBlueprint("audit", __name__, tag="Audit log")

CSV: Any = {200: {"description": "A file", "content": {"text/csv": {"schema": {"type": "string"}}}}}


@audit.get("/admin/audit")
@who_may(ADMIN)
@audit.input(AuditListIn, location="query")
@audit.output(AuditPageOut)
def search(query_data: AuditListIn) -> Page[dict[str, Any]]:
    """Who changed what, the latest first"""
    wanted = query_data.model_dump(exclude={"page", "per_page", "sort", "after"})
    return audit_log.search(caller(), AuditFilter(**wanted), query_data.paging)


@audit.get("/admin/audit/export")
@who_may(ADMIN)
@audit.input(AuditExportIn, location="query")
@audit.doc(responses=CSV)
def export(query_data: AuditExportIn) -> Response:
    """The audit log as CSV, the oldest first"""
    lines = audit_log.as_csv(caller(), AuditFilter(**query_data.model_dump()))
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return Response(stream_with_context(lines), headers=headers, mimetype="text/csv")
