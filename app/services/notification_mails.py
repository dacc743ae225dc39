"""Mailing notifications: each by itself when it is due, or a person's all in one mail a day; none in quiet hours.

Whoever mails holds the notifications locked until the mails are saved, so each is in one mail, however many mail them
at the same time and whoever dies in between. What is not so any more (`services.withdrawal`) is left out.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from jinja2 import TemplateError
from sqlalchemy import ColumnElement, select
from sqlalchemy.exc import SQLAlchemyError

from app import clock
from app.extensions import db
from app.models import Mail, Mailing, Notification, Organisation, User, UserStatus
from app.services import mail
from app.services.caller import Caller, system
from app.services.delivery import BY_ITSELF, TOGETHER
from app.services.mail import Letter
from app.services.mailing_times import is_quiet, next_digest
from app.services.notifications import SEND
from app.services.transaction import release, transaction
from app.services.user_settings import Choices, choices_of
from app.services.withdrawal import no_longer_so
from app.services.wording import Words

__all__ = ["SEND", "mail_due"]

AT_ONCE = 200
"""Notifications, or people with a daily mail, of one organisation that are mailed in one go."""

log = structlog.get_logger(__name__)


def mail_due() -> None:
    """Mail what is due, of all organisations; one whose notifications cannot be mailed holds up no other."""
    for column, write in ((Notification.id, _mail_each), (Notification.user_id, _mail_digests)):
        is_digest = column is Notification.user_id
        for organisation in _waiting(is_digest):
            try:
                _mail(organisation, column, is_digest, write)
            except Exception:
                log.exception("notifications_not_mailed", organisation_id=str(organisation.id))
                release()  # whatever failed must not fail the next


Write = Callable[[Caller, Sequence[uuid.UUID]], None]


def _mail(organisation: Organisation, column: Any, is_digest: bool, write: Write) -> None:
    caller = system(organisation)
    due = caller.rows(Notification, column).where(_is_due(is_digest)).group_by(column)
    while not is_quiet(caller) and (some := db.session.scalars(due.limit(AT_ONCE)).all()):
        write(caller, some)


@transaction
def _mail_each(caller: Caller, ids: Sequence[uuid.UUID]) -> None:
    """Of these, those that nobody else has mailed since they were found."""
    rows = _locked(caller, _is_due(False), Notification.id.in_(ids))
    choices = _choices(caller, rows)
    told = _take(caller, rows, choices)
    people = _people(caller, told)
    words, letters = Words(caller), []
    for row in told:
        person = people.get(row.user_id)
        if (to := row.address or (person and person.email)) is not None:
            key, chosen = f"{BY_ITSELF}:{row.id}", choices[row.user_id] if row.user_id else Choices()
            with _alone(key):
                letters.append(Letter(to, key, row.user_id, wording=words.of(row.kind, row.data, chosen)))
    _post(caller, BY_ITSELF, letters, {f"{BY_ITSELF}:{row.id}": [row] for row in told})


@transaction
def _mail_digests(caller: Caller, user_ids: Sequence[uuid.UUID]) -> None:
    """To each of these people one mail of all of theirs that are due; one a day."""
    rows = _locked(caller, _is_due(True), Notification.user_id.in_(user_ids))
    day_of = _days(caller, rows)
    choices = _choices(caller, rows)
    told = _take(caller, rows, choices)
    people = _people(caller, told)
    theirs = defaultdict[str, list[Notification]](list)
    for row in told:
        if row.user_id in people:
            theirs[f"{TOGETHER}:{row.user_id}:{day_of[row.user_id]}"].append(row)
    had = set(db.session.scalars(caller.rows(Mail, Mail.key).where(Mail.key.in_(theirs))))
    words, letters = Words(caller), []
    for key, some in theirs.items():
        user_id = some[0].user_id
        if key in had or user_id is None:  # the daily mail was moved to a later time of a day that had it
            for row in some:
                row.mail_due_at = next_digest(caller, clock.now())
            continue
        person = people[user_id]
        name = f"{person.first_name} {person.last_name}".strip()
        with _alone(key):
            said = words.digest([(row.kind, row.data) for row in some], choices[user_id], name)
            letters.append(Letter(person.email, key, user_id, wording=said))
    _post(caller, TOGETHER, letters, theirs)


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """One that cannot be worded holds up no other: it stays in the app."""
    try:
        yield
    except SQLAlchemyError:
        raise  # it is nothing that is said, and the transaction is lost
    except Exception:
        log.exception("notification_not_worded", key=key)


def _locked(caller: Caller, *which: ColumnElement[bool]) -> Sequence[Notification]:
    """The latest first."""
    query = caller.rows(Notification).where(*which).order_by(Notification.id.desc()).with_for_update()
    return db.session.scalars(query.execution_options(populate_existing=True)).all()


def _take(caller: Caller, rows: Sequence[Notification], choices: Mapping[uuid.UUID, Choices]) -> list[Notification]:
    """Those of them to be mailed; none of them is due any more. Those that are not so are gone, so that what comes back
    of them is told of again."""
    ids = [row.id for row in rows]
    changed_since = caller.rows(Notification, Notification.id).where(Notification.id.in_(ids), no_longer_so())
    gone = set(db.session.scalars(changed_since))
    for row in rows:
        row.mail_due_at = None
        if row.id in gone:
            db.session.delete(row)
    unwanted = {row.id for row in rows if row.user_id and choices[row.user_id].mailing(row.kind) == Mailing.NEVER}
    return [row for row in rows if row.id not in gone | unwanted]


def _post(
    caller: Caller, template: str, letters: Sequence[Letter], told_in: Mapping[str, Sequence[Notification]]
) -> None:
    """told_in: by the letters' keys."""
    mails = _written(caller, template, letters)
    mail.post_written(mails)
    for written in mails:
        for row in told_in[written["key"]]:
            row.mail_id = written["id"]


