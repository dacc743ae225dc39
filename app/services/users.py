"""An organisation's people, as its administrators see them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_
from sqlalchemy.exc import IntegrityError

from app import clock
from app.extensions import db
from app.models import (
    ApiKey,
    AuditEntry,
    Department,
    Guardian,
    Record,
    Role,
    SecondFactor,
    SignIn,
    StudentProfile,
    User,
    UserStatus,
)
from app.services import audit, links
from app.services.accounts import add_user, mail_password_link, require_may_give
from app.services.caller import Caller
from app.services.errors import LastAdmin, NotAStudent, NotFound, RoleNotGiven
from app.services.organisations import require_another_super_admin
from app.services.paging import Page, Paging, paginate
from app.services.passwords import hash_password, require_strong
from app.services.personal import delete_personal, formerly_naming, held_about
from app.services.sign_in import end_all
from app.services.transaction import transaction
from app.services.withdrawal import forget_children

MANAGERS = (Role.ADMIN, Role.SUPER_ADMIN)


@dataclass(frozen=True, slots=True)
class UserFilter:
    """Which people are wanted; None: whichever."""

    search: str | None = None
    role: Role | None = None
    status: UserStatus | None = None
    is_active: bool | None = None
    department: str | None = None


@dataclass(frozen=True, slots=True)
class Deactivation:
    """Those who were, or in a dry run would be, deactivated."""

    count: int
    users: Sequence[User]
    dry_run: bool


def list_users(caller: Caller, wanted: UserFilter, paging: Paging) -> Page[User]:
    query = caller.rows(User).where(User.erased_at.is_(None))
    if wanted.role:
        query = query.where(User.role == wanted.role)
    if wanted.status:
        query = query.where(User.status == wanted.status)
    if wanted.is_active is not None:
        query = query.where((User.status == UserStatus.ACTIVE) == wanted.is_active)
    if wanted.department:
        query = query.where(User.department_id.in_(_departments(caller, wanted.department)))
    if wanted.search:
        query = query.where(matches(caller, wanted.search))
    columns = {"id": User.id, "last_name": User.last_name, "first_name": User.first_name, "email": User.email,
               "role": User.role, "status": User.status, "created_at": User.created_at,
               "last_sign_in_at": User.last_sign_in_at}  # fmt: skip
    return paginate(query, paging, columns)


def matches(caller: Caller, search: str) -> ColumnElement[bool]:
    """The condition that a person's name, email or roll number has all of these words in it, whatever their case."""
    numbered = caller.rows(StudentProfile, StudentProfile.user_id)
    name = func.lower(User.first_name + " " + User.last_name)
    return and_(
        *(
            or_(
                name.contains(word, autoescape=True),
                func.lower(User.email).contains(word, autoescape=True),
                User.id.in_(numbered.where(func.lower(StudentProfile.roll_number).contains(word, autoescape=True))),
            )
            for word in search.lower().split()
        )
    )


def _departments(caller: Caller, name: str) -> Any:
    """Whatever the case, as the database knows it, which is not what Python knows of every script."""
    same = or_(Department.name == name.strip(), func.lower(Department.name) == name.strip().lower())
    return caller.rows(Department, Department.id).where(same)


def create_user(
    caller: Caller, values: dict[str, Any], password: str | None, student_ids: Sequence[uuid.UUID] = ()
) -> User:
    """A new person; who has an email and no password is mailed a link to set one.

    values: columns of User, and `department` by name.
    student_ids: whose parent they are.

    Raises:
        RoleNotGiven: the caller may not give this role.
        EmailTaken: somebody has this email address.
        WeakPassword: the password is too easy to guess.
        NotFound, NotAStudent: of student_ids.
    """
    require_may_give(caller, values["role"])
    if password:
        require_strong(password, "password", values.get("email") or "", values["first_name"])
    return _create(caller, values, hash_password(password) if password else None, student_ids)


@transaction
def _create(
    caller: Caller, values: dict[str, Any], password_hash: str | None, student_ids: Sequence[uuid.UUID]
) -> User:
    set_department(caller, values)
    user = add_user(User(organisation_id=caller.organisation_id, password_hash=password_hash, **values))
    link_parent(caller, user, student_ids)
    if user.email and not password_hash:
        mail_password_link(user)
    return user


def set_department(caller: Caller, values: dict[str, Any]) -> None:
    """Within a transaction: in `values`, the id for a department's name, which is made if it is new."""
    caller.require(Department, values.get("department_id"))
    if "department" not in values:
        return
    name = " ".join((values.pop("department") or "").split())
    values["department_id"] = None
    if name:
        found = db.session.scalar(_departments(caller, name))
        values["department_id"] = found or _make_department(caller, name)


