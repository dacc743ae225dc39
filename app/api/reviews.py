"""Check-ins that wait for somebody's look."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import STAFF, caller, who_may
from app.schemas.check_in import ReviewIn, ReviewListIn, ReviewPageOut
from app.schemas.sessions import RecordOut
from app.services import errors
from app.services import reviews as services
from app.services.paging import Page
from app.services.records import RecordView
from app.services.reviews import Review

reviews = APIBlueprint("reviews", __name__, tag="Reviews")


@reviews.get("/attendance/reviews")
@who_may(STAFF)
@reviews.input(ReviewListIn, location="query")
@reviews.output(ReviewPageOut)
def list_reviews(query_data: ReviewListIn) -> Page[Review]:
    """Check-ins that are uncertain or look like fraud, of the sessions that one manages"""
    wanted = query_data.session_id, query_data.class_id
    return services.pending(caller(), *wanted, query_data.days, query_data.paging)


@reviews.post("/attendance/reviews/<uuid:record_id>")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession, errors.OwnRecord, errors.NothingToReview)
@reviews.input(ReviewIn)
@reviews.output(RecordOut)
def review(record_id: uuid.UUID, json_data: ReviewIn) -> RecordView:
    """Accept a check-in, or reject it: then the person is absent. It can be done again, and differently"""
    return services.review(caller(), record_id, json_data.accept, json_data.reason)
