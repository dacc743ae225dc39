"""Recognitions that are kept, what a teacher says of them, and what these say of recognising."""

from __future__ import annotations

import uuid
from datetime import date, datetime
from typing import Annotated

from pydantic import Field, StrictBool

from app.schemas.base import Figure, In, Out, PageIn, PageOut, SortBy
from app.schemas.classes import StudentOut
from app.schemas.faces import FaceOut
from app.schemas.marking import Reason
from app.schemas.sessions import MarkOut
from app.services.recognitions import Verdict
from app.services.sessions import Days


class ClassDaysIn(In):
    class_id: uuid.UUID | None = Field(None, description="By default all that one teaches; administrators: all")
    start_date: date | None = Field(None, examples=["2026-03-01"])
    end_date: date | None = Field(None, description="This day too", examples=["2026-03-31"])

    @property
    def days(self) -> Days:
        return Days(self.start_date, self.end_date)


class RecognitionListIn(PageIn, ClassDaysIn):
    confirmed: bool | None = Field(None, description="Only those that are, or are not, confirmed")
    sort: Annotated[list[str], SortBy("created_at")] = Field(default_factory=lambda: ["-created_at"])


class PictureOfIn(In):
    image: int = Field(0, ge=0, le=100, description="Index of the picture", examples=[0])


class VerdictIn(In):
    image: int = Field(ge=0, description="Index of the picture", examples=[0])
    face: int = Field(ge=0, description="Index of the face among the picture's", examples=[2])
    right: StrictBool | None = Field(None, description="Whether the match is right", examples=[False])
    student_id: uuid.UUID | None = Field(None, description="Who it is, if it is known")


class ConfirmationIn(In):
    """Of a face that was recognised and is not named here, the match is right; an uncertain one stays undecided."""

    faces: list[VerdictIn] = Field([], max_length=1000)
    also_there: list[uuid.UUID] = Field(
        [], max_length=1000, description="Students who were there, and no face is theirs"
    )
    session_id: uuid.UUID | None = Field(None, description="Mark whoever was there present in this session")
    reason: Reason | None = None

    def verdicts(self) -> list[Verdict]:
        return [
            Verdict(f"faces.{n}", one.image, one.face, one.right, one.student_id) for n, one in enumerate(self.faces)
        ]


class KeptFaceOut(FaceOut):
    figures: dict[str, Figure] = Field(description="What was measured of the face", examples=[{"sharpness": 312.5}])
    is_right: bool | None = Field(description="What the teacher says of the match")
    person: StudentOut | None = Field(description="Who it is, as the teacher says; only who has face data is named")


class KeptImageOut(Out):
    width: int = Field(examples=[1280])
    height: int = Field(examples=[960])
    has_picture: bool = Field(description="Whether the picture itself is kept")
    faces: list[KeptFaceOut]


class RecognitionItemOut(Out):
    id: uuid.UUID
    class_id: uuid.UUID
    session_id: uuid.UUID | None = Field(description="In which the confirmation marked who was there")
    pictures: int = Field(description="How many were taken", examples=[2])
    taken_on: date
    taken_by_id: uuid.UUID
    taken_by: str = Field(examples=["Mary Somerville"])
    created_at: datetime
    confirmed_at: datetime | None
    confirmed_by_id: uuid.UUID | None


class RecognitionPageOut(PageOut):
    items: list[RecognitionItemOut]


class KeptRecognitionOut(RecognitionItemOut):
    images: list[KeptImageOut]


class ConfirmationOut(Out):
    recognition: KeptRecognitionOut
    marking: MarkOut | None


class RecognitionQualityOut(Out):
    """How often recognising was right, as teachers say. All but `unseen` are faces, over all pictures."""

    confirmed: int = Field(description="Recognitions that these counts are of", examples=[40])
    unconfirmed: int = Field(description="That are not counted", examples=[3])
    right: int = Field(description="Recognised, and it was this student", examples=[980])
    wrong: int = Field(description="Recognised, and it was not", examples=[1])
    uncertain_right: int = Field(description="Uncertain, and it was this student", examples=[12])
    uncertain_wrong: int = Field(description="Uncertain, and it was not", examples=[4])
    unknown: int = Field(description="Matched with nobody", examples=[31])
    unseen: int = Field(description="Students with face data who were there and not found", examples=[9])
    wrong_share: Figure | None = Field(description="wrong / (right + wrong)", examples=[0.001])
    uncertain_right_share: Figure | None = Field(
        description="uncertain_right / (uncertain_right + uncertain_wrong)", examples=[0.75]
    )