def _make_department(caller: Caller, name: str) -> uuid.UUID:
    department = Department(organisation_id=caller.organisation_id, name=name)
    try:
        with db.session.begin_nested():
            db.session.add(department)
    except IntegrityError:  # made by somebody else at this moment
        made: uuid.UUID = db.session.scalars(
            caller.rows(Department, Department.id).where(Department.name == name)
        ).one()
        return made
    return department.id


def link_parent(caller: Caller, parent: User, student_ids: Sequence[uuid.UUID]) -> None:
    """Within a transaction: let a parent see these students too. Raises NotFound or NotAStudent."""
    if not student_ids:
        return
    if parent.role != Role.PARENT:
        raise RoleNotGiven("Only people with the role parent have children here")
    for student_id in dict.fromkeys(student_ids):
        if read_user(caller, student_id).role != Role.STUDENT:
            raise NotAStudent("A parent's children have the role student")
        of = {"organisation_id": caller.organisation_id, "student_id": student_id, "parent_id": parent.id}
        there = caller.rows(Guardian).where(Guardian.student_id == student_id, Guardian.parent_id == parent.id)
        if db.session.scalar(there) is None:
            db.session.add(Guardian(**of, name=parent.name, phone=parent.phone, email=parent.email))


def _unlink_others(caller: Caller, parent: User, student_ids: Sequence[uuid.UUID]) -> None:
    """Who is no child of theirs any more is nobody whom they are told of."""
    others = and_(Guardian.parent_id == parent.id, Guardian.student_id.not_in(student_ids))
    unlinked = db.session.scalars(caller.rows(Guardian, Guardian.student_id).where(others)).all()
    if unlinked:
        db.session.execute(caller.remove(Guardian).where(others))
        forget_children(caller, parent.id, unlinked)


def read_user(caller: Caller, user_id: uuid.UUID) -> User:
    """Raises NotFound."""
    user = caller.get(User, user_id)
    if user.erased_at is not None:
        raise NotFound("There is no user with this id")
    return user


def change_user(
    caller: Caller,
    user_id: uuid.UUID,
    values: dict[str, Any],
    password: str | None = None,
    student_ids: Sequence[uuid.UUID] | None = None,
) -> User:
    """Set what is given; with a new password or status the person's sign-ins end.

    student_ids: all those whose parent they are from now on.

    Raises:
        NotFound: there is no such person.
        RoleNotGiven: the caller may not change this person, or give this role.
        LastAdmin: nobody would administer the organisation any more.
        EmailTaken, WeakPassword, NotAStudent: as `create_user`.
    """
    if password:
        require_strong(password, "password", values.get("email") or "")
    return _change(caller, user_id, values, hash_password(password) if password else None, student_ids)


@transaction
def _change(
    caller: Caller,
    user_id: uuid.UUID,
    values: dict[str, Any],
    password_hash: str | None,
    student_ids: Sequence[uuid.UUID] | None,
) -> User:
    user = _changeable(caller, user_id)
    if "role" in values and values["role"] != user.role:
        require_may_give(caller, values["role"])
        require_another_admin(caller, user)
    set_department(caller, values)
    if "status" in values:
        _set_status(caller, user, values.pop("status"))
    set_email(user, values)
    for name, value in values.items():
        setattr(user, name, value)
    if password_hash:
        user.password_hash = password_hash
        end_all(user)
        links.end(user)
    if student_ids is not None:
        _unlink_others(caller, user, student_ids)
        link_parent(caller, user, student_ids)
    return add_user(user)


def set_email(user: User, values: dict[str, Any]) -> None:
    """Within a transaction: an address that somebody else has entered is yet to be confirmed."""
    if "email" in values and values["email"] != user.email:
        user.email, user.email_verified_at = values["email"], None


@transaction
def set_status(caller: Caller, user_id: uuid.UUID, status: UserStatus, reason: str | None) -> User:
    """Suspend, deactivate or activate a person; who isn't active is out at once. Raises as `change_user`."""
    audit.because(reason)
    user = _changeable(caller, user_id)
    _set_status(caller, user, status)
    return user


def _set_status(caller: Caller, user: User, status: UserStatus) -> None:
    if status == user.status:
        return
    if status != UserStatus.ACTIVE:
        require_another_admin(caller, user)
        end_all(user)
    set_active(user, status, caller.today)


