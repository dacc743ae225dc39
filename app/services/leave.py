"""Leave requests: asked for by people or for them, decided by staff, and applied to the records of sessions.

Sessions that are closed later look here themselves (`leave_on`). What closing, or a teacher, has made absent before is
changed when a request is approved, and changed back when that is undone.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from sqlalchemy import Select, Subquery, or_

from app import clock
from app.extensions import db
from app.models import (
    Enrolment,
    EventKind,
    LeaveAttachment,
    LeaveRequest,
    LeaveStatus,
    Record,
    RecordMark,
    Role,
    Session,
    Source,
    Status,
    User,
)
from app.services import audit
from app.services.absences_due import note_absences
from app.services.caller import Caller
from app.services.enrolments import taught_students
from app.services.errors import (
    LeaveBegun,
    LeaveDecided,
    LeaveOverlaps,
    MissingFields,
    NotFound,
    NotYourClass,
    OwnLeave,
)
from app.services.events import happened
from app.services.paging import Page, Paging, paginate
from app.services.sessions import COUNTED, Days
from app.services.students import visible_students
from app.services.transaction import transaction

OPEN = (LeaveStatus.PENDING, LeaveStatus.APPROVED)
"""Of one person, no two of these overlap."""


@dataclass(frozen=True, slots=True)
class LeaveFilter:
    """days: on any of which one is away."""

    status: LeaveStatus | None = None
    student_id: uuid.UUID | None = None
    days: Days = field(default_factory=Days)


@dataclass(frozen=True, slots=True)
class LeaveView:
    row: LeaveRequest
    student: User
    attachments: Sequence[LeaveAttachment]

    @property
    def student_id(self) -> uuid.UUID:
        return self.row.user_id

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@transaction
def ask(caller: Caller, student_id: uuid.UUID | None, first_day: date, last_day: date, **values: Any) -> LeaveView:
    """Ask for leave from one day to another, both included: for oneself, for one's child, or as staff for a student.

    values: counts_as (excused or leave) and reason.

    Raises:
        MissingFields: somebody who is not counted does not say for whom.
        NotFound: there is no such student, or they are not the caller's to see.
        LeaveOverlaps: they have asked for some of these days already.
    """
    user_id = _whose(caller, student_id)
    _require_free(caller, user_id, first_day, last_day)
    row = LeaveRequest(
        organisation_id=caller.organisation_id,
        user_id=user_id,
        first_day=first_day,
        last_day=last_day,
        requested_by_id=caller.user_id,
        **values,
    )
    db.session.add(row)
    db.session.flush()
    return _views(caller, [row])[0]


def list_requests(caller: Caller, wanted: LeaveFilter, paging: Paging) -> Page[LeaveView]:
    """One's own and one's children's; a teacher's are those of their students, an administrator's are all."""
    query = _visible(caller)
    if wanted.status:
        query = query.where(LeaveRequest.status == wanted.status)
    if wanted.student_id:
        query = query.where(LeaveRequest.user_id == wanted.student_id)
    if wanted.days.first:
        query = query.where(LeaveRequest.last_day >= wanted.days.first)
    if wanted.days.last:
        query = query.where(LeaveRequest.first_day <= wanted.days.last)
    columns = {"id": LeaveRequest.id, "first_day": LeaveRequest.first_day, "created_at": LeaveRequest.created_at}
    page = paginate(query, paging, columns)
    return page.of(_views(caller, page.items))


def read(caller: Caller, leave_request_id: uuid.UUID) -> LeaveView:
    """Raises NotFound; one that is not the caller's to see is no different."""
    return _views(caller, [visible_request(caller, leave_request_id)])[0]


