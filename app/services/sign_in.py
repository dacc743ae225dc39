"""Signing in and out, and who a token belongs to."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast

from flask import current_app
from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import Select, bindparam, select, update

from app import clock
from app.extensions import db, settings
from app.models import Organisation, SignIn, User, UserStatus
from app.services import audit, second_factor
from app.services.caller import Caller
from app.services.errors import (
    AccountSuspended,
    EmailUnconfirmed,
    NotFound,
    OrganisationInactive,
    RefreshReused,
    Refusal,
    TokenInvalid,
    TokenRevoked,
    WrongCredentials,
)
from app.services.group_commit import GroupCommit
from app.services.organisation_settings import settings_of
from app.services.passwords import is_password
from app.services.transaction import filled, reading, release, some_at_once, transaction

PATIENCE = 5.0
"""Seconds after which nobody waits any longer for somebody else's look-up, whose connection may hang."""
REMEMBERED = timedelta(days=90)
"""For so long a device is known by its address and name, where it keeps no device token."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A person and the sign-in that their tokens are of."""

    user: User
    sign_in: SignIn


def sign_in(email: str, password: str, code: str | None, device: str, address: str) -> SignedIn:
    """Sign a person in on a device.

    Raises:
        WrongCredentials: nobody has this email, or the password is another; the answer and its time don't tell which.
        SecondFactorRequired, WrongCode: the password is right, and the person has a second factor.
        AccountSuspended, EmailUnconfirmed, OrganisationInactive: the person may not sign in now.
    """
    user = db.session.scalar(select(User).where(User.email == email))
    release()
    if not is_password(password, user.password_hash if user else None) or user is None:
        raise WrongCredentials
    return _begin(user, device, address, code)


@transaction
def _begin(checked: User, device: str, address: str, code: str | None) -> SignedIn:
    """The password took its time to check: one that was replaced meanwhile, and signed out everywhere, is wrong."""
    kept = select(User.password_hash).where(User.id == checked.id).with_for_update()
    if db.session.scalar(kept) != checked.password_hash:
        raise WrongCredentials
    return _begun(checked.id, device, address, code, proven=False)


@transaction
def begin(user_id: uuid.UUID, device: str, address: str, *, proven: bool = False) -> SignedIn:
    """Begin a sign-in of a person who has shown who they are.

    proven: by another provider, which asks for second factors itself.

    Raises: as `sign_in`, but for WrongCredentials.
    """
    return _begun(user_id, device, address, None, proven=proven)


def _begun(user_id: uuid.UUID, device: str, address: str, code: str | None, *, proven: bool) -> SignedIn:
    found = db.session.execute(people(User).where(User.id == user_id)).one()
    require_active(found.status, found.is_active)
    if not proven:
        second_factor.require_code(found.User, code)
    begun = _add(found.User, device, address)
    return SignedIn(found.User, begun)


def _add(user: User, device: str, address: str) -> SignIn:
    now = clock.now()
    audit.act(audit.Actor(user.id, address, device[:255], audit.actor().request_id))
    user.last_sign_in_at = now
    begun = SignIn(
        organisation_id=user.organisation_id,
        user_id=user.id,
        device=device[:255],
        address=address[:45],
        expires_at=now + settings().sign_in_lifetime,
        last_used_at=now,
    )
    db.session.add(begun)
    return begun


def require_active(status: UserStatus, organisation_is_active: bool) -> None:
    """Raises AccountSuspended, EmailUnconfirmed or OrganisationInactive unless the person may be signed in."""
    refusals: dict[UserStatus, type[Refusal]] = {
        UserStatus.SUSPENDED: AccountSuspended,
        UserStatus.INACTIVE: AccountSuspended,
        UserStatus.PENDING: EmailUnconfirmed,
    }
    if status in refusals:
        raise refusals[status]
    if not organisation_is_active:
        raise OrganisationInactive


def refresh(sign_in_id: uuid.UUID, number: int) -> SignedIn:
    """Prolong a sign-in with its refresh token, the `number`-th that it gave out; the next one replaces it.

    Raises:
        RefreshReused: the token was used before, so somebody else may have it: the sign-in has ended.
        TokenRevoked: the sign-in has ended.
        AccountSuspended, OrganisationInactive: as `require_active`.
    """
    renewed = _refresh(sign_in_id, number)
    if renewed is None:
        raise RefreshReused
    return renewed


@transaction
def _refresh(sign_in_id: uuid.UUID, number: int) -> SignedIn | None:
    begun = db.session.scalar(select(SignIn).where(SignIn.id == sign_in_id).with_for_update())
    if begun is None or begun.ended_at is not None or begun.expires_at <= clock.now():
        raise TokenRevoked
    if number != begun.refreshes:
        begun.ended_at = clock.now()
        audit.note(begun.organisation_id, "refresh_reused", begun.user_id, sign_in_id=str(begun.id))
        return None
    found = db.session.execute(people(User).where(User.id == begun.user_id)).one()
    require_active(found.status, found.is_active)
    begun.refreshes += 1
    begun.last_used_at = clock.now()
    begun.expires_at = clock.now() + settings().sign_in_lifetime
    return SignedIn(found.User, begun)


def caller_of(sign_in_id: uuid.UUID) -> Caller:
    """The person who is signed in here, as of now: one statement for all whose requests come at the same moment.

    Raises:
        TokenRevoked: the sign-in has ended.
        AccountSuspended: the person was suspended or deactivated since.
        OrganisationInactive: or their organisation was.
    """
    found = look_ups().do(sign_in_id)
    if found is None or found.ended_at is not None or found.expires_at <= clock.now():
        raise TokenRevoked
    return caller_from(found, sign_in_id=sign_in_id)


