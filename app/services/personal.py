"""What is held about one person, read from the models, so that a table that is added later is not forgotten."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import Text, and_, cast, false, inspect, or_

from app import clock
from app.extensions import db
from app.models import (
    AuditEntry,
    Base,
    Link,
    Mail,
    MailStatus,
    Notification,
    NotificationKind,
    Record,
    SentMessage,
    Tenant,
    User,
    UserStatus,
)
from app.models.base import SECRET
from app.services.accounts import emails_elsewhere
from app.services.caller import Caller
from app.services.seen_faces import forget

Told = dict[str, Any]

ERASED = "Erased"
MOST = 10_000
"""Rows of one table that an export holds, the newest; a person has that many only where it is machines that write."""


def held_about(caller: Caller, user: User) -> Told:
    """Each table's rows that name the person, without secrets."""
    held: Told = {"exported_at": clock.now(), "person": _told(user)}
    for model, columns in _naming_people():
        rows = caller.rows(model).where(or_(*(column == user.id for column in columns)))
        found = db.session.scalars(rows.order_by(model.id.desc()).limit(MOST))
        held[model.__tablename__] = [_own_part(row, user) for row in found]
    entries = caller.rows(AuditEntry).where(or_(AuditEntry.person_id == user.id, AuditEntry.actor_id == user.id))
    log = db.session.scalars(entries.order_by(AuditEntry.sequence.desc()).limit(MOST))
    held[AuditEntry.__tablename__] = [_told(entry) | _origin(entry, user) for entry in log]
    return held


def delete_personal(caller: Caller, user: User) -> list[uuid.UUID]:
    """Within a transaction: delete what is the person's own and take their name off the rest; which rows went."""
    gone: list[uuid.UUID] = []
    addresses = _addresses(caller, user)
    forget(caller, {user.id})
    gone += _messages_about(caller, user)
    wrote = Notification.about_id.in_(caller.rows(SentMessage, SentMessage.id).where(SentMessage.sender_id == user.id))
    told = caller.rows(Notification, Notification.mail_id).where(or_(Notification.student_id == user.id, wrote))
    told_of_them = db.session.scalars(told.where(Notification.mail_id.is_not(None)).distinct()).all()
    db.session.execute(caller.remove(Notification).where(wrote).execution_options(audited=False))
    for model, columns in _naming_people():
        named = [column for column in columns if column.key in model.erased_with]
        if named:
            whose = or_(*(column == user.id for column in named))
            gone += db.session.scalars(caller.rows(model, model.id).where(whose)).all()
            # not in the audit log, which would keep what is to be forgotten
            db.session.execute(caller.remove(model).where(whose).execution_options(audited=False))
    _mail_anew(caller, told_of_them)
    of_them = or_(Mail.key.like(f"report:%:{user.id}"), Mail.id.in_(told_of_them))  # to their parents, teachers
    for model, theirs in (
        (Link, Link.email.in_(addresses)),
        (Notification, Notification.address.in_(addresses)),
        (Mail, or_(Mail.recipient.in_(addresses), of_them)),
    ):
        gone += db.session.scalars(caller.rows(model, model.id).where(theirs)).all()
        db.session.execute(caller.remove(model).where(theirs).execution_options(audited=False))
    remarked = caller.change(Record).where(Record.student_id == user.id).values(remarks=None, review_reason=None)
    db.session.execute(remarked.execution_options(audited=False))
    kept = {"id", "organisation_id", "created_at", "role"}
    nothing: Told = {column.key: None for column in inspect(User).columns if column.nullable and column.key not in kept}
    values = nothing | {"first_name": ERASED, "last_name": "", "status": UserStatus.INACTIVE, "erased_at": clock.now()}
    values["inactive_on"] = user.inactive_on or caller.today
    anonymous = caller.change(User).where(User.id == user.id).values(values)
    db.session.execute(anonymous.execution_options(audited=False))
    return gone


def _mail_anew(caller: Caller, mail_ids: Sequence[uuid.UUID]) -> None:
    """Have what else is in those of these mails that wait mailed without them."""
    queued = caller.rows(Mail, Mail.id).where(Mail.id.in_(mail_ids), Mail.status == MailStatus.QUEUED)
    waiting = db.session.scalars(queued.with_for_update()).all()
    others = caller.change(Notification).where(Notification.mail_id.in_(waiting))
    anew = others.values(mail_id=None, mail_due_at=clock.now())
    db.session.execute(anew.execution_options(synchronize_session=False))


