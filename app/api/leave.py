"""Leave requests: asked for, decided, withdrawn; with attachments."""

from __future__ import annotations

import io
import uuid
from typing import Any

from apiflask import APIBlueprint
from flask import send_file
from werkzeug.wrappers import Response

from app.api.openapi import refuses
from app.api.policy import ANYONE, STAFF, caller, who_may
from app.models import LeaveAttachment
from app.schemas.base import Message
from app.schemas.leave import (
    LeaveAttachmentIn,
    LeaveAttachmentOut,
    LeaveDecisionIn,
    LeaveListIn,
    LeavePageOut,
    LeaveRequestIn,
    LeaveRequestOut,
)
from app.schemas.users import ReasonIn
from app.services import errors, leave_attachments
from app.services import leave as service
from app.services.leave import LeaveView
from app.services.leave_attachments import KINDS
from app.services.paging import Page

leave = APIBlueprint("leave", __name__, tag="Leave")

BINARY = {"schema": {"type": "string", "format": "binary"}}
FILE: Any = {200: {"description": "The file", "content": {media_type: BINARY for media_type, _ in KINDS.values()}}}


@leave.post("/leave-requests")
@who_may(ANYONE)
@refuses(errors.MissingFields, errors.NotFound, errors.LeaveOverlaps)
@leave.input(LeaveRequestIn)
@leave.output(LeaveRequestOut, status_code=201)
def ask(json_data: LeaveRequestIn) -> LeaveView:
    """Ask for leave: for oneself, as a parent for one's child, as staff for a student"""
    return service.ask(caller(), **json_data.model_dump())


@leave.get("/leave-requests")
@who_may(ANYONE)
@leave.input(LeaveListIn, location="query")
@leave.output(LeavePageOut)
def list_requests(query_data: LeaveListIn) -> Page[LeaveView]:
    """One's own and one's children's requests; teachers see their students', administrators all"""
    return service.list_requests(caller(), query_data.wanted, query_data.paging)


@leave.get("/leave-requests/<uuid:leave_request_id>")
@who_may(ANYONE)
@leave.output(LeaveRequestOut)
def read(leave_request_id: uuid.UUID) -> LeaveView:
    """A leave request"""
    return service.read(caller(), leave_request_id)


@leave.post("/leave-requests/<uuid:leave_request_id>/decision")
@who_may(STAFF)
@refuses(errors.OwnLeave, errors.NotYourClass, errors.LeaveDecided, errors.LeaveOverlaps)
@leave.input(LeaveDecisionIn)
@leave.output(LeaveRequestOut)
def decide(leave_request_id: uuid.UUID, json_data: LeaveDecisionIn) -> LeaveView:
    """Approve or reject a request: who was absent on its days becomes excused or on leave, or absent again"""
    return service.decide(caller(), leave_request_id, json_data.approve, json_data.reason)


@leave.post("/leave-requests/<uuid:leave_request_id>/withdraw")
@who_may(ANYONE)
@refuses(errors.LeaveDecided, errors.LeaveBegun)
@leave.input(ReasonIn)
@leave.output(LeaveRequestOut)
def withdraw(leave_request_id: uuid.UUID, json_data: ReasonIn) -> LeaveView:
    """Withdraw a request; one that is approved and has begun, only staff may"""
    return service.withdraw(caller(), leave_request_id, json_data.reason)


@leave.post("/leave-requests/<uuid:leave_request_id>/attachment")
@who_may(ANYONE)
@refuses(errors.AttachmentTooLarge, errors.UnreadableFile, errors.LeaveDecided, errors.TooManyAttachments)
@leave.input(LeaveAttachmentIn)
@leave.output(LeaveAttachmentOut, status_code=201)
def attach(leave_request_id: uuid.UUID, json_data: LeaveAttachmentIn) -> LeaveAttachment:
    """Add a PDF, JPEG or PNG to a request, at most five of 5 MB each"""
    return leave_attachments.attach(caller(), leave_request_id, json_data.name, json_data.file)


@leave.get("/leave-requests/<uuid:leave_request_id>/attachments/<uuid:leave_attachment_id>")
@who_may(ANYONE)
@leave.doc(responses=FILE)
def read_attachment(leave_request_id: uuid.UUID, leave_attachment_id: uuid.UUID) -> Response:
    """An attachment, for whoever may see the request"""
    file = leave_attachments.read(caller(), leave_request_id, leave_attachment_id)
    answer = send_file(io.BytesIO(file.content), file.media_type, as_attachment=True, download_name=file.name)
    answer.headers |= {"X-Content-Type-Options": "nosniff", "Cache-Control": "private, no-store"}
    return answer


@leave.delete("/leave-requests/<uuid:leave_request_id>/attachments/<uuid:leave_attachment_id>")
@who_may(ANYONE)
@refuses(errors.NotYourLeave, errors.LeaveDecided)
@leave.output(Message)
def remove_attachment(leave_request_id: uuid.UUID, leave_attachment_id: uuid.UUID) -> dict[str, str]:
    """Delete an attachment, by who asked for the leave, while it is pending"""
    leave_attachments.remove(caller(), leave_request_id, leave_attachment_id)
    return {"message": "The attachment is deleted"}
