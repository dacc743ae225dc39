"""Checking in and out, the code on the screen, reviews, and attempts."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BeforeValidator, Field, StrictBool, model_validator

from app.faces import FEWEST_FRAMES, MOST_FRAMES
from app.faces.liveness import Challenge
from app.models import Status
from app.schemas.base import Figure, In, Out, PageIn, PageOut, SortBy, Text
from app.schemas.classes import StudentOut
from app.schemas.faces import Picture
from app.schemas.sessions import DaysIn, Latitude, Longitude, RecordOut
from app.services.evidence import Shown
from app.services.geofence import Fix
from app.services.offline import Captured

Evidence = dict[str, dict[str, Any]]
EVIDENCE = Field(
    description="Each piece: pass, uncertain or fail, with its figures",
    examples=[{"location": {"outcome": "pass", "distance": 17.4, "radius": 100.0, "accuracy": 12.0}}],
)


def _text(value: Any) -> Any:
    if isinstance(value, str):
        return value
    raise ValueError("write it as 2026-03-12T09:00:00Z")


Moment = Annotated[AwareDatetime, BeforeValidator(_text)]
Reason = Annotated[str, Text(500, 1)]


class PositionIn(In):
    """Where the phone says that it is; sent where the session checks it."""

    lat: Latitude | None = None
    lon: Longitude | None = None
    accuracy: Annotated[float, Field(strict=True)] | None = Field(
        None, description="In metres, as the phone says", examples=[12]
    )
    fix_time: Moment | None = Field(
        None, description="When the phone found out where it is", examples=["2026-03-12T08:59:58Z"]
    )
    is_mocked: StrictBool = Field(False, description="Whether the phone says that another program made the position up")
    device_id: Annotated[str, Text(200)] | None = Field(
        None, description="The same each time on one phone; only its hash is kept", examples=["b7f1c2a0"]
    )

    @property
    def fix(self) -> Fix | None:
        if self.lat is None or self.lon is None:
            return None
        return Fix(self.lat, self.lon, self.accuracy, self.fix_time)

    @property
    def shown(self) -> Shown:
        return Shown(self.fix, self.is_mocked, device_id=self.device_id)


class CheckInIn(PositionIn):
    session_id: uuid.UUID
    code: Annotated[str, Text(200)] | None = Field(
        None, description="Scanned or typed, as the session's screen shows it now", examples=["K7PX2MQA"]
    )
    image: Picture | None = Field(None, description="Of one's own face; it is not kept. By default the first of frames")
    challenge_token: Annotated[str, Text(500)] | None = Field(
        None, description="Of the challenge that was answered, where the session asks for liveness"
    )
    frames: list[Picture] | None = Field(
        None,
        min_length=FEWEST_FRAMES,
        max_length=MOST_FRAMES,
        description="Pictures taken while the challenge was answered, in order, not mirrored, of one size; the first "
        "looking into the camera. They are not kept",
    )

    @property
    def shown(self) -> Shown:
        frames = self.frames or ()
        picture = self.image or next(iter(frames), None)
        return Shown(self.fix, self.is_mocked, self.code, self.device_id, picture, self.challenge_token, frames)


class CheckOutIn(PositionIn):
    record_id: uuid.UUID


class CheckedInOut(RecordOut):
    class_name: str | None = Field(description="null: the session is of no class", examples=["Maths 7a"])


class CapturedIn(PositionIn):
    id: uuid.UUID = Field(
        description="The phone's own, made when it was done", examples=["01a1fcba-a1e3-7000-8000-000000000001"]
    )
    kind: Literal["check_in", "check_out"] = Field(examples=["check_in"])
    session_id: uuid.UUID
    captured_at: Moment = Field(description="By the phone's clock", examples=["2026-03-12T08:59:30Z"])
    code: Annotated[str, Text(200)] | None = Field(None, description="As the session's screen showed it then")


class SyncIn(In):
    """Check-ins and check-outs that were made without network."""

    device_time: Moment = Field(
        description="What the phone's clock shows as it sends this", examples=["2026-03-12T11:00:00Z"]
    )
    items: list[CapturedIn] = Field(min_length=1, max_length=500)

    @property
    def captured(self) -> list[Captured]:
        return [
            Captured(
                item.id,
                item.kind,
                item.session_id,
                item.captured_at,
                Shown(item.fix, item.is_mocked, item.code, item.device_id),
            )
            for item in self.items
        ]


class SyncedOut(Out):
    id: uuid.UUID
    outcome: Literal["accepted", "review", "refused"] = Field(
        description="review: accepted, and a teacher is to look at it", examples=["accepted"]
    )
    code: str | None = Field(description="Why it was refused", examples=["outside_geofence"])
    detail: str | None = Field(examples=["You are too far away"])
    record_id: uuid.UUID | None
    status: Status | None = Field(description="Of the record now", examples=["present"])


class SyncOut(Out):
    server_time: datetime
    skew: Figure = Field(
        description="How many seconds the phone's clock is behind the server's; the items' times were set right by it",
        examples=[-2.4],
    )
    items: list[SyncedOut] = Field(description="In the order in which they were sent")


class ChallengeOut(Out):
    challenge: Challenge = Field(description="To be done before the camera", examples=["turn_left"])
    token: str = Field(
        description="To be sent with the frames, as `challenge_token`", examples=["WyJ0dXJuX2xlZnQiXQ.gd8"]
    )
    valid_until: datetime


class CodeOut(Out):
    code: str = Field(description="To be typed", examples=["K7PX2MQA"])
    payload: str = Field(description="What the QR holds", examples=["rollcall:1:AGI44HEPABYABAAAAAAAAAAAAE:K7PX2MQA"])
    valid_until: datetime
    next_in_seconds: Figure = Field(description="Then another one is to be shown", examples=[7.5])
    session_name: str = Field(examples=["Lecture 7"])
    class_name: str | None = Field(examples=["Maths 7a"])


class ForceIn(In):
    student_id: uuid.UUID
    reason: Reason = Field(description="For the audit log", examples=["The phone's battery was empty"])
    status: Literal[Status.PRESENT, Status.LATE] | None = Field(
        None, description="By default by the time: present until the grace is over, then late", examples=["present"]
    )


class AttemptListIn(PageIn):
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["-created_at"])


class AttemptOut(Out):
    id: uuid.UUID
    kind: str = Field(description="in, out or forced", examples=["in"])
    refused: str | None = Field(description="The refusal's code; null: it was accepted", examples=["outside_geofence"])
    evidence: Evidence = EVIDENCE
    flags: list[str] = Field(examples=[["mocked_location"]])
    latitude: float | None
    longitude: float | None
    accuracy: Figure | None = Field(description="In metres")
    device: str | None = Field(description="The program that sent it", examples=["Rollcall/2.1 (Android 15)"])
    captured_at: datetime | None = Field(description="When it was made without network")
    created_at: datetime


class PersonsAttemptOut(AttemptOut):
    student: StudentOut


class AttemptPageOut(PageOut):
    items: list[PersonsAttemptOut]


class ReviewListIn(DaysIn):
    session_id: uuid.UUID | None = None
    class_id: uuid.UUID | None = None


class ReviewOut(CheckedInOut):
    attempts: list[AttemptOut] = Field(description="Those that were accepted, of checking in and out")


class ReviewPageOut(PageOut):
    items: list[ReviewOut]


class ReviewIn(In):
    accept: StrictBool = Field(description="false: the person is absent", examples=[True])
    reason: Annotated[str, Text(500)] | None = Field(
        None, description="Required when rejecting", examples=["Was seen elsewhere"]
    )

    @model_validator(mode="after")
    def rejected_for_a_reason(self) -> Self:
        if not self.accept and not self.reason:
            raise ValueError("say for which reason it is rejected")
        return self
