"""Recognitions that are kept: seen again, confirmed, counted."""

from __future__ import annotations

import io
import uuid
from typing import Any

from apiflask import APIBlueprint
from flask import send_file
from werkzeug.wrappers import Response

from app.api.openapi import refuses
from app.api.policy import STAFF, caller, who_may
from app.api.repeats import repeatable
from app.schemas.recognitions import (
    ClassDaysIn,
    ConfirmationIn,
    ConfirmationOut,
    KeptRecognitionOut,
    PictureOfIn,
    RecognitionListIn,
    RecognitionPageOut,
    RecognitionQualityOut,
)
from app.services import errors
from app.services import recognitions as service
from app.services.paging import Page
from app.services.recognitions import KINDS, Confirmation, Quality, RecognitionView

recognitions = APIBlueprint("recognitions", __name__, tag="Recognitions")

BINARY = {"schema": {"type": "string", "format": "binary"}}
PICTURE: Any = {200: {"description": "The picture", "content": {kind: BINARY for kind, _ in KINDS.values()}}}


@recognitions.get("/attendance/recognitions")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass)
@recognitions.input(RecognitionListIn, location="query")
@recognitions.output(RecognitionPageOut)
def list_recognitions(query_data: RecognitionListIn) -> Page[RecognitionView]:
    """Recognitions of a class or of all that one teaches, the newest first: who took them, when, and whether they are
    confirmed"""
    wanted = query_data.class_id, query_data.confirmed, query_data.days
    return service.list_recognitions(caller(), *wanted, query_data.paging)


@recognitions.get("/attendance/recognitions/quality")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass)
@recognitions.input(ClassDaysIn, location="query")
@recognitions.output(RecognitionQualityOut)
def quality(query_data: ClassDaysIn) -> Quality:
    """How often recognising was right in a class, or in all that one teaches, as its teachers confirmed"""
    return service.quality(caller(), query_data.class_id, query_data.days)


@recognitions.get("/attendance/recognitions/<uuid:recognition_id>")
@who_may(STAFF)
@refuses(errors.NotYourClass)
@recognitions.output(KeptRecognitionOut)
def read(recognition_id: uuid.UUID) -> RecognitionView:
    """What was seen on pictures of the room, and what the teacher has said of it"""
    return service.read(caller(), recognition_id)


@recognitions.get("/attendance/recognitions/<uuid:recognition_id>/picture")
@who_may(STAFF)
@refuses(errors.NotYourClass)
@recognitions.input(PictureOfIn, location="query")
@recognitions.doc(responses=PICTURE)
def picture(recognition_id: uuid.UUID, query_data: PictureOfIn) -> Response:
    """One of the pictures, where the organisation keeps them, and for so long"""
    file = service.picture(caller(), recognition_id, query_data.image)
    answer = send_file(io.BytesIO(file.content), file.media_type, as_attachment=True, download_name=file.name)
    answer.headers |= {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
    return answer


@recognitions.post("/attendance/recognitions/<uuid:recognition_id>/confirm")
@who_may(STAFF)
@repeatable
@refuses(
    errors.NotYourClass,
    errors.NotYourSession,
    errors.SessionCancelled,
    errors.RecognitionConfirmed,
    errors.ConfirmationRefused,
)
@recognitions.input(ConfirmationIn)
@recognitions.output(ConfirmationOut)
def confirm(recognition_id: uuid.UUID, json_data: ConfirmationIn) -> Confirmation:
    """Say, once, which matches are right and who was there, and mark them present in a session"""
    said = json_data.verdicts(), json_data.also_there
    return service.confirm(caller(), recognition_id, *said, session_id=json_data.session_id, reason=json_data.reason)