def look_ups() -> GroupCommit[uuid.UUID, Any]:
    """Those of this process that come together."""
    return cast("GroupCommit[uuid.UUID, Any]", current_app.extensions["sign_ins"])


def group_of_look_ups() -> GroupCommit[uuid.UUID, Any]:
    return GroupCommit(_look_up, PATIENCE)


def _look_up(sign_in_ids: Sequence[uuid.UUID]) -> list[Any]:
    release()  # whoever asks again has a connection that failed
    rows = reading().execute(SIGNED_IN, {"sign_in_ids": filled(sign_in_ids)})
    found = {row.sign_in_id: row for row in rows}
    return [found.get(id_) for id_ in sign_in_ids]


def caller_for(user_id: uuid.UUID, scopes: Sequence[str] | None) -> Caller:
    """Who asked for a job, as of now, with the scopes of their API key; that their sign-in may have ended since does
    not matter.

    Raises:
        AccountSuspended, OrganisationInactive: as `require_active`.
    """
    found = db.session.execute(people().where(User.id == user_id)).one()
    return caller_from(found, scopes=None if scopes is None else frozenset(scopes))


def caller_from(found: Any, **how: Any) -> Caller:
    """The caller that a row of `people` describes. Raises as `require_active`."""
    require_active(found.status, found.is_active)
    decided = settings_of(found.settings)
    return Caller(found.user_id, found.organisation_id, found.role, found.time_zone, decided, **how)


def people(*columns: Any) -> Select[Any]:
    """Query of what it takes to know people as callers, and these columns."""
    known = (User.id.label("user_id"), User.organisation_id, User.role, User.status)
    organisation = (Organisation.time_zone, Organisation.settings, Organisation.is_active)
    return select(*known, *organisation, *columns).join(Organisation, Organisation.id == User.organisation_id)


SIGNED_IN = (
    people(SignIn.id.label("sign_in_id"), SignIn.ended_at, SignIn.expires_at)
    .join(SignIn, SignIn.user_id == User.id)
    .where(SignIn.id.in_(bindparam("sign_in_ids", expanding=True)))
)
"""Put together once: every request asks it."""


@transaction
def sign_out(caller: Caller) -> None:
    """End the sign-in that this call came with."""
    _end(caller, SignIn.id == caller.sign_in_id)


@transaction
def sign_out_everywhere(caller: Caller) -> None:
    """End all of the caller's sign-ins."""
    _end(caller, SignIn.user_id == caller.user_id)


@transaction
def end_one(caller: Caller, sign_in_id: uuid.UUID) -> None:
    """End one of the caller's own sign-ins. Raises NotFound."""
    begun = caller.get(SignIn, sign_in_id)
    if begun.user_id != caller.user_id:
        raise NotFound("There is no sign in with this id")
    _end(caller, SignIn.id == sign_in_id)


def current(caller: Caller) -> Sequence[SignIn]:
    """Where the caller is signed in, the latest used first."""
    query = caller.rows(SignIn).where(
        SignIn.user_id == caller.user_id, SignIn.ended_at.is_(None), SignIn.expires_at > clock.now()
    )
    return db.session.scalars(query.order_by(SignIn.last_used_at.desc(), SignIn.id.desc()).limit(100)).all()


def end_others(caller: Caller) -> None:
    """Within a transaction: end the person's sign-ins on all other devices."""
    _end(caller, SignIn.user_id == caller.user_id, SignIn.id != caller.sign_in_id)


def end_all(*people: User) -> None:
    """Within a transaction: these people of one organisation are out everywhere, at once."""
    for some in some_at_once(user.id for user in people):
        own = (SignIn.organisation_id == people[0].organisation_id, SignIn.user_id.in_(some), SignIn.ended_at.is_(None))
        db.session.execute(update(SignIn).where(*own).values(ended_at=clock.now()))


def _end(caller: Caller, *which: Any) -> None:
    ended = caller.change(SignIn).where(*which, SignIn.ended_at.is_(None)).values(ended_at=clock.now())
    db.session.execute(ended)


def device_token(user: User) -> str:
    """What a device keeps to be known again, so that guessers elsewhere don't lock its owner out.

    Source: OWASP, Slow Down Online Guessing Attacks with Device Cookies.
    """
    token = _devices().dumps([user.email, uuid.uuid4().hex])
    return token if isinstance(token, str) else token.decode()


def known_device(email: str, token: str | None, device: str, address: str) -> str | None:
    """A name for the device that this account was signed in on before, or None: by its token, or else because a
    sign-in came from the same address under the same name lately."""
    try:
        owner, device_id = _devices().loads(token or "")
    except (BadSignature, ValueError):
        owner, device_id = None, None
    if owner == email and isinstance(device_id, str):
        return device_id
    before = (
        select(SignIn.id)
        .join(User, User.id == SignIn.user_id)
        .where(User.email == email, SignIn.address == address[:45], SignIn.device == device[:255])
        .where(SignIn.created_at > clock.now() - REMEMBERED)
    )
    # not the address alone: others who share it, as a whole school does, are counted by that
    return f"{address} {device}" if db.session.scalar(before.limit(1)) else None


def _devices() -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key.get_secret_value(), "device")


def require_token_claims(claims: dict[str, Any]) -> tuple[uuid.UUID, int]:
    """A refresh token's sign-in and number. Raises TokenInvalid."""
    try:
        return uuid.UUID(claims["sid"]), int(claims["number"])
    except (KeyError, TypeError, ValueError) as invalid:
        raise TokenInvalid from invalid
