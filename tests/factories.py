"""Rows for tests: `make(Model, organisation_id=...)` fills in whatever a test does not care about."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, time
from functools import cache
from itertools import count
from typing import Any, TypeVar

from sqlalchemy import JSON, Boolean, Column, Date, Enum, Float, Integer, LargeBinary, String, Time, Uuid
from uuid_utils.compat import uuid7

from app.extensions import db, settings
from app.models import Base, Organisation, User
from app.models.base import UTCDateTime
from app.services.passwords import hash_password

T = TypeVar("T", bound=Base)

PASSWORD = "correct horse battery"
numbers = count(1)


def make(model: type[T], **values: Any) -> T:
    """A saved row. Required columns without a default get a value of their type; references get a row of their own
    in the same organisation, so that a model that a later change adds can be made too.

    audited: whether the audit log tells of it, which takes longer than to make it; not unless it is said.
    """
    audited = values.pop("audited", False)
    if model is not Organisation:
        values.setdefault("organisation_id", None)
        values["organisation_id"] = values["organisation_id"] or make(Organisation).id
    columns: list[Column[Any]] = list(model.__table__.columns)  # type: ignore[arg-type]
    for column in columns:
        given = column.key in values or column.default is not None or column.nullable
        if not given:
            values[column.key] = _reference(column, values) if column.foreign_keys else _value(column)
    row = model(**values)
    db.session.add(row)
    db.session.flush()
    if not audited:
        db.session.info.pop("audit", None)
    db.session.commit()
    return row


@cache
def _hash(rounds: int) -> str:
    return hash_password(PASSWORD)


def make_user(**values: Any) -> User:
    """A user who can sign in with PASSWORD."""
    return make(User, **new_user(**values))


def new_user(**values: Any) -> dict[str, Any]:
    """What `make_user` saves."""
    email = f"person{next(numbers)}@example.org"
    given = {"email": email, "password_hash": _hash(settings().bcrypt_rounds)} | values
    return {"id": uuid7(), "first_name": f"Person {next(numbers)}"} | given


def models() -> dict[str, type[Base]]:
    """Every model by the name of its table."""
    return {mapper.class_.__tablename__: mapper.class_ for mapper in Base.registry.mappers}


def _reference(column: Column[Any], values: dict[str, Any]) -> uuid.UUID:
    target = next(iter(column.foreign_keys)).column.table.name
    return make(models()[target], organisation_id=values["organisation_id"]).id


def _value(column: Column[Any]) -> Any:
    number = next(numbers)
    if isinstance(column.type, Enum):
        return column.type.enums[0]
    if isinstance(column.type, String):
        return f"{column.key} {number}"[-(column.type.length or 20) :]
    by_type = {UTCDateTime: datetime.now(UTC), Date: date(2026, 3, 12), Time: time(9), Boolean: True,
               Integer: number, Float: number, LargeBinary: b"\0", JSON: {}, Uuid: uuid.uuid4()}  # fmt: skip
    return next(value for kind, value in by_type.items() if isinstance(column.type, kind))
