"""Participation in events and activities: who took part, was registered, or did not come."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Select, func
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import Participation, ParticipationStatus, User
from app.services import audit
from app.services.caller import Caller
from app.services.errors import DatesRefused, NotFound, ParticipationTaken
from app.services.paging import Page, Paging, paginate
from app.services.sessions import Days
from app.services.students import visible_students
from app.services.transaction import transaction

BEFORE = {ParticipationStatus.REGISTERED, ParticipationStatus.EXCUSED}
"""What can be known before the day."""


@dataclass(frozen=True, slots=True)
class ParticipationFilter:
    """event: without regard to case."""

    student_id: uuid.UUID | None = None
    event: str | None = None
    status: ParticipationStatus | None = None
    days: Days = field(default_factory=Days)


@dataclass(frozen=True, slots=True)
class ParticipationView:
    row: Participation
    student: User

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@transaction
def enter(
    caller: Caller, student_ids: Sequence[uuid.UUID], event: str, held_on: date | None, **values: Any
) -> list[ParticipationView]:
    """Enter students for one event on one day, by default today: all of them, or none.

    values: status and remarks, the same for all.

    Raises:
        NotFound: some are no students of the organisation; names them.
        ParticipationTaken: some are entered for it already; names them.
        DatesRefused: the day is to come, and the status is one that can only be known after it.
    """
    wanted, day = list(dict.fromkeys(student_ids)), held_on or caller.today
    _require_known(caller, values["status"], day)
    students = {user.id: user for user in db.session.scalars(visible_students(caller).where(User.id.in_(wanted)))}
    if missing := [str(id_) for id_ in wanted if id_ not in students]:
        raise NotFound("There is no student with this id", ids=missing)
    there = caller.rows(Participation, Participation.student_id).where(
        Participation.student_id.in_(wanted), Participation.event == event, Participation.held_on == day
    )
    if taken := db.session.scalars(there).all():
        raise ParticipationTaken(errors={str(id_): ["Entered already"] for id_ in taken})
    own = {"organisation_id": caller.organisation_id, "recorded_by_id": caller.user_id}
    rows = [Participation(**own, student_id=id_, event=event, held_on=day, **values) for id_ in wanted]
    db.session.add_all(rows)
    _save()
    return [ParticipationView(row, students[row.student_id]) for row in rows]


def list_participations(caller: Caller, wanted: ParticipationFilter, paging: Paging) -> Page[ParticipationView]:
    """Staff see all, students and parents their own."""
    query = _visible(caller).where(wanted.days.condition(Participation.held_on))
    if wanted.student_id:
        query = query.where(Participation.student_id == wanted.student_id)
    if wanted.event:
        query = query.where(func.lower(Participation.event) == wanted.event.lower())
    if wanted.status:
        query = query.where(Participation.status == wanted.status)
    columns = {
        "id": Participation.id,
        "held_on": (Participation.held_on, Participation.id),
        "event": Participation.event,
        "created_at": Participation.created_at,
    }
    page = paginate(query, paging, columns)
    return page.of(_views(caller, page.items))


def read(caller: Caller, participation_id: uuid.UUID) -> ParticipationView:
    """Raises NotFound; one that is not the caller's to see is no different."""
    return _views(caller, [_participation(caller, participation_id)])[0]


@transaction
def change(
    caller: Caller, participation_id: uuid.UUID, reason: str | None, changes: dict[str, Any]
) -> ParticipationView:
    """Set those of event, held_on, status and remarks that are given. Raises as `enter`."""
    if reason:
        audit.because(reason)
    row = _participation(caller, participation_id)
    for name, value in changes.items():
        setattr(row, name, value)
    _require_known(caller, row.status, row.held_on)
    _save()
    return _views(caller, [row])[0]


@transaction
def remove(caller: Caller, participation_id: uuid.UUID, reason: str | None) -> None:
    """Raises NotFound."""
    if reason:
        audit.because(reason)
    db.session.delete(_participation(caller, participation_id))


def _visible(caller: Caller) -> Select[Any]:
    query = caller.rows(Participation)
    return query if caller.is_staff else query.where(Participation.student_id.in_(visible_students(caller, User.id)))


def _participation(caller: Caller, participation_id: uuid.UUID) -> Participation:
    row: Participation | None = db.session.scalar(_visible(caller).where(Participation.id == participation_id))
    if row is None:
        raise NotFound("There is no participation with this id")
    return row


def _require_known(caller: Caller, status: ParticipationStatus, day: date) -> None:
    if day > caller.today and status not in BEFORE:
        raise DatesRefused("held_on is still to come: until then one is registered, or excused")


def _save() -> None:
    """Raises ParticipationTaken: somebody entered one of them at the same moment, or it is moved to where one is."""
    try:
        db.session.flush()
    except IntegrityError as taken:
        raise ParticipationTaken from taken


def _views(caller: Caller, rows: Sequence[Participation]) -> list[ParticipationView]:
    people = caller.rows(User).where(User.id.in_({row.student_id for row in rows}))
    students = {user.id: user for user in db.session.scalars(people)}
    return [ParticipationView(row, students[row.student_id]) for row in rows]
