"""How notifications are worded, for an organisation's administrators."""

from __future__ import annotations

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ADMIN, caller, who_may
from app.schemas.notification_templates import (
    NotificationPreviewOut,
    NotificationTemplateIn,
    NotificationTemplateListIn,
    NotificationTemplateOut,
    NotificationTemplatePageOut,
)
from app.services import errors
from app.services import notification_templates as service
from app.services.notification_templates import TemplateView
from app.services.paging import Page
from app.services.rendering import Wording

notification_templates = APIBlueprint("notification_templates", __name__, tag="Notification templates")


@notification_templates.get("/admin/notification-templates")
@who_may(ADMIN)
@notification_templates.input(NotificationTemplateListIn, location="query")
@notification_templates.output(NotificationTemplatePageOut)
def list_templates(query_data: NotificationTemplateListIn) -> Page[TemplateView]:
    """The wording of each kind of notification in each language: the organisation's own, or the built-in"""
    return service.list_templates(caller(), query_data.language, query_data.paging)


@notification_templates.put("/admin/notification-templates/<kind>/<language>")
@who_may(ADMIN)
@refuses(errors.NotFound, errors.TemplateRefused)
@notification_templates.input(NotificationTemplateIn)
@notification_templates.output(NotificationTemplateOut)
def save(kind: str, language: str, json_data: NotificationTemplateIn) -> TemplateView:
    """Word notifications of a kind in a language so from now on; nothing but words, names and conditions is taken"""
    return service.save(caller(), kind, language, json_data.subject, json_data.text)


@notification_templates.delete("/admin/notification-templates/<kind>/<language>")
@who_may(ADMIN)
@refuses(errors.NotFound)
@notification_templates.output(NotificationTemplateOut)
def remove(kind: str, language: str) -> TemplateView:
    """Go back to the built-in wording, which is answered"""
    return service.remove(caller(), kind, language)


@notification_templates.post("/admin/notification-templates/<kind>/<language>/preview")
@who_may(ADMIN)
@refuses(errors.NotFound, errors.TemplateRefused)
@notification_templates.input(NotificationTemplateIn)
@notification_templates.output(NotificationPreviewOut)
def preview(kind: str, language: str, json_data: NotificationTemplateIn) -> Wording:
    """What a template makes of sample data; nothing is saved"""
    return service.preview(caller(), kind, language, json_data.subject, json_data.text)
