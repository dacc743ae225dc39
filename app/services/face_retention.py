"""For how long face templates are kept: for some time after their owner has left, and at the latest for some years."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, or_

from app import clock
from app.extensions import db
from app.models import Enrolment, FaceTemplate, Role, User, UserStatus
from app.services.caller import Caller
from app.services.consents import lock_people
from app.services.seen_faces import forget
from app.services.transaction import transaction

AT_ONCE = 500
"""Templates that one transaction deletes, each with its entry in the audit log."""


def delete_due(caller: Caller) -> None:
    """Delete the organisation's templates whose time is over."""
    while _delete_some(caller) == AT_ONCE:
        pass


def due(caller: Caller, at: datetime) -> ColumnElement[bool]:
    """The condition that a template's time is over then: it is too old, or its owner has left.

    Somebody has left when they are not active or no longer anybody who can have a record, or, as a student, when the
    last of their classes has ended; who was never in a class is still expected in one. Who enrols their face after
    that has as long from then on.
    """
    kept = caller.settings.retention
    made = FaceTemplate.created_at
    too_old = made < at - timedelta(days=kept.faces)
    grace = timedelta(days=kept.faces_after_leaving)
    day = (at - grace).astimezone(ZoneInfo(caller.time_zone)).date()
    classes = caller.rows(Enrolment, Enrolment.student_id)
    in_class = classes.where(or_(Enrolment.ends_on.is_(None), Enrolment.ends_on > day))
    left = or_(
        and_(User.status != UserStatus.ACTIVE, or_(User.inactive_on.is_(None), User.inactive_on <= day)),
        User.role == Role.PARENT,
        and_(User.role == Role.STUDENT, User.id.in_(classes), User.id.not_in(in_class)),
    )
    return or_(too_old, and_(made < at - grace, FaceTemplate.user_id.in_(caller.rows(User, User.id).where(left))))


@transaction
def _delete_some(caller: Caller) -> int:
    """Whoever has no template left is forgotten where they were recognised, too."""
    some = caller.rows(FaceTemplate, FaceTemplate.id, FaceTemplate.user_id).where(due(caller, clock.now()))
    owners = {row.id: row.user_id for row in db.session.execute(some.limit(AT_ONCE))}
    if owners:
        people = set(owners.values())
        lock_people(caller, people)
        db.session.execute(caller.remove(FaceTemplate).where(FaceTemplate.id.in_(owners)))
        left = caller.rows(FaceTemplate, FaceTemplate.user_id).where(FaceTemplate.user_id.in_(people))
        forget(caller, people - set(db.session.scalars(left)))
    return len(owners)
