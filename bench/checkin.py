"""Check-ins per second through the real server, beside the bare limit: a route of the same server that inserts one such
row into the same database and commits, and looks at nothing.

    PYTHONPATH=. python bench/checkin.py [ROUNDS]

Rounds of the two take turns, on SQLite and on each database that listens; the medians are compared.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import uuid
from pathlib import Path
from typing import Any

from flask import request
from sqlalchemy import Table, insert, select
from uuid_utils.compat import uuid7

from app import clock
from app.api.policy import PUBLIC, who_may
from app.extensions import db
from app.models import Organisation, Record, Source, Status, Verification
from app.server import Server
from config import Settings
from tests import crowd
from tests.databases import database, listening

PEOPLE = 300
CONNECTIONS = 16
WORKERS = 2


class ServerWithBareRoute(Server):
    """The server as it is, and one route more."""

    def load(self) -> Any:
        app = super().load()
        records = Record.__table__
        assert isinstance(records, Table)
        with app.app_context():
            organisation_id = db.session.scalar(select(Organisation.id).where(Organisation.is_default.is_(True)))
            db.session.remove()
            db.engine.dispose()

        @app.post("/api/bare")  # type: ignore[untyped-decorator]
        @who_may(PUBLIC)
        def bare() -> dict[str, str]:
            now = clock.now()
            row = {
                "id": uuid7(),
                "organisation_id": organisation_id,
                "session_id": uuid.UUID(request.args["session"]),
                "student_id": uuid.UUID(request.args["student"]),
                "status": Status.PRESENT,
                "source": Source.CHECK_IN,
                "verification": Verification.VERIFIED,
                "marked_at": now,
                "marked_by_id": uuid.UUID(request.args["student"]),
                "checked_in_at": now,
            }
            with db.engine.connect().execution_options(write=True) as connection:
                connection.execute(insert(records), row)
                connection.commit()
            return {"id": str(row["id"])}

        return app


def measured(kind: str, rounds: int) -> tuple[list[float], list[float]]:
    """Check-ins per second, and bare rows per second, in each round."""
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as name, database(kind, Path(name), "rollcall_bench") as url:
        folder = Path(name)
        everybody = crowd.crowd(folder, url, PEOPLE, sessions=2 * rounds + 2)
        environment = everybody.environment | {"WEB_WORKERS": str(WORKERS), "RATELIMIT_ENABLED": "true"}
        with crowd.serving(folder, environment, (Path(__file__).resolve(), "serve")) as program:
            for n in range(rounds + 1):
                calls = [everybody.check_in(person, 2 * n) for person in range(PEOPLE)]
                ours.append(_rate(program.address, calls, 201))
                to = f"/api/bare?session={everybody.sessions[2 * n + 1]}&student="
                calls = [crowd.request("POST", to + str(id_)) for id_ in everybody.ids]
                bare.append(_rate(program.address, calls, 200))
    return ours[1:], bare[1:]  # the first warms up


def _rate(address: str, calls: list[bytes], expected: int) -> float:
    begun = time.perf_counter()
    statuses = set(crowd.one_after_another(address, calls, CONNECTIONS))
    assert statuses == {expected}, statuses
    return len(calls) / (time.perf_counter() - begun)


def main(rounds: int) -> None:
    for kind in listening():
        ours, bare = (statistics.median(rates) for rates in measured(kind, rounds))
        print(f"{kind}: {ours:.0f} check-ins per second, {bare:.0f} bare rows; ours : bare = {ours / bare:.2f} : 1")


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        ServerWithBareRoute(Settings(), None).run()
    else:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 9)
