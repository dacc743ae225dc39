"""Consent to face recognition: asked with a text, recorded with its version, withdrawn at any time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from app.extensions import db
from app.models import Consent, FaceTemplate, User
from app.services.caller import Caller
from app.services.errors import ConsentRequired
from app.services.transaction import transaction

TEXT_VERSION = "2026-11-21"
TEXT = (
    "I allow my organisation to recognise my face in order to record my attendance. From each picture that I send it "
    "computes 128 numbers (a template) and keeps these, encrypted; the picture itself is not kept. The templates are "
    "compared with the faces in pictures that my teachers take of the room, that the organisation's gates take of "
    "whoever stands before them, and that I send to check in, and serve no other purpose. I can withdraw this consent "
    "at any time, without giving a reason and without disadvantage: my templates are then deleted at once, and my "
    "attendance is recorded in another way."
)


@dataclass(frozen=True, slots=True)
class ConsentView:
    text: str
    text_version: str
    decision: Consent | None

    @property
    def accepted(self) -> bool:
        return holds(self.decision)

    @property
    def decided_at(self) -> datetime | None:
        return self.decision.created_at if self.decision else None

    @property
    def decided_text_version(self) -> str | None:
        return self.decision.text_version if self.decision else None


def holds(decision: Consent | None) -> bool:
    """Whether the latest decision is a yes to the text as it is now."""
    return decision is not None and decision.accepted and decision.text_version == TEXT_VERSION


def read_consent(caller: Caller) -> ConsentView:
    return ConsentView(TEXT, TEXT_VERSION, latest(caller))


@transaction
def record_consent(caller: Caller, accepted: bool) -> ConsentView:
    """Record the caller's decision; a no deletes their templates at once."""
    lock_person(caller)
    decision = Consent(
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        accepted=accepted,
        text_version=TEXT_VERSION,
        recorded_by_id=caller.user_id,
    )
    db.session.add(decision)
    if not accepted:
        db.session.execute(caller.remove(FaceTemplate).where(FaceTemplate.user_id == caller.user_id))
    db.session.flush()
    return ConsentView(TEXT, TEXT_VERSION, decision)


def latest(caller: Caller) -> Consent | None:
    found: Consent | None = db.session.scalar(
        caller.rows(Consent).where(Consent.user_id == caller.user_id).order_by(Consent.id.desc()).limit(1)
    )
    return found


def require_consent(caller: Caller) -> None:
    """Raises ConsentRequired unless the caller has consented to the text as it is now."""
    if not holds(latest(caller)):
        raise ConsentRequired


def lock_person(caller: Caller) -> None:
    """Within a transaction: what is kept of this person's face changes one call after another."""
    db.session.execute(caller.rows(User, User.id).where(User.id == caller.user_id).with_for_update())
