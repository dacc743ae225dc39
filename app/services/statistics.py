"""What SQLite knows of its tables when it plans a query. The other databases keep that up to date by themselves."""

from __future__ import annotations

from sqlalchemy import text

from app.extensions import db
from app.services.transaction import reading, release, transaction

INDEXES = text(
    "SELECT i.name FROM sqlite_master AS t, pragma_index_list(t.name) AS i WHERE t.type = 'table' ORDER BY i.name"
)


def refresh() -> None:
    """Count anew how many rows each index finds: without it SQLite takes all of them for equally good, and reads
    everything that an organisation has for one page of a day. Index by index: nobody waits long to write."""
    if db.engine.dialect.name == "sqlite":
        names = reading().scalars(INDEXES).all()
        release()
        for name in names:
            _analyze(name)


@transaction
def _analyze(name: str) -> None:
    db.session.connection().exec_driver_sql(f'ANALYZE "{name}"')
