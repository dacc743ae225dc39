"""Classes, their join codes, and who is in them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, or_
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import Class, Enrolment, Session, User, UserStatus
from app.services.caller import Caller
from app.services.errors import AlreadyEnrolled, NotClassMember, NotYourClass, UnknownJoinCode
from app.services.paging import Page, Paging, paginate
from app.services.transaction import transaction

JOIN_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without 0, O, 1 and I, which sound or look alike when a code is read out."""
JOIN_CODE_LENGTH = 6


@dataclass(frozen=True, slots=True)
class ClassView:
    """A class as its caller may see it: students and the join code are the teacher's."""

    id: uuid.UUID
    name: str
    description: str
    teacher_id: uuid.UUID
    teacher_name: str
    student_count: int
    session_count: int
    created_at: datetime
    join_code: str | None
    students: Sequence[User] | None


def teaches(caller: Caller, row: Class) -> bool:
    return caller.administers or row.teacher_id == caller.user_id


def taught_class(caller: Caller, class_id: uuid.UUID) -> Class:
    """The class, for one of its teachers or an administrator.

    Raises:
        NotFound: there is no such class.
        NotYourClass: it is another teacher's.
    """
    row = caller.get(Class, class_id)
    if not teaches(caller, row):
        raise NotYourClass
    return row


def member_class(caller: Caller, class_id: uuid.UUID) -> Class:
    """The class, for those who teach it or are enrolled in it.

    Raises:
        NotFound: there is no such class.
        NotClassMember: the caller is not in it.
    """
    row = caller.get(Class, class_id)
    if not teaches(caller, row) and _current_enrolment(caller, class_id) is None:
        raise NotClassMember
    return row


@transaction
def create_class(caller: Caller, name: str, description: str) -> ClassView:
    row = Class(organisation_id=caller.organisation_id, teacher_id=caller.user_id, name=name, description=description)
    db.session.add(row)
    _give_join_code(row)
    return _read(caller, row)


@transaction
def change_class(caller: Caller, class_id: uuid.UUID, changes: dict[str, Any]) -> ClassView:
    """Set those of name and description that are given. Raises as `taught_class`."""
    row = taught_class(caller, class_id)
    for field, value in changes.items():
        setattr(row, field, value)
    return _read(caller, row)


@transaction
def regenerate_join_code(caller: Caller, class_id: uuid.UUID) -> str:
    """Give the class a new code; the old one stops working at once. Raises as `taught_class`."""
    row = taught_class(caller, class_id)
    _give_join_code(row)
    return row.join_code


def draw_join_code() -> str:
    """A code that nobody can guess; that no other class has it is for the caller to see to."""
    return "".join(secrets.choice(JOIN_CODE_ALPHABET) for _ in range(JOIN_CODE_LENGTH))


def _give_join_code(row: Class) -> None:
    """A code that no class has. Two classes that draw the same one are told apart by the constraint."""
    for _ in range(10):
        row.join_code = draw_join_code()
        try:
            with db.session.begin_nested():
                db.session.flush()
        except IntegrityError:
            db.session.add(row)
        else:
            return
    raise RuntimeError("ten join codes in a row were taken")


@transaction
def join_class(caller: Caller, join_code: str) -> ClassView:
    """Enrol the caller in the class with this join code, from today.

    Raises:
        UnknownJoinCode: no class of the caller's organisation has the code.
        AlreadyEnrolled: the caller is in it, or joined at the same moment on another device.
    """
    row: Class | None = db.session.scalar(caller.rows(Class).where(Class.join_code == join_code))
    if row is None:
        raise UnknownJoinCode
    db.session.add(
        Enrolment(
            organisation_id=caller.organisation_id,
            class_id=row.id,
            student_id=caller.user_id,
            starts_on=caller.today,
        )
    )
    try:
        db.session.flush()
    except IntegrityError as race:
        raise AlreadyEnrolled from race
    return _read(caller, row)


@transaction
def leave_class(caller: Caller, class_id: uuid.UUID) -> None:
    """End the caller's enrolment; records stay, and joining again begins a new one.

    Raises:
        NotFound: there is no such class.
        NotClassMember: the caller is not in it.
    """
    caller.get(Class, class_id)
    enrolment = _current_enrolment(caller, class_id)
    if enrolment is None:
        raise NotClassMember
    enrolment.is_current, enrolment.ends_on = None, caller.today


def my_classes(caller: Caller, paging: Paging) -> Page[ClassView]:
    """The classes that the caller teaches or is enrolled in."""
    enrolled = caller.rows(Enrolment, Enrolment.class_id).where(
        Enrolment.student_id == caller.user_id, Enrolment.is_current.is_(True)
    )
    mine = or_(Class.teacher_id == caller.user_id, Class.id.in_(enrolled))
    page = paginate(
        _with_counts(caller).where(mine),
        paging,
        {"id": Class.id, "name": Class.name, "created_at": Class.created_at},
    )
    return page.of([_view(caller, found) for found in page.items])


def read_class(caller: Caller, class_id: uuid.UUID) -> ClassView:
    """The class, with its students for those who teach it. Raises as `member_class`."""
    row = member_class(caller, class_id)
    students = db.session.scalars(current_students(caller, class_id)).all() if teaches(caller, row) else None
    return _read(caller, row, students)


def current_students(caller: Caller, class_id: uuid.UUID, *columns: Any) -> Select[Any]:
    """Query of the class's students of today, by name: users, or these columns of them."""
    return (
        caller.rows(User, *columns)
        .join(Enrolment, Enrolment.student_id == User.id)
        .where(
            caller.owns(Enrolment),
            Enrolment.class_id == class_id,
            Enrolment.is_current.is_(True),
            User.status == UserStatus.ACTIVE,
        )
        .order_by(User.last_name, User.first_name, User.id)
    )


def _read(caller: Caller, row: Class, students: Sequence[User] | None = None) -> ClassView:
    found = db.session.execute(_with_counts(caller).where(Class.id == row.id)).one()
    return _view(caller, found, students)


def _view(caller: Caller, found: Any, students: Sequence[User] | None = None) -> ClassView:
    row, teacher, student_count, session_count = found
    return ClassView(
        row.id,
        row.name,
        row.description,
        row.teacher_id,
        teacher.name,
        student_count,
        session_count,
        row.created_at,
        row.join_code if teaches(caller, row) else None,
        students,
    )


def _with_counts(caller: Caller) -> Select[Any]:
    students = (
        caller.rows(Enrolment, func.count())
        .join(User, User.id == Enrolment.student_id)
        .where(Enrolment.class_id == Class.id, Enrolment.is_current.is_(True), User.status == UserStatus.ACTIVE)
        .correlate(Class)
        .scalar_subquery()
    )
    sessions = caller.rows(Session, func.count()).where(Session.class_id == Class.id).correlate(Class).scalar_subquery()
    return caller.rows(Class, Class, User, students, sessions).join(User, User.id == Class.teacher_id)


def _current_enrolment(caller: Caller, class_id: uuid.UUID) -> Enrolment | None:
    found: Enrolment | None = db.session.scalar(
        caller.rows(Enrolment).where(
            Enrolment.class_id == class_id, Enrolment.student_id == caller.user_id, Enrolment.is_current.is_(True)
        )
    )
    return found
