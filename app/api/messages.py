"""Messages: to students, parents, staff."""

from __future__ import annotations

from http import HTTPStatus

from apiflask import APIBlueprint

from app.api.limits import limited, the_caller
from app.api.openapi import refuses
from app.api.policy import PARENT, STAFF, STUDENT, caller, who_may
from app.api.repeats import repeatable
from app.models import SentMessage
from app.schemas.messages import MessageIn, MessageSentOut, SentMessageListIn, SentMessagePageOut
from app.services import errors
from app.services import messages as service
from app.services.paging import Page

messages = APIBlueprint("messages", __name__, tag="Messages")

WRITERS = STAFF | STUDENT | PARENT


@messages.post("/messages")
@who_may(WRITERS)
@repeatable
@refuses(errors.NotFound, errors.NotYourClass, errors.TooManyPeople, errors.NobodyToTell)
@limited("20 per hour", by=the_caller, counts=HTTPStatus.CREATED, unless=lambda: caller().is_staff)
@messages.input(MessageIn)
@messages.output(MessageSentOut, status_code=201)
def send(json_data: MessageIn) -> SentMessage:
    """Write to a class, its students' parents or named people; students and parents, to teachers of their classes"""
    return service.send(caller(), json_data.subject, json_data.text, json_data.addressed)


@messages.get("/messages/sent")
@who_may(WRITERS)
@messages.input(SentMessageListIn, location="query")
@messages.output(SentMessagePageOut)
def list_sent(query_data: SentMessageListIn) -> Page[SentMessage]:
    """What one has written, the latest first"""
    return service.list_sent(caller(), query_data.paging)
