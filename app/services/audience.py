"""Who is told of students: their guardians, their teachers, the administrators; those alone who are active."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from typing import Any

from sqlalchemy import ColumnElement, Row, and_, or_

from app.extensions import db
from app.models import ClassTeacher, Enrolment, Guardian, Role, User, UserStatus
from app.services.caller import Caller
from app.services.enrolments import enrolled_on
from app.services.transaction import some_at_once


def guardians_of(caller: Caller, student_ids: Collection[uuid.UUID]) -> Iterator[Row[Any]]:
    """The student_id, user_id and email of each guardian with an account."""
    for some in some_at_once(student_ids):
        yield from db.session.execute(
            caller.rows(Guardian, Guardian.student_id, User.id.label("user_id"), User.email)
            .join(User, and_(User.id == Guardian.parent_id, caller.owns(User)))
            .where(Guardian.student_id.in_(some), User.status == UserStatus.ACTIVE)
        )


def addresses_of_guardians(caller: Caller, student_ids: Collection[uuid.UUID]) -> Iterator[Row[Any]]:
    """The student_id, id and email of each guardian of whom no more is known."""
    for some in some_at_once(student_ids):
        yield from db.session.execute(
            caller.rows(Guardian, Guardian.student_id, Guardian.id, Guardian.email).where(
                Guardian.student_id.in_(some), Guardian.parent_id.is_(None), Guardian.email.is_not(None)
            )
        )


def may_be_told_of(caller: Caller, person_id: uuid.UUID, user_id: uuid.UUID) -> bool:
    """Whether it is their own, their child's, or they are staff."""
    if person_id == user_id:
        return True
    children = caller.rows(Guardian, Guardian.id).where(Guardian.student_id == person_id, Guardian.parent_id == user_id)
    may = or_(User.role.not_in([Role.PARENT, Role.STUDENT]), and_(User.role == Role.PARENT, children.exists()))
    return db.session.scalar(caller.rows(User, User.id).where(User.id == user_id, may)) is not None


def teachers_of(caller: Caller, student_ids: Collection[uuid.UUID], *which: ColumnElement[bool]) -> Iterator[Row[Any]]:
    """The student_id and user_id of each teacher of the classes that students are in now. which: of ClassTeacher."""
    for some in some_at_once(student_ids):
        yield from db.session.execute(
            caller.rows(Enrolment, Enrolment.student_id, User.id.label("user_id"))
            .join(ClassTeacher, and_(ClassTeacher.class_id == Enrolment.class_id, caller.owns(ClassTeacher)))
            .join(User, and_(User.id == ClassTeacher.teacher_id, caller.owns(User)))
            .where(Enrolment.student_id.in_(some), enrolled_on(caller.today), User.status == UserStatus.ACTIVE, *which)
            .distinct()
        )


def administrators(caller: Caller) -> set[uuid.UUID]:
    found = caller.rows(User, User.id).where(
        User.role.in_([Role.ADMIN, Role.SUPER_ADMIN]), User.status == UserStatus.ACTIVE
    )
    return set(db.session.scalars(found))
