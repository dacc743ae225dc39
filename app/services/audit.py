"""The audit log: every change of a row, kept by the session's own events, each entry chained to the one before.

An entry's hash covers the hash before it, so one that is changed, removed or put in shows (`flask audit verify`). What
somebody with the whole database could do is to write the chain anew; its head goes to the program's log daily, where
it can be compared.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import uuid
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from dataclasses import asdict, dataclass, field, replace
from datetime import date, datetime, time
from typing import Any, cast

from sqlalchemy import event, insert, inspect, select, update
from sqlalchemy.orm import ORMExecuteState, Session, SessionTransaction
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import AuditChain, AuditEntry, Base, Organisation, User
from app.models.base import NOISE, SECRET
from app.services.transaction import insert_missing, some_at_once

Values = dict[str, Any]

ERASE = "erase"
"""The action of an entry that says whose entries, and the entries of which rows, were emptied."""
AT_ONCE = 10_000
"""Ids in one statement: PostgreSQL takes 65,535 values."""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, and from where."""

    user_id: uuid.UUID | None = None
    address: str | None = None
    device: str | None = None
    request_id: str | None = None
    reason: str | None = None


@dataclass(slots=True)
class Change:
    organisation_id: uuid.UUID
    action: str
    entity: str | None = None
    row_id: uuid.UUID | None = None
    person_id: uuid.UUID | None = None
    content: Values = field(default_factory=dict)


NOBODY = Actor()
_acting: ContextVar[Actor] = ContextVar("actor", default=NOBODY)
_TABLES: dict[str, type[Base]] = {}


def act(actor: Actor) -> None:
    """From here on, in this thread, changes are this one's."""
    _acting.set(actor)


def because(reason: str | None) -> None:
    """The reason of the changes to come."""
    _acting.set(replace(_acting.get(), reason=reason))


def actor() -> Actor:
    return _acting.get()


def origin() -> Values:
    """From where the present actor acts, and why: for what goes on elsewhere in their name."""
    return {name: value for name, value in asdict(_acting.get()).items() if name != "user_id"}


def note(organisation_id: uuid.UUID, action: str, person_id: uuid.UUID | None, **details: Any) -> None:
    """Within a transaction: an entry for what changes no row, such as a token that was used twice."""
    _changes(db.session()).append(Change(organisation_id, action, person_id=person_id, content=details))


def created(row: Base) -> None:
    """Within a transaction: an entry for a row that was inserted unaudited (`insert_missing`) and read back."""
    _add(db.session(), type(row), None, _values(row))


@event.listens_for(db.session, "after_flush")
def _flushed(session: Session, _context: Any) -> None:
    for row in session.new:
        _add(session, type(row), None, _values(row))
    for row in session.dirty:
        _add(session, type(row), _values_before(row), _values(row))
    for row in session.deleted:
        _add(session, type(row), _values(row), None)


@event.listens_for(db.session, "do_orm_execute")
def _executing(state: ORMExecuteState) -> Any:
    """Statements that change many rows at once."""
    if not (state.is_insert or state.is_update or state.is_delete) or not state.execution_options.get("audited", True):
        return None
    model = _model(state.statement.table)  # type: ignore[attr-defined]
    if model is None or not model.audited:
        return None
    return _executed(state, model)


def _executed(state: ORMExecuteState, model: type[Base]) -> Any:
    columns = [getattr(model, column.key) for column in inspect(model).columns]
    before: dict[uuid.UUID, Values] = {}
    ids: list[uuid.UUID]
    if state.is_insert:
        ids = [row["id"] for row in cast(list[Values], state.parameters)]
    else:
        affected = select(*columns).where(state.statement.whereclause).with_for_update()  # type: ignore[attr-defined]
        before = {row["id"]: dict(row) for row in state.session.execute(affected).mappings()}
        ids = list(before)
    result = state.invoke_statement()
    after: dict[uuid.UUID, Values] = {}
    for some in some_at_once([] if state.is_delete else ids, AT_ONCE):
        changed = select(*columns).where(model.id.in_(some))
        after |= {row["id"]: dict(row) for row in state.session.execute(changed).mappings()}
    for id_ in ids:
        _add(state.session, model, before.get(id_), after.get(id_))
    return result


