"""Dashboards, reports, pages of records and marking a class of 200, beside what is plainly asked of all records.

    PYTHONPATH=. python bench/reports.py [RECORDS] [ROUNDS] [KIND]

Fills 100,000 and RECORDS (1,000,000 unless said otherwise) of 10,000 students in 400 classes, one session of each
class a day, on SQLite and PostgreSQL (or KIND alone); counts them, and then, one after the other, times each call
through the application beside the statements that a plain implementation would ask for it, by turns. Medians, in one
run; at last, how much longer each call takes with RECORDS than with 100,000.
"""

from __future__ import annotations

import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any, cast

from apiflask import APIFlask
from sqlalchemy import Table, Uuid, and_, bindparam, func, insert, select, text
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
from app.services import counting, installation, statistics
from tests.conftest import Cast, Person, settings_for
from tests.databases import database, listening
from tests.factories import make

STUDENTS, CLASSES = 10_000, 400
MARKED = 200
SMALL = 100_000
REPEATS = 20
"""Days after which statuses come again."""
BEFORE = 10
"""Calls that are not timed: PostgreSQL decides how it plans a prepared statement when it has been asked five times."""
EACH_ROUND = 5
"""Calls of ours to one of what is plainly asked: short as they are, whatever else goes on disturbs them more."""


@dataclass
class Filled:
    """An installation with records, a teacher of it, and MARKED students of their class, of whom the first is signed
    in."""

    app: APIFlask
    cast: Cast
    teacher: Person
    student: Person
    class_id: str
    students: list[str]


def fill(teacher: Person, student: Person, days: int) -> tuple[str, list[str]]:
    """A class, and the ids of MARKED students who are in it, of whom this one is the first."""
    assert student.id
    organisation = {"organisation_id": teacher.organisation_id, "created_at": clock.now()}
    subject = make(Subject, name="Maths", organisation_id=teacher.organisation_id)
    classes, students = [uuid7() for _ in range(CLASSES)], [student.id, *(uuid7() for _ in range(STUDENTS - 1))]
    _insert(Class, [organisation | {"id": id_, "name": f"Class {n}", "join_code": f"{n:06}", "subject_id": subject.id,
                                    "description": "", "is_active": True, "policy": {}}
                    for n, id_ in enumerate(classes)])  # fmt: skip
    person = organisation | {"role": Role.STUDENT, "status": UserStatus.ACTIVE, "first_name": "Ada"}
    _insert(User, [person | {"id": id_, "last_name": f"Lovelace {n}"} for n, id_ in enumerate(students) if n])
    made_by = organisation | {"created_by_id": teacher.id, "is_event": False, "is_changed": False, "description": ""}
    record = organisation | {"source": Source.MANUAL, "verification": Verification.VERIFIED, "is_office": False}
    record |= {"forgot_to_check_out": False, "marked_by_id": teacher.id, "flags": []}
    statuses = [Status.PRESENT] * 17 + [Status.ABSENT] * 2 + [Status.LATE]
    before: list[list[uuid.UUID]] = []
    records = cast(Table, Record.__table__)
    for index in records.indexes:  # made at once they take minutes, and each record by itself hours
        index.drop(db.session.connection())
    for day in range(days):
        begin = clock.now() - timedelta(days=days - day)
        times: dict[str, Any] = {
            "session_date": begin.date(),
            "ends_at": begin + timedelta(hours=1),
        }
        times |= {"closed_at": begin + timedelta(hours=2), "changed_at": begin, "policy": {}}
        sessions = [uuid7() for _ in classes]
        _insert(Session, [made_by | times | {"id": id_, "class_id": of, "name": "Lesson",
                                             "starts_at": begin + timedelta(seconds=n)}
                          for n, (id_, of) in enumerate(zip(sessions, classes, strict=True))])  # fmt: skip
        said = record | {"changed_at": begin}
        if day < REPEATS:
            _insert(Record, [said | {"id": uuid7(), "session_id": sessions[n % CLASSES], "student_id": id_,
                                     "marked_at": begin + timedelta(seconds=n % CLASSES),
                                     "status": statuses[(n * 7 + day * 3) % REPEATS]}
                             for n, id_ in enumerate(students)])  # fmt: skip
        else:
            _repeat(before[day - REPEATS][0], sessions[0], day)
        before.append(sessions)
        db.session.commit()
        if day == REPEATS:
            statistics.refresh()  # else SQLite looks for the repeated day's records among all of them
    for index in records.indexes:
        index.create(db.session.connection())
    db.session.commit()
    big = make(Class, organisation_id=teacher.organisation_id)
    for class_id in (big.id, classes[0]):
        make(ClassTeacher, class_id=class_id, teacher_id=teacher.id, organisation_id=teacher.organisation_id)
    joined = organisation | {"class_id": big.id, "starts_on": clock.today("UTC"), "is_current": True}
    _insert(Enrolment, [joined | {"id": uuid7(), "student_id": id_} for id_ in students[:MARKED]])
    db.session.commit()
    return str(big.id), [str(id_) for id_ in students[:MARKED]]


