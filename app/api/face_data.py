"""One's own face data: consent, pictures, deletion."""

from __future__ import annotations

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import STUDENT, caller, who_may
from app.schemas.base import Message
from app.schemas.faces import (
    ConsentIn,
    ConsentOut,
    EnrolledFaceOut,
    EnrolledFacesOut,
    FaceDataOut,
    PictureIn,
    PicturesIn,
)
from app.services import consents, errors
from app.services import face_data as service
from app.services.consents import ConsentView
from app.services.face_data import Enrolled, FaceData

face_data = APIBlueprint("face_data", __name__, tag="Face data")

ENROLMENT_REFUSALS = (
    errors.FacesOff,
    errors.ConsentRequired,
    errors.FaceRejected,
    errors.PictureTooLarge,
    errors.DifferentPeople,
    errors.FaceOfAnother,
    errors.TooManyTemplates,
    errors.FacesBusy,
)


@face_data.get("/face-data/consent")
@who_may(STUDENT)
@face_data.output(ConsentOut)
def read_consent() -> ConsentView:
    """The text to consent to, its version, and what one has decided"""
    return consents.read_consent(caller())


@face_data.post("/face-data/consent")
@who_may(STUDENT)
@face_data.input(ConsentIn)
@face_data.output(ConsentOut)
def decide(json_data: ConsentIn) -> ConsentView:
    """Consent to face recognition, or withdraw: then what is stored is deleted at once"""
    return consents.record_consent(caller(), json_data.accepted)


@face_data.post("/face-data/upload")
@who_may(STUDENT)
@refuses(*ENROLMENT_REFUSALS)
@face_data.input(PictureIn)
@face_data.output(EnrolledFaceOut, status_code=201)
def upload(json_data: PictureIn) -> dict[str, object]:
    """Enrol one's face from a picture"""
    enrolled = service.enrol(caller(), [json_data.image])
    (face,) = enrolled.results
    return {"id": face.id, "quality": face.quality, "created_at": face.created_at, "stored": enrolled.stored}


@face_data.post("/face-data/multiple-upload")
@who_may(STUDENT)
@refuses(*ENROLMENT_REFUSALS)
@face_data.input(PicturesIn)
@face_data.output(EnrolledFacesOut, status_code=201)
def upload_several(json_data: PicturesIn) -> Enrolled:
    """Enrol one's face from several pictures: all of them, or none"""
    return service.enrol(caller(), json_data.images)


@face_data.get("/face-data/my-data")
@who_may(STUDENT)
@face_data.output(FaceDataOut)
def my_data() -> FaceData:
    """What is stored of one's face; never the encoding itself"""
    return service.my_data(caller())


@face_data.delete("/face-data/delete")
@who_may(STUDENT)
@face_data.output(Message)
def delete() -> dict[str, str]:
    """Delete what is stored of one's face"""
    service.delete(caller())
    return {"message": "Your face data is deleted"}
