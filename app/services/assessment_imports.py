"""Assessments from a table: all of it or nothing, and a second time nothing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from app.extensions import db
from app.models import Assessment
from app.services import audit, subjects
from app.services.assessments import classes_taught, may_correct, terms_of, with_term, wrong_fields
from app.services.caller import Caller
from app.services.imports import Check, Line, People, checked
from app.services.tables import BadCell, Row, require_good
from app.services.transaction import some_at_once, transaction

Key = tuple[Any, ...]
WHICH = ("student_id", "subject_id", "kind", "taken_on", "title")
"""By these an assessment is told apart from the student's others."""
SAYS = ("score", "max_score", "weight", "term", "academic_year", "notes")


@dataclass(slots=True)
class AssessmentsImported:
    """How many rows were new, changed what was there, or found it as it is."""

    dry_run: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0


def import_assessments(caller: Caller, rows: Sequence[Row], check: Check, dry_run: bool) -> AssessmentsImported:
    """Record marks of students, who are named by student_id, external_id, email or roll_number, in subjects, which are
    named by name or code. What a row has no value of stays as it is.

    Raises RowsRefused: names every bad row; nothing is saved.
    """
    lines, bad = checked(rows, check)
    return _import(caller, lines, bad, dry_run)


@transaction
def _import(caller: Caller, lines: list[Line], bad: list[BadCell], dry_run: bool) -> AssessmentsImported:
    audit.because(audit.actor().reason or "import")
    subjects.hold(caller)  # of two who send the same file at once, the second one finds everything there
    wanted, wrong = _wanted(caller, lines)
    there = _there(caller, wanted)
    taught = classes_taught(caller)
    changes = {key: _changed(there[key], line) for key, line in wanted.items() if key in there}
    bad += wrong
    bad += [
        BadCell(wanted[key].number, None, "somebody else has recorded this otherwise")
        for key, changed in changes.items()
        if changed and not may_correct(caller, there[key], taught)
    ]
    require_good(bad)
    for key, changed in changes.items():
        for name, value in changed.items():
            setattr(there[key], name, value)
    new = {key: line for key, line in wanted.items() if key not in there}
    _add(caller, new)
    updated = sum(map(bool, changes.values()))
    if dry_run:
        db.session.rollback()
    return AssessmentsImported(dry_run, len(new), updated, len(changes) - updated)


def _wanted(caller: Caller, lines: Sequence[Line]) -> tuple[dict[Key, Line], list[BadCell]]:
    """The lines by what they are about, and what is wrong with any."""
    people = People(caller, lines)
    named = subjects.named(caller, {line.values["subject"] for line in lines})
    bad, wanted = people.missing(lines), dict[Key, Line]()
    for line in lines:
        values = line.values
        subject_id = named.get(values["subject"].lower())
        if subject_id is None:
            bad.append(BadCell(line.number, "subject", "no such subject"))
        bad += [BadCell(line.number, field, what) for field, what in wrong_fields(caller, values)]
        key = people.found(values), subject_id, values["kind"], values["taken_on"], values.get("title")
        if wanted.setdefault(key, line) is not line and None not in key[:2]:
            bad.append(BadCell(line.number, None, f"is about the same as line {wanted[key].number}"))
    return wanted, bad


def _there(caller: Caller, wanted: dict[Key, Line]) -> dict[Key, Assessment]:
    """Those that are recorded already; of several alike the first one."""
    found: dict[Key, Assessment] = {}
    if not wanted:
        return found
    days = {line.values["taken_on"] for line in wanted.values()}
    students = (key[0] for key in wanted if key[0])
    for some in some_at_once(students):
        query = caller.rows(Assessment).where(
            Assessment.student_id.in_(some), Assessment.taken_on.between(min(days), max(days))
        )
        for row in db.session.scalars(query.order_by(Assessment.id)):
            found.setdefault(tuple(getattr(row, name) for name in WHICH), row)
    return found


def _changed(row: Assessment, line: Line) -> dict[str, Any]:
    """What the line says otherwise."""
    said = {name: line.values[name] for name in SAYS if name in line.values}
    return {name: value for name, value in said.items() if getattr(row, name) != value}


def _add(caller: Caller, new: dict[Key, Line]) -> None:
    if not new:
        return
    own: dict[str, uuid.UUID] = {"organisation_id": caller.organisation_id, "recorded_by_id": caller.user_id}
    terms = terms_of(caller, (line.values["taken_on"] for line in new.values()))
    for key, line in new.items():
        said = {name: line.values[name] for name in SAYS if name in line.values}
        which = dict(zip(WHICH, key, strict=True))
        db.session.add(Assessment(**own, **with_term(which | said, terms)))
    db.session.flush()
