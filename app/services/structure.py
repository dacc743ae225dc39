"""Departments, subjects, terms and holidays: kept alike, so written once."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr
from icalendar import Calendar
from sqlalchemy import func, or_
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import Holiday, Subject, Term
from app.services.caller import Caller
from app.services.classes import require_teacher
from app.services.errors import ChangedMeanwhile, DatesRefused, InUse, NameTaken, UnreadableFile
from app.services.paging import Page, Paging, paginate
from app.services.timetables import make_soon
from app.services.transaction import transaction
from app.services.users import set_department

RECURS_FOR = timedelta(days=3653)
MOST_OCCURRENCES = 200
"""How far into the future recurring holidays are written down: ten years of those that come yearly."""


@dataclass(frozen=True, slots=True)
class HolidayImport:
    created: int
    updated: int
    unchanged: int


def list_rows(caller: Caller, model: type[Any], search: str | None, paging: Paging) -> Page[Any]:
    """The organisation's departments, subjects, terms or holidays, as `model` says."""
    query = caller.rows(model)
    if search:
        named = [func.lower(model.name).contains(search.lower(), autoescape=True)]
        if hasattr(model, "code"):
            named.append(func.lower(model.code).contains(search.lower(), autoescape=True))
        query = query.where(or_(*named))
    columns = {name: getattr(model, name) for name in ("id", "name", "code", "first_day") if hasattr(model, name)}
    return paginate(query, paging, columns)


def read_row(caller: Caller, model: type[Any], id_: uuid.UUID) -> Any:
    """Raises NotFound."""
    return caller.get(model, id_)


@transaction
def create_row(caller: Caller, model: type[Any], values: dict[str, Any]) -> Any:
    """Raises NameTaken, DatesRefused, NotATeacher, or NotFound when what it refers to is not the organisation's."""
    return _save(caller, model(organisation_id=caller.organisation_id), values)


@transaction
def change_row(caller: Caller, model: type[Any], id_: uuid.UUID, values: dict[str, Any]) -> Any:
    """Set what is given. Raises as `create_row`, and NotFound."""
    return _save(caller, caller.get(model, id_), values)


@transaction
def remove_row(caller: Caller, model: type[Any], id_: uuid.UUID) -> None:
    """Raises NotFound, or InUse when something refers to it."""
    db.session.delete(caller.get(model, id_))
    try:
        db.session.flush()
    except IntegrityError as used:
        raise InUse from used
    if model is Holiday:
        make_soon()


def _save(caller: Caller, row: Any, values: dict[str, Any]) -> Any:
    if isinstance(row, Subject):
        set_department(caller, values)
        if values.get("teacher_id"):
            require_teacher(caller, values["teacher_id"])
    for name, value in values.items():
        setattr(row, name, value)
    if hasattr(row, "first_day") and row.last_day < row.first_day:
        raise DatesRefused
    db.session.add(row)
    try:
        db.session.flush()
    except IntegrityError as taken:
        raise NameTaken from taken
    if isinstance(row, (Holiday, Term)):
        make_soon()
    return row


@transaction
def import_holidays(caller: Caller, calendar: bytes) -> HolidayImport:
    """The events of an iCalendar file (RFC 5545) as holidays, told apart by their UID: a second time changes nothing.

    Raises:
        UnreadableFile: it is none, or an event has no beginning.
        ChangedMeanwhile: somebody else imported the same at the same moment.
    """
    found = _holidays(calendar, ZoneInfo(caller.time_zone))
    there = caller.rows(Holiday).where(Holiday.external_id.in_(list(found)))
    known = {row.external_id: row for row in db.session.scalars(there)}
    created = [Holiday(organisation_id=caller.organisation_id, **found[uid]) for uid in found if uid not in known]
    updated = 0
    for uid, row in known.items():
        changed = {name: value for name, value in found[uid].items() if getattr(row, name) != value}
        updated += bool(changed)
        for name, value in changed.items():
            setattr(row, name, value)
    db.session.add_all(created)
    try:
        db.session.flush()
    except IntegrityError as race:
        raise ChangedMeanwhile from race
    make_soon()
    return HolidayImport(len(created), updated, len(known) - updated)


def _holidays(calendar: bytes, zone: ZoneInfo) -> dict[str, dict[str, Any]]:
    try:
        found = [holiday for event in _events(calendar) for holiday in _occurrences(event, zone)]
    except (ValueError, KeyError, AttributeError, IndexError, TypeError, OverflowError) as error:
        raise UnreadableFile("This is not an iCalendar file, or an event in it has no date") from error
    return {holiday["external_id"]: holiday for holiday in found}


def _events(calendar: bytes) -> Iterator[Any]:
    for event in Calendar.from_ical(calendar).walk("VEVENT"):
        if event.get("STATUS") != "CANCELLED":
            yield event


def _occurrences(event: Any, zone: ZoneInfo) -> Iterator[dict[str, Any]]:
    """The holiday, and where it recurs, those of the next years; each has an identity of its own."""
    holiday = _holiday(event, zone)
    first, lasts = holiday["first_day"], holiday["last_day"] - holiday["first_day"]
    if (rule := event.get("RRULE")) is None:
        yield holiday
        return
    starts = rrulestr(rule.to_ical().decode(), dtstart=datetime.combine(first, time()), ignoretz=True)
    left_out = {_local(day.dt, zone).date() for day in getattr(event.get("EXDATE"), "dts", ())}
    for start in islice(starts, MOST_OCCURRENCES):
        day = start.date()
        if day - first <= RECURS_FOR and day not in left_out:
            identity = f"{holiday['external_id'][-240:]} {day.isoformat()}"
            yield holiday | {"first_day": day, "last_day": day + lasts, "external_id": identity}


def _holiday(event: Any, zone: ZoneInfo) -> dict[str, Any]:
    """RFC 5545: without an end, an event of a date lasts that day; an end is the first moment after it."""
    start, end = event.decoded("DTSTART"), event.decoded("DTEND", None)
    if end is None and (duration := event.decoded("DURATION", None)):
        end = start + duration
    first = _local(start, zone).date()
    last = first if end is None else (_local(end, zone) - timedelta.resolution).date()
    name = _line(event.get("SUMMARY", ""))[:200].strip() or "Holiday"
    uid = _line(event.get("UID", "")) or f"{first.isoformat()} {name}"
    return {"name": name, "first_day": first, "last_day": max(first, last), "external_id": uid[-255:]}


def _local(value: Any, zone: ZoneInfo) -> datetime:
    """What a clock there shows; a date is its midnight. Raises TypeError when it is neither a date nor a time."""
    if not isinstance(value, datetime):
        return datetime.combine(value, time())
    return value.astimezone(zone).replace(tzinfo=None) if value.tzinfo else value


def _line(text: Any) -> str:
    """In one line, without control characters (PostgreSQL cannot keep a zero byte)."""
    return " ".join("".join(c if c >= " " else " " for c in str(text)).split())
