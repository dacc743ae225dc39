"""The state of the installation."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from app.schemas.base import Out

State = Literal["ok", "unavailable"]


class PartsOut(Out):
    database: State
    limits: State = Field(description="Where attempts are counted: Redis, or this process")
    faces: State = Field(description="unavailable: so many pictures are waiting that no more are taken")


class HealthOut(Out):
    status: State
    version: str = Field(examples=["0.1.0"])
    uptime_seconds: int = Field(examples=[86400])
    parts: PartsOut
