"""What records come to, a day at a time: kept so that a figure is a sum of few rows, however long the history is."""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy import PrimaryKeyConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant


class DayCount(Tenant, Base):
    """How many records of each status the counted sessions of a day, or of a month, hold (`Session.counted_at`): all of
    the organisation's, those of a class, or those of a person.

    The rows lie in the order of the key: a sum reads those beside each other.
    """

    __tablename__ = "day_counts"
    audited = False
    __table_args__ = (
        PrimaryKeyConstraint("organisation_id", "is_month", "of_id", "day", "is_taken"),
        Base.__table_args__ | {"sqlite_with_rowid": False},
    )
    id = None  # type: ignore[assignment]
    created_at = None  # type: ignore[assignment]

    is_month: Mapped[bool]
    of_id: Mapped[uuid.UUID]
    """The organisation's id, a class's or a person's."""
    day: Mapped[date]
    """Of a month, its first."""
    is_taken: Mapped[bool]
    """Somebody was marked or checked in; else all records came by themselves."""
    held: Mapped[int] = mapped_column(default=0)
    """Of the organisation and classes: how many sessions there were, also those without any record."""
    sessions: Mapped[int] = mapped_column(default=0)
    present: Mapped[int] = mapped_column(default=0)
    late: Mapped[int] = mapped_column(default=0)
    absent: Mapped[int] = mapped_column(default=0)
    excused: Mapped[int] = mapped_column(default=0)
    leave: Mapped[int] = mapped_column(default=0)
