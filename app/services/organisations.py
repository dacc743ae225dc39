"""Organisations: making them, their settings, their numbers."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from app import clock
from app.extensions import db
from app.models import Class, Department, Enrolment, Organisation, Record, Role, Session, SignIn, User, UserStatus
from app.services import audit
from app.services.caller import Caller
from app.services.enrolments import enrolled_on
from app.services.errors import LastAdmin, NameTaken, NotFound, RoleNotGiven, SettingsRefused
from app.services.organisation_settings import OrganisationSettings, decide, settings_of
from app.services.paging import Page, Paging, paginate
from app.services.transaction import transaction


@dataclass(frozen=True, slots=True)
class Statistics:
    users: int
    users_by_role: dict[Role, int]
    users_by_status: dict[UserStatus, int]
    departments: int
    classes: int
    enrolments: int
    sessions: int
    records: int
    signed_in: int
    """Devices, now."""


@dataclass(frozen=True, slots=True)
class OrganisationView:
    row: Organisation
    statistics: Statistics | None

    @property
    def settings(self) -> OrganisationSettings:
        return settings_of(self.row.settings)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


def list_organisations(search: str | None, paging: Paging) -> Page[OrganisationView]:
    """All of the installation's, for those who manage it."""
    query = select(Organisation)
    if search:
        query = query.where(func.lower(Organisation.name).contains(search.lower(), autoescape=True))
    columns = {"id": Organisation.id, "name": Organisation.name, "created_at": Organisation.created_at}
    page = paginate(query, paging, columns)
    return page.of([OrganisationView(row, None) for row in page.items])


def all_organisations() -> Sequence[Organisation]:
    """Every one of the installation's, by name."""
    return db.session.scalars(select(Organisation).order_by(Organisation.name)).all()


@transaction
def create_organisation(values: dict[str, Any]) -> OrganisationView:
    """Raises NameTaken, or SettingsRefused."""
    return OrganisationView(_save(Organisation(settings={}), values), None)


def read_organisation(caller: Caller, organisation_id: uuid.UUID) -> OrganisationView:
    """With its numbers. Raises NotFound; another one's is found by those who manage the installation only."""
    row = _theirs(caller, organisation_id)
    return OrganisationView(row, _statistics(row))


@transaction
def change_organisation(
    caller: Caller, organisation_id: uuid.UUID, values: dict[str, Any], reason: str | None
) -> OrganisationView:
    """Set what is given, settings too; a deactivated organisation's people are out at once and cannot sign in.

    Raises:
        NotFound: there is none, or it is not the caller's to see.
        RoleNotGiven: (de)activating it is for those who manage the installation.
        LastAdmin: one's own cannot be deactivated: nobody could undo it.
        NameTaken, SettingsRefused: as `create_organisation`.
    """
    audit.because(reason)
    db.session.execute(select(Organisation.id).where(Organisation.id == organisation_id).with_for_update())
    row = _theirs(caller, organisation_id)
    if values.get("is_active", row.is_active) != row.is_active:
        if caller.role != Role.SUPER_ADMIN:
            raise RoleNotGiven("Only who manages the installation may do this")
        if organisation_id == caller.organisation_id:
            raise LastAdmin("This is your own organisation: nobody could undo it")
    return OrganisationView(_save(row, values), None)


def require_another_super_admin(user: User) -> None:
    """Within a transaction. Raises LastAdmin when nobody else manages the installation; they are locked meanwhile."""
    managers = select(User.id).where(User.role == Role.SUPER_ADMIN, User.status == UserStatus.ACTIVE)
    if db.session.scalars(managers.order_by(User.id).with_for_update()).all() == [user.id]:
        raise LastAdmin("Nobody else manages the installation")


def _theirs(caller: Caller, organisation_id: uuid.UUID) -> Organisation:
    seen = caller.role == Role.SUPER_ADMIN or organisation_id == caller.organisation_id
    row = db.session.get(Organisation, organisation_id) if seen else None
    if row is None:
        raise NotFound("There is no organisation with this id")
    return row


def _save(row: Organisation, values: dict[str, Any]) -> Organisation:
    try:
        decide(row, values.pop("settings", {}))
    except ValidationError as wrong:
        fields = {".".join(["settings", *map(str, e["loc"])]): [e["msg"]] for e in wrong.errors()}
        raise SettingsRefused(errors=fields) from wrong
    for name, value in values.items():
        setattr(row, name, value)
    db.session.add(row)
    try:
        db.session.flush()
    except IntegrityError as taken:
        raise NameTaken("There is an organisation with this name") from taken
    return row


def _statistics(row: Organisation) -> Statistics:
    def count(model: type[Any], *where: Any) -> int:
        query = select(func.count()).select_from(model).where(model.organisation_id == row.id, *where)
        return db.session.scalar(query) or 0

    def users_by(column: Any) -> dict[Any, int]:
        of_it = (User.organisation_id == row.id, User.erased_at.is_(None))
        return dict(db.session.execute(select(column, func.count()).where(*of_it).group_by(column)).all())

    by_role = users_by(User.role)
    return Statistics(
        users=sum(by_role.values()),
        users_by_role=by_role,
        users_by_status=users_by(User.status),
        departments=count(Department),
        classes=count(Class, Class.is_active),
        enrolments=count(Enrolment, enrolled_on(clock.today(row.time_zone))),
        sessions=count(Session),
        records=count(Record),
        signed_in=count(SignIn, SignIn.ended_at.is_(None), SignIn.expires_at > clock.now()),
    )
