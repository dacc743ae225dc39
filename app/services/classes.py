"""Classes, their join codes, who teaches them and who is in them."""

from __future__ import annotations

import secrets
import uuid
from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, and_, func, or_
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import (
    Class,
    ClassTeacher,
    Enrolment,
    Role,
    Session,
    Subject,
    TeacherRole,
    Term,
    Timetable,
    User,
    UserStatus,
)
from app.services.caller import Caller
from app.services.enrolments import (
    add_enrolments,
    current_enrolment,
    current_students,
    end_enrolment,
    enrolled_on,
)
from app.services.errors import (
    NotAStudent,
    NotATeacher,
    NotClassMember,
    NotFound,
    NotYourClass,
    UnknownJoinCode,
)
from app.services.paging import Page, Paging, paginate
from app.services.transaction import insert_missing, transaction

JOIN_CODE_ALPHABET = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
"""Without 0, O, 1 and I, which sound or look alike when a code is read out."""
JOIN_CODE_LENGTH = 6


@dataclass(frozen=True, slots=True)
class TeacherView:
    id: uuid.UUID
    name: str
    role: TeacherRole


@dataclass(frozen=True, slots=True)
class ClassView:
    """A class as its caller may see it: students and the join code are the teachers'."""

    id: uuid.UUID
    name: str
    description: str
    subject_id: uuid.UUID | None
    term_id: uuid.UUID | None
    time_zone: str | None
    policy: dict[str, Any]
    teachers: Sequence[TeacherView]
    student_count: int
    session_count: int
    created_at: datetime
    join_code: str | None
    students: Sequence[User] | None

    @property
    def teacher_id(self) -> uuid.UUID | None:
        return self.teachers[0].id if self.teachers else None

    @property
    def teacher_name(self) -> str:
        return self.teachers[0].name if self.teachers else ""


def taught_class(caller: Caller, class_id: uuid.UUID) -> Class:
    """The class, for one of its teachers or an administrator.

    Raises:
        NotFound: there is no such class.
        NotYourClass: it is another teacher's.
    """
    row = caller.get(Class, class_id)
    if not teaches(caller, class_id):
        raise NotYourClass
    return row


def teaches(caller: Caller, class_id: uuid.UUID) -> bool:
    """Whether the caller is one of the class's teachers, or administers the organisation."""
    return caller.administers or _teaching(caller, class_id) is not None


def _teaching(caller: Caller, class_id: uuid.UUID) -> ClassTeacher | None:
    found: ClassTeacher | None = db.session.scalar(
        caller.rows(ClassTeacher).where(ClassTeacher.class_id == class_id, ClassTeacher.teacher_id == caller.user_id)
    )
    return found


def _led_class(caller: Caller, class_id: uuid.UUID) -> Class:
    """As `taught_class`, for its lead teachers or an administrator."""
    row = taught_class(caller, class_id)
    teaching = _teaching(caller, class_id)
    if not caller.administers and (teaching is None or teaching.role != TeacherRole.LEAD):
        raise NotYourClass("Only a lead teacher of this class may do this")
    return row


def member_class(caller: Caller, class_id: uuid.UUID) -> Class:
    """The class, for those who teach it or are enrolled in it.

    Raises:
        NotFound: there is no such class.
        NotClassMember: the caller is not in it.
    """
    row = caller.get(Class, class_id)
    if not teaches(caller, class_id) and current_enrolment(caller, class_id, caller.user_id) is None:
        raise NotClassMember
    return row


@transaction
def create_class(caller: Caller, name: str, description: str, **values: Any) -> ClassView:
    """values: subject_id, term_id, time_zone and policy. Raises NotFound when one is not the organisation's."""
    _require(caller, values)
    row = Class(organisation_id=caller.organisation_id, name=name, description=description, **values)
    save_with_join_codes([row])
    db.session.add(ClassTeacher(organisation_id=caller.organisation_id, class_id=row.id, teacher_id=caller.user_id))
    db.session.flush()
    return _read(caller, row)


@transaction
def change_class(caller: Caller, class_id: uuid.UUID, changes: dict[str, Any]) -> ClassView:
    """Set those of name, description, subject_id, term_id, time_zone and policy that are given; its timetables move
    to its time zone. Raises as `taught_class`."""
    row = taught_class(caller, class_id)
    _require(caller, changes)
    if "time_zone" in changes:
        zone = changes["time_zone"] or caller.time_zone
        db.session.execute(caller.change(Timetable).where(Timetable.class_id == class_id).values(time_zone=zone))
    for field, value in changes.items():
        setattr(row, field, value)
    return _read(caller, row)


def _require(caller: Caller, references: dict[str, Any]) -> None:
    caller.require(Subject, references.get("subject_id"))
    caller.require(Term, references.get("term_id"))


