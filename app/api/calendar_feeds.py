"""Calendar feeds: secret addresses at which calendar programs fetch sessions."""

from __future__ import annotations

import hashlib
import uuid
from http import HTTPStatus

from apiflask import APIBlueprint
from flask import Response, request

from app.api.limits import limited, the_network
from app.api.openapi import refuses
from app.api.policy import ANYONE, PUBLIC, caller, who_may
from app.schemas.base import Message, PageIn
from app.schemas.timetables import CalendarFeedIn, CalendarFeedOut, CalendarFeedPageOut, NewCalendarFeedOut
from app.services import calendar_feeds as service
from app.services import errors
from app.services.calendar_feeds import NewFeed
from app.services.paging import Page

calendar_feeds = APIBlueprint("calendar_feeds", __name__, tag="Calendar feeds")

ICALENDAR = "text/calendar"


@calendar_feeds.post("/calendar-feeds")
@who_may(ANYONE)
@refuses(errors.NotFound, errors.NotClassMember)
@calendar_feeds.input(CalendarFeedIn)
@calendar_feeds.output(NewCalendarFeedOut, status_code=201)
def create(json_data: CalendarFeedIn) -> NewFeed:
    """Get an address for a calendar program to fetch one's sessions at, or a class's"""
    return service.create_feed(caller(), json_data.class_id)


@calendar_feeds.get("/calendar-feeds")
@who_may(ANYONE)
@calendar_feeds.input(PageIn, location="query")
@calendar_feeds.output(CalendarFeedPageOut)
def list_feeds(query_data: PageIn) -> Page[CalendarFeedOut]:
    """One's own calendar feeds, without their addresses"""
    return service.list_feeds(caller(), query_data.paging)


@calendar_feeds.delete("/calendar-feeds/<uuid:calendar_feed_id>")
@who_may(ANYONE)
@calendar_feeds.output(Message)
def revoke(calendar_feed_id: uuid.UUID) -> dict[str, str]:
    """Revoke a calendar feed of one's own, or as an administrator anybody's"""
    service.revoke_feed(caller(), calendar_feed_id)
    return {"message": "Nothing can be fetched at this address any more"}


@calendar_feeds.get("/calendar/<token>.ics")
@who_may(PUBLIC)
@refuses(errors.NotFound)
@limited("30 per minute; 300 per hour", by=the_network, counts=HTTPStatus.NOT_FOUND)
@calendar_feeds.doc(hide=True)
def fetch(token: str) -> Response:
    """The sessions of the last 30 and the next 180 days, for calendar programs"""
    calendar = service.calendar(token)
    answer = Response(calendar, mimetype=ICALENDAR, headers={"Cache-Control": "private, max-age=300"})
    answer.set_etag(hashlib.sha256(calendar).hexdigest())
    answer.make_conditional(request)
    return answer
