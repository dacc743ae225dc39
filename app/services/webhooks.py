"""Webhooks: which of an organisation's other systems are told of what (`services.webhook_delivery` sends it)."""

from __future__ import annotations

import base64
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import DeliveryStatus, Event, Organisation, Webhook, WebhookDelivery, WebhookEvent
from app.services import outside
from app.services.caller import Caller
from app.services.errors import DeliveryUnderway, NotFound, TooManyWebhooks, WebhookOff
from app.services.paging import Page, Paging, paginate
from app.services.transaction import afterwards, changed, insert_missing, transaction
from app.services.vault import seal
from app.services.webhook_bodies import NAMES, body, data_of
from app.services.webhook_delivery import send_soon, turn_off, turn_on

PREFIX = "whsec_"
BYTES = 32
MOST = 20
"""Webhooks of one organisation."""
BOTH_SIGN = timedelta(hours=24)
"""How long the secret before a new one signs as well."""


@dataclass(frozen=True, slots=True)
class NewSecret:
    row: Webhook
    secret: str
    """Shown this once: `whsec_` and the base64 of its bytes (Standard Webhooks 1.0.0)."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@transaction
def create(caller: Caller, url: str, description: str, events: Sequence[WebhookEvent]) -> NewSecret:
    """Have an address told of these events from now on.

    Raises:
        AddressRefused: it is not https, or leads inside.
        TooManyWebhooks: there are MOST.
    """
    outside.require_public(url)
    db.session.get_one(Organisation, caller.organisation_id, with_for_update=True)  # so that two at once are counted
    if (db.session.scalar(caller.rows(Webhook, func.count())) or 0) >= MOST:
        raise TooManyWebhooks
    row = Webhook(
        organisation_id=caller.organisation_id,
        url=url,
        description=description,
        events=_listed(events),
        created_by_id=caller.user_id,
    )
    new = _with_new_secret(row)
    db.session.add(row)
    db.session.flush()
    return new


def list_webhooks(caller: Caller, paging: Paging) -> Page[Webhook]:
    return paginate(caller.rows(Webhook), paging, {"id": Webhook.id, "created_at": Webhook.created_at})


def read(caller: Caller, webhook_id: uuid.UUID) -> Webhook:
    """Raises NotFound."""
    return caller.get(Webhook, webhook_id)


@transaction
def change(caller: Caller, webhook_id: uuid.UUID, changes: dict[str, Any]) -> Webhook:
    """Set what is given of url, description, events and is_active. One that is turned off gets nothing, and what waits
    for it has failed; one that is turned on starts anew.

    Raises:
        NotFound: there is none.
        AddressRefused: as `create`.
    """
    row = _locked(caller, webhook_id)
    if "url" in changes:
        outside.require_public(changes["url"])
        if changes["url"] != row.url:
            row.failing_since = row.rests_until = None
    if "events" in changes:
        changes["events"] = _listed(changes["events"])
    is_active = changes.pop("is_active", row.is_active)
    for name, value in changes.items():
        setattr(row, name, value)
    if row.is_active and not is_active:
        turn_off(row)
    elif is_active and not row.is_active:
        turn_on(row)
    return row


@transaction
def remove(caller: Caller, webhook_id: uuid.UUID) -> None:
    """With everything that was sent to it. Raises NotFound."""
    db.session.delete(_locked(caller, webhook_id))


@transaction
def rotate_secret(caller: Caller, webhook_id: uuid.UUID) -> NewSecret:
    """A new secret; the one before signs as well for BOTH_SIGN. Raises NotFound."""
    row = _locked(caller, webhook_id)
    row.old_secret, row.old_secret_ends_at = row.secret, clock.now() + BOTH_SIGN
    return _with_new_secret(row)


@transaction
def ping(caller: Caller, webhook_id: uuid.UUID) -> WebhookDelivery:
    """Send a `ping`, to see whether it arrives.

    Raises:
        NotFound: there is none.
        WebhookOff: it is turned off.
    """
    row = _on(caller, webhook_id)
    now = clock.now()
    said = body(WebhookEvent.PING, now, caller.organisation_id, {"webhook_id": row.id})
    values = _delivery(row, WebhookEvent.PING, uuid7(), said, now)
    delivery = WebhookDelivery(**values)
    db.session.add(delivery)
    afterwards(send_soon)
    return delivery


def list_deliveries(
    caller: Caller,
    webhook_id: uuid.UUID,
    status: DeliveryStatus | None,
    event: WebhookEvent | None,
    paging: Paging,
) -> Page[WebhookDelivery]:
    """What was sent to a webhook in the last 30 days, or waits. Raises NotFound."""
    caller.get(Webhook, webhook_id)
    query = caller.rows(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook_id)
    if status:
        query = query.where(WebhookDelivery.status == status)
    if event:
        query = query.where(WebhookDelivery.event == event)
    return paginate(query, paging, {"id": WebhookDelivery.id, "created_at": WebhookDelivery.created_at})


@transaction
def redeliver(caller: Caller, webhook_id: uuid.UUID, webhook_delivery_id: uuid.UUID) -> WebhookDelivery:
    """Send it again now, with the same id, whether it has arrived or not; all attempts are before it again.

    Raises:
        NotFound: there is none.
        WebhookOff: the webhook is turned off.
        DeliveryUnderway: somebody is sending it.
    """
    _on(caller, webhook_id)
    own = (WebhookDelivery.webhook_id == webhook_id, WebhookDelivery.id == webhook_delivery_id)
    idle = caller.change(WebhookDelivery).where(*own, WebhookDelivery.status != DeliveryStatus.SENDING)
    queued = changed(idle.values(status=DeliveryStatus.QUEUED, attempts=0, next_attempt_at=clock.now()))
    delivery: WebhookDelivery | None = db.session.scalar(caller.rows(WebhookDelivery).where(*own))
    if delivery is None:
        raise NotFound("There is no webhook delivery with this id")
    if not queued:
        raise DeliveryUnderway
    afterwards(send_soon)
    return delivery


def of_event(caller: Caller, event: Event) -> None:
    """Within a transaction: queue what happened for each webhook that is to be told, once."""
    name = NAMES.get(event.kind)
    if name is None:
        return
    active = db.session.scalars(caller.rows(Webhook).where(Webhook.is_active)).all()
    told = [webhook for webhook in active if name in webhook.events]
    if told:
        said = body(name, event.created_at, caller.organisation_id, data_of(caller, event))
        rows = [_delivery(webhook, name, event.id, said, clock.now()) for webhook in told]
        insert_missing(WebhookDelivery, rows, ("webhook_id", "event_id"))
        afterwards(send_soon)


def _delivery(webhook: Webhook, event: WebhookEvent, event_id: uuid.UUID, said: str, now: datetime) -> dict[str, Any]:
    return {
        "id": uuid7(),
        "organisation_id": webhook.organisation_id,
        "webhook_id": webhook.id,
        "event": event,
        "event_id": event_id,
        "body": said,
        "next_attempt_at": now,
        "created_at": now,
    }


def _with_new_secret(row: Webhook) -> NewSecret:
    drawn = secrets.token_bytes(BYTES)
    row.secret = seal(drawn)
    return NewSecret(row, PREFIX + base64.b64encode(drawn).decode())


def _locked(caller: Caller, webhook_id: uuid.UUID) -> Webhook:
    query = caller.rows(Webhook).where(Webhook.id == webhook_id).with_for_update()
    row: Webhook | None = db.session.scalar(query)
    if row is None:
        raise NotFound("There is no webhook with this id")
    return row


def _on(caller: Caller, webhook_id: uuid.UUID) -> Webhook:
    """Locked, so that nobody turns it off before what is queued for it is saved; it rests no longer, since somebody
    wants to see whether something arrives."""
    row = _locked(caller, webhook_id)
    if not row.is_active:
        raise WebhookOff
    row.rests_until = row.rests_until and min(row.rests_until, clock.now())
    return row


def _listed(events: Sequence[WebhookEvent]) -> list[str]:
    return sorted({str(event) for event in events})
