"""Alerts: opened when a student is found to be at risk, kept up to date, seen by staff, closed when it holds no more.

What holds is found without a lock, so that nobody waits for it, and then saved in a short transaction: of several who
refresh at once each alert is opened, closed and told of by one.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy import Row, Select, bindparam, func
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Alert, AlertKind, Enrolment, EventKind, User, UserStatus
from app.services.at_risk import Finding, at_risk
from app.services.caller import Caller, system
from app.services.enrolments import enrolled_on, taught_students
from app.services.errors import AlertClosed, NotFound
from app.services.events import happened_many
from app.services.organisations import all_organisations
from app.services.paging import Page, Paging, paginate
from app.services.students import visible_students
from app.services.transaction import insert_missing, release, some_at_once, transaction

KEY = ("organisation_id", "student_id", "kind", "is_open")
MOST = 50
"""Of each kind on a dashboard."""
AT_ONCE = 1000
"""Students whose alerts are refreshed by whoever looks at them; those of more only again and again."""

log = structlog.get_logger(__name__)
Key = tuple[uuid.UUID, AlertKind]


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """class_id: of who is in this class now."""

    kind: AlertKind | None = None
    is_open: bool | None = None
    is_acknowledged: bool | None = None
    class_id: uuid.UUID | None = None
    student_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class AlertView:
    row: Alert
    student: User

    @property
    def is_open(self) -> bool:
        return bool(self.row.is_open)

    @property
    def reason(self) -> str:
        """In words, by its figures."""
        figures = self.row.figures
        value, threshold, days = (f"{figures[name]:g}" for name in ("value", "threshold", "days"))
        match self.row.kind:
            case AlertKind.LOW_ATTENDANCE:
                of = _some(figures["count"], "session")
                return f"Attendance of {value} % in the last {days} days ({of}), below {threshold} %"
            case AlertKind.LOW_MARKS:
                of = _some(figures["count"], "assessment")
                return f"An average of {value} % in the last {days} days ({of}), below {threshold} %"
            case AlertKind.BEHAVIOUR:
                notes = _some(figures["value"], "negative behaviour note")
                return f"{notes} in the last {days} days, where {threshold} are an alert"
            case AlertKind.CONSECUTIVE_ABSENCES:
                return f"{_some(figures['value'], 'session')} missed in a row, where {threshold} are an alert"

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class Refreshed:
    """How many alerts were opened and closed, and how many are open now."""

    opened: int
    closed: int
    open: int


@dataclass(frozen=True, slots=True)
class OpenAlerts:
    """by_kind: the latest MOST of each. totals: how many there are of each."""

    by_kind: Mapping[AlertKind, Sequence[AlertView]]
    totals: Mapping[AlertKind, int]


def refresh() -> None:
    """Have all organisations' alerts say what holds now; one that fails holds up no other."""
    for organisation in all_organisations():
        if organisation.is_active:
            try:
                refresh_of(system(organisation))
            except Exception:
                log.exception("alerts_not_refreshed", organisation_id=str(organisation.id))


def refresh_of(caller: Caller, student_ids: Collection[uuid.UUID] | None = None) -> Refreshed:
    """Have the organisation's alerts, or those of these students, say what holds now, in as many statements for many
    students as for few."""
    began, found = clock.now(), at_risk(caller, student_ids)
    holding = {(one.student_id, one.kind): one for one in found}
    there = {(row.student_id, row.kind): row for row in db.session.execute(_open_ones(caller, student_ids))}
    release()
    if _agree(there, holding):  # nobody else has to wait
        return Refreshed(0, 0, len(there))
    return _save(caller, holding, student_ids, began)


