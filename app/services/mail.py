"""Mail: written within the transaction that causes it, sent (`services.delivery`) once that is saved."""

from __future__ import annotations

import uuid
from email.headerregistry import Address
from email.utils import parseaddr
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db, settings
from app.models import Mail, MailStatus, Organisation, User
from app.services.caller import Caller
from app.services.delivery import message_of, send_soon
from app.services.errors import NoEmailAddress, NotResendable
from app.services.organisation_settings import settings_of
from app.services.paging import Page, Paging, paginate
from app.services.transaction import afterwards, changed, insert_missing, transaction

NAME = 100
"""Characters of a sender's name: twice as many, quoted, and the address fit in their column."""

_templates = Environment(
    loader=FileSystemLoader(Path(__file__).parents[1] / "templates" / "mail"),
    autoescape=select_autoescape(["html"], default_for_string=False),
    undefined=StrictUndefined,
)


def post(
    template: str,
    to: str,
    organisation_id: uuid.UUID | None,
    key: str | None = None,
    user_id: uuid.UUID | None = None,
    **values: Any,
) -> None:
    """Within a transaction: send this once it is saved, in the organisation's name. Of several with the same key, the
    first is sent.

    template: `templates/mail/<template>.txt`, which begins with `Subject: ...`, and `.html`; both get the values, and
    the organisation's name.
    user_id: whom it is for, so that it is erased with them.

    Raises:
        jinja2.TemplateError: there is no such template, or it needs a value that is missing.
        ValueError: an address is none.
    """
    organisation = db.session.get(Organisation, organisation_id) if organisation_id else None
    own = settings_of(organisation.settings if organisation else {}).mail
    values["organisation"] = organisation.name if organisation else "Rollcall"
    subject, text = _subject_and_text(f"{template}.txt", values)
    mail = {
        "id": uuid7(),
        "organisation_id": organisation_id,
        "key": key,
        "user_id": user_id,
        "template": template,
        "recipient": to,
        "sender": _sender(own.name or values["organisation"]),
        "reply_to": own.reply_to,
        "subject": subject,
        "text": text,
        "html": _templates.get_template(f"{template}.html").render(values),
        "next_attempt_at": clock.now(),
        "created_at": clock.now(),
    }
    message_of(Mail(**mail))  # what cannot be sent is an error here, not when nobody is there to see it
    insert_missing(Mail, [mail], ("key",))
    afterwards(send_soon)


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


def _subject_and_text(name: str, values: dict[str, Any]) -> tuple[str, str]:
    """The subject is rendered by itself, so that no value ends its line."""
    assert _templates.loader  # noqa: S101 - given above
    source, _, _ = _templates.loader.get_source(_templates, name)
    subject, text = (_templates.from_string(part).render(values) for part in source.split("\n", 1))
    return " ".join(subject.removeprefix("Subject:").split())[:400], text