@event.listens_for(db.session, "before_commit")
def _commit(session: Session) -> None:
    """Last of all, so that nobody who holds the chain waits for another lock."""
    session.flush()
    by_organisation = defaultdict[uuid.UUID, list[Change]](list)
    for change in session.info.pop("audit", ()):
        by_organisation[change.organisation_id].append(change)
    for organisation_id in sorted(by_organisation):
        _chain(session, organisation_id, by_organisation[organisation_id])


@event.listens_for(db.session, "after_transaction_create")
def _began(session: Session, begun: SessionTransaction) -> None:
    if begun.nested:
        session.info.setdefault("audit_savepoints", {})[begun] = len(_changes(session))


@event.listens_for(db.session, "after_rollback")
def _rolled_back(session: Session) -> None:
    """All of it, or back to a savepoint: what was changed before that one stays changed."""
    if savepoint := session.get_nested_transaction():
        del _changes(session)[session.info["audit_savepoints"][savepoint] :]
    else:
        session.info.pop("audit", None)


@event.listens_for(db.session, "after_transaction_end")
def _ended(session: Session, ended: SessionTransaction) -> None:
    session.info.get("audit_savepoints", {}).pop(ended, None)


def _chain(session: Session, organisation_id: uuid.UUID, changes: Sequence[Change]) -> None:
    own = AuditChain.organisation_id == organisation_id
    ends = select(AuditChain.sequence, AuditChain.hash).where(own).with_for_update()
    end = session.execute(ends).one_or_none()
    if end is None:
        first = {
            "id": uuid7(),
            "organisation_id": organisation_id,
            "sequence": 0,
            "hash": "",
            "created_at": clock.now(),
        }
        insert_missing(AuditChain, [first], ("organisation_id",))
        end = session.execute(ends).one()
    sequence, previous = end
    entries = []
    for sequence, change in enumerate(changes, sequence + 1):  # noqa: B020 - counted on from where it stands
        entries.append(_entry(change, sequence, previous))
        previous = entries[-1]["hash"]
    session.execute(insert(AuditEntry.__table__), entries)  # type: ignore[arg-type]
    session.execute(update(AuditChain.__table__).where(own).values(sequence=sequence, hash=previous))  # type: ignore[arg-type]


def _entry(change: Change, sequence: int, previous: str) -> Values:
    who = _acting.get()
    content = _salted(change.content | {"reason": who.reason})
    origin = _salted({"address": who.address, "device": who.device})
    entry = {
        "id": uuid7(),
        "organisation_id": change.organisation_id,
        "sequence": sequence,
        "actor_id": who.user_id,
        "action": change.action,
        "entity": change.entity,
        "row_id": change.row_id,
        "person_id": change.person_id,
        "request_id": who.request_id,
        "content": content,
        "content_hash": digest(content),
        "origin": origin,
        "origin_hash": digest(origin),
        "created_at": clock.now(),
    }
    return entry | {"hash": chained(previous, entry)}


CHAINED = (
    "id organisation_id sequence actor_id action entity row_id person_id request_id content_hash origin_hash created_at"
).split()


def _salted(values: Values) -> Values:
    """So that its hash, which stays, does not tell what it was."""
    return {name: value for name, value in values.items() if value is not None} | {"salt": secrets.token_hex(8)}


def chained(previous: str, entry: Any) -> str:
    """The SHA-256, in hexadecimal, of an entry (a mapping) and the hash before it."""
    return digest([previous, *(_plain(entry[name]) for name in CHAINED)])


def digest(value: Any) -> str:
    """The SHA-256, in hexadecimal, of a value's JSON with its keys in order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _add(session: Session, model: type[Base], before: Values | None, after: Values | None) -> None:
    """A change that is known by all of the row's values before and after it."""
    row = after or before
    if row is None or not model.audited:
        return
    columns = inspect(model).columns
    if before and after:
        changed = {name for name in after if before[name] != after[name] and columns[name].info != NOISE}
        if not changed:
            return
        before, after = ({name: side[name] for name in changed} for side in (before, after))
    action = "update" if before and after else "create" if after else "delete"
    content = {
        side: {name: _shown(columns[name], value) for name, value in values.items() if value is not None}
        for side, values in (("before", before), ("after", after))
        if values
    }
    organisation_id = row["id"] if model is Organisation else row["organisation_id"]
    person = row["id"] if model is User else row.get("user_id") or row.get("student_id")
    change = Change(organisation_id, action, model.__tablename__, row["id"], person, content)
    _changes(session).append(change)


