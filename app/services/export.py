"""Records as files: the rows that fit, in one order, written as CSV, JSON, XLSX or Ed-Fi as they are read.

Every format takes its rows from `rows`, so that the same filters give the same in each; the columns are in
docs/figures.md.
"""

from __future__ import annotations

import csv
import io
import json
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Select, and_, func, or_
from sqlalchemy.orm import aliased

from app.extensions import db
from app.models import Class, Department, Record, Session, Status, StudentProfile, Subject, User
from app.services.caller import Caller
from app.services.figures import Filters, records, subject_of_session
from app.services.tables import safe_cell
from app.services.transaction import release

BATCH = 2000
"""Rows that are read in one statement, and held."""
BOM = "\N{BYTE ORDER MARK}"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows, and how they are written. bom: of CSV, for spreadsheets that take it for Windows' Latin without.
    sheet_per_class: of XLSX. progress: is told of each batch how many rows it has."""

    filters: Filters = field(default_factory=Filters)
    status: Status | None = None
    bom: bool = False
    sheet_per_class: bool = False
    progress: Callable[[int], None] = field(default=lambda _rows: None, compare=False)


@dataclass(frozen=True, slots=True)
class Line:
    """A record. Times are where the organisation is, to the second; minutes: from check-in to check-out."""

    date: date
    session: str
    class_: str | None
    subject: str | None
    last_name: str
    first_name: str
    roll_number: str | None
    department: str | None
    status: Status
    code: str | None
    checked_in: datetime | None
    checked_out: datetime | None
    minutes: float | None
    verified: str
    remarks: str | None
    session_id: uuid.UUID
    student_id: uuid.UUID

    def cells(self) -> list[Any]:
        return [getattr(self, name) for name in self.__slots__]


COLUMNS = [name.rstrip("_") for name in Line.__slots__]
Write = Callable[[Caller, Wanted], Iterator[bytes]]

student, profile = aliased(User), aliased(StudentProfile)
department, subject = aliased(Department), aliased(Subject)
"""By other names: the filters ask for these tables, too."""
ORDER = (Session.session_date, Session.id, Record.student_id)


def require_known(caller: Caller, filters: Filters) -> None:
    """That the class, subject and people that the filters name are the organisation's. Raises NotFound."""
    caller.require(Class, filters.class_id)
    caller.require(Subject, filters.subject_id)
    caller.require(User, filters.student_id)
    caller.require(User, filters.teacher_id)


def count(caller: Caller, wanted: Wanted) -> int:
    return db.session.scalar(fitting(caller, wanted, func.count())) or 0


def rows(caller: Caller, wanted: Wanted, *more: Any, where: Any = None) -> Iterator[tuple[Line, Any]]:
    """The records that fit, by day, session and student, each with its `more` columns, in a statement for each BATCH of
    them.

    where: a condition on the class besides.
    """
    zone = ZoneInfo(caller.time_zone)
    columns = (
        *(Session.session_date, Session.name, Class.name, subject.name, student.last_name, student.first_name),
        *(profile.roll_number, department.name, Record.status, Record.code, Record.checked_in_at),
        *(Record.checked_out_at, Record.verification, Record.remarks, Session.id, Record.student_id),
    )
    query = fitting(caller, wanted, *columns, *more)
    query = query if where is None else query.where(where)
    query = _with_names(caller, query).order_by(*ORDER).limit(BATCH)
    last: Line | None = None
    while True:
        batch = db.session.execute(query if last is None else query.where(_after(last))).all()
        release()
        wanted.progress(len(batch))
        for row in batch:
            last = _line(row, zone)
            yield last, row
        if len(batch) < BATCH:
            return


def fitting(caller: Caller, wanted: Wanted, *columns: Any) -> Select[Any]:
    """Query of the records that fit."""
    query = records(caller, wanted.filters, *columns)
    return query if wanted.status is None else query.where(Record.status == wanted.status)


def _with_names(caller: Caller, query: Select[Any]) -> Select[Any]:
    return (
        query.join(student, and_(student.id == Record.student_id, caller.owns(student)))
        .outerjoin(profile, and_(profile.user_id == Record.student_id, caller.owns(profile)))
        .outerjoin(department, and_(department.id == student.department_id, caller.owns(department)))
        .outerjoin(subject, and_(subject.id == subject_of_session(), caller.owns(subject)))
    )


def _after(last: Line) -> Any:
    """What comes later in ORDER; the first condition is one that an index serves."""
    later = and_(Session.id == last.session_id, Record.student_id > last.student_id)
    return and_(
        Session.session_date >= last.date, or_(Session.session_date > last.date, Session.id > last.session_id, later)
    )


def _line(row: Any, zone: ZoneInfo) -> Line:
    begun, ended = row[10], row[11]
    minutes = round((ended - begun).total_seconds() / 60, 2) if begun and ended else None
    times = (at and at.astimezone(zone).replace(microsecond=0) for at in (begun, ended))
    return Line(*[*row[:10], *times, minutes, row[12].value, *row[13:16]])


def as_csv(caller: Caller, wanted: Wanted) -> Iterator[bytes]:
    """RFC 4180, in UTF-8; no text in it runs as a formula."""
    lines = ([*map(_cell, line.cells())] for line, _ in rows(caller, wanted))
    yield ((BOM if wanted.bom else "") + _csv([COLUMNS])).encode()
    yield from in_pieces(_csv([line]) for line in lines)


def as_json(caller: Caller, wanted: Wanted) -> Iterator[bytes]:
    """An array of objects with the COLUMNS."""
    yield b"["
    shown = (
        json.dumps(dict(zip(COLUMNS, map(plain, line.cells()), strict=True)), ensure_ascii=False)
        for line, _ in rows(caller, wanted)
    )
    yield from in_pieces(("\n" if number == 0 else ",\n") + one for number, one in enumerate(shown))
    yield b"\n]\n"


def plain(value: Any) -> Any:
    """A value as JSON has it."""
    return value.isoformat() if isinstance(value, date) else str(value) if isinstance(value, uuid.UUID) else value


def _cell(value: Any) -> Any:
    """A text is made safe; a number stays one, whatever it begins with."""
    return safe_cell(value) if isinstance(value, str) else plain(value)


def _csv(lines: Iterable[Iterable[Any]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows(lines)
    return file.getvalue()


def in_pieces(texts: Iterable[str], size: int = 2**16) -> Iterator[bytes]:
    """The texts in pieces of some size: one of each would be one network packet of each."""
    held = io.StringIO()
    for text in texts:
        if held.write(text) and held.tell() >= size:
            yield held.getvalue().encode()
            held = io.StringIO()
    if held.tell():
        yield held.getvalue().encode()
