"""What is known of sessions and of people in them, read at once for as many as ask."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, Uuid, and_, bindparam, tuple_
from sqlalchemy.orm import aliased, load_only

from app.extensions import db
from app.models import Class, Record, Session, User
from app.services.caller import Caller, anybody
from app.services.decision import Window
from app.services.policies import Rules, rules
from app.services.records import RecordView
from app.services.sessions import may_attend
from app.services.transaction import filled

State = tuple[datetime | None, datetime | None]
"""Of a session: when it was cancelled, and when it was closed."""


@dataclass(frozen=True, slots=True)
class CheckedIn(RecordView):
    class_name: str | None


@dataclass(frozen=True, slots=True)
class Seen:
    """All that is known of a session for one person. record: theirs in it."""

    person_id: uuid.UUID
    session: Session
    record: Record | None
    class_name: str | None
    class_policy: dict[str, Any] | None
    first_name: str
    last_name: str
    email: str | None
    is_expected: bool
    rules: Rules

    @property
    def state(self) -> State:
        return self.session.cancelled_at, self.session.closed_at

    def window(self) -> Window | None:
        """None where it is marked by hand."""
        starts_at, ends_at, decided = self.session.starts_at, self.session.ends_at, self.rules
        return Window(starts_at, ends_at, decided.opens_before, decided.grace) if starts_at and ends_at else None

    def view(self, record: Record) -> CheckedIn:
        # never saved: it is known, and would be read again else
        person = User(id=self.person_id, first_name=self.first_name, last_name=self.last_name, email=self.email)
        return CheckedIn(record, person, self.session, self.class_name)


def see(caller: Caller, wanted: Collection[tuple[uuid.UUID, uuid.UUID]]) -> dict[tuple[uuid.UUID, uuid.UUID], Seen]:
    """Of people and sessions of the organisation, by the ids of both, those that there are; one statement."""
    pairs = filled(wanted)
    people, sessions = ([pair[which] for pair in pairs] for which in (0, 1))
    of = {"organisation_id": caller.organisation_id, "people": people, "sessions": sessions, "pairs": pairs}
    found = (_seen(caller, row) for row in db.session.execute(_OF_SESSIONS, of))
    return {(seen.person_id, seen.session.id): seen for seen in found}


def see_record(caller: Caller, person_id: uuid.UUID, record_id: uuid.UUID) -> Seen | None:
    """Of a person and the session of their record; with all of the record."""
    of = {"organisation_id": caller.organisation_id, "person_id": person_id, "record_id": record_id}
    found = db.session.execute(_OF_RECORD, of).one_or_none()
    return _seen(caller, found) if found else None


def _seen(caller: Caller, found: Any) -> Seen:
    return Seen(*found, rules(caller.settings, found.policy or {}, found.Session.policy))  # type: ignore[call-arg]


_Person = aliased(User)
"""Whoever is looked at; `may_attend` looks at others."""


def _put_together() -> Select[Any]:
    """The query for any person and organisation. To put it together takes longer than to ask it."""
    caller = anybody()
    columns = (_Person.id, Session, Record, Class.name, Class.policy)
    named = (_Person.first_name, _Person.last_name, _Person.email)
    own_record = and_(caller.owns(Record), Record.session_id == Session.id, Record.student_id == _Person.id)
    return (
        caller.rows(Session, *columns, *named, may_attend(caller, _Person.id))
        .join(_Person, caller.owns(_Person))
        .outerjoin(Class, Class.id == Session.class_id)
        .outerjoin(Record, own_record)
    )


NEEDED = (
    load_only(
        Session.class_id, Session.name, Session.session_date, Session.starts_at, Session.ends_at, Session.cancelled_at,
        Session.closed_at, Session.policy, raiseload=True,
    ),
    load_only(
        Record.session_id, Record.student_id, Record.source, Record.is_office, Record.verification, Record.flags,
        Record.checked_in_at, Record.checked_out_at, Record.forgot_to_check_out, Record.reviewed_at, raiseload=True,
    ),
)  # fmt: skip
"""Each column costs. Who checks out is answered with all of their record."""


def _among(column: Any, name: str) -> Any:
    return column.in_(bindparam(name, expanding=True))


_SEEN = _put_together()
_OF_SESSIONS = _SEEN.where(
    # the pairs alone would find no index
    _among(Session.id, "sessions"),
    _among(_Person.id, "people"),
    _among(tuple_(_Person.id, Session.id), "pairs"),
).options(*NEEDED)
_OF_RECORD = _SEEN.where(
    _Person.id == bindparam("person_id", type_=Uuid()), Record.id == bindparam("record_id", type_=Uuid())
).options(NEEDED[0])
