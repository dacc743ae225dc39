"""OneRoster out: the organisation's people, classes and enrolments as another system reads them."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from app.extensions import db
from app.models import (
    Class,
    ClassTeacher,
    Department,
    Enrolment,
    Guardian,
    Organisation,
    Role,
    StudentProfile,
    Subject,
    TeacherRole,
    Term,
    User,
    UserStatus,
)
from app.services.caller import Caller
from app.services.oneroster_files import SEXES, write_package
from app.services.reconcile import external_key

ROLES = {
    Role.STUDENT: "student",
    Role.TEACHER: "teacher",
    Role.PARENT: "parent",
    Role.EMPLOYEE: "ext:employee",
    Role.ADMIN: "siteAdministrator",
    Role.SUPER_ADMIN: "siteAdministrator",
}
Line = dict[str, Any]


def export_archive(caller: Caller) -> bytes:
    """A OneRoster 1.2 archive with everybody and everything that is active. sourcedId: external_id, or else our id."""
    return _Export(caller).archive()


class _Export:
    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.organisation = db.session.get_one(Organisation, caller.organisation_id)
        self.departments, self.terms, self.subjects = (self._all(model) for model in (Department, Term, Subject))
        self.classes = self._all(Class, Class.is_active)
        self.users = self._all(User, User.erased_at.is_(None))
        kept = (*self.departments, *self.terms, *self.subjects, *self.classes, *self.users, self.organisation)
        self.keys: dict[uuid.UUID | None, str] = {row.id: str(external_key(row)) for row in kept}
        self.school = self.keys[self.organisation.id]
        self.profiles = {row.user_id: row for row in self._all(StudentProfile)}
        self.agents = defaultdict[uuid.UUID, list[str]](list)
        for link in self._all(Guardian, Guardian.parent_id.is_not(None)):
            self.agents[link.student_id].append(self.keys[link.parent_id])

    def archive(self) -> bytes:
        return write_package(
            {
                "orgs": self._orgs(),
                "academicSessions": map(self._session, self.terms),
                "courses": map(self._course, self.subjects),
                "classes": map(self._class, self.classes),
                "users": map(self._user, self.users),
                "roles": map(self._role, self.users),
                "demographics": self._demographics(),
                "enrollments": self._enrollments(),
            }
        )

    def _all(self, model: type[Any], *where: Any) -> list[Any]:
        return list(db.session.scalars(self.caller.rows(model).where(*where).order_by(model.id)))

    def _orgs(self) -> Iterator[Line]:
        yield {"sourcedId": self.school, "name": self.organisation.name, "type": "school"}
        for row in self.departments:
            of = {"identifier": row.code, "parentSourcedId": self.school}
            yield {"sourcedId": self.keys[row.id], "name": row.name, "type": "department"} | of

    def _session(self, row: Term) -> Line:
        return {
            "sourcedId": self.keys[row.id],
            "title": row.name,
            "type": "term",
            "startDate": row.first_day,
            "endDate": row.last_day + timedelta(days=1),
            "schoolYear": row.academic_year or row.last_day.year,
        }

    def _course(self, row: Subject) -> Line:
        org = self.keys.get(row.department_id, self.school)
        return {"sourcedId": self.keys[row.id], "title": row.name, "courseCode": row.code, "orgSourcedId": org}

    def _class(self, row: Class) -> Line:
        return {
            "sourcedId": self.keys[row.id],
            "title": row.name,
            "courseSourcedId": self.keys.get(row.subject_id),
            "classType": "scheduled",
            "schoolSourcedId": self.school,
            "termSourcedIds": self.keys.get(row.term_id),
        }

    def _user(self, row: User) -> Line:
        key, profile = self.keys[row.id], self.profiles.get(row.id)
        return {
            "sourcedId": key,
            "enabledUser": str(row.status in {UserStatus.ACTIVE, UserStatus.PENDING}).lower(),
            "username": row.username or row.email or key,
            "givenName": row.first_name,
            "familyName": row.last_name,
            "identifier": profile.roll_number if profile else None,
            "email": row.email,
            "phone": row.phone,
            "agentSourcedIds": ",".join(self.agents[row.id]),
            "primaryOrgSourcedId": self.keys.get(row.department_id, self.school),
        }

    def _role(self, row: User) -> Line:
        return {
            "sourcedId": self.keys[row.id],
            "userSourcedId": self.keys[row.id],
            "roleType": "primary",
            "role": ROLES[row.role],
            "orgSourcedId": self.school,
        }

    def _demographics(self) -> Iterator[Line]:
        for user in self.users:
            profile = self.profiles.get(user.id)
            if profile and (profile.date_of_birth or profile.gender in SEXES):
                sex = profile.gender if profile.gender in SEXES else None
                yield {"sourcedId": self.keys[user.id], "birthDate": profile.date_of_birth, "sex": sex}

    def _enrollments(self) -> Iterator[Line]:
        for row in self._all(ClassTeacher):
            if self._is_known(row.class_id, row.teacher_id):
                primary = str(row.role == TeacherRole.LEAD).lower()
                yield self._enrollment(row, row.teacher_id, role="teacher", primary=primary)
        for row in self._all(Enrolment):
            if self._is_known(row.class_id, row.student_id):
                days = {"beginDate": row.starts_on, "endDate": row.ends_on}
                yield self._enrollment(row, row.student_id, role="student", **days)

    def _is_known(self, class_id: uuid.UUID, user_id: uuid.UUID) -> bool:
        """Neither has the class ended nor the person been erased."""
        return class_id in self.keys and user_id in self.keys

    def _enrollment(self, row: Any, user_id: uuid.UUID, **values: Any) -> Line:
        return values | {
            "sourcedId": external_key(row),
            "classSourcedId": self.keys[row.class_id],
            "schoolSourcedId": self.school,
            "userSourcedId": self.keys[user_id],
        }
