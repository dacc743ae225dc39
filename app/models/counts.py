"""What records come to, a day at a time: kept so that a figure is a sum of few rows, however long the history is."""

from __future__ import annotations

import uuid
from datetime import date

from sqlalchemy import UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from app.models.base import Base, Tenant, table_args


class DayCount(Tenant, Base):
    """How many records of each status the counted sessions of a day hold (`Session.counted_at`): all of the
    organisation's, those of a class, or those of a person; of a person also those of a month."""

    __tablename__ = "day_counts"
    audited = False
    __table_args__ = table_args(UniqueConstraint("organisation_id", "of_id", "is_month", "day", "is_taken"))

    of_id: Mapped[uuid.UUID]
    """The organisation's id, a class's or a person's."""
    is_month: Mapped[bool]
    day: Mapped[date]
    """Of a month, its first."""
    is_taken: Mapped[bool]
    """Somebody was marked or checked in; else all records came by themselves."""
    sessions: Mapped[int] = mapped_column(default=0)
    present: Mapped[int] = mapped_column(default=0)
    late: Mapped[int] = mapped_column(default=0)
    absent: Mapped[int] = mapped_column(default=0)
    excused: Mapped[int] = mapped_column(default=0)
    leave: Mapped[int] = mapped_column(default=0)
