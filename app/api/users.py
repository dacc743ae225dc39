"""An organisation's people, for its administrators."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ADMIN, ANYONE, caller, who_may
from app.models import Role, User, UserStatus
from app.schemas.accounts import UserOut
from app.schemas.base import Message
from app.schemas.users import (
    DeactivationOut,
    HeldOut,
    InactiveIn,
    ParentUserIn,
    ReasonIn,
    TeacherUserIn,
    UserChangeIn,
    UserIn,
    UserListIn,
    UserPageOut,
)
from app.services import errors
from app.services import users as service
from app.services.paging import Page
from app.services.users import Deactivation, UserFilter

users = APIBlueprint("users", __name__, tag="Users")

CREATING = (errors.RoleNotGiven, errors.EmailTaken, errors.WeakPassword, errors.NotFound, errors.NotAStudent)


@users.get("/admin/users")
@who_may(ADMIN)
@users.input(UserListIn, location="query")
@users.output(UserPageOut)
def list_users(query_data: UserListIn) -> Page[User]:
    """The organisation's people"""
    sent = query_data
    wanted = UserFilter(sent.search, sent.role, sent.status, sent.is_active, sent.department)
    return service.list_users(caller(), wanted, sent.paging)


@users.post("/admin/users")
@who_may(ADMIN)
@refuses(*CREATING)
@users.input(UserIn)
@users.output(UserOut, status_code=201)
def create(json_data: UserIn) -> User:
    """Create a person's account"""
    return service.create_user(caller(), json_data.values(), json_data.password, json_data.student_ids)


@users.post("/admin/users/teachers")
@who_may(ADMIN)
@refuses(*CREATING)
@users.input(TeacherUserIn)
@users.output(UserOut, status_code=201)
def create_teacher(json_data: TeacherUserIn) -> User:
    """Create a teacher's account"""
    return service.create_user(caller(), json_data.values() | {"role": Role.TEACHER}, json_data.password)


@users.post("/admin/users/parents")
@who_may(ADMIN)
@refuses(*CREATING)
@users.input(ParentUserIn)
@users.output(UserOut, status_code=201)
def create_parent(json_data: ParentUserIn) -> User:
    """Create a parent's account, for one or several children"""
    values = json_data.values() | {"role": Role.PARENT}
    return service.create_user(caller(), values, json_data.password, json_data.student_ids)


@users.get("/admin/users/<uuid:user_id>")
@who_may(ADMIN)
@users.output(UserOut)
def read(user_id: uuid.UUID) -> User:
    """A person"""
    return service.read_user(caller(), user_id)


@users.put("/admin/users/<uuid:user_id>")
@who_may(ADMIN)
@refuses(*CREATING, errors.LastAdmin)
@users.input(UserChangeIn)
@users.output(UserOut)
def change(user_id: uuid.UUID, json_data: UserChangeIn) -> User:
    """Change a person"""
    return service.change_user(caller(), user_id, json_data.values(), json_data.password, json_data.student_ids)


@users.delete("/admin/users/<uuid:user_id>")
@who_may(ADMIN)
@refuses(errors.RoleNotGiven, errors.LastAdmin)
@users.input(ReasonIn, location="query")
@users.output(Message)
def deactivate(user_id: uuid.UUID, query_data: ReasonIn) -> dict[str, str]:
    """Deactivate a person: out at once; what was recorded of them stays"""
    service.set_status(caller(), user_id, UserStatus.INACTIVE, query_data.reason)
    return {"message": "This person is deactivated"}


@users.post("/admin/users/<uuid:user_id>/suspend")
@who_may(ADMIN)
@refuses(errors.RoleNotGiven, errors.LastAdmin)
@users.input(ReasonIn)
@users.output(UserOut)
def suspend(user_id: uuid.UUID, json_data: ReasonIn) -> User:
    """Suspend a person: out at once, until activated"""
    return service.set_status(caller(), user_id, UserStatus.SUSPENDED, json_data.reason)


@users.post("/admin/users/<uuid:user_id>/activate")
@who_may(ADMIN)
@refuses(errors.RoleNotGiven)
@users.input(ReasonIn)
@users.output(UserOut)
def activate(user_id: uuid.UUID, json_data: ReasonIn) -> User:
    """Activate somebody who was suspended or deactivated"""
    return service.set_status(caller(), user_id, UserStatus.ACTIVE, json_data.reason)


@users.post("/admin/users/<uuid:user_id>/remove-second-factor")
@who_may(ADMIN)
@refuses(errors.RoleNotGiven)
@users.input(ReasonIn)
@users.output(Message)
def remove_second_factor(user_id: uuid.UUID, json_data: ReasonIn) -> dict[str, str]:
    """Let somebody in who has lost their second factor, and sign them out everywhere"""
    service.remove_second_factor(caller(), user_id, json_data.reason)
    return {"message": "They sign in with their password alone"}


@users.post("/admin/users/deactivate-inactive")
@who_may(ADMIN)
@users.input(InactiveIn)
@users.output(DeactivationOut)
def deactivate_inactive(json_data: InactiveIn) -> Deactivation:
    """Deactivate those who have not been seen for long, or say who they are"""
    return service.deactivate_inactive(caller(), json_data.days, json_data.dry_run)


@users.get("/admin/users/<uuid:user_id>/export")
@who_may(ADMIN)
@users.output(HeldOut)
def export(user_id: uuid.UUID) -> dict[str, Any]:
    """Everything that is held about a person"""
    return {"held": service.export(caller(), user_id)}


@users.get("/auth/profile/export")
@who_may(ANYONE)
@users.output(HeldOut)
def export_own() -> dict[str, Any]:
    """Everything that is held about oneself"""
    return {"held": service.export(caller(), caller().user_id)}


@users.post("/admin/users/<uuid:user_id>/erase")
@who_may(ADMIN)
@refuses(errors.RoleNotGiven, errors.LastAdmin)
@users.input(ReasonIn)
@users.output(Message)
def erase(user_id: uuid.UUID, json_data: ReasonIn) -> dict[str, str]:
    """Erase a person for good: personal data is gone, counts stay true"""
    service.erase(caller(), user_id, json_data.reason)
    return {"message": "This person is erased"}
