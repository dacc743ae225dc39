"""Single sign-on: an organisation's people sign in at its OpenID Connect provider."""

from __future__ import annotations

import hashlib
import re
import secrets
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, ParamSpec, TypeVar

from pydantic import BaseModel
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import clock
from app.extensions import db, settings
from app.models import Identity, Organisation, Role, SingleSignOn, User, UserStatus
from app.models.people import split_name
from app.services import audit, links, sign_in
from app.services import identity_provider as idp
from app.services.accounts import require_may_give
from app.services.caller import Caller
from app.services.errors import (
    AddressRefused,
    LastAdmin,
    MissingFields,
    NotFound,
    NotOpened,
    ProviderUnavailable,
    RegistrationRefused,
    SingleSignOnFailed,
)
from app.services.sign_in import SignedIn
from app.services.text import one_spelling
from app.services.transaction import release, transaction
from app.services.users import MANAGERS, require_another_admin
from app.services.vault import seal, unseal

P = ParamSpec("P")
R = TypeVar("R")

LIFETIME = timedelta(minutes=10)
"""To sign in at the provider."""
CALLBACK = "/api/auth/single-sign-on/{}/callback"
"""Each organisation's own, so that no provider has another one's codes brought to it (RFC 9700, 4.4)."""
SUBJECT = re.compile(r"[!-~]([ -~]{0,253}[!-~])?")
"""No outer blanks, which MariaDB would not tell from none."""
NOT_LET_IN = "Your organisation does not let you in this way: ask its administrator"


class _Begun(BaseModel):
    """What the browser keeps, sealed, while its person is at the provider."""

    organisation_id: uuid.UUID
    state: str
    nonce: str
    verifier: str


@dataclass(frozen=True, slots=True)
class Beginning:
    """Where the browser goes, and what it keeps meanwhile."""

    url: str
    kept: str


@dataclass(frozen=True, slots=True)
class Return:
    """What the browser brings back from the provider."""

    state: str | None
    code: str | None
    error: str | None
    issuer: str | None


@dataclass(frozen=True, slots=True)
class Claimed:
    """A person as the provider describes them."""

    subject: str
    email: str | None
    """None unless the provider knows that it is theirs: on another it would be found, or later linked, as theirs."""
    names: dict[str, Any]
    role: Role | None


def read(caller: Caller) -> SingleSignOn:
    """Raises NotFound."""
    row = _own(caller)
    if row is None:
        raise NotFound("There is no single sign-on")
    return row


def save(caller: Caller, values: dict[str, Any], client_secret: str | None) -> SingleSignOn:
    """Set single sign-on up, or anew.

    values: columns of SingleSignOn.
    client_secret: None keeps the one that is there.

    Raises:
        RoleNotGiven: the caller may not give one of the roles.
        AddressRefused: no such provider answers.
        MissingFields: there is no client_secret for this provider yet.
    """
    for role in {*values["role_map"].values(), values["default_role"]} - {None}:
        require_may_give(caller, role)
    release()
    idp.discover(values["issuer"], anew=True)
    return _settled(_save, caller, values, client_secret)


@transaction
def _save(caller: Caller, values: dict[str, Any], client_secret: str | None) -> SingleSignOn:
    row = _own(caller) or SingleSignOn(organisation_id=caller.organisation_id)
    if client_secret is not None:
        row.client_secret = seal(client_secret.encode())
    elif row.issuer != values["issuer"]:  # the secret is not for another provider's eyes
        raise MissingFields("Missing: client_secret", errors={"client_secret": ["Field required"]})
    for name, value in values.items():
        setattr(row, name, value)
    db.session.add(row)
    db.session.flush()
    return row


@transaction
def remove(caller: Caller) -> None:
    """Raises NotFound. People keep their accounts, and are known again if it is set up again."""
    db.session.delete(read(caller))


def _own(caller: Caller) -> SingleSignOn | None:
    row: SingleSignOn | None = db.session.scalar(caller.rows(SingleSignOn))
    return row


