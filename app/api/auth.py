"""Accounts and signing in."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any

import flask_jwt_extended
import jwt
from apiflask import APIBlueprint
from flask_jwt_extended.exceptions import JWTExtendedException

from app import clock
from app.api.limits import (
    device_name,
    limited,
    limited_guessing,
    the_account,
    the_address,
    the_caller,
    the_network,
)
from app.api.openapi import refuses
from app.api.policy import ADMIN, ANYONE, PUBLIC, caller, who_may
from app.extensions import settings
from app.models import Link, User
from app.schemas.accounts import (
    AcceptIn,
    CodeIn,
    EmailIn,
    InvitationIn,
    InvitationOut,
    InvitationsOut,
    NewEmailIn,
    NewPasswordIn,
    OwnPasswordIn,
    PasswordIn,
    ProfileIn,
    RecoveryCodesOut,
    RefreshIn,
    RegisteredOut,
    RegisterIn,
    SecondFactorOffIn,
    SecondFactorOut,
    SignedInOut,
    SignInIn,
    SignInsOut,
    TokenIn,
    TokensOut,
    UserOut,
    VerifiedOut,
)
from app.schemas.base import Message
from app.services import accounts, errors, second_factor, sign_in
from app.services.sign_in import SignedIn

auth = APIBlueprint("auth", __name__, tag="Accounts and signing in")

NOT_NOW = (errors.AccountSuspended, errors.EmailUnconfirmed, errors.OrganisationInactive)


@auth.post("/auth/register")
@who_may(PUBLIC)
@refuses(errors.NotFound, errors.RegistrationRefused, errors.EmailTaken, errors.WeakPassword)
@limited("1000 per hour", by=the_network, counts=HTTPStatus.CREATED)
@limited("100 per hour", by=the_network, counts=HTTPStatus.CONFLICT)
@limited("1000 per hour", by=the_network, counts=HTTPStatus.UNPROCESSABLE_ENTITY)
@auth.input(RegisterIn)
@auth.output(RegisteredOut, status_code=201)
def register(json_data: RegisterIn) -> dict[str, Any]:
    """Register, by default with the installation's own organisation, as its rule allows"""
    sent = {"first_name": "", "last_name": "", "organisation_id": None} | json_data.changes()
    return _registered(accounts.register(**sent))


@auth.post("/auth/login")
@who_may(PUBLIC)
@refuses(errors.WrongCredentials, errors.WrongCode, errors.SecondFactorRequired, *NOT_NOW)
@limited_guessing
@auth.input(SignInIn)
@auth.output(SignedInOut)
def log_in(json_data: SignInIn) -> dict[str, Any]:
    """Sign in, and get the tokens for all other calls"""
    sent = json_data
    return signed_in(sign_in.sign_in(sent.email, sent.password, sent.code, device_name(), the_address()))


@auth.post("/auth/refresh")
@who_may(PUBLIC)
@refuses(errors.TokenInvalid, errors.TokenExpired, errors.TokenRevoked, errors.RefreshReused, *NOT_NOW)
@auth.input(RefreshIn)
@auth.output(TokensOut)
def refresh(json_data: RefreshIn) -> dict[str, Any]:
    """Get new tokens; the refresh token is used up by it, and using it again ends the sign-in"""
    return _tokens(sign_in.refresh(*sign_in.require_token_claims(_refresh_claims(json_data.refresh_token))))


@auth.get("/auth/verify")
@who_may(ANYONE)
@auth.output(VerifiedOut)
def verify() -> dict[str, Any]:
    """Whether the access token works, and whose it is"""
    return {"valid": True, "user": accounts.profile(caller())}


@auth.post("/auth/logout")
@who_may(ANYONE)
@auth.output(Message)
def log_out() -> dict[str, str]:
    """Sign out: the tokens of this device no longer work"""
    sign_in.sign_out(caller())
    return {"message": "Signed out"}


@auth.post("/auth/logout-all")
@who_may(ANYONE)
@auth.output(Message)
def log_out_everywhere() -> dict[str, str]:
    """Sign out on all devices"""
    sign_in.sign_out_everywhere(caller())
    return {"message": "Signed out on all devices"}


@auth.get("/auth/sign-ins")
@who_may(ANYONE)
@auth.output(SignInsOut)
def list_sign_ins() -> dict[str, Any]:
    """Where one is signed in: devices and addresses"""
    return {"items": sign_in.current(caller()), "current_id": caller().sign_in_id}


