"""Many people and enrolments at once, from a table: all of it or nothing, and a second time nothing."""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import wraps
from typing import Any, ParamSpec

from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import Class, Department, Enrolment, Guardian, Role, StudentProfile, User, UserStatus
from app.services import audit
from app.services.accounts import emails_elsewhere, require_may_give
from app.services.caller import Caller
from app.services.enrolments import is_current, mark_ended
from app.services.errors import ChangedMeanwhile, DatesRefused, RoleNotGiven
from app.services.jobs import report
from app.services.students import PROFILE
from app.services.tables import BadCell, Row, require_good
from app.services.transaction import some_at_once, transaction

P = ParamSpec("P")
Values = dict[str, Any]
Check = Callable[[Row], Values | list[BadCell]]
"""A row's values as they are to be kept, or what is wrong with it."""

KEYS = ("external_id", "email", "roll_number")
"""By the first of these that a row has, and one person has as well, it is about this person."""
NAMED_BY = (User.external_id, User.email, StudentProfile.roll_number)
USER = ("first_name", "last_name", "email", "role", "phone", "external_id", "department")
GUARDIAN = ("name", "phone", "email", "relationship")


@dataclass(slots=True)
class Imported:
    """How many rows made somebody or something new, changed what was there, or found it as it is."""

    dry_run: bool
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    enrolled: int = 0


@dataclass(slots=True)
class Line:
    """number: as a spreadsheet counts."""

    number: int
    values: Values


def import_users(caller: Caller, rows: Sequence[Row], check: Check, dry_run: bool) -> Imported:
    """Create and change people, with profiles, departments, guardians and the class they are enrolled in.

    Raises:
        RowsRefused: names every bad row; nothing is saved.
        ChangedMeanwhile: somebody else saved the same at the same moment.
    """
    lines, bad = checked(rows, check)
    bad += _repeated(lines, KEYS)
    return _import_users(caller, lines, bad, dry_run)


def import_enrolments(caller: Caller, rows: Sequence[Row], check: Check, dry_run: bool) -> Imported:
    """Enrol students, who are named by student_id, external_id, email or roll_number, in classes, which are named by
    class_id, join_code or name. Raises as `import_users`."""
    lines, bad = checked(rows, check)
    return _import_enrolments(caller, lines, bad, dry_run)


def checked(rows: Sequence[Row], check: Check) -> tuple[list[Line], list[BadCell]]:
    """The good rows, and what is wrong with the others; who follows the job sees how far it is."""
    lines: list[Line] = []
    bad: list[BadCell] = []
    for number, row in enumerate(rows):
        if number % 1000 == 0:
            report(number, len(rows))
        found = check(row)
        if isinstance(found, list):
            bad += found
        else:
            lines.append(Line(row.line, found))
    report(len(rows), len(rows))
    return lines, bad


def _repeated(lines: Sequence[Line], columns: Iterable[str]) -> list[BadCell]:
    """Two rows about one person are a mistake: which of them is meant?"""
    bad = []
    for column in columns:
        first: dict[Any, int] = {}
        for line in lines:
            value = line.values.get(column)
            if value and first.setdefault(value, line.number) != line.number:
                bad.append(BadCell(line.number, column, f"stands on line {first[value]} already"))
    return bad


def _told(importing: Callable[P, Imported]) -> Callable[P, Imported]:
    """ChangedMeanwhile instead of the constraint that somebody else's import met first."""

    @wraps(importing)
    def told(*args: P.args, **kwargs: P.kwargs) -> Imported:
        try:
            return importing(*args, **kwargs)
        except IntegrityError as race:
            raise ChangedMeanwhile from race

    return told