def _values(row: Base) -> Values:
    return {column.key: getattr(row, column.key) for column in inspect(type(row)).columns}


def _values_before(row: Base) -> Values:
    changed = {attribute.key: attribute.history.deleted for attribute in inspect(row).attrs}
    return _values(row) | {name: old[0] for name, old in changed.items() if old}


def _shown(column: Any, value: Any) -> Any:
    if column.info == SECRET or isinstance(value, bytes):
        return "(secret)"
    return _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    return str(value) if isinstance(value, (uuid.UUID, str)) else value


def _changes(session: Session) -> list[Change]:
    found: list[Change] = session.info.setdefault("audit", [])
    return found


def _model(table: Any) -> type[Base] | None:
    if not _TABLES:
        _TABLES.update({mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers})
    return _TABLES.get(table.name)


def verify(organisation_id: uuid.UUID) -> list[str]:
    """What is wrong with an organisation's chain, in sentences; none when it is whole."""
    last = AuditEntry(sequence=0, hash="")
    wrong: list[str] = []
    emptied: dict[int, set[str]] = {}
    erased = set[str]()
    for entry in _entries(organisation_id):
        wrong += _misfits(entry, last)
        if owners := _emptied(entry):
            emptied[entry.sequence] = owners
        if entry.action == ERASE and entry.content is not None:
            erased |= {str(entry.person_id), *entry.content["rows"]}
        last = entry
    wrong += [f"entry {n} was emptied, and nobody was erased" for n, owners in emptied.items() if not owners & erased]
    if _end(organisation_id) != (last.sequence, last.hash):
        wrong.append(f"the chain ends at entry {_end(organisation_id)[0]}, the log at {last.sequence}")
    return wrong


def _misfits(entry: AuditEntry, last: AuditEntry) -> Iterator[str]:
    if entry.sequence != last.sequence + 1:
        yield f"entries {last.sequence + 1} to {entry.sequence - 1} are missing"
    if entry.hash != chained(last.hash, {name: getattr(entry, name) for name in CHAINED}):
        yield f"entry {entry.sequence} does not follow from the one before it"
    for part, kept in ((entry.content, entry.content_hash), (entry.origin, entry.origin_hash)):
        if part is not None and digest(part) != kept:
            yield f"entry {entry.sequence} was changed"


def _emptied(entry: AuditEntry) -> set[str]:
    """Those of whom one must have been erased, where a part of the entry is gone."""
    about, owners = {entry.person_id, entry.row_id}, set[uuid.UUID | None]()
    if entry.content is None:
        owners |= about
    if entry.origin is None:
        owners |= {entry.actor_id} if entry.actor_id else about
    return {str(owner) for owner in owners}


def head(organisation_id: uuid.UUID) -> str:
    """The number and the hash of the last entry: whoever notes them elsewhere can tell whether the past was kept."""
    sequence, last = _end(organisation_id)
    return f"{sequence}:{last}"


def _end(organisation_id: uuid.UUID) -> tuple[int, str]:
    chain = select(AuditChain.sequence, AuditChain.hash).where(AuditChain.organisation_id == organisation_id)
    end = db.session.execute(chain).one_or_none()
    return (end.sequence, end.hash) if end else (0, "")


def _entries(organisation_id: uuid.UUID) -> Iterator[AuditEntry]:
    last = 0
    while True:
        page = db.session.scalars(
            select(AuditEntry)
            .where(AuditEntry.organisation_id == organisation_id, AuditEntry.sequence > last)
            .order_by(AuditEntry.sequence)
            .limit(1000)
        ).all()
        yield from page
        if not page:
            return
        last = page[-1].sequence
        db.session.expunge_all()
