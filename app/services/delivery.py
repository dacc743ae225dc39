"""Handing mail over to a mail server.

A mail is marked as sending just before its text is handed over. Who dies before has not sent it, and it is tried again;
who dies after may have, so it becomes uncertain, and an administrator decides.
"""

from __future__ import annotations

import smtplib
import ssl
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr
from typing import Any
from urllib.parse import unquote, urlsplit

import structlog
from sqlalchemy import ColumnElement, or_, select, update

from app import clock
from app.extensions import db, settings
from app.models import Mail, MailStatus, Organisation
from app.services import jobs
from app.services.caller import system
from app.services.mailing_times import after_quiet_hours
from app.services.transaction import changed, release, transaction
from app.services.withdrawal import holds, withdraw

SEND = "send_mail"
"""The system's own work that sends what is due."""
AT_ONCE = 100
BY_ITSELF, TOGETHER = "notification", "digest"
"""The templates of notifications."""
PATIENT = ("report_", BY_ITSELF, TOGETHER)
"""What templates begin with of which there may be thousands: who forgot their password does not wait for them."""
DELAYS = [*(timedelta(minutes=m) for m in (1, 5, 30)), *(timedelta(hours=h) for h in (2, 6, 12, 24))]
"""Between the attempts; after the last one it has failed."""
HANDED_OVER_WITHIN = timedelta(minutes=10)
"""What is sending for longer was being sent by a server that died."""
ANSWERS_WITHIN = 20
"""Seconds."""
TEMPORARY, PERMANENT = 400, 500
"""Where a mail server's codes for refusals begin (RFC 5321): worth trying again, and of no use."""

log = structlog.get_logger(__name__)


def send_soon() -> None:
    """Have what is due sent now; were this lost, the schedule would do it some seconds later."""
    jobs.start_own(SEND)


def send_due() -> None:
    """Send what is due. Who sends at the same time sends other mails."""
    _doubt_unfinished()
    while due := _due():
        if settings().smtp_url is None:
            for mail in due:
                _write(mail)
            continue
        try:
            with _connected() as server:
                for mail in due:
                    if not _send(server, mail):
                        break  # the rest goes over a new connection
        except OSError as error:  # as smtplib's own errors are: nobody answers, or not as the settings want it
            for mail in due:
                _try_later(mail, MailStatus.QUEUED, error)


def message_of(mail: Mail) -> EmailMessage:
    """The mail as it is sent, the same each time.

    Raises:
        ValueError: an address is none.
    """
    username, _, domain = mail.recipient.rpartition("@")
    if _address(mail.recipient) != mail.recipient:
        raise ValueError("the recipient is not one address")
    message = EmailMessage(SMTP.clone(cte_type="7bit", utf8=_is_international(mail)))
    message["Message-ID"] = f"<{mail.id}@{_address(mail.sender).rpartition('@')[2]}>"
    message["Date"] = mail.created_at
    message["From"] = mail.sender
    if mail.reply_to:
        message["Reply-To"] = mail.reply_to
    message["To"] = Address(username=username, domain=domain)
    message["Subject"] = mail.subject
    message["Auto-Submitted"] = "auto-generated"  # so that nobody's absence note answers it
    message.set_content(mail.text)
    message.add_alternative(mail.html, subtype="html")
    return message


def _is_international(mail: Mail) -> bool:
    """Whether an address has letters that only newer mail servers take (RFC 6531)."""
    return not (_address(mail.sender) + mail.recipient).isascii()


@contextmanager
def _connected() -> Iterator[smtplib.SMTP]:
    """The mail server of SMTP_URL, signed in to. Where it must encrypt, its certificate must be right; where it only
    may, as between mail servers, any encryption is better than none."""
    secret = settings().smtp_url
    assert secret  # noqa: S101 - else nobody connects
    url = urlsplit(secret.get_secret_value())
    host, verified = url.hostname or "", ssl.create_default_context()
    server = (
        smtplib.SMTP_SSL(host, url.port or 465, timeout=ANSWERS_WITHIN, context=verified)
        if url.scheme == "smtps"
        else smtplib.SMTP(host, url.port or 587, timeout=ANSWERS_WITHIN)
    )
    with server:
        server.ehlo_or_helo_if_needed()
        if url.scheme == "smtp+starttls":
            server.starttls(context=verified)
        elif url.scheme == "smtp" and server.has_extn("starttls"):
            server.starttls()
        server.ehlo_or_helo_if_needed()  # again, after STARTTLS
        if url.username:
            server.login(unquote(url.username), unquote(url.password or ""))
        yield server


def _send(server: smtplib.SMTP, mail: Mail) -> bool:
    """Hand one mail over; whether the connection can take the next one."""
    held = MailStatus.QUEUED
    try:
        _accepted(server.mail(_address(mail.sender), ["SMTPUTF8"] if _is_international(mail) else []))
        _accepted(server.rcpt(mail.recipient))
        if _claim(mail):
            held = MailStatus.SENDING
            _accepted(server.data(message_of(mail).as_bytes()))
            _sent(mail)
        else:
            server.rset()
    except (smtplib.SMTPResponseException, smtplib.SMTPNotSupportedError) as refused:
        _refused(mail, held, refused)
        return _starts_anew(server)
    except OSError as lost:
        if held == MailStatus.SENDING:
            _settle(mail, held, status=MailStatus.UNCERTAIN, error=_words(lost))
        else:
            _try_later(mail, held, lost)
        return False
    return True