def _repeat(earlier: uuid.UUID, later: uuid.UUID, day: int) -> None:
    """Records of the day of one session, like those of the day of another, within the database."""
    number = f"{day:08x}"
    id_ = {
        "sqlite": f"'{number}' || lower(hex(randomblob(12)))",
        "postgresql": f"('{number}' || left(md5(random()::text || r.id::text), 24))::uuid",
    }[db.engine.dialect.name]
    new = {"id": id_, "session_id": "l.id", "marked_at": "l.starts_at", "changed_at": "l.starts_at"}
    columns = {column.name: new.get(column.name, f"r.{column.name}") for column in Record.__table__.columns}
    db.session.execute(
        text(
            f"INSERT INTO records ({', '.join(columns)}) SELECT {', '.join(columns.values())} "  # noqa: S608 - ours
            "FROM sessions AS one JOIN sessions AS e ON e.session_date = one.session_date "
            "JOIN sessions AS other ON other.id = :later "
            "JOIN sessions AS l ON l.session_date = other.session_date AND l.class_id = e.class_id "
            "JOIN records AS r ON r.organisation_id = e.organisation_id AND r.session_id = e.id WHERE one.id = :earlier"
        ).bindparams(bindparam("earlier", type_=Uuid()), bindparam("later", type_=Uuid())),
        {"earlier": earlier, "later": later},
    )


def _insert(model: Any, rows: list[dict[str, Any]]) -> None:
    db.session.connection().execute(insert(model.__table__), rows)


