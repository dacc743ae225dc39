"""Students: profile, guardians, emergency contacts, and who may see them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, func
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import (
    Class,
    Department,
    EmergencyContact,
    Enrolment,
    Guardian,
    Role,
    StudentProfile,
    User,
    UserStatus,
)
from app.services import audit
from app.services.accounts import add_user
from app.services.caller import Caller
from app.services.enrolments import add_enrolments, enrolled_on
from app.services.errors import MissingFields, NotFound, RoleNotGiven, RollNumberTaken
from app.services.paging import Page, Paging, paginate
from app.services.sign_in import end_all
from app.services.transaction import transaction
from app.services.users import matches, set_active, set_department, set_email

COLLEGE = ("email", "roll_number", "department", "year", "section")
"""Fields of a college's student record, which has all of them."""
SCHOOL = ("gender", "date_of_birth", "class_id", "guardians", "emergency_contacts")
"""Fields of a school's student record, for which a name is enough."""
PROFILE = ("roll_number", "year", "section", "gender", "date_of_birth")


@dataclass(frozen=True, slots=True)
class StudentFilter:
    search: str | None = None
    department: str | None = None
    year: str | None = None
    section: str | None = None
    class_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class ClassOfStudent:
    id: uuid.UUID
    name: str
    starts_on: date
    ends_on: date | None


@dataclass(frozen=True, slots=True)
class StudentView:
    user: User
    profile: StudentProfile | None
    department: str | None
    classes: Sequence[ClassOfStudent]
    guardians: Sequence[Guardian]
    emergency_contacts: Sequence[EmergencyContact]

    @property
    def id(self) -> uuid.UUID:
        return self.user.id

    @property
    def created_at(self) -> datetime:
        return self.user.created_at


def visible_students(caller: Caller, *columns: Any) -> Select[Any]:
    """Query of the students that the caller may see: staff all, parents their children, students themselves."""
    query = caller.rows(User, *columns).where(User.role == Role.STUDENT, User.erased_at.is_(None))
    if caller.is_staff:
        return query
    children = caller.rows(Guardian, Guardian.student_id).where(Guardian.parent_id == caller.user_id)
    return query.where(User.id.in_(children) if caller.role == Role.PARENT else User.id == caller.user_id)


def visible_student(caller: Caller, student_id: uuid.UUID) -> User:
    """Raises NotFound: there is no such student, or they are not the caller's to see."""
    user: User | None = db.session.scalar(visible_students(caller).where(User.id == student_id))
    if user is None:
        raise NotFound("There is no student with this id")
    return user


def list_students(caller: Caller, wanted: StudentFilter, paging: Paging) -> Page[StudentView]:
    """The active students that the caller may see."""
    query = (
        visible_students(caller)
        .outerjoin(StudentProfile, (StudentProfile.user_id == User.id) & caller.owns(StudentProfile))
        .outerjoin(Department, (Department.id == User.department_id) & caller.owns(Department))
        .where(User.status == UserStatus.ACTIVE)
    )
    if wanted.search:
        query = query.where(matches(caller, wanted.search))
    for column, value in (
        (Department.name, wanted.department),
        (StudentProfile.year, wanted.year),
        (StudentProfile.section, wanted.section),
    ):
        if value:
            query = query.where(func.lower(column) == value.strip().lower())
    if wanted.class_id:
        enrolled = caller.rows(Enrolment, Enrolment.student_id)
        query = query.where(
            User.id.in_(enrolled.where(Enrolment.class_id == wanted.class_id, enrolled_on(caller.today)))
        )
    columns = {"id": User.id, "last_name": User.last_name, "first_name": User.first_name, "email": User.email,
               "roll_number": StudentProfile.roll_number, "created_at": User.created_at}  # fmt: skip
    page = paginate(query, paging, columns)
    return page.of(_views(caller, page.items))


def read_student(caller: Caller, student_id: uuid.UUID) -> StudentView:
    """Raises NotFound; somebody else's child is no different from nobody's."""
    return _views(caller, [visible_student(caller, student_id)])[0]


@transaction
def create_student(caller: Caller, values: dict[str, Any]) -> StudentView:
    """A new student; they need neither an email address nor a password.

    values: first_name, last_name, email, phone, avatar, address, department (by name), those of PROFILE, class_id,
    guardians, emergency_contacts.

    Raises:
        MissingFields: names each.
        EmailTaken, RollNumberTaken: another person has it.
        NotFound: there is no such class.
    """
    _require_whole(values)
    class_id, related = values.pop("class_id", None), _related(values)
    profile = {name: values.pop(name) for name in PROFILE if name in values}
    set_department(caller, values)
    own = {"organisation_id": caller.organisation_id}
    user = add_user(User(**own, **values, role=Role.STUDENT))
    _save_profile(StudentProfile(**own, **profile, user_id=user.id))
    _replace(caller, user.id, related)
    if class_id:
        caller.get(Class, class_id)
        add_enrolments(caller, class_id, [user.id], caller.today)
    return _views(caller, [user])[0]


