"""Organisations and their settings."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any

from pydantic import AfterValidator, Field, StrictBool

from app.schemas.base import Changes, Email, In, Out, PageIn, PageOut, SortBy, Text, Title
from app.services.organisation_settings import OrganisationSettings
from config import time_zone

TimeZone = Annotated[str, Field(max_length=64), AfterValidator(time_zone)]


class OrganisationIn(In):
    name: Title = Field(examples=["Village School"])
    description: Annotated[str, Text(2000)] = Field("", examples=["Primary school, 120 children"])
    address: Annotated[str, Text(500)] | None = Field(None, examples=["Church Lane 1"])
    contact_email: Email | None = Field(None, examples=["office@school.example"])
    contact_phone: Annotated[str, Text(40)] | None = Field(None, examples=["+44 20 7946 0000"])
    time_zone: TimeZone = Field("UTC", description="IANA name", examples=["Europe/London"])
    settings: OrganisationSettings = Field(
        default_factory=OrganisationSettings, description="Only what is sent is changed", examples=[{"grace": 5}]
    )

    def values(self) -> dict[str, Any]:
        return self.model_dump(exclude_unset=True, mode="json")


class OrganisationChangeIn(Changes, OrganisationIn):
    name: Title = Field(default_factory=str, examples=["Village School"])
    is_active: StrictBool = Field(True, description="For those who manage the installation", examples=[True])
    reason: Annotated[str, Text(500)] | None = Field(None, description="For the audit log", examples=["Merged"])


class OrganisationListIn(PageIn):
    search: Annotated[str, Text(200)] | None = Field(None, examples=["school"])
    sort: Annotated[list[str], SortBy("name", "created_at")] = Field(default_factory=lambda: ["name"])


class StatisticsOut(Out):
    users: int
    users_by_role: dict[str, int]
    users_by_status: dict[str, int]
    departments: int
    classes: int
    enrolments: int
    sessions: int
    records: int
    signed_in: int = Field(description="Devices, now")


class OrganisationOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Village School"])
    description: str
    address: str | None
    contact_email: str | None
    contact_phone: str | None
    time_zone: str = Field(examples=["Europe/London"])
    is_active: bool
    created_at: datetime
    settings: OrganisationSettings


class OrganisationDetailOut(OrganisationOut):
    statistics: StatisticsOut


class OrganisationPageOut(PageOut):
    items: list[OrganisationOut]
