"""Dashboards. Percentages are from 0 to 100, and null where nobody was expected."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Literal

from pydantic import Field

from app.models import Role, Status
from app.schemas.base import In, Out
from app.schemas.classes import StudentOut
from app.schemas.figures import FigureOut, Percentage
from app.schemas.sessions import RegisterPageOut, SessionOut
from app.services.sessions import Days, SessionStatus

MEANING = "(present + late) / (expected - excused - leave), from 0 to 100; null when nobody was expected"


class MonthOut(Out):
    month: str = Field(examples=["2026-03"])
    percentage: Percentage | None = Field(examples=[92.75])


class ActivityOut(Out):
    id: uuid.UUID
    kind: Literal["marked", "checked_in", "checked_out"]
    at: datetime
    student_id: uuid.UUID
    student_name: str = Field(examples=["Ada Lovelace"])
    session_id: uuid.UUID
    session_name: str = Field(examples=["Fractions"])
    status: Status | None = Field(description="That the mark gave", examples=["present"])
    by: str | None = Field(description="Who marked", examples=["Mary Somerville"])


class StatsOut(Out):
    total_students: int = Field(description="Active ones", examples=[240])
    total_teachers: int = Field(description="Active ones", examples=[12])
    today_attendance: Percentage | None = Field(description=MEANING, examples=[95.0])
    average_attendance: Percentage | None = Field(description="Of these six months", examples=[92.75])
    monthly_trend: list[MonthOut] = Field(description="This month and the five before it, the earliest first")
    recent_activities: list[ActivityOut] = Field(description="The ten latest marks and check-ins, the latest first")


class AdminStatsIn(In):
    start_date: date | None = Field(None, description="By default 29 days before end_date", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too; by default today", examples=["2026-03-31"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class SessionNumbersOut(Out):
    active: int = Field(description="That are on now", examples=[3])
    total: int = Field(description="All that there ever were", examples=[1200])


class AdminStatsOut(Out):
    users_by_role: dict[Role, int] = Field(description="Active ones", examples=[{"student": 240, "teacher": 12}])
    sessions: SessionNumbersOut
    today: FigureOut
    start_date: date
    end_date: date
    period: FigureOut = Field(description="From start_date to end_date")


class ClassFigureOut(Out):
    id: uuid.UUID
    name: str = Field(examples=["Mathematics 7b"])
    attendance: FigureOut


class TeacherDashboardOut(Out):
    classes: list[ClassFigureOut] = Field(description="One's own, with the figures of the last 30 days")
    today: list[SessionOut] = Field(description="Today's sessions that one takes, with their counts")
    registers_not_taken: RegisterPageOut = Field(description="The latest ones of the last 30 days, and how many")
    reviews: int = Field(description="How many check-ins wait for a review", examples=[2])


class OwnSessionOut(Out):
    id: uuid.UUID
    session_name: str = Field(examples=["Fractions"])
    class_id: uuid.UUID | None
    class_name: str | None = Field(examples=["Mathematics 7b"])
    status: SessionStatus = Field(examples=["active"])
    start_time: datetime | None
    end_time: datetime | None
    attendance: Status | None = Field(description="null while there is no record", examples=["present"])


class PersonDashboardOut(Out):
    student: StudentOut
    since: date = Field(description="The first day that counts: of the month five months ago")
    attendance: FigureOut
    classes: list[ClassFigureOut]
    today: list[OwnSessionOut]
    consecutive_absences: int = Field(
        description="Sessions missed since the person was last there, without those excused or on leave", examples=[0]
    )


class ParentDashboardOut(Out):
    children: list[PersonDashboardOut]
