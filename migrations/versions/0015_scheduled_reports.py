"""Reports that are sent by mail, again and again"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

OPTIONS = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "report_schedules",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("frequency", sa.String(20), nullable=False),
        sa.Column("weekday", sa.String(20), nullable=False),
        sa.Column("day_of_month", sa.Integer(), nullable=False),
        sa.Column("hour", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=True),
        sa.Column("department", sa.String(200), nullable=True),
        sa.Column("year", sa.String(20), nullable=True),
        sa.Column("section", sa.String(50), nullable=True),
        sa.Column("is_paused", sa.Boolean(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=True),
        sa.Column("last_period", sa.String(21), nullable=True),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_report_schedules_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_report_schedules_class_id_classes"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_report_schedules_created_by_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_report_schedules"),
        **OPTIONS,
    )
    op.create_index(
        "ix_report_schedules_organisation_id_created_by_id", "report_schedules", ["organisation_id", "created_by_id"]
    )
    op.create_index("ix_report_schedules_due_at", "report_schedules", ["due_at"])
    op.create_table(
        "report_recipients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("report_schedule_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_report_recipients_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["report_schedule_id"],
            ["report_schedules.id"],
            name="fk_report_recipients_report_schedule_id_report_schedules",
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_report_recipients_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_report_recipients"),
        sa.UniqueConstraint(
            "report_schedule_id", "user_id", name="uq_report_recipients_report_schedule_id_user_id"
        ),
        **OPTIONS,
    )
    op.create_index(
        "ix_report_recipients_organisation_id_user_id", "report_recipients", ["organisation_id", "user_id"]
    )


def downgrade() -> None:
    op.drop_table("report_recipients")
    op.drop_table("report_schedules")
