"""Who of 10,000 students is at risk, all at once beside one student after the other.

    PYTHONPATH=. python bench/alerts.py [SESSIONS] [SAMPLE] [KIND]

Fills 10,000 students with SESSIONS (100 unless said otherwise) records each, counted, of which every fiftieth has
missed the last five, four marks and some behaviour notes, on SQLite (or KIND), and times a refresh of the alerts: the
first, which opens all of them, and the next ones, which find nothing new. Beside it the same four questions are asked
of each of SAMPLE (200) students by themselves, on the same code and rows, and multiplied to 10,000.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

from reports import STUDENTS, _insert, fill
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from app import clock, create_app
from app.extensions import db
from app.models import (
    Assessment,
    BehaviourKind,
    BehaviourNote,
    Organisation,
    Record,
    Role,
    Session,
    Status,
    Subject,
    User,
)
from app.services import alerts, counting, installation, statistics
from app.services.behaviour import NoteFilters, note_counts
from app.services.caller import Caller
from app.services.figures import Filters, absences_in_a_row, figures
from app.services.grades import MarkFilters, averages
from app.services.organisation_settings import settings_of
from app.services.sessions import Days
from tests.conftest import Cast, Nowhere, Person, settings_for
from tests.databases import database
from tests.statements import counted

ROUNDS = 3


def fill_marks_and_notes(teacher: Person, students: list[uuid.UUID]) -> None:
    """Four marks each, and one note; of every twentieth three negative ones."""
    own: dict[str, Any] = {"organisation_id": teacher.organisation_id, "created_at": clock.now()}
    subject = db.session.scalars(select(Subject.id)).first()
    today = clock.today("UTC")
    mark = own | {"subject_id": subject, "kind": "test", "max_score": 100.0, "weight": 1.0}
    mark |= {"recorded_by_id": teacher.id}
    _insert(Assessment, [mark | {"id": uuid7(), "student_id": id_, "score": float((n * 7 + back * 11) % 70 + 30),
                                 "taken_on": today - timedelta(days=back * 20)}
                         for n, id_ in enumerate(students) for back in range(4)])  # fmt: skip
    note = own | {"category": "conduct", "notes": "", "is_visible_to_family": False, "teacher_id": teacher.id}
    _insert(BehaviourNote, [note | {"id": uuid7(), "student_id": id_, "happened_on": today - timedelta(days=n % 20),
                                    "kind": BehaviourKind.POSITIVE if n % 20 else BehaviourKind.NEGATIVE}
                            for n, id_ in enumerate(students) for _ in range(1 if n % 20 else 3)])  # fmt: skip
    db.session.commit()


def stay_away(students: list[uuid.UUID]) -> None:
    """Before it is counted."""
    lately = select(Session.id).where(Session.session_date >= clock.today("UTC") - timedelta(days=5))
    missed = update(Record).where(Record.session_id.in_(lately), Record.student_id.in_(students[::50]))
    db.session.execute(missed.values(status=Status.ABSENT), execution_options={"synchronize_session": False})
    db.session.commit()


def of_one(caller: Caller, student_id: uuid.UUID) -> None:
    """What a refresh asks of all, asked of one."""
    rules = caller.settings.at_risk
    days = Days(*Days().bounds(caller.today, rules.days))
    filters = Filters(days, student_id=student_id)
    figures(caller, filters)
    averages(caller, MarkFilters(Days(*Days().bounds(caller.today, rules.marks_days)), student_id=student_id))
    note_counts(caller, NoteFilters(days, student_id=student_id, kind=BehaviourKind.NEGATIVE))
    db.session.execute(absences_in_a_row(caller, filters)).all()


def main(sessions: int, sample: int, kind: str) -> None:
    with tempfile.TemporaryDirectory() as name, database(kind, Path(name), "rollcall_bench") as url:
        app = create_app(settings_for(Path(name), database_url=url, ratelimit_enabled=False))
        app.extensions["backend"].close()
        app.extensions["backend"] = Nowhere()  # so that nobody tells of the alerts meanwhile
        with app.app_context():
            installation.prepare()
            cast = Cast(app)
            teacher = cast.teacher()
            fill(teacher, cast.student(), sessions)
            students = list(db.session.scalars(select(User.id).where(User.role == Role.STUDENT)))
            fill_marks_and_notes(teacher, students)
            stay_away(students)
            counting.count_due()
            statistics.refresh()  # as every day
            if kind == "postgresql":
                db.session.connection().exec_driver_sql("ANALYZE")
                db.session.commit()
            row = db.session.get_one(Organisation, teacher.organisation_id)
            caller = Caller(row.id, row.id, Role.ADMIN, row.time_zone, settings_of(row.settings))
            print(f"{kind}: {STUDENTS:,} students, {sessions} sessions each", flush=True)
            took = [_refresh(caller, app) for _ in range(1 + ROUNDS)]
            ours = median(took[1:])
            picked = students[:: max(1, len(students) // sample)][:sample]
            of_one(caller, picked[0])
            begun = time.perf_counter()
            for student_id in picked:
                of_one(caller, student_id)
            each = (time.perf_counter() - begun) / len(picked)
            print(f"  one student after the other: {each * 1e3:.1f} ms each, {each * STUDENTS:.0f} s for all (from "
                  f"{len(picked)}); 1 : {each * STUDENTS / ours:.0f}")  # fmt: skip
            db.session.remove()
            db.engine.dispose()
        app.extensions["face_pool"].close()


def _refresh(caller: Caller, app: Any) -> float:
    db.session.rollback()
    begun = time.perf_counter()
    with counted(app) as said:
        found = alerts.refresh_of(caller)
    seconds = time.perf_counter() - begun
    print(f"  a refresh: {seconds:.2f} s, {len(said)} statements; {found.opened:,} opened, {found.open:,} open",
          flush=True)  # fmt: skip
    return seconds


if __name__ == "__main__":
    sessions, sample, kind = [*sys.argv[1:], *("100", "200", "sqlite")[len(sys.argv) - 1 :]]
    main(int(sessions), int(sample), kind)
