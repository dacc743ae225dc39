"""What the application is put together from: made here, bound in `create_app`."""

from __future__ import annotations

import sqlite3
from typing import Any, cast

from flask import current_app
from flask_cors import CORS
from flask_jwt_extended import JWTManager
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import Connection, Engine, event

from app.faces import FacePool
from app.models.base import Base
from config import Settings

db = SQLAlchemy(metadata=Base.metadata, session_options={"expire_on_commit": False}, disable_autonaming=True)
migrate = Migrate(db=db, render_as_batch=True, compare_type=True)
jwt = JWTManager()
cors = CORS()
limiter = Limiter(key_func=get_remote_address, headers_enabled=True)


def settings() -> Settings:
    """What this installation decided."""
    return cast(Settings, current_app.extensions["settings"])


def face_pool() -> FacePool:
    """The processes that read pictures."""
    return cast(FacePool, current_app.extensions["face_pool"])


def engine_options(backend: str) -> dict[str, Any]:
    """How each database is talked to; pooled connections are tried before use, so a restart is not an error."""
    options: dict[str, Any] = {"pool_size": 16, "max_overflow": 16, "pool_timeout": 15}
    options |= {"pool_use_lifo": True}  # those used last, which know what they are asked
    options |= {"hide_parameters": True}  # else a failed statement is logged with what it was to save
    if backend == "sqlite":
        return options | {"connect_args": {"timeout": 15}, "pool_recycle": 3600}  # a new one knows newer statistics
    options |= {"pool_pre_ping": True, "connect_args": {"connect_timeout": 5}}
    if backend == "postgresql":
        options["connect_args"] |= {"prepare_threshold": 1}  # what is asked twice is asked often
        return options
    return options | {
        "isolation_level": "READ COMMITTED",  # fewer gap locks: fewer deadlocks between those who insert at once
        "pool_recycle": 3600,
    }


def listen_to(engine: Engine) -> None:
    """Only where it is needed: an engine that is listened to asks its listeners at every statement."""
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)


def _prepare_sqlite(connection: sqlite3.Connection, _record: Any) -> None:
    connection.isolation_level = None  # this program says BEGIN, not the driver: see _begin
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")
    # its own knows only A to Z, so that nobody would find Élodie as élodie
    connection.create_function("lower", 1, lambda text: text and str(text).lower(), deterministic=True)


def _begin(connection: Connection) -> None:
    """SQLite: who is going to write takes the lock at once, so two writers wait instead of failing half-way."""
    write = connection.get_execution_options().get("write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if write else "BEGIN")