@_told
@transaction
def _import_users(caller: Caller, lines: list[Line], bad: list[BadCell], dry_run: bool) -> Imported:
    audit.because(audit.actor().reason or "import")
    known = People(caller, lines)
    classes = _Classes(caller)
    bad += [*_forbidden_roles(caller, lines), *known.misfits(lines), *classes.misfits(lines)]
    require_good(bad)
    departments = _departments(caller, lines)
    done = Imported(dry_run)
    enrol: list[tuple[User, uuid.UUID]] = []
    for line in lines:
        user, outcome = known.apply(line.values, departments)
        setattr(done, outcome, getattr(done, outcome) + 1)
        if name := line.values.get("class"):
            enrol.append((user, classes.by_name[name.lower()][0]))
    db.session.flush()
    known.save_profiles()
    done.enrolled = _enrol(caller, [(user.id, class_id, None, None) for user, class_id in enrol])["created"]
    return _done(done)


@_told
@transaction
def _import_enrolments(caller: Caller, lines: list[Line], bad: list[BadCell], dry_run: bool) -> Imported:
    audit.because(audit.actor().reason or "import")
    known, classes = People(caller, lines), _Classes(caller)
    bad += [*known.missing(lines), *classes.misfits(lines), *classes.unnamed(lines)]
    require_good(bad)
    wanted = []
    for line in lines:
        student, class_id = known.found(line.values), classes.of(line.values)
        if student and class_id:  # the others were refused
            wanted.append((student, class_id, line.values.get("starts_on"), line.values.get("ends_on")))
    made = _enrol(caller, wanted)
    created, updated = made["created"], made["updated"]
    return _done(Imported(dry_run, created, updated, len(lines) - created - updated, enrolled=created))


def _done(done: Imported) -> Imported:
    if done.dry_run:
        db.session.rollback()
    return done


def _forbidden_roles(caller: Caller, lines: Sequence[Line]) -> list[BadCell]:
    refused = set[Role]()
    for role in {line.values["role"] for line in lines}:
        try:
            require_may_give(caller, role)
        except RoleNotGiven:
            refused.add(role)
    wrong = (line for line in lines if line.values["role"] in refused)
    return [BadCell(line.number, "role", "you may not give this role") for line in wrong]


