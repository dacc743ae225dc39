"""Who is at risk: whose attendance or marks are low, who behaves badly or stays away, by the organisation's `at_risk`
settings. docs/performance.md says how each is formed."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from app.extensions import db
from app.models import AlertKind, BehaviourKind, User, UserStatus
from app.services.behaviour import NoteBy, NoteCounts, NoteFilters, note_counts
from app.services.caller import Caller
from app.services.figures import By, Figure, Filters, absences_in_a_row, figures
from app.services.grades import ROUNDING, MarkBy, MarkFilters, averages
from app.services.sessions import Days
from app.services.students import visible_students


@dataclass(frozen=True, slots=True)
class Finding:
    """value, threshold: in percent for attendance and marks, else how many notes or sessions.
    count: of how many sessions, assessments or notes it is formed. days: within so many, to today.
    is_enough: whether those are enough for an alert; one that is open stays with fewer."""

    student_id: uuid.UUID
    kind: AlertKind
    value: float
    threshold: float
    count: int
    days: int
    is_enough: bool = True

    @property
    def figures(self) -> dict[str, Any]:
        return {"value": self.value, "threshold": self.threshold, "count": self.count, "days": self.days}


def at_risk(caller: Caller, student_ids: Collection[uuid.UUID] | None = None) -> list[Finding]:
    """Every finding of every active student of the organisation, or of these, in a fixed number of statements."""
    active = visible_students(caller, User.id).where(User.status == UserStatus.ACTIVE)
    students = set(db.session.scalars(active if student_ids is None else active.where(User.id.in_(student_ids))))
    filters = Filters(_last(caller, caller.settings.at_risk.days), student_ids=student_ids)
    attendance = {id_: figure for (id_,), figure in figures(caller, filters, By.PERSON).items()}
    found = [
        *_low_attendance(caller, attendance),
        *_low_marks(caller, student_ids),
        *_behaviour(caller, student_ids),
        *_consecutive_absences(caller, filters, attendance),
    ]
    wanted = caller.settings.at_risk.kinds
    return [one for one in found if one.student_id in students and one.kind in wanted]


def _last(caller: Caller, days: int) -> Days:
    return Days(*Days().bounds(caller.today, days))


def _low_attendance(caller: Caller, attendance: dict[uuid.UUID, Figure]) -> Iterator[Finding]:
    rules, least = caller.settings.at_risk, caller.settings.low_attendance
    for student_id, figure in attendance.items():
        if figure.rate is not None and figure.rate < least:
            counts = figure.counts
            count = counts.expected - counts.excused - counts.leave
            value, threshold = round(100 * figure.rate, 2), round(100 * least, 2)
            is_enough = count >= rules.min_sessions
            yield Finding(student_id, AlertKind.LOW_ATTENDANCE, value, threshold, count, rules.days, is_enough)


def _low_marks(caller: Caller, student_ids: Collection[uuid.UUID] | None) -> Iterator[Finding]:
    rules = caller.settings.at_risk
    filters = MarkFilters(_last(caller, rules.marks_days), student_ids=student_ids)
    for (student_id,), average in averages(caller, filters, MarkBy.PERSON).items():
        if average.percent is not None and average.percent < rules.marks_below - ROUNDING:
            value, is_enough = round(average.percent, 2), average.count >= rules.min_assessments
            yield Finding(
                student_id, AlertKind.LOW_MARKS, value, rules.marks_below, average.count, rules.marks_days, is_enough
            )


def notes_families_see(caller: Caller, student_id: uuid.UUID) -> int:
    """How many of the notes that count for an alert the student's family may see."""
    days = _last(caller, caller.settings.at_risk.days)
    filters = NoteFilters(days, student_id=student_id, kind=BehaviourKind.NEGATIVE, for_family=True)
    return note_counts(caller, filters).get((), NoteCounts()).negative


def _behaviour(caller: Caller, student_ids: Collection[uuid.UUID] | None) -> Iterator[Finding]:
    rules = caller.settings.at_risk
    filters = NoteFilters(_last(caller, rules.days), student_ids=student_ids, kind=BehaviourKind.NEGATIVE)
    for (student_id,), notes in note_counts(caller, filters, NoteBy.PERSON).items():
        if notes.negative >= rules.negative_notes:
            yield Finding(
                student_id, AlertKind.BEHAVIOUR, notes.negative, rules.negative_notes, notes.negative, rules.days
            )


def _consecutive_absences(caller: Caller, filters: Filters, attendance: dict[uuid.UUID, Figure]) -> Iterator[Finding]:
    rules, threshold = caller.settings.at_risk, caller.settings.at_risk.consecutive_absences
    for student_id, absences in db.session.execute(absences_in_a_row(caller, filters, threshold)):
        if student_id in attendance:  # else they came between the two statements
            count = attendance[student_id].counts.expected
            yield Finding(student_id, AlertKind.CONSECUTIVE_ABSENCES, absences, threshold, count, rules.days)
