"""From which day to which a student is in a class."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import date
from typing import Any

from sqlalchemy import Select, and_, or_
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import ClassTeacher, Enrolment, User, UserStatus
from app.services.caller import Caller
from app.services.errors import AlreadyEnrolled, DatesRefused, NotClassMember


def enrolled_on(day: Any) -> Any:
    """The condition that an enrolment holds on a day: a date, or a column of dates."""
    return and_(Enrolment.starts_on <= day, or_(Enrolment.ends_on.is_(None), Enrolment.ends_on > day))


def current_students(caller: Caller, class_id: uuid.UUID, *columns: Any) -> Select[Any]:
    """Query of the class's students of today, by name: users, or these columns of them."""
    return (
        caller.rows(User, *columns)
        .join(Enrolment, Enrolment.student_id == User.id)
        .where(
            caller.owns(Enrolment),
            Enrolment.class_id == class_id,
            enrolled_on(caller.today),
            User.status == UserStatus.ACTIVE,
        )
        .order_by(User.last_name, User.first_name, User.id)
    )


def taught_students(caller: Caller) -> Select[Any]:
    """Query of the ids of who is now in a class that the caller teaches."""
    teaching = and_(ClassTeacher.class_id == Enrolment.class_id, caller.owns(ClassTeacher))
    return (
        caller.rows(Enrolment, Enrolment.student_id)
        .join(ClassTeacher, teaching)
        .where(ClassTeacher.teacher_id == caller.user_id, enrolled_on(caller.today))
    )


def current_enrolment(caller: Caller, class_id: uuid.UUID, student_id: uuid.UUID) -> Enrolment | None:
    """A student's enrolment in a class that is not over, if there is one."""
    found: Enrolment | None = db.session.scalar(
        caller.rows(Enrolment).where(
            Enrolment.class_id == class_id,
            Enrolment.student_id == student_id,
            Enrolment.is_current.is_(True),
            or_(Enrolment.ends_on.is_(None), Enrolment.ends_on > caller.today),
        )
    )
    return found


def is_current(ends_on: date | None, today: date) -> bool | None:
    """What an enrolment's column of this name is, by its end."""
    return None if ends_on and ends_on <= today else True


def add_enrolments(
    caller: Caller,
    class_id: uuid.UUID,
    student_ids: Iterable[uuid.UUID],
    starts_on: date,
    ends_on: date | None = None,
) -> None:
    """Within a transaction. Raises AlreadyEnrolled, or DatesRefused."""
    if ends_on and ends_on <= starts_on:
        raise DatesRefused
    mark_ended(caller, Enrolment.class_id == class_id)
    own = {"organisation_id": caller.organisation_id, "class_id": class_id, "starts_on": starts_on, "ends_on": ends_on}
    current = is_current(ends_on, caller.today)
    db.session.add_all(Enrolment(student_id=id_, is_current=current, **own) for id_ in student_ids)
    try:
        db.session.flush()
    except IntegrityError as race:
        raise AlreadyEnrolled from race


def mark_ended(caller: Caller, *which: Any) -> None:
    """Within a transaction: enrolments that are over by now make room for new ones."""
    over = caller.change(Enrolment).where(*which, Enrolment.ends_on <= caller.today, Enrolment.is_current.is_(True))
    db.session.execute(over.values(is_current=None))


def end_enrolment(caller: Caller, class_id: uuid.UUID, student_id: uuid.UUID, ends_on: date) -> None:
    """Within a transaction. Raises NotClassMember, or DatesRefused when it would end before it started."""
    enrolment = current_enrolment(caller, class_id, student_id)
    if enrolment is None:
        raise NotClassMember("This student is not in this class" if student_id != caller.user_id else None)
    if ends_on < enrolment.starts_on:
        raise DatesRefused
    enrolment.ends_on = ends_on
    enrolment.is_current = is_current(ends_on, caller.today)