class People:
    """Those whom the lines are about, as far as they are there, in a fixed number of statements."""

    def __init__(self, caller: Caller, lines: Sequence[Line]) -> None:
        self.caller = caller
        self.ids: dict[tuple[str, str], uuid.UUID] = {}
        self.roles: dict[uuid.UUID, Role] = {}
        rows = caller.rows(User, User.id, User.role, *NAMED_BY).outerjoin(
            StudentProfile, (StudentProfile.user_id == User.id) & caller.owns(StudentProfile)
        )
        for key, column in (("student_id", User.id), *zip(KEYS, NAMED_BY, strict=True)):
            for some in some_at_once(named for line in lines if (named := line.values.get(key))):
                for id_, role, *names in db.session.execute(rows.where(column.in_(some), User.erased_at.is_(None))):
                    self.roles[id_] = role
                    self.ids |= {(name, value): id_ for name, value in zip(KEYS, names, strict=True) if value}
        found = [id_ for line in lines if (id_ := self.found(line.values))]
        self.users = {user.id: user for user in self._of(User, User.id, found)}
        self.profiles = {row.user_id: row for row in self._of(StudentProfile, StudentProfile.user_id, found)}
        self.guardians = defaultdict[uuid.UUID, set[tuple[Any, ...]]](set)
        for row in self._of(Guardian, Guardian.student_id, found):
            self.guardians[row.student_id].add(tuple(getattr(row, name) for name in GUARDIAN))
        self.elsewhere = emails_elsewhere(caller, [email for line in lines if (email := line.values.get("email"))])
        self.pending: list[tuple[User, Values]] = []

    def found(self, values: Values) -> uuid.UUID | None:
        """The person whom a row names."""
        if (id_ := values.get("student_id")) is not None:
            return id_ if id_ in self.roles else None
        named = (self.ids.get((column, values[column])) for column in KEYS if values.get(column))
        return next((id_ for id_ in named if id_), None)

    def misfits(self, lines: Sequence[Line]) -> list[BadCell]:
        """Rows that name two people at once, or one whom another row names, or somebody's address elsewhere."""
        bad = []
        named: dict[uuid.UUID, int] = {}
        for line in lines:
            person = self.found(line.values)
            if person and named.setdefault(person, line.number) != line.number:
                bad.append(BadCell(line.number, None, f"is about the same person as line {named[person]}"))
            bad += self._others(line, person)
            if line.values.get("email") in self.elsewhere:
                bad.append(BadCell(line.number, "email", "is taken"))
            if person and self.roles[person] != line.values["role"]:
                bad.append(BadCell(line.number, "role", f"this person is {self.roles[person].value}"))
        return bad

    def missing(self, lines: Sequence[Line]) -> list[BadCell]:
        """Rows that name nobody, two people at once, or somebody who is no student."""
        bad = []
        for line in lines:
            person = self.found(line.values)
            if person is None or self.roles[person] != Role.STUDENT:
                column = next((name for name in ("student_id", *KEYS) if line.values.get(name)), None)
                bad.append(BadCell(line.number, column, "names no student"))
            bad += self._others(line, person)
        return bad

    def _others(self, line: Line, person: uuid.UUID | None) -> list[BadCell]:
        """What names somebody else than whom the row is about."""
        others = ((key, self.ids.get((key, line.values.get(key) or ""))) for key in KEYS)
        return [BadCell(line.number, key, "is another person's") for key, other in others if other and other != person]

    def apply(self, values: Values, departments: dict[str, uuid.UUID]) -> tuple[User, str]:
        """Make or change the person; the outcome is what `Imported` counts."""
        id_ = self.found(values)
        user = self.users.get(id_) if id_ else None
        fields = {name: values[name] for name in USER if name in values and name != "department"}
        if values.get("department"):
            fields["department_id"] = departments[values["department"].lower()]
        is_new = user is None
        if user is None:
            user = User(organisation_id=self.caller.organisation_id, **fields)
            db.session.add(user)
            changed = True
        else:
            if fields.get("email", user.email) != user.email:
                fields["email_verified_at"] = None
            if user.status == UserStatus.INACTIVE:  # who is suspended, or has yet to confirm an address, stays so
                fields |= {"status": UserStatus.ACTIVE, "inactive_on": None}
            changed = _set(user, fields)
        changed |= self._complete(user, values, is_new)
        return user, "created" if is_new else "updated" if changed else "unchanged"

    def _complete(self, user: User, values: Values, is_new: bool) -> bool:
        """Profile and guardian of a student; those of a new one wait until the person has an id."""
        if user.role != Role.STUDENT:
            return False
        if is_new:
            self.pending.append((user, values))
            return False
        profile = self.profiles.get(user.id)
        if profile is None:
            self.pending.append((user, values))
            return True
        changed = _set(profile, {name: values[name] for name in PROFILE if name in values})
        return self._add_guardian(user, values) or changed

    def save_profiles(self) -> None:
        own = {"organisation_id": self.caller.organisation_id}
        for user, values in self.pending:
            profile = {name: values[name] for name in PROFILE if name in values}
            db.session.add(StudentProfile(**own, user_id=user.id, **profile))
            self._add_guardian(user, values)
        db.session.flush()

    def _add_guardian(self, user: User, values: Values) -> bool:
        guardian = {name: values.get(f"guardian_{name}") for name in GUARDIAN}
        told = tuple(guardian.values())
        if not guardian["name"] or told in self.guardians[user.id]:
            return False
        own = {"organisation_id": self.caller.organisation_id, "student_id": user.id}
        db.session.add(Guardian(**own, **guardian))
        self.guardians[user.id].add(told)
        return True

    def _of(self, model: type[Any], column: Any, ids: Sequence[uuid.UUID]) -> Iterable[Any]:
        for some in some_at_once(ids):
            yield from db.session.scalars(self.caller.rows(model).where(column.in_(some)))


