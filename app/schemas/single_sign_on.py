"""Single sign-on."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, StringConstraints

from app.models import Role
from app.schemas.base import In, Out, Text

GivenRole = Literal[Role.ADMIN, Role.TEACHER, Role.STUDENT, Role.EMPLOYEE, Role.PARENT]


def _issuer(address: str) -> str:
    if not urlsplit(address).hostname or set("?#") & set(address):
        raise ValueError("is the address of a provider, without ? and #")
    return address


def _return_url(address: str) -> str:
    parts = urlsplit(address)
    secure = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname == "localhost")
    if not secure or not parts.hostname or "#" in address:
        raise ValueError("begins with https:// or http://localhost, and has no #")
    return address


Printable = StringConstraints(pattern=r"^[!-~]+$")
Issuer = Annotated[str, Printable, Field(max_length=450), AfterValidator(_issuer)]
ReturnUrl = Annotated[str, Printable, Field(max_length=500), AfterValidator(_return_url)]


class SingleSignOnIn(In):
    issuer: Issuer = Field(
        description="The provider's address, exactly as it says itself; https. Register "
        "{PUBLIC_URL}/api/auth/single-sign-on/{organisation_id}/callback there as the redirect URI",
        examples=["https://login.school.example"],
    )
    client_id: Annotated[str, Printable, Field(max_length=255)] = Field(
        description="What the provider calls this installation", examples=["rollcall"]
    )
    client_secret: Annotated[str, StringConstraints(pattern=r"^[ -~]+$"), Field(max_length=500)] | None = Field(
        None,
        description="From the provider; kept encrypted and never shown. When it is not sent, the old one stays; "
        "another issuer needs another one",
        json_schema_extra={"format": "password", "writeOnly": True},
    )
    role_claim: Annotated[str, Text(100, 1)] = Field(
        "groups", description="The claim of the ID token that decides the role: a text, or a list of them"
    )
    role_map: dict[Annotated[str, Text(255, 1)], GivenRole] = Field(
        {},
        max_length=200,
        description="The role for each value of that claim; with several, the one that may most. At each sign-in the "
        "person's role follows it; the last administrator keeps theirs, and super admins do not sign in so",
        examples=[{"staff": "teacher", "pupils": "student"}],
    )
    default_role: GivenRole | None = Field(
        None,
        description="Of new people whose claim maps to no role; null: they are refused",
        examples=["student"],
    )
    return_url: ReturnUrl | None = Field(
        None,
        description="The front end's page to which the browser goes once signed in, with access_token, refresh_token "
        "and expires_at behind the #: https, or http://localhost. null: the tokens are answered as JSON",
        examples=["https://rollcall.school.example/signed-in"],
    )
    is_enabled: bool = Field(True, description="Whether people may sign in with it")


class SingleSignOnOut(Out):
    issuer: str = Field(examples=["https://login.school.example"])
    client_id: str = Field(examples=["rollcall"])
    role_claim: str = Field(examples=["groups"])
    role_map: dict[str, Role] = Field(examples=[{"staff": "teacher"}])
    default_role: Role | None
    return_url: str | None
    is_enabled: bool


class CallbackIn(In):
    """What a provider sends the browser back with; some send more."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    state: Annotated[str, Text(200)] | None = Field(None, description="As it was sent to the provider")
    code: Annotated[str, Text(8000)] | None = Field(None, description="For which the provider says who it is")
    error: Annotated[str, Text(200)] | None = Field(None, description="Why there is none", examples=["access_denied"])
    iss: Annotated[str, Text(500)] | None = Field(None, description="Which provider this is")
