"""Consent to face recognition: asked with a text, recorded with its version, withdrawn at any time.

A consent holds while nobody has withdrawn it, it is to a text that still counts, and whoever gave it may: the person
themself, or a guardian for a child.
"""

from __future__ import annotations

import uuid
from calendar import isleap
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, or_, select
from sqlalchemy.orm import aliased

from app.extensions import db
from app.models import Consent, ConsentText, FaceTemplate, Organisation, StudentProfile, User
from app.services.caller import Caller
from app.services.errors import (
    ConsentRequired,
    ConsentTextChanged,
    NotFound,
    ParentalConsentRequired,
    StudentDecides,
)
from app.services.paging import Page, Paging, paginate
from app.services.seen_faces import forget
from app.services.students import visible_students
from app.services.transaction import transaction

TEXT_VERSION = "2026-11-21.2"
TEXT = (
    "I allow my organisation to recognise my face in order to record my attendance. From each picture that I send it "
    "computes 128 numbers (a template) and keeps these, encrypted; the picture itself is not kept. The templates are "
    "compared with the faces in pictures that my teachers take of the room, that the organisation's gates take of "
    "whoever stands before them, and that I send to check in, and serve no other purpose. Where my organisation keeps "
    "pictures of a room for some days, for my teachers to check who was recognised, these are encrypted as well. I can "
    "withdraw this consent at any time, without giving a reason and without disadvantage: my templates, and kept "
    "pictures on which I was recognised, are then deleted at once, and my attendance is recorded in another way."
)
"""Of organisations that have published none."""


@dataclass(frozen=True, slots=True)
class ConsentView:
    """The text as it is now, and a person's latest decision. accepted: whether a consent of theirs holds."""

    text: str
    text_version: str
    decision: Consent | None
    accepted: bool
    parental_consent_required: bool

    @property
    def decided_at(self) -> datetime | None:
        return self.decision.created_at if self.decision else None

    @property
    def decided_by_id(self) -> uuid.UUID | None:
        return self.decision.recorded_by_id if self.decision else None

    @property
    def decided_text_version(self) -> str | None:
        return self.decision.text_version if self.decision else None


@transaction
def publish(caller: Caller, text: str, requires_new_consent: bool) -> ConsentText:
    """A new version of the organisation's text, to which people consent from now on.

    requires_new_consent: consents to the texts before it hold no longer.
    """
    own = select(Organisation.id).where(Organisation.id == caller.organisation_id)
    db.session.execute(own.with_for_update(key_share=True))  # of two at once the second has the next number
    before = _newest(caller)
    number = before.number + 1 if before else 1
    holding = [] if requires_new_consent else _holding(before)
    row = ConsentText(
        organisation_id=caller.organisation_id,
        number=number,
        text=text,
        holding=[*holding, str(number)],
        published_by_id=caller.user_id,
    )
    db.session.add(row)
    db.session.flush()
    return row


def list_texts(caller: Caller, paging: Paging) -> Page[ConsentText]:
    """The texts that the organisation has published."""
    return paginate(caller.rows(ConsentText), paging, {"number": ConsentText.number})


def read_consent(caller: Caller, user_id: uuid.UUID) -> ConsentView:
    """The caller's own, or that of a child of theirs (`child`)."""
    text = _newest(caller)
    given = standing(caller).where(Consent.user_id == user_id).exists()
    return ConsentView(
        text.text if text else TEXT,
        text.version if text else TEXT_VERSION,
        _latest(caller, user_id),
        bool(db.session.scalar(select(given))),
        _is_minor(caller, user_id) is True,
    )


@transaction
def record_consent(caller: Caller, accepted: bool, text_version: str | None) -> ConsentView:
    """Record the caller's decision; a no deletes their templates at once, and where they were recognised.

    text_version: of the text that they have read; None: whichever it is now.

    Raises:
        ParentalConsentRequired: they are too young to say yes.
        ConsentTextChanged: they have read another.
    """
    lock_people(caller, {caller.user_id})
    if accepted and _is_minor(caller, caller.user_id):
        raise ParentalConsentRequired
    return _record(caller, caller.user_id, accepted, text_version)


@transaction
def record_for_child(caller: Caller, student_id: uuid.UUID, accepted: bool, text_version: str | None) -> ConsentView:
    """Record a guardian's decision for a child, as `record_consent`.

    Raises:
        NotFound: it is not their child.
        StudentDecides: as `require_may_decide`; nor does a guardian say yes for a student who is old enough.
        ConsentTextChanged: they have read another.
    """
    child(caller, student_id)
    lock_people(caller, {student_id})
    require_may_decide(caller, student_id, accepted=accepted)
    return _record(caller, student_id, accepted, text_version)


