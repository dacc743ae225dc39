"""Setting an installation up: its tables, its own organisation, its first administrator."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import flask_migrate
from alembic.migration import MigrationContext
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db, settings
from app.models import Organisation, Role, User
from app.models.people import split_name
from app.services import statistics
from app.services.accounts import add_user
from app.services.errors import AlreadySetUp, NameTaken, WrongSetupCode
from app.services.passwords import hash_password, require_strong
from app.services.transaction import insert_missing, transaction
from app.services.users import MANAGERS
from config import ROOT

OPEN = {"registration": {"rule": "open", "roles": [Role.STUDENT, Role.TEACHER]}}
"""Settings of an organisation in which people may begin at once."""


def prepare() -> None:
    """Bring the tables up to date and make the installation's own organisation, unless they are there."""
    before = _revision()
    flask_migrate.upgrade(directory=str(ROOT / "migrations"))
    if before not in {None, _revision()}:
        statistics.refresh()  # SQLite knows nothing of a new index, takes it for the best and may read all rows by it
    _make_default_organisation()


def _revision() -> str | None:
    """The last migration of the tables that are there; None: there are none yet."""
    with db.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


@transaction
def _make_default_organisation() -> None:
    organisation = {
        "id": uuid7(),
        "created_at": clock.now(),
        "name": settings().default_organisation,
        "time_zone": settings().default_time_zone,
        "settings": OPEN,
        "description": "",
        "is_active": True,
        "is_default": True,
    }
    insert_missing(Organisation, [organisation], ("is_default",))


def needs_admin() -> bool:
    """Whether nobody administers the installation's own organisation yet."""
    return db.session.scalar(_admins().limit(1)) is None


def setup_code() -> str:
    """What shows that somebody sees the server's own terminal; the same at every start until it was used."""
    key = settings().secret_key.get_secret_value().encode()
    digest = hmac.new(key, b"setup", hashlib.sha256).hexdigest()
    return f"{digest[:4]}-{digest[4:8]}-{digest[8:12]}"


def set_up(*, code: str, organisation: str, time_zone: str, name: str, email: str, password: str) -> User:
    """Name the installation's own organisation and make its first administrator, who manages the installation too.

    Raises:
        AlreadySetUp: there is an administrator.
        WrongSetupCode: it is another one.
        NameTaken, EmailTaken, WeakPassword: something that was chosen cannot be.
    """
    if not hmac.compare_digest(code.strip().lower().encode(), setup_code().encode()):
        raise WrongSetupCode
    require_strong(password, "password", email, name, organisation)
    return _set_up(organisation, time_zone, name, email, hash_password(password))


@transaction
def _set_up(organisation: str, time_zone: str, name: str, email: str, password_hash: str) -> User:
    own = db.session.scalars(select(Organisation).where(Organisation.is_default.is_(True)).with_for_update()).one()
    if not needs_admin():
        raise AlreadySetUp
    own.name, own.time_zone = organisation, time_zone
    try:
        db.session.flush()
    except IntegrityError as taken:
        raise NameTaken from taken
    admin = User(organisation_id=own.id, email=email, password_hash=password_hash, role=Role.SUPER_ADMIN)
    for field, value in split_name(name).items():
        setattr(admin, field, value)
    return add_user(admin)


def _admins() -> Any:
    own = select(Organisation.id).where(Organisation.is_default.is_(True)).scalar_subquery()
    return select(User.id).where(User.organisation_id == own, User.role.in_(MANAGERS))


def create_admin(email: str, password: str, organisation_name: str, role: Role = Role.ADMIN) -> User:
    """An administrator of the organisation with this name, which is made if it is new.

    Raises:
        EmailTaken: somebody has this email address.
        WeakPassword: the password is too easy to guess.
    """
    require_strong(password, "password", email, organisation_name)
    return _add_admin(email, hash_password(password), organisation_name, role)


@transaction
def _add_admin(email: str, password_hash: str, organisation_name: str, role: Role) -> User:
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
        role=role,
    )
    return add_user(admin)
