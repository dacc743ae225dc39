"""A student's averages: as a whole, by subject and by term, and their place among the others."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Select, and_, func

from app.extensions import db
from app.models import Class, Role, StudentProfile, User, UserStatus
from app.services.caller import Caller
from app.services.enrolments import current_students
from app.services.errors import NotClassMember
from app.services.grades import (
    Average,
    Graded,
    GradedSubject,
    MarkBy,
    MarkFilters,
    averages,
    grade_of,
    graded,
    graded_subjects,
    together,
)
from app.services.students import visible_student

DECIMALS = 6
"""Averages that differ by less are the same: they are sums of fractions."""


@dataclass(frozen=True, slots=True)
class Rank:
    """position: 1 is the best; equals share it. of: how many have an average."""

    position: int
    of: int


@dataclass(frozen=True, slots=True)
class GradedTerm(Graded):
    academic_year: str | None
    term: str | None


@dataclass(frozen=True, slots=True)
class TermSubjects:
    term: GradedTerm
    subjects: Sequence[GradedSubject]


@dataclass(frozen=True, slots=True)
class StudentAverages:
    """rank: None where the organisation shows none, or they have no place."""

    student: User
    overall: Graded
    by_subject: Sequence[GradedSubject]
    terms: Sequence[TermSubjects]
    rank: Rank | None

    @property
    def by_term(self) -> list[GradedTerm]:
        return [one.term for one in self.terms]

    @property
    def student_id(self) -> uuid.UUID:
        return self.student.id


def student_averages(
    caller: Caller, student_id: uuid.UUID, filters: MarkFilters, among: uuid.UUID | None = None
) -> StudentAverages:
    """Of their marks that fit, in a bounded number of statements. docs/marks.md says how ranks are formed.

    among: the class in which they are ranked; by default the active students of their year.

    Raises:
        NotFound: there is no such student or class, or they are not the caller's to see.
        NotClassMember: the student is not in that class.
    """
    student = visible_student(caller, student_id)
    found = averages(caller, replace(filters, student_id=student_id), MarkBy.SUBJECT, MarkBy.TERM)
    by_subject = together((subject_id, one) for (subject_id, _), one in found.items())
    subjects = graded_subjects(caller, by_subject)
    overall = graded(caller, sum(found.values(), Average()))
    rank = _rank(caller, student, filters, among)
    return StudentAverages(student, overall, subjects, _terms(caller, found, subjects), rank)


def _terms(caller: Caller, found: dict[Any, Average], subjects: Sequence[GradedSubject]) -> list[TermSubjects]:
    """By academic year and name, those without last."""
    by_term = together((term, one) for (_, term), one in found.items())
    terms = []
    for (year, term), one in sorted(by_term.items(), key=lambda item: [(part is None, part or "") for part in item[0]]):
        whole = GradedTerm(one.count, one.percent, grade_of(caller.settings, one.percent), year, term)
        in_term = [
            replace(subject, count=of.count, average=of.percent, grade=grade_of(caller.settings, of.percent))
            for subject in subjects
            if (of := found.get((subject.subject_id, (year, term))))
        ]
        terms.append(TermSubjects(whole, in_term))
    return terms


def _rank(caller: Caller, student: User, filters: MarkFilters, among: uuid.UUID | None) -> Rank | None:
    others = _class_of(caller, student, among) if among else _year_of(caller, student)
    if not caller.settings.assessments.rank:
        return None
    found = averages(caller, replace(filters, student_ids=others), MarkBy.PERSON)
    percents = {id_: round(one.percent, DECIMALS) for (id_,), one in found.items() if one.percent is not None}
    if student.id not in percents:
        return None
    own = percents[student.id]
    return Rank(1 + sum(percent > own for percent in percents.values()), len(percents))


def _class_of(caller: Caller, student: User, class_id: uuid.UUID) -> Select[Any]:
    """Query of the ids of those who are in the class now. Raises NotFound, NotClassMember."""
    caller.get(Class, class_id)
    members = current_students(caller, class_id, User.id).order_by(None)
    if db.session.scalar(members.where(User.id == student.id)) is None:
        raise NotClassMember("This student is not in this class")
    return members


def _year_of(caller: Caller, student: User) -> Select[Any]:
    """Query of the ids of the active students of their year; of nobody, where they have none."""
    profiles = caller.rows(StudentProfile, func.lower(StudentProfile.year))
    own = profiles.where(StudentProfile.user_id == student.id).scalar_subquery()
    return (
        caller.rows(User, User.id)
        .join(StudentProfile, and_(StudentProfile.user_id == User.id, caller.owns(StudentProfile)))
        .where(User.role == Role.STUDENT, User.status == UserStatus.ACTIVE, func.lower(StudentProfile.year) == own)
    )
