"""Sessions, records, marks."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, Field, StrictBool, model_validator

from app import clock
from app.models import Source, Status, Verification
from app.schemas.base import Changes, Figure, In, Out, PageIn, PageOut, SortBy, Text, Title
from app.schemas.classes import StudentOut, TeacherOut
from app.schemas.users import ReasonIn
from app.services.policies import Policy, kept
from app.services.sessions import Days, SessionStatus

Latitude = Annotated[float, Field(strict=True, description="In degrees", examples=[38.7223])]
Longitude = Annotated[float, Field(strict=True, description="In degrees", examples=[-9.1393])]


Scope = Literal["this", "following"]


def _sensible(moment: datetime) -> datetime:
    if not 1900 < moment.year < 9000:  # noqa: PLR2004 - in any zone
        raise ValueError("this time lies too far away")
    return moment


Moment = Annotated[datetime, AfterValidator(_sensible)]


class OwnerIn(In):
    """Whose sessions they are: at most one of these."""

    class_id: uuid.UUID | None = Field(
        None, description="At most one of class_id, subject_id, department_id and is_event; none: everybody's"
    )
    subject_id: uuid.UUID | None = Field(None, description="Of all who are enrolled in the subject's classes")
    department_id: uuid.UUID | None = Field(None, description="Of its employees")
    is_event: StrictBool = Field(False, description="Expects nobody, and welcomes everybody")

    @model_validator(mode="after")
    def at_most_one(self) -> Self:
        if sum([self.is_event, *(id_ is not None for id_ in (self.class_id, self.subject_id, self.department_id))]) > 1:
            raise ValueError("at most one of class_id, subject_id, department_id and is_event can be given")
        return self

    def owner(self) -> dict[str, Any]:
        return self.model_dump(include=set(OwnerIn.model_fields))


class SessionIn(In):
    class_id: uuid.UUID
    session_name: Title = Field(examples=["Fractions"])
    session_date: date | None = Field(
        None, description="By default today in the organisation's time zone", examples=["2026-03-12"]
    )


class TimedSessionIn(OwnerIn):
    """Times without an offset are in the time zone of the class, or else the organisation's."""

    session_name: Title = Field(examples=["Lecture 7"])
    description: Annotated[str, Text(2000)] = Field("", examples=["Lecture hall A"])
    start_time: Moment = Field(examples=["2026-03-12T09:00:00"])
    end_time: Moment = Field(examples=["2026-03-12T10:30:00"])
    location_lat: Annotated[Latitude, Field(ge=-90, le=90)] | None = None
    location_lon: Annotated[Longitude, Field(ge=-180, le=180)] | None = None
    location_radius: Annotated[int, Field(strict=True, ge=5, le=100_000)] | None = Field(
        None, description="In metres; by default the organisation's", examples=[100]
    )

    policy: Policy | None = Field(None, description="What checking in asks for, where it is not what its class asks")

    @model_validator(mode="after")
    def sensible(self) -> Self:
        if (self.location_lat is None) != (self.location_lon is None):
            raise ValueError("location_lat and location_lon belong together")
        return self

    def values(self) -> dict[str, Any]:
        return self.owner() | {
            "name": self.session_name,
            "description": self.description,
            "starts_at": self.start_time,
            "ends_at": self.end_time,
            "policy": self._own_rules(),
        }

    def _own_rules(self) -> dict[str, Any]:
        rules = kept(self.policy)
        if self.location_lat is not None:
            site = {"name": "", "latitude": self.location_lat, "longitude": self.location_lon}
            site |= {} if self.location_radius is None else {"radius": self.location_radius}
            rules["sites"] = [site, *rules.get("sites", ())]
        return rules


class SessionChangeIn(Changes):
    """Times without an offset are in the time zone of the class, or else the organisation's."""

    session_name: Title = Field(default_factory=str, examples=["Lecture 7"])
    description: Annotated[str, Text(2000)] = Field("", examples=["Lecture hall A"])
    start_time: Moment = Field(default_factory=clock.now, examples=["2026-03-12T09:00:00"])
    end_time: Moment = Field(default_factory=clock.now, examples=["2026-03-12T10:30:00"])
    policy: Policy | None = Field(None, description="What checking in asks for, where it is not what its class asks")

    def values(self) -> dict[str, Any]:
        columns = {"session_name": "name", "start_time": "starts_at", "end_time": "ends_at"}
        changes = {columns.get(name, name): getattr(self, name) for name in self.model_fields_set}
        return changes | ({"policy": kept(self.policy)} if "policy" in changes else {})


class ScopeIn(In):
    scope: Scope = Field(
        "this", description="following: this one and those that its timetable makes after it", examples=["this"]
    )


class CancelIn(ReasonIn, ScopeIn):
    pass


