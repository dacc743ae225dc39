"""The statuses that a mark may give: five that there are, and each organisation's own, which count as one of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from app.models import Status
from app.services.organisation_settings import EdFi, OrganisationSettings


@dataclass(frozen=True, slots=True)
class StatusView:
    code: str
    label: str
    counts_as: Status
    colour: str
    letter: str
    """As registers show it."""
    ed_fi: EdFi


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a word stands for in a record; code: of one of the organisation's own."""

    status: Status
    code: str | None = None


BUILT_IN = {
    view.counts_as: view
    for view in (
        StatusView("present", "Present", Status.PRESENT, "#16a34a", "P", "In Attendance"),
        StatusView("late", "Late", Status.LATE, "#d97706", "L", "Tardy"),
        StatusView("absent", "Absent", Status.ABSENT, "#dc2626", "A", "Unexcused Absence"),
        StatusView("excused", "Excused", Status.EXCUSED, "#2563eb", "E", "Excused Absence"),
        StatusView("leave", "On leave", Status.LEAVE, "#7c3aed", "V", "Excused Absence"),
    )
}


def statuses_of(settings: OrganisationSettings) -> Sequence[StatusView]:
    """The five, then the organisation's own."""
    own = (
        StatusView(
            defined.code,
            defined.label,
            defined.counts_as,
            defined.colour,
            defined.code[0].upper(),
            defined.ed_fi or BUILT_IN[defined.counts_as].ed_fi,
        )
        for defined in settings.statuses
    )
    return [*BUILT_IN.values(), *own]


def meanings(settings: OrganisationSettings) -> dict[str, Meaning]:
    """What each word stands for that may be given, in small letters."""
    own = {defined.code.lower(): Meaning(defined.counts_as, defined.code) for defined in settings.statuses}
    return {status.value: Meaning(status) for status in Status} | own
