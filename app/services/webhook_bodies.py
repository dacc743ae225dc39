"""What webhooks are told of an event: ids, days and figures. Who that is, the receiver asks with a key of its own, so
that no child's name leaves by itself."""

from __future__ import annotations

import json
import uuid
from datetime import date, datetime
from typing import Any

from app.extensions import db
from app.models import Event, EventKind, LeaveRequest, Session, WebhookEvent
from app.services.caller import Caller
from app.services.sessions import session_counts

NAMES = {
    EventKind.SESSION_CLOSED: WebhookEvent.SESSION_CLOSED,
    EventKind.SESSION_CHANGED: WebhookEvent.SESSION_CHANGED,
    EventKind.SESSION_CANCELLED: WebhookEvent.SESSION_CANCELLED,
    EventKind.LEAVE_DECIDED: WebhookEvent.LEAVE_DECIDED,
    EventKind.ALERT_OPENED: WebhookEvent.ALERT_OPENED,
    EventKind.ALERT_CLOSED: WebhookEvent.ALERT_CLOSED,
    EventKind.REPORT_READY: WebhookEvent.REPORT_READY,
}
OF_SESSION = (
    "class_id",
    "subject_id",
    "department_id",
    "session_date",
    "starts_at",
    "ends_at",
    "closed_at",
    "cancelled_at",
)
OF_LEAVE = ("status", "counts_as", "first_day", "last_day", "decided_at")
COUNTED = ("expected", "present", "late", "absent", "excused", "leave")


def body(name: WebhookEvent, happened_at: datetime, organisation_id: uuid.UUID, data: dict[str, Any]) -> str:
    """The message, as it is signed and sent: JSON of type, timestamp (UTC) and data."""
    told = {"type": name, "timestamp": happened_at, "data": {"organisation_id": organisation_id} | data}
    return json.dumps(told, default=_text, separators=(",", ":"))


def data_of(caller: Caller, event: Event) -> dict[str, Any]:
    """What is told of an event, of its row as that is now."""
    match event.kind:
        case EventKind.SESSION_CLOSED | EventKind.SESSION_CHANGED | EventKind.SESSION_CANCELLED:
            return _session(caller, event)
        case EventKind.LEAVE_DECIDED:
            return _leave(caller, event.about_id)
        case EventKind.ALERT_OPENED | EventKind.ALERT_CLOSED:
            return _alert(event)
        case _:
            return {"export_id": event.about_id}


def _session(caller: Caller, event: Event) -> dict[str, Any]:
    row: Session | None = db.session.scalar(caller.rows(Session).where(Session.id == event.about_id))
    told: dict[str, Any] = {"session_id": event.about_id}
    if row is None:
        return told
    told |= {name: getattr(row, name) for name in OF_SESSION}
    if event.kind == EventKind.SESSION_CLOSED:
        counts = session_counts(caller, [row])[row.id]
        told["counts"] = {name: getattr(counts, name) for name in COUNTED} | {"rate": counts.rate}
    return told


def _leave(caller: Caller, leave_request_id: uuid.UUID) -> dict[str, Any]:
    row: LeaveRequest | None = db.session.scalar(caller.rows(LeaveRequest).where(LeaveRequest.id == leave_request_id))
    told: dict[str, Any] = {"leave_request_id": leave_request_id}
    return told if row is None else told | {"student_id": row.user_id} | {name: getattr(row, name) for name in OF_LEAVE}


def _alert(event: Event) -> dict[str, Any]:
    """What else the event's own data holds is for notifications, and may be a name."""
    figures = {name: value for name, value in event.data.items() if isinstance(value, int | float)}
    told = {"alert_id": event.about_id, "student_id": event.data.get("student_id"), "kind": event.data.get("kind")}
    return told | {"figures": figures}


def _text(value: Any) -> str:
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    return value.isoformat() if isinstance(value, date) else str(value)
