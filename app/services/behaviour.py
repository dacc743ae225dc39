"""Behaviour notes: what staff write about students, what their families see of it, and the figures of them."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Select, case, false, func

from app import clock
from app.extensions import db
from app.models import BehaviourKind, BehaviourNote, Class, User
from app.services import audit
from app.services.caller import Caller
from app.services.errors import DatesRefused, MissingFields, NotFound, NothingToFollowUp, NotYourNote
from app.services.figures import Interval
from app.services.paging import Page, Paging, page_of, paginate
from app.services.sessions import Days
from app.services.students import visible_student, visible_students
from app.services.transaction import transaction

DAYS = 366
MOST_CATEGORIES = 100
"""Categories are free text: so many are told, those most used."""


class NoteBy(StrEnum):
    """What notes are counted for each of."""

    DAY = "day"
    PERSON = "person"
    CATEGORY = "category"


@dataclass(frozen=True, slots=True)
class NoteFilters:
    """Which notes; those that fit all that is given. student_ids: of any of these. category: without regard to case.
    for_family: only what students and their parents may see; who is not staff sees no more than that anyway."""

    days: Days = field(default_factory=Days)
    student_id: uuid.UUID | None = None
    student_ids: Collection[uuid.UUID] | None = None
    class_id: uuid.UUID | None = None
    kind: BehaviourKind | None = None
    category: str | None = None
    for_family: bool = False


@dataclass(frozen=True, slots=True)
class NoteCounts:
    positive: int = 0
    negative: int = 0

    def __add__(self, other: NoteCounts) -> NoteCounts:
        return NoteCounts(self.positive + other.positive, self.negative + other.negative)


@dataclass(frozen=True, slots=True)
class CategoryUse:
    category: str
    notes: int
    """How many have it."""


@dataclass(frozen=True, slots=True)
class NoteStatistics:
    """by_category: the most used first; trend: by the first day of each interval that has notes, in order."""

    total: NoteCounts
    by_category: dict[str, NoteCounts]
    trend: dict[date, NoteCounts]


@dataclass(frozen=True, slots=True)
class NoteView:
    """A note as its reader may see it: what is to be done about it is for staff."""

    row: BehaviourNote
    student: User
    teacher_name: str
    is_for_staff: bool

    @property
    def follow_up(self) -> str | None:
        return self.row.follow_up if self.is_for_staff else None

    @property
    def follow_up_on(self) -> date | None:
        return self.row.follow_up_on if self.is_for_staff else None

    @property
    def followed_up_at(self) -> datetime | None:
        return self.row.followed_up_at if self.is_for_staff else None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@transaction
def write(caller: Caller, student_id: uuid.UUID, happened_on: date | None, **values: Any) -> NoteView:
    """A note about a student, on a day that is not to come, by default today.

    values: kind, category, notes, class_id, is_visible_to_family, follow_up, follow_up_on.

    Raises:
        NotFound: there is no such student, or class.
        DatesRefused: the day is still to come.
        MissingFields: it says by when something is to be done, and not what.
    """
    visible_student(caller, student_id)
    row = BehaviourNote(
        organisation_id=caller.organisation_id, student_id=student_id, teacher_id=caller.user_id, kind=values["kind"]
    )
    _set(caller, row, values | {"happened_on": happened_on or caller.today})
    db.session.add(row)
    db.session.flush()
    return _views(caller, [row])[0]


def list_notes(caller: Caller, filters: NoteFilters, open_follow_ups: bool, paging: Paging) -> Page[NoteView]:
    """Staff see all; students and parents what is theirs and they may see.

    open_follow_ups: only those about which something is still to be done, which is for staff to know.
    """
    query = _fitting(_visible(caller), filters)
    if open_follow_ups:
        query = query.where(*_OPEN) if caller.is_staff else query.where(false())
    columns = {
        "id": BehaviourNote.id,
        "happened_on": (BehaviourNote.happened_on, BehaviourNote.id),
        "created_at": BehaviourNote.created_at,
    }
    page = paginate(query, paging, columns)
    return page.of(_views(caller, page.items))


def read(caller: Caller, behaviour_note_id: uuid.UUID) -> NoteView:
    """Raises NotFound; one that is not the caller's to see is no different."""
    return _views(caller, [_note(caller, behaviour_note_id)])[0]


@transaction
def change(caller: Caller, behaviour_note_id: uuid.UUID, reason: str | None, changes: dict[str, Any]) -> NoteView:
    """Set what is given, as its writer or an administrator. When what is to be done about it changes, it is still to
    be done.

    Raises: as `write`, and NotYourNote.
    """
    row = _own_note(caller, behaviour_note_id, reason)
    _set(caller, row, changes)
    db.session.flush()
    return _views(caller, [row])[0]


@transaction
def remove(caller: Caller, behaviour_note_id: uuid.UUID, reason: str | None) -> None:
    """By its writer or an administrator; the audit log keeps what it was. Raises NotFound, NotYourNote."""
    db.session.delete(_own_note(caller, behaviour_note_id, reason))


@transaction
def followed_up(caller: Caller, behaviour_note_id: uuid.UUID) -> NoteView:
    """What was to be done about it is done, now, unless it was done before.

    Raises:
        NotFound: there is no such note.
        NothingToFollowUp: nothing was to be done.
    """
    row = _note(caller, behaviour_note_id)
    if row.follow_up is None:
        raise NothingToFollowUp
    row.followed_up_at = row.followed_up_at or clock.now()
    db.session.flush()
    return _views(caller, [row])[0]


