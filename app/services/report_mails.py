"""Sending the reports that are due.

Each mail has a key of its schedule, its days, whom it goes to and whom it is about, so that nobody gets it twice,
however many send it, and whoever goes on where another died. What was missed while nothing ran is sent once: of the
latest days.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog
from sqlalchemy import Row, and_, or_, select
from sqlalchemy.orm import aliased

from app import clock
from app.extensions import db
from app.models import (
    Class,
    Enrolment,
    Guardian,
    Organisation,
    ReportKind,
    ReportRecipient,
    ReportSchedule,
    Role,
    User,
    UserStatus,
)
from app.services import mail
from app.services.caller import Caller, system
from app.services.classes import class_names
from app.services.enrolments import current_students, enrolled_on
from app.services.figures import By, Figure, Filters, figures, nothing, people, total
from app.services.mail import Letter
from app.services.paging import Paging
from app.services.registers import not_taken
from app.services.report_schedules import SEND, finish, latest_days, readers, unchanged
from app.services.reports import Standing, people_by_absence
from app.services.transaction import release, transaction

__all__ = ["SEND", "send_due"]

AT_ONCE = 200
"""Schedules that are read, and mails that are written, in one go."""
LOWEST = 10
"""Classes that the organisation's report names."""
ROWS = 100
"""Students whom a class's report names: its text has to fit into MySQL's 64 KB."""
CHRONIC = 0.1

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    figure: Figure


def send_due() -> None:
    """Send what is due, in all organisations; one that cannot be sent holds up no other."""
    for row, organisation in _due():
        try:
            _send(row, organisation)
        except Exception:
            log.exception("report_not_sent", report_schedule_id=str(row.id))
            release()  # whatever failed must not fail the next


def _send(row: ReportSchedule, organisation: Organisation) -> None:
    caller = system(organisation, row.created_by_id)
    days = latest_days(caller, row)
    period = f"{days.first}/{days.last}"
    if period != row.last_period and not _is_of_class_that_is_over(caller, row):
        for to in LETTERS[row.kind](caller, row, _filters(row, days)):
            letters = [_letter(row, period, who, about, values | {"period": days}) for who, about, values in to]
            if not _post(caller, row, mail.write(f"report_{row.kind}", organisation.id, letters)):
                return
    finish(caller, row, period)


def _letter(row: ReportSchedule, period: str, who: Row[Any], about: Any, values: dict[str, Any]) -> Letter:
    key = f"report:{row.id}:{row.asked}:{period}:{who.id}:{about or ''}"
    return Letter(who.email, key, who.id, values | {"name": _name(who)})


@transaction
def _post(caller: Caller, row: ReportSchedule, mails: Sequence[dict[str, Any]]) -> bool:
    """Whether the schedule is as it was still: else nothing more is to be sent of what it was."""
    if unchanged(caller, row) is None:
        return False
    mail.post_written(mails)
    return True


Addressed = tuple[Row[Any], uuid.UUID | None, dict[str, Any]]
"""Whom a mail goes to (id, first_name, last_name, email), whom it is about, and what its template is given."""


def _of_organisation(caller: Caller, row: ReportSchedule, filters: Filters) -> Iterator[list[Addressed]]:
    to = _recipients(caller, row)
    if not to:
        return
    by_class = figures(caller, filters, By.CLASS)
    rated = [(figure.rate, id_, figure) for (id_,), figure in by_class.items() if figure.rate is not None]
    lowest = sorted(rated, key=lambda of: of[:2])[:LOWEST]
    names = class_names(caller, [of[1] for of in lowest])
    registers = not_taken(caller, None, filters.days, Paging(1, 1, []))
    values = {
        "total": total(caller, filters),
        "classes": [Line(names[id_], figure) for _, id_, figure in lowest],
        "chronic": people_by_absence(caller, filters, Standing.CHRONIC, CHRONIC, Paging(1, 1, [])).total,
        # who would have been in them is not known
        "not_taken": None if row.department or row.year or row.section else registers.total,
    }
    yield [(who, None, values) for who in to]


