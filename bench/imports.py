"""How long an import of students takes: ours beside a call for each student, and beside the bare inserts.

    PYTHONPATH=. python bench/imports.py [ROWS]

All three save the same users, profiles and enrolments into new SQLite databases; the calls are made within the process.
"""

from __future__ import annotations

import io
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy import Table, event, insert, select
from uuid_utils.compat import uuid7

from app import clock, create_app
from app.extensions import db, limiter
from app.models import Base, Class, Enrolment, Role, StudentProfile, User, UserStatus
from app.services import installation
from tests.conftest import Cast, Person, settings_for

ONE_BY_ONE = 500

Row = dict[str, Any]


def table_of(people: int) -> str:
    rows = (f"Student {n},s{n}@school.test,R-{n},Science,7,A,Maths" for n in range(people))
    return "\n".join(["name,email,roll_number,department,year,section,class", *rows])


def whole(admin: Person, people: int) -> None:
    file = io.BytesIO(table_of(people).encode())
    answer = admin.post("/api/admin/import/users", data={"file": (file, "students.csv")})
    assert answer.json["created"] == people, answer.text


def one_by_one(admin: Person, people: int) -> None:
    (room,) = admin.get("/api/classes/my-classes").json["items"]
    for n in range(people):
        body = {"name": f"Student {n}", "email": f"s{n}@school.test", "roll_number": f"R-{n}", "department": "Science"}
        answer = admin.post("/api/students", body | {"year": 7, "section": "A", "class_id": room["id"]})
        assert answer.status_code == 201, answer.text


def bare(admin: Person, people: int) -> None:
    """Three statements with all their rows, and nothing looked at: no database is faster than this."""
    with admin.client.application.app_context(), db.engine.begin() as connection:
        room, today = connection.scalar(select(Class.id)), clock.today("UTC")
        own: Row = {"organisation_id": admin.organisation_id, "created_at": clock.now()}
        new = own | {"role": Role.STUDENT, "status": UserStatus.ACTIVE, "last_name": ""}
        enrolled = own | {"class_id": room, "starts_on": today, "is_current": True}
        rows: dict[type[Base], list[Row]] = {User: [], StudentProfile: [], Enrolment: []}
        for n in range(people):
            id_ = uuid7()
            rows[User].append(new | {"id": id_, "first_name": f"Student {n}", "email": f"s{n}@school.test"})
            rows[StudentProfile].append(own | {"id": uuid7(), "user_id": id_, "roll_number": f"R-{n}"})
            rows[Enrolment].append(enrolled | {"id": uuid7(), "student_id": id_})
        for model, values in rows.items():
            table = model.__table__
            assert isinstance(table, Table)
            connection.execute(insert(table), values)


def measured(way: Callable[[Person, int], None], people: int) -> tuple[float, int]:
    """Seconds, and SQL statements."""
    said = 0

    def count(*_: object) -> None:
        nonlocal said
        said += 1

    with tempfile.TemporaryDirectory() as folder:
        app = create_app(settings_for(Path(folder)))
        limiter.enabled = False
        with app.app_context():
            installation.prepare()
            event.listen(db.engine, "before_cursor_execute", count)
        admin = Cast(app).person(Role.ADMIN)
        admin.post("/api/classes/create", {"name": "Maths"})
        said, begun = 0, time.perf_counter()
        way(admin, people)
        return time.perf_counter() - begun, said


def main(people: int) -> None:
    ours, statements = measured(whole, people)
    single, singles = measured(one_by_one, ONE_BY_ONE)
    single *= people / ONE_BY_ONE
    least, _ = measured(bare, people)
    print(f"{people} students: {ours:.1f} s, {statements} statements")
    print(f"a call each, from {ONE_BY_ONE}: {single:.1f} s, {singles / ONE_BY_ONE:.0f} statements each")
    print(f"bare inserts, without audit log: {least:.1f} s")
    print(f"ours : a call each = 1 : {single / ours:.0f}; ours : bare = {ours / least:.0f} : 1")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000)
