"""Signing in and out, and who a token belongs to."""

from __future__ import annotations

import uuid

from sqlalchemy import select

from app import clock
from app.extensions import db, settings
from app.models import Organisation, SignIn, User, UserStatus
from app.services.caller import Caller
from app.services.errors import AccountSuspended, TokenRevoked, WrongCredentials
from app.services.passwords import is_password
from app.services.transaction import release, transaction


def sign_in(email: str, password: str, device: str, address: str) -> tuple[User, SignIn]:
    """Sign a person in on a device.

    Raises:
        WrongCredentials: nobody has this email, or the password is another; the answer and its time don't tell which.
        AccountSuspended: the person may not sign in now.
    """
    user = db.session.scalar(select(User).where(User.email == email))
    release()
    if not is_password(password, user.password_hash if user else None) or user is None:
        raise WrongCredentials
    if user.status != UserStatus.ACTIVE:
        raise AccountSuspended
    return user, _begin(user.id, user.organisation_id, device, address)


@transaction
def _begin(user_id: uuid.UUID, organisation_id: uuid.UUID, device: str, address: str) -> SignIn:
    begun = SignIn(
        user_id=user_id,
        organisation_id=organisation_id,
        device=device[:255],
        address=address[:45],
        expires_at=clock.now() + settings().token_lifetime,
    )
    db.session.add(begun)
    return begun


def caller_of(sign_in_id: uuid.UUID) -> Caller:
    """The person who is signed in here, as of now: one statement, asked at every request.

    Raises:
        TokenRevoked: the sign-in has ended.
        AccountSuspended: the person was suspended or deactivated since.
    """
    found = db.session.execute(
        select(SignIn.ended_at, SignIn.expires_at, User, Organisation.time_zone)
        .join(User, User.id == SignIn.user_id)
        .join(Organisation, Organisation.id == User.organisation_id)
        .where(SignIn.id == sign_in_id)
    ).one_or_none()
    if found is None or found.ended_at is not None or found.expires_at <= clock.now():
        raise TokenRevoked
    user: User = found.User
    if user.status != UserStatus.ACTIVE:
        raise AccountSuspended
    return Caller(user.id, user.organisation_id, user.role, found.time_zone, sign_in_id)


@transaction
def sign_out(caller: Caller) -> None:
    """End the sign-in that this call came with."""
    db.session.execute(caller.change(SignIn).where(SignIn.id == caller.sign_in_id).values(ended_at=clock.now()))


def end_others(caller: Caller) -> None:
    """Within a transaction: end the person's sign-ins on all other devices."""
    db.session.execute(
        caller.change(SignIn)
        .where(SignIn.user_id == caller.user_id, SignIn.id != caller.sign_in_id, SignIn.ended_at.is_(None))
        .values(ended_at=clock.now())
    )
