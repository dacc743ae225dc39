"""Accounts and signing in."""

from __future__ import annotations

from http import HTTPStatus

import flask_jwt_extended
from apiflask import APIBlueprint
from flask import request

from app.api.limits import limited, the_account, the_address, the_caller
from app.api.openapi import refuses
from app.api.policy import ANYONE, PUBLIC, caller, who_may
from app.extensions import settings
from app.models import SignIn, User
from app.schemas.accounts import PasswordIn, ProfileIn, SignedInOut, SignInIn, SignUpIn, UserOut
from app.schemas.base import Message
from app.services import accounts, errors
from app.services.sign_in import sign_in, sign_out

auth = APIBlueprint("auth", __name__, tag="Accounts and signing in")


@auth.post("/auth/signup")
@who_may(PUBLIC)
@refuses(errors.NotFound, errors.RegistrationRefused, errors.EmailTaken, errors.WeakPassword)
@limited("1000 per hour", by=the_address, counts=HTTPStatus.CREATED)
@auth.input(SignUpIn)
@auth.output(UserOut, status_code=201)
def sign_up(json_data: SignUpIn) -> User:
    """Register as a student or teacher, by default with the installation's own organisation"""
    return accounts.register(**json_data.model_dump())


@auth.post("/auth/login")
@who_may(PUBLIC)
@refuses(errors.WrongCredentials, errors.AccountSuspended)
@limited("10 per minute", by=the_account, counts=HTTPStatus.UNAUTHORIZED)
@limited("300 per minute", by=the_address, counts=HTTPStatus.UNAUTHORIZED)
@auth.input(SignInIn)
@auth.output(SignedInOut)
def log_in(json_data: SignInIn) -> dict[str, object]:
    """Sign in, and get the access token for all other calls"""
    device = request.user_agent.string
    user, begun = sign_in(json_data.email, json_data.password, device, request.remote_addr or "")
    return {"access_token": _token(begun), "expires_at": begun.expires_at, "user": user}


@auth.post("/auth/logout")
@who_may(ANYONE)
@auth.output(Message)
def log_out() -> dict[str, str]:
    """Sign out: the token no longer works"""
    sign_out(caller())
    return {"message": "Signed out"}


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
@limited("10 per minute", by=the_caller, counts=HTTPStatus.BAD_REQUEST)
@auth.input(PasswordIn)
@auth.output(Message)
def change_password(json_data: PasswordIn) -> dict[str, str]:
    """Change one's password; sign-ins on other devices end"""
    accounts.change_password(caller(), json_data.current_password, json_data.new_password)
    return {"message": "Password changed; other devices are signed out"}


def _token(begun: SignIn) -> str:
    token: str = flask_jwt_extended.create_access_token(
        str(begun.user_id), additional_claims={"sid": str(begun.id)}, expires_delta=settings().token_lifetime
    )
    return token
