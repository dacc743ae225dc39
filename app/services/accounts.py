"""One's own account: registering, profile, password."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import Organisation, Role, User
from app.services.caller import Caller
from app.services.errors import EmailTaken, NotFound, RegistrationRefused, WrongPassword
from app.services.passwords import hash_password, is_password, require_strong
from app.services.sign_in import end_others
from app.services.transaction import release, transaction


def register(
    *, email: str, password: str, first_name: str, last_name: str, role: Role, organisation_id: uuid.UUID | None
) -> User:
    """Register a person with an organisation, by default with the installation's own.

    Raises:
        NotFound: no organisation has this id.
        RegistrationRefused: the organisation does not let people register, or not with this role.
        EmailTaken: somebody has this email address.
        WeakPassword: the password is too short.
    """
    require_strong(password, "password")
    chosen = Organisation.is_default.is_(True) if organisation_id is None else Organisation.id == organisation_id
    organisation = db.session.scalar(select(Organisation).where(chosen))
    release()
    if organisation is None:
        raise NotFound("There is no organisation with this id")
    if role not in organisation.registration_roles:
        raise RegistrationRefused
    user = User(
        organisation_id=organisation.id,
        email=email,
        password_hash=hash_password(password),
        first_name=first_name,
        last_name=last_name,
        role=role,
    )
    return transaction(add_user)(user)


def add_user(user: User) -> User:
    """Within a transaction. Raises EmailTaken when somebody has this email address, or gets it at the same moment."""
    db.session.add(user)
    try:
        db.session.flush()
    except IntegrityError as race:
        raise EmailTaken from race
    return user


def profile(caller: Caller) -> User:
    return caller.get(User, caller.user_id)


@transaction
def change_profile(caller: Caller, changes: dict[str, Any]) -> User:
    """Set those of first_name, last_name, phone and avatar that are given."""
    user = caller.get(User, caller.user_id)
    for field, value in changes.items():
        setattr(user, field, value)
    return user


def change_password(caller: Caller, current: str, new: str) -> None:
    """Set a new password and end the person's sign-ins on other devices.

    Raises:
        WrongPassword: the current password is another one.
        WeakPassword: the new one is too short.
    """
    require_strong(new, "new_password")
    kept = caller.get(User, caller.user_id).password_hash
    release()
    if not is_password(current, kept):
        raise WrongPassword
    _set_password(caller, hash_password(new))


@transaction
def _set_password(caller: Caller, password_hash: str) -> None:
    caller.get(User, caller.user_id).password_hash = password_hash
    end_others(caller)