def list_alerts(caller: Caller, wanted: AlertFilter, paging: Paging) -> Page[AlertView]:
    """An administrator's are all; a teacher's those of the students who are in their classes now."""
    query = _visible(caller)
    if wanted.kind is not None:
        query = query.where(Alert.kind == wanted.kind)
    if wanted.is_open is not None:
        query = query.where(Alert.is_open.is_(True if wanted.is_open else None))
    if wanted.is_acknowledged is not None:
        is_seen = Alert.acknowledged_at.is_not(None)
        query = query.where(is_seen if wanted.is_acknowledged else ~is_seen)
    if wanted.class_id is not None:
        enrolled = caller.rows(Enrolment, Enrolment.student_id).where(Enrolment.class_id == wanted.class_id)
        query = query.where(Alert.student_id.in_(enrolled.where(enrolled_on(caller.today))))
    if wanted.student_id is not None:
        query = query.where(Alert.student_id == wanted.student_id)
    page = paginate(query, paging, {"id": Alert.id, "opened_at": Alert.opened_at})
    return page.of(_views(caller, page.items))


def read(caller: Caller, alert_id: uuid.UUID) -> AlertView:
    """Raises NotFound; one that is not the caller's to see is no different."""
    return _views(caller, [_found(_visible(caller).where(Alert.id == alert_id))])[0]


@transaction
def acknowledge(caller: Caller, alert_id: uuid.UUID, note: str | None) -> AlertView:
    """Say that one has seen an open alert; who says so last stands there.

    Raises:
        NotFound: there is none, or it is not the caller's to see.
        AlertClosed
    """
    query = _visible(caller).where(Alert.id == alert_id).with_for_update(of=Alert, key_share=True)
    row = _found(query.execution_options(populate_existing=True))
    if not row.is_open:
        raise AlertClosed
    row.acknowledged_at, row.acknowledged_by_id, row.note = clock.now(), caller.user_id, note
    db.session.flush()
    return _views(caller, [row])[0]


def open_alerts(caller: Caller) -> OpenAlerts:
    """Those that are open, as the caller may see them: of at most AT_ONCE students as things stand now, of more as they
    stood when they were last refreshed."""
    theirs = visible_students(caller, User.id) if caller.administers else taught_students(caller)
    student_ids = set(db.session.scalars(theirs.distinct().limit(AT_ONCE + 1)))
    if len(student_ids) <= AT_ONCE:
        refresh_of(caller, student_ids)
    of_kind: dict[str, Any] = {"partition_by": Alert.kind}
    place = func.row_number().over(**of_kind, order_by=(Alert.opened_at.desc(), Alert.id.desc()))
    columns = (Alert.id, Alert.kind, place.label("place"), func.count().over(**of_kind).label("total"))
    ranked = _visible(caller, *columns).where(Alert.is_open.is_(True)).subquery()
    query = caller.rows(Alert, Alert, ranked.c.total).join(ranked, ranked.c.id == Alert.id)
    rows = db.session.execute(query.where(ranked.c.place <= MOST).order_by(ranked.c.place)).all()
    by_kind = defaultdict[AlertKind, list[AlertView]](list)
    for view in _views(caller, [row for row, _ in rows]):
        by_kind[view.row.kind].append(view)
    return OpenAlerts(by_kind, dict.fromkeys(AlertKind, 0) | {row.kind: total for row, total in rows})


def _open_ones(caller: Caller, student_ids: Collection[uuid.UUID] | None) -> Select[Any]:
    columns = (Alert.id, Alert.student_id, Alert.kind, Alert.figures, Alert.opened_at)
    query = caller.rows(Alert, *columns).where(Alert.is_open.is_(True)).order_by(Alert.id)
    return query if student_ids is None else query.where(Alert.student_id.in_(student_ids))


def _agree(there: Mapping[Key, Row[Any]], holding: Mapping[Key, Finding]) -> bool:
    """Whether what is open is what was found, with the same figures."""
    opens = any(one.is_enough and key not in there for key, one in holding.items())
    return not opens and all(key in holding and holding[key].figures == row.figures for key, row in there.items())