def _of_class(caller: Caller, row: ReportSchedule, filters: Filters) -> Iterator[list[Addressed]]:
    to = _recipients(caller, row)
    if not to or row.class_id is None:
        return
    students = current_students(caller, row.class_id, User.id, User.first_name, User.last_name)
    chosen = db.session.execute(students.where(User.id.in_(people(caller, filters))).limit(ROWS + 1)).all()
    named = chosen[:ROWS]
    by_person = figures(caller, replace(filters, student_ids=[one.id for one in named]), By.PERSON)
    values = {
        "class_name": caller.get(Class, row.class_id).name,
        "total": total(caller, filters),
        "students": [Line(_name(one), by_person.get((one.id,), nothing(caller))) for one in named],
        "has_more": len(chosen) > ROWS,
    }
    yield [(who, None, values) for who in to]


def _of_students(caller: Caller, row: ReportSchedule, filters: Filters) -> Iterator[list[Addressed]]:
    """To each parent of each student, in two statements for AT_ONCE of them."""
    parent, student = aliased(User), aliased(User)
    told = (parent.id, parent.first_name, parent.last_name, parent.email)
    query = (
        caller.rows(Guardian, Guardian.id.label("guardian_id"), *told, Guardian.student_id)
        .add_columns(student.first_name.label("student_first_name"), student.last_name.label("student_last_name"))
        .join(parent, and_(parent.id == Guardian.parent_id, caller.owns(parent)))
        .join(student, and_(student.id == Guardian.student_id, caller.owns(student)))
        .where(parent.role == Role.PARENT, parent.status == UserStatus.ACTIVE, parent.email.is_not(None))
        .where(student.role == Role.STUDENT, student.status == UserStatus.ACTIVE)
        .where(student.id.in_(people(caller, filters)))
        .order_by(Guardian.id)
        .limit(AT_ONCE)
    )
    if row.class_id is not None:
        enrolled = caller.rows(Enrolment, Enrolment.student_id).where(Enrolment.class_id == row.class_id)
        query = query.where(student.id.in_(enrolled.where(enrolled_on(caller.today))))
    some = db.session.execute(query).all()
    while some:
        by_person = figures(caller, replace(filters, student_ids={each.student_id for each in some}), By.PERSON)
        yield [
            (
                each,
                each.student_id,
                {
                    "student": f"{each.student_first_name} {each.student_last_name}".strip(),
                    "total": by_person[each.student_id,],
                },
            )
            for each in some
            if (each.student_id,) in by_person  # in holidays there is nothing to tell
        ]
        some = db.session.execute(query.where(Guardian.id > some[-1].guardian_id)).all()


LETTERS: dict[ReportKind, Callable[[Caller, ReportSchedule, Filters], Iterator[list[Addressed]]]] = {
    ReportKind.ORGANISATION: _of_organisation,
    ReportKind.CLASS: _of_class,
    ReportKind.STUDENT: _of_students,
}


def _is_of_class_that_is_over(caller: Caller, row: ReportSchedule) -> bool:
    return row.class_id is not None and not caller.get(Class, row.class_id).is_active


def _recipients(caller: Caller, row: ReportSchedule) -> Sequence[Row[Any]]:
    """Those of them who may see it still."""
    named = caller.rows(ReportRecipient, ReportRecipient.user_id).where(ReportRecipient.report_schedule_id == row.id)
    query = readers(caller, row, User.id, User.first_name, User.last_name, User.email)
    return db.session.execute(query.where(User.id.in_(named), User.email.is_not(None))).all()


def _filters(row: ReportSchedule, days: Any) -> Filters:
    return Filters(days, row.class_id, department=row.department, year=row.year, section=row.section)


def _name(person: Any) -> str:
    return f"{person.first_name} {person.last_name}".strip()


def _due() -> Iterator[tuple[ReportSchedule, Organisation]]:
    """What is due, of all organisations, what waits longest first: a statement for each AT_ONCE of them. What cannot be
    sent stays due, and must not hide what comes after it."""
    query = (
        select(ReportSchedule, Organisation)
        .join(Organisation, Organisation.id == ReportSchedule.organisation_id)
        .where(ReportSchedule.due_at <= clock.now(), Organisation.is_active)
        .order_by(ReportSchedule.due_at, ReportSchedule.id)
        .limit(AT_ONCE)
    )
    rows = db.session.execute(query).all()
    while rows:
        release()
        yield from ((row, organisation) for row, organisation in rows)
        last = rows[-1].ReportSchedule
        later = and_(ReportSchedule.due_at == last.due_at, ReportSchedule.id > last.id)
        rows = db.session.execute(query.where(or_(ReportSchedule.due_at > last.due_at, later))).all()
    release()
