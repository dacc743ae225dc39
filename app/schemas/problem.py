"""RFC 9457 problem details, as every error answers."""

from __future__ import annotations

from pydantic import ConfigDict, Field

from app.schemas.base import Out


class Problem(Out):
    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["urn:rollcall:problem:unknown_join_code"])
    title: str = Field(examples=["No class has this join code"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["No class has this join code"])
    code: str = Field(description="Stable: programs may rely on it", examples=["unknown_join_code"])
    error: str = Field(description="The same as detail, for older clients", examples=["No class has this join code"])
    request_id: str = Field(examples=["01935c1e8f007000800000000000000a"])
    errors: dict[str, list[str]] | None = Field(
        None, description="What is wrong, by field", examples=[{"email": ["Field required"]}]
    )
