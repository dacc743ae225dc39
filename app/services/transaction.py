"""One request, one transaction."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any, ParamSpec, TypeVar, cast

from sqlalchemy import Insert, Table
from sqlalchemy.dialects import mysql, postgresql, sqlite
from sqlalchemy.exc import DBAPIError, OperationalError

from app.extensions import db
from app.models import Base

P = ParamSpec("P")
R = TypeVar("R")

ATTEMPTS = 5
DEADLOCKS = {"40001", "40P01", 1205, 1213}
"""SQLSTATEs of PostgreSQL, error numbers of MySQL and MariaDB: the database chose us to give way."""

log = logging.getLogger(__name__)


def transaction(service: Callable[P, R]) -> Callable[P, R]:
    """Run a service as one transaction: all of it is saved, or nothing.

    When the database ends it to resolve a deadlock, it is run again from the start, so a service must not do anything
    that cannot be undone (mail, files) before it returns.
    """

    @wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        if db.session.info.get("writing"):
            raise RuntimeError(f"{service.__name__} owns its transaction: it cannot be part of another")
        for attempt in range(1, ATTEMPTS + 1):
            release()  # ends what the look-up of the caller read, so that writing can begin by locking
            db.session.info["writing"] = True
            try:
                db.session.connection(execution_options={"write": True})
                result = service(*args, **kwargs)
                db.session.commit()
            except DBAPIError as error:
                db.session.rollback()
                if attempt == ATTEMPTS or not _gave_way(error):
                    raise
                log.info("deadlock, attempt %s", attempt)
                time.sleep(0.02 * attempt)
            except BaseException:
                db.session.rollback()
                raise
            else:
                return result
            finally:
                db.session.info["writing"] = False
        raise AssertionError

    return run


def release() -> None:
    """End reading and give the connection back, before work that takes long; what was read stays readable."""
    db.session.close()


def insert_missing(model: type[Base], rows: Sequence[dict[str, Any]], unique: Sequence[str]) -> None:
    """Insert those rows whose `unique` columns are not taken yet; who races for one is settled by the constraint.

    Each row brings its own id, by which the caller can see afterwards which of them are in.
    """
    if not rows:
        return
    statement: Insert
    table = cast(Table, model.__table__)
    match db.session.get_bind().dialect.name:
        case "postgresql":
            statement = postgresql.insert(table).on_conflict_do_nothing(index_elements=unique)
        case "sqlite":
            statement = sqlite.insert(table).on_conflict_do_nothing(index_elements=unique)
        case _:  # not INSERT IGNORE, which would swallow every other error too
            statement = mysql.insert(table).on_duplicate_key_update({unique[0]: table.c[unique[0]]})
    db.session.execute(statement, list(rows))


def _gave_way(error: DBAPIError) -> bool:
    if not isinstance(error, OperationalError):
        return False
    cause: Any = error.orig
    return getattr(cause, "sqlstate", None) in DEADLOCKS or (cause.args and cause.args[0] in DEADLOCKS)
