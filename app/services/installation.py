"""Setting an installation up: its tables, its own organisation, its first administrator."""

from __future__ import annotations

import flask_migrate
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db, settings
from app.models import Organisation, Role, User
from app.services.accounts import add_user
from app.services.passwords import hash_password, require_strong
from app.services.transaction import insert_missing, transaction
from config import ROOT


def prepare() -> None:
    """Bring the tables up to date and make the installation's own organisation, unless they are there."""
    flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    _make_default_organisation()


@transaction
def _make_default_organisation() -> None:
    organisation = {
        "id": uuid7(),
        "created_at": clock.now(),
        "name": settings().default_organisation,
        "time_zone": settings().default_time_zone,
        "registration_roles": [Role.STUDENT, Role.TEACHER],
        "is_default": True,
    }
    insert_missing(Organisation, [organisation], ("is_default",))


def create_admin(email: str, password: str, organisation_name: str) -> User:
    """An administrator of the organisation with this name, which is made if it is new.

    Raises:
        EmailTaken: somebody has this email address.
        WeakPassword: the password is too short.
    """
    require_strong(password, "password")
    return _add_admin(email, hash_password(password), organisation_name)


@transaction
def _add_admin(email: str, password_hash: str, organisation_name: str) -> User:
    organisation = db.session.scalar(select(Organisation).where(Organisation.name == organisation_name))
    if organisation is None:
        organisation = Organisation(name=organisation_name, time_zone=settings().default_time_zone)
        db.session.add(organisation)
        db.session.flush()
    admin = User(
        organisation_id=organisation.id,
        email=email,
        password_hash=password_hash,
        first_name="Administrator",
        role=Role.ADMIN,
    )
    return add_user(admin)
