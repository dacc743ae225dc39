"""Queries for an organisation's rows start at the caller, and nowhere else."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from app import models
from app.models import Tenant

SERVICES = Path(__file__).parents[2] / "app" / "services"
TENANT_MODELS = {name for name in models.__all__ if issubclass(getattr(models, name), Tenant) and name != "Tenant"}
WITHOUT_A_CALLER = {
    "accounts.py": {"User"},  # an email address is one person's in the whole installation
    "personal.py": {"User"},
    "installation.py": {"User"},  # whether somebody administers it
    "api_keys.py": {"ApiKey"},  # here, and in the next four, it becomes known who is calling
    "gates.py": {"Gate"},
    "links.py": {"Link", "User"},
    "second_factor.py": {"SecondFactor"},
    "sign_in.py": {"User", "SignIn"},
    "single_sign_on.py": {"SingleSignOn", "Identity", "User"},  # who comes from a provider is nobody yet
    "organisations.py": {"User"},  # its numbers, for those who manage the installation
    "audit.py": {"AuditChain", "AuditEntry"},  # chained for each organisation by itself
    "telling.py": {"Event"},  # whatever happened, in all organisations
    "jobs.py": {"Job", "JobPart"},  # whoever runs them runs those of all organisations, and the system's own
    "kept_exports.py": {"Export"},  # those that have expired, wherever
    # one organisation after the other
    "retention.py": {
        "Attempt",
        "Link",
        "Mail",
        "Notification",
        "Passage",
        "Recognition",
        "RecognitionPicture",
        "RepeatableCall",
        "SeenFace",
        "SentMessage",
        "SignIn",
        "WebhookDelivery",
    },
    "check_in.py": {"Session"},  # those to which several callers check in
    "counting.py": {"Session", "Record", "DayCount"},  # whatever is due, or is changed, wherever
    "closing.py": {"Session"},  # whatever is over, wherever
    "report_mails.py": {"ReportSchedule"},  # whatever is due, wherever
    "timetables.py": {"Timetable"},
    "calendar_feeds.py": {"CalendarFeed"},  # here it becomes known whose it is
    "webhook_delivery.py": {"Webhook", "WebhookDelivery", "User"},  # whatever is due, wherever
    "delivery.py": {"Mail"},  # one mail server for all organisations
    "withdrawal.py": {"Mail", "Notification"},
    "notification_mails.py": {"Notification"},  # whatever is due, wherever
}


@pytest.mark.parametrize("file", sorted(SERVICES.glob("*.py")), ids=lambda file: file.name)
def test_no_service_selects_tenant_rows_by_itself(file: Path) -> None:
    unscoped = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and _name(node.func) in {"select", "update", "delete", "get", "query"}:
            if isinstance(node.func, ast.Attribute) and _name(node.func.value) == "caller":
                continue
            named = {_root(argument) for argument in node.args}
            unscoped |= named & TENANT_MODELS
    assert unscoped - WITHOUT_A_CALLER.get(file.name, set()) == set()


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node.id if isinstance(node, ast.Name) else ""
