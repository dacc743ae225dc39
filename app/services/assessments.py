"""Assessments: what students scored, recorded one by one or for a whole class, corrected, listed and summed up."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from app.extensions import db
from app.models import Assessment, Class, ClassTeacher, Enrolment, Subject, Term, User
from app.services import audit, subjects
from app.services.caller import Caller
from app.services.classes import taught_class
from app.services.errors import AssessmentsRefused, NotFound, NotYourAssessment
from app.services.grades import (
    Average,
    GradedSubject,
    MarkBy,
    MarkFilters,
    averages,
    by_bound,
    grade_of,
    graded_subjects,
    marks_that_fit,
    together,
)
from app.services.paging import Page, Paging, paginate
from app.services.students import visible_student, visible_students
from app.services.subjects import SubjectNamed, found_or_made
from app.services.transaction import transaction

Values = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AssessmentView:
    row: Assessment
    student: User
    subject_name: str
    recorded_by: str
    grade: str | None

    @property
    def student_name(self) -> str:
        return self.student.name

    @property
    def assessment_type(self) -> str:
        return self.row.kind

    @property
    def date_taken(self) -> date:
        return self.row.taken_on

    @property
    def percent(self) -> float:
        return 100 * self.row.score / self.row.max_score

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@dataclass(frozen=True, slots=True)
class Statistics:
    """average_score: in percent. grade_distribution: how many marks have each grade, the best one first."""

    total_assessments: int
    average_score: float | None
    subject_performance: Sequence[GradedSubject]
    grade_distribution: dict[str, int]


@dataclass(frozen=True, slots=True)
class _Given:
    """What is to be recorded; place: where it stands in the call, by which what is wrong is named."""

    place: str
    values: Values


@transaction
def record(caller: Caller, class_id: uuid.UUID | None, subject: SubjectNamed, values: Values) -> AssessmentView:
    """Record what one student scored; a subject of a new name is made.

    values: student_id, kind, score, max_score, weight, taken_on, title, term, academic_year, notes.

    Raises:
        NotFound: there is no such student, class or subject.
        NotYourClass: it is another teacher's.
        MissingFields: neither a subject is named, nor has the class one.
        AssessmentsRefused: names each wrong field: a type that the organisation has not, a score that is not from 0 to
            max_score, a student who never was in the class.
    """
    visible_student(caller, values["student_id"])
    return _views(caller, _recorded(caller, class_id, subject, [_Given("", values)]))[0]


@transaction
def record_class(
    caller: Caller, class_id: uuid.UUID, subject: SubjectNamed, common: Values, scores: Sequence[Values]
) -> list[AssessmentView]:
    """Record what students of a class scored in the same assessment: all of it, or nothing.

    common: kind, max_score, weight, taken_on, title, term, academic_year. scores: each a student_id, score and notes.

    Raises: as `record`; what is wrong is named by its place, such as scores.3.score.
    """
    given = [_Given(f"scores.{n}.", common | values) for n, values in enumerate(scores)]
    return _views(caller, _recorded(caller, class_id, subject, given))


@transaction
def change(
    caller: Caller, assessment_id: uuid.UUID, subject: SubjectNamed | None, values: Values, reason: str | None
) -> AssessmentView:
    """Correct an assessment: set what is given.

    Raises:
        NotFound: there is no such assessment, or subject.
        NotYourAssessment: the caller has not recorded it, and neither teaches its class nor administers.
        AssessmentsRefused: as `record`.
    """
    row = _to_correct(caller, assessment_id, reason)
    if subject is not None:
        values["subject_id"] = found_or_made(caller, subject)
    whole = {name: values.get(name, getattr(row, name)) for name in ("score", "max_score")}
    wrong = wrong_fields(caller, whole | ({"kind": values["kind"]} if "kind" in values else {}))
    if wrong:
        _refuse({field: [what] for field, what in wrong})
    if values.get("taken_on", row.taken_on) != row.taken_on and not values.keys() & {"term", "academic_year"}:
        values |= _moved(caller, row, values["taken_on"])
    for name, value in values.items():
        setattr(row, name, value)
    db.session.flush()
    return _views(caller, [row])[0]


def _moved(caller: Caller, row: Assessment, day: date) -> Values:
    """Of a mark whose term nobody has given otherwise, the day's it moves to."""
    by_day = [
        with_term({"term": None, "academic_year": None} | {"taken_on": on}, terms_of(caller, [on]))
        for on in (row.taken_on, day)
    ]
    before, after = ({"term": one["term"], "academic_year": one["academic_year"]} for one in by_day)
    return after if before == {"term": row.term, "academic_year": row.academic_year} else {}


