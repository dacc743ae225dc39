"""Mail: written within the transaction that causes it, sent (`services.delivery`) once that is saved."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any

from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db, settings
from app.models import Mail, MailStatus, Organisation, User
from app.services.caller import Caller, system
from app.services.delivery import message_of, send_soon
from app.services.errors import NoEmailAddress, NotResendable
from app.services.languages import SOURCE, Formats
from app.services.organisation_settings import settings_of
from app.services.paging import Page, Paging, paginate
from app.services.rendering import Wording, rendered
from app.services.transaction import afterwards, changed, insert_missing, transaction
from app.services.user_settings import choices_of, formats_of

NAME = 100
"""Characters of a sender's name: twice as many, quoted, and the address fit in their column."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail of several that are written from the same template; as `post` has it. wording: what it says, where that
    is in words already."""

    to: str
    key: str | None = None
    user_id: uuid.UUID | None = None
    values: dict[str, Any] = field(default_factory=dict)
    wording: Wording | None = None


def post(
    template: str,
    to: str,
    organisation_id: uuid.UUID | None,
    key: str | None = None,
    user_id: uuid.UUID | None = None,
    **values: Any,
) -> None:
    """Within a transaction: send this once it is saved, in the organisation's name and the reader's language. Of
    several with the same key, the first is sent.

    template: `templates/mail/<template>.txt`, which begins with `Subject: ...`, and `.html`; both get the values, and
    the organisation's name.
    user_id: whom it is for, so that it is erased with them.

    Raises:
        jinja2.TemplateError: there is no such template, or it needs a value that is missing.
        ValueError: an address is none.
    """
    post_written(write(template, organisation_id, [Letter(to, key, user_id, values)]))


def write(template: str, organisation_id: uuid.UUID | None, letters: Sequence[Letter]) -> list[dict[str, Any]]:
    """Mails for `post_written`, in one statement and one that asks for the readers' languages. Raises as `post`."""
    organisation = db.session.get(Organisation, organisation_id) if organisation_id else None
    own = settings_of(organisation.settings if organisation else {}).mail
    name = organisation.name if organisation else "Rollcall"
    shared = {"organisation_id": organisation_id, "sender": _sender(own.name or name), "reply_to": own.reply_to}
    mails = [
        shared | _written(template, letter, letter.values | {"organisation": name}, formats)
        for letter, formats in zip(letters, _formats(organisation, letters), strict=True)
    ]
    for mail in mails:
        message_of(Mail(**mail))  # what cannot be sent is an error here, not when nobody is there to see it
    return mails


def post_written(mails: Sequence[dict[str, Any]]) -> None:
    """Within a transaction: send these once it is saved. Of several with the same key, the first is sent."""
    insert_missing(Mail, mails, ("key",))
    afterwards(send_soon)


def _formats(organisation: Organisation | None, letters: Sequence[Letter]) -> list[Formats]:
    """Of each letter's reader."""
    if organisation is None:
        return [Formats(SOURCE, "UTC") for _ in letters]
    keeper = system(organisation)
    choices = choices_of(keeper, {letter.user_id for letter in letters if letter.user_id})
    return [formats_of(keeper, choices.get(letter.user_id) if letter.user_id else None) for letter in letters]


def _written(template: str, letter: Letter, values: dict[str, Any], formats: Formats) -> dict[str, Any]:
    return asdict(letter.wording or rendered(template, values, formats)) | {
        "id": uuid7(),
        "key": letter.key,
        "user_id": letter.user_id,
        "template": template,
        "recipient": letter.to,
        "next_attempt_at": clock.now(),
        "created_at": clock.now(),
    }


def _sender(name: str) -> str:
    """With a name of any script, in one line; what cannot be ASCII is encoded when it is sent."""
    username, _, domain = parseaddr(settings().mail_from)[1].rpartition("@")
    return str(Address(" ".join(name.split())[:NAME].strip(), username, domain))


def list_mails(caller: Caller, status: MailStatus | None, recipient: str | None, paging: Paging) -> Page[Mail]:
    """The organisation's mails, with this status, to addresses that contain this."""
    query = caller.rows(Mail)
    if status:
        query = query.where(Mail.status == status)
    if recipient:
        query = query.where(Mail.recipient.icontains(recipient, autoescape=True))
    return paginate(query, paging, {"id": Mail.id, "created_at": Mail.created_at})


@transaction
def resend(caller: Caller, mail_id: uuid.UUID) -> Mail:
    """Send a mail once more.

    Raises:
        NotFound: there is none.
        NotResendable: it is sent, or on its way.
    """
    again = caller.change(Mail).where(Mail.id == mail_id, Mail.status.in_([MailStatus.FAILED, MailStatus.UNCERTAIN]))
    queued = changed(again.values(status=MailStatus.QUEUED, attempts=0, next_attempt_at=clock.now()))
    mail = caller.get(Mail, mail_id)
    if not queued:
        raise NotResendable
    afterwards(send_soon)
    return mail


@transaction
def send_test(caller: Caller) -> str:
    """Send the caller a mail, to see whether it arrives; the address it goes to.

    Raises:
        NoEmailAddress: they have none.
    """
    user = caller.get(User, caller.user_id)
    if user.email is None:
        raise NoEmailAddress
    post("test", user.email, caller.organisation_id, user_id=user.id, name=user.name)
    return user.email
