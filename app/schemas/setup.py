"""The first start."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from app.schemas.base import Email, FullName, In, Password, Text, Title
from app.schemas.organisations import TimeZone


class SetupIn(In):
    code: Annotated[str, Text(40)] = Field(description="As the server shows it", examples=["4f9a-01c2"])
    organisation: Title = Field(examples=["Village School"])
    time_zone: TimeZone = Field("UTC", examples=["Europe/Lisbon"])
    name: FullName = Field(examples=["Ada Lovelace"])
    email: Email = Field(examples=["ada@example.org"])
    password: Password = Field(examples=["correct horse battery"])