def set_active(user: User, status: UserStatus, today: date) -> None:
    """Within a transaction: who is not active is expected up to yesterday, so that what was counted stays as it was."""
    user.status = status
    user.inactive_on = None if status == UserStatus.ACTIVE else user.inactive_on or today


def _changeable(caller: Caller, user_id: uuid.UUID) -> User:
    user = read_user(caller, user_id)
    require_may_give(caller, user.role)
    return user


def require_another_admin(caller: Caller, user: User) -> None:
    """Within a transaction: raises LastAdmin when nobody else administers the organisation.

    Its administrators are locked, so that two of them cannot dismiss each other at once.
    """
    if user.role not in MANAGERS or user.status != UserStatus.ACTIVE:
        return
    if user.role == Role.SUPER_ADMIN:
        require_another_super_admin(user)
    active = caller.rows(User, User.id).where(User.role.in_(MANAGERS), User.status == UserStatus.ACTIVE)
    if db.session.scalars(active.order_by(User.id).with_for_update()).all() == [user.id]:
        raise LastAdmin


@transaction
def remove_second_factor(caller: Caller, user_id: uuid.UUID, reason: str | None) -> None:
    """For who has lost their phone and their recovery codes. Raises NotFound, or RoleNotGiven."""
    audit.because(reason)
    user = _changeable(caller, user_id)
    db.session.execute(caller.remove(SecondFactor).where(SecondFactor.user_id == user.id))
    end_all(user)


def inactive_since(caller: Caller, days: int) -> Any:
    """Query of those who could sign in, and neither did so, nor came back while signed in, nor were marked in any
    session for so many days.

    Administrators are left out: whoever locks them out locks the organisation out.
    """
    since = clock.now() - timedelta(days=days)
    marked = caller.rows(Record, Record.student_id).where(Record.marked_at >= since)
    back = caller.rows(SignIn, SignIn.user_id).where(SignIn.last_used_at >= since)
    script = caller.rows(ApiKey, ApiKey.user_id).where(ApiKey.last_used_at >= since)
    return caller.rows(User).where(
        User.status == UserStatus.ACTIVE,
        User.role.not_in(MANAGERS),
        User.password_hash.is_not(None),
        func.coalesce(User.last_sign_in_at, User.created_at) < since,
        User.created_at < since,
        *(User.id.not_in(seen) for seen in (marked, back, script)),
    )


@transaction
def deactivate_inactive(caller: Caller, days: int, dry_run: bool) -> Deactivation:
    """Deactivate those of `inactive_since`, or only say who they are; the first hundred are named."""
    audit.because(f"inactive for {days} days")
    users: list[User] = list(db.session.scalars(inactive_since(caller, days).order_by(User.id)))
    if not dry_run:
        end_all(*users)
        for user in users:
            set_active(user, UserStatus.INACTIVE, caller.today)
    return Deactivation(len(users), users[:100], dry_run)


def export(caller: Caller, user_id: uuid.UUID) -> dict[str, Any]:
    """Everything that is held about a person, by table; secrets (hashes, encodings) are named, not shown.

    Raises NotFound.
    """
    return held_about(caller, read_user(caller, user_id))


@transaction
def erase(caller: Caller, user_id: uuid.UUID, reason: str | None) -> None:
    """Delete what is personal for good; what was counted stays, as of somebody without a name.

    Raises:
        NotFound: there is no such person.
        RoleNotGiven: the caller may not change this person.
        LastAdmin: nobody would administer the organisation any more.
    """
    user = _changeable(caller, user_id)
    require_another_admin(caller, user)
    rows = [*formerly_naming(caller, user), *delete_personal(caller, user)]
    audit.because(reason)
    audit.note(caller.organisation_id, audit.ERASE, user.id, rows=[str(id_) for id_ in rows])
    _empty_log(caller, user.id, rows)


def _empty_log(caller: Caller, user_id: uuid.UUID, rows: Sequence[uuid.UUID]) -> None:
    about = or_(AuditEntry.person_id == user_id, AuditEntry.row_id.in_(rows))
    entries = caller.change(AuditEntry).execution_options(synchronize_session=False)
    db.session.execute(entries.where(about, AuditEntry.action != audit.ERASE).values(content=None))
    # who was not signed in when doing what is about a person, as when registering, was that person
    theirs = or_(AuditEntry.actor_id == user_id, and_(AuditEntry.actor_id.is_(None), about))
    db.session.execute(entries.where(theirs).values(origin=None))
