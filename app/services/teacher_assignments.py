"""Teacher assignments: who teaches which subject to which class in which term."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, and_
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import Class, Subject, TeacherAssignment, TeacherRole, Term, User
from app.services.caller import Caller
from app.services.classes import add_teacher, require_teacher
from app.services.errors import AssignmentTaken
from app.services.paging import Page, Paging, paginate
from app.services.transaction import transaction


@dataclass(frozen=True, slots=True)
class AssignmentFilter:
    """is_current: of the terms that it is today."""

    teacher_id: uuid.UUID | None = None
    class_id: uuid.UUID | None = None
    subject_id: uuid.UUID | None = None
    term_id: uuid.UUID | None = None
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class AssignmentView:
    row: TeacherAssignment
    teacher_name: str
    subject_name: str
    class_name: str
    term_name: str

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@transaction
def create(
    caller: Caller, teacher_id: uuid.UUID, subject_id: uuid.UUID, class_id: uuid.UUID, term_id: uuid.UUID
) -> AssignmentView:
    """Have a teacher teach a subject to a class in a term. They become one of the class's teachers (an assistant,
    unless they were one), so that they may take its attendance.

    Raises:
        NotFound: there is no such person, subject, class or term.
        NotATeacher: a person of this role does not teach, or is not active.
        AssignmentTaken: they do so already.
    """
    require_teacher(caller, teacher_id)
    for model, id_ in ((Subject, subject_id), (Class, class_id), (Term, term_id)):
        caller.require(model, id_)
    of = {"teacher_id": teacher_id, "subject_id": subject_id, "class_id": class_id, "term_id": term_id}
    row = TeacherAssignment(organisation_id=caller.organisation_id, **of)
    db.session.add(row)
    try:
        db.session.flush()
    except IntegrityError as taken:
        raise AssignmentTaken from taken
    add_teacher(caller, class_id, teacher_id, TeacherRole.ASSISTANT)
    return _views(db.session.execute(_named(caller).where(TeacherAssignment.id == row.id)).all())[0]


def list_assignments(caller: Caller, wanted: AssignmentFilter, paging: Paging) -> Page[AssignmentView]:
    """Administrators see all, a teacher their own."""
    query = _named(caller)
    if not caller.administers:
        query = query.where(TeacherAssignment.teacher_id == caller.user_id)
    for column, value in (
        (TeacherAssignment.teacher_id, wanted.teacher_id),
        (TeacherAssignment.class_id, wanted.class_id),
        (TeacherAssignment.subject_id, wanted.subject_id),
        (TeacherAssignment.term_id, wanted.term_id),
    ):
        if value is not None:
            query = query.where(column == value)
    if wanted.is_current:
        query = query.where(Term.first_day <= caller.today, Term.last_day >= caller.today)
    columns = {"id": TeacherAssignment.id, "created_at": TeacherAssignment.created_at, "class": Class.name,
               "subject": Subject.name, "teacher": User.last_name, "term": Term.first_day}  # fmt: skip
    page = paginate(query, paging, columns)
    return page.of(_views(page.items))


@transaction
def remove(caller: Caller, teacher_assignment_id: uuid.UUID) -> None:
    """They stay one of the class's teachers: who was made that for other reasons is not told apart, and its lead or an
    administrator ends it. Raises NotFound."""
    db.session.delete(caller.get(TeacherAssignment, teacher_assignment_id))


def _named(caller: Caller) -> Select[Any]:
    query = caller.rows(TeacherAssignment, TeacherAssignment, User, Subject.name, Class.name, Term.name)
    for model, column in (
        (User, TeacherAssignment.teacher_id),
        (Subject, TeacherAssignment.subject_id),
        (Class, TeacherAssignment.class_id),
        (Term, TeacherAssignment.term_id),
    ):
        query = query.join(model, and_(model.id == column, caller.owns(model)))
    return query


def _views(found: Sequence[Any]) -> list[AssignmentView]:
    return [AssignmentView(row, teacher.name, *names) for row, teacher, *names in found]
