"""Accounts and signing in."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, Field, model_validator

from app.models import Role, UserStatus
from app.models.people import split_name
from app.schemas.base import Email, FullName, In, Name, Out, Password, Text


class NamedIn(In):
    """A person's name comes whole, or as first and last name."""

    first_name: Name = Field(default_factory=str, examples=["Ada"])
    last_name: Annotated[str, Text(100)] = Field("", examples=["Lovelace"])
    name: FullName = Field(
        default_factory=str,
        validation_alias=AliasChoices("name", "full_name", "fullName"),
        description="Instead of first_name and last_name",
        examples=["Ada Lovelace"],
    )

    @model_validator(mode="after")
    def one_spelling_of_the_name(self) -> Self:
        if "name" in self.model_fields_set and self.model_fields_set & {"first_name", "last_name"}:
            raise ValueError("send either name, or first_name and last_name")
        return self

    def changes(self) -> dict[str, Any]:
        """What was sent, with the name as it is kept."""
        sent = self.model_dump(exclude_unset=True)
        return sent | split_name(sent.pop("name")) if "name" in sent else sent


class NewNamedIn(NamedIn):
    @model_validator(mode="after")
    def some_name(self) -> Self:
        if not self.name and not self.first_name:
            raise ValueError("send name, or first_name and last_name")
        return self


class RegisterIn(NewNamedIn):
    email: Email = Field(examples=["ada@example.org"])
    password: Password = Field(
        description="At least PASSWORD_MIN_LENGTH characters, by default 8, and hard to guess",
        examples=["correct horse battery"],
    )
    role: Role = Field(examples=["student"])
    organisation_id: uuid.UUID | None = Field(
        None,
        validation_alias=AliasChoices("organisation_id", "org_id", "organisationId", "orgId"),
        description="By default the installation's own organisation",
    )


class SignInIn(In):
    email: Email = Field(examples=["ada@example.org"])
    password: Password = Field(examples=["correct horse battery"])
    code: Annotated[str, Text(40)] | None = Field(
        None, description="Of the second factor, or a recovery code", examples=["123456"]
    )
    device_info: Any = Field(
        None, description="What the device calls itself; by default its User-Agent", examples=["Pixel 9, Android 16"]
    )
    device_token: Annotated[str, Text(1000)] | None = Field(
        None, description="From an earlier sign-in on this device; X-Device-Token does as well"
    )


class RefreshIn(In):
    refresh_token: Annotated[str, Text(4000)]


class EmailIn(In):
    email: Email = Field(examples=["ada@example.org"])


class NewEmailIn(EmailIn):
    password: Password = Field(examples=["correct horse battery"])


class TokenIn(In):
    """The token of a mailed link: what stands behind its #."""

    token: Annotated[str, Text(200, 1)]


class NewPasswordIn(TokenIn):
    new_password: Password = Field(examples=["staple of four words"])


class AcceptIn(TokenIn):
    password: Password = Field(examples=["correct horse battery"])
    name: FullName | None = Field(None, description="By default as in the invitation", examples=["Ada Lovelace"])


class InvitationIn(In):
    email: Email = Field(examples=["ada@example.org"])
    role: Role = Field(examples=["teacher"])
    name: FullName | None = Field(None, examples=["Ada Lovelace"])


class InvitationOut(Out):
    id: uuid.UUID
    email: str = Field(examples=["ada@example.org"])
    role: Role | None = Field(examples=["teacher"])
    name: str | None = Field(examples=["Ada Lovelace"])
    expires_at: datetime
    created_at: datetime


class InvitationsOut(Out):
    items: list[InvitationOut]


class OwnPasswordIn(In):
    password: Password = Field(examples=["correct horse battery"])


class CodeIn(In):
    code: Annotated[str, Text(40, 1)] = Field(examples=["123456"])


class SecondFactorOffIn(CodeIn):
    password: Password = Field(examples=["correct horse battery"])


class SecondFactorOut(Out):
    secret: str = Field(description="To type into an authenticator app", examples=["JBSWY3DPEHPK3PXP"])
    otpauth_url: str = Field(description="To open in one")
    qr: str = Field(description="To scan with one: an SVG picture as a data: URL")


class RecoveryCodesOut(Out):
    recovery_codes: list[str] = Field(description="Each works once; not shown again", examples=[["0f1e-2d3c-4b5a-69"]])


class SignInOut(Out):
    id: uuid.UUID
    device: str = Field(examples=["Pixel 9, Android 16"])
    address: str = Field(examples=["192.0.2.7"])
    created_at: datetime
    last_used_at: datetime
    expires_at: datetime


class SignInsOut(Out):
    items: list[SignInOut]
    current_id: uuid.UUID | None = Field(description="The one that this call came with")


class ProfileIn(NamedIn):
    """Only what is sent is changed."""

    phone: Annotated[str, Text(40)] | None = Field(None, examples=["+351 21 000 0000"])
    avatar: Annotated[str, Text(2000)] | None = Field(None, examples=["https://example.org/ada.png"])


class PasswordIn(In):
    current_password: Password = Field(examples=["correct horse battery"])
    new_password: Password = Field(examples=["staple of four words"])


class UserOut(Out):
    id: uuid.UUID
    organisation_id: uuid.UUID
    email: str | None = Field(examples=["ada@example.org"])
    email_verified: bool
    username: str | None = Field(examples=["ada"])
    first_name: str = Field(examples=["Ada"])
    last_name: str = Field(examples=["Lovelace"])
    name: str = Field(examples=["Ada Lovelace"])
    role: Role = Field(examples=["student"])
    status: UserStatus = Field(examples=["active"])
    is_active: bool
    phone: str | None
    address: str | None
    avatar: str | None
    department_id: uuid.UUID | None
    department: str | None = Field(examples=["Science"])
    last_sign_in_at: datetime | None
    created_at: datetime


class TokensOut(Out):
    access_token: str
    token: str = Field(description="The same as access_token, for older clients")
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the kind of token, not one
    expires_at: datetime = Field(description="When the access token stops working")
    refresh_token: str = Field(description="Works once: each refresh gives the next one")


class SignedInOut(TokensOut):
    device_token: str = Field(description="To keep, and to send when signing in on this device again")
    user_id: uuid.UUID
    user: UserOut


class RegisteredOut(UserOut):
    """The person; signed in already, unless they have to confirm their address first."""

    user_id: uuid.UUID
    user: UserOut
    access_token: str | None
    token: str | None = Field(description="The same as access_token, for older clients")
    refresh_token: str | None
    device_token: str | None
    expires_at: datetime | None


class VerifiedOut(Out):
    valid: bool
    user: UserOut
