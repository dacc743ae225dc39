"""Dashboards, reports, a page of records and marking a class of 200, beside a plain GROUP BY over all records.

    PYTHONPATH=. python bench/reports.py [RECORDS] [ROUNDS]

Fills RECORDS (1,000,000 unless said otherwise) of 10,000 students in 400 classes, one session of each class a day, on
SQLite and PostgreSQL; counts them, and times each call through the application beside the statement that a plain
implementation would ask. The two take turns; medians, in one run.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import func, insert, select
from uuid_utils.compat import uuid7

from app import clock, create_app
from app.extensions import db
from app.models import (
    Class,
    ClassTeacher,
    Enrolment,
    Organisation,
    Record,
    Role,
    Session,
    Source,
    Status,
    Subject,
    User,
    UserStatus,
    Verification,
)
from app.services import counting, installation
from tests.conftest import Cast, Person, settings_for
from tests.databases import database, listening
from tests.factories import make

STUDENTS, CLASSES = 10_000, 400
MARKED = 200


def fill(teacher: Person, days: int) -> tuple[str, list[str]]:
    """A class, and the ids of MARKED students who are in it."""
    organisation = {"organisation_id": teacher.organisation_id, "created_at": clock.now()}
    subject = make(Subject, name="Maths", organisation_id=teacher.organisation_id)
    classes, students = [uuid7() for _ in range(CLASSES)], [uuid7() for _ in range(STUDENTS)]
    _insert(Class, [organisation | {"id": id_, "name": f"Class {n}", "join_code": f"{n:06}", "subject_id": subject.id,
                                    "description": "", "is_active": True, "policy": {}}
                    for n, id_ in enumerate(classes)])  # fmt: skip
    person = organisation | {"role": Role.STUDENT, "status": UserStatus.ACTIVE, "first_name": "Ada"}
    _insert(User, [person | {"id": id_, "last_name": f"Lovelace {n}"} for n, id_ in enumerate(students)])
    made_by = organisation | {"created_by_id": teacher.id, "is_event": False, "is_changed": False, "description": ""}
    record = organisation | {"source": Source.MANUAL, "verification": Verification.VERIFIED, "is_office": False}
    record |= {"forgot_to_check_out": False, "marked_by_id": teacher.id, "flags": []}
    statuses = [Status.PRESENT] * 17 + [Status.ABSENT] * 2 + [Status.LATE]
    for day in range(days):
        begin = clock.now() - timedelta(days=days - day)
        times: dict[str, Any] = {
            "session_date": begin.date(),
            "starts_at": begin,
            "ends_at": begin + timedelta(hours=1),
        }
        times |= {"closed_at": begin + timedelta(hours=2), "changed_at": begin, "policy": {}}
        sessions = [uuid7() for _ in classes]
        _insert(Session, [made_by | times | {"id": id_, "class_id": of, "name": "Lesson"}
                          for id_, of in zip(sessions, classes, strict=True)])  # fmt: skip
        said = record | {"marked_at": begin, "changed_at": begin}
        _insert(Record, [said | {"id": uuid7(), "session_id": sessions[n % CLASSES], "student_id": id_,
                                 "status": statuses[(n * 7 + day * 3) % 20]}
                         for n, id_ in enumerate(students)])  # fmt: skip
        db.session.commit()
    big = make(Class, organisation_id=teacher.organisation_id)
    make(ClassTeacher, class_id=big.id, teacher_id=teacher.id, organisation_id=teacher.organisation_id)
    joined = organisation | {"class_id": big.id, "starts_on": clock.today("UTC"), "is_current": True}
    _insert(Enrolment, [joined | {"id": uuid7(), "student_id": id_} for id_ in students[:MARKED]])
    db.session.commit()
    return str(big.id), [str(id_) for id_ in students[:MARKED]]


def _insert(model: Any, rows: list[dict[str, Any]]) -> None:
    db.session.connection().execute(insert(model.__table__), rows)


def plainly(organisation_id: uuid.UUID) -> dict[str, Callable[[], Any]]:
    """What an implementation without counts would ask."""
    of_all = (
        select(Record.status, func.count())
        .join(Session, Session.id == Record.session_id)
        .where(Record.organisation_id == organisation_id)
    )
    by_student = select(Record.student_id, Class.subject_id, Record.status, func.count())
    by_student = by_student.join(Session, Session.id == Record.session_id).join(Class, Class.id == Session.class_id)

    def ask(query: Any) -> Callable[[], Any]:
        return lambda: db.session.execute(query).all()

    day = select(Record, Session, User).join(Session, Session.id == Record.session_id)
    day = day.join(User, User.id == Record.student_id).where(Record.organisation_id == organisation_id)
    latest = select(func.max(Session.session_date)).where(Session.closed_at.is_not(None)).scalar_subquery()
    return {
        "by day": ask(of_all.add_columns(Session.session_date).group_by(Session.session_date, Record.status)),
        "by class": ask(of_all.add_columns(Session.class_id).group_by(Session.class_id, Record.status)),
        "by student and subject": ask(by_student.group_by(Record.student_id, Class.subject_id, Record.status)),
        "a day's records": ask(day.where(Session.session_date == latest)),
    }


def calls(
    cast: Cast, teacher: Person, class_id: str, students: list[str]
) -> Iterator[tuple[str, str, Callable[[], Any]]]:
    """What is asked, beside which plain statement, and how."""
    admin = cast.person(Role.ADMIN)
    yesterday = (clock.now() - timedelta(days=1)).date()

    def get(path: str) -> Callable[[], Any]:
        def ask() -> None:
            answer = admin.get(f"/api/{path}")
            assert answer.status_code == 200, answer.text

        return ask

    yield "dashboard of the office", "by day", get("dashboard/stats")
    yield "dashboard of the administrator", "by day", get("admin/dashboard/stats")
    yield "dashboard of a teacher", "by class", lambda: teacher.get("/api/dashboard/teacher")
    yield "trends by month", "by day", get("reports/attendance/trends?interval=month")
    yield "organisation's summary", "by class", get("reports/organization/summary?per_page=100")
    yield "a page by student and subject", "by student and subject", get("attendance/reports?per_page=50")
    yield "people by what they missed", "by student and subject", get("reports/attendance/people?standing=chronic")
    yield "a person's report", "by student and subject", get(f"reports/user/{students[0]}/detailed")
    yield "a page of a day's records", "a day's records", get(f"attendance?per_page=50&date={yesterday}")
    yield "a page of all records", "a day's records", get("attendance?per_page=50")

    def mark() -> None:
        body = {"class_id": class_id, "session_name": "Bench"}
        session = teacher.post("/api/attendance/create-session", body).json["id"]
        marks = [{"student_id": id_, "status": "present"} for id_ in students]
        answer = teacher.post(f"/api/attendance/session/{session}/marks", {"marks": marks})
        assert answer.status_code == 200, answer.text

    yield "marking a class of 200", "by day", mark


def main(records: int, rounds: int) -> None:
    for kind in listening():
        if kind == "mariadb":
            continue
        with tempfile.TemporaryDirectory() as name, database(kind, Path(name), "rollcall_bench") as url:
            app = create_app(settings_for(Path(name), database_url=url, ratelimit_enabled=False))
            with app.app_context():
                installation.prepare()
                cast = Cast(app)
                teacher = cast.teacher()
                begun = time.perf_counter()
                class_id, students = fill(teacher, records // STUDENTS)
                filled = time.perf_counter()
                counting.count_due()
                if kind == "postgresql":
                    db.session.connection().exec_driver_sql("ANALYZE")
                    db.session.commit()
                print(f"{kind}: {records:,} records in {filled - begun:.0f} s, "
                      f"counted in {time.perf_counter() - filled:.0f} s", flush=True)  # fmt: skip
                organisation_id = db.session.scalar(select(Organisation.id).where(Organisation.is_default.is_(True)))
                assert organisation_id
                db.session.remove()
                asked = list(calls(cast, teacher, class_id, students))
                plain = plainly(organisation_id)
                theirs = {which: statistics.median(_seconds(plain[which]) for _ in range(rounds)) for which in plain}
                for what, beside, ours in asked:
                    _seconds(ours)
                    took = statistics.median(_seconds(ours) for _ in range(rounds))
                    print(f"  {what}: {took * 1e3:.0f} ms, {beside} plainly {theirs[beside] * 1e3:.0f} ms; "
                          f"1 : {theirs[beside] / took:.0f}", flush=True)  # fmt: skip
                db.session.remove()
                db.engine.dispose()
            app.extensions["face_pool"].close()
            app.extensions["backend"].close()


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    db.session.rollback()
    return time.perf_counter() - begun


if __name__ == "__main__":
    numbers = [int(text.replace(",", "")) for text in sys.argv[1:]]
    main(*(numbers + [1_000_000, 5][len(numbers) :]))