def _accepted(answer: tuple[int, bytes]) -> None:
    code, said = answer
    if code >= TEMPORARY:
        raise smtplib.SMTPResponseException(code, said)


def _starts_anew(server: smtplib.SMTP) -> bool:
    try:
        return server.rset()[0] < TEMPORARY
    except OSError:
        return False


def _write(mail: Mail) -> None:
    """Where there is no mail server: into a file."""
    if not _claim(mail):
        return
    folder = settings().instance_dir / "mail"
    folder.mkdir(mode=0o700, exist_ok=True)
    file = folder / f"{mail.id}.eml"
    file.write_bytes(message_of(mail).as_bytes())
    _sent(mail)
    log.info("mail_written", mail_id=str(mail.id), template=mail.template, file=str(file))


def _due() -> Sequence[Mail]:
    _keep_quiet()
    waiting = select(Mail).where(Mail.status == MailStatus.QUEUED, Mail.next_attempt_at <= clock.now())
    can_wait = or_(*map(Mail.template.startswith, PATIENT))
    due = db.session.scalars(waiting.order_by(can_wait, Mail.next_attempt_at, Mail.id).limit(AT_ONCE)).all()
    release()
    if due:
        withdraw([mail.id for mail in due])
    return due


@transaction
def _keep_quiet() -> None:
    """Notifications that are due in their organisation's quiet hours wait for the end; in one statement where none
    are, and in one more for each time at which quiet hours end."""
    now = clock.now()
    told = (
        Mail.status == MailStatus.QUEUED,
        Mail.next_attempt_at <= now,
        Mail.template.in_((BY_ITSELF, TOGETHER)),
    )
    ends = defaultdict[datetime, list[uuid.UUID]](list)
    having = select(Mail.organisation_id).where(*told)
    for organisation in db.session.scalars(select(Organisation).where(Organisation.id.in_(having))):
        keeper = system(organisation)
        ends[after_quiet_hours(keeper, now)].append(organisation.id)
    for end, organisation_ids in ends.items():
        if end > now:
            later = update(Mail).where(*told, Mail.organisation_id.in_(organisation_ids))
            db.session.execute(later.values(next_attempt_at=end).execution_options(synchronize_session=False))


def _claim(mail: Mail) -> bool:
    """Whether it is this sender's to hand over; what it tells of may have changed while it waited."""
    doubtful_at = clock.now() + HANDED_OVER_WITHIN
    return _settle(mail, MailStatus.QUEUED, holds(), status=MailStatus.SENDING, next_attempt_at=doubtful_at)


def _sent(mail: Mail) -> None:
    now = clock.now()
    sent = {"status": MailStatus.SENT, "attempts": mail.attempts + 1, "sent_at": now, "error": None}
    _settle(mail, MailStatus.SENDING, **sent, text="", html="")  # what it said may let somebody in


def _refused(mail: Mail, held: MailStatus, refused: smtplib.SMTPException) -> None:
    if getattr(refused, "smtp_code", PERMANENT) < PERMANENT:
        _try_later(mail, held, refused)
    else:
        _settle(mail, held, status=MailStatus.FAILED, attempts=mail.attempts + 1, error=_words(refused))


def _try_later(mail: Mail, held: MailStatus, error: OSError) -> None:
    again = mail.attempts < len(DELAYS)
    _settle(
        mail,
        held,
        status=MailStatus.QUEUED if again else MailStatus.FAILED,
        attempts=mail.attempts + 1,
        next_attempt_at=clock.now() + DELAYS[mail.attempts] if again else mail.next_attempt_at,
        error=_words(error),
    )


@transaction
def _settle(mail: Mail, held: MailStatus, *also: ColumnElement[bool], **values: Any) -> bool:
    """Whether the mail was still as this sender holds it: else another one has it, and nothing is changed."""
    held_still = update(Mail).where(Mail.id == mail.id, Mail.status == held, Mail.attempts == mail.attempts, *also)
    return changed(held_still.values(values).execution_options(synchronize_session=False)) > 0


@transaction
def _doubt_unfinished() -> None:
    unfinished = update(Mail).where(Mail.status == MailStatus.SENDING, Mail.next_attempt_at <= clock.now())
    said = "The server that was sending it stopped: it may have been sent"
    db.session.execute(unfinished.values(status=MailStatus.UNCERTAIN, error=said))


def _words(error: OSError) -> str:
    """What the mail server said, or why nothing was heard."""
    if not isinstance(error, smtplib.SMTPResponseException):
        return str(error)[:500]
    said = error.smtp_error
    return f"{error.smtp_code} {said.decode(errors='replace') if isinstance(said, bytes) else said}"[:500]


def _address(sender: str) -> str:
    return parseaddr(sender)[1]