class DaysIn(PageIn):
    start_date: date | None = Field(None, examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])
    sort: Annotated[list[str], SortBy("session_date", "marked_at")] = Field(default_factory=lambda: ["-session_date"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class TimedSessionListIn(DaysIn):
    status: SessionStatus | None = Field(None, examples=["active"])
    sort: Annotated[list[str], SortBy("session_date", "starts_at", "name")] = Field(
        default_factory=lambda: ["-session_date"]
    )


class ActiveListIn(PageIn):
    sort: Annotated[list[str], SortBy("starts_at")] = Field(default_factory=lambda: ["starts_at"])


class SessionListIn(PageIn):
    sort: Annotated[list[str], SortBy("session_date", "name")] = Field(default_factory=lambda: ["-session_date"])


class RecordListIn(PageIn):
    sort: Annotated[list[str], SortBy("last_name", "first_name", "marked_at")] = Field(
        default_factory=lambda: ["last_name", "first_name"]
    )


class MarkIn(In):
    session_id: uuid.UUID
    student_ids: list[uuid.UUID] = Field(min_length=1, max_length=1000)
    reason: Annotated[str, Text(500)] | None = Field(None, description="Kept with the marks", examples=["Seen later"])


class CountsOut(Out):
    expected: int = Field(description="Enrolled on the session's day, or with a record anyway", examples=[28])
    present: int = Field(examples=[25])
    late: int = Field(examples=[1])
    absent: int = Field(examples=[0])
    excused: int = Field(examples=[0])
    leave: int = Field(examples=[0])
    unmarked: int = Field(description="Expected, and no record yet", examples=[2])
    rate: Figure | None = Field(
        description="(present + late) / (expected - excused - leave); null when nobody was expected", examples=[0.93]
    )


class SessionOut(Out):
    id: uuid.UUID
    class_id: uuid.UUID | None
    subject_id: uuid.UUID | None
    department_id: uuid.UUID | None
    is_event: bool
    timetable_id: uuid.UUID | None
    is_changed: bool = Field(description="By itself: its timetable changes it no more")
    session_name: str = Field(examples=["Fractions"])
    description: str
    session_date: date = Field(examples=["2026-03-12"])
    status: SessionStatus = Field(examples=["active"])
    start_time: datetime | None
    end_time: datetime | None
    location_lat: float | None
    location_lon: float | None
    location_radius: int | None = Field(description="In metres")
    policy: Policy = Field(description="What it decides otherwise than its class and its organisation")
    cancelled_at: datetime | None
    closed_at: datetime | None
    created_at: datetime
    counts: CountsOut


class NewSessionOut(SessionOut):
    overlaps: list[uuid.UUID] = Field(description="Ids of its class's other sessions at the same time, at most 100")


class SessionPageOut(PageOut):
    items: list[SessionOut]


class RegistersIn(PageIn):
    start_date: date | None = Field(None, description="By default 30 days ago", examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])
    class_id: uuid.UUID | None = None
    sort: Annotated[list[str], SortBy("session_date", "name")] = Field(default_factory=lambda: ["-session_date"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class RegisterOut(Out):
    id: uuid.UUID = Field(description="Of the session")
    session_name: str = Field(examples=["Fractions"])
    session_date: date
    start_time: datetime | None
    end_time: datetime | None
    class_id: uuid.UUID | None
    class_name: str | None = Field(examples=["Mathematics 7b"])
    subject_id: uuid.UUID | None
    department_id: uuid.UUID | None
    teachers: list[TeacherOut] = Field(description="Of its class or subject, or else who made it")


class RegisterPageOut(PageOut):
    items: list[RegisterOut]


class RecordOut(Out):
    id: uuid.UUID
    session_id: uuid.UUID
    student: StudentOut
    session_name: str = Field(examples=["Fractions"])
    session_date: date
    status: Status = Field(examples=["present"])
    code: str | None = Field(description="Of the organisation's own status", examples=["SICK"])
    is_office: bool = Field(description="The office decided it, over what a teacher marks")
    remarks: str | None
    source: Source = Field(description="By hand, or by checking in", examples=["check_in"])
    verification_status: Verification = Field(examples=["verified"])
    flags: list[str] = Field(description="Signs of fraud; for staff only", examples=[["mocked_location"]])
    review_reason: str | None
    check_in_time: datetime | None
    check_out_time: datetime | None
    forgot_to_check_out: bool = Field(description="Then check_out_time is the session's end")
    minutes: Figure | None = Field(description="From check-in to check-out", examples=[88.5])
    distance: Figure | None = Field(description="From the session's place when checking in, in metres", examples=[17.4])
    marked_at: datetime
    marked_by_id: uuid.UUID


class HistoryOut(PageOut):
    items: list[RecordOut]


class RecordPageOut(PageOut):
    items: list[RecordOut]
    counts: CountsOut | None = Field(description="Of the whole session, for those who teach its class")


class SessionReportOut(Out):
    session: SessionOut
    counts: CountsOut
    rates: dict[str, Figure | None] = Field(description="Share of each status among those expected")
    records: RecordPageOut


class ClosingOut(Out):
    absent: list[StudentOut] = Field(description="Who would be absent, at most a thousand of them")
    absent_total: int = Field(examples=[2])
    excused: list[StudentOut] = Field(description="By approved leave, at most a thousand of them")
    excused_total: int = Field(examples=[0])
    leave: list[StudentOut] = Field(description="By approved leave, at most a thousand of them")
    leave_total: int = Field(examples=[1])
    not_checked_out: int = Field(description="How many would be checked out at the session's end", examples=[0])


class RefusedOut(Out):
    student_id: uuid.UUID
    code: str = Field(examples=["not_in_class"])
    detail: str = Field(examples=["No student of this class has this id"])


class MarkOut(Out):
    """How many students were marked, and who was not, with the reason."""

    session_id: uuid.UUID
    newly_marked: int = Field(examples=[2])
    already_marked: int = Field(examples=[0])
    overridden: list[uuid.UUID] = Field(description="Of whom the office has decided otherwise")
    refused: list[RefusedOut]
