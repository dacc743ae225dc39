"""One's own account: registering, being invited, profile, password, email address."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from app import clock
from app.extensions import db
from app.models import Link, LinkKind, Organisation, Role, User, UserStatus
from app.models.people import split_name
from app.services import audit, links, mail
from app.services.caller import Caller, Device
from app.services.errors import (
    AccountSuspended,
    EmailTaken,
    LinkInvalid,
    NotFound,
    OrganisationInactive,
    RegistrationRefused,
    RoleNotGiven,
    WrongPassword,
)
from app.services.organisation_settings import OrganisationSettings, settings_of
from app.services.passwords import hash_password, is_password, require_strong
from app.services.sign_in import caller_for, end_all, end_others
from app.services.transaction import release, some_at_once, transaction


def register(
    *, email: str, password: str, first_name: str, last_name: str, role: Role, organisation_id: uuid.UUID | None
) -> User:
    """Register a person with an organisation, by default with the installation's own, as its rule has it.

    Raises:
        NotFound: no organisation has this id.
        RegistrationRefused: the organisation does not let this person register, or not with this role.
        EmailTaken: somebody has this email address.
        WeakPassword: the password is too easy to guess.
    """
    chosen = Organisation.is_default.is_(True) if organisation_id is None else Organisation.id == organisation_id
    organisation = db.session.scalar(select(Organisation).where(chosen))
    release()
    if organisation is None:
        raise NotFound("There is no organisation with this id")
    status = _admit(organisation, email, role)
    require_strong(password, "password", email, first_name, last_name, organisation.name)
    user = User(
        organisation_id=organisation.id,
        email=email,
        password_hash=hash_password(password),
        first_name=first_name,
        last_name=last_name,
        role=role,
        status=status,
    )
    return _register(user)


def _admit(organisation: Organisation, email: str, role: Role) -> UserStatus:
    """The status of who registers so: pending until the address is confirmed, where it is what lets them in."""
    registration = settings_of(organisation.settings).registration
    if not organisation.is_active or registration.rule not in {"open", "domain"}:
        raise RegistrationRefused("This organisation takes only people whom it has invited")
    if role not in registration.roles:
        raise RegistrationRefused(f"This organisation does not let people register as {role.value}")
    if registration.rule == "open":
        return UserStatus.ACTIVE
    if email.rpartition("@")[2] not in registration.domains:
        raise RegistrationRefused(f"Register with your address at {' or '.join(registration.domains)}")
    return UserStatus.PENDING


@transaction
def _register(user: User) -> User:
    add_user(user)
    if user.status == UserStatus.PENDING:
        _mail_confirmation(user, str(user.email))
    return user


def add_user(user: User) -> User:
    """Within a transaction. Raises EmailTaken when somebody has this email address, or gets it at the same moment."""
    db.session.add(user)
    try:
        db.session.flush()
    except IntegrityError as race:
        raise EmailTaken from race
    db.session.refresh(user, ["department_row"])
    return user


def emails_elsewhere(caller: Caller, emails: Sequence[str]) -> set[str]:
    """Those of the addresses that people of other organisations have, asked for by the ten thousand."""
    elsewhere = select(User.email).where(User.organisation_id != caller.organisation_id)
    asked = (elsewhere.where(User.email.in_(some)) for some in some_at_once(emails))
    return {email for query in asked for email in db.session.scalars(query) if email}


def _mail_confirmation(user: User, email: str) -> None:
    _, url = links.make(LinkKind.EMAIL, user.organisation_id, email, user_id=user.id)
    mail.post("confirm_email", email, user.organisation_id, user_id=user.id, name=user.name, url=url)


@transaction
def confirm_email(token: str) -> User:
    """The address is the person's: it becomes the one they sign in with.

    Raises:
        LinkInvalid: the link does not work any more.
        EmailTaken: somebody else has the address by now.
    """
    link, user = links.owner(LinkKind.EMAIL, token)
    user.email, user.email_verified_at = link.email, clock.now()
    if user.status == UserStatus.PENDING:
        user.status = UserStatus.ACTIVE
    return add_user(user)


def change_email(caller: Caller, email: str, password: str) -> None:
    """Mail a link to the new address; following it makes it the account's. The old address is told.

    Raises:
        WrongPassword: it is another one.
        EmailTaken: somebody has the address.
    """
    _require_password(caller, password)
    _change_email(caller, email)


@transaction
def _change_email(caller: Caller, email: str) -> None:
    if db.session.scalar(select(User.id).where(User.email == email)):
        raise EmailTaken
    user = caller.get(User, caller.user_id)
    _mail_confirmation(user, email)
    if user.email:
        mail.post("email_changes", user.email, user.organisation_id, user_id=user.id, name=user.name, email=email)


@transaction
def forgot_password(email: str) -> None:
    """Mail a link to set a new password, if somebody has this address; the answer doesn't tell."""
    user = db.session.scalar(select(User).where(User.email == email))
    if user and user.status in {UserStatus.ACTIVE, UserStatus.PENDING}:
        mail_password_link(user)


def mail_password_link(user: User) -> None:
    """Within a transaction: mail a link with which the person sets their password; a new account's lasts longer."""
    is_new = user.password_hash is None and user.last_sign_in_at is None
    template, lifetime = ("welcome", LinkKind.INVITATION) if is_new else ("reset_password", LinkKind.RESET)
    _, url = links.make(
        LinkKind.RESET, user.organisation_id, str(user.email), lifetime=links.LIFETIMES[lifetime], user_id=user.id
    )
    mail.post(template, str(user.email), user.organisation_id, user_id=user.id, name=user.name, url=url)