@transaction
def decide(caller: Caller, leave_request_id: uuid.UUID, approve: bool, reason: str | None) -> LeaveView:
    """Approve or reject a request; administrators may decide again.

    Raises:
        NotFound: there is no such request, or it is not the caller's to see.
        OwnLeave: it is the caller's own.
        NotYourClass: the caller teaches no class that the student is in.
        LeaveDecided: it was decided, and the caller is no administrator, or withdrawn.
        LeaveOverlaps: since it was rejected, some of its days were asked for again.
    """
    audit.because(reason)
    row = visible_request(caller, leave_request_id, lock=True)
    _require_decider(caller, row)
    if row.status == LeaveStatus.WITHDRAWN or (row.status != LeaveStatus.PENDING and not caller.administers):
        raise LeaveDecided
    if approve and row.status == LeaveStatus.REJECTED:
        _require_free(caller, row.user_id, row.first_day, row.last_day)
    if approve:
        _apply(caller, row)
    elif row.status == LeaveStatus.APPROVED:
        _undo(caller, row)
    row.status = LeaveStatus.APPROVED if approve else LeaveStatus.REJECTED
    row.decided_by_id, row.decided_at, row.decision_reason = caller.user_id, clock.now(), reason
    decided_at = row.decided_at.isoformat()
    happened(caller.organisation_id, EventKind.LEAVE_DECIDED, row.id, status=row.status, decided_at=decided_at)
    db.session.flush()
    return _views(caller, [row])[0]


@transaction
def withdraw(caller: Caller, leave_request_id: uuid.UUID, reason: str | None) -> LeaveView:
    """Raises NotFound, LeaveDecided when it was rejected or withdrawn, or LeaveBegun: then only staff may."""
    audit.because(reason)
    row = visible_request(caller, leave_request_id, lock=True)
    if row.status not in OPEN:
        raise LeaveDecided
    if row.status == LeaveStatus.APPROVED:
        if row.first_day <= caller.today and not caller.is_staff:
            raise LeaveBegun
        _undo(caller, row)
    row.status = LeaveStatus.WITHDRAWN
    db.session.flush()
    return _views(caller, [row])[0]


def leave_on(caller: Caller, day: date) -> Subquery:
    """Subquery of user_id and counts_as: who is excused or on leave on this day."""
    approved = caller.rows(LeaveRequest, LeaveRequest.user_id, LeaveRequest.counts_as).where(
        LeaveRequest.status == LeaveStatus.APPROVED, LeaveRequest.first_day <= day, LeaveRequest.last_day >= day
    )
    return approved.subquery()


def visible_request(caller: Caller, leave_request_id: uuid.UUID, *, lock: bool = False) -> LeaveRequest:
    """lock: within a transaction, nobody else changes it meanwhile. Raises NotFound."""
    query = _visible(caller).where(LeaveRequest.id == leave_request_id)
    query = query.with_for_update(of=LeaveRequest, key_share=True) if lock else query
    row: LeaveRequest | None = db.session.scalar(query.execution_options(populate_existing=True))
    if row is None:
        raise NotFound("There is no leave request with this id")
    return row


def _visible(caller: Caller) -> Select[Any]:
    query = caller.rows(LeaveRequest)
    if caller.administers:
        return query
    theirs = taught_students(caller) if caller.role == Role.TEACHER else visible_students(caller, User.id)
    own = [LeaveRequest.user_id == caller.user_id, LeaveRequest.user_id.in_(theirs)]
    if caller.role == Role.TEACHER:
        own.append(LeaveRequest.requested_by_id == caller.user_id)
    return query.where(or_(*own))


def _whose(caller: Caller, student_id: uuid.UUID | None) -> uuid.UUID:
    if caller.role in COUNTED and student_id in {None, caller.user_id}:
        return caller.user_id
    if student_id is None:
        raise MissingFields("Say for whom: student_id", errors={"student_id": ["Field required"]})
    if db.session.scalar(visible_students(caller, User.id).where(User.id == student_id)) is None:
        raise NotFound("There is no student with this id")
    return student_id


def _require_free(caller: Caller, user_id: uuid.UUID, first_day: date, last_day: date) -> None:
    """Raises LeaveOverlaps. Two who ask for the same person wait for each other."""
    whose = caller.rows(User, User.id).where(User.id == user_id)
    db.session.execute(whose.with_for_update(key_share=True))
    overlapping = caller.rows(LeaveRequest, LeaveRequest.id).where(
        LeaveRequest.user_id == user_id,
        LeaveRequest.status.in_(OPEN),
        LeaveRequest.first_day <= last_day,
        LeaveRequest.last_day >= first_day,
    )
    if (taken := db.session.scalar(overlapping.limit(1))) is not None:
        raise LeaveOverlaps(leave_request_id=str(taken))


def _require_decider(caller: Caller, row: LeaveRequest) -> None:
    if row.user_id == caller.user_id:
        raise OwnLeave
    taught = taught_students(caller).where(Enrolment.student_id == row.user_id)
    if not caller.administers and db.session.scalar(taught.limit(1)) is None:
        raise NotYourClass