def _written(caller: Caller, template: str, letters: Sequence[Letter]) -> list[dict[str, Any]]:
    """One that cannot be written holds up no other: it stays in the app."""
    try:
        return mail.write(template, caller.organisation_id, letters)
    except (ValueError, TemplateError):
        if len(letters) > 1:
            return [one for letter in letters for one in _written(caller, template, [letter])]
        log.exception("notification_not_mailed", key=letters[0].key)
        return []


def _people(caller: Caller, rows: Sequence[Notification]) -> dict[uuid.UUID | None, Any]:
    """Those of them who can be mailed, by their ids: with first_name, last_name and email."""
    people = caller.rows(User, User.id, User.first_name, User.last_name, User.email).where(
        User.id.in_({row.user_id for row in rows}), User.status == UserStatus.ACTIVE, User.email.is_not(None)
    )
    return {person.id: person for person in db.session.execute(people)}


def _choices(caller: Caller, rows: Sequence[Notification]) -> dict[uuid.UUID, Choices]:
    return choices_of(caller, {row.user_id for row in rows if row.user_id})


def _days(caller: Caller, rows: Sequence[Notification]) -> dict[uuid.UUID | None, str]:
    """The day, where the organisation is, for which each person's latest is due."""
    latest: dict[uuid.UUID | None, datetime] = {}
    for row in rows:
        assert row.mail_due_at  # noqa: S101 - they are due
        latest[row.user_id] = max(row.mail_due_at, latest.get(row.user_id, row.mail_due_at))
    zone = ZoneInfo(caller.time_zone)
    return {user_id: str(due.astimezone(zone).date()) for user_id, due in latest.items()}


def _is_due(is_digest: bool) -> ColumnElement[bool]:
    due: ColumnElement[bool] = (Notification.mail_due_at <= clock.now()) & Notification.is_digest.is_(is_digest)
    return due


def _waiting(is_digest: bool) -> Sequence[Organisation]:
    having = select(Notification.organisation_id).where(_is_due(is_digest))
    found = db.session.scalars(select(Organisation).where(Organisation.id.in_(having), Organisation.is_active)).all()
    release()
    return found
