"""What an organisation holds of faces, in numbers."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func

from app import clock
from app.extensions import db
from app.models import Consent, FaceTemplate, LikenessPermit, RecognitionPicture
from app.services import vault
from app.services.caller import Caller
from app.services.consents import holding, is_latest
from app.services.face_retention import due

SOON = timedelta(days=30)
AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class ConsentsTo:
    """How many people's latest decision is a yes to this version of the text, and whether that still counts."""

    text_version: str
    people: int
    counts: bool


@dataclass(frozen=True, slots=True)
class FaceReport:
    """due_soon: templates that retention deletes within 30 days. sealed_with_older_key: those that wait for
    `flask faces rotate-key`. sealed_with_no_key: those that none of FACE_KEYS opens, so nobody is known by them."""

    templates: int
    people: int
    oldest: datetime | None
    due_soon: int
    sealed_with_older_key: int
    sealed_with_no_key: int
    consents: Sequence[ConsentsTo]
    likeness_permits: int
    pictures: int


def report(caller: Caller) -> FaceReport:
    of_all = (func.count(), func.count(FaceTemplate.user_id.distinct()), func.min(FaceTemplate.created_at))
    templates, people, oldest = db.session.execute(caller.rows(FaceTemplate, *of_all)).one()
    soon = caller.rows(FaceTemplate, func.count()).where(due(caller, clock.now() + SOON))
    by_key = _by_key(caller)
    return FaceReport(
        templates,
        people,
        oldest,
        db.session.scalar(soon) or 0,
        sum(count for key, count in by_key.items() if key),
        by_key[None],
        _consents(caller),
        db.session.scalar(caller.rows(LikenessPermit, func.count())) or 0,
        db.session.scalar(caller.rows(RecognitionPicture, func.count()).where(RecognitionPicture.part == 0)) or 0,
    )


def _consents(caller: Caller) -> list[ConsentsTo]:
    counted = holding(caller)
    by_version = caller.rows(Consent, Consent.text_version, func.count()).where(Consent.accepted, is_latest())
    found = db.session.execute(by_version.group_by(Consent.text_version).order_by(func.min(Consent.created_at)))
    return [ConsentsTo(version, people, version in counted) for version, people in found]


def _by_key(caller: Caller) -> Counter[int | None]:
    """How many templates were sealed with which key; each is tried: 100,000 take two seconds."""
    counts, last = Counter[int | None](), uuid.UUID(int=0)
    query = caller.rows(FaceTemplate, FaceTemplate.id, FaceTemplate.encoding).order_by(FaceTemplate.id).limit(AT_ONCE)
    while page := db.session.execute(query.where(FaceTemplate.id > last)).all():
        counts.update(vault.which_key(kept) for _, kept in page)
        last = page[-1].id
    return counts
