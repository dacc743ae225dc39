"""Marks that people give: each is kept, and a record says the one that counts.

A teacher's mark counts until the office (an administrator who does not teach there) gives one; that stands until the
office releases it.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, func, insert, or_
from sqlalchemy.orm.attributes import flag_modified
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import ClassTeacher, Record, RecordMark, Session, Source, Status, Subject, User, Verification
from app.services import audit
from app.services.absences_due import note_absences
from app.services.caller import Caller
from app.services.counting import not_counted
from app.services.errors import NotOverridden, SessionCancelled
from app.services.paging import Page, Paging, paginate
from app.services.sessions import managed_session
from app.services.statuses import Meaning
from app.services.transaction import insert_missing, some_at_once, transaction

RECORD_KEY = ("organisation_id", "session_id", "student_id")


@dataclass(frozen=True, slots=True)
class Given:
    """What is to be kept of somebody. remarks: None leaves those that are there."""

    session: Session
    student_id: uuid.UUID
    meaning: Meaning
    remarks: str | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What became of a mark. subject and teacher: the names of the session's, and of who marked the record last."""

    record: Record
    subject: str | None
    teacher: str
    is_new: bool = False
    is_changed: bool = False
    is_overridden: bool = False
    """The office's mark stands over it."""


@dataclass(frozen=True, slots=True)
class MarkView:
    row: RecordMark
    marked_by: str

    @property
    def marked_at(self) -> datetime:
        return self.row.created_at

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


def teaching(caller: Caller) -> ColumnElement[bool]:
    """The condition that the caller teaches a session, be they an administrator or not."""
    classes = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == caller.user_id)
    subjects = caller.rows(Subject, Subject.id).where(Subject.teacher_id == caller.user_id)
    of_nothing = and_(Session.class_id.is_(None), Session.subject_id.is_(None))
    own = and_(of_nothing, Session.created_by_id == caller.user_id)
    return or_(Session.class_id.in_(classes), Session.subject_id.in_(subjects), own)


def to_mark(caller: Caller) -> Select[Any]:
    """Query of sessions, each with whether the caller teaches it; they are locked, so that of two who mark the same
    people at once one comes after the other."""
    query = caller.rows(Session, Session, teaching(caller)).order_by(Session.id)
    return query.with_for_update(key_share=True).execution_options(populate_existing=True)


def session_to_mark(caller: Caller, session_id: uuid.UUID) -> tuple[Session, Collection[uuid.UUID]]:
    """Within a transaction: the session, locked; and its id, where the caller is the office in it (`give`).

    Raises:
        NotFound: there is no such session.
        NotYourClass, NotYourSession: it is another's.
        SessionCancelled: it does not take place.
    """
    found = db.session.execute(to_mark(caller).where(Session.id == session_id)).one_or_none()
    session, teaches = found or (None, False)
    if session is None or not teaches:
        session = managed_session(caller, session_id)
    if session.cancelled_at:
        raise SessionCancelled
    return session, () if teaches else (session_id,) if caller.administers else ()


def give(
    caller: Caller, given: Sequence[Given], office: Collection[uuid.UUID], stays: Collection[Status] = ()
) -> list[Kept]:
    """Within a transaction: keep these marks, at most one of a person in a session, in a fixed number of statements.

    given: of sessions that are locked (`to_mark`).
    office: the sessions in which the caller is the office.
    stays: records that have one of these statuses are left alone.
    """
    not_counted({mark.session.id: mark.session for mark in given}.values())
    marks = {(mark.session.id, mark.student_id): mark for mark in sorted(given, key=lambda mark: mark.student_id)}
    now = clock.now()
    new = _insert(caller, marks.values(), office, now)
    log: list[dict[str, Any]] = []
    kept = []
    for record, subject, marker, me, is_kept in _locked(caller, marks.values()):
        mark = marks.get((record.session_id, record.student_id))
        if mark is None:
            continue
        by_office = record.session_id in office
        if record.id in new:
            audit.created(record)
            kept.append(Kept(record, subject, me, is_new=True))
        elif record.status in stays:
            kept.append(Kept(record, subject, marker))
            continue
        elif record.is_office and not by_office:
            kept.append(Kept(record, subject, marker, is_overridden=True))
        else:
            before = _mark(record, record.marked_at, record.source, record.is_office, record.marked_by_id)
            is_changed = _change(caller, record, mark, by_office, now)
            if is_changed and not is_kept:
                log.append(before)
            kept.append(Kept(record, subject, me if is_changed else marker, is_changed=is_changed))
        log.append(_given(caller, record, mark, by_office, now))
    db.session.flush()
    if log:
        db.session.execute(insert(RecordMark), log, execution_options={"render_nulls": True})
    differing = {each.record.session_id for each in kept if each.is_new or each.is_changed}
    note_absences(caller, {mark.session.id: mark.session for mark in given if mark.session.id in differing}.values())
    return kept


