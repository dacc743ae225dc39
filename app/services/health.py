"""The state of the installation's parts."""

from __future__ import annotations

import time
import tomllib
from dataclasses import dataclass
from functools import cache
from typing import Literal

import structlog
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from app.extensions import db, face_pool, limiter
from config import ROOT

State = Literal["ok", "unavailable"]

_started = time.monotonic()

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Parts:
    database: State
    limits: State
    faces: State


@dataclass(frozen=True, slots=True)
class Health:
    status: State
    version: str
    uptime_seconds: int
    parts: Parts


def health() -> Health:
    """Whether each part answers. Without its database the installation is of no use; without the others, of some."""
    parts = Parts(
        _database(),
        limits="ok" if not limiter.enabled or limiter.storage.check() else "unavailable",
        faces="unavailable" if face_pool().full else "ok",
    )
    return Health(parts.database, version(), int(time.monotonic() - _started), parts)


@cache
def version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    return str(project["project"]["version"])


def _database() -> State:
    try:
        db.session.execute(text("SELECT 1"))
    except SQLAlchemyError:
        log.exception("database_unavailable")
        return "unavailable"
    return "ok"
