"""API keys: a script's own way in, with some of its owner's rights, for some time."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import update

from app import clock
from app.extensions import db
from app.models import ApiKey, User
from app.services.caller import Caller
from app.services.errors import TokenInvalid, TokenRevoked
from app.services.paging import Page, Paging, paginate
from app.services.sign_in import caller_from, people
from app.services.transaction import transaction

PREFIX = "rk_"
RESOURCES = (
    "alerts", "assessments", "attendance", "audit", "behaviour", "calendar_feeds", "charts", "check_in", "classes",
    "dashboards", "days", "exports", "gates", "imports", "jobs", "leave", "live", "mail", "messages",
    "notification_templates", "notifications", "oneroster", "organisations", "participations", "performance",
    "portals", "recognitions", "report_schedules", "reports", "reviews", "sessions", "structure", "students",
    "teacher_assignments", "timetables", "user_settings", "users", "webhooks",
)  # fmt: skip
"""What a key may be given `:read` and `:write` of: the calls by which accounts are signed in to are not among them."""
NOTED = timedelta(minutes=1)
"""How exactly it is known when a key was last used."""


@dataclass(frozen=True, slots=True)
class NewKey:
    row: ApiKey
    key: str
    """Shown this once."""


@transaction
def create(caller: Caller, name: str, scopes: Sequence[str], days: int) -> NewKey:
    key = PREFIX + secrets.token_urlsafe(32)
    row = ApiKey(
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        name=name,
        key_hash=_digest(key),
        hint=key[:8],
        scopes=sorted(set(scopes)),
        expires_at=clock.now() + timedelta(days=days),
    )
    db.session.add(row)
    db.session.flush()
    return NewKey(row, key)


def list_keys(caller: Caller, paging: Paging) -> Page[ApiKey]:
    """The organisation's keys, everybody's, revoked and expired ones too."""
    return paginate(caller.rows(ApiKey), paging, {"id": ApiKey.id, "created_at": ApiKey.created_at})


@transaction
def revoke(caller: Caller, api_key_id: uuid.UUID) -> None:
    """Raises NotFound. An administrator may revoke anybody's."""
    caller.get(ApiKey, api_key_id).revoked_at = clock.now()


def caller_of_key(key: str, address: str) -> Caller:
    """Whom a script with this key acts for.

    Raises:
        TokenInvalid: there is no such key.
        TokenRevoked: it was revoked or has expired.
        AccountSuspended, OrganisationInactive: its owner may not sign in.
    """
    known = db.session.execute(
        people(ApiKey).join(ApiKey, ApiKey.user_id == User.id).where(ApiKey.key_hash == _digest(key))
    ).one_or_none()
    if known is None:
        raise TokenInvalid("This is not an API key")
    row: ApiKey = known.ApiKey
    if row.revoked_at is not None or row.expires_at <= clock.now():
        raise TokenRevoked("This API key was revoked or has expired")
    caller = caller_from(known, scopes=frozenset(row.scopes))
    if row.last_used_at is None or row.last_used_at < clock.now() - NOTED:
        _used(row.id, address)
    return caller


@transaction
def _used(api_key_id: uuid.UUID, address: str) -> None:
    used = update(ApiKey).where(ApiKey.id == api_key_id)
    values = {"last_used_at": clock.now(), "last_used_address": address[:45]}
    db.session.execute(used.values(**values).execution_options(audited=False))


def _digest(key: str) -> str:
    """256 bits drawn by chance need no slow hash."""
    return hashlib.sha256(key.encode()).hexdigest()
