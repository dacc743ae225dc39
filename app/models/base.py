"""What every table has, and the column types that all three databases keep the same way."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any, ClassVar

from sqlalchemy import DateTime, Dialect, ForeignKey, MetaData, TypeDecorator
from sqlalchemy.dialects.mysql import DATETIME
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column
from uuid_utils.compat import uuid7

from app import clock

SECRET = {"audit": "secret"}
"""A column whose changes the audit log knows of, but not their values."""
NOISE = {"audit": "noise"}
"""A column that changes too often to be worth an entry."""


class UTCDateTime(TypeDecorator[datetime]):
    """An aware time, kept in UTC to the microsecond; a naive one is a programming error."""

    impl = DateTime(timezone=True)
    cache_ok = True
    python_type = datetime

    def load_dialect_impl(self, dialect: Dialect) -> Any:
        return dialect.type_descriptor(
            DATETIME(fsp=6) if dialect.name in {"mysql", "mariadb"} else DateTime(timezone=True)
        )

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive time cannot be stored")
        value = value.astimezone(UTC)
        return value if dialect.name == "postgresql" else value.replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        if value is None:
            return None
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)


def now() -> datetime:
    """The clock as it is when a row is made, not when this file was read: a test may have set it."""
    return clock.now()


class Base(DeclarativeBase):
    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UTCDateTime}  # noqa: RUF012
    # MySQL and MariaDB: every script, and 'A' is not 'a', as on the other two
    __table_args__: Any = {  # noqa: RUF012
        "mysql_charset": "utf8mb4",
        "mysql_collate": "utf8mb4_bin",
    }

    audited: ClassVar[bool] = True
    """Whether each change is kept in the audit log."""

    erased_with: ClassVar[tuple[str, ...]] = ()
    """Columns that name people with whom a row is erased; what others have none of stays, so that counts stay true."""

    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-2)
    created_at: Mapped[datetime] = mapped_column(default=now, sort_order=9)


class Tenant:
    """Belongs to one organisation, and is reached only through it (`services.caller`).

    organisation_id leads the table's indexes: every query carries it, and big tables can be partitioned by it.
    """

    @declared_attr
    def organisation_id(cls) -> Mapped[uuid.UUID]:  # noqa: N805
        return mapped_column(ForeignKey("organisations.id"), sort_order=-1)


def table_args(*constraints: Any) -> tuple[Any, ...]:
    """A table's own constraints and indexes beside what every table has."""
    return (*constraints, Base.__table_args__)
