"""OneRoster in: another system's people, classes and enrolments become ours, all of them or nothing.

A blank cell leaves what there is; who or what the other system does not name, but did before, is deactivated where its
file is whole ("bulk"). People whom it never knew are left alone, and administrators stay what they are.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from sqlalchemy.exc import IntegrityError

from app import clock
from app.extensions import db
from app.models import (
    Base,
    Class,
    ClassTeacher,
    Department,
    Enrolment,
    Guardian,
    Organisation,
    Role,
    SignIn,
    StudentProfile,
    Subject,
    TeacherRole,
    Tenant,
    Term,
    User,
    UserStatus,
)
from app.services import audit
from app.services.accounts import emails_elsewhere, require_may_give
from app.services.caller import Caller
from app.services.classes import save_with_join_codes
from app.services.enrolments import is_current, mark_ended
from app.services.errors import ChangedMeanwhile, RoleNotGiven
from app.services.oneroster_files import (
    AcademicSession,
    ClassEntry,
    Course,
    Demographics,
    Enrollment,
    File,
    Mode,
    Org,
    Package,
    RoleEntry,
    UserEntry,
    read_package,
)
from app.services.reconcile import Table, Target
from app.services.tables import BadCell, require_good
from app.services.transaction import transaction
from app.services.users import MANAGERS

ROLES = {
    "student": Role.STUDENT,
    "teacher": Role.TEACHER,
    "aide": Role.TEACHER,
    "proctor": Role.TEACHER,
    "counselor": Role.EMPLOYEE,
    "parent": Role.PARENT,
    "guardian": Role.PARENT,
    "relative": Role.PARENT,
    "administrator": Role.ADMIN,
    "principal": Role.ADMIN,
    "siteadministrator": Role.ADMIN,
}
"""Nobody gets any by being an administrator of a whole district or system."""
TEACHING = {"teacher", "aide", "proctor", "administrator"}
TEACHERS = {Role.TEACHER, *MANAGERS}

Counts = Mapping[str, int]
At = tuple[str, int]
"""A file and a line in it."""


@dataclass(frozen=True, slots=True)
class Imported:
    """How many rows of each table were created, ...; in a dry run, would have been. Removed: deactivated, or ended."""

    dry_run: bool
    created: Counts
    updated: Counts
    unchanged: Counts
    removed: Counts


def import_archive(caller: Caller, archive: bytes, dry_run: bool) -> Imported:
    """Have what the archive says; a second time changes nothing.

    Raises:
        UnreadableFile: it is no OneRoster archive.
        RowsRefused: names every bad cell.
        ChangedMeanwhile: somebody else saved the same at the same moment.
    """
    return _import(caller, read_package(archive), dry_run)


@transaction
def _import(caller: Caller, package: Package, dry_run: bool) -> Imported:
    audit.because(audit.actor().reason or "OneRoster import")
    roster = _Roster(caller, package)
    roster.plan()
    require_good(sorted(roster.bad, key=lambda bad: (bad.file or "", bad.line)))
    try:
        roster.save()
    except IntegrityError as race:
        raise ChangedMeanwhile from race
    if dry_run:
        db.session.rollback()
    counts = {name: table.counts for name, table in roster.tables.items()}
    return Imported(
        dry_run, *({n: c[what] for n, c in counts.items()} for what in ("created", "updated", "unchanged", "removed"))
    )


class _Roster:
    """What the organisation has, and what it is to have."""

    def __init__(self, caller: Caller, package: Package) -> None:
        self.caller, self.package = caller, package
        self.bad = list(package.bad)
        self.organisation = db.session.get_one(Organisation, caller.organisation_id)
        mark_ended(caller)
        self.departments = Table(caller, Department, ("name",))
        self.subjects = Table(caller, Subject, ("code",))
        self.terms = Table(caller, Term, ("name",))
        self.classes = Table(caller, Class)
        self.users = Table(caller, User, ("email",), where=[User.erased_at.is_(None)])
        self.profiles = Table(caller, StudentProfile, ("roll_number",), lambda row: row.user_id)
        self.guardians = Table(
            caller, Guardian, (), lambda row: (row.student_id, row.parent_id), [Guardian.parent_id.is_not(None)]
        )
        self.teachers = Table(caller, ClassTeacher, ("class_id", "teacher_id"))
        self.enrolments = Table(caller, Enrolment, ("class_id", "student_id", "is_current"))
        self.links = defaultdict[uuid.UUID, list[Target]](list)
        for link in self.guardians.targets.values():
            self.links[link.row.student_id].append(link)
        self.known_elsewhere = {user.id for user in self.users.targets.values() if user.row.external_id}
        own = {str(self.organisation.id), self.organisation.external_id}
        self.orgs = package.orgs.keys | own | self.departments.targets.keys()

    @property
    def tables(self) -> dict[str, Table]:
        return {table.model.__tablename__: table for table in vars(self).values() if isinstance(table, Table)}

    def plan(self) -> None:
        """Fill the tables' targets and `bad`; nothing is written yet."""
        for org in self.package.orgs.entries:
            self._org(org)
        for session in self.package.sessions.entries:
            self._session(session)
        for course in self.package.courses.entries:
            self._course(course)
        for entry in self.package.classes.entries:
            self._class(entry)
        self._people()
        for demographics in self.package.demographics.entries:
            self._demographics(demographics)
        for enrollment in self.package.enrollments.entries:
            self._enrollment(enrollment)
        self._end()
        for table, file in (
            (self.departments, "orgs"),
            (self.terms, "academicSessions"),
            (self.subjects, "courses"),
            (self.users, "users"),
            (self.profiles, "users"),
            (self.teachers, "enrollments"),
            (self.enrolments, "enrollments"),
        ):
            self.bad += table.collisions(f"{file}.csv")

    def save(self) -> None:
        """Write it, what others refer to first."""
        schools = [org.sourced_id for org in self.package.orgs.entries if org.type == "school"]
        if self.organisation.external_id is None and len(schools) == 1 and schools != [str(self.organisation.id)]:
            self.organisation.external_id = schools[0]
        for table in self.tables.values():
            table.save(save_with_join_codes if table is self.classes else None)
        self._sign_out()
        for file, table in (
            (self.package.courses, self.subjects),
            (self.package.sessions, self.terms),
            (self.package.orgs, self.departments),  # last: subjects refer to them
        ):
            if gone := [*_marked(file, table)]:
                table.drop(gone, _used(self.caller, table.model))

    def _say(self, at: At, column: str | None, reason: str) -> None:
        file, line = at
        self.bad.append(BadCell(line, column, reason, f"{file}.csv"))

    def _refer(self, table: Table, whole: File[Any], key: str | None, at: At, column: str) -> Target | None:
        """The row that a cell names. One that stands in its own file but cannot be read is told there."""
        found = None if key is None else table.targets.get(key)
        if key and found is None and (key not in whole.keys or key in whole.removed):
            self._say(at, column, f"nothing has the sourcedId {key}")
        return found

    def _org_of(self, key: str | None, at: At, column: str) -> dict[str, uuid.UUID]:
        """The department, where it is one. Schools are not kept, so they are known only where their file is sent."""
        if key and self.package.orgs.mode != Mode.ABSENT and key not in self.orgs:
            self._say(at, column, f"nothing has the sourcedId {key}")
        department = None if key is None else self.departments.targets.get(key)
        return {"department_id": department.id} if department else {}

    def _org(self, entry: Org) -> None:
        self._org_of(entry.parent_sourced_id, ("orgs", entry.line), "parentSourcedId")
        if entry.type == "department":
            self.departments.put(entry.sourced_id, entry.line, name=entry.name, **_given(code=entry.identifier))

    def _session(self, entry: AcademicSession) -> None:
        if entry.end_date <= entry.start_date:
            self._say(("academicSessions", entry.line), "endDate", "must be after startDate")
        last_day = entry.end_date - timedelta(days=1)
        days = {"first_day": entry.start_date, "last_day": last_day}
        self.terms.put(
            entry.sourced_id, entry.line, name=entry.title, **days, **_given(academic_year=entry.school_year)
        )

    def _course(self, entry: Course) -> None:
        of = self._org_of(entry.org_sourced_id, ("courses", entry.line), "orgSourcedId")
        self.subjects.put(entry.sourced_id, entry.line, name=entry.title, **of, **_given(code=entry.course_code))

    def _class(self, entry: ClassEntry) -> None:
        at = ("classes", entry.line)
        self._org_of(entry.school_sourced_id, at, "schoolSourcedId")
        subject = self._refer(self.subjects, self.package.courses, entry.course_sourced_id, at, "courseSourcedId")
        terms = [
            self._refer(self.terms, self.package.sessions, key, at, "termSourcedIds") for key in entry.term_sourced_ids
        ]
        of = _given(subject_id=subject and subject.id, term_id=terms[0].id if terms and terms[0] else None)
        self.classes.put(entry.sourced_id, entry.line, name=entry.title, is_active=True, **of)

    def _people(self) -> None:
        users = self.package.users.entries
        for entry in users:
            self._user(entry)
        self._roles()
        for entry in users:
            target = self.users.targets[entry.sourced_id]
            if target["role"] == Role.STUDENT:
                self._student(target, entry)
        self._check_people()

    def _user(self, entry: UserEntry) -> None:
        of = self._org_of(entry.primary_org_sourced_id, ("users", entry.line), "primaryOrgSourcedId")
        told = _given(last_name=entry.family_name, email=entry.email, phone=entry.phone or entry.sms)
        if entry.username not in {entry.sourced_id, entry.email}:  # an export's, of who has none
            told |= _given(username=entry.username)
        target = self.users.put(entry.sourced_id, entry.line, first_name=entry.given_name, **told, **of)
        target.values |= _status(target.row, entry.enabled_user, self.caller.today)
        if target.row and "email" in target.changes:
            target.values["email_verified_at"] = None

    def _roles(self) -> None:
        """roles.csv, or version 1.1's column: what one is first of all."""
        for user in self.package.users.entries:
            if user.role:
                self._give_role(self.users.targets[user.sourced_id], ("users", user.line), user.role)
        by_user = defaultdict[uuid.UUID, list[tuple[Target, RoleEntry]]](list)
        for entry in self.package.roles.entries:
            at = ("roles", entry.line)
            target = self._refer(self.users, self.package.users, entry.user_sourced_id, at, "userSourcedId")
            of = self._org_of(entry.org_sourced_id, at, "orgSourcedId")
            if target:
                target.values = of | target.values
                by_user[target.id].append((target, entry))
        for entries in by_user.values():
            target, first = min(entries, key=lambda pair: pair[1].role_type != "primary")
            if first.role_type == "primary" or target.row is None:
                self._give_role(target, ("roles", first.line), first.role)

    def _give_role(self, target: Target, at: At, role: str) -> None:
        if target.row is not None and target.row.role in MANAGERS:
            return
        given = Role.EMPLOYEE if role.startswith("ext:") else ROLES.get(role)
        if given is None or not self._may_give(given):
            self._say(at, "role", f"an import makes nobody a {role}")
        target.values["role"] = given

    def _may_give(self, role: Role) -> bool:
        try:
            require_may_give(self.caller, role)
        except RoleNotGiven:
            return False
        return True

    def _student(self, student: Target, entry: UserEntry) -> None:
        of = {"user_id": student.id}
        self.profiles.put(student.id, entry.line, **of, **_given(roll_number=entry.identifier))
        agents = [
            self._refer(self.users, self.package.users, key, ("users", entry.line), "agentSourcedIds")
            for key in entry.agent_sourced_ids
        ]
        for agent in agents:
            if agent and agent["role"] != Role.STUDENT:
                self._guardian(student, agent, entry.line)
        if "agentsourcedids" in self.package.users.columns:
            kept = {agent.id for agent in agents if agent}
            for link in self.links[student.id]:
                if link.row.parent_id in self.known_elsewhere and link.row.parent_id not in kept:
                    link.delete()

    def _guardian(self, student: Target, parent: Target, line: int) -> None:
        """Their name is kept with the link, so it follows the parent's."""
        link = self.guardians.put((student.id, parent.id), line, student_id=student.id, parent_id=parent.id)
        if link.row is None or parent.changes:
            name = f"{parent['first_name']} {parent['last_name'] or ''}".strip()
            link.values |= {"name": name[:200], "phone": parent["phone"], "email": parent["email"]}

    def _check_people(self) -> None:
        changed = [target for target in self.users.targets.values() if target.changes]
        emails = [target["email"] for target in changed if "email" in target.changes]
        elsewhere = emails_elsewhere(self.caller, emails)
        for target in changed:
            for column, reason in self._wrong_with(target, elsewhere):
                self._say(("users", target.line or 0), column, reason)

    def _wrong_with(self, target: Target, elsewhere: set[str]) -> Iterator[tuple[str | None, str]]:
        row, changes = target.row, target.changes
        if changes.get("email") in elsewhere:
            yield "email", "this email is taken"
        if row is None:
            if "role" not in target.values and not self.package.bad:
                yield "role", "has no role in roles.csv"
            return
        if not self._may_give(row.role):
            yield None, "you may not change this person"
        if {"external_id", "role"} <= changes.keys() and row.password_hash and not row.email_verified_at:
            # whoever registered so would get what the role may do
            yield "email", "somebody has registered with this email, as something else, and has not confirmed it"

    def _demographics(self, entry: Demographics) -> None:
        at = ("demographics", entry.line)
        user = self._refer(self.users, self.package.users, entry.sourced_id, at, "sourcedId")
        if entry.birth_date and entry.birth_date > self.caller.today:
            self._say(at, "birthDate", "must lie in the past")
        if user and user["role"] == Role.STUDENT:
            told = _given(date_of_birth=entry.birth_date, gender=entry.sex)
            self.profiles.put(user.id, entry.line, user_id=user.id, **told)

    def _enrollment(self, entry: Enrollment) -> None:
        at = ("enrollments", entry.line)
        room = self._refer(self.classes, self.package.classes, entry.class_sourced_id, at, "classSourcedId")
        person = self._refer(self.users, self.package.users, entry.user_sourced_id, at, "userSourcedId")
        if entry.role != "student" and entry.role not in TEACHING:
            self._say(at, "role", f"nobody is {entry.role} of a class")
        elif room and person:
            fits = {Role.STUDENT} if entry.role == "student" else TEACHERS
            if person["role"] not in fits | {None}:
                self._say(at, "role", f"this person's role is {person['role'].value}")
            put = self._enrol if entry.role == "student" else self._teach
            put(entry, room, person)

    def _teach(self, entry: Enrollment, room: Target, person: Target) -> None:
        of = {"class_id": room.id, "teacher_id": person.id}
        known = self.teachers.find(entry.sourced_id, of)
        role = TeacherRole.LEAD if entry.primary and entry.role == "teacher" else TeacherRole.ASSISTANT
        if known and known["role"] == TeacherRole.SUBSTITUTE and role == TeacherRole.ASSISTANT:
            role = TeacherRole.SUBSTITUTE  # which OneRoster has no word for
        self.teachers.put(entry.sourced_id, entry.line, **of, role=role)

    def _enrol(self, entry: Enrollment, room: Target, person: Target) -> None:
        today, ends_on = self.caller.today, entry.end_date
        of = {"class_id": room.id, "student_id": person.id, "is_current": is_current(ends_on, today)}
        known = self.enrolments.find(entry.sourced_id, of)
        starts_on = entry.begin_date or (known["starts_on"] if known else min(today, ends_on or today))
        if ends_on and ends_on < starts_on:
            self._say(("enrollments", entry.line), "endDate", "must not be before beginDate")
        self.enrolments.put(entry.sourced_id, entry.line, **of, starts_on=starts_on, ends_on=ends_on)

    def _end(self) -> None:
        """What is marked as gone, and what a whole file has no more."""
        users, classes, enrollments = self.package.users, self.package.classes, self.package.enrollments
        for user in [*_marked(users, self.users), *_absent(users, self.users)]:
            if user.row.role not in MANAGERS:
                user.remove(**_status(user.row, False, self.caller.today))
        for room in [*_marked(classes, self.classes), *_absent(classes, self.classes)]:
            room.remove(is_active=False)
        for teacher in [*_marked(enrollments, self.teachers), *_absent(enrollments, self.teachers)]:
            teacher.delete()
        for enrolment in [*_marked(enrollments, self.enrolments), *_absent(enrollments, self.enrolments)]:
            self._end_enrolment(enrolment)

    def _end_enrolment(self, enrolment: Target) -> None:
        today, row = self.caller.today, enrolment.row
        if row.starts_on > today:
            enrolment.delete()
        elif is_current(row.ends_on, today):
            enrolment.remove(ends_on=today, is_current=None)

    def _sign_out(self) -> None:
        """Who was deactivated is out at once."""
        if any(user.values.get("status") == UserStatus.INACTIVE for user in self.users.targets.values()):
            inactive = self.caller.rows(User, User.id).where(User.status == UserStatus.INACTIVE)
            over = self.caller.change(SignIn).where(SignIn.ended_at.is_(None), SignIn.user_id.in_(inactive))
            db.session.execute(over.values(ended_at=clock.now()))


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _status(row: User | None, enabled: bool, today: date) -> dict[str, Any]:
    """Administrators, and who is suspended or has yet to confirm their address, stay so."""
    on: dict[str, Any] = {"status": UserStatus.ACTIVE, "inactive_on": None}
    off: dict[str, Any] = {"status": UserStatus.INACTIVE, "inactive_on": today}
    if row is None:
        return on if enabled else off
    if row.role in MANAGERS:
        return {}
    if enabled:
        return on if row.status == UserStatus.INACTIVE else {}
    return off if row.status in {UserStatus.ACTIVE, UserStatus.PENDING} else {}


def _marked(file: File[Any], table: Table) -> Iterator[Target]:
    """Those of the table that the file marks as gone."""
    for key in file.removed:
        target = table.targets.get(key)
        if target is not None and target.row is not None:
            yield target


def _absent(file: File[Any], table: Table) -> Iterator[Target]:
    """Those of the table that should be in the file, which is whole, and are not."""
    return table.absent() if file.mode == Mode.BULK else iter(())


def _used(caller: Caller, model: type[Base]) -> set[uuid.UUID]:
    """The ids that some row of the organisation refers to, in whatever table."""
    used = set[uuid.UUID]()
    for mapper in Base.registry.mappers:
        for column in mapper.columns if issubclass(mapper.class_, Tenant) else ():
            if any(key.column.table is model.__table__ for key in column.foreign_keys):
                attribute = getattr(mapper.class_, column.key)
                used.update(db.session.scalars(caller.rows(mapper.class_, attribute).distinct()))
    return used
