"""Downloads of all records as CSV, JSON and Ed-Fi from the real server: the first byte, rows per second, and memory.

    PYTHONPATH=. python bench/exports.py [ROWS] [DATABASE ...]

Fills ROWS (1,000,000 unless said otherwise, of which 10,000 are of a day) on SQLite, and on PostgreSQL if it listens,
unless databases are named. Of each format it downloads the records of the last tenth of the days, then all of them.
Memory is the most that the server's process held meanwhile (VmHWM, which Linux lets one begin anew), beside what it had
before.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from datetime import timedelta
from http.client import HTTPConnection
from pathlib import Path
from typing import NamedTuple

from reports import STUDENTS, fill

from app import clock, create_app
from app.extensions import db
from app.models import Role
from app.services import installation
from config import Settings
from tests.conftest import Cast, settings_for
from tests.crowd import Program, serving
from tests.databases import database, listening

NEWLINES = {"csv": 1, "json": 2, "ed-fi": 0}
"""Of each format, how many there are beside one for each row."""
PIECE = 2**16
MB = 2**20


class Measured(NamedTuple):
    """Seconds, and bytes of memory."""

    rows: int
    first_byte: float
    whole: float
    before: int
    peak: int

    def __str__(self) -> str:
        return (
            f"{self.rows:,} rows: first byte {self.first_byte * 1e3:.0f} ms, {self.rows / self.whole:,.0f} rows per "
            f"second, memory {self.before / MB:.0f} MB before, at most {self.peak / MB:.0f} MB"
        )


def filled(settings: Settings, days: int) -> str:
    """The access token of an administrator of so many days' records."""
    app = create_app(settings)
    with app.app_context():
        installation.prepare()
        cast = Cast(app)
        fill(cast.teacher(), cast.student(), days)
        admin = cast.person(Role.ADMIN)
        if db.engine.dialect.name == "postgresql":
            db.session.connection().exec_driver_sql("ANALYZE")
            db.session.commit()
        db.session.remove()
        db.engine.dispose()
    app.extensions["face_pool"].close()
    app.extensions["backend"].close()
    assert admin.token
    return admin.token


def download(program: Program, token: str, form: str, days: int) -> Measured:
    """The records of the last so many days."""
    last = clock.now().date()
    span = f"start_date={last - timedelta(days=days)}&end_date={last}"
    before = {pid: _memory(pid, "VmRSS") for pid in _processes(program)}
    for pid in before:
        Path(f"/proc/{pid}/clear_refs").write_text("5")
    connection = HTTPConnection(program.address.rstrip("/"), timeout=600)
    begun = time.perf_counter()
    connection.request("GET", f"/api/reports/export/{form}?{span}", headers={"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    assert answer.status == 200, answer.read()
    answer.read(1)
    first_byte = time.perf_counter() - begun
    newlines = 0
    while piece := answer.read(PIECE):
        newlines += piece.count(b"\n")
    whole = time.perf_counter() - begun
    connection.close()
    peaks = {pid: _memory(pid, "VmHWM") for pid in before}
    served = max(peaks, key=lambda pid: peaks[pid] - before[pid])
    return Measured(newlines - NEWLINES[form], first_byte, whole, before[served], peaks[served])


def _processes(program: Program) -> list[int]:
    """Those of the server: they share its process group."""
    return [
        pid
        for pid in (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        if _group(pid) == program.process.pid
    ]


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


def _memory(pid: int, which: str) -> int:
    """Bytes. which: VmRSS, what the process holds now, or VmHWM, the most that it held."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{which}:"))


def main(rows: int, kinds: list[str]) -> None:
    days = rows // STUDENTS
    for kind in kinds:
        with tempfile.TemporaryDirectory() as name, database(kind, Path(name), "rollcall_bench") as url:
            settings = settings_for(Path(name), database_url=url, jwt_expiry_hours=24)
            token = filled(settings, days)
            environment = {"DATABASE_URL": settings.database_url, "INSTANCE_DIR": name, "LOG_LEVEL": "WARNING"}
            environment |= {"HOST": "127.0.0.1", "PORT": "0", "WEB_WORKERS": "1"}
            with serving(Path(name), environment) as program:
                for form in NEWLINES:
                    download(program, token, form, max(1, days // 10))
                for form in NEWLINES:
                    tenth, whole = (download(program, token, form, some) for some in (max(1, days // 10), days))
                    assert whole.rows == days * STUDENTS, whole
                    print(f"{kind}, {form}\n  {tenth}\n  {whole}\n  at most, of all : of a tenth = "
                          f"{whole.peak / tenth.peak:.2f} : 1", flush=True)  # fmt: skip


if __name__ == "__main__":
    main(
        int(sys.argv[1].replace(",", "")) if len(sys.argv) > 1 else 1_000_000,
        sys.argv[2:] or [kind for kind in listening() if kind != "mariadb"],
    )
