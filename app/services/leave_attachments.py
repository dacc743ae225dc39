"""What people send with a leave request: a doctor's note, encrypted as it is kept."""

from __future__ import annotations

import re
import unicodedata
import uuid
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import func

from app.extensions import db
from app.models import LeaveAttachment, LeaveStatus
from app.services.caller import Caller
from app.services.errors import (
    AttachmentTooLarge,
    LeaveDecided,
    NotFound,
    NotYourLeave,
    TooManyAttachments,
    UnreadableFile,
)
from app.services.leave import OPEN, visible_request
from app.services.transaction import transaction
from app.services.vault import seal, unseal

LARGEST = 5 * 1024 * 1024
"""In bytes."""
MOST = 5
"""Of one request."""
KINDS = {
    b"%PDF-": ("application/pdf", ".pdf"),
    b"\xff\xd8\xff": ("image/jpeg", ".jpg"),
    b"\x89PNG\r\n\x1a\n": ("image/png", ".png"),
}
"""By how a file begins: what it is called and says of itself proves nothing."""
NAME_LENGTH = 200


@dataclass(frozen=True, slots=True)
class File:
    name: str
    media_type: str
    content: bytes


def attach(caller: Caller, leave_request_id: uuid.UUID, name: str | None, content: bytes) -> LeaveAttachment:
    """Add a PDF, JPEG or PNG to a request, also to one that is approved: a doctor's note may come later.

    Raises:
        NotFound: there is no such request, or it is not the caller's to see.
        AttachmentTooLarge, UnreadableFile: of more than LARGEST bytes, or of another kind.
        LeaveDecided: the request was rejected or withdrawn.
        TooManyAttachments: it has MOST.
    """
    visible_request(caller, leave_request_id)
    if len(content) > LARGEST:
        raise AttachmentTooLarge
    kind = next((kind for begins, kind in KINDS.items() if content.startswith(begins)), None)
    if kind is None:
        raise UnreadableFile("Send a PDF, a JPEG or a PNG")
    media_type, suffix = kind
    values = {"name": clean_name(name or "", suffix), "media_type": media_type, "size": len(content)}
    return _attach(caller, leave_request_id, values | {"sealed": seal(content)})


@transaction
def _attach(caller: Caller, leave_request_id: uuid.UUID, values: dict[str, Any]) -> LeaveAttachment:
    request = visible_request(caller, leave_request_id, lock=True)
    if request.status not in OPEN:
        raise LeaveDecided
    there = caller.rows(LeaveAttachment, func.count()).where(LeaveAttachment.leave_request_id == request.id)
    if (db.session.scalar(there) or 0) >= MOST:
        raise TooManyAttachments
    own = {"organisation_id": caller.organisation_id, "leave_request_id": request.id, "user_id": request.user_id}
    row = LeaveAttachment(**own, **values)
    db.session.add(row)
    db.session.flush()
    return row


def read(caller: Caller, leave_request_id: uuid.UUID, leave_attachment_id: uuid.UUID) -> File:
    """The file as it was sent, for whoever may see the request. Raises NotFound."""
    row = _attachment(caller, leave_request_id, leave_attachment_id)
    return File(row.name, row.media_type, unseal(row.sealed))


@transaction
def remove(caller: Caller, leave_request_id: uuid.UUID, leave_attachment_id: uuid.UUID) -> None:
    """Raises NotFound, NotYourLeave unless the caller asked, or LeaveDecided when the request is not pending."""
    request = visible_request(caller, leave_request_id, lock=True)
    row = _attachment(caller, leave_request_id, leave_attachment_id)
    if request.requested_by_id != caller.user_id:
        raise NotYourLeave
    if request.status != LeaveStatus.PENDING:
        raise LeaveDecided
    db.session.execute(caller.remove(LeaveAttachment).where(LeaveAttachment.id == row.id))


def _attachment(caller: Caller, leave_request_id: uuid.UUID, leave_attachment_id: uuid.UUID) -> LeaveAttachment:
    visible_request(caller, leave_request_id)
    query = caller.rows(LeaveAttachment).where(
        LeaveAttachment.id == leave_attachment_id, LeaveAttachment.leave_request_id == leave_request_id
    )
    row: LeaveAttachment | None = db.session.scalar(query)
    if row is None:
        raise NotFound("There is no attachment with this id")
    return row


def clean_name(name: str, suffix: str) -> str:
    """A name that is safe to save a file under on any system: no path, nothing invisible, and what the file is."""
    stem = PurePosixPath(name.replace("\\", "/")).stem
    seen = "".join(c for c in stem if not unicodedata.category(c).startswith("C"))
    kept = re.sub(r'[<>:"|?*]', "", seen)[: NAME_LENGTH - len(suffix)].strip(" .")
    return (kept or "attachment") + suffix
