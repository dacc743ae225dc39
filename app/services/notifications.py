"""Notifications: what people are told, once, in the app at once and by mail as they have chosen.

They are put into words (`services.wording`) when they are read or mailed, from their data:

- absence: student, class_name, session_name, session_date, starts_at, ends_at
- absences_in_a_row: student, count, since
- leave_decided: student, first_day, last_day, decision (approved or rejected), reason
- session_changed, session_cancelled: student, class_name, session_name, session_date, starts_at, ends_at, place (names
  or coordinates of its own sites, or empty), and last_day, of those that follow and are changed as well
- at_risk: student, alert (its kind), value and threshold (of attendance rates, of marks out of 100)
- report_ready: report, url
- message: subject, text, from_name

Days and times are as ISO 8601 has them, times with the offset of where the session is; class_name, starts_at and reason
may be null.
"""

from __future__ import annotations

import operator
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, func
from sqlalchemy.orm import aliased
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Mail, Mailing, Notification, NotificationKind, User, UserStatus
from app.services import jobs
from app.services.caller import Caller
from app.services.errors import NotFound
from app.services.mailing_times import after_quiet_hours, next_digest
from app.services.paging import Page, Paging, paginate
from app.services.transaction import afterwards, changed, insert_missing, some_at_once, transaction
from app.services.user_settings import Choices, choices_of
from app.services.wording import Words

SEND = "mail_notifications"
"""The system's own work that mails what is due."""


@dataclass(frozen=True, slots=True)
class Notice:
    """What one person is to be told: they are told once under one key.

    user_id: None for a guardian without an account, who is mailed at this address.
    student_id: whom it is about.
    about_id: the session, leave request, alert or file that it is about.
    """

    user_id: uuid.UUID | None
    key: str
    data: Mapping[str, Any]
    student_id: uuid.UUID | None = None
    about_id: uuid.UUID | None = None
    address: str | None = None


@dataclass(frozen=True, slots=True)
class Told:
    """A notification in words."""

    row: Notification
    title: str
    text: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A notification, whom it went to and of whom, and its mail, if it was mailed."""

    row: Notification
    title: str
    user: User | None
    student: User | None
    mail: Mail | None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """since, until: when it was told, the latter excluded."""

    user_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None
    kind: NotificationKind | None = None
    since: datetime | None = None
    until: datetime | None = None


def notify(caller: Caller, kind: NotificationKind, notices: Sequence[Notice]) -> None:
    """Within a transaction: tell these people, in a number of statements that does not grow with theirs. What was told
    under the same key before is not told again. Who has no address, or is not active, gets no mail."""
    if not notices:
        return
    now, due = clock.now(), {Mailing.AT_ONCE: after_quiet_hours(caller, clock.now()), Mailing.NEVER: None}
    due[Mailing.DAILY] = next_digest(caller, now)
    mailings = _mailings(caller, kind, [notice.user_id for notice in notices if notice.user_id])
    rows = []
    for notice in notices:
        mailing = mailings[notice.user_id] if notice.user_id else Mailing.AT_ONCE
        row = {
            "id": uuid7(),
            "organisation_id": caller.organisation_id,
            "created_at": now,
            "kind": kind,
            "user_id": notice.user_id,
            "address": notice.address,
            "key": notice.key,
            "student_id": notice.student_id,
            "about_id": notice.about_id,
            "data": dict(notice.data),
            "mail_due_at": due[mailing],
            "is_digest": mailing == Mailing.DAILY,
        }
        rows.append(row)
    insert_missing(Notification, rows, ("organisation_id", "key"))
    afterwards(mail_soon)


def mail_soon() -> None:
    """Have what is due mailed now; were this lost, the schedule would do it some seconds later."""
    jobs.start_own(SEND)


def _mailings(caller: Caller, kind: NotificationKind, user_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Mailing]:
    found = dict.fromkeys(user_ids, Mailing.NEVER)
    for some in some_at_once(user_ids):
        mailable = caller.rows(User, User.id).where(
            User.id.in_(some), User.status == UserStatus.ACTIVE, User.email.is_not(None)
        )
        chosen = choices_of(caller, some)
        found |= {id_: chosen[id_].mailing(kind) for id_ in db.session.scalars(mailable)}
    return found


def list_own(caller: Caller, unread: bool, paging: Paging) -> Page[Told]:
    """The caller's own, in their language. unread: those alone."""
    query = caller.rows(Notification).where(Notification.user_id == caller.user_id)
    if unread:
        query = query.where(Notification.read_at.is_(None))
    page = paginate(query, paging, {"id": Notification.id, "created_at": Notification.id})  # ids are in its order
    return page.of(_told(caller, page.items))


def count_unread(caller: Caller) -> int:
    query = caller.rows(Notification, func.count())
    return db.session.scalar(query.where(Notification.user_id == caller.user_id, Notification.read_at.is_(None))) or 0


@transaction
def read(caller: Caller, notification_id: uuid.UUID) -> Told:
    """Note that the caller has read one of their own; when they did so first stays. Raises NotFound."""
    row = caller.get(Notification, notification_id)
    if row.user_id != caller.user_id:
        raise NotFound("There is no notification with this id")
    row.read_at = row.read_at or clock.now()
    db.session.flush()
    return _told(caller, [row])[0]


@transaction
def read_all(caller: Caller) -> int:
    """Note that the caller has read all of theirs; how many they had not."""
    unread = caller.change(Notification).where(Notification.user_id == caller.user_id, Notification.read_at.is_(None))
    return changed(unread.values(read_at=clock.now()).execution_options(synchronize_session=False))


def deliveries(caller: Caller, wanted: DeliveryFilter, paging: Paging) -> Page[Delivery]:
    """What was told to whom, and what became of its mail."""
    user, student = aliased(User), aliased(User)
    query = (
        caller.rows(Notification, Notification, user, student, Mail)
        .outerjoin(user, (user.id == Notification.user_id) & caller.owns(user))
        .outerjoin(student, (student.id == Notification.student_id) & caller.owns(student))
        .outerjoin(Mail, (Mail.id == Notification.mail_id) & caller.owns(Mail))
    )
    counted = caller.rows(Notification, func.count())
    for condition in _wanted(wanted):
        query, counted = query.where(condition), counted.where(condition)
    columns = {"id": Notification.id, "created_at": Notification.created_at}
    page = paginate(query, paging, columns, counted)
    told = _told(caller, [row for row, *_ in page.items])
    return page.of([Delivery(one.row, one.title, *others) for one, (_, *others) in zip(told, page.items, strict=True)])


def _wanted(wanted: DeliveryFilter) -> list[ColumnElement[bool]]:
    compared: tuple[tuple[Any, Callable[[Any, Any], Any], Any], ...] = (
        (Notification.user_id, operator.eq, wanted.user_id),
        (Notification.student_id, operator.eq, wanted.student_id),
        (Notification.kind, operator.eq, wanted.kind),
        (Notification.created_at, operator.ge, wanted.since),
        (Notification.created_at, operator.lt, wanted.until),
    )
    return [compare(column, value) for column, compare, value in compared if value is not None]


def _told(caller: Caller, rows: Sequence[Notification]) -> list[Told]:
    words, choices = Words(caller), choices_of(caller, [caller.user_id])[caller.user_id]
    return [_in_words(words, row, choices) for row in rows]


def _in_words(words: Words, row: Notification, choices: Choices) -> Told:
    said = words.of(row.kind, row.data, choices)
    return Told(row, said.subject, said.text)