def begin(organisation_id: uuid.UUID) -> Beginning:
    """Send a browser to the organisation's provider.

    Raises:
        NotFound: the organisation has no single sign-on.
        ProviderUnavailable: the provider does not answer.
    """
    row = _enabled(organisation_id)
    with _answering():
        provider = idp.discover(row.issuer)
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    url = idp.sign_in_page(
        provider, row.client_id, redirect_uri(row.organisation_id), state=state, nonce=nonce, verifier=verifier
    )
    begun = _Begun(organisation_id=organisation_id, state=state, nonce=nonce, verifier=verifier)
    return Beginning(url, seal(begun.model_dump_json().encode()).decode())


def finish(
    organisation_id: uuid.UUID, kept: str, back: Return, device: str, address: str
) -> tuple[SignedIn, str | None]:
    """Sign the person in who comes back from the provider; with where the browser goes then.

    kept: as `begin` gave it to this browser.

    Raises:
        SingleSignOnFailed: it is not what this browser began, or the provider does not confirm who it is.
        NotFound, ProviderUnavailable: as `begin`.
        RegistrationRefused: the provider confirms who it is, and the organisation does not let them in.
        AccountSuspended, EmailUnconfirmed, OrganisationInactive: as `sign_in.sign_in`.
    """
    begun = _opened(kept, back.state)
    if begun.organisation_id != organisation_id:
        raise SingleSignOnFailed("This is not the sign-in that this browser has begun: begin again")
    if back.error or not back.code:
        raise SingleSignOnFailed(f"Your organisation's sign-in answers: {back.error or 'no code'}")
    row = _enabled(begun.organisation_id)
    secret = unseal(row.client_secret).decode()
    with _answering():
        provider = idp.discover(row.issuer)
        _require_from(provider, back.issuer)
        came_to = redirect_uri(organisation_id)
        id_token = idp.redeem(provider, row.client_id, secret, came_to, code=back.code, verifier=begun.verifier)
        claims = idp.claims_of(provider, row.client_id, id_token, begun.nonce)
    user_id = _settled(_person, row, _claimed(claims, row))
    return sign_in.begin(user_id, device, address, proven=True), row.return_url


def _enabled(organisation_id: uuid.UUID) -> SingleSignOn:
    row = db.session.scalar(
        select(SingleSignOn)
        .join(Organisation, Organisation.id == SingleSignOn.organisation_id)
        .where(SingleSignOn.organisation_id == organisation_id, SingleSignOn.is_enabled, Organisation.is_active)
    )
    release()
    if row is None:
        raise NotFound("This organisation has no single sign-on")
    return row


def redirect_uri(organisation_id: uuid.UUID) -> str:
    """Where the organisation's provider sends browsers back to."""
    return settings().public_url + CALLBACK.format(organisation_id)


def _opened(kept: str, state: str | None) -> _Begun:
    try:
        begun = _Begun.model_validate_json(unseal(kept.encode(), LIFETIME))
    except (NotOpened, ValueError) as forged:
        raise SingleSignOnFailed("This browser has not begun to sign in, or too long ago: begin again") from forged
    if not secrets.compare_digest(begun.state.encode(), (state or "").encode()):
        raise SingleSignOnFailed("This is not the sign-in that this browser has begun: begin again")
    return begun


def _require_from(provider: idp.Provider, issuer: str | None) -> None:
    """A provider that is not honest could send people on to another one, for a code of theirs. Source: RFC 9207."""
    said = issuer or provider.authorization_response_iss_parameter_supported
    if said and issuer != provider.issuer:
        raise SingleSignOnFailed("This is the answer of another provider: begin again")


@contextmanager
def _answering() -> Iterator[None]:
    try:
        yield
    except AddressRefused as refused:
        raise ProviderUnavailable from refused


