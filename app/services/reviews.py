"""Check-ins that are uncertain or look like fraud: a person looks at them, and accepts or rejects."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import lazyload
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement

from app import clock
from app.extensions import db
from app.models import Attempt, Class, Record, Session, Status, User, Verification
from app.services import audit
from app.services.caller import Caller
from app.services.errors import NothingToReview, OwnRecord
from app.services.marks import change
from app.services.paging import Page, Paging, paginate
from app.services.records import RecordView
from app.services.sessions import Days, managed, managed_session
from app.services.transaction import transaction


class _Rare(FunctionElement[Any]):
    """A condition that few rows meet. SQLite's statistics know how many rows a value has on average, and not that
    almost none wait: it would go through the records of all sessions (sqlite.org/lang_corefunc.html#likelihood)."""

    inherit_cache = True


@compiles(_Rare)
def _as_it_is(rare: _Rare, compiler: SQLCompiler, **how: Any) -> str:
    return compiler.process(rare.clauses, **how)


@compiles(_Rare, "sqlite")
def _with_likelihood(rare: _Rare, compiler: SQLCompiler, **how: Any) -> str:
    return f"likelihood({compiler.process(rare.clauses, **how)}, 0.001)"


@dataclass(frozen=True, slots=True)
class Review(RecordView):
    """attempts: those that were accepted, the oldest first."""

    class_name: str | None
    attempts: Sequence[Attempt]


def pending(
    caller: Caller, session_id: uuid.UUID | None, class_id: uuid.UUID | None, days: Days, paging: Paging
) -> Page[Review]:
    """What waits for a review in the sessions that the caller manages: an administrator's are all."""
    query = (
        _waiting(caller, managed(caller, Session), Record, User, Session, Class.name)
        .join(User, User.id == Record.student_id)
        .outerjoin(Class, Class.id == Session.class_id)
        .where(days.condition(Session.session_date))
        .options(lazyload(User.department_row))
    )
    if session_id is not None:
        query = query.where(Record.session_id == session_id)
    if class_id is not None:
        query = query.where(Session.class_id == class_id)
    columns = {"id": Record.id, "session_date": Session.session_date, "marked_at": Record.marked_at}
    page = paginate(query, paging, columns)
    attempts = _attempts(caller, [record.id for record, *_ in page.items])
    return page.of(
        [
            Review(record, student, session, class_name, attempts[record.id], is_for_staff=True)
            for record, student, session, class_name in page.items
        ]
    )


def how_many_wait(caller: Caller, mine: ColumnElement[bool]) -> int:
    """How many check-ins wait for a review in the sessions that the caller manages. mine: as of `managed`."""
    return db.session.scalar(_waiting(caller, mine, func.count())) or 0


def _waiting(caller: Caller, mine: ColumnElement[bool], *columns: Any) -> Select[Any]:
    query = caller.rows(Record, *columns).join(Session, Session.id == Record.session_id)
    return query.where(_Rare(Record.verification == Verification.PENDING), mine)


def _attempts(caller: Caller, record_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, list[Attempt]]:
    of_record = and_(Record.session_id == Attempt.session_id, Record.student_id == Attempt.user_id)
    query = (
        caller.rows(Attempt, Record.id, Attempt)
        .join(Record, and_(caller.owns(Record), of_record))
        .where(Record.id.in_(record_ids), Attempt.refused.is_(None))
        .order_by(Attempt.created_at, Attempt.id)
    )
    found = defaultdict[uuid.UUID, list[Attempt]](list)
    for record_id, attempt in db.session.execute(query):
        found[record_id].append(attempt)
    return found


@transaction
def review(caller: Caller, record_id: uuid.UUID, accept: bool, reason: str | None) -> RecordView:
    """Accept a check-in or reject it: who is rejected is absent. Of two at once the later one counts.

    What the office has decided stays, and only the check-in is verified or not.

    Raises:
        NotFound, NotYourClass, NotYourSession: as `managed_session`.
        OwnRecord: it is the caller's.
        NothingToReview: the person has not checked in.
    """
    audit.because(reason)
    session = managed_session(caller, caller.get(Record, record_id).session_id)
    locked = caller.rows(Record).where(Record.id == record_id).with_for_update()
    record: Record = db.session.scalars(locked.execution_options(populate_existing=True)).one()
    if record.student_id == caller.user_id:
        raise OwnRecord
    if record.checked_in_at is None:
        raise NothingToReview
    status = record.status
    if not accept:
        status = Status.ABSENT
    elif record.verification == Verification.REJECTED:
        status = record.checked_in_as or record.status
    if status != record.status and not record.is_office:
        change(caller, record, status=status, code=None)
    record.verification = Verification.VERIFIED if accept else Verification.REJECTED
    record.reviewed_at, record.reviewed_by_id, record.review_reason = clock.now(), caller.user_id, reason
    db.session.flush()
    return RecordView(record, caller.get(User, record.student_id), session, is_for_staff=True)
