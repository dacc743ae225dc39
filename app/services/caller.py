"""Who is asking, and the one way to an organisation's rows."""

from __future__ import annotations

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Date, Delete, Select, Update, Uuid, bindparam, delete, inspect, select, update

from app import clock
from app.extensions import db
from app.models import Base, Organisation, Role, Tenant
from app.models.base import UTCDateTime
from app.services.errors import NotFound
from app.services.organisation_settings import OrganisationSettings, settings_of

T = TypeVar("T", bound=Base)


class Device(StrEnum):
    """What calls with a key of its own and is no person, so that it has none of the roles of one."""

    GATE = "gate"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a signed-in person, a script with a person's API key, or a gate.

    Every query for an organisation's rows starts at `rows`, `change` or `remove`.
    """

    user_id: uuid.UUID
    """A gate's own id."""
    organisation_id: uuid.UUID
    role: Role | Device
    time_zone: str
    settings: OrganisationSettings
    sign_in_id: uuid.UUID | None = None
    """None with an API key, and of a gate."""
    scopes: frozenset[str] | None = None
    """What an API key may do; None for a person, who may do all that their role may."""

    @property
    def administers(self) -> bool:
        """Whether the whole organisation is theirs to see and change."""
        return self.role in {Role.ADMIN, Role.SUPER_ADMIN}

    @property
    def is_staff(self) -> bool:
        """Whether all the organisation's students are theirs to see."""
        return self.administers or self.role == Role.TEACHER

    @property
    def now(self) -> datetime:
        return clock.now()

    @property
    def today(self) -> date:
        return clock.today(self.time_zone)

    def rows(self, model: type[T], *columns: Any) -> Select[Any]:
        """SELECT of the organisation's rows: whole ones, or these columns of them."""
        return select(*columns or (model,)).select_from(model).where(self.owns(model))

    def change(self, model: type[Base]) -> Update:
        return update(model).where(self.owns(model))

    def remove(self, model: type[Base]) -> Delete:
        return delete(model).where(self.owns(model))

    def get(self, model: type[T], id_: uuid.UUID) -> T:
        """The organisation's row with this id.

        Raises:
            NotFound: there is none; another organisation's id is no different.
        """
        row: T | None = db.session.scalar(self.rows(model).where(model.id == id_))
        if row is None:
            raise NotFound(f"There is no {_words(model.__name__)} with this id")
        return row

    def by_id(self, model: type[T], ids: Collection[uuid.UUID]) -> dict[uuid.UUID, T]:
        """The organisation's rows with these ids, by them."""
        rows = db.session.scalars(self.rows(model).where(model.id.in_(ids))) if ids else ()
        return {row.id: row for row in rows}

    def require(self, model: type[Base], id_: uuid.UUID | None) -> None:
        """That a row which another is to refer to is the organisation's. Raises NotFound; None refers to nothing."""
        if id_ is not None:
            self.get(model, id_)

    def owns(self, model: Any) -> ColumnElement[bool]:
        """The condition that keeps a query to the organisation: `rows` has it for its model, a join adds its own."""
        own = self.organisation_id
        recurs = isinstance(model, type) and isinstance(own, uuid.UUID)  # an alias may be made for one statement
        return _known_owned(model, own) if recurs else _owned(model, own)


def _owned(model: Any, organisation_id: Any) -> ColumnElement[bool]:
    if not issubclass(inspect(model).mapper.class_, Tenant):
        raise TypeError(f"{model} belongs to no organisation")
    owned: ColumnElement[bool] = model.organisation_id == organisation_id
    return owned


_known_owned = lru_cache(1024)(_owned)
"""Put together once: every statement has some."""


def system(organisation: Organisation, user_id: uuid.UUID | None = None) -> Caller:
    """What does by itself what is due in an organisation. user_id: for whom, where somebody made what it is about."""
    decided = settings_of(organisation.settings)
    return Caller(user_id or organisation.id, organisation.id, Role.ADMIN, organisation.time_zone, decided)


@dataclass(frozen=True, slots=True)
class _Anybody(Caller):
    @property
    def now(self) -> Any:
        return bindparam("now", type_=UTCDateTime())

    @property
    def today(self) -> Any:
        return bindparam("today", type_=Date())


def anybody() -> Caller:
    """A caller to put a query together with that is asked often, once: the parameters organisation_id, user_id, now and
    today, those of them that it needs, say whose it is."""
    person: Any = bindparam("user_id", type_=Uuid())
    organisation: Any = bindparam("organisation_id", type_=Uuid())
    return _Anybody(person, organisation, Role.STUDENT, "UTC", OrganisationSettings())


def _words(name: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