@auth.delete("/auth/sign-ins/<uuid:sign_in_id>")
@who_may(ANYONE)
@auth.output(Message)
def end_sign_in(sign_in_id: uuid.UUID) -> dict[str, str]:
    """Sign out on one device"""
    sign_in.end_one(caller(), sign_in_id)
    return {"message": "Signed out there"}


@auth.get("/auth/profile")
@who_may(ANYONE)
@auth.output(UserOut)
def read_profile() -> User:
    """One's own profile"""
    return accounts.profile(caller())


@auth.put("/auth/profile")
@who_may(ANYONE)
@auth.input(ProfileIn)
@auth.output(UserOut)
def change_profile(json_data: ProfileIn) -> User:
    """Change one's own profile"""
    return accounts.change_profile(caller(), json_data.changes())


@auth.post("/auth/change-password")
@who_may(ANYONE)
@refuses(errors.WrongPassword, errors.WeakPassword)
@limited("10 per hour", by=the_caller, counts=HTTPStatus.BAD_REQUEST)
@auth.input(PasswordIn)
@auth.output(Message)
def change_password(json_data: PasswordIn) -> dict[str, str]:
    """Change one's password; sign-ins on other devices end"""
    accounts.change_password(caller(), json_data.current_password, json_data.new_password)
    return {"message": "Password changed; other devices are signed out"}


@auth.post("/auth/forgot-password")
@who_may(PUBLIC)
@limited("5 per hour", by=the_account, counts=HTTPStatus.ACCEPTED)
@limited("200 per hour", by=the_network, counts=HTTPStatus.ACCEPTED)
@auth.input(EmailIn)
@auth.output(Message, status_code=202)
def forgot_password(json_data: EmailIn) -> dict[str, str]:
    """Have a link mailed with which to set a new password"""
    accounts.forgot_password(json_data.email)
    return {"message": "If somebody has this address, a link is on its way to it"}


@auth.post("/auth/reset-password")
@who_may(PUBLIC)
@refuses(errors.LinkInvalid, errors.WeakPassword)
@limited("50 per hour", by=the_network, counts=HTTPStatus.BAD_REQUEST)
@auth.input(NewPasswordIn)
@auth.output(Message)
def reset_password(json_data: NewPasswordIn) -> dict[str, str]:
    """Set a new password with a mailed link; all devices are signed out"""
    accounts.reset_password(json_data.token, json_data.new_password)
    return {"message": "Password set: sign in with it"}


@auth.post("/auth/change-email")
@who_may(ANYONE)
@refuses(errors.WrongPassword, errors.EmailTaken)
@limited("10 per hour", by=the_caller, counts=HTTPStatus.BAD_REQUEST)
@limited("10 per hour", by=the_caller, counts=HTTPStatus.ACCEPTED)
@auth.input(NewEmailIn)
@auth.output(Message, status_code=202)
def change_email(json_data: NewEmailIn) -> dict[str, str]:
    """Have a link mailed to a new address; following it makes it one's own"""
    accounts.change_email(caller(), json_data.email, json_data.password)
    return {"message": "A link is on its way to the new address"}


@auth.post("/auth/confirm-email")
@who_may(PUBLIC)
@refuses(errors.LinkInvalid, errors.EmailTaken)
@limited("50 per hour", by=the_network, counts=HTTPStatus.BAD_REQUEST)
@auth.input(TokenIn)
@auth.output(Message)
def confirm_email(json_data: TokenIn) -> dict[str, str]:
    """Confirm an address with a mailed link"""
    accounts.confirm_email(json_data.token)
    return {"message": "The address is confirmed: sign in with it"}


@auth.post("/auth/accept-invitation")
@who_may(PUBLIC)
@refuses(errors.LinkInvalid, errors.OrganisationInactive, errors.EmailTaken, errors.WeakPassword)
@limited("50 per hour", by=the_network, counts=HTTPStatus.BAD_REQUEST)
@auth.input(AcceptIn)
@auth.output(RegisteredOut, status_code=201)
def accept_invitation(json_data: AcceptIn) -> dict[str, Any]:
    """Join the organisation that has sent an invitation"""
    return _registered(accounts.accept_invitation(json_data.token, json_data.password, json_data.name))


@auth.get("/admin/invitations")
@who_may(ADMIN)
@auth.output(InvitationsOut)
def list_invitations() -> dict[str, Any]:
    """Invitations that nobody has accepted yet"""
    return {"items": accounts.invitations(caller())}