def reset_password(token: str, password: str) -> None:
    """Set a new password; all sign-ins end.

    Raises:
        LinkInvalid: the link does not work any more.
        WeakPassword: the password is too easy to guess.
    """
    link = links.look(LinkKind.RESET, token)
    user = db.session.get(User, link.user_id)
    release()
    require_strong(password, "new_password", link.email, *((user.first_name, user.last_name) if user else ()))
    _reset_password(token, hash_password(password))


@transaction
def _reset_password(token: str, password_hash: str) -> None:
    link, user = links.owner(LinkKind.RESET, token)
    if user.email != link.email:
        raise LinkInvalid
    audit.act(audit.Actor(user.id, audit.actor().address, audit.actor().device, audit.actor().request_id))
    user.password_hash, user.email_verified_at = password_hash, clock.now()
    if user.status == UserStatus.PENDING:
        user.status = UserStatus.ACTIVE
    end_all(user)
    links.end(user)


def require_may_give(caller: Caller, role: Role) -> None:
    """Raises RoleNotGiven unless the caller may give people this role, or change people who have it."""
    given: dict[Role | Device, frozenset[Role]] = {
        Role.SUPER_ADMIN: frozenset(Role),
        Role.ADMIN: frozenset(Role) - {Role.SUPER_ADMIN},
        Role.TEACHER: frozenset({Role.STUDENT}),
    }
    # else whoever finds a script's key makes themself an administrator, who may do what the key was not given
    beyond_keys = {Role.ADMIN, Role.SUPER_ADMIN} if caller.scopes is not None else set()
    if role not in given.get(caller.role, ()) or role in beyond_keys:
        raise RoleNotGiven


@transaction
def invite(caller: Caller, email: str, role: Role, name: str | None) -> Link:
    """Mail somebody a link to join the organisation with; a second invitation replaces the first.

    Raises:
        RoleNotGiven: the caller may not give this role.
        RegistrationRefused: the organisation is closed.
        EmailTaken: somebody has this address already.
    """
    require_may_give(caller, role)
    _require_invitations(caller.settings)
    if db.session.scalar(select(User.id).where(User.email == email)):
        raise EmailTaken
    link, url = links.make(
        LinkKind.INVITATION, caller.organisation_id, email, role=role, name=name, invited_by=caller.user_id
    )
    mail.post("invitation", email, caller.organisation_id, name=name, url=url)
    db.session.flush()
    return link


def _require_invitations(decided: OrganisationSettings) -> None:
    if decided.registration.rule == "closed":
        raise RegistrationRefused("This organisation is closed: its administrators make accounts, and invite nobody")


def invitations(caller: Caller) -> Sequence[Link]:
    """Those that nobody has accepted yet, the latest first."""
    open_ones = caller.rows(Link).where(
        Link.kind == LinkKind.INVITATION, Link.used_at.is_(None), Link.expires_at > clock.now()
    )
    return db.session.scalars(open_ones.order_by(Link.id.desc()).limit(1000)).all()


@transaction
def revoke_invitation(caller: Caller, link_id: uuid.UUID) -> None:
    """Raises NotFound."""
    link = caller.get(Link, link_id)
    if link.kind != LinkKind.INVITATION:
        raise NotFound("There is no invitation with this id")
    link.used_at = clock.now()


def accept_invitation(token: str, password: str, name: str | None) -> User:
    """Become a member of the organisation that has sent the invitation.

    Raises:
        LinkInvalid: the link does not work any more.
        OrganisationInactive: the organisation was deactivated since.
        EmailTaken: somebody has registered with the address meanwhile.
        WeakPassword: the password is too easy to guess.
    """
    link = links.look(LinkKind.INVITATION, token)
    release()
    require_strong(password, "password", link.email, name or link.name or "")
    return _accept(token, hash_password(password), name)


@transaction
def _accept(token: str, password_hash: str, name: str | None) -> User:
    link = links.use(LinkKind.INVITATION, token)
    if link.role is None or link.invited_by is None:
        raise LinkInvalid
    organisation = db.session.get_one(Organisation, link.organisation_id)
    if not organisation.is_active:
        raise OrganisationInactive
    _require_invitations(settings_of(organisation.settings))
    try:  # else who was dismissed would come back by an invitation that they had sent themself
        require_may_give(caller_for(link.invited_by, None), link.role)
    except (AccountSuspended, RoleNotGiven) as dismissed:
        raise LinkInvalid from dismissed
    names = split_name(name or link.name or link.email.partition("@")[0])
    user = add_user(
        User(
            organisation_id=link.organisation_id,
            email=link.email,
            email_verified_at=clock.now(),
            password_hash=password_hash,
            role=link.role,
            **names,
        )
    )
    link.user_id = user.id  # so that it is erased with them, whatever their address is by then
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
        WeakPassword: the new one is too easy to guess.
    """
    user = _require_password(caller, current)
    require_strong(new, "new_password", user.email or "", user.first_name, user.last_name)
    _set_password(caller, hash_password(new))


@transaction
def _set_password(caller: Caller, password_hash: str) -> None:
    user = caller.get(User, caller.user_id)
    user.password_hash = password_hash
    end_others(caller)
    links.end(user)


def _require_password(caller: Caller, password: str) -> User:
    user = caller.get(User, caller.user_id)
    release()
    if not is_password(password, user.password_hash):
        raise WrongPassword
    return user
