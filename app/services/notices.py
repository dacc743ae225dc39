"""Who is notified of what happened, by its kind."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

from app import clock
from app.extensions import db
from app.models import Alert, AlertKind, Event, EventKind, LeaveRequest, LeaveStatus, NotificationKind, User
from app.services.absence_notices import tell_of_absences
from app.services.at_risk import notes_families_see
from app.services.audience import guardians_of, may_be_told_of, teachers_of
from app.services.caller import Caller
from app.services.notifications import Notice, notify
from app.services.session_notices import tell_of_changes

OF_ATTENDANCE = (AlertKind.LOW_ATTENDANCE, AlertKind.CONSECUTIVE_ABSENCES)


def tell_people(caller: Caller, event: Event) -> None:
    """Within the transaction that tells of an event: notify those whom it concerns."""
    if (tell := KINDS.get(event.kind)) is not None:
        tell(caller, event)


def _leave_decided(caller: Caller, event: Event) -> None:
    """Who asked, if they may know of it still, and the person, unless one of them has decided."""
    request = db.session.scalar(caller.rows(LeaveRequest).where(LeaveRequest.id == event.about_id))
    if request is None or request.status not in {LeaveStatus.APPROVED, LeaveStatus.REJECTED}:
        return
    if request.decided_at is None or request.decided_at.isoformat() != event.data["decided_at"]:
        return  # it was decided again, of which another event tells
    data = {
        "student": caller.get(User, request.user_id).name,
        "first_day": request.first_day.isoformat(),
        "last_day": request.last_day.isoformat(),
        "decision": request.status,
        "reason": request.decision_reason,
    }
    people = {request.requested_by_id, request.user_id} - {request.decided_by_id}
    people = {id_ for id_ in people if may_be_told_of(caller, request.user_id, id_)}
    notices = [Notice(id_, _key(event, id_), data, request.user_id, request.id) for id_ in sorted(people)]
    notify(caller, NotificationKind.LEAVE_DECIDED, notices)


def _report_ready(caller: Caller, event: Event) -> None:
    user_id = uuid.UUID(event.data["user_id"])
    data = {name: event.data[name] for name in ("report", "url")}
    notify(caller, NotificationKind.REPORT_READY, [Notice(user_id, _key(event, user_id), data, None, event.about_id)])


def _alert_opened(caller: Caller, event: Event) -> None:
    """The student's teachers, and their guardians where the organisation wants it: of attendance no sooner than of the
    absence that it follows from, of behaviour by what they may see."""
    alert = db.session.scalar(caller.rows(Alert).where(Alert.id == event.about_id))
    if alert is None or not alert.is_open:
        return
    due_at = alert.opened_at + timedelta(minutes=caller.settings.notifications.absence_delay)
    if alert.kind in OF_ATTENDANCE and due_at > clock.now():
        event.due_at = due_at
        return
    student_id = alert.student_id
    student = caller.get(User, student_id)
    value, threshold = (alert.figures[name] for name in ("value", "threshold"))
    values = dict.fromkeys((row.user_id for row in teachers_of(caller, [student_id])), value)
    if caller.settings.notifications.at_risk_to_guardians:
        if alert.kind == AlertKind.BEHAVIOUR:
            value = notes_families_see(caller, student_id)
        if alert.kind != AlertKind.BEHAVIOUR or value >= threshold:
            values = dict.fromkeys((row.user_id for row in guardians_of(caller, [student_id])), value) | values
    of = 100 if alert.kind == AlertKind.LOW_ATTENDANCE else 1
    data = {"student": student.name, "alert": alert.kind, "threshold": threshold / of}
    notices = [
        Notice(id_, f"at_risk:{event.about_id}:{id_}", data | {"value": values[id_] / of}, student_id, event.about_id)
        for id_ in sorted(values)
    ]
    notify(caller, NotificationKind.AT_RISK, notices)


def _key(event: Event, user_id: uuid.UUID) -> str:
    return f"{event.kind}:{event.id}:{user_id}"


KINDS: dict[EventKind, Callable[[Caller, Event], None]] = {
    EventKind.ABSENCES_DUE: tell_of_absences,
    EventKind.CHANGES_DUE: tell_of_changes,
    EventKind.LEAVE_DECIDED: _leave_decided,
    EventKind.ALERT_OPENED: _alert_opened,
    EventKind.REPORT_READY: _report_ready,
}
