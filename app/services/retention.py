"""What is kept only for some time, and the daily note of where the audit logs end."""

from __future__ import annotations

import uuid
from datetime import timedelta

import structlog
from sqlalchemy import delete, exists, or_

from app import clock
from app.extensions import db
from app.models import (
    Attempt,
    Link,
    Mail,
    MailStatus,
    Notification,
    Organisation,
    Passage,
    Recognition,
    RecognitionPicture,
    RepeatableCall,
    SeenFace,
    SentMessage,
    SignIn,
    WebhookDelivery,
)
from app.services import audit, face_retention, repeats
from app.services.caller import system
from app.services.organisation_settings import settings_of
from app.services.organisations import all_organisations
from app.services.transaction import transaction

NOBODY = uuid.UUID(int=0)
DELIVERIES_KEPT = timedelta(days=30)
"""What was sent to webhooks."""
OVER = (MailStatus.SENT, MailStatus.FAILED, MailStatus.UNCERTAIN, MailStatus.WITHDRAWN)

log = structlog.get_logger(__name__)


def clean_up() -> None:
    """Delete ended sign-ins, mails, notifications, messages, attempts to check in, passages, face templates and
    recognitions as long ago as each organisation has it, what was sent to webhooks, links that lead nowhere and answers
    kept for the repeats of calls."""
    for organisation in all_organisations():
        _clean_up(organisation)
        keeper = system(organisation, NOBODY)
        face_retention.delete_due(keeper)  # which the audit log is told of


@transaction
def _clean_up(organisation: Organisation) -> None:
    now, decided = clock.now(), settings_of(organisation.settings)
    kept = decided.retention
    before = now - timedelta(days=kept.sign_ins)
    over = or_(SignIn.ended_at < before, SignIn.expires_at < before)
    for statement in (
        delete(SignIn).where(SignIn.organisation_id == organisation.id, over),
        delete(Attempt).where(
            Attempt.organisation_id == organisation.id, Attempt.created_at < now - timedelta(days=kept.locations)
        ),
        delete(RepeatableCall).where(
            RepeatableCall.organisation_id == organisation.id, RepeatableCall.created_at < now - repeats.KEPT
        ),
        delete(Passage).where(
            Passage.organisation_id == organisation.id, Passage.at < now - timedelta(days=kept.passages)
        ),
        delete(RecognitionPicture).where(
            RecognitionPicture.organisation_id == organisation.id,
            RecognitionPicture.created_at < now - timedelta(days=decided.faces.keep_pictures_days),
        ),
        delete(Recognition).where(
            Recognition.organisation_id == organisation.id,
            Recognition.confirmed_at.is_(None),
            Recognition.created_at < now - timedelta(days=kept.recognitions),
        ),
        delete(SeenFace).where(
            SeenFace.organisation_id == organisation.id,
            SeenFace.created_at < now - timedelta(days=kept.recognitions),
            # whoever withdraws their consent is found on a picture by its faces
            ~exists().where(RecognitionPicture.recognition_id == SeenFace.recognition_id),
        ),
        delete(Link).where(Link.organisation_id == organisation.id, Link.expires_at < now),
        delete(Mail).where(
            Mail.organisation_id == organisation.id,
            Mail.status.in_(OVER),
            Mail.created_at < now - timedelta(days=kept.mails),
        ),
        delete(WebhookDelivery).where(
            WebhookDelivery.organisation_id == organisation.id,
            WebhookDelivery.created_at < now - DELIVERIES_KEPT,
        ),
        delete(Notification).where(
            Notification.organisation_id == organisation.id,
            Notification.created_at < now - timedelta(days=kept.notifications),
        ),
        delete(SentMessage).where(
            SentMessage.organisation_id == organisation.id,
            SentMessage.created_at < now - timedelta(days=kept.notifications),
        ),
    ):
        db.session.execute(statement.execution_options(audited=False, synchronize_session=False))


def note_audit_heads() -> None:
    """Write each organisation's last audit entry to the program's log: whoever keeps that elsewhere can tell later
    whether the audit log was written anew."""
    for organisation in all_organisations():
        log.info("audit_head", organisation_id=str(organisation.id), last_entry=audit.head(organisation.id))