@transaction
def _save(
    caller: Caller, holding: Mapping[Key, Finding], student_ids: Collection[uuid.UUID] | None, began: datetime
) -> Refreshed:
    """What somebody else has opened or closed since this was begun to be found is newer, and stays."""
    query = _open_ones(caller, student_ids).with_for_update(key_share=True)
    there = {(row.student_id, row.kind): row for row in db.session.execute(query)}
    newly = caller.rows(Alert, Alert.student_id, Alert.kind).where(Alert.closed_at > began)
    holding = {key: holding[key] for key in holding.keys() - {tuple(row) for row in db.session.execute(newly)}}
    closed = [row for key, row in there.items() if key not in holding and row.opened_at <= began]
    _close(caller, closed)
    _update(caller, [(row.id, holding[key].figures) for key, row in there.items() if key in holding
                     and holding[key].figures != row.figures])  # fmt: skip
    opened = _open(caller, {key: one for key, one in holding.items() if one.is_enough and key not in there})
    return Refreshed(opened, len(closed), len(there) - len(closed) + opened)


def _open(caller: Caller, found: Mapping[Key, Finding]) -> int:
    """How many: not those of students who have left or were erased meanwhile, nor what somebody else has opened."""
    now, students = clock.now(), set[uuid.UUID]()
    active = visible_students(caller, User.id).where(User.status == UserStatus.ACTIVE).order_by(User.id)
    for some in some_at_once(sorted({one.student_id for one in found.values()})):
        students.update(db.session.scalars(active.where(User.id.in_(some)).with_for_update(key_share=True)))
    own = {"organisation_id": caller.organisation_id, "is_open": True, "opened_at": now, "created_at": now}
    new = {uuid7(): found[key] for key in sorted(found) if key[0] in students}
    rows = [
        own | {"id": id_, "student_id": one.student_id, "kind": one.kind, "figures": one.figures}
        for id_, one in new.items()
    ]
    insert_missing(Alert, rows, KEY)
    ours = set[uuid.UUID]()
    for some in some_at_once(new):
        ours.update(db.session.scalars(caller.rows(Alert, Alert.id).where(Alert.id.in_(some))))
    told = {id_: _told(one.student_id, one.kind, one.figures) for id_, one in new.items() if id_ in ours}
    happened_many(caller.organisation_id, EventKind.ALERT_OPENED, told)
    return len(told)


def _close(caller: Caller, rows: Sequence[Row[Any]]) -> None:
    over = caller.change(Alert).values(is_open=None, closed_at=clock.now())
    for some in some_at_once(row.id for row in rows):
        db.session.execute(over.where(Alert.id.in_(some)), execution_options={"synchronize_session": False})
    told = {row.id: _told(row.student_id, row.kind, row.figures) for row in rows}
    happened_many(caller.organisation_id, EventKind.ALERT_CLOSED, told)


def _update(caller: Caller, changed: Sequence[tuple[uuid.UUID, dict[str, Any]]]) -> None:
    if changed:
        one = caller.change(Alert).where(Alert.id == bindparam("alert_id")).values(figures=bindparam("now"))
        db.session.connection().execute(one, [{"alert_id": id_, "now": figures} for id_, figures in changed])


def _told(student_id: uuid.UUID, kind: AlertKind, figures: Mapping[str, Any]) -> dict[str, Any]:
    return {"student_id": str(student_id), "kind": kind.value, **figures}


def _visible(caller: Caller, *columns: Any) -> Select[Any]:
    query = caller.rows(Alert, *columns)
    return query if caller.administers else query.where(Alert.student_id.in_(taught_students(caller)))


def _found(query: Select[Any]) -> Alert:
    row: Alert | None = db.session.scalar(query)
    if row is None:
        raise NotFound("There is no alert with this id")
    return row


def _views(caller: Caller, rows: Sequence[Alert]) -> list[AlertView]:
    by_id = caller.by_id(User, {row.student_id for row in rows})
    return [AlertView(row, by_id[row.student_id]) for row in rows]


def _some(count: float, what: str) -> str:
    return f"{count:g} {what}" + ("" if count == 1 else "s")
