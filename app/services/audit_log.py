"""Reading the audit log."""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select

from app.extensions import db
from app.models import AuditEntry
from app.services.caller import Caller
from app.services.paging import Page, Paging, paginate
from app.services.tables import safe_cell
from app.services.transaction import release

FIELDS = "sequence created_at actor_id action entity row_id person_id reason before after address device".split()


@dataclass(frozen=True, slots=True)
class AuditFilter:
    actor_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = None
    row_id: uuid.UUID | None = None
    entity: str | None = None
    action: str | None = None
    since: datetime | None = None
    until: datetime | None = None


def search(caller: Caller, wanted: AuditFilter, paging: Paging) -> Page[dict[str, Any]]:
    """Entries of the organisation's audit log."""
    page = paginate(_query(caller, wanted), paging, {"sequence": AuditEntry.sequence})
    return page.of([_shown(entry) for entry in page.items])


def as_csv(caller: Caller, wanted: AuditFilter) -> Iterator[str]:
    """The wanted entries as lines of CSV (RFC 4180), the oldest first, without holding more than a page of them."""
    yield _lines([FIELDS])
    last = 0
    while True:
        query = _query(caller, wanted).where(AuditEntry.sequence > last).order_by(AuditEntry.sequence)
        page = db.session.scalars(query.limit(1000)).all()
        release()
        yield _lines([[_cell(shown[name]) for name in FIELDS] for shown in map(_shown, page)])
        if not page:
            return
        last = page[-1].sequence


def _query(caller: Caller, wanted: AuditFilter) -> Select[Any]:
    query = caller.rows(AuditEntry)
    for name in ("actor_id", "person_id", "row_id", "entity", "action"):
        if (value := getattr(wanted, name)) is not None:
            query = query.where(getattr(AuditEntry, name) == value)
    if wanted.since:
        query = query.where(AuditEntry.created_at >= wanted.since)
    return query.where(AuditEntry.created_at < wanted.until) if wanted.until else query


def _shown(entry: AuditEntry) -> dict[str, Any]:
    content, origin = entry.content or {}, entry.origin or {}
    row = {name: getattr(entry, name, None) for name in FIELDS} | {"id": entry.id, "request_id": entry.request_id}
    known = {"before", "after", "reason", "salt"}
    return row | {
        "before": content.get("before"),
        "after": content.get("after"),
        "reason": content.get("reason"),
        "details": {name: value for name, value in content.items() if name not in known},
        "address": origin.get("address"),
        "device": origin.get("device"),
    }


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        return safe_cell(json.dumps(value, ensure_ascii=False))
    return safe_cell(value.isoformat() if isinstance(value, datetime) else "" if value is None else str(value))


def _lines(rows: list[list[str]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(rows)
    return file.getvalue()