@transaction
def remove(caller: Caller, assessment_id: uuid.UUID, reason: str | None) -> None:
    """Raises NotFound, NotYourAssessment."""
    db.session.delete(_to_correct(caller, assessment_id, reason))


def read(caller: Caller, assessment_id: uuid.UUID) -> AssessmentView:
    """Raises NotFound; one that is not the caller's to see is no different."""
    query = caller.rows(Assessment).where(marks_that_fit(_seen(caller, MarkFilters())))
    row: Assessment | None = db.session.scalar(query.where(Assessment.id == assessment_id))
    if row is None:
        raise NotFound("There is no assessment with this id")
    return _views(caller, [row])[0]


def list_assessments(caller: Caller, filters: MarkFilters, subject: str | None, paging: Paging) -> Page[AssessmentView]:
    """Of those students whom the caller may see.

    subject: by name or code.

    Raises NotFound: there is no such student, class or subject, or the student is not theirs to see.
    """
    query = caller.rows(Assessment).where(marks_that_fit(_wanted(caller, filters, subject)))
    columns = {
        "id": Assessment.id,
        "date_taken": Assessment.taken_on,
        "score": Assessment.score,
        "created_at": Assessment.created_at,
    }
    page = paginate(query, paging, columns)
    return page.of(_views(caller, page.items))


def statistics(caller: Caller, filters: MarkFilters, subject: str | None) -> Statistics:
    """Figures of all the marks that fit. Filters and errors as of `list_assessments`."""
    found = averages(caller, _wanted(caller, filters, subject), MarkBy.SUBJECT, MarkBy.GRADE)
    whole = sum(found.values(), Average())
    by_grade = together((grade, one) for (_, grade), one in found.items())
    return Statistics(
        whole.count,
        whole.percent,
        graded_subjects(caller, together((subject_id, one) for (subject_id, _), one in found.items())),
        {one.grade: by_grade.get(one.grade, Average()).count for one in by_bound(caller.settings)},
    )


def wrong_fields(caller: Caller, values: Values) -> list[tuple[str, str]]:
    """What of an assessment's values does not fit, by the field's name in a call."""
    wrong = []
    types = caller.settings.assessments.types
    if "kind" in values and values["kind"] not in types:
        wrong.append(("assessment_type", f"is none of {', '.join(types)}"))
    if not 0 <= values["score"] <= values["max_score"]:
        wrong.append(("score", f"must lie between 0 and max_score, {values['max_score']:g}"))
    return wrong


def classes_taught(caller: Caller) -> set[uuid.UUID]:
    """The ids of the classes that the caller is a teacher of."""
    taught = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == caller.user_id)
    return set(db.session.scalars(taught))


def may_correct(caller: Caller, row: Assessment, taught: set[uuid.UUID]) -> bool:
    return caller.administers or row.recorded_by_id == caller.user_id or row.class_id in taught


def terms_of(caller: Caller, days: Iterable[date]) -> Sequence[Term]:
    """The organisation's terms that some of these days may lie in; one that began later comes first."""
    some = list(days)
    near = caller.rows(Term).where(Term.first_day <= max(some), Term.last_day >= min(some))
    return db.session.scalars(near.order_by(Term.first_day.desc(), Term.last_day, Term.id)).all()


def with_term(values: Values, terms: Sequence[Term]) -> Values:
    """The values, and what they do not say of term and academic year: as of the term that the day lies in, unless they
    say otherwise of the other."""
    said = (values.get("term"), values.get("academic_year"))
    for row in terms:
        there = (row.name, row.academic_year or "")
        agrees = all(one is None or one.casefold() == other.casefold() for one, other in zip(said, there, strict=True))
        if agrees and row.first_day <= values["taken_on"] <= row.last_day:
            return values | {"term": row.name, "academic_year": row.academic_year}
    return values