def _messages_about(caller: Caller, user: User) -> list[uuid.UUID]:
    """Within a transaction: delete messages that were written to the person, or to others about the person, alone."""
    theirs = or_(Notification.student_id == user.id, Notification.user_id == user.id)
    told = caller.rows(Notification, Notification.about_id).where(Notification.kind == NotificationKind.MESSAGE)
    query = caller.rows(SentMessage, SentMessage.id).where(
        SentMessage.id.in_(told.where(theirs)),
        SentMessage.id.not_in(told.where(or_(Notification.student_id.is_(None), Notification.student_id != user.id))
                              .where(Notification.user_id != user.id)),
    )  # fmt: skip
    gone = list(db.session.scalars(query))
    messages = caller.remove(SentMessage).where(SentMessage.id.in_(gone))
    db.session.execute(messages.execution_options(audited=False))
    return gone


def formerly_naming(caller: Caller, user: User) -> list[uuid.UUID]:
    """Rows that were the person's, and may be gone, and that the log has as about somebody else or nobody: of a
    child's guardian, now unlinked; of an invitation before it was accepted."""
    logged_as_theirs = {"user_id", "student_id"}
    tables = [model.__tablename__ for model, _ in _naming_people() if set(model.erased_with) - logged_as_theirs]
    content = cast(AuditEntry.content, Text)
    named = and_(AuditEntry.entity.in_(tables), content.contains(str(user.id)))
    mailed = and_(
        AuditEntry.entity == Link.__tablename__,
        or_(false(), *(content.contains(json.dumps(address), autoescape=True) for address in _addresses(caller, user))),
    )
    return list(db.session.scalars(caller.rows(AuditEntry, AuditEntry.row_id).where(or_(named, mailed)).distinct()))


def _addresses(caller: Caller, user: User) -> set[str]:
    """The person's email address, those of before, and those yet to be confirmed, unless somebody else has them now."""
    entries = caller.rows(AuditEntry, AuditEntry.content).where(AuditEntry.row_id == user.id)
    kept = [side for content in db.session.scalars(entries) if content for side in content.values()]
    found = {side["email"] for side in kept if isinstance(side, dict) and "email" in side} | {user.email or ""}
    found |= set(db.session.scalars(caller.rows(Link, Link.email).where(Link.user_id == user.id)))
    others = caller.rows(User, User.email).where(User.email.in_(found), User.id != user.id)
    return found - {*db.session.scalars(others), *emails_elsewhere(caller, sorted(found)), ""}


def _naming_people() -> Iterator[tuple[type[Any], list[Any]]]:
    """Tables of organisations that refer to people, and the columns by which they do."""
    for mapper in sorted(Base.registry.mappers, key=lambda mapper: mapper.class_.__tablename__):
        model = mapper.class_
        if issubclass(model, Tenant) and model is not User:
            keys = [c.key for c in mapper.columns for key in c.foreign_keys if key.column.table is User.__table__]
            if keys:
                yield model, [getattr(model, key) for key in keys]


def _own_part(row: Any, user: User) -> Told:
    """What would be erased with somebody else is that one's: such as the leave that the person decided on."""
    told = _told(row)
    if not row.erased_with or user.id in {told[name] for name in row.erased_with}:
        return told
    return {name: value for name, value in told.items() if value == user.id or name in {"id", "created_at"}}


def _origin(entry: AuditEntry, user: User) -> Told:
    """From where somebody else did it is that one's own."""
    return {} if entry.actor_id in {user.id, None} else {"origin": None}


def _told(row: Any) -> Told:
    columns = inspect(type(row)).columns
    hidden = {column.key for column in columns if column.info == SECRET}
    unread = hidden & inspect(row).unloaded  # large, and not read to be told of
    values = {column.key: b"" if column.key in unread else getattr(row, column.key) for column in columns}
    return {
        name: "(secret)" if value is not None and (name in hidden or isinstance(value, bytes)) else value
        for name, value in values.items()
    }
