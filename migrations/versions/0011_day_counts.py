"""What records come to, a day at a time"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INDEX = "ix_sessions_organisation_id_counted_at_session_date"


def upgrade() -> None:
    op.create_table(
        "day_counts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("of_id", sa.Uuid(), nullable=False),
        sa.Column("is_month", sa.Boolean(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("is_taken", sa.Boolean(), nullable=False),
        *(
            sa.Column(name, sa.Integer(), nullable=False)
            for name in ("sessions", "present", "late", "absent", "excused", "leave")
        ),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_day_counts_organisation_id_organisations"
        ),
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
    op.add_column("sessions", sa.Column("counted_at", UTCDateTime(), nullable=True))
    op.create_index(INDEX, "sessions", ["organisation_id", "counted_at", "session_date"])


def downgrade() -> None:
    op.drop_index(INDEX, "sessions")
    op.drop_column("sessions", "counted_at")
    op.drop_table("day_counts")