@transaction
def set_teacher(caller: Caller, class_id: uuid.UUID, teacher_id: uuid.UUID, role: TeacherRole) -> ClassView:
    """Add a teacher to the class, or change their role in it.

    Raises:
        NotFound: there is no such class or person.
        NotYourClass: the caller does not lead it.
        NotATeacher: a person of this role does not teach.
    """
    row = _led_class(caller, class_id)
    require_teacher(caller, teacher_id)
    add_teacher(caller, class_id, teacher_id, role).role = role
    db.session.flush()
    return _read(caller, row)


def add_teacher(caller: Caller, class_id: uuid.UUID, teacher_id: uuid.UUID, role: TeacherRole) -> ClassTeacher:
    """Within a transaction: the teacher in the class, with this role unless they were there, whoever else adds them at
    the same moment; locked."""
    of = {"organisation_id": caller.organisation_id, "class_id": class_id, "teacher_id": teacher_id}
    new = {"id": uuid7(), **of, "role": role, "created_at": clock.now()}
    there = caller.rows(ClassTeacher).where(ClassTeacher.class_id == class_id, ClassTeacher.teacher_id == teacher_id)
    if db.session.scalar(there) is None:
        insert_missing(ClassTeacher, [new], tuple(of))
    teaching: ClassTeacher = db.session.scalars(there.with_for_update()).one()
    return teaching


def require_teacher(caller: Caller, user_id: uuid.UUID) -> None:
    """Raises NotFound, or NotATeacher when a person of this role does not teach, or is not active."""
    user = caller.get(User, user_id)
    if user.role not in {Role.TEACHER, Role.ADMIN, Role.SUPER_ADMIN} or user.status != UserStatus.ACTIVE:
        raise NotATeacher


@transaction
def remove_teacher(caller: Caller, class_id: uuid.UUID, teacher_id: uuid.UUID) -> None:
    """Raises NotFound, or NotYourClass when the caller does not lead the class."""
    _led_class(caller, class_id)
    removed = db.session.execute(
        caller.remove(ClassTeacher).where(ClassTeacher.class_id == class_id, ClassTeacher.teacher_id == teacher_id)
    )
    if not removed.rowcount:  # type: ignore[attr-defined]
        raise NotFound("There is no teacher of this class with this id")


@transaction
def regenerate_join_code(caller: Caller, class_id: uuid.UUID) -> str:
    """Give the class a new code; the old one stops working at once. Raises as `taught_class`."""
    row = taught_class(caller, class_id)
    save_with_join_codes([row])
    return row.join_code


def draw_join_code() -> str:
    """A code that nobody can guess; that no other class has it is for the caller to see to."""
    return "".join(secrets.choice(JOIN_CODE_ALPHABET) for _ in range(JOIN_CODE_LENGTH))


def save_with_join_codes(rows: Sequence[Class]) -> None:
    """Within a transaction: save classes with new codes, which no class has. Those that draw one that is taken, or
    the same one, are told by the constraint, and all draw again."""
    for _ in range(10):
        try:
            with db.session.begin_nested():
                for row in rows:
                    row.join_code = draw_join_code()
                db.session.add_all(rows)
        except IntegrityError as taken:
            if "join_code" not in str(taken.orig):
                raise
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
    row: Class | None = db.session.scalar(caller.rows(Class).where(Class.join_code == join_code, Class.is_active))
    if row is None:
        raise UnknownJoinCode
    add_enrolments(caller, row.id, [caller.user_id], caller.today)
    return _read(caller, row)


@transaction
def enrol(
    caller: Caller, class_id: uuid.UUID, student_ids: Sequence[uuid.UUID], starts_on: date | None, ends_on: date | None
) -> ClassView:
    """Enrol students from a day (by default today) up to another, exclusive: all of them, or none.

    Raises:
        NotFound: there is no such class or person.
        NotYourClass: it is another teacher's.
        NotAStudent: one has another role.
        AlreadyEnrolled: one is in the class.
        DatesRefused: it would end before it starts.
    """
    row = taught_class(caller, class_id)
    roles: dict[uuid.UUID, Role] = dict(
        db.session.execute(
            caller.rows(User, User.id, User.role).where(User.id.in_(student_ids), User.erased_at.is_(None))
        ).all()
    )
    if missing := [str(id_) for id_ in student_ids if id_ not in roles]:
        raise NotFound("There is no student with this id", ids=missing)
    if set(roles.values()) - {Role.STUDENT}:
        raise NotAStudent
    add_enrolments(caller, class_id, list(dict.fromkeys(student_ids)), starts_on or caller.today, ends_on)
    return _read(caller, row)


