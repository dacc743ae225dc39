"""Whatever happens, and in whatever order: the figures are those of the records, counted one by one."""

from __future__ import annotations

import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, select, update

from app import clock
from app.extensions import db
from app.models import Class, DayCount, Department, Record, Role, Session, Source, Status, StudentProfile, User
from app.services import counting, sign_in
from app.services.caller import Caller
from app.services.counting import count_due
from app.services.figures import Basis, By, Figure, Filters, absences_in_a_row, figures, total
from app.services.sessions import Days
from app.services.transaction import transaction
from tests.conftest import Cast, Person
from tests.factories import make
from tests.statements import counted
from tests.story import Classroom

MONDAY = datetime(2026, 3, 2, 8, 0, tzinfo=UTC)
NAMES = ("Ada", "Grace", "Mary", "Emmy")
STEPS = 60


class World:
    """Two classes, what can happen in them, and the records counted one by one."""

    def __init__(self, cast: Cast, monkeypatch: pytest.MonkeyPatch, seed: int) -> None:
        self.cast, self.patch, self.dice = cast, monkeypatch, random.Random(seed)
        self.now = MONDAY
        self.at()
        self.office = cast.person(Role.ADMIN)
        self.rooms = [Classroom.open(cast), Classroom.open(cast)]
        for room in self.rooms:
            for name in NAMES:
                room.join(name)
        self.students = [student for room in self.rooms for student in room.students.values()]
        self.sessions: list[str] = []
        self.room_of: dict[str, Classroom] = {}

    def at(self, **by: float) -> None:
        self.now += timedelta(**by)
        moment = self.now
        self.patch.setattr(clock, "now", lambda: moment)

    def do(self, person: Person, path: str, body: Any = None, method: str = "post") -> Any:
        answer = getattr(person, method)(path, body) if body is not None else getattr(person, method)(path)
        assert answer.status_code < 500, answer.text
        return answer.json

    def session(self) -> None:
        room = self.dice.choice(self.rooms)
        times = {}
        if self.dice.random() < 0.7:
            times = {"start_time": self.now.isoformat(), "end_time": (self.now + timedelta(hours=1)).isoformat()}
        made = self.do(room.teacher, "/api/admin/sessions", {"session_name": "Maths", "class_id": room.id} | times)
        if not times:
            made = self.do(room.teacher, "/api/attendance/create-session", {"class_id": room.id, "session_name": "M"})
        self.sessions.append(made["id"])
        self.room_of[made["id"]] = room

    def mark(self) -> None:
        session = self.dice.choice(self.sessions)
        person = self.dice.choice([self.room_of[session].teacher, self.office])
        for student in self.dice.sample(self.students, 4):  # each by itself: who is not in the class is refused
            mark = {"student_id": str(student.id), "status": self.dice.choice(list(Status))}
            self.do(person, f"/api/attendance/session/{session}/marks", {"marks": [mark]})

    def check_in(self) -> None:
        for student in self.dice.sample(self.students, 2):
            self.do(student, "/api/attendance/check-in", {"session_id": self.dice.choice(self.sessions)})

    def close(self) -> None:
        self.do(self.office, f"/api/attendance/session/{self.dice.choice(self.sessions)}/close", {"reason": "late"})

    def reopen(self) -> None:
        self.do(self.office, f"/api/attendance/session/{self.dice.choice(self.sessions)}/reopen", {"reason": "wrong"})

    def cancel(self) -> None:
        what = self.dice.choice(["cancel", "restore", "restore"])
        self.do(self.office, f"/api/attendance/session/{self.dice.choice(self.sessions)}/{what}", {"reason": "snow"})

    def move(self) -> None:
        moved = self.now - timedelta(days=self.dice.randrange(5))
        times = {"start_time": moved.isoformat(), "end_time": (moved + timedelta(hours=1)).isoformat()}
        self.do(self.office, f"/api/attendance/session/{self.dice.choice(self.sessions)}", times, "put")

    def away(self) -> None:
        first = self.now.date() - timedelta(days=self.dice.randrange(4))
        body = {"first_day": str(first), "last_day": str(first + timedelta(days=2)), "reason": "A wedding"}
        asked = self.do(self.dice.choice(self.students), "/api/leave-requests", body)
        if "id" in asked:
            decision = {"approve": True, "counts_as": self.dice.choice(["excused", "leave"])}
            self.do(self.office, f"/api/leave-requests/{asked['id']}/decision", decision)

    def transfer(self) -> None:
        student, (one, other) = self.dice.choice(self.students), self.dice.sample(self.rooms, 2)
        self.do(self.office, f"/api/students/{student.id}/transfer", {"from_class_id": one.id, "to_class_id": other.id})

    def release(self) -> None:
        session = self.dice.choice(self.sessions)
        records = self.do(self.office, f"/api/attendance/session/{session}/records", method="get").get("items", [])
        for record in records[:2]:
            self.do(self.office, f"/api/attendance/records/{record['id']}/override?reason=no", method="delete")

    def erase(self) -> None:
        """A record is deleted by a statement of which nobody has thought yet."""
        with self.cast.app.app_context():
            session = uuid.UUID(self.dice.choice(self.sessions))
            one = select(Record.id).where(Record.session_id == session).limit(1)
            if (id_ := db.session.scalar(one)) is not None:
                gone = delete(Record).where(Record.id == id_)
                transaction(lambda: db.session.execute(gone))()

    def late(self) -> None:
        """All records of one session become late, by one statement."""
        with self.cast.app.app_context():
            of_it = Record.session_id == uuid.UUID(self.dice.choice(self.sessions))
            transaction(lambda: db.session.execute(update(Record).where(of_it).values(status=Status.LATE)))()

    def count(self) -> None:
        with self.cast.app.app_context():
            count_due()

    def day(self) -> None:
        self.at(days=self.dice.choice([1, 2, 4]))

    def step(self) -> None:
        often: list[Callable[[], None]] = [
            self.session,
            self.session,
            self.mark,
            self.mark,
            self.close,
            self.count,
            self.count,
        ]
        often += [self.day, self.check_in, self.check_in]
        rarely = [self.reopen, self.cancel, self.move, self.away, self.transfer, self.release, self.erase, self.late]
        self.dice.choice([*often, *rarely] if self.sessions else [self.session])()


