"""The pages that people come to without a front end: the first start, and the links in mails."""

from __future__ import annotations

import secrets
from http import HTTPStatus
from typing import NamedTuple

from apiflask import APIBlueprint
from flask import Response, redirect, render_template
from werkzeug.wrappers import Response as Redirection

from app.api.limits import limited, the_network
from app.api.openapi import refuses
from app.api.policy import PUBLIC, who_may
from app.extensions import settings
from app.models import LinkKind, User
from app.schemas.accounts import UserOut
from app.schemas.setup import SetupIn
from app.services import errors, installation

pages = APIBlueprint("pages", __name__, tag="Setting up")


class Field(NamedTuple):
    name: str
    label: str
    type: str = "text"
    autocomplete: str = "off"
    hint: str = ""
    required: bool = True
    value: str = ""


class Page(NamedTuple):
    """A form, and the call that it makes with what is typed in and the token behind the address's #."""

    title: str
    says: str
    call: str
    button: str
    done: str
    fields: tuple[Field, ...] = ()


PASSWORD = "Long is better than complicated: four random words are hard to guess."  # noqa: S105 - advice
LINKS = {
    LinkKind.RESET: Page(
        "Set a new password", "You will be signed out on all devices.", "/api/auth/reset-password", "Set the password",
        "Your password is set: sign in with it.",
        (Field("new_password", "New password", "password", "new-password", PASSWORD),),
    ),
    LinkKind.INVITATION: Page(
        "Join your organisation", "Choose the password to sign in with.", "/api/auth/accept-invitation", "Join",
        "Welcome! You can sign in now.",
        (Field("name", "Your name", autocomplete="name", hint="Empty: as in the invitation", required=False),
         Field("password", "Password", "password", "new-password", PASSWORD)),
    ),
    LinkKind.EMAIL: Page(
        "Confirm your address", "One click, and this address is yours to sign in with.", "/api/auth/confirm-email",
        "Confirm", "Your address is confirmed.",
    ),
}  # fmt: skip


@pages.get("/links/<kind>")
@who_may(PUBLIC)
@pages.doc(hide=True)
def follow(kind: str) -> Response:
    """Where a mailed link leads; the token stays behind the #, in the browser"""
    if kind not in set(LinkKind):
        raise errors.NotFound
    return _render(LINKS[LinkKind(kind)])


@pages.get("/setup")
@who_may(PUBLIC)
@pages.doc(hide=True)
def first_run() -> Response | Redirection:
    """The page of the first start; afterwards there is nothing to see"""
    if not installation.needs_admin():
        return redirect("/api/docs")
    return _render(
        Page(
            "Set Rollcall up", "Make the first administrator. They manage everything from here on.", "/api/setup",
            "Set up", "Done. Sign in with your address and password.",
            (Field("code", "Setup code", hint="It stands where the server was started."),
             Field("organisation", "Organisation", autocomplete="organization"),
             Field("time_zone", "Time zone", value=settings().default_time_zone, hint="Such as Europe/Lisbon"),
             Field("name", "Your name", autocomplete="name"),
             Field("email", "Email address", "email", "username"),
             Field("password", "Password", "password", "new-password", PASSWORD)),
        )
    )  # fmt: skip


@pages.post("/setup")
@who_may(PUBLIC)
@refuses(errors.AlreadySetUp, errors.WrongSetupCode, errors.EmailTaken, errors.WeakPassword, errors.NameTaken)
@limited("10 per hour", by=the_network, counts=HTTPStatus.FORBIDDEN)
@pages.input(SetupIn)
@pages.output(UserOut, status_code=201)
def set_up(json_data: SetupIn) -> User:
    """Make the first administrator, with the code that the server shows where it was started"""
    return installation.set_up(**json_data.model_dump())


def _render(page: Page) -> Response:
    nonce = secrets.token_urlsafe(16)
    answer = Response(render_template("pages/form.html", nonce=nonce, **page._asdict()))
    own = f"'nonce-{nonce}'"
    answer.headers["Content-Security-Policy"] = (
        f"default-src 'none'; script-src {own}; style-src {own}; connect-src 'self'; form-action 'none'; "
        "frame-ancestors 'none'; base-uri 'none'"
    )
    answer.headers["Cache-Control"] = "no-store"
    return answer
