"""Single-use links that are mailed: whoever follows one reads the address's mail."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from app import clock
from app.extensions import db, settings
from app.models import Link, LinkKind, User
from app.services.errors import LinkInvalid

LIFETIMES = {
    LinkKind.RESET: timedelta(hours=1),
    LinkKind.INVITATION: timedelta(days=14),
    LinkKind.EMAIL: timedelta(days=2),
}


def make(
    kind: LinkKind, organisation_id: uuid.UUID, email: str, lifetime: timedelta | None = None, **values: Any
) -> tuple[Link, str]:
    """Within a transaction: a link, and its address for the mail. It replaces those of its kind made before."""
    now = clock.now()
    db.session.execute(
        update(Link)
        .where(Link.organisation_id == organisation_id, Link.email == email, Link.kind == kind, Link.used_at.is_(None))
        .values(used_at=now)
    )
    token = secrets.token_urlsafe(32)
    link = Link(
        organisation_id=organisation_id,
        kind=kind,
        email=email,
        token_hash=_digest(token),
        expires_at=now + (lifetime or LIFETIMES[kind]),
        **values,
    )
    db.session.add(link)
    # behind the #, a token stays in the browser: no server or proxy writes it down
    return link, f"{settings().public_url}/api/links/{kind.value}#{token}"


def look(kind: LinkKind, token: str, *, lock: bool = False) -> Link:
    """A link that works, not yet followed.

    Raises:
        LinkInvalid: there is none, or it was used, replaced or has expired.
    """
    query = select(Link).where(Link.token_hash == _digest(token), Link.kind == kind)
    link = db.session.scalar(query.with_for_update() if lock else query)
    if link is None or link.used_at is not None or link.expires_at <= clock.now():
        raise LinkInvalid
    return link


def use(kind: LinkKind, token: str) -> Link:
    """Within a transaction: follow a link, once. Raises LinkInvalid."""
    link = look(kind, token, lock=True)
    link.used_at = clock.now()
    return link


def owner(kind: LinkKind, token: str) -> tuple[Link, User]:
    """Within a transaction: `use`, and the person whom the link is for."""
    link = use(kind, token)
    user = db.session.get(User, link.user_id)
    if user is None or user.erased_at is not None:
        raise LinkInvalid
    return link, user


def end(user: User) -> None:
    """Within a transaction: the links that were mailed for an account no longer work.

    With a new password, say: somebody who knew the old one may have had a link mailed to an address of theirs.
    """
    own = (Link.organisation_id == user.organisation_id, Link.user_id == user.id, Link.used_at.is_(None))
    db.session.execute(update(Link).where(*own).values(used_at=clock.now()))


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
