"""Notifications: what one is told, and for administrators what everybody was."""

from __future__ import annotations

import uuid

from apiflask import APIBlueprint

from app.api.policy import ADMIN, ANYONE, caller, who_may
from app.schemas.base import Message
from app.schemas.notifications import (
    DeliveryListIn,
    DeliveryPageOut,
    NotificationListIn,
    NotificationOut,
    NotificationPageOut,
    UnreadOut,
)
from app.services import notifications as service
from app.services.notifications import Delivery, Told
from app.services.paging import Page

notifications = APIBlueprint("notifications", __name__, tag="Notifications")


@notifications.get("/notifications")
@who_may(ANYONE)
@notifications.input(NotificationListIn, location="query")
@notifications.output(NotificationPageOut)
def list_own(query_data: NotificationListIn) -> Page[Told]:
    """What one was told, the latest first, in one's own language"""
    return service.list_own(caller(), query_data.unread, query_data.paging)


@notifications.get("/notifications/unread-count")
@who_may(ANYONE)
@notifications.output(UnreadOut)
def count_unread() -> dict[str, int]:
    """How many of one's notifications one has not read"""
    return {"unread": service.count_unread(caller())}


@notifications.post("/notifications/<uuid:notification_id>/read")
@who_may(ANYONE)
@notifications.output(NotificationOut)
def read(notification_id: uuid.UUID) -> Told:
    """Note that one has read a notification"""
    return service.read(caller(), notification_id)


@notifications.post("/notifications/read-all")
@who_may(ANYONE)
@notifications.output(Message)
def read_all() -> dict[str, str]:
    """Note that one has read all of one's notifications"""
    return {"message": f"Read now: {service.read_all(caller())}"}


@notifications.get("/admin/notifications")
@who_may(ADMIN)
@notifications.input(DeliveryListIn, location="query")
@notifications.output(DeliveryPageOut)
def list_deliveries(query_data: DeliveryListIn) -> Page[Delivery]:
    """What was told to whom, of which student, in which mail, and whether that was sent"""
    return service.deliveries(caller(), query_data.wanted, query_data.paging)