class _Classes:
    """The organisation's classes, by what a row may call them."""

    def __init__(self, caller: Caller) -> None:
        self.ids: dict[str, uuid.UUID] = {}
        self.by_name = defaultdict[str, list[uuid.UUID]](list)
        for id_, name, code in db.session.execute(
            caller.rows(Class, Class.id, Class.name, Class.join_code).where(Class.is_active)
        ):
            self.ids |= {str(id_): id_, code: id_}
            self.by_name[name.lower()].append(id_)

    def of(self, values: Values) -> uuid.UUID | None:
        if name := values.get("class"):
            found = self.by_name.get(name.lower(), [])
            return found[0] if len(found) == 1 else None
        return self.ids.get(str(values.get("class_id") or values.get("join_code") or "").strip())

    def misfits(self, lines: Sequence[Line]) -> list[BadCell]:
        bad = []
        for line in lines:
            if (name := line.values.get("class")) and line.values.get("role", Role.STUDENT) != Role.STUDENT:
                bad.append(BadCell(line.number, "class", f"nobody is enrolled as {line.values['role'].value}"))
            elif name and self.of(line.values) is None:
                reason = "several classes have this name" if name.lower() in self.by_name else "no such class"
                bad.append(BadCell(line.number, "class", reason))
        return bad

    def unnamed(self, lines: Sequence[Line]) -> list[BadCell]:
        """Rows that name their class otherwise than by its name, and wrongly."""
        bad = []
        for line in lines:
            if not line.values.get("class") and self.of(line.values) is None:
                column = next((name for name in ("class_id", "join_code") if line.values.get(name)), "class")
                bad.append(BadCell(line.number, column, "no such class"))
        return bad


def _set(row: Any, values: Values) -> bool:
    """Set what differs; whether something did."""
    changed = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in changed.items():
        setattr(row, name, value)
    return bool(changed)


def _departments(caller: Caller, lines: Sequence[Line]) -> dict[str, uuid.UUID]:
    """The id of each department that the lines name, in lower case; new ones are made."""
    there = db.session.execute(caller.rows(Department, Department.name, Department.id)).all()
    known: dict[str, uuid.UUID] = {name.lower(): id_ for name, id_ in there}
    names = {name.lower(): name for line in lines if (name := line.values.get("department"))}
    new = [Department(organisation_id=caller.organisation_id, name=names[key]) for key in sorted(names.keys() - known)]
    db.session.add_all(new)
    db.session.flush()
    return known | {row.name.lower(): row.id for row in new}


Wanted = tuple[uuid.UUID, uuid.UUID, date | None, date | None]
"""student, class, from (by default today, or as it is), until (by default open, or as it is)"""


def _enrol(caller: Caller, wanted: Sequence[Wanted]) -> Counter[str]:
    """How many enrolments were created, updated, or as wanted."""
    mark_ended(caller)
    current: dict[Any, Enrolment] = {}
    past = defaultdict[Any, list[Enrolment]](list)
    for some in some_at_once(student_id for student_id, *_ in wanted):
        for row in db.session.scalars(caller.rows(Enrolment).where(Enrolment.student_id.in_(some))):
            if row.is_current:
                current[row.student_id, row.class_id] = row
            else:
                past[row.student_id, row.class_id].append(row)
    done = Counter[str]()
    for student_id, class_id, starts_on, ends_on in dict.fromkeys(wanted):
        key, days = (student_id, class_id), {"starts_on": starts_on, "ends_on": ends_on}
        given = {name: day for name, day in days.items() if day}
        if ends_on and any(all(getattr(row, name) == day for name, day in given.items()) for row in past[key]):
            done["unchanged"] += 1
            continue
        row = current.get(key)
        if row:
            done["updated" if _set(row, given) else "unchanged"] += 1
        else:
            row = Enrolment(organisation_id=caller.organisation_id, student_id=student_id, class_id=class_id)
            row.starts_on, row.ends_on = starts_on or caller.today, ends_on
            current[key] = row
            db.session.add(row)
            done["created"] += 1
        _settle(row, caller.today)
    db.session.flush()
    return done


def _settle(row: Enrolment, today: date) -> None:
    """Raises DatesRefused when it would end before it starts."""
    if row.ends_on and row.ends_on <= row.starts_on:
        raise DatesRefused
    row.is_current = is_current(row.ends_on, today)
