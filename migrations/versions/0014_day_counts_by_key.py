"""Counts in the order of their key, by month for all; sessions by day in order"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

BY_DAY, IN_ORDER = "ix_sessions_organisation_id_session_date", "ix_sessions_organisation_id_session_date_id"
FIGURES = ("sessions", "present", "late", "absent", "excused", "leave")
OWN = ("organisation_id", "is_month", "of_id", "day", "is_taken")


def key_columns():
    kinds = {"is_month": sa.Boolean(), "day": sa.Date(), "is_taken": sa.Boolean()}
    return [sa.Column(name, kinds.get(name, sa.Uuid()), nullable=False) for name in OWN]


def organisation():
    name = "fk_day_counts_organisation_id_organisations"
    return sa.ForeignKeyConstraint(["organisation_id"], ["organisations.id"], name=name)


def figures(*more):
    return [sa.Column(name, sa.Integer(), nullable=False) for name in (*more, *FIGURES)]


def count_anew():
    """What was counted is counted again, by the schedule that counts."""
    op.execute("UPDATE sessions SET counted_at = NULL WHERE counted_at IS NOT NULL")


def upgrade() -> None:
    op.drop_table("day_counts")
    op.create_table(
        "day_counts",
        *key_columns(),
        *figures("held"),
        organisation(),
        sa.PrimaryKeyConstraint(*OWN, name="pk_day_counts"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
        sqlite_with_rowid=False,
    )
    count_anew()
    op.create_index(IN_ORDER, "sessions", ["organisation_id", "session_date", "id"])
    op.drop_index(BY_DAY, "sessions")


def downgrade() -> None:
    op.create_index(BY_DAY, "sessions", ["organisation_id", "session_date"])
    op.drop_index(IN_ORDER, "sessions")
    op.drop_table("day_counts")
    op.create_table(
        "day_counts",
        sa.Column("id", sa.Uuid(), nullable=False),
        *key_columns(),
        *figures(),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        organisation(),
        sa.PrimaryKeyConstraint("id", name="pk_day_counts"),
        sa.UniqueConstraint(
            "organisation_id",
            "of_id",
            "is_month",
            "day",
            "is_taken",
            name="uq_day_counts_organisation_id_of_id_is_month_day_is_taken",
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    count_anew()
