"""Report cards: a student's averages and grades by subject and term, to be printed."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy import false, func, true

from app.extensions import db
from app.models import Term
from app.services.caller import Caller
from app.services.figures import Figure, Filters, total
from app.services.grades import Graded, GradedSubject, MarkBy, MarkFilters, averages
from app.services.printouts import Paper
from app.services.sessions import Days
from app.services.student_averages import GradedTerm, StudentAverages, student_averages
from app.services.students import visible_student

WIDTHS = (100, 25, 35, 30)
"""Of the table's columns, in millimetres."""
HEADING = ("Subject", "Marks", "Average", "Grade")
NONE = "–"  # noqa: RUF001 - what stands where there is nothing


@dataclass(frozen=True, slots=True)
class TermNamed:
    """As marks say it; None: any."""

    term: str | None = None
    academic_year: str | None = None


def report_card(caller: Caller, student_id: uuid.UUID, wanted: TermNamed) -> bytes:
    """A student's averages and grades, and their attendance on the days of the same terms: for staff, their parents and
    themselves.

    wanted: by default the term that today lies in, or all there is where it lies in none.

    Raises NotFound: there is no such student, or they are not the caller's to see.
    """
    student = visible_student(caller, student_id)
    wanted = wanted if wanted != TermNamed() else _current(caller)
    filters = MarkFilters(term=wanted.term, academic_year=wanted.academic_year)
    found = student_averages(caller, student_id, filters)
    days = _days(caller, student_id, wanted, filters)
    paper = Paper(caller, f"Report card: {student.name}", days, "portrait")
    _draw(paper, found, total(caller, Filters(days=days, student_id=student_id)))
    return paper.file()


def _current(caller: Caller) -> TermNamed:
    today = caller.today
    current = caller.rows(Term).where(Term.first_day <= today, Term.last_day >= today)
    term: Term | None = db.session.scalar(current.order_by(Term.first_day.desc(), Term.last_day, Term.id).limit(1))
    return TermNamed(term.name, term.academic_year) if term else TermNamed()


def _days(caller: Caller, student_id: uuid.UUID, wanted: TermNamed, filters: MarkFilters) -> Days:
    """Those of the organisation's terms that are meant; where it has none of them, from the first mark to the last."""
    no_term = wanted.term is None and wanted.academic_year is None
    query = caller.rows(Term, func.min(Term.first_day), func.max(Term.last_day)).where(false() if no_term else true())
    for column, value in ((Term.name, wanted.term), (Term.academic_year, wanted.academic_year)):
        if value:
            query = query.where(func.lower(column) == value.strip().lower())
    first, last = db.session.execute(query).one()
    if first is None:
        of_student = MarkFilters(student_id=student_id, term=filters.term, academic_year=filters.academic_year)
        days = [day for (day,) in averages(caller, of_student, MarkBy.DAY)] or [caller.today]
        first, last = min(days), max(days)
    return Days(first, last)


def _draw(paper: Paper, found: StudentAverages, attendance: Figure) -> None:
    if not found.terms:
        paper.write_line("There are no marks of this time.")
    for one in found.terms:
        paper.write_line(_title(one.term), 10, "B")
        paper.ln(1)
        _table(paper, one.subjects, one.term)
    if len(found.terms) > 1:
        paper.write_line("All terms", 10, "B")
        paper.ln(1)
        _table(paper, found.by_subject, found.overall)
    if found.rank:
        paper.write_line(f"Rank: {found.rank.position} of {found.rank.of}")
    rate = NONE if attendance.rate is None else f"{attendance.rate:.1%}"
    paper.write_line(f"Attendance: {rate} of {attendance.sessions} sessions")


def _title(term: GradedTerm) -> str:
    return ", ".join(part for part in (term.term, term.academic_year) if part) or "Without a term"


def _table(paper: Paper, subjects: Sequence[GradedSubject], whole: Graded) -> None:
    _heading(paper)
    for subject in subjects:
        if not paper.has_room:
            paper.add_page()
            _heading(paper)
        paper.write_row(_cells(subject.subject_name, subject))
    paper.write_row(_cells("All", whole), "B")
    paper.ln(4)


def _heading(paper: Paper) -> None:
    paper.write_heading(zip(HEADING, WIDTHS, strict=True))


def _cells(name: str, of: Graded) -> Iterable[tuple[str, float]]:
    average = NONE if of.average is None else f"{of.average:.2f} %"
    return zip((name, str(of.count), average, of.grade or NONE), WIDTHS, strict=True)