@transaction
def change_student(caller: Caller, student_id: uuid.UUID, values: dict[str, Any]) -> StudentView:
    """Set what is given; guardians and emergency contacts are given as whole lists.

    class_id: a class to be enrolled in from today, unless they are.

    Raises: as `create_student`, NotFound for the student, and RoleNotGiven for the address of an account that is in
        use: whoever reads its mail gets in.
    """
    user = visible_student(caller, student_id)
    class_id, related = values.pop("class_id", None), _related(values)
    own = caller.rows(StudentProfile).where(StudentProfile.user_id == student_id)
    profile = db.session.scalar(own) or StudentProfile(organisation_id=caller.organisation_id, user_id=student_id)
    for name in PROFILE:
        if name in values:
            setattr(profile, name, values.pop(name))
    _save_profile(profile)
    set_department(caller, values)
    if values.get("email", user.email) != user.email and user.password_hash and not caller.administers:
        raise RoleNotGiven("Only administrators change the address of somebody who signs in with it")
    set_email(user, values)
    for name, value in values.items():
        setattr(user, name, value)
    add_user(user)
    _replace(caller, user.id, related)
    if class_id and class_id not in {known.id for known in _views(caller, [user])[0].classes}:
        caller.get(Class, class_id)
        add_enrolments(caller, class_id, [user.id], caller.today)
    return _views(caller, [user])[0]


@transaction
def deactivate_student(caller: Caller, student_id: uuid.UUID, reason: str | None) -> None:
    """Raises NotFound. Everything that was recorded of them stays."""
    audit.because(reason)
    user = visible_student(caller, student_id)
    set_active(user, UserStatus.INACTIVE, caller.today)
    end_all(user)


def _require_whole(values: dict[str, Any]) -> None:
    needed = [] if values.get("first_name") else ["name"]
    if (needed or _any(values, COLLEGE)) and not _any(values, SCHOOL):
        needed += [name for name in COLLEGE if not values.get(name)]
    if needed:
        raise MissingFields(f"Missing: {', '.join(needed)}", errors={name: ["Field required"] for name in needed})


def _any(values: dict[str, Any], names: Sequence[str]) -> bool:
    return any(values.get(name) for name in names)


def _save_profile(profile: StudentProfile) -> None:
    db.session.add(profile)
    try:
        db.session.flush()
    except IntegrityError as taken:
        raise RollNumberTaken from taken


def _related(values: dict[str, Any]) -> dict[type[Any], list[dict[str, Any]]]:
    lists = {Guardian: values.pop("guardians", None), EmergencyContact: values.pop("emergency_contacts", None)}
    return {model: rows for model, rows in lists.items() if rows is not None}


def _replace(caller: Caller, student_id: uuid.UUID, related: dict[type[Any], list[dict[str, Any]]]) -> None:
    """Guardians with an account of their own stay: what they may see is not changed by a form."""
    for model, rows in related.items():
        old = caller.remove(model).where(model.student_id == student_id)
        db.session.execute(old.where(model.parent_id.is_(None)) if model is Guardian else old)
        own = {"organisation_id": caller.organisation_id, "student_id": student_id}
        db.session.add_all(model(**own, **row) for row in rows)
    db.session.flush()


def _views(caller: Caller, users: Sequence[User]) -> list[StudentView]:
    """In five statements, however many they are."""
    ids = [user.id for user in users]
    profiles = {row.user_id: row for row in _of(caller, StudentProfile, StudentProfile.user_id, ids)}
    guardians, contacts = defaultdict[uuid.UUID, list[Any]](list), defaultdict[uuid.UUID, list[Any]](list)
    for found, model in ((guardians, Guardian), (contacts, EmergencyContact)):
        for row in _of(caller, model, model.student_id, ids):
            found[row.student_id].append(row)
    departments: dict[uuid.UUID | None, str] = dict(
        db.session.execute(
            caller.rows(Department, Department.id, Department.name).where(
                Department.id.in_({user.department_id for user in users if user.department_id})
            )
        ).all()
    )
    classes = _classes(caller, ids)
    return [
        StudentView(
            user,
            profiles.get(user.id),
            departments.get(user.department_id),
            classes[user.id],
            guardians[user.id],
            contacts[user.id],
        )
        for user in users
    ]


def _of(caller: Caller, model: type[Any], column: Any, ids: Sequence[uuid.UUID]) -> Sequence[Any]:
    return db.session.scalars(caller.rows(model).where(column.in_(ids)).order_by(model.id)).all()


def _classes(caller: Caller, ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[ClassOfStudent]]:
    found = defaultdict[uuid.UUID, list[ClassOfStudent]](list)
    rows = db.session.execute(
        caller.rows(Enrolment, Enrolment, Class.name)
        .join(Class, Class.id == Enrolment.class_id)
        .where(Enrolment.student_id.in_(ids), enrolled_on(caller.today))
        .order_by(Class.name, Class.id)
    )
    for enrolment, name in rows:
        of = ClassOfStudent(enrolment.class_id, name, enrolment.starts_on, enrolment.ends_on)
        found[enrolment.student_id].append(of)
    return found