@pytest.fixture(params=[1, 2, 3])
def world(cast: Cast, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> World:
    with cast.app.app_context():
        if request.param > 1 and db.engine.dialect.name != "sqlite":
            pytest.skip("one course of things shows what a database does differently")
    return World(cast, monkeypatch, request.param)


@dataclass
class Seen:
    """A record, and what it is looked at by."""

    record: Record
    session: Session
    by: dict[By, Any]
    department: str | None
    year: str | None
    is_taken: bool

    def counts(self, filters: Filters) -> bool:
        session, begins = self.session, self.session.starts_at
        begun = begins <= clock.now() if begins else session.session_date <= clock.now().date()
        wanted = filters.student_ids
        return (
            begun
            and session.cancelled_at is None
            and (filters.basis == Basis.SCHEDULED or self.is_taken)
            and (filters.days.first or date.min) <= session.session_date <= (filters.days.last or date.max)
            and filters.class_id in {None, session.class_id}
            and (filters.class_ids is None or session.class_id in filters.class_ids)
            and filters.subject_id in {None, self.by[By.SUBJECT]}
            and filters.student_id in {None, self.record.student_id}
            and (wanted is None or self.record.student_id in wanted)
            and filters.department in {None, self.department}
            and filters.year in {None, self.year}
        )


def all_seen() -> list[Seen]:
    sessions = {row.id: row for row in db.session.scalars(select(Session))}
    records = list(db.session.scalars(select(Record)))
    taken = {record.session_id for record in records if record.source not in {Source.CLOSE, Source.LEAVE}}
    classes = {row.id: row.subject_id for row in db.session.scalars(select(Class))}
    names: dict[Any, str] = {row.id: row.name for row in db.session.scalars(select(Department))}
    departments = {row.id: names.get(row.department_id) for row in db.session.scalars(select(User))}
    years = {row.user_id: row.year for row in db.session.scalars(select(StudentProfile))}
    found = []
    for record in records:
        session, person = sessions[record.session_id], record.student_id
        subject = session.subject_id or (session.class_id and classes[session.class_id])
        by = {By.DAY: session.session_date, By.CLASS: session.class_id, By.PERSON: person, By.SUBJECT: subject}
        found.append(Seen(record, session, by, departments[person], years.get(person), session.id in taken))
    return found


def one_by_one(seen: list[Seen], filters: Filters, *by: By) -> dict[Any, tuple[int, Counter[Status]]]:
    """For each key, the sessions and the statuses: from all records, looked at one by one."""
    of_people = filters.student_id or filters.department or filters.year or filters.student_ids or By.PERSON in by
    found: dict[Any, tuple[set[Any], Counter[Status]]] = {}
    for one in seen:
        key = tuple(one.by[each] for each in by)
        if one.counts(filters) and None not in key:
            ids, statuses = found.setdefault(key, (set(), Counter()))
            ids.add((one.session.id, one.record.student_id) if of_people else one.session.id)
            statuses[one.record.status] += 1
    return {key: (len(ids), statuses) for key, (ids, statuses) in found.items()}


def missed_in_a_row(seen: list[Seen], filters: Filters) -> Counter[uuid.UUID]:
    """Of each person, looked at one by one."""
    longest_ago = datetime.min.replace(tzinfo=UTC)
    missed = Counter[uuid.UUID]()
    for one in sorted(
        seen, key=lambda of: (of.session.session_date, of.session.starts_at or longest_ago, of.session.id)
    ):
        if one.counts(filters) and one.record.status in {Status.PRESENT, Status.LATE}:
            del missed[one.record.student_id]
        elif one.counts(filters) and one.record.status == Status.ABSENT:
            missed[one.record.student_id] += 1
    return missed


def as_counted(figure: Figure) -> tuple[int, Counter[Status]]:
    counts = figure.counts
    assert counts.unmarked == 0
    return figure.sessions, Counter({s: n for s in Status if (n := getattr(counts, s.value))})


def questions(world: World) -> Iterator[tuple[Filters, tuple[By, ...]]]:
    days = Days(MONDAY.date() + timedelta(days=2), MONDAY.date() + timedelta(days=9))
    long = Days(MONDAY.date() - timedelta(days=3), MONDAY.date() + timedelta(days=40))
    one = Filters(class_id=uuid.UUID(world.rooms[0].id))
    person = Filters(student_id=world.students[0].id)
    some = frozenset(student.id for student in world.students[:3] if student.id)
    for basis in Basis:
        for filters in (Filters(), Filters(days=days), one, person, replace(person, days=days, year="7")):
            yield replace(filters, basis=basis), ()
            yield replace(filters, basis=basis), (By.DAY,)
        yield Filters(basis=basis), (By.CLASS, By.DAY)
        for span in (Days(), long, Days(MONDAY.date().replace(day=1)), Days(None, MONDAY.date() + timedelta(days=34))):
            yield Filters(basis=basis, days=span), (By.PERSON,)
            yield Filters(basis=basis, days=span, department="Science"), ()
        for span in (Days(date.min, date.max), Days(date.min), Days(long.last, long.first), Days(date.max)):
            yield Filters(basis=basis, days=span), ()
        yield Filters(basis=basis, year="7"), (By.PERSON,)
        yield Filters(basis=basis, department="Science"), (By.DAY,)
        yield Filters(basis=basis, days=days, student_ids=some), (By.PERSON,)
        yield Filters(basis=basis, year="7", student_ids=some), (By.PERSON, By.CLASS)
        yield replace(one, basis=basis), (By.PERSON,)
        yield Filters(basis=basis, days=days), (By.PERSON, By.SUBJECT)
        yield Filters(basis=basis, class_ids=[uuid.UUID(room.id) for room in world.rooms[1:]]), (By.CLASS,)


def admin(world: World) -> Caller:
    assert world.office.id is not None
    return sign_in.caller_for(world.office.id, None)


def in_a_row(world: World, filters: Filters, at_least: int | None) -> dict[Any, int]:
    return dict(map(tuple, db.session.execute(absences_in_a_row(admin(world), filters, at_least))))


def check(world: World) -> int:
    """How many figures were compared."""
    compared = 0
    with world.cast.app.app_context():
        seen = all_seen()
        for filters, by in questions(world):
            found = {key: as_counted(figure) for key, figure in figures(admin(world), filters, *by).items()}
            assert found == one_by_one(seen, filters, *by), (filters, by)
            compared += len(found)
            missed = missed_in_a_row(seen, filters)
            for at_least in (None, 1, 2, 3) if by == (By.PERSON,) else ():
                expected = {who: count for who, count in missed.items() if count >= (at_least or 1)}
                assert in_a_row(world, filters, at_least) == expected, (filters, at_least)
        everything = select(func.count()).where(Session.organisation_id == admin(world).organisation_id)
        counted = counting.how_many_sessions(admin(world).organisation_id)
        assert db.session.scalar(counted) == db.session.scalar(everything)
        for room in (None, *(uuid.UUID(room.id) for room in world.rooms)):
            for days in (Days(), Days(MONDAY.date() + timedelta(days=2), MONDAY.date() + timedelta(days=9))):
                there = select(func.count()).join_from(Record, Session).where(days.condition(Session.session_date))
                there = there if room is None else there.where(Session.class_id == room)
                own = admin(world).organisation_id
                assert db.session.scalar(counting.how_many(own, room, days)) == db.session.scalar(
                    there.where(Record.organisation_id == own)
                )
    return compared


def test_the_figures_are_those_of_the_records_whatever_happens(world: World) -> None:
    with world.cast.app.app_context():
        own = {"organisation_id": admin(world).organisation_id}
        science = make(Department, name="Science", **own)
        some = User.id.in_([student.id for student in world.students[:3]])
        db.session.execute(update(User).where(some).values(department_id=science.id))
        for number, student in enumerate(world.students):
            make(StudentProfile, user_id=student.id, year="78"[number % 2], **own)
        db.session.commit()
    compared = 0
    for number in range(STEPS):
        world.step()
        if number % 6 == 0:
            compared += check(world)
    world.at(days=3)
    world.count()
    compared += check(world)
    assert compared > STEPS
    with world.cast.app.app_context():
        kept = counts_kept()
        assert counting.rebuild() > 0
        assert counts_kept() == kept


def test_who_was_there_in_the_morning_has_missed_the_rest_of_the_day(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(cast, monkeypatch, 0)
    room, ada = world.rooms[0], world.rooms[0].students["Ada"]
    for status in (Status.PRESENT, Status.ABSENT, Status.ABSENT):
        times = {"start_time": world.now.isoformat(), "end_time": (world.now + timedelta(hours=1)).isoformat()}
        session = world.do(room.teacher, "/api/admin/sessions", {"session_name": "M", "class_id": room.id} | times)
        marks = {"marks": [{"student_id": str(ada.id), "status": status}]}
        world.do(room.teacher, f"/api/attendance/session/{session['id']}/marks", marks)
        world.at(hours=2)
        world.do(world.office, f"/api/attendance/session/{session['id']}/close", {"reason": "over"})
    with cast.app.app_context():
        assert in_a_row(world, Filters(), 2)[ada.id] == 2
    world.count()
    with cast.app.app_context():
        assert db.session.scalar(select(func.count()).where(Session.counted_at.is_(None))) == 0
        assert in_a_row(world, Filters(), 2)[ada.id] == 2


@pytest.mark.parametrize(
    "change", [update(Record).values(status=Status.LATE), delete(Record)], ids=["update", "delete"]
)
def test_counted_records_that_one_statement_changes_are_counted_anew(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, change: Any
) -> None:
    world = World(cast, monkeypatch, 0)
    for _ in range(3):
        world.session()
        world.mark()
    world.at(days=3)
    for session in world.sessions:
        world.do(world.office, f"/api/attendance/session/{session}/close", {"reason": "over"})
    world.count()
    with cast.app.app_context():
        assert counts_kept()
        own = change.where(Record.organisation_id == admin(world).organisation_id)
        transaction(lambda: db.session.execute(own))()
    check(world)
    world.count()
    check(world)


def counts_kept() -> dict[Any, tuple[int, ...]]:
    rows = db.session.scalars(select(DayCount))
    found = {
        (r.of_id, r.is_month, r.day, r.is_taken): tuple(getattr(r, name) for name in counting.FIGURES) for r in rows
    }
    db.session.rollback()
    return {key: values for key, values in found.items() if any(values)}


def test_a_figure_costs_as_much_however_many_records_are_counted(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(cast, monkeypatch, 0)
    for _ in range(8):
        world.session()
        world.mark()
        world.at(days=1)
    with cast.app.app_context(), counted(cast.app) as said:
        total(admin(world), Filters())
    world.at(days=3)
    for session in world.sessions:
        world.do(world.office, f"/api/attendance/session/{session}/close", {"reason": "over"})
    world.count()
    with cast.app.app_context(), counted(cast.app) as said_then:
        total(admin(world), Filters())
    assert len(said_then) == len(said)
