"""Checking in and out, as phones do it; the code that they scan; and what staff see of it."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint
from flask import Response

from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.api.repeats import repeatable
from app.schemas.check_in import (
    AttemptListIn,
    AttemptPageOut,
    ChallengeOut,
    CheckedInOut,
    CheckInIn,
    CheckOutIn,
    CodeOut,
    ForceIn,
    SyncIn,
    SyncOut,
)
from app.schemas.sessions import RecordOut
from app.services import attempts, challenges, codes, errors, offline
from app.services import check_in as check_ins
from app.services.attempts import AttemptView
from app.services.challenges import Given
from app.services.codes import SessionCode
from app.services.force_check_in import force_check_in
from app.services.offline import Sync
from app.services.paging import Page
from app.services.records import RecordView
from app.services.seen import CheckedIn

check_in = APIBlueprint("check_in", __name__, tag="Check-in")

SVG, PNG = "image/svg+xml", "image/png"


def _picture(media_type: str) -> Any:
    content = {media_type: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"description": "A QR", "content": content}}


@check_in.post("/attendance/check-in")
@who_may(ANYONE)
@repeatable
@refuses(errors.NotFound, errors.CheckInRefused, errors.AlreadyCheckedIn, errors.FacesBusy, errors.ChangedMeanwhile)
@check_in.input(CheckInIn)
@check_in.output(CheckedInOut, status_code=201)
def arrive(json_data: CheckInIn) -> CheckedIn:
    """Check in to a session; a refusal's code and figures say why, `failed` all that is missing"""
    return check_ins.check_in(caller(), json_data.session_id, json_data.shown)


@check_in.post("/attendance/check-out")
@who_may(ANYONE)
@repeatable
@refuses(errors.NotFound, errors.CheckInRefused, errors.NotCheckedIn, errors.AlreadyCheckedOut, errors.ChangedMeanwhile)
@check_in.input(CheckOutIn)
@check_in.output(CheckedInOut)
def go(json_data: CheckOutIn) -> CheckedIn:
    """Check out of a session"""
    return check_ins.check_out(caller(), json_data.record_id, json_data.shown)


@check_in.post("/attendance/sync")
@who_may(ANYONE)
@check_in.input(SyncIn)
@check_in.output(SyncOut)
def sync(json_data: SyncIn) -> Sync:
    """Send check-ins and check-outs that were made without network; sending them again changes nothing"""
    return offline.sync(caller(), json_data.device_time, json_data.captured)


@check_in.post("/attendance/session/<uuid:session_id>/challenge")
@who_may(ANYONE)
@refuses(errors.NotFound)
@check_in.output(ChallengeOut)
def challenge(session_id: uuid.UUID) -> Given:
    """What to do before the camera, to check in by face where the session asks for liveness"""
    return challenges.give(caller(), session_id)


@check_in.get("/attendance/session/<uuid:session_id>/code")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@check_in.output(CodeOut)
def show_code(session_id: uuid.UUID) -> tuple[SessionCode, int, dict[str, str]]:
    """The code to check in with, which changes every 15 seconds"""
    return codes.show(caller(), session_id), 200, {"Cache-Control": "no-store"}


@check_in.get("/attendance/session/<uuid:session_id>/code.svg")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@check_in.doc(responses=_picture(SVG))
def show_code_svg(session_id: uuid.UUID) -> Response:
    """The code as a QR, drawn"""
    return _not_kept(codes.picture(caller(), session_id, "svg"), SVG)


@check_in.get("/attendance/session/<uuid:session_id>/code.png")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@check_in.doc(responses=_picture(PNG))
def show_code_png(session_id: uuid.UUID) -> Response:
    """The code as a QR, in pixels"""
    return _not_kept(codes.picture(caller(), session_id, "png"), PNG)


@check_in.get("/attendance/session/<uuid:session_id>/attempts")
@who_may(STAFF)
@refuses(errors.NotYourClass, errors.NotYourSession)
@check_in.input(AttemptListIn, location="query")
@check_in.output(AttemptPageOut)
def list_attempts(session_id: uuid.UUID, query_data: AttemptListIn) -> Page[AttemptView]:
    """The check-ins and check-outs that were tried, also those that were refused, the newest first"""
    return attempts.attempts_of_session(caller(), session_id, query_data.paging)


@check_in.post("/attendance/session/<uuid:session_id>/force-check-in")
@who_may(STAFF)
@refuses(errors.NotFound, errors.NotYourClass, errors.NotYourSession, errors.OwnRecord, errors.CheckInRefused)
@check_in.input(ForceIn)
@check_in.output(RecordOut)
def force(session_id: uuid.UUID, json_data: ForceIn) -> RecordView:
    """Check somebody in without evidence, for a reason; a second time changes nothing"""
    return force_check_in(caller(), session_id, json_data.student_id, json_data.reason, json_data.status)


def _not_kept(file: bytes, media_type: str) -> Response:
    return Response(file, headers={"Cache-Control": "no-store"}, mimetype=media_type)