def _apply(caller: Caller, request: LeaveRequest) -> None:
    """Who was absent on these days was on leave; what they were is kept as a mark, unless it stands there already."""
    _hold_open_sessions(caller, request)
    records = _records(caller, request, Record.status == Status.ABSENT)
    marks = _last_marks(caller, records)
    for record in records:
        was = marks.get(record.id)
        if was is None or (was.status, was.code, was.source) != (record.status, record.code, record.source):
            db.session.add(_mark_of(record))
    db.session.flush()
    values = {"status": request.counts_as, "code": None, "source": Source.LEAVE}
    _change(caller, (record.id for record in records), values)


def _undo(caller: Caller, request: LeaveRequest) -> None:
    """Each record becomes what its last mark says; one that has none was made when its session was closed."""
    _hold_open_sessions(caller, request)
    records = _records(caller, request, Record.source == Source.LEAVE)
    marks = _last_marks(caller, records)
    alike = defaultdict[Any, list[uuid.UUID]](list)
    for record in records:
        was = marks.get(record.id)
        alike[(was.status, was.code, was.source) if was else (Status.ABSENT, None, Source.CLOSE)].append(record.id)
    for (status, code, source), ids in alike.items():
        _change(caller, ids, {"status": status, "code": code, "source": source})
    changed = caller.rows(Session).where(Session.id.in_([record.session_id for record in records]))
    note_absences(caller, db.session.scalars(changed))


def _hold_open_sessions(caller: Caller, request: LeaveRequest) -> None:
    """Whoever closes one at the same moment has done so before, or does it after, and then sees what was decided."""
    enrolled = caller.rows(Enrolment, Enrolment.class_id).where(Enrolment.student_id == request.user_id)
    expecting = or_(Session.class_id.is_(None), Session.class_id.in_(enrolled))
    held = caller.rows(Session, Session.id).where(_within(request), Session.closed_at.is_(None), expecting)
    db.session.execute(held.order_by(Session.id).with_for_update(key_share=True))


def _within(request: LeaveRequest) -> Any:
    return Session.session_date.between(request.first_day, request.last_day)


def _records(caller: Caller, request: LeaveRequest, *which: Any) -> Sequence[Record]:
    """Of the person on these days, which no office decided: locked, so that nobody checks in unseen."""
    sessions = caller.rows(Session, Session.id).where(_within(request))
    query = caller.rows(Record).where(
        Record.student_id == request.user_id, Record.session_id.in_(sessions), Record.is_office.is_(False), *which
    )
    locked = query.order_by(Record.id).with_for_update(of=Record, key_share=True)
    return db.session.scalars(locked.execution_options(populate_existing=True)).all()


def _last_marks(caller: Caller, records: Sequence[Record]) -> dict[uuid.UUID, RecordMark]:
    marks = caller.rows(RecordMark).where(RecordMark.record_id.in_([record.id for record in records]))
    return {mark.record_id: mark for mark in db.session.scalars(marks.order_by(RecordMark.id))}


def _mark_of(record: Record) -> RecordMark:
    return RecordMark(
        organisation_id=record.organisation_id,
        record_id=record.id,
        student_id=record.student_id,
        status=record.status,
        code=record.code,
        source=record.source,
        remarks=record.remarks,
        marked_by_id=record.marked_by_id,
        created_at=record.marked_at,
    )


def _change(caller: Caller, ids: Iterable[uuid.UUID], values: dict[str, Any]) -> None:
    of_these = caller.change(Record).where(Record.id.in_(list(ids)))
    db.session.execute(of_these.values(values).execution_options(synchronize_session=False))


def _views(caller: Caller, rows: Sequence[LeaveRequest]) -> list[LeaveView]:
    by_id = caller.by_id(User, {row.user_id for row in rows})
    attached = defaultdict[uuid.UUID, list[LeaveAttachment]](list)
    of_these = caller.rows(LeaveAttachment).where(LeaveAttachment.leave_request_id.in_([row.id for row in rows]))
    for attachment in db.session.scalars(of_these.order_by(LeaveAttachment.id)):
        attached[attachment.leave_request_id].append(attachment)
    return [LeaveView(row, by_id[row.user_id], attached[row.id]) for row in rows]
