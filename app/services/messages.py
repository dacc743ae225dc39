"""Messages: staff write to students, parents and each other; students and parents to the teachers of their classes.

Each of those written to is told by a notification; what is kept here is what was sent.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, and_

from app.extensions import db
from app.models import (
    ClassTeacher,
    Enrolment,
    Guardian,
    NotificationKind,
    SentMessage,
    User,
    UserStatus,
)
from app.services.caller import Caller
from app.services.classes import taught_class
from app.services.enrolments import current_students, enrolled_on
from app.services.errors import NobodyToTell, NotFound, TooManyPeople
from app.services.notifications import Notice, notify
from app.services.paging import Page, Paging, paginate
from app.services.students import visible_students
from app.services.transaction import transaction

MOST_PEOPLE = 1000


class Readers(StrEnum):
    """Of students who are written to: who reads it."""

    STUDENTS = "students"
    PARENTS = "parents"


@dataclass(frozen=True, slots=True)
class Addressed:
    """To whom a message goes: to those of a class's students or of named ones, and to named people."""

    class_id: uuid.UUID | None = None
    student_ids: Collection[uuid.UUID] = ()
    user_ids: Collection[uuid.UUID] = ()
    readers: Collection[Readers] = field(default_factory=lambda: list(Readers))


Told = Mapping[uuid.UUID, uuid.UUID | None]
"""Who is told, and of which student: None where it is of no student, or of several."""


@transaction
def send(caller: Caller, subject: str, text: str, to: Addressed) -> SentMessage:
    """Tell people: each once, however often they are named, and never the one who writes.

    Raises:
        NotFound: there is no such class, student or person, or none that the caller may write to.
        NotYourClass: the caller does not teach it.
        TooManyPeople: they are more than 1,000.
        NobodyToTell: of those named nobody is active, or no parent has an account.
    """
    told = _told(caller, to) if caller.is_staff else _teachers(caller, to)
    told = {user_id: student_id for user_id, student_id in told.items() if user_id != caller.user_id}
    if not told:
        raise NobodyToTell
    _require_few(told)
    row = SentMessage(
        organisation_id=caller.organisation_id, sender_id=caller.user_id, subject=subject, text=text, people=len(told)
    )
    db.session.add(row)
    db.session.flush()
    _notify(caller, row, told)
    return row


def list_sent(caller: Caller, paging: Paging) -> Page[SentMessage]:
    """What the caller has written."""
    own = caller.rows(SentMessage).where(SentMessage.sender_id == caller.user_id)
    return paginate(own, paging, {"id": SentMessage.id, "created_at": SentMessage.id})


def _told(caller: Caller, to: Addressed) -> Told:
    told: dict[uuid.UUID, uuid.UUID | None] = dict.fromkeys(_active(caller, to.user_ids))
    students = set(_named_students(caller, to.student_ids))
    if to.class_id:
        taught_class(caller, to.class_id)
        of_class = current_students(caller, to.class_id, User.id)
        students |= set(db.session.scalars(of_class.limit(MOST_PEOPLE + 1)))
    _require_few(students)
    if Readers.PARENTS in to.readers:
        told = _parents(caller, students) | told
    if Readers.STUDENTS in to.readers:
        told |= dict.fromkeys(students)
    return told


def _teachers(caller: Caller, to: Addressed) -> Told:
    """Of classes that the caller, or a child of theirs, is in now: nobody else is theirs to write to."""
    if to.class_id or to.student_ids:
        raise NotFound("You can write to teachers of your classes, by their user_ids")
    theirs = caller.rows(Enrolment, Enrolment.class_id).where(
        Enrolment.student_id.in_(visible_students(caller, User.id)), enrolled_on(caller.today)
    )
    teaching = caller.rows(ClassTeacher, ClassTeacher.teacher_id).where(ClassTeacher.class_id.in_(theirs))
    return dict.fromkeys(_active(caller, to.user_ids, User.id.in_(teaching)))


def _active(caller: Caller, user_ids: Collection[uuid.UUID], *which: Any) -> Sequence[uuid.UUID]:
    """All of these people who are active. Raises NotFound when one is not there, or not one of those."""
    known = caller.rows(User, User.id, User.status).where(User.id.in_(user_ids), User.erased_at.is_(None), *which)
    return _all_active(user_ids, known, "There is nobody with this id whom you can write to")


def _named_students(caller: Caller, student_ids: Collection[uuid.UUID]) -> Sequence[uuid.UUID]:
    known = visible_students(caller, User.id, User.status).where(User.id.in_(student_ids))
    return _all_active(student_ids, known, "There is no student with this id")


def _all_active(wanted: Collection[uuid.UUID], known: Select[Any], otherwise: str) -> Sequence[uuid.UUID]:
    found: dict[uuid.UUID, UserStatus] = dict(db.session.execute(known).all()) if wanted else {}
    if missing := [str(id_) for id_ in wanted if id_ not in found]:
        raise NotFound(otherwise, ids=missing)
    return [id_ for id_, status in found.items() if status == UserStatus.ACTIVE]


def _parents(caller: Caller, student_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, uuid.UUID | None]:
    """The active ones, each with the child that it is about, where it is one."""
    links = (
        caller.rows(Guardian, Guardian.parent_id, Guardian.student_id)
        .join(User, and_(User.id == Guardian.parent_id, caller.owns(User)))
        .where(Guardian.student_id.in_(student_ids), User.status == UserStatus.ACTIVE)
    )
    children = defaultdict[uuid.UUID, list[uuid.UUID]](list)
    for parent_id, student_id in db.session.execute(links):
        children[parent_id].append(student_id)
    return {parent_id: theirs[0] if len(theirs) == 1 else None for parent_id, theirs in children.items()}


def _require_few(people: Collection[uuid.UUID]) -> None:
    if len(people) > MOST_PEOPLE:
        raise TooManyPeople


def _notify(caller: Caller, message: SentMessage, told: Told) -> None:
    """Within a transaction: a notification for each."""
    about = [student_id for student_id in told.values() if student_id]
    names = _names(caller, [caller.user_id, *about])
    said = {"subject": message.subject, "text": message.text}
    said |= {"from_id": str(caller.user_id), "from_name": names[caller.user_id]}
    notices = [
        Notice(
            user_id,
            f"message:{message.id}:{user_id}",
            said | ({"student_name": names[student_id]} if student_id else {}),
            student_id,
            message.id,
        )
        for user_id, student_id in told.items()
    ]
    notify(caller, NotificationKind.MESSAGE, notices)


def _names(caller: Caller, user_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    return {user.id: user.name for user in db.session.scalars(caller.rows(User).where(User.id.in_(user_ids)))}
