"""Portals: what a teacher, a student or a parent begins the day with, in one call and in a number of statements that
does not grow with classes or children. Each part is what its own call answers, the latest of it."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from app.services import notifications
from app.services.alerts import AlertFilter, AlertView, list_alerts
from app.services.assessments import AssessmentView, list_assessments
from app.services.behaviour import NoteBy, NoteCounts, NoteFilters, NoteView, list_notes, note_counts
from app.services.caller import Caller
from app.services.dashboards import PersonDashboard, TeacherDashboard, of_children, of_person, of_teacher
from app.services.grades import (
    Average,
    Graded,
    GradedSubject,
    MarkBy,
    MarkFilters,
    averages,
    graded,
    graded_subjects_of,
)
from app.services.leave import LeaveFilter, LeaveView, list_requests
from app.services.notifications import Told
from app.services.paging import Page, Paging
from app.services.participations import ParticipationFilter, ParticipationView, list_participations
from app.services.reviews import Review, pending
from app.services.sessions import Days
from app.services.teacher_assignments import AssignmentFilter, AssignmentView, list_assignments

LATEST = 10
MOST = 100
"""Assignments of one teacher."""
PERIOD = 365
"""Days, to today, of which marks and notes count."""


@dataclass(frozen=True, slots=True)
class TeacherPortal:
    """assignments: of the terms that it is today. alerts: those that are open."""

    attendance: TeacherDashboard
    assignments: Sequence[AssignmentView]
    reviews: Page[Review]
    alerts: Page[AlertView]
    messages: Page[Told]
    unread: int


@dataclass(frozen=True, slots=True)
class StudentLife:
    """One student, as they and their parents see them. behaviour: of the notes that they may see."""

    attendance: PersonDashboard
    marks: Graded
    subjects: Sequence[GradedSubject]
    behaviour: NoteCounts


@dataclass(frozen=True, slots=True)
class FamilyPortal:
    """The latest of all the students together."""

    children: Sequence[StudentLife]
    assessments: Page[AssessmentView]
    notes: Page[NoteView]
    participations: Page[ParticipationView]
    leave_requests: Page[LeaveView]
    messages: Page[Told]
    unread: int

    @property
    def student(self) -> StudentLife:
        return self.children[0]


def teachers(caller: Caller) -> TeacherPortal:
    """The caller's classes, sessions of today, registers that nobody took, assignments, reviews and alerts."""
    return TeacherPortal(
        attendance=of_teacher(caller),
        assignments=list_assignments(caller, AssignmentFilter(is_current=True), Paging(1, MOST, ["class"])).items,
        reviews=pending(caller, None, None, Days(), _latest("marked_at")),
        alerts=list_alerts(caller, AlertFilter(is_open=True), _latest("opened_at")),
        messages=notifications.list_own(caller, unread=False, paging=_latest("id")),
        unread=notifications.count_unread(caller),
    )


def students(caller: Caller) -> FamilyPortal:
    """The caller's own."""
    return _family(caller, [of_person(caller)])


def parents(caller: Caller) -> FamilyPortal:
    """Of the caller's active children, and of nobody else."""
    return _family(caller, of_children(caller))


def _family(caller: Caller, dashboards: Sequence[PersonDashboard]) -> FamilyPortal:
    return FamilyPortal(
        children=_lives(caller, dashboards),
        assessments=list_assessments(caller, MarkFilters(), None, _latest("date_taken")),
        notes=list_notes(caller, NoteFilters(), open_follow_ups=False, paging=_latest("happened_on")),
        participations=list_participations(caller, ParticipationFilter(), _latest("held_on")),
        leave_requests=list_requests(caller, LeaveFilter(), _latest("first_day")),
        messages=notifications.list_own(caller, unread=False, paging=_latest("id")),
        unread=notifications.count_unread(caller),
    )


def _lives(caller: Caller, dashboards: Sequence[PersonDashboard]) -> list[StudentLife]:
    ids = [dashboard.student.id for dashboard in dashboards]
    days = Days(*Days().bounds(caller.today, PERIOD))
    marks = averages(caller, MarkFilters(days, student_ids=ids), MarkBy.PERSON, MarkBy.SUBJECT)
    of_student: dict[uuid.UUID, dict[uuid.UUID, Average]] = {id_: {} for id_ in ids}
    for (student_id, subject_id), average in marks.items():
        of_student[student_id][subject_id] = average
    subjects = graded_subjects_of(caller, of_student)
    notes = note_counts(caller, NoteFilters(days, student_ids=ids), NoteBy.PERSON)
    return [
        StudentLife(
            dashboard,
            graded(caller, sum(of_student[id_].values(), Average())),
            subjects[id_],
            notes.get((id_,), NoteCounts()),
        )
        for id_, dashboard in zip(ids, dashboards, strict=True)
    ]


def _latest(column: str) -> Paging:
    return Paging(1, LATEST, [f"-{column}"])