def _insert(caller: Caller, given: Iterable[Given], office: Collection[uuid.UUID], now: datetime) -> set[uuid.UUID]:
    """The ids that records get where there is none yet. Marks come sorted by their students, so that two who mark at
    once lock in the same order."""
    rows: list[dict[str, Any]] = [
        {
            "id": uuid7(),
            "organisation_id": caller.organisation_id,
            "created_at": now,
            "session_id": mark.session.id,
            "student_id": mark.student_id,
            "status": mark.meaning.status,
            "code": mark.meaning.code,
            "source": Source.MANUAL,
            "is_office": mark.session.id in office,
            "verification": Verification.VERIFIED,
            "remarks": mark.remarks,
            "marked_at": now,
            "marked_by_id": caller.user_id,
        }
        for mark in given
    ]
    insert_missing(Record, rows, RECORD_KEY, audited=False)
    return {row["id"] for row in rows}


def _locked(caller: Caller, given: Iterable[Given]) -> Iterable[Any]:
    """The marks' records, each with the names of its subject, of who marked it last and of the caller, and whether
    the marks of it hold what it says."""
    name = func.trim(User.first_name + " " + User.last_name)
    subject = caller.rows(Subject, Subject.name).join(Session, Session.subject_id == Subject.id)
    mark = caller.rows(RecordMark, RecordMark.id).where(
        RecordMark.record_id == Record.id, RecordMark.created_at == Record.marked_at
    )
    query = caller.rows(
        Record,
        Record,
        subject.where(Session.id == Record.session_id).correlate(Record).scalar_subquery(),
        caller.rows(User, name).where(User.id == Record.marked_by_id).correlate(Record).scalar_subquery(),
        caller.rows(User, name).where(User.id == caller.user_id).scalar_subquery(),
        mark.correlate(Record).exists(),
    ).where(Record.session_id.in_({mark.session.id for mark in given}))
    query = query.order_by(Record.student_id).with_for_update().execution_options(populate_existing=True)
    for student_ids in some_at_once(mark.student_id for mark in given):
        yield from db.session.execute(query.where(Record.student_id.in_(student_ids)))


def _change(caller: Caller, record: Record, mark: Given, by_office: bool, now: datetime) -> bool:
    """Whether the record said something else, or nobody had said it: opened again, a session forgets that."""
    said = {
        "status": mark.meaning.status,
        "code": mark.meaning.code,
        "remarks": record.remarks if mark.remarks is None else mark.remarks,
        "is_office": by_office,
    }
    if record.source != Source.CLOSE and all(getattr(record, name) == value for name, value in said.items()):
        return False
    _set(record, **said, source=Source.MANUAL, marked_at=now, marked_by_id=caller.user_id)
    return True


def change(caller: Caller, record: Record, **said: Any) -> None:
    """Within a transaction: have a locked record say something else; what it said before is kept too."""
    session = caller.get(Session, record.session_id)
    kept = caller.rows(RecordMark, RecordMark.id).where(
        RecordMark.record_id == record.id, RecordMark.created_at == record.marked_at
    )
    if db.session.scalar(kept.limit(1)) is None:
        before = _mark(record, record.marked_at, record.source, record.is_office, record.marked_by_id)
        db.session.add(RecordMark(**before))
    _set(record, **said | {"marked_at": clock.now(), "marked_by_id": caller.user_id})
    note(record)
    note_absences(caller, [session])


def note(record: Record) -> None:
    """Within a transaction: keep what a record says now as a mark, with the reason of the changes."""
    mark = _mark(record, record.marked_at, record.source, record.is_office, record.marked_by_id)
    db.session.add(RecordMark(**mark | {"reason": audit.actor().reason}))


def _set(record: Record, **values: Any) -> None:
    """All of the values are written, changed or not: records that change the same columns are one statement."""
    for name, value in values.items():
        if getattr(record, name) == value:
            flag_modified(record, name)
        else:
            setattr(record, name, value)


