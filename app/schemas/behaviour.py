"""Behaviour notes, and their figures."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Any

from pydantic import Field, StrictBool

from app.models import BehaviourKind
from app.schemas.base import Changes, In, OrderedPageIn, Out, PageIn, PageOut, SortBy, Text
from app.schemas.classes import StudentOut
from app.services.behaviour import NoteFilters
from app.services.figures import Interval
from app.services.sessions import Days

Category = Annotated[str, Text(100, 1)]


class BehaviourIn(In):
    student_id: uuid.UUID
    kind: BehaviourKind = Field(examples=["positive"])
    category: Category = Field(description="One of the organisation's, or another", examples=["respect"])
    notes: Annotated[str, Text(2000)] = Field("", examples=["Helped a younger student"])
    happened_on: date | None = Field(None, description="By default today", examples=["2026-03-12"])
    class_id: uuid.UUID | None = None
    is_visible_to_family: StrictBool = Field(False, description="Whether the student and their parents see it")
    follow_up: Annotated[str, Text(2000, 1)] | None = Field(
        None, description="What is to be done; only staff see it", examples=["Talk to the parents"]
    )
    follow_up_on: date | None = Field(None, examples=["2026-03-19"])


class BehaviourChangeIn(Changes):
    kind: BehaviourKind = Field(BehaviourKind.POSITIVE, examples=["negative"])
    category: Category = Field("other", examples=["disruption"])
    notes: Annotated[str, Text(2000)] = Field("", examples=["It was somebody else"])
    happened_on: date = Field(default_factory=lambda: date.min, examples=["2026-03-12"])
    class_id: uuid.UUID | None = None
    is_visible_to_family: StrictBool = False
    follow_up: Annotated[str, Text(2000, 1)] | None = Field(None, examples=["Talk to the parents"])
    follow_up_on: date | None = Field(None, examples=["2026-03-19"])
    reason: Annotated[str, Text(500)] | None = Field(
        None, description="For the audit log", examples=["Named the wrong category"]
    )

    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in super().changes().items() if name != "reason"}


class BehaviourFiltersIn(In):
    student_id: uuid.UUID | None = None
    kind: BehaviourKind | None = Field(None, examples=["negative"])
    category: Category | None = Field(None, description="Without regard to case", examples=["disruption"])
    class_id: uuid.UUID | None = None
    start_date: date | None = Field(None, examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])

    @property
    def wanted(self) -> NoteFilters:
        named = {name: getattr(self, name) for name in ("student_id", "kind", "category", "class_id")}
        return NoteFilters(days=Days(self.start_date, self.end_date), **named)


class BehaviourListIn(BehaviourFiltersIn, PageIn):
    open_follow_ups: bool = Field(False, description="Only those about which something is still to be done")
    sort: Annotated[list[str], SortBy("happened_on", "created_at")] = Field(default_factory=lambda: ["-happened_on"])


class BehaviourStatisticsIn(BehaviourFiltersIn):
    """Without dates: the last 366 days."""

    interval: Interval = Field(Interval.MONTH, examples=["week"])


class BehaviourCategoriesIn(OrderedPageIn):
    pass


class BehaviourOut(Out):
    id: uuid.UUID
    student_id: uuid.UUID
    student: StudentOut
    kind: BehaviourKind = Field(examples=["positive"])
    category: str = Field(examples=["respect"])
    notes: str = Field(examples=["Helped a younger student"])
    happened_on: date = Field(examples=["2026-03-12"])
    class_id: uuid.UUID | None
    is_visible_to_family: bool
    follow_up: str | None = Field(description="What is to be done; null for who is not staff")
    follow_up_on: date | None
    followed_up_at: datetime | None
    teacher_id: uuid.UUID = Field(description="Who wrote it")
    teacher_name: str = Field(examples=["Mary Somerville"])
    created_at: datetime


class BehaviourPageOut(PageOut):
    items: list[BehaviourOut]


class BehaviourCategoryOut(Out):
    category: str = Field(examples=["respect"])
    notes: int = Field(description="How many have it", examples=[12])


class BehaviourCategoryPageOut(PageOut):
    items: list[BehaviourCategoryOut]


class BehaviourCountsOut(Out):
    positive: int = Field(examples=[12])
    negative: int = Field(examples=[3])


class BehaviourOfCategoryOut(BehaviourCountsOut):
    category: str = Field(examples=["respect"])


class BehaviourPointOut(BehaviourCountsOut):
    interval: date = Field(description="The day, the week's Monday or the month's first day", examples=["2026-03-01"])


class BehaviourStatisticsOut(BehaviourCountsOut):
    by_category: list[BehaviourOfCategoryOut] = Field(description="The most used first, 100 at the most")
    interval: Interval = Field(examples=["month"])
    trend: list[BehaviourPointOut] = Field(description="In order; an interval without notes is left out")