@transaction
def leave_class(caller: Caller, class_id: uuid.UUID) -> None:
    """End the caller's enrolment; records stay, and joining again begins a new one.

    Raises:
        NotFound: there is no such class.
        NotClassMember: the caller is not in it.
    """
    caller.get(Class, class_id)
    end_enrolment(caller, class_id, caller.user_id, caller.today)


@transaction
def unenrol(caller: Caller, class_id: uuid.UUID, student_id: uuid.UUID, ends_on: date | None) -> None:
    """End a student's enrolment on a day, by default today: on that day they are not expected any more.

    Raises:
        NotFound, NotYourClass: as `taught_class`.
        NotClassMember: the student is not in the class.
        DatesRefused: it would end before it started.
    """
    taught_class(caller, class_id)
    caller.get(User, student_id)
    end_enrolment(caller, class_id, student_id, ends_on or caller.today)


@transaction
def transfer(
    caller: Caller, student_id: uuid.UUID, from_class_id: uuid.UUID, to_class_id: uuid.UUID, day: date | None
) -> None:
    """Move a student from one class to another from a day on, by default today; what they have in the first stays.

    Raises:
        NotFound, NotYourClass: as `taught_class`, of the class that they leave.
        NotClassMember, AlreadyEnrolled, DatesRefused: as `unenrol` and `enrol`.
    """
    taught_class(caller, from_class_id)
    caller.get(Class, to_class_id)
    caller.get(User, student_id)
    end_enrolment(caller, from_class_id, student_id, day or caller.today)
    add_enrolments(caller, to_class_id, [student_id], day or caller.today)


def my_classes(caller: Caller, paging: Paging) -> Page[ClassView]:
    """The classes that the caller teaches or is enrolled in."""
    taught = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == caller.user_id)
    enrolled = caller.rows(Enrolment, Enrolment.class_id).where(
        Enrolment.student_id == caller.user_id, enrolled_on(caller.today)
    )
    mine = and_(or_(Class.id.in_(taught), Class.id.in_(enrolled)), Class.is_active)
    page = paginate(
        _with_counts(caller).where(mine),
        paging,
        {"id": Class.id, "name": Class.name, "created_at": Class.created_at},
    )
    return page.of(_views(caller, page.items))


def read_class(caller: Caller, class_id: uuid.UUID) -> ClassView:
    """The class, with its students for those who teach it. Raises as `member_class`."""
    row = member_class(caller, class_id)
    students = db.session.scalars(current_students(caller, class_id)).all() if teaches(caller, class_id) else None
    return _read(caller, row, students)


def _read(caller: Caller, row: Class, students: Sequence[User] | None = None) -> ClassView:
    found = db.session.execute(_with_counts(caller).where(Class.id == row.id)).all()
    return _views(caller, found, students)[0]


def _views(caller: Caller, found: Sequence[Any], students: Sequence[User] | None = None) -> list[ClassView]:
    teachers = teachers_of(caller, [row.id for row, _, _ in found])
    return [
        ClassView(
            row.id,
            row.name,
            row.description,
            row.subject_id,
            row.term_id,
            row.time_zone,
            row.policy,
            teachers[row.id],
            student_count,
            session_count,
            row.created_at,
            row.join_code if caller.administers or caller.user_id in {t.id for t in teachers[row.id]} else None,
            students,
        )
        for row, student_count, session_count in found
    ]


def class_names(caller: Caller, class_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, str]:
    """In their order."""
    if not class_ids:
        return {}
    named = caller.rows(Class, Class.id, Class.name).where(Class.id.in_(class_ids))
    return dict(db.session.execute(named.order_by(Class.name, Class.id)).all())


def teachers_of(caller: Caller, class_ids: Collection[uuid.UUID]) -> dict[uuid.UUID, list[TeacherView]]:
    """Of each class, its lead first."""
    found = defaultdict[uuid.UUID, list[TeacherView]](list)
    if not class_ids:
        return found
    rows = db.session.execute(
        caller.rows(ClassTeacher, ClassTeacher, User)
        .join(User, User.id == ClassTeacher.teacher_id)
        .where(ClassTeacher.class_id.in_(class_ids))
        .order_by(ClassTeacher.id)
    )
    for teaching, user in sorted(rows, key=lambda row: list(TeacherRole).index(row[0].role)):
        found[teaching.class_id].append(TeacherView(user.id, user.name, teaching.role))
    return found


def _with_counts(caller: Caller) -> Select[Any]:
    students = (
        caller.rows(Enrolment, func.count(Enrolment.student_id.distinct()))
        .join(User, User.id == Enrolment.student_id)
        .where(Enrolment.class_id == Class.id, enrolled_on(caller.today), User.status == UserStatus.ACTIVE)
        .correlate(Class)
        .scalar_subquery()
    )
    sessions = caller.rows(Session, func.count()).where(Session.class_id == Class.id).correlate(Class).scalar_subquery()
    return caller.rows(Class, Class, students, sessions)