def _given(caller: Caller, record: Record, mark: Given, by_office: bool, now: datetime) -> dict[str, Any]:
    stands_over = record.is_office and not by_office
    return _mark(record, now, Source.MANUAL, by_office, caller.user_id) | {
        "status": mark.meaning.status,
        "code": mark.meaning.code,
        "remarks": mark.remarks if stands_over else record.remarks,
        "reason": audit.actor().reason,
    }


def _mark(record: Record, at: datetime, source: Source, by_office: bool, by: uuid.UUID) -> dict[str, Any]:
    """What a record says, as one of its marks."""
    return {
        "id": uuid7(),
        "organisation_id": record.organisation_id,
        "created_at": at,
        "record_id": record.id,
        "student_id": record.student_id,
        "status": record.status,
        "code": record.code,
        "source": source,
        "is_office": by_office,
        "remarks": record.remarks,
        "reason": None,
        "marked_by_id": by,
    }


def marks_of(caller: Caller, record_id: uuid.UUID, paging: Paging) -> Page[MarkView]:
    """All marks that the record was given, and what it said before them.

    Raises:
        NotFound: there is no such record.
        NotYourClass, NotYourSession: its session is another's.
    """
    record = caller.get(Record, record_id)
    managed_session(caller, record.session_id)
    name = func.trim(User.first_name + " " + User.last_name)
    query: Select[Any] = (
        caller.rows(RecordMark, RecordMark, name)
        .join(User, User.id == RecordMark.marked_by_id)
        .where(RecordMark.record_id == record_id)
    )
    page = paginate(query, paging, {"id": RecordMark.id, "marked_at": RecordMark.created_at})
    return page.of([MarkView(mark, marked_by) for mark, marked_by in page.items])


@transaction
def release_override(caller: Caller, record_id: uuid.UUID, reason: str | None) -> Record | None:
    """Take the office's mark back: the record says again what it said, or would, without the office.

    That is how they checked in, if they have since the latest other mark; else that mark (what the record said before
    anybody marked it by hand is kept as one); else absent, if the session is closed; else there is no record.

    Raises:
        NotFound: there is no such record.
        NotOverridden: the office has not decided it.
    """
    if reason:
        audit.because(reason)
    session_id = caller.get(Record, record_id).session_id
    session, _ = db.session.execute(to_mark(caller).where(Session.id == session_id)).one()
    query = caller.rows(Record).where(Record.id == record_id).with_for_update()
    record: Record | None = db.session.scalar(query.execution_options(populate_existing=True))
    if record is None or not record.is_office:  # gone: somebody released it at the same moment
        raise NotOverridden
    latest = caller.rows(RecordMark).where(RecordMark.record_id == record_id, RecordMark.is_office.is_(False))
    mark = db.session.scalar(latest.order_by(RecordMark.created_at.desc(), RecordMark.id.desc()).limit(1))
    if record.checked_in_at and (mark is None or mark.created_at < record.checked_in_at):
        arrived = _arrived(record, Status.PRESENT)
        said = {"status": arrived, "code": None, "remarks": None, "source": Source.CHECK_IN}
        _set(record, **said, is_office=False, marked_at=record.checked_in_at, marked_by_id=record.student_id)
    elif mark:
        is_arrival = mark.source in {Source.CHECK_IN, Source.OFFLINE, Source.GATE}
        status = _arrived(record, mark.status) if is_arrival else mark.status
        said = {"status": status, "code": mark.code, "remarks": mark.remarks, "source": mark.source}
        _set(record, **said, is_office=False, marked_at=mark.created_at, marked_by_id=mark.marked_by_id)
    elif session.closed_at:
        said = {"status": Status.ABSENT, "code": None, "remarks": None, "source": Source.CLOSE}
        _set(record, **said, is_office=False, marked_at=session.closed_at, marked_by_id=caller.user_id)
    else:
        db.session.delete(record)
        session.record_gone_at = clock.now()
        return None
    note_absences(caller, [session])
    db.session.flush()
    return record


def _arrived(record: Record, otherwise: Status) -> Status:
    """As what a check-in counts: one that was rejected, also under the office's mark, is absence."""
    if record.verification == Verification.REJECTED:
        return Status.ABSENT
    return record.checked_in_as or otherwise
