"""Telling guardians of absences some time after a session has closed, as the records are then; and, after several in a
row, those whom the organisation wants to know.

A session in which nobody was ever marked or checked in was not taken: that all are absent who were expected in it is no
news of any of them.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, true

from app import clock
from app.extensions import db
from app.models import ClassTeacher, Event, NotificationKind, Record, Session, Status, TeacherRole, User
from app.services.absences_due import NEWS
from app.services.audience import addresses_of_guardians, administrators, guardians_of, teachers_of
from app.services.caller import Caller
from app.services.figures import IS_TAKEN, Filters, runs_of_absences
from app.services.notifications import Notice, notify
from app.services.session_notices import about
from app.services.sessions import Days
from app.services.transaction import some_at_once

LOOKS_BACK = 366
"""Days of which absences in a row are counted."""

Names = Mapping[uuid.UUID, str]


@dataclass(frozen=True, slots=True)
class _To:
    """Whom a notice goes to: a person, or the address of a guardian without an account."""

    user_id: uuid.UUID | None
    key: uuid.UUID
    address: str | None = None


Guardians = Mapping[uuid.UUID, Sequence[_To]]
"""Of each student."""


def tell_of_absences(caller: Caller, event: Event) -> None:
    session = db.session.scalar(caller.rows(Session).where(Session.id == event.about_id))
    if session is None or session.closed_at is None or session.cancelled_at is not None:
        return
    due_at = session.closed_at + timedelta(minutes=caller.settings.notifications.absence_delay)
    if due_at > clock.now():  # it was closed again
        event.due_at = due_at
        return
    if session.session_date < caller.today - NEWS:
        return
    names = _absent(caller, session)
    if not names:
        return
    guardians = _guardians(caller, list(names))
    told = about(caller, session)
    notices = [
        Notice(
            to.user_id,
            f"absence:{session.id}:{student_id}:{to.key}",
            told | {"student": name, "status": Status.ABSENT},
            student_id,
            session.id,
            to.address,
        )
        for student_id, name in names.items()
        for to in guardians[student_id]
    ]
    notify(caller, NotificationKind.ABSENCE, notices)
    _escalate(caller, session, names, guardians)


def _absent(caller: Caller, session: Session) -> dict[uuid.UUID, str]:
    """The names of those who are absent from a session that was taken."""
    absent = (
        caller.rows(Record, User.id, User.first_name, User.last_name)
        .join(User, and_(User.id == Record.student_id, caller.owns(User)))
        .join(Session, and_(Session.id == Record.session_id, caller.owns(Session)))
        .where(Record.session_id == session.id, Record.status == Status.ABSENT, IS_TAKEN)
    )
    return {row.id: f"{row.first_name} {row.last_name}".strip() for row in db.session.execute(absent)}


def _guardians(caller: Caller, student_ids: Sequence[uuid.UUID]) -> Guardians:
    found = defaultdict[uuid.UUID, list[_To]](list)
    known: set[tuple[uuid.UUID, str | None]] = set()
    for guardian in guardians_of(caller, student_ids):
        found[guardian.student_id].append(_To(guardian.user_id, guardian.user_id))
        known.add((guardian.student_id, guardian.email))
    if caller.settings.notifications.guardians_without_account:
        for guardian in addresses_of_guardians(caller, student_ids):
            if (guardian.student_id, guardian.email) not in known:
                found[guardian.student_id].append(_To(None, guardian.id, guardian.email))
                known.add((guardian.student_id, guardian.email))
    return found


def _escalate(caller: Caller, session: Session, names: Names, guardians: Guardians) -> None:
    """Once for each row of absences: it is known by the day on which the student was last there."""
    runs = list(_runs(caller, list(names)))
    to = _responsible(caller, session, [run.student_id for run in runs], guardians)
    notices = [
        Notice(
            one.user_id,
            f"absences_in_a_row:{run.student_id}:{run.last_there}:{one.key}",
            {
                "student": names[run.student_id],
                "count": int(run.absences),
                "since": run.first_day.isoformat(),
            },
            run.student_id,
            session.id,
            one.address,
        )
        for run in runs
        for one in dict.fromkeys(to[run.student_id])
    ]
    notify(caller, NotificationKind.ABSENCES_IN_A_ROW, notices)


def _runs(caller: Caller, student_ids: Sequence[uuid.UUID]) -> Iterator[Any]:
    decided = caller.settings.notifications
    days = Days(*Days().bounds(caller.today, LOOKS_BACK))
    if decided.escalate_to:
        for some in some_at_once(student_ids):
            filters = Filters(days, student_ids=some)
            yield from db.session.execute(runs_of_absences(caller, filters, decided.escalate_after))


def _responsible(
    caller: Caller, session: Session, student_ids: Sequence[uuid.UUID], guardians: Guardians
) -> dict[uuid.UUID, list[_To]]:
    """Those of `escalate_to`; of teachers those who lead the session's class, or, where it has none, the student's."""
    roles = caller.settings.notifications.escalate_to if student_ids else []
    found = defaultdict[uuid.UUID, list[_To]](list)
    if "guardians" in roles:
        for student_id in student_ids:
            found[student_id] += guardians[student_id]
    if "teachers" in roles:
        of_class = ClassTeacher.class_id == session.class_id if session.class_id else true()
        for row in teachers_of(caller, student_ids, ClassTeacher.role == TeacherRole.LEAD, of_class):
            found[row.student_id].append(_To(row.user_id, row.user_id))
    if "admins" in roles:
        everybody = [_To(user_id, user_id) for user_id in sorted(administrators(caller))]
        for student_id in student_ids:
            found[student_id] += everybody
    return found
