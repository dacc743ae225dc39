"""Alembic's entry: migrates the database that the application is set up with."""

from typing import Any

from alembic import context
from flask import current_app

from app.models.base import UTCDateTime

migrate = current_app.extensions["migrate"]


def render(kind: str, item: Any, _context: Any) -> str | bool:
    return "UTCDateTime()" if kind == "type" and isinstance(item, UTCDateTime) else False


with migrate.db.engine.connect() as connection:
    if connection.dialect.name == "sqlite":  # changes a table by replacing it, which its references must survive
        connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
    context.configure(
        connection=connection, target_metadata=migrate.db.metadata, render_item=render, **migrate.configure_args
    )
    with context.begin_transaction():
        context.run_migrations()
    if connection.dialect.name == "sqlite":
        if broken := connection.connection.driver_connection.execute("PRAGMA foreign_key_check").fetchall():
            raise RuntimeError(f"the migration broke references: {broken}")
        connection.rollback()  # what only looked for migrations is not over yet, and would leave them off
        connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")
