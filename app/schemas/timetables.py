"""Timetables and calendar feeds."""

from __future__ import annotations

import re
import uuid
from datetime import date, datetime, time
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    PlainSerializer,
    StrictBool,
    WithJsonSchema,
    model_validator,
)

from app.schemas.base import Changes, In, Out, PageIn, PageOut, SortBy, Text, Title
from app.schemas.sessions import OwnerIn
from app.services.policies import Policy, kept

HOURS_AND_MINUTES = "([01][0-9]|2[0-3]):[0-5][0-9]"


def _clock(value: Any) -> time:
    if not isinstance(value, str) or not re.fullmatch(HOURS_AND_MINUTES, value):
        raise ValueError("must be hours and minutes such as 09:30")
    return time.fromisoformat(value)


def _near(day: date) -> date:
    if not 2000 <= day.year <= 2199:  # noqa: PLR2004 - looked through day by day
        raise ValueError("this day lies too far away")
    return day


Clock = Annotated[
    time,
    BeforeValidator(_clock),
    WithJsonSchema({"type": "string", "pattern": f"^{HOURS_AND_MINUTES}$"}),
]
ClockOut = Annotated[
    time,
    PlainSerializer(lambda moment: f"{moment:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "examples": ["09:00"]}),
]
Day = Annotated[date, AfterValidator(_near)]


class TimesIn(In):
    """What a timetable says, whosever it is."""

    name: Title = Field(examples=["Mathematics"])
    description: Annotated[str, Text(2000)] = Field("", examples=["Room 12"])
    first_day: Day = Field(examples=["2026-09-07"])
    last_day: Day | None = Field(None, description="By default as long as the rule or the term goes on")
    starts_at: Clock = Field(description="By the clocks where it is held", examples=["09:00"])
    ends_at: Clock | None = Field(
        None, description="Or minutes; the next day where it is not after starts_at", examples=["10:30"]
    )
    minutes: Annotated[int, Field(strict=True, ge=1, le=1440)] | None = Field(
        None, description="By the clocks too", examples=[90]
    )
    rule: Annotated[str, Text(500, 1)] = Field(
        description="An RRULE's value (RFC 5545), of days, weeks, months or years", examples=["FREQ=WEEKLY;BYDAY=MO,WE"]
    )
    left_out: list[Day] = Field(
        [], max_length=400, description="Days on which it is not held", examples=[["2026-10-05"]]
    )
    term_id: uuid.UUID | None = Field(None, description="It is held within the term's days")
    on_holidays: StrictBool = Field(False, description="Whether it is held on the organisation's holidays too")
    policy: Policy | None = Field(None, description="What checking in asks for, where it is not what its class asks")

    def values(self) -> dict[str, Any]:
        """As they are kept, those that are given; ends_at stands for the minutes."""
        values = {name: getattr(self, name) for name in self.model_fields_set}
        length = {name for name in ("minutes", "ends_at") if values.get(name) is None}
        values = {name: value for name, value in values.items() if name not in length}
        if "left_out" in values:
            values["left_out"] = sorted({day.isoformat() for day in self.left_out})
        return values | ({"policy": kept(self.policy)} if "policy" in values else {})


class TimetableIn(OwnerIn, TimesIn):
    @model_validator(mode="after")
    def one_length(self) -> Self:
        if (self.ends_at is None) == (self.minutes is None):
            raise ValueError("give either ends_at or minutes")
        return self

    def values(self) -> dict[str, Any]:
        return {"left_out": [], "policy": {}} | super().values() | self.owner()


class TimetableChangeIn(Changes, TimesIn):
    name: Title = Field(default_factory=str, examples=["Mathematics"])
    first_day: Day = Field(default_factory=lambda: date.min, examples=["2026-09-07"])
    starts_at: Clock = Field(default_factory=time, examples=["09:00"])
    rule: Annotated[str, Text(500, 1)] = Field(default_factory=str, examples=["FREQ=WEEKLY;BYDAY=MO,WE"])

    @model_validator(mode="after")
    def one_length(self) -> Self:
        if self.ends_at is not None and self.minutes is not None:
            raise ValueError("give either ends_at or minutes")
        return self


class TimetableListIn(PageIn):
    class_id: uuid.UUID | None = None
    sort: Annotated[list[str], SortBy("name", "first_day")] = Field(default_factory=lambda: ["name"])


class TimetableOut(Out):
    id: uuid.UUID
    class_id: uuid.UUID | None
    subject_id: uuid.UUID | None
    department_id: uuid.UUID | None
    is_event: bool
    name: str = Field(examples=["Mathematics"])
    description: str
    first_day: date
    last_day: date | None
    starts_at: ClockOut
    ends_at: ClockOut
    minutes: int = Field(examples=[90])
    rule: str = Field(examples=["FREQ=WEEKLY;BYDAY=MO,WE"])
    left_out: list[date]
    term_id: uuid.UUID | None
    on_holidays: bool
    cancelled_from: date | None = Field(description="From this day on none is held")
    time_zone: str = Field(examples=["Europe/London"])
    policy: Policy
    created_at: datetime


class SavedTimetableOut(TimetableOut):
    overlaps: list[uuid.UUID] = Field(
        description="Ids of its class's other sessions at the times of those that were made, at most 100"
    )


class TimetablePageOut(PageOut):
    items: list[TimetableOut]


class CalendarFeedIn(In):
    class_id: uuid.UUID | None = Field(None, description="Only this class's sessions; by default all of one's own")


class CalendarFeedOut(Out):
    id: uuid.UUID
    class_id: uuid.UUID | None
    revoked_at: datetime | None
    created_at: datetime


class NewCalendarFeedOut(CalendarFeedOut):
    url: str = Field(
        description="For a calendar program; shown this once. Who knows it sees the sessions: keep it to yourself",
        examples=["https://rollcall.example/api/calendar/p4Zt...ics"],
    )


class CalendarFeedPageOut(PageOut):
    items: list[CalendarFeedOut]
