"""Jobs."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from pydantic import ConfigDict, Field

from app.models import JobStatus
from app.schemas.base import Out


class JobProblemOut(Out):
    """What the call would have been refused with."""

    model_config = ConfigDict(extra="allow")

    status: int = Field(examples=[400])
    code: str = Field(examples=["not_an_image"])
    detail: str = Field(examples=["This is not a whole JPEG, PNG or WebP picture"])


class JobOut(Out):
    id: uuid.UUID
    kind: str = Field(description="The call", examples=["attendance.recognise_faces"])
    status: JobStatus = Field(examples=["running"])
    done: int = Field(description="Steps done", examples=[3])
    total: int = Field(description="Steps in all; 0 while unknown", examples=[10])
    result: Any = Field(description="When done: what the call would have answered")
    problem: JobProblemOut | None = Field(description="When failed: what it would have been refused with")
    created_at: datetime
