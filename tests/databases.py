"""The databases that listen on this machine; each test run makes its own in them, and drops it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, text
from sqlalchemy.exc import OperationalError

SERVERS = {
    "postgresql": os.environ.get("TEST_POSTGRESQL_URL", "postgresql+psycopg://postgres@127.0.0.1/postgres"),
    "mariadb": os.environ.get("TEST_MARIADB_URL", "mysql+pymysql://root@127.0.0.1/"),
}


def listening() -> list[str]:
    """SQLite, and those servers that answer."""
    found = ["sqlite"]
    for name, url in SERVERS.items():
        with suppress(OperationalError):
            create_engine(url, connect_args={"connect_timeout": 2}).connect().close()
            found.append(name)
    return found


def hasty(engine: Engine) -> None:
    """From now on SQLite doesn't wait for the disk."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: connection.execute("PRAGMA synchronous=OFF"))
        engine.dispose()


@contextmanager
def database(kind: str, folder: Path, name: str = "rollcall_test", *, durable: bool = True) -> Iterator[str]:
    """The address of a new, empty database of this kind, as a user would write it.

    durable: that what is committed outlives the machine; else PostgreSQL doesn't wait for the disk (SQLite: `hasty`).
    """
    if kind == "sqlite":
        yield f"sqlite:///{folder / name}.db"
        return
    unique = f"{name}_{os.getpid()}"
    server = create_engine(SERVERS[kind], isolation_level="AUTOCOMMIT")
    with server.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {unique}"))
        if kind == "postgresql" and not durable:
            connection.execute(text(f"ALTER DATABASE {unique} SET synchronous_commit = off"))
    try:
        address = server.url.set(drivername=server.url.get_backend_name(), database=unique)
        yield address.render_as_string(hide_password=False)
    finally:
        with server.connect() as connection:
            force = " WITH (FORCE)" if kind == "postgresql" else ""
            connection.execute(text(f"DROP DATABASE {unique}{force}"))
        server.dispose()
