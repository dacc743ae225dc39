"""Check-ins per second through the real server, beside the bare limit: a route of the same server that inserts one such
row into the same database and commits, and looks at nothing.

    PYTHONPATH=. python bench/checkin.py [ROUNDS]

Rounds of the two take turns, on SQLite and on each database that listens; the medians are compared. Everybody has a
month behind them, and the server has been running for a while: its databases have planned their statements.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path
from typing import Any

from flask import request
from sqlalchemy import Table, create_engine, insert, select, text
from uuid_utils.compat import uuid7

from app import clock
from app.api.policy import PUBLIC, who_may
from app.extensions import db
from app.models import Attempt, Base, Organisation, Record, Session, Source, Status, Verification
from app.server import Server
from config import Settings
from tests import crowd
from tests.databases import database, listening

PEOPLE = 300
CONNECTIONS = 32
"""As many as the server has threads."""
DAYS = 30
WARMING = 10
"""Rounds that are not measured."""
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
        everybody = crowd.crowd(folder, url, PEOPLE, sessions=2 * (WARMING + rounds))
        _remember(everybody)
        environment = everybody.environment | {"WEB_WORKERS": str(WORKERS), "RATELIMIT_ENABLED": "true"}
        with crowd.serving(folder, environment, (Path(__file__).resolve(), "serve")) as program:
            for n in range(WARMING + rounds):
                calls = [everybody.check_in(person, 2 * n) for person in range(PEOPLE)]
                ours.append(_rate(program.address, calls, 201))
                to = f"/api/bare?session={everybody.sessions[2 * n + 1]}&student="
                calls = [crowd.request("POST", to + str(id_)) for id_ in everybody.ids]
                bare.append(_rate(program.address, calls, 200))
    return ours[WARMING:], bare[WARMING:]


def _remember(everybody: crowd.Crowd) -> None:
    """A month in which everybody checked in once a day, and what the database knows of its tables by then."""
    engine = create_engine(everybody.settings.database)
    with engine.begin() as connection:
        today = connection.execute(select(Session.__table__).limit(1)).mappings().one()
        for days in range(1, DAYS + 1):
            at = clock.now() - timedelta(days=days)
            when = {"session_date": at.date(), "starts_at": at, "ends_at": at + timedelta(hours=1), "created_at": at}
            session = dict(today) | when | {"id": uuid7()}
            own = {"organisation_id": today["organisation_id"], "session_id": session["id"], "created_at": at}
            record = own | {"status": Status.PRESENT, "source": Source.CHECK_IN, "verification": Verification.VERIFIED}
            record |= {"marked_at": at, "checked_in_at": at, "changed_at": at, "flags": []}
            record |= {"is_office": False, "forgot_to_check_out": False}
            attempt = own | {"kind": "in", "evidence": {}, "flags": [], "latitude": crowd.HERE[0] + days / 1e6}
            attempt |= {"longitude": crowd.HERE[1], "accuracy": 8.0}
            rows: dict[type[Base], list[dict[str, Any]]] = {
                Session: [session],
                Record: [record | {"id": uuid7(), "student_id": id_, "marked_by_id": id_} for id_ in everybody.ids],
                Attempt: [attempt | {"id": uuid7(), "user_id": id_} for id_ in everybody.ids],
            }
            for model, values in rows.items():
                connection.execute(insert(model), values)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        tables = " TABLE " + ", ".join(sorted(Base.metadata.tables)) if engine.dialect.name == "mysql" else ""
        connection.execute(text(f"ANALYZE{tables}"))
    engine.dispose()


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
