"""Who is asking, and the one way to an organisation's rows."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Delete, Select, Update, delete, select, update

from app import clock
from app.extensions import db
from app.models import Base, Role, Tenant
from app.services.errors import NotFound

T = TypeVar("T", bound=Base)


@dataclass(frozen=True, slots=True)
class Caller:
    """A signed-in person. Every query for an organisation's rows starts at `rows`, `change` or `remove`."""

    user_id: uuid.UUID
    organisation_id: uuid.UUID
    role: Role
    time_zone: str
    sign_in_id: uuid.UUID

    @property
    def administers(self) -> bool:
        """Whether the whole organisation is theirs to see and change."""
        return self.role in {Role.ADMIN, Role.SUPER_ADMIN}

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
            raise NotFound(f"There is no {model.__name__.lower()} with this id")
        return row

    def owns(self, model: type[Any]) -> ColumnElement[bool]:
        """The condition that keeps a query to the organisation: `rows` has it for its model, a join adds its own."""
        if not issubclass(model, Tenant):
            raise TypeError(f"{model.__name__} belongs to no organisation")
        owned: ColumnElement[bool] = model.organisation_id == self.organisation_id
        return owned
