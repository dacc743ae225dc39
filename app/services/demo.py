"""A believable school and an evening college, for trying things out: the same people and marks every time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from typing import Any

from sqlalchemy import Table, insert, select
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Base, Class, ClassTeacher, Enrolment, Organisation, Record, Role, Session, Status, User
from app.services.classes import draw_join_code
from app.services.installation import OPEN
from app.services.passwords import hash_password
from app.services.transaction import transaction

PASSWORD = "rollcall demo"  # noqa: S105 - printed, for demonstrations only
WEEKS = 6

Row = dict[str, Any]
GIVEN = (
    "Ada Amara Beatriz Carlos Chen Dimitri Elena Emeka Fatima Giulia Hana Ingrid Ivan Jamal Joana Kenji Leila Liam "
    "Lucia Maya Miguel Nadia Noah Olga Omar Priya Rafael Rosa Samir Sofia Tariq Tomas Uma Vera Wei Yara Yusuf Zoe"
).split()
FAMILY = (
    "Abebe Almeida Andersen Baptista Costa Diallo Eriksson Ferreira Fischer Garcia Haddad Hansen Ito Ivanova Jensen "
    "Kaya Kim Kowalski Kumar Larsen Li Lopez Martins Mensah Moreau Nguyen Novak Okafor Pereira Popescu Rossi Sato "
    "Silva Singh Tanaka Weber Yilmaz Zhang"
).split()


@dataclass(frozen=True, slots=True)
class Plan:
    """An organisation of the demonstration: each class has one teacher, and lessons on some days (0 = Monday)."""

    name: str
    domain: str
    time_zone: str
    classes: Sequence[str]
    students_per_class: int
    days: Sequence[int]


PLANS = (
    Plan("Demo School", "school.example.org", "Europe/Lisbon",
         ["Mathematics 7a", "Mathematics 7b", "Physics 8a", "History 8b", "Biology 9a"], 24, [0, 1, 2, 3, 4]),
    Plan("Demo Evening College", "college.example.org", "America/Sao_Paulo",
         ["Accounting", "Nursing", "Web Programming"], 18, [1, 3]),
)  # fmt: skip


@transaction
def make() -> list[str]:
    """Make what is not there yet, and say how to sign in. What is there stays, with all that was done to it."""
    password_hash = hash_password(PASSWORD)
    lines = []
    for plan in PLANS:
        there = db.session.scalar(select(Organisation.id).where(Organisation.name == plan.name))
        if there is None:
            _make(plan, password_hash)
        lines.append(f"{plan.name}{' (was there already)' if there else ''}")
        lines += [f"  {role:8} {role}@{plan.domain}" for role in ("admin", "teacher", "student")]
    return [*lines, f"Password of all: {PASSWORD}"]


def _make(plan: Plan, password_hash: str) -> None:
    chance = Random(plan.name)  # noqa: S311 - the same people every time is what is wanted
    organisation = Organisation(name=plan.name, time_zone=plan.time_zone, settings=OPEN)
    db.session.add(organisation)
    db.session.flush()
    own = {"organisation_id": organisation.id}
    people = _people(plan, own | {"password_hash": password_hash}, chance)
    _insert(User, people)
    teachers = [person for person in people if person["role"] == Role.TEACHER]
    students = [person for person in people if person["role"] == Role.STUDENT]
    today = clock.today(plan.time_zone)
    days = [day for day in _days_before(today, WEEKS) if day.weekday() in plan.days]
    for number, (name, teacher) in enumerate(zip(plan.classes, teachers, strict=True)):
        room = {"id": uuid7(), **own, "name": name, "description": "", "join_code": draw_join_code()}
        _insert(Class, [room])
        _insert(ClassTeacher, [{"id": uuid7(), **own, "class_id": room["id"], "teacher_id": teacher["id"]}])
        of_class = students[number * plan.students_per_class :][: plan.students_per_class]
        enrolled = {**own, "class_id": room["id"], "starts_on": days[0]}
        _insert(Enrolment, [enrolled | {"id": uuid7(), "student_id": student["id"]} for student in of_class])
        _hold_sessions(room, teacher, of_class, days, chance)


def _people(plan: Plan, common: Row, chance: Random) -> list[Row]:
    """An administrator, a teacher for each class and the students; the first of each has an easy email."""
    roles = [Role.ADMIN] + [Role.TEACHER] * len(plan.classes)
    roles += [Role.STUDENT] * (len(plan.classes) * plan.students_per_class)
    people, seen = [], set[str]()
    for number, role in enumerate(roles):
        first, last = chance.choice(GIVEN), chance.choice(FAMILY)
        address = f"{first}.{last}.{number}".lower() if role in seen else role.value
        seen.add(role)
        names = {"first_name": first, "last_name": last, "email": f"{address}@{plan.domain}"}
        people.append({"id": uuid7(), **common, **names, "role": role})
    return people


def _hold_sessions(room: Row, teacher: Row, students: Sequence[Row], days: Sequence[date], chance: Random) -> None:
    """A session a day, all marked; some students come less often than others."""
    reliability = [chance.betavariate(12, 1.2) for _ in students]
    own = {"organisation_id": room["organisation_id"]}
    sessions, records = [], []
    for day in days:
        session = {"id": uuid7(), **own, "class_id": room["id"], "name": room["name"], "session_date": day}
        sessions.append(session | {"created_by_id": teacher["id"]})
        marked = {**own, "session_id": session["id"], "marked_by_id": teacher["id"]}
        marked["marked_at"] = datetime.combine(day, time(9, 5), UTC)
        for student, likely in zip(students, reliability, strict=True):
            status = _status(likely, chance)
            records.append(marked | {"id": uuid7(), "student_id": student["id"], "status": status})
    _insert(Session, sessions)
    _insert(Record, records)


def _status(likely: float, chance: Random) -> Status:
    if chance.random() < likely:
        return Status.LATE if chance.random() < 0.06 else Status.PRESENT  # noqa: PLR2004 - one in sixteen
    return Status.EXCUSED if chance.random() < 0.4 else Status.ABSENT  # noqa: PLR2004 - two in five


def _days_before(today: date, weeks: int) -> Iterator[date]:
    return (today - timedelta(days=back) for back in range(7 * weeks, 0, -1))


def _insert(model: type[Base], rows: Sequence[Row]) -> None:
    table = model.__table__
    assert isinstance(table, Table)  # noqa: S101 - for the type checker
    db.session.execute(insert(table), rows)
