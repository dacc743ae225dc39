"""What was mailed, as the one who gets it reads it."""

from __future__ import annotations

import re

from sqlalchemy import select

from app.extensions import db
from app.models import Mail
from tests.conftest import Cast


def mailed(cast: Cast, to: str) -> list[str]:
    """The texts of the mails to this address, the latest last."""
    with cast.app.app_context():
        return list(db.session.scalars(select(Mail.text).where(Mail.recipient == to).order_by(Mail.id)))


def token_mailed(cast: Cast, to: str) -> str:
    """The token in the link of the latest mail to this address."""
    found = re.search(r"/api/links/\w+#(\S+)", mailed(cast, to)[-1])
    assert found
    return found[1]