def _recorded(
    caller: Caller, class_id: uuid.UUID | None, subject: SubjectNamed, given: Sequence[_Given]
) -> list[Assessment]:
    class_ = taught_class(caller, class_id) if class_id else None
    subject_id = found_or_made(caller, subject, class_)
    _require_right(caller, class_, given)
    terms = terms_of(caller, (one.values["taken_on"] for one in given))
    own = {
        "organisation_id": caller.organisation_id,
        "recorded_by_id": caller.user_id,
        "subject_id": subject_id,
        "class_id": class_id,
    }
    rows = [Assessment(**own, **with_term(one.values, terms)) for one in given]
    db.session.add_all(rows)
    db.session.flush()
    return rows


def _require_right(caller: Caller, class_: Class | None, given: Sequence[_Given]) -> None:
    """Raises AssessmentsRefused."""
    said = defaultdict[str, list[str]](list)
    ids = {one.values["student_id"] for one in given}
    known = set(db.session.scalars(visible_students(caller, User.id).where(User.id.in_(ids))))
    members = known if class_ is None else _were_in(caller, class_, ids)
    first: dict[uuid.UUID, str] = {}
    for one in given:
        student_id = one.values["student_id"]
        for field, what in wrong_fields(caller, one.values):
            said[one.place + field].append(what)
        if student_id not in known:
            said[f"{one.place}student_id"].append("there is no student with this id")
        elif student_id not in members:
            said[f"{one.place}student_id"].append("this student was never in the class")
        if (place := first.setdefault(student_id, one.place)) != one.place:
            said[f"{one.place}student_id"].append(f"stands at {place.rstrip('.')} already")
    if said:
        _refuse(said)


def _refuse(said: dict[str, list[str]]) -> None:
    what = "; ".join(f"{field} {reasons[0]}" for field, reasons in list(said.items())[:3])
    raise AssessmentsRefused(f"Nothing was saved: {what}", errors=dict(said))


def _were_in(caller: Caller, class_: Class, ids: set[uuid.UUID]) -> set[uuid.UUID]:
    """Those who are in the class, or have been, or are to be."""
    enrolled = caller.rows(Enrolment, Enrolment.student_id).where(Enrolment.class_id == class_.id)
    return set(db.session.scalars(enrolled.where(Enrolment.student_id.in_(ids))))


def _to_correct(caller: Caller, assessment_id: uuid.UUID, reason: str | None) -> Assessment:
    if reason:
        audit.because(reason)
    query = caller.rows(Assessment).where(Assessment.id == assessment_id).with_for_update(key_share=True)
    row: Assessment | None = db.session.scalar(query)
    if row is None:
        raise NotFound("There is no assessment with this id")
    if not may_correct(caller, row, classes_taught(caller)):
        raise NotYourAssessment
    return row


def _wanted(caller: Caller, filters: MarkFilters, subject: str | None) -> MarkFilters:
    """Raises NotFound: a class, subject or student that is asked for is not the caller's to see."""
    caller.require(Class, filters.class_id)
    caller.require(Subject, filters.subject_id)
    if filters.student_id is not None:
        visible_student(caller, filters.student_id)
    if subject:
        filters = replace(filters, subject_ids=subjects.called(caller, [subject], Subject.id))
    return _seen(caller, filters)


def _seen(caller: Caller, filters: MarkFilters) -> MarkFilters:
    return filters if caller.is_staff else replace(filters, student_ids=visible_students(caller, User.id))


def _views(caller: Caller, rows: Sequence[Assessment]) -> list[AssessmentView]:
    ids = {id_ for row in rows for id_ in (row.student_id, row.recorded_by_id)}
    people = {user.id: user for user in db.session.scalars(caller.rows(User).where(User.id.in_(ids)))}
    of_these = caller.rows(Subject, Subject.id, Subject.name).where(Subject.id.in_({row.subject_id for row in rows}))
    names: dict[uuid.UUID, str] = dict(db.session.execute(of_these).all())
    return [
        AssessmentView(
            row,
            people[row.student_id],
            names[row.subject_id],
            people[row.recorded_by_id].name,
            grade_of(caller.settings, 100 * row.score / row.max_score),
        )
        for row in rows
    ]
