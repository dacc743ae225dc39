"""What was to be told, and is not so any more, or not for its reader: an absence, or the last of several in a row, that
was corrected, excused, or is of a session that was opened again or cancelled; an alert that is closed; what is about a
child whose guardian the reader is no longer. It is looked at when its mail is written, and again until it is handed
over."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence

from sqlalchemy import ColumnElement, and_, delete, exists, or_, select, update

from app import clock
from app.extensions import db
from app.models import (
    Alert,
    Guardian,
    Mail,
    MailStatus,
    Notification,
    NotificationKind,
    Record,
    Role,
    Session,
    Status,
    User,
)
from app.services.caller import Caller
from app.services.transaction import transaction

OF_ABSENCE = Notification.kind.in_([NotificationKind.ABSENCE, NotificationKind.ABSENCES_IN_A_ROW])
OF_ALERT = Notification.kind == NotificationKind.AT_RISK
NOT_SENT = (MailStatus.QUEUED, MailStatus.FAILED, MailStatus.UNCERTAIN)
"""An administrator may send the latter two again."""


def no_longer_so() -> ColumnElement[bool]:
    """The condition that what a notification tells of has changed since, or is not for its reader any more."""
    still_absent = exists().where(
        Record.organisation_id == Notification.organisation_id,
        Record.session_id == Notification.about_id,
        Record.student_id == Notification.student_id,
        Record.status == Status.ABSENT,
        Session.id == Record.session_id,
        Session.closed_at.is_not(None),
        Session.cancelled_at.is_(None),
    )
    is_closed = exists().where(
        Alert.organisation_id == Notification.organisation_id,
        Alert.id == Notification.about_id,
        Alert.closed_at.is_not(None),
    )
    return or_(and_(OF_ABSENCE, ~still_absent), and_(OF_ALERT, is_closed), _not_theirs())


def _not_theirs() -> ColumnElement[bool]:
    """The condition that it is about a child whose guardian the reader was, and is not."""
    of_child = and_(
        Guardian.organisation_id == Notification.organisation_id, Guardian.student_id == Notification.student_id
    )
    is_parent = exists().where(User.id == Notification.user_id, User.role == Role.PARENT)
    is_theirs = exists().where(of_child, Guardian.parent_id == Notification.user_id)
    is_known = exists().where(of_child, Guardian.email == Notification.address)
    return and_(
        Notification.student_id.is_not(None),
        or_(and_(is_parent, ~is_theirs), and_(Notification.user_id.is_(None), ~is_known)),
    )


def holds() -> ColumnElement[bool]:
    """The condition that a mail tells of nothing that has changed since it was written."""
    return ~exists().where(Notification.mail_id == Mail.id, no_longer_so())


@transaction
def withdraw(mail_ids: Sequence[uuid.UUID]) -> None:
    """Withdraw those of these mails that do not hold; in one statement where all do. What else a daily mail told of is
    mailed anew; what does not hold is gone, so that it is told again should it come back."""
    waiting = select(Mail.id).where(Mail.id.in_(mail_ids), Mail.status == MailStatus.QUEUED, ~holds())
    gone = db.session.scalars(waiting.with_for_update()).all()
    if gone:
        _take_back(gone, and_(Notification.mail_id.in_(gone), no_longer_so()))


def forget_children(caller: Caller, parent_id: uuid.UUID, student_ids: Collection[uuid.UUID]) -> None:
    """Within a transaction that ends that these are a parent's children: delete what they were told of them, and
    withdraw what is not mailed yet."""
    of_them = and_(
        caller.owns(Notification), Notification.user_id == parent_id, Notification.student_id.in_(student_ids)
    )
    told = exists().where(Notification.mail_id == Mail.id, of_them)
    reported = or_(*(Mail.key.like(f"report:%:{parent_id}:{student_id}") for student_id in student_ids))
    waiting = caller.rows(Mail, Mail.id).where(Mail.status.in_(NOT_SENT), or_(told, reported))
    _take_back(db.session.scalars(waiting.with_for_update()).all(), of_them)


def _take_back(mail_ids: Sequence[uuid.UUID], gone: ColumnElement[bool]) -> None:
    """Withdraw these mails, and delete the notifications that are gone."""
    withdrawn = update(Mail).where(Mail.id.in_(mail_ids))
    for statement in (
        delete(Notification).where(gone),
        update(Notification).where(Notification.mail_id.in_(mail_ids)).values(mail_id=None, mail_due_at=clock.now()),
        withdrawn.values(status=MailStatus.WITHDRAWN, key=None, text="", html=""),
    ):
        db.session.execute(statement.execution_options(synchronize_session=False))