def plainly(organisation_id: uuid.UUID, today: date, student: str) -> dict[str, Callable[[], Any]]:
    """What an implementation without counts and cursors would ask, by the calls that it is for."""
    own = Record.organisation_id == organisation_id
    of_all = select(Record.status, func.count()).join(Session, Session.id == Record.session_id).where(own)
    since = date(today.year + (today.month - 6) // 12, (today.month - 6) % 12 + 1, 1)
    recent = of_all.where(Session.session_date >= since)
    by_day = of_all.add_columns(Session.session_date).group_by(Session.session_date, Record.status)
    by_student = select(Record.student_id, Class.subject_id, Record.status, func.count()).where(own)
    by_student = by_student.join(Session, Session.id == Record.session_id).join(Class, Class.id == Session.class_id)
    by_student = by_student.group_by(Record.student_id, Class.subject_id, Record.status)
    by_class = of_all.add_columns(Session.class_id).group_by(Session.class_id, Record.status)
    shown = select(Record, Session, User).join(Session, Session.id == Record.session_id)
    shown = shown.join(User, User.id == Record.student_id).where(own)
    yesterday = shown.where(Session.session_date == today - timedelta(days=1))
    # by day, too: when they were marked our index knows, which belongs to ours
    latest = shown.order_by(Session.session_date.desc(), Record.marked_at.desc()).limit(50)
    people = select(User.role, func.count()).where(User.organisation_id == organisation_id).group_by(User.role)
    sessions = select(func.count()).where(Session.organisation_id == organisation_id)
    is_over = and_(
        Session.organisation_id == organisation_id,
        Session.session_date >= today - timedelta(days=30),
        Session.ends_at < clock.now(),
    )
    of_session = and_(Record.organisation_id == organisation_id, Record.session_id == Session.id)
    not_taken = select(Session.id).outerjoin(Record, of_session).where(is_over)
    not_taken = not_taken.group_by(Session.id).having(func.count(Record.id) == 0)
    dashboard = [recent.where(Session.session_date == today).group_by(Record.status),
                 recent.group_by(Record.status),
                 recent.add_columns(Session.session_date).group_by(Session.session_date, Record.status),
                 select(Record).where(own).order_by(Record.marked_at.desc()).limit(10)]  # fmt: skip

    def ask(*queries: Any) -> Callable[[], Any]:
        return lambda: [db.session.execute(query).all() for query in queries]

    return {
        "dashboard of the office": ask(people, *dashboard),
        "dashboard of the administrator": ask(people, sessions, *dashboard[:2]),
        "dashboard of a teacher": ask(by_class, not_taken),
        "dashboard of a student": ask(*(query.where(Record.student_id == uuid.UUID(student))
                                        for query in (of_all.group_by(Record.status), by_class, by_student))),
        "trends by month": ask(by_day),
        "organisation's summary": ask(by_class, by_student, of_all.group_by(Record.status)),
        "a page by student and subject": ask(by_student),
        "people by what they missed": ask(by_student),
        "a person's report": ask(by_student.where(Record.student_id == uuid.UUID(student))),
        "a page of a day's records": ask(yesterday),
        "a page of all records": ask(select(func.count()).select_from(shown.subquery()), latest),
        "the next page of all records": ask(select(func.count()).select_from(shown.subquery()), latest.offset(50)),
        "the last page of all records": ask(select(func.count()).select_from(shown.subquery()),
                                            latest.order_by(None).order_by(Session.session_date, Record.marked_at)),
    }  # fmt: skip


def calls(of: Filled) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What is asked, and how."""
    admin, teacher, students = of.cast.person(Role.ADMIN), of.teacher, of.students
    yesterday = (clock.now() - timedelta(days=1)).date()

    def get(path: str, person: Person = admin) -> Callable[[], Any]:
        def ask() -> None:
            answer = person.get(f"/api/{path}")
            assert answer.status_code == 200, answer.text

        return ask

    yield "dashboard of the office", get("dashboard/stats")
    yield "dashboard of the administrator", get("admin/dashboard/stats")
    yield "dashboard of a teacher", get("dashboard/teacher", teacher)
    yield "dashboard of a student", get("dashboard/student", of.student)
    yield "trends by month", get("reports/attendance/trends?interval=month")
    yield "organisation's summary", get("reports/organization/summary?per_page=100")
    yield "a page by student and subject", get("attendance/reports?per_page=50")
    yield "people by what they missed", get("reports/attendance/people?standing=chronic")
    yield "a person's report", get(f"reports/user/{students[0]}/detailed")
    yield "a page of a day's records", get(f"attendance?per_page=50&date={yesterday}")
    path = "attendance?per_page=50"
    yield "a page of all records", get(path)
    yield "the next page of all records", get(f"{path}&after={admin.get(f'/api/{path}').json['next']}")
    yield "the last page of all records", get(f"{path}&sort=date")

    def mark() -> None:
        body = {"class_id": of.class_id, "session_name": "Bench"}
        session = teacher.post("/api/attendance/create-session", body).json["id"]
        marks = [{"student_id": id_, "status": "present"} for id_ in students]
        answer = teacher.post(f"/api/attendance/session/{session}/marks", {"marks": marks})
        assert answer.status_code == 200, answer.text

    yield "marking a class of 200", mark


@contextmanager
def filled(kind: str, records: int) -> Iterator[Filled]:
    with tempfile.TemporaryDirectory() as name, database(kind, Path(name), f"rollcall_bench_{records}") as url:
        app = create_app(settings_for(Path(name), database_url=url, ratelimit_enabled=False))
        with app.app_context():
            installation.prepare()
            cast = Cast(app)
            teacher, student = cast.teacher(), cast.student()
            begun = time.perf_counter()
            class_id, students = fill(teacher, student, records // STUDENTS)
            filled = time.perf_counter()
            counting.count_due()
            counted = time.perf_counter()
            statistics.refresh()  # as every day
            if kind == "postgresql":  # as autovacuum does
                with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.exec_driver_sql("VACUUM (ANALYZE)")
            print(f"{kind}: {records:,} records in {filled - begun:.0f} s, counted in {counted - filled:.0f} s, "
                  f"statistics in {time.perf_counter() - counted:.1f} s", flush=True)  # fmt: skip
            db.session.remove()
        yield Filled(app, cast, teacher, student, class_id, students)
        with app.app_context():
            db.engine.dispose()
        app.extensions["face_pool"].close()
        app.extensions["backend"].close()


def measure(of: Filled, rounds: int) -> dict[str, float]:
    """Seconds that each call takes."""
    took = dict[str, float]()
    with of.app.app_context():
        organisation_id = db.session.scalar(select(Organisation.id).where(Organisation.is_default.is_(True)))
        assert organisation_id
        db.session.remove()
        plain = plainly(organisation_id, clock.today("UTC"), of.students[0])
        for what, ours in calls(of):
            for _ in range(BEFORE):
                _seconds(ours)
            our_times, plain_times = list[float](), list[float]()
            for _ in range(rounds):
                our_times += [_seconds(ours) for _ in range(EACH_ROUND)]
                plain_times += [_seconds(plain[what])] if what in plain else []
            took[what] = median(our_times)
            said = f"  {what}: {took[what] * 1e3:.0f} ms"
            if plain_times:
                said += f", plainly {median(plain_times) * 1e3:.0f} ms; 1 : {median(plain_times) / took[what]:.0f}"
            print(said, flush=True)
        db.session.remove()
    return took


def main(records: int, rounds: int, *kinds: str) -> None:
    for kind in kinds or [kind for kind in listening() if kind != "mariadb"]:
        with filled(kind, SMALL) as few, filled(kind, records) as many:
            took = []
            for of, size in ((few, SMALL), (many, records)):
                print(f"With {size:,}:")
                took.append(measure(of, rounds))
        for what, small in took[0].items():
            print(f"  {what}: {took[1][what] / small:.1f} times as long with {records:,} as with {SMALL:,}")


def _seconds(work: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    work()
    db.session.rollback()
    return time.perf_counter() - begun


if __name__ == "__main__":
    records, rounds, *kinds = [*sys.argv[1:], *("1_000_000", "5")[len(sys.argv) - 1 :]]
    main(int(records.replace(",", "")), int(rounds), *kinds)
