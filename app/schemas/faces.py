"""Pictures, what is found on them, and what is kept of a face."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StrictBool, WithJsonSchema

from app.schemas.base import Figure, In, Out, PageIn, PageOut, SortBy, Text
from app.schemas.classes import StudentOut
from app.schemas.uploads import FileBytes, Upload

PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


Picture = Annotated[
    FileBytes,
    WithJsonSchema({"type": "string", "description": "JPEG, PNG or WebP as a data URL or base64", "examples": [PIXEL]}),
]


class PictureIn(Upload):
    """One picture."""

    image: Picture


class PicturesIn(Upload):
    """Several pictures of one person."""

    images: list[Picture] = Field(min_length=2, max_length=7)


class RecognitionIn(Upload):
    """Pictures of the room in which a class is."""

    class_id: uuid.UUID
    images: list[Picture] = Field(min_length=1, max_length=10)


class ConsentIn(In):
    accepted: StrictBool = Field(description="false withdraws, and deletes what is stored", examples=[True])
    text_version: Annotated[str, Text(20)] | None = Field(
        None, description="Of the text that was read: consent to it is refused when there is a newer one"
    )


class ConsentTextIn(In):
    text: Annotated[str, Text(10_000, 1)] = Field(examples=["I allow my school to recognise my face."])
    requires_new_consent: StrictBool = Field(
        description="true: consents to earlier texts hold no longer, and nobody is recognised by them", examples=[True]
    )


class ConsentTextOut(Out):
    version: str = Field(examples=["2"])
    text: str
    requires_new_consent: bool
    published_by_id: uuid.UUID
    created_at: datetime


class ConsentTextListIn(PageIn):
    sort: Annotated[list[str], SortBy("number")] = Field(default_factory=lambda: ["-number"])


class ConsentTextPageOut(PageOut):
    items: list[ConsentTextOut]


class ConsentOut(Out):
    text: str
    text_version: str = Field(examples=["2026-11"])
    accepted: bool = Field(description="Whether a consent holds: given by who may, to a text that still counts")
    parental_consent_required: bool = Field(description="Whether a guardian has to consent")
    decided_at: datetime | None
    decided_by_id: uuid.UUID | None = Field(description="The person, or a guardian")
    decided_text_version: str | None


class LikenessIn(In):
    reason: Annotated[str, Text(500, 1)] = Field(description="For the audit log", examples=["Twins"])


class ConsentsToOut(Out):
    text_version: str = Field(examples=["2"])
    people: int = Field(description="Whose latest decision is a yes to this text", examples=[412])
    counts: bool = Field(description="Whether a consent to this text still counts")


class FaceReportOut(Out):
    templates: int = Field(examples=[1236])
    people: int = Field(description="Who have templates", examples=[412])
    oldest: datetime | None = Field(description="When the oldest template was made")
    due_soon: int = Field(description="Templates that are deleted within 30 days, as retention has it", examples=[15])
    sealed_with_older_key: int = Field(description="Templates not yet encrypted with the newest key", examples=[0])
    sealed_with_no_key: int = Field(
        description="Templates whose key the server no longer has: nobody is recognised by them", examples=[0]
    )
    consents: list[ConsentsToOut]
    likeness_permits: int = Field(description="People who may be like somebody else", examples=[2])
    pictures: int = Field(description="Pictures of rooms that are kept", examples=[0])


class QualityOut(Out):
    width: int = Field(description="Of the face, in pixels", examples=[240])
    sharpness: Figure = Field(description="Variance of the Laplacian of the aligned face", examples=[312.5])
    yaw: Figure | None = Field(description="Degrees; to the person's own left is positive", examples=[-4.5])
    pitch: Figure | None = Field(description="Degrees; up is positive", examples=[6.1])
    roll: Figure | None = Field(description="Degrees; clockwise in the picture is positive", examples=[1.2])
    brightness: Figure | None = Field(description="Mean grey level, 0 to 255", examples=[118.4])
    contrast: Figure | None = Field(description="Standard deviation of the grey level", examples=[52.3])
    dark: Figure | None = Field(description="Part that is too dark to show anything, 0 to 1", examples=[0.02])
    bright: Figure | None = Field(description="Part that is too bright to show anything, 0 to 1", examples=[0.01])


class TemplateOut(Out):
    id: uuid.UUID
    quality: QualityOut
    created_at: datetime


class EnrolledFaceOut(TemplateOut):
    stored: int = Field(description="How many pictures are stored now", examples=[3])


class EnrolledFacesOut(Out):
    results: list[TemplateOut] = Field(description="One per image, in the order sent")
    stored: int = Field(examples=[5])


class FaceDataOut(Out):
    faces: list[TemplateOut]
    stored: int = Field(examples=[5])
    consent: ConsentOut


class BoxOut(Out):
    left: int = Field(examples=[120])
    top: int = Field(examples=[80])
    width: int = Field(examples=[64])
    height: int = Field(examples=[64])


class FaceOut(Out):
    box: BoxOut
    outcome: Literal["recognised", "uncertain", "unknown"]
    student: StudentOut | None
    confidence: Figure | None = Field(description="Probability that it is this student", examples=[0.99])
    distance: Figure | None = Field(description="Between the encodings; people differ from about 0.6", examples=[0.38])


class ImageOut(Out):
    width: int = Field(examples=[1280])
    height: int = Field(examples=[960])
    faces: list[FaceOut]


class SeenOut(Out):
    student: StudentOut
    confidence: Figure = Field(examples=[0.99])
    image: int = Field(description="Index of the image in which the student is seen best", examples=[0])


class NotSeenOut(Out):
    student: StudentOut
    has_face_data: bool = Field(description="false: could not be recognised: no face is enrolled, or no consent holds")


class RecognitionOut(Out):
    """Boxes are in pixels of the upright picture."""

    recognition_id: uuid.UUID = Field(description="Under which it is kept, to be confirmed")
    class_id: uuid.UUID
    images: list[ImageOut]
    recognised: list[SeenOut]
    uncertain: list[SeenOut]
    unknown: int = Field(description="How many faces, over all images, are nobody's of this class", examples=[1])
    not_seen: list[NotSeenOut]
