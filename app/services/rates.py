"""The attendance rate: every figure in the product comes from here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from app.models import Status

STATUSES = tuple(status.value for status in Status)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many people were expected, and how many of them have which status, in the order of STATUSES; the others have
    no record yet."""

    expected: int
    late_weight: float = 1.0
    present: int = 0
    late: int = 0
    absent: int = 0
    excused: int = 0
    leave: int = 0

    @classmethod
    def of(cls, expected: int, by_status: Mapping[Status, int], late_weight: float) -> Self:
        return cls(expected, late_weight, *(by_status.get(status, 0) for status in Status))

    def __add__(self, other: Counts) -> Counts:
        """Of both together, of one organisation."""
        by_status = (getattr(self, name) + getattr(other, name) for name in STATUSES)
        return Counts(self.expected + other.expected, self.late_weight, *by_status)

    @property
    def unmarked(self) -> int:
        return self.expected - self.present - self.late - self.absent - self.excused - self.leave

    @property
    def rate(self) -> float | None:
        return attendance_rate(self)

    @property
    def shares(self) -> dict[str, float | None]:
        """Of each status among those expected; None when nobody was."""
        return {s.value: getattr(self, s.value) / self.expected if self.expected else None for s in Status}


def attendance_rate(counts: Counts) -> float | None:
    """(present + late x late_weight) / (expected - excused - leave), from 0 to 1; None when nobody was expected."""
    expected = counts.expected - counts.excused - counts.leave
    return (counts.present + counts.late * counts.late_weight) / expected if expected > 0 else None
