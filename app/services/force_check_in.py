"""Checking somebody in by force: staff say, for a reason, that the person is there."""

from __future__ import annotations

import uuid
from typing import Any

from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Attempt, Record, Role, Source, Status, User, Verification
from app.services import audit
from app.services.caller import Caller
from app.services.check_in import refusal_for
from app.services.decision import on_time
from app.services.errors import NotFound, OwnRecord
from app.services.marks import RECORD_KEY, change, note
from app.services.records import THERE, RecordView
from app.services.seen import Seen, see
from app.services.sessions import managed_session
from app.services.transaction import insert_missing, transaction


@transaction
def force_check_in(
    caller: Caller, session_id: uuid.UUID, student_id: uuid.UUID, reason: str, status: Status | None
) -> RecordView:
    """Check somebody in whom the session expects, also when it is over or closed; who is there already stays as they
    are. It is in the audit log, with the reason.

    status: by default by the time, present until the grace is over and then late.

    Raises:
        NotFound: there is no such session or person.
        OwnRecord: it would be the caller's.
        NotYourClass, NotYourSession: as `managed_session`.
        CheckInRefused: the session does not expect the person or was cancelled, or the office has decided otherwise.
    """
    audit.because(reason)
    session = managed_session(caller, session_id)
    student = caller.get(User, student_id)
    seen = see(caller, [(student_id, session_id)]).get((student_id, session_id))
    if seen is None:  # deleted at this moment
        raise NotFound("There is no session with this id")
    if student_id == caller.user_id:
        raise OwnRecord
    if not student.is_active or student.role == Role.PARENT:  # whom a session of everybody does not mean
        raise refusal_for("not_enrolled")
    if not seen.is_expected or session.cancelled_at is not None:
        raise refusal_for("not_enrolled" if not seen.is_expected else "session_cancelled")
    values = _values(caller, seen, status)
    key = dict(zip(RECORD_KEY, (caller.organisation_id, session_id, student_id), strict=True))
    row = {"id": uuid7(), "created_at": values["marked_at"], **key, **values}
    insert_missing(Record, [row], RECORD_KEY)
    locked = caller.rows(Record).where(Record.session_id == session_id, Record.student_id == student_id)
    record: Record = db.session.scalars(locked.with_for_update().execution_options(populate_existing=True)).one()
    is_new = record.id == row["id"]
    if is_new or not _is_there(record):
        if record.is_office and not caller.administers:
            raise refusal_for("decided_by_office")
        if is_new:
            note(record)
        else:
            checked_in_at = record.checked_in_at or values["checked_in_at"]
            change(caller, record, **values | {"checked_in_at": checked_in_at, "code": None})
        _keep(caller, record)
        db.session.flush()
    return RecordView(record, student, session, is_for_staff=True)


def _is_there(record: Record) -> bool:
    came = record.checked_in_at is not None or record.source == Source.FORCED
    return came and record.status in THERE and record.verification == Verification.VERIFIED


def _values(caller: Caller, seen: Seen, status: Status | None) -> dict[str, Any]:
    now, window = clock.now(), seen.window()
    by_time = on_time(window, now) if window else Status.PRESENT
    return {
        "status": status or by_time,
        "checked_in_as": status or by_time,
        "source": Source.FORCED,
        "verification": Verification.VERIFIED,
        # after the end it is not known when they came
        "checked_in_at": now if window is None or now <= window.ends_at else None,
        "marked_at": now,
        "marked_by_id": caller.user_id,
    }


def _keep(caller: Caller, record: Record) -> None:
    evidence = {"forced": {"outcome": "pass", "by_id": str(caller.user_id)}}
    of = {"organisation_id": caller.organisation_id, "session_id": record.session_id, "user_id": record.student_id}
    db.session.add(Attempt(**of, kind="forced", evidence=evidence))
