"""One request, one transaction."""

from __future__ import annotations

import logging
import random
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Delete, Dialect, Insert, Select, Table, Update, select
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from app.extensions import db
from app.models import Base

P = ParamSpec("P")
R = TypeVar("R")
T = TypeVar("T")

ATTEMPTS = 8
DEADLOCKS = {"40001", "40P01", 1205, 1213}
"""SQLSTATEs of PostgreSQL, error numbers of MySQL and MariaDB: the database chose us to give way."""

log = logging.getLogger(__name__)


def transaction(service: Callable[P, R]) -> Callable[P, R]:
    """Run a service as one transaction: all of it is saved, or nothing.

    When the database ends it to resolve a deadlock, it is run again from the start, so a service must not do anything
    that cannot be undone (files) before it returns; `afterwards` is for that.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if db.session.info.get("writing"):
            raise RuntimeError(f"{service.__name__} owns its transaction: it cannot be part of another")
        for attempt in range(1, ATTEMPTS + 1):
            release()  # ends what the look-up of the caller read, so that writing can begin by locking
            db.session.info.update(writing=True, afterwards={}, not_counted=set())
            try:
                db.session.connection(execution_options={"write": True})
                result = service(*map(_own, args), **{name: _own(value) for name, value in kwargs.items()})
                db.session.commit()
            except DBAPIError as error:
                db.session.rollback()
                if attempt == ATTEMPTS or not _gave_way(error):
                    raise
                log.info("deadlock, attempt %s", attempt)
                time.sleep(random.uniform(0, 0.01 * 2**attempt))  # noqa: S311 - apart from those it met
            except BaseException:
                db.session.rollback()
                raise
            else:
                break
            finally:
                db.session.info["writing"] = False
        _do_afterwards()
        return result

    return run


def reading() -> Connection:
    """The connection of a request that reads, until it begins a transaction.

    On PostgreSQL each statement is by itself, which they are in READ COMMITTED anyway: to begin and to roll back is
    saved. SQLite's statements see one state of the database.
    """
    by_itself = _dialect().name == "postgresql" and not db.session().in_transaction()
    return db.session.connection(execution_options={"isolation_level": "AUTOCOMMIT"} if by_itself else None)


def _own(value: Any) -> Any:
    """Each attempt's own values: a service takes them apart, and would have the next attempt save the rest only."""
    return dict(value) if isinstance(value, dict) else value


def afterwards(action: Callable[[], None]) -> None:
    """Within a transaction: do this, once, when all of it is saved; if it is not, never.

    That it fails is no error of who caused it, and is logged: something else has to make up for it.

    Raises:
        RuntimeError: there is no transaction.
    """
    if not db.session.info.get("writing"):
        raise RuntimeError("outside of a transaction nothing comes afterwards")
    db.session.info["afterwards"][action] = None


def _do_afterwards() -> None:
    for action in db.session.info.pop("afterwards"):
        try:
            action()
        except Exception:
            log.exception("%s failed after the transaction", action.__name__)


def release() -> None:
    """End reading and give the connection back, before work that takes long; what was read stays readable."""
    db.session.close()


def changed(statement: Update | Delete) -> int:
    """Execute it; how many rows met its condition."""
    return cast(CursorResult[Any], db.session.execute(statement)).rowcount


def some_at_once(values: Iterable[T], most: int = 10_000) -> Iterator[list[T]]:
    """The different values, as many at once as a statement takes: PostgreSQL 65,535 of all kinds."""
    wanted = list(dict.fromkeys(values))
    return (wanted[start : start + most] for start in range(0, len(wanted), most))


def filled(values: Iterable[T]) -> list[T]:
    """The values, the last one repeated until they are 1, 4, 16, 64, ...: a database prepares a statement anew for each
    number of them."""
    some, length = list(values), 1
    while length < len(some):
        length *= 4
    return some + some[-1:] * (length - len(some))


def insert_missing(
    model: type[Base], rows: Sequence[dict[str, Any]], unique: Sequence[str], *, audited: bool = True
) -> None:
    """Insert those rows whose `unique` columns are not taken yet; who races for one is settled by the constraint.

    Each row brings its own id, by which the caller can see afterwards which of them are in.
    audited: False for a caller who reads them back anyway, and tells the audit log itself (`audit.created`).
    """
    if rows:
        statement = _unless_taken(_dialect().name, model, tuple(unique))
        db.session.execute(statement, list(rows), execution_options={"audited": audited})


def insert_new(model: type[Base], rows: Sequence[dict[str, Any]], unique: Sequence[str]) -> set[uuid.UUID]:
    """As `insert_missing`, and the ids of those that are in. They are not for the audit log."""
    if not rows:
        return set()
    dialect, unaudited = _dialect(), {"audited": False}
    if dialect.insert_returning:
        inserted = _returning_id(dialect.name, model, tuple(unique))
        return set(db.session.scalars(inserted, list(rows), execution_options=unaudited))
    statement = _unless_taken(dialect.name, model, tuple(unique))
    db.session.execute(statement, list(rows), execution_options=unaudited)
    return set(db.session.scalars(select(model.id).where(model.id.in_([row["id"] for row in rows]))))


def add_up(model: type[Base], query: Select[Any], unique: Sequence[str], figures: Sequence[str]) -> None:
    """Insert what the query selects, the `unique` columns and then the figures; where the former are taken, add
    the figures to what is there. It is not for the audit log."""
    names, table = [*unique, *figures], cast(Table, model.__table__)
    match _dialect().name:
        case "postgresql" | "sqlite" as name:
            insert: Any = (postgresql if name == "postgresql" else sqlite).insert(table).from_select(names, query)
            added = {figure: table.c[figure] + insert.excluded[figure] for figure in figures}
            statement = insert.on_conflict_do_update(index_elements=unique, set_=added)
        case _:
            insert = mysql.insert(table).from_select(names, query)
            added = {figure: table.c[figure] + insert.inserted[figure] for figure in figures}
            statement = insert.on_duplicate_key_update(added)
    db.session.execute(statement, execution_options={"audited": False})


def _dialect() -> Dialect:
    return db.session.get_bind().dialect


@cache
def _returning_id(dialect: str, model: type[Base], unique: tuple[str, ...]) -> Any:
    return _unless_taken(dialect, model, unique).returning(model.__table__.c.id)


@cache
def _unless_taken(dialect: str, model: type[Base], unique: tuple[str, ...]) -> Insert:
    """Put together once: that takes longer than to execute it."""
    table = cast(Table, model.__table__)
    match dialect:
        case "postgresql":
            return postgresql.insert(table).on_conflict_do_nothing(index_elements=unique)
        case "sqlite":
            return sqlite.insert(table).on_conflict_do_nothing(index_elements=unique)
        case _:  # not INSERT IGNORE, which would swallow every other error too
            return mysql.insert(table).on_duplicate_key_update({unique[0]: table.c[unique[0]]})


def _gave_way(error: DBAPIError) -> bool:
    if not isinstance(error, OperationalError):
        return False
    cause: Any = error.orig
    return getattr(cause, "sqlstate", None) in DEADLOCKS or (cause.args and cause.args[0] in DEADLOCKS)
