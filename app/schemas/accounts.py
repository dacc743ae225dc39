"""Accounts and signing in."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, Field, model_validator

from app.models import Role, UserStatus
from app.models.people import split_name
from app.schemas.base import Email, In, Name, Out, Password, Text, Title


class SignUpIn(In):
    email: Email = Field(examples=["ada@example.org"])
    password: Password = Field(
        description="At least PASSWORD_MIN_LENGTH characters, by default 8", examples=["correct horse battery"]
    )
    first_name: Name = Field(examples=["Ada"])
    last_name: Annotated[str, Text(100)] = Field("", examples=["Lovelace"])
    role: Role = Field(examples=["student"])
    organisation_id: uuid.UUID | None = Field(
        None,
        validation_alias=AliasChoices("organisation_id", "org_id"),
        description="By default the installation's own organisation",
    )


class SignInIn(In):
    email: Email = Field(examples=["ada@example.org"])
    password: Password = Field(examples=["correct horse battery"])


class ProfileIn(In):
    """Only what is sent is changed. `name` stands for both names."""

    first_name: Name = Field(default_factory=str, examples=["Ada"])
    last_name: Annotated[str, Text(100)] = Field("", examples=["Lovelace"])
    name: Title = Field(default_factory=str, examples=["Ada Lovelace"])
    phone: Annotated[str, Text(40)] | None = Field(None, examples=["+351 21 000 0000"])
    avatar: Annotated[str, Text(2000)] | None = Field(None, examples=["https://example.org/ada.png"])

    @model_validator(mode="after")
    def one_spelling_of_the_name(self) -> ProfileIn:
        if "name" in self.model_fields_set and self.model_fields_set & {"first_name", "last_name"}:
            raise ValueError("send either name, or first_name and last_name")
        return self

    def changes(self) -> dict[str, Any]:
        sent = self.model_dump(exclude_unset=True)
        return sent | split_name(sent.pop("name")) if "name" in sent else sent


class PasswordIn(In):
    current_password: Password = Field(examples=["correct horse battery"])
    new_password: Password = Field(examples=["staple of four words"])


class UserOut(Out):
    id: uuid.UUID
    organisation_id: uuid.UUID
    email: str | None = Field(examples=["ada@example.org"])
    first_name: str = Field(examples=["Ada"])
    last_name: str = Field(examples=["Lovelace"])
    name: str = Field(examples=["Ada Lovelace"])
    role: Role = Field(examples=["student"])
    status: UserStatus = Field(examples=["active"])
    phone: str | None
    avatar: str | None
    created_at: datetime


class SignedInOut(Out):
    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - the kind of token, not one
    expires_at: datetime
    user: UserOut
