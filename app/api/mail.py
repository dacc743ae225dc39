"""The organisation's mail, for its administrators."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ADMIN, caller, who_may
from app.models import Mail
from app.schemas.base import Message
from app.schemas.mail import MailListIn, MailOut, MailPageOut
from app.services import errors
from app.services import mail as service
from app.services.paging import Page

mail = APIBlueprint("mail", __name__, tag="Administration")


@mail.get("/admin/mails")
@who_may(ADMIN)
@mail.input(MailListIn, location="query")
@mail.output(MailPageOut)
def list_mails(query_data: MailListIn) -> Page[Mail]:
    """The mail that was sent for the organisation, or waits to be; never its text"""
    return service.list_mails(caller(), query_data.status, query_data.recipient, query_data.paging)


@mail.post("/admin/mails/<uuid:mail_id>/resend")
@who_may(ADMIN)
@refuses(errors.NotResendable)
@mail.output(MailOut)
def resend(mail_id: uuid.UUID) -> Mail:
    """Send a mail again that failed, or of which it is uncertain whether it was sent"""
    return service.resend(caller(), mail_id)


@mail.post("/admin/mails/test")
@who_may(ADMIN)
@refuses(errors.NoEmailAddress)
@mail.output(Message)
def send_test() -> dict[str, str]:
    """Send a mail to one's own address, to see whether it arrives"""
    return {"message": f"A mail is on its way to {service.send_test(caller())}"}
