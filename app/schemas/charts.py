"""Charts."""

from __future__ import annotations

import uuid
from datetime import date
from typing import Annotated

from pydantic import Field

from app.schemas.base import In, Text
from app.services.figures import Filters, Interval
from app.services.sessions import Days


class ChartIn(In):
    start_date: date | None = Field(None, description="By default 26 weeks in all", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too; by default today", examples=["2026-03-31"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class ClassChartIn(ChartIn):
    department: Annotated[str, Text(200)] | None = Field(None, description="Of the people", examples=["Science"])

    @property
    def wanted(self) -> Filters:
        return Filters(self.days, department=self.department)


class TrendChartIn(ClassChartIn):
    interval: Interval = Field(Interval.WEEK, examples=["month"])
    class_id: uuid.UUID | None = None

    @property
    def wanted(self) -> Filters:
        return Filters(self.days, class_id=self.class_id, department=self.department)