def child(caller: Caller, student_id: uuid.UUID) -> None:
    """Raises NotFound unless the caller is a guardian of this student."""
    if db.session.scalar(visible_students(caller, User.id).where(User.id == student_id)) is None:
        raise NotFound("There is no student with this id")


def require_may_decide(caller: Caller, student_id: uuid.UUID, *, accepted: bool = False) -> None:
    """Raises StudentDecides unless the child is younger than the organisation has it, or of unknown age; of one who has
    come of age a guardian takes back only what a guardian has given."""
    if _is_minor(caller, student_id) is not False:
        return
    decision = _latest(caller, student_id)
    if accepted or decision is None or decision.recorded_by_id == student_id:
        raise StudentDecides


def require_consent(caller: Caller) -> None:
    """Raises ConsentRequired unless a consent of the caller's holds."""
    if db.session.scalar(standing(caller).where(Consent.user_id == caller.user_id).limit(1)) is None:
        raise ConsentRequired


def standing(caller: Caller) -> Select[Any]:
    """Query of the ids of those whose consent holds: only these may be recognised."""
    by_guardian = Consent.recorded_by_id != Consent.user_id
    of_age = Consent.user_id.not_in(caller.rows(StudentProfile, StudentProfile.user_id).where(_under_age(caller)))
    return caller.rows(Consent, Consent.user_id).where(
        Consent.accepted,
        Consent.text_version.in_(holding(caller)),
        or_(by_guardian, of_age),
        ~_later(accepted=False),
    )


def holding(caller: Caller) -> list[str]:
    """The versions of the text to which a consent holds."""
    return _holding(_newest(caller))


def is_latest() -> ColumnElement[bool]:
    """The condition that a decision is the person's latest."""
    return ~_later()


def lock_people(caller: Caller, user_ids: Collection[uuid.UUID]) -> None:
    """Within a transaction: what is kept of these people's faces changes one call after another."""
    theirs = caller.rows(User, User.id).where(User.id.in_(user_ids))
    db.session.execute(theirs.order_by(User.id).with_for_update())


def _record(caller: Caller, user_id: uuid.UUID, accepted: bool, text_version: str | None) -> ConsentView:
    text = _newest(caller)
    version = text.version if text else TEXT_VERSION
    if accepted and text_version not in {None, version}:
        raise ConsentTextChanged
    decision = Consent(
        organisation_id=caller.organisation_id,
        user_id=user_id,
        accepted=accepted,
        text_version=version,
        recorded_by_id=caller.user_id,
    )
    db.session.add(decision)
    if not accepted:
        db.session.execute(caller.remove(FaceTemplate).where(FaceTemplate.user_id == user_id))
        forget(caller, {user_id})
    db.session.flush()
    return read_consent(caller, user_id)


def _newest(caller: Caller) -> ConsentText | None:
    found: ConsentText | None = db.session.scalar(caller.rows(ConsentText).order_by(ConsentText.number.desc()).limit(1))
    return found


def _holding(newest: ConsentText | None) -> list[str]:
    return newest.holding if newest else [TEXT_VERSION]


def _latest(caller: Caller, user_id: uuid.UUID) -> Consent | None:
    found: Consent | None = db.session.scalar(
        caller.rows(Consent).where(Consent.user_id == user_id).order_by(Consent.id.desc()).limit(1)
    )
    return found


def _later(**values: Any) -> ColumnElement[bool]:
    """The condition that the same person has decided again since (in this way)."""
    later = aliased(Consent)
    same = (later.organisation_id == Consent.organisation_id, later.user_id == Consent.user_id)
    return select(later.id).filter_by(**values).where(*same, later.id > Consent.id).correlate(Consent).exists()


def _is_minor(caller: Caller, user_id: uuid.UUID) -> bool | None:
    """Whether a guardian has to consent for this person; None: their age is not known."""
    if not caller.settings.faces.parental_consent_under:
        return False
    under_age = caller.rows(StudentProfile, _under_age(caller)).where(StudentProfile.user_id == user_id)
    found = db.session.scalar(under_age)
    return None if found is None else bool(found)


def _under_age(caller: Caller) -> ColumnElement[bool]:
    return StudentProfile.date_of_birth > years_before(caller.today, caller.settings.faces.parental_consent_under)


def years_before(day: date, years: int) -> date:
    """The day of birth of somebody who is so many years old on this day: born later, they are younger."""
    year = day.year - years
    is_missing = (day.month, day.day) == (2, 29) and not isleap(year)
    return date(year, 2, 28) if is_missing else day.replace(year=year)