def categories(caller: Caller, paging: Paging) -> Page[CategoryUse]:
    """What notes may be about: the organisation's own categories, then the others that were used, the most used
    first, some 100 of them."""
    listed, number = caller.settings.behaviour.categories, func.count()
    query = caller.rows(BehaviourNote, BehaviourNote.category, number).group_by(BehaviourNote.category)
    own_first = BehaviourNote.category.in_(listed).desc()
    ordered = query.order_by(own_first, number.desc(), BehaviourNote.category).limit(len(listed) + MOST_CATEGORIES)
    used = dict.fromkeys(listed, 0) | dict(db.session.execute(ordered).all())
    return page_of([CategoryUse(*each) for each in used.items()], paging)


def statistics(caller: Caller, filters: NoteFilters, interval: Interval) -> NoteStatistics:
    """How many notes of each kind: in all, of the 100 most used categories, and over time; of the last 366 days, where
    no days are given."""
    filters = replace(filters, days=Days(*filters.days.bounds(caller.today, DAYS)))
    trend: dict[date, NoteCounts] = {}
    for (day,), counts in sorted(note_counts(caller, filters, NoteBy.DAY).items()):
        first = interval.first_of(day)
        trend[first] = trend.get(first, NoteCounts()) + counts
    by_category = note_counts(caller, filters, NoteBy.CATEGORY, most=MOST_CATEGORIES)
    return NoteStatistics(
        sum(trend.values(), NoteCounts()), {category: each for (category,), each in by_category.items()}, trend
    )


def note_counts(
    caller: Caller, filters: NoteFilters, *by: NoteBy, most: int | None = None
) -> dict[tuple[Any, ...], NoteCounts]:
    """How many notes of each kind there are for each day, person (by id), ...: by the values of what it is by, of the
    notes that the caller may see. One statement.

    most: only so many keys, those with the most notes, in this order; ties by the key.
    """
    columns = {
        NoteBy.DAY: BehaviourNote.happened_on,
        NoteBy.PERSON: BehaviourNote.student_id,
        NoteBy.CATEGORY: BehaviourNote.category,
    }
    keys = [columns[each] for each in by]
    sums = [func.sum(case((BehaviourNote.kind == kind, 1), else_=0)) for kind in BehaviourKind]
    query = _fitting(_visible(caller, *keys, *sums), filters).group_by(*keys)
    if most is not None:
        query = query.order_by(func.count().desc(), *keys).limit(most)
    return {
        tuple(row[: len(by)]): NoteCounts(*map(int, row[len(by) :]))
        for row in db.session.execute(query)
        if row[-1] is not None  # of no notes at all there is a row, when they are counted by nothing
    }


def _visible(caller: Caller, *columns: Any) -> Select[Any]:
    query = caller.rows(BehaviourNote, *columns)
    if caller.is_staff:
        return query
    theirs = visible_students(caller, User.id)
    return query.where(BehaviourNote.student_id.in_(theirs), BehaviourNote.is_visible_to_family.is_(True))


def _fitting(query: Select[Any], filters: NoteFilters) -> Select[Any]:
    query = query.where(filters.days.condition(BehaviourNote.happened_on))
    for column, value in (
        (BehaviourNote.student_id, filters.student_id),
        (BehaviourNote.class_id, filters.class_id),
        (BehaviourNote.kind, filters.kind),
    ):
        if value is not None:
            query = query.where(column == value)
    if filters.student_ids is not None:
        query = query.where(BehaviourNote.student_id.in_(filters.student_ids))
    if filters.category is not None:
        query = query.where(func.lower(BehaviourNote.category) == filters.category.lower())
    if filters.for_family:
        query = query.where(BehaviourNote.is_visible_to_family.is_(True))
    return query


_OPEN = (BehaviourNote.follow_up.is_not(None), BehaviourNote.followed_up_at.is_(None))


def _note(caller: Caller, behaviour_note_id: uuid.UUID) -> BehaviourNote:
    row: BehaviourNote | None = db.session.scalar(_visible(caller).where(BehaviourNote.id == behaviour_note_id))
    if row is None:
        raise NotFound("There is no behaviour note with this id")
    return row


def _own_note(caller: Caller, behaviour_note_id: uuid.UUID, reason: str | None) -> BehaviourNote:
    if reason:
        audit.because(reason)
    row = _note(caller, behaviour_note_id)
    if row.teacher_id != caller.user_id and not caller.administers:
        raise NotYourNote
    return row


def _set(caller: Caller, row: BehaviourNote, values: dict[str, Any]) -> None:
    caller.require(Class, values.get("class_id"))
    to_do = row.follow_up, row.follow_up_on
    for name, value in values.items():
        setattr(row, name, value)
    row.category = _spelt(caller, row.category)
    if row.happened_on > caller.today:
        raise DatesRefused("happened_on is still to come")
    if row.follow_up is None and row.follow_up_on is not None:
        raise MissingFields("Say what is to be done: follow_up", errors={"follow_up": ["Field required"]})
    if (row.follow_up, row.follow_up_on) != to_do:
        row.followed_up_at = None


def _spelt(caller: Caller, category: str) -> str:
    """As the organisation spells it, if it is one of its own: they are counted together."""
    own = {each.casefold(): each for each in caller.settings.behaviour.categories}
    return own.get(category.casefold(), category)


def _views(caller: Caller, rows: Sequence[BehaviourNote]) -> list[NoteView]:
    named = {row.student_id for row in rows} | {row.teacher_id for row in rows}
    by_id = caller.by_id(User, named)
    return [NoteView(row, by_id[row.student_id], by_id[row.teacher_id].name, caller.is_staff) for row in rows]
