"""Webhooks: other systems that are told what happens, for administrators."""

from __future__ import annotations

import uuid
from http import HTTPStatus

from apiflask import APIBlueprint

from app.api.limits import limited, the_caller
from app.api.openapi import refuses
from app.api.policy import ADMIN, caller, who_may
from app.models import Webhook, WebhookDelivery
from app.schemas.base import Message
from app.schemas.webhooks import (
    NewWebhookOut,
    WebhookChangeIn,
    WebhookDeliveryListIn,
    WebhookDeliveryOut,
    WebhookDeliveryPageOut,
    WebhookIn,
    WebhookListIn,
    WebhookOut,
    WebhookPageOut,
)
from app.services import errors
from app.services import webhooks as service
from app.services.paging import Page
from app.services.webhooks import NewSecret

webhooks = APIBlueprint("webhooks", __name__, tag="Webhooks")


@webhooks.post("/webhooks")
@who_may(ADMIN)
@refuses(errors.AddressRefused, errors.TooManyWebhooks)
@webhooks.input(WebhookIn)
@webhooks.output(NewWebhookOut, status_code=201)
def create(json_data: WebhookIn) -> NewSecret:
    """Have an address told what happens; its secret is shown this once"""
    return service.create(caller(), **json_data.model_dump())


@webhooks.get("/webhooks")
@who_may(ADMIN)
@webhooks.input(WebhookListIn, location="query")
@webhooks.output(WebhookPageOut)
def list_webhooks(query_data: WebhookListIn) -> Page[Webhook]:
    """The organisation's webhooks, those that are turned off too"""
    return service.list_webhooks(caller(), query_data.paging)


@webhooks.get("/webhooks/<uuid:webhook_id>")
@who_may(ADMIN)
@webhooks.output(WebhookOut)
def read(webhook_id: uuid.UUID) -> Webhook:
    """A webhook, and whether what is sent there arrives"""
    return service.read(caller(), webhook_id)


@webhooks.put("/webhooks/<uuid:webhook_id>")
@who_may(ADMIN)
@refuses(errors.AddressRefused)
@webhooks.input(WebhookChangeIn)
@webhooks.output(WebhookOut)
def change(webhook_id: uuid.UUID, json_data: WebhookChangeIn) -> Webhook:
    """Change where to and of what, turn it off, or on again"""
    return service.change(caller(), webhook_id, json_data.changes())


@webhooks.delete("/webhooks/<uuid:webhook_id>")
@who_may(ADMIN)
@webhooks.output(Message)
def remove(webhook_id: uuid.UUID) -> dict[str, str]:
    """Delete a webhook, with everything that was sent to it"""
    service.remove(caller(), webhook_id)
    return {"message": "The webhook is deleted"}


@webhooks.post("/webhooks/<uuid:webhook_id>/rotate-secret")
@who_may(ADMIN)
@webhooks.output(NewWebhookOut)
def rotate_secret(webhook_id: uuid.UUID) -> NewSecret:
    """A new secret, shown this once; for 24 hours the one before signs as well"""
    return service.rotate_secret(caller(), webhook_id)


@webhooks.post("/webhooks/<uuid:webhook_id>/ping")
@who_may(ADMIN)
@limited("10 per minute", by=the_caller, counts=HTTPStatus.ACCEPTED)
@refuses(errors.WebhookOff)
@webhooks.output(WebhookDeliveryOut, status_code=202)
def ping(webhook_id: uuid.UUID) -> WebhookDelivery:
    """Send a ping, to see whether it arrives; what became of it is among the deliveries"""
    return service.ping(caller(), webhook_id)


@webhooks.get("/webhooks/<uuid:webhook_id>/deliveries")
@who_may(ADMIN)
@webhooks.input(WebhookDeliveryListIn, location="query")
@webhooks.output(WebhookDeliveryPageOut)
def list_deliveries(webhook_id: uuid.UUID, query_data: WebhookDeliveryListIn) -> Page[WebhookDelivery]:
    """What was sent to a webhook in the last 30 days, or waits to be, with the last answer to each"""
    return service.list_deliveries(caller(), webhook_id, query_data.status, query_data.event, query_data.paging)


@webhooks.post("/webhooks/<uuid:webhook_id>/deliveries/<uuid:webhook_delivery_id>/redeliver")
@who_may(ADMIN)
@refuses(errors.WebhookOff, errors.DeliveryUnderway)
@webhooks.output(WebhookDeliveryOut, status_code=202)
def redeliver(webhook_id: uuid.UUID, webhook_delivery_id: uuid.UUID) -> WebhookDelivery:
    """Send it once more, with the same id, whether it has arrived or not"""
    return service.redeliver(caller(), webhook_id, webhook_delivery_id)
