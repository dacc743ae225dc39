"""Registers not taken: sessions that are over, and nobody marked anybody or checked in."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, or_
from sqlalchemy.orm import load_only

from app.models import Class, Session, Subject, TeacherRole, User
from app.services.caller import Caller
from app.services.classes import TeacherView, class_names, teachers_of
from app.services.figures import IS_TAKEN
from app.services.paging import Page, Paging, paginate
from app.services.sessions import Days, managed

BACK = timedelta(days=30)
"""How far is looked back where nobody says."""

_SHOWN = load_only(
    Session.class_id, Session.subject_id, Session.department_id, Session.name, Session.session_date, Session.starts_at,
    Session.ends_at, Session.created_by_id, raiseload=True,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Register:
    row: Session
    class_name: str | None
    teachers: Sequence[TeacherView]

    @property
    def session_name(self) -> str:
        return self.row.name

    @property
    def start_time(self) -> datetime | None:
        return self.row.starts_at

    @property
    def end_time(self) -> datetime | None:
        return self.row.ends_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


def not_taken(
    caller: Caller,
    class_id: uuid.UUID | None,
    days: Days,
    paging: Paging,
    mine: ColumnElement[bool] | None = None,
) -> Page[Register]:
    """Sessions that ended (without times: of a past day) and were not taken, of those that the caller manages. An
    event expects nobody, and a cancelled session is not held: they are not among them. Raises NotFound.

    days: where their first is open, of the last 30. mine: as of `managed`, where that is at hand.
    """
    days = Days(days.first or caller.today - BACK, days.last)
    caller.require(Class, class_id)
    is_over = or_(Session.ends_at < caller.now, and_(Session.starts_at.is_(None), Session.session_date < caller.today))
    query = (
        caller.rows(Session)
        .where(
            is_over, Session.cancelled_at.is_(None), Session.is_event.is_(False), days.condition(Session.session_date)
        )
        .where(~IS_TAKEN, managed(caller, Session) if mine is None else mine)
        .options(_SHOWN)
    )
    if class_id is not None:
        query = query.where(Session.class_id == class_id)
    page = paginate(query, paging, {"id": Session.id, "session_date": Session.session_date, "name": Session.name})
    return page.of(_registers(caller, page.items))


def _registers(caller: Caller, rows: Sequence[Session]) -> list[Register]:
    """Whose they are is asked once it is known which they are: mostly there is none."""
    class_ids = {row.class_id for row in rows if row.class_id}
    names, of_classes = class_names(caller, class_ids), teachers_of(caller, class_ids)
    others = [row for row in rows if not row.class_id]
    subjects = caller.by_id(Subject, {row.subject_id for row in others if row.subject_id})
    leads = {row.id: (row.subject_id and subjects[row.subject_id].teacher_id) or row.created_by_id for row in others}
    users = caller.by_id(User, set(leads.values()))
    registers = []
    for row in rows:
        if row.class_id:
            registers.append(Register(row, names[row.class_id], of_classes[row.class_id]))
        else:
            one = users[leads[row.id]]
            registers.append(Register(row, None, [TeacherView(one.id, one.name, TeacherRole.LEAD)]))
    return registers