def _settled(service: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
    """What a service does, once more where another call did the same at that moment: now its rows are there."""
    try:
        return service(*args, **kwargs)
    except IntegrityError:
        return service(*args, **kwargs)


def _claimed(claims: idp.Claims, row: SingleSignOn) -> Claimed:
    """A person by their claims.

    Raises:
        SingleSignOnFailed: the provider gives them no name that could be kept.
    """
    if not SUBJECT.fullmatch(claims["sub"]):
        raise SingleSignOnFailed("The provider's ID token is not valid: its subject cannot be kept")
    email = _verified_email(claims)
    first, last = _text(claims, "given_name"), _text(claims, "family_name")
    whole = _text(claims, "name") or _text(claims, "preferred_username") or email or claims["sub"]
    names = {"first_name": first, "last_name": last} if first else split_name(whole)
    cut = {field: name[:100] for field, name in names.items()}
    return Claimed(claims["sub"], email, cut, _role(claims, row))


def _verified_email(claims: idp.Claims) -> str | None:
    verified = claims.get("email_verified")
    if verified is not True and verified != "true":  # a string at some providers
        return None
    email = claims.get("email")
    with suppress(ValueError):
        return one_spelling(email) if isinstance(email, str) else None
    return None


def _text(claims: idp.Claims, claim: str) -> str:
    value = claims.get(claim)
    return "".join(c for c in value if c.isprintable()).strip() if isinstance(value, str) else ""


def _role(claims: idp.Claims, row: SingleSignOn) -> Role | None:
    """The role that the claim maps to; of several the one that may most."""
    value = claims.get(row.role_claim)
    values = value if isinstance(value, list) else [value]
    mapped = {row.role_map[name] for name in values if isinstance(name, str) and name in row.role_map}
    return next((role for role in Role if role in mapped), None)


@transaction
def _person(row: SingleSignOn, who: Claimed) -> uuid.UUID:
    audit.because("single sign-on")
    user = _known(row, who) or _linked(row, who) or _new(row, who)
    # an organisation's administrator decides what its provider says, and must not become the installation's by that
    if user.role == Role.SUPER_ADMIN:
        raise RegistrationRefused(NOT_LET_IN)
    _follow(user, who.role)
    return user.id


def _issuer_hash(row: SingleSignOn) -> str:
    return hashlib.sha256(row.issuer.encode()).hexdigest()


def _known(row: SingleSignOn, who: Claimed) -> User | None:
    return db.session.scalar(
        select(User)
        .join(Identity, Identity.user_id == User.id)
        .where(Identity.organisation_id == row.organisation_id, User.organisation_id == row.organisation_id)
        .where(Identity.issuer_hash == _issuer_hash(row), Identity.subject == who.subject)
    )


def _linked(row: SingleSignOn, who: Claimed) -> User | None:
    user = db.session.scalar(select(User).where(User.email == who.email)) if who.email else None
    if user is None:
        return None
    if user.organisation_id != row.organisation_id:
        raise RegistrationRefused(NOT_LET_IN)
    _confirm(user)
    _identify(row, who, user)
    return user


def _confirm(user: User) -> None:
    """The address is the person's, and whoever used the account before may have been somebody else, who registered
    with it: what they signed in with ends. Nobody becomes an administrator by registering."""
    if user.email_verified_at is not None:
        return
    user.email_verified_at = clock.now()
    if user.status == UserStatus.PENDING:
        user.status = UserStatus.ACTIVE
    if user.role not in MANAGERS:
        user.password_hash = None
        sign_in.end_all(user)
        links.end(user)


def _new(row: SingleSignOn, who: Claimed) -> User:
    role = who.role or row.default_role
    if role is None:
        raise RegistrationRefused(NOT_LET_IN)
    verified_at = clock.now() if who.email else None
    user = User(
        organisation_id=row.organisation_id, email=who.email, email_verified_at=verified_at, role=role, **who.names
    )
    db.session.add(user)
    db.session.flush()
    _identify(row, who, user)
    return user


def _identify(row: SingleSignOn, who: Claimed, user: User) -> None:
    named = {"issuer_hash": _issuer_hash(row), "subject": who.subject}
    db.session.add(Identity(organisation_id=row.organisation_id, user_id=user.id, **named))


def _follow(user: User, role: Role | None) -> None:
    """The person's role is as the provider has it, but for the last administrator's."""
    caller = sign_in.caller_from(db.session.execute(sign_in.people().where(User.id == user.id)).one())
    if role is None or role == user.role:
        return
    with suppress(LastAdmin):
        require_another_admin(caller, user)
        user.role = role
