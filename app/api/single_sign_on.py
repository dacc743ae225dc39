"""Single sign-on: its settings, and the way to the provider and back."""

from __future__ import annotations

import uuid
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from apiflask import APIBlueprint
from flask import after_this_request, redirect, request
from werkzeug.wrappers import Response

from app.api.auth import NOT_NOW, signed_in
from app.api.limits import device_name, limited, the_address, the_network
from app.api.openapi import refuses
from app.api.policy import ADMIN, PUBLIC, caller, who_may
from app.extensions import settings
from app.models import SingleSignOn
from app.schemas.accounts import SignedInOut
from app.schemas.base import Message
from app.schemas.single_sign_on import CallbackIn, SingleSignOnIn, SingleSignOnOut
from app.services import errors
from app.services import single_sign_on as service

single_sign_on = APIBlueprint("single_sign_on", __name__, tag="Single sign-on")

TO_THE_PROVIDER: Any = {302: "To the provider's sign-in page"}
TO_THE_FRONT_END: Any = {302: "To the front end's return_url, with the tokens behind the #"}


@single_sign_on.get("/admin/single-sign-on")
@who_may(ADMIN)
@refuses(errors.NotFound)
@single_sign_on.output(SingleSignOnOut)
def read() -> SingleSignOn:
    """The organisation's single sign-on"""
    return service.read(caller())


@single_sign_on.put("/admin/single-sign-on")
@who_may(ADMIN)
@refuses(errors.RoleNotGiven, errors.AddressRefused, errors.MissingFields)
@single_sign_on.input(SingleSignOnIn)
@single_sign_on.output(SingleSignOnOut)
def save(json_data: SingleSignOnIn) -> SingleSignOn:
    """Set single sign-on up with an OpenID Connect provider, which is asked whether it is one"""
    return service.save(caller(), json_data.model_dump(exclude={"client_secret"}), json_data.client_secret)


@single_sign_on.delete("/admin/single-sign-on")
@who_may(ADMIN)
@refuses(errors.NotFound)
@single_sign_on.output(Message)
def remove() -> dict[str, str]:
    """Remove single sign-on; people keep their accounts"""
    service.remove(caller())
    return {"message": "There is no single sign-on any more"}


@single_sign_on.get("/auth/single-sign-on/<uuid:organisation_id>")
@who_may(PUBLIC)
@refuses(errors.NotFound, errors.ProviderUnavailable)
@limited("100 per minute", by=the_network, counts=HTTPStatus.SERVICE_UNAVAILABLE)
@single_sign_on.doc(responses=TO_THE_PROVIDER)
def begin(organisation_id: uuid.UUID) -> Response:
    """Open this in the browser to sign in with an organisation's provider"""
    begun = service.begin(organisation_id)
    answer = redirect(begun.url)
    answer.cache_control.no_store = True
    answer.set_cookie(value=begun.kept, max_age=service.LIFETIME, **_cookie())
    return answer


@single_sign_on.get("/auth/single-sign-on/<uuid:organisation_id>/callback")
@who_may(PUBLIC)
@refuses(errors.SingleSignOnFailed, errors.NotFound, errors.RegistrationRefused, errors.ProviderUnavailable, *NOT_NOW)
@limited("100 per minute", by=the_network, counts=HTTPStatus.BAD_REQUEST)
@single_sign_on.input(CallbackIn, location="query")
@single_sign_on.output(SignedInOut)
@single_sign_on.doc(responses=TO_THE_FRONT_END)
def finish(organisation_id: uuid.UUID, query_data: CallbackIn) -> dict[str, Any] | Response:
    """Where the provider sends the browser back to, which is signed in then"""
    after_this_request(_forget)
    kept = request.cookies.get(_cookie()["key"], "")
    back = service.Return(query_data.state, query_data.code, query_data.error, query_data.iss)
    signed, return_url = service.finish(organisation_id, kept, back, device_name(), the_address())
    told = signed_in(signed)
    if return_url is None:
        return told
    tokens = {name: told[name] for name in ("access_token", "refresh_token")}
    fragment = urlencode(tokens | {"expires_at": told["expires_at"].isoformat()})
    return redirect(f"{return_url}#{fragment}")


def _cookie() -> dict[str, Any]:
    """__Host-: over https the browser takes it from this very host alone, so that nobody beside it can plant theirs."""
    secure = settings().public_url.startswith("https://")
    key = "__Host-single_sign_on" if secure else "single_sign_on"
    return {"key": key, "secure": secure, "httponly": True, "samesite": "Lax"}


def _forget(answer: Response) -> Response:
    """What was begun is over, however it ended."""
    answer.delete_cookie(**_cookie())
    answer.cache_control.no_store = True
    return answer
