"""What SQLite knows of its tables when it plans a query. The other databases keep that up to date by themselves."""

from __future__ import annotations

from sqlalchemy import Connection, text

from app.extensions import db
from app.services.transaction import reading, release, transaction

INDEXES = text("SELECT t.name, i.name FROM sqlite_master AS t, pragma_index_list(t.name) AS i WHERE t.type = 'table'")
SMALL = 1000
"""Rows of a table that may be many times as large tomorrow: better taken for large than known as small."""


def refresh() -> None:
    """Count anew how many rows each index finds: without it SQLite takes all of them for equally good, and reads
    everything that an organisation has for one page of a day. Index by index: nobody waits long to write."""
    if db.engine.dialect.name != "sqlite":
        return
    connection = reading()
    names = [index for table, index in connection.execute(INDEXES) if _is_large(connection, table)]
    release()
    # the table of statistics first: with it, whoever is connected reads what is in it then
    for name in ("sqlite_schema", *names):
        _analyze(name)


def _is_large(connection: Connection, table: str) -> bool:
    rows = connection.exec_driver_sql(f'SELECT count(*) FROM (SELECT 1 FROM "{table}" LIMIT {SMALL})')  # noqa: S608
    return rows.scalar() == SMALL


@transaction
def _analyze(name: str) -> None:
    db.session.connection().exec_driver_sql(f'ANALYZE "{name}"')
