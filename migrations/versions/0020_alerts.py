"""Alerts"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

OPTIONS = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "alerts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("opened_at", UTCDateTime(), nullable=False),
        sa.Column("acknowledged_at", UTCDateTime(), nullable=True),
        sa.Column("acknowledged_by_id", sa.Uuid(), nullable=True),
        sa.Column("note", sa.String(2000), nullable=True),
        sa.Column("closed_at", UTCDateTime(), nullable=True),
        sa.Column("is_open", sa.Boolean(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["acknowledged_by_id"], ["users.id"], name="fk_alerts_acknowledged_by_id_users"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_alerts_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name="fk_alerts_student_id_users"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_alerts"),
        sa.UniqueConstraint("organisation_id", "student_id", "kind", "is_open", name="uq_alerts_organisation_id_student_id_kind_is_open"),
        **OPTIONS,
    )
    op.create_index("ix_alerts_organisation_id_is_open_kind_opened_at", "alerts", ["organisation_id", "is_open", "kind", "opened_at"])
    op.create_index("ix_alerts_organisation_id_opened_at_id", "alerts", ["organisation_id", "opened_at", "id"])


def downgrade() -> None:
    op.drop_table("alerts")
