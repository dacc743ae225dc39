"""Checking in and out, as phones do it."""

from __future__ import annotations

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ANYONE, caller, who_may
from app.api.repeats import repeatable
from app.schemas.sessions import (
    CheckInIn,
    CheckOutIn,
    RecordOut,
)
from app.services import check_in as check_ins
from app.services import errors
from app.services.records import RecordView

check_in = APIBlueprint("check_in", __name__, tag="Check-in")


@check_in.post("/attendance/check-in")
@who_may(ANYONE)
@repeatable
@refuses(errors.NotFound, errors.CheckInRefused, errors.AlreadyCheckedIn)
@check_in.input(CheckInIn)
@check_in.output(RecordOut, status_code=201)
def arrive(json_data: CheckInIn) -> RecordView:
    """Check in to a session; a refusal's code and figures say why"""
    return check_ins.check_in(caller(), json_data.session_id, json_data.fix)


@check_in.post("/attendance/check-out")
@who_may(ANYONE)
@repeatable
@refuses(errors.NotFound, errors.CheckInRefused, errors.NotCheckedIn, errors.AlreadyCheckedOut)
@check_in.input(CheckOutIn)
@check_in.output(RecordOut)
def go(json_data: CheckOutIn) -> RecordView:
    """Check out of a session"""
    return check_ins.check_out(caller(), json_data.record_id, json_data.fix)