@auth.post("/admin/invitations")
@who_may(ADMIN)
@refuses(errors.RoleNotGiven, errors.EmailTaken)
@auth.input(InvitationIn)
@auth.output(InvitationOut, status_code=201)
def invite(json_data: InvitationIn) -> Link:
    """Invite somebody by mail"""
    return accounts.invite(caller(), json_data.email, json_data.role, json_data.name)


@auth.delete("/admin/invitations/<uuid:link_id>")
@who_may(ADMIN)
@auth.output(Message)
def revoke_invitation(link_id: uuid.UUID) -> dict[str, str]:
    """Take an invitation back"""
    accounts.revoke_invitation(caller(), link_id)
    return {"message": "The invitation no longer works"}


@auth.post("/auth/second-factor")
@who_may(ANYONE)
@refuses(errors.WrongPassword, errors.SecondFactorExists)
@limited("10 per hour", by=the_caller, counts=HTTPStatus.BAD_REQUEST)
@auth.input(OwnPasswordIn)
@auth.output(SecondFactorOut, status_code=201)
def set_second_factor_up(json_data: OwnPasswordIn) -> second_factor.Setup:
    """Begin to set up a second factor: an authenticator app"""
    return second_factor.set_up(caller(), json_data.password)


@auth.post("/auth/second-factor/confirm")
@who_may(ANYONE)
@refuses(errors.NotFound, errors.WrongCode, errors.SecondFactorExists)
@limited("10 per hour", by=the_caller, counts=HTTPStatus.UNAUTHORIZED)
@auth.input(CodeIn)
@auth.output(RecoveryCodesOut)
def confirm_second_factor(json_data: CodeIn) -> dict[str, Any]:
    """Turn the second factor on with a code that the app shows; gives recovery codes"""
    return {"recovery_codes": second_factor.confirm(caller(), json_data.code)}


@auth.post("/auth/second-factor/off")
@who_may(ANYONE)
@refuses(errors.NotFound, errors.WrongPassword, errors.WrongCode)
@limited("10 per hour", by=the_caller, counts=HTTPStatus.UNAUTHORIZED)
@limited("10 per hour", by=the_caller, counts=HTTPStatus.BAD_REQUEST)
@auth.input(SecondFactorOffIn)
@auth.output(Message)
def turn_second_factor_off(json_data: SecondFactorOffIn) -> dict[str, str]:
    """Turn the second factor off"""
    second_factor.turn_off(caller(), json_data.password, json_data.code)
    return {"message": "The second factor is off"}


def _registered(user: User) -> dict[str, Any]:
    """Who has registered is signed in, unless their address has to be confirmed first."""
    told = UserOut.model_validate(user).model_dump() | {"user_id": user.id, "user": user}
    if not user.is_active:
        nothing = ("access_token", "token", "refresh_token", "device_token", "expires_at")
        return told | dict.fromkeys(nothing)
    return told | signed_in(sign_in.begin(user.id, device_name(), the_address()))


def signed_in(signed: SignedIn) -> dict[str, Any]:
    """What SignedInOut tells."""
    user = signed.user
    return _tokens(signed) | {"user": user, "user_id": user.id, "device_token": sign_in.device_token(user)}


def _tokens(signed: SignedIn) -> dict[str, Any]:
    row = signed.sign_in
    expires_at = min(clock.now() + settings().token_lifetime, row.expires_at)
    claims: dict[str, Any] = {"sid": str(row.id)}
    subject = str(row.user_id)
    access = flask_jwt_extended.create_access_token(
        subject, additional_claims=claims, expires_delta=settings().token_lifetime
    )
    refresh = flask_jwt_extended.create_refresh_token(
        subject, additional_claims=claims | {"number": row.refreshes}, expires_delta=settings().sign_in_lifetime
    )
    return {"access_token": access, "token": access, "refresh_token": refresh, "expires_at": expires_at}


def _refresh_claims(token: str) -> dict[str, Any]:
    try:
        claims: dict[str, Any] = flask_jwt_extended.decode_token(token)
    except jwt.ExpiredSignatureError as expired:
        raise errors.TokenExpired from expired
    except (JWTExtendedException, jwt.PyJWTError, ValueError) as invalid:
        raise errors.TokenInvalid from invalid
    if claims.get("type") != "refresh":
        raise errors.TokenInvalid("This is not a refresh token")
    return claims
