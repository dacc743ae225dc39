"""The check-ins and check-outs that were tried in a session, accepted or not."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy.orm import lazyload

from app.models import Attempt, User
from app.services.caller import Caller
from app.services.paging import Page, Paging, paginate
from app.services.sessions import managed_session


@dataclass(frozen=True, slots=True)
class AttemptView:
    row: Attempt
    student: User

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


def attempts_of_session(caller: Caller, session_id: uuid.UUID, paging: Paging) -> Page[AttemptView]:
    """Raises NotFound, NotYourClass or NotYourSession."""
    managed_session(caller, session_id)
    query = (
        caller.rows(Attempt, Attempt, User)
        .join(User, User.id == Attempt.user_id)
        .where(Attempt.session_id == session_id)
        .options(lazyload(User.department_row))
    )
    page = paginate(query, paging, {"id": Attempt.id, "created_at": Attempt.created_at})
    return page.of([AttemptView(*row) for row in page.items])
