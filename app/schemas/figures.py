"""The shape of a figure."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field

from app.schemas.base import Figure, Out

Percentage = Annotated[float, AfterValidator(lambda percentage: round(percentage, 2))]


class FigureOut(Out):
    """What records come to: docs/figures.md says how it is formed."""

    sessions: int = Field(description="Held; of people, the sum of those in which each was expected", examples=[20])
    expected: int = Field(description="Records that count", examples=[500])
    present: int = Field(examples=[470])
    late: int = Field(examples=[10])
    absent: int = Field(examples=[15])
    excused: int = Field(examples=[5])
    leave: int = Field(examples=[0])
    rate: Figure | None = Field(
        description="(present + late x late_weight) / (expected - excused - leave); null when that is nobody",
        examples=[0.9697],
    )
    percentage: Percentage | None = Field(description="The rate, of 100", examples=[96.97])
    missed: Figure | None = Field(description="1 - (present + late) / expected", examples=[0.04])
