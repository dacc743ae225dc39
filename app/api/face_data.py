"""Face data: consent, pictures and deletion, of oneself and of one's children; the organisation's consent text."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ADMIN, ANYONE, PARENT, RECORDED, caller, who_may
from app.models import ConsentText
from app.schemas.base import Message
from app.schemas.faces import (
    ConsentIn,
    ConsentOut,
    ConsentTextIn,
    ConsentTextListIn,
    ConsentTextOut,
    ConsentTextPageOut,
    EnrolledFaceOut,
    EnrolledFacesOut,
    FaceDataOut,
    FaceReportOut,
    LikenessIn,
    PictureIn,
    PicturesIn,
)
from app.schemas.users import ReasonIn
from app.services import consents, errors, face_report
from app.services import face_data as service
from app.services.consents import ConsentView
from app.services.face_data import Enrolled, FaceData
from app.services.face_report import FaceReport
from app.services.paging import Page

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
@who_may(ANYONE)
@face_data.output(ConsentOut)
def read_consent() -> ConsentView:
    """The text to consent to, its version, and what one has decided"""
    return consents.read_consent(caller(), caller().user_id)


@face_data.post("/face-data/consent")
@who_may(RECORDED)
@refuses(errors.ParentalConsentRequired, errors.ConsentTextChanged)
@face_data.input(ConsentIn)
@face_data.output(ConsentOut)
def decide(json_data: ConsentIn) -> ConsentView:
    """Consent to face recognition, or withdraw: then what is stored is deleted at once"""
    return consents.record_consent(caller(), json_data.accepted, json_data.text_version)


@face_data.get("/face-data/consent-texts")
@who_may(ANYONE)
@face_data.input(ConsentTextListIn, location="query")
@face_data.output(ConsentTextPageOut)
def list_consent_texts(query_data: ConsentTextListIn) -> Page[ConsentText]:
    """The texts that the organisation has published, the newest first"""
    return consents.list_texts(caller(), query_data.paging)


@face_data.post("/face-data/consent-texts")
@who_may(ADMIN)
@face_data.input(ConsentTextIn)
@face_data.output(ConsentTextOut, status_code=201)
def publish_consent_text(json_data: ConsentTextIn) -> ConsentText:
    """Publish a new version of the text that people consent to"""
    return consents.publish(caller(), json_data.text, json_data.requires_new_consent)


@face_data.post("/face-data/upload")
@who_may(RECORDED)
@refuses(*ENROLMENT_REFUSALS)
@face_data.input(PictureIn)
@face_data.output(EnrolledFaceOut, status_code=201)
def upload(json_data: PictureIn) -> dict[str, object]:
    """Enrol one's face from a picture"""
    enrolled = service.enrol(caller(), [json_data.image])
    (face,) = enrolled.results
    return {"id": face.id, "quality": face.quality, "created_at": face.created_at, "stored": enrolled.stored}


@face_data.post("/face-data/multiple-upload")
@who_may(RECORDED)
@refuses(*ENROLMENT_REFUSALS)
@face_data.input(PicturesIn)
@face_data.output(EnrolledFacesOut, status_code=201)
def upload_several(json_data: PicturesIn) -> Enrolled:
    """Enrol one's face from several pictures: all of them, or none"""
    return service.enrol(caller(), json_data.images)


@face_data.get("/face-data/my-data")
@who_may(RECORDED)
@face_data.output(FaceDataOut)
def my_data() -> FaceData:
    """What is stored of one's face; never the encoding itself"""
    return service.my_data(caller())


@face_data.delete("/face-data/delete")
@who_may(RECORDED)
@face_data.output(Message)
def delete() -> dict[str, str]:
    """Delete what is stored of one's face"""
    service.delete(caller())
    return {"message": "Your face data is deleted"}


@face_data.get("/face-data/students/<uuid:student_id>")
@who_may(PARENT)
@face_data.output(FaceDataOut)
def data_of_child(student_id: uuid.UUID) -> FaceData:
    """What is stored of one's child's face, and the consent to it"""
    return service.data_of_child(caller(), student_id)


@face_data.post("/face-data/students/<uuid:student_id>/consent")
@who_may(PARENT)
@refuses(errors.StudentDecides, errors.ConsentTextChanged)
@face_data.input(ConsentIn)
@face_data.output(ConsentOut)
def decide_for_child(student_id: uuid.UUID, json_data: ConsentIn) -> ConsentView:
    """Consent for one's child, or withdraw: then what is stored is deleted at once"""
    return consents.record_for_child(caller(), student_id, json_data.accepted, json_data.text_version)


@face_data.delete("/face-data/students/<uuid:student_id>")
@who_may(PARENT)
@refuses(errors.StudentDecides)
@face_data.output(Message)
def delete_of_child(student_id: uuid.UUID) -> dict[str, str]:
    """Delete what is stored of one's child's face; the consent stays"""
    service.delete_of_child(caller(), student_id)
    return {"message": "The face data is deleted"}


@face_data.get("/face-data/report")
@who_may(ADMIN)
@face_data.output(FaceReportOut)
def report() -> FaceReport:
    """What the organisation holds of faces, in numbers"""
    return face_report.report(caller())


@face_data.post("/face-data/users/<uuid:user_id>/likeness-permit")
@who_may(ADMIN)
@face_data.input(LikenessIn)
@face_data.output(Message, status_code=201)
def permit_likeness(user_id: uuid.UUID, json_data: LikenessIn) -> dict[str, str]:
    """Let a person enrol although somebody else's face is like theirs, such as a twin's"""
    service.permit_likeness(caller(), user_id, json_data.reason)
    return {"message": "This person may enrol a face that is like another"}


@face_data.delete("/face-data/users/<uuid:user_id>/likeness-permit")
@who_may(ADMIN)
@face_data.input(ReasonIn, location="query")
@face_data.output(Message)
def forbid_likeness(user_id: uuid.UUID, query_data: ReasonIn) -> dict[str, str]:
    """Take this permit back, and delete what is stored of the person's face"""
    service.forbid_likeness(caller(), user_id, query_data.reason)
    return {"message": "The permit is taken back"}
