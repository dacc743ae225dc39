"""Checking in: sessions with times and places, records with arrivals, attempts"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("refused", sa.String(length=40), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("device", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_attempts_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_attempts_session_id_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_attempts_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    for column in ("session_id", "user_id", "created_at"):
        op.create_index(f"ix_attempts_organisation_id_{column}", "attempts", ["organisation_id", column])
    with op.batch_alter_table("sessions") as table:
        table.alter_column("class_id", existing_type=sa.Uuid(), nullable=True)
        table.add_column(sa.Column("subject_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("key", sa.String(length=80), nullable=True))
        table.create_foreign_key("fk_sessions_subject_id_subjects", "subjects", ["subject_id"], ["id"])
        table.create_unique_constraint("uq_sessions_organisation_id_key", ["organisation_id", "key"])
        table.create_index(
            "ix_sessions_organisation_id_subject_id_session_date", ["organisation_id", "subject_id", "session_date"]
        )
        table.add_column(sa.Column("description", sa.String(length=2000), nullable=False, server_default=""))
        table.add_column(sa.Column("starts_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("ends_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("closed_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("latitude", sa.Double(), nullable=True))
        table.add_column(sa.Column("longitude", sa.Double(), nullable=True))
        table.add_column(sa.Column("radius", sa.Integer(), nullable=True))
        table.create_index("ix_sessions_organisation_id_ends_at", ["organisation_id", "ends_at"])
    source = sa.Enum("manual", "check_in", "close", name="source", native_enum=False, length=20)
    verification = sa.Enum("verified", "pending", "rejected", name="verification", native_enum=False, length=20)
    with op.batch_alter_table("records") as table:
        table.add_column(sa.Column("source", source, nullable=False, server_default="manual"))
        table.add_column(sa.Column("verification", verification, nullable=False, server_default="verified"))
        table.add_column(sa.Column("checked_in_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("checked_out_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("forgot_to_check_out", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("distance", sa.Double(), nullable=True))
        table.add_column(sa.Column("remarks", sa.String(length=500), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("records") as table:
        for column in ("remarks", "distance", "forgot_to_check_out", "checked_out_at", "checked_in_at", "verification", "source"):
            table.drop_column(column)
    op.drop_table("attempts")
    # a session without a class is nothing that was known before
    op.execute("DELETE FROM records WHERE session_id IN (SELECT id FROM sessions WHERE class_id IS NULL)")
    op.execute("DELETE FROM sessions WHERE class_id IS NULL")
    with op.batch_alter_table("sessions") as table:
        table.drop_index("ix_sessions_organisation_id_ends_at")
        table.drop_index("ix_sessions_organisation_id_subject_id_session_date")
        table.drop_constraint("uq_sessions_organisation_id_key", type_="unique")
        table.drop_constraint("fk_sessions_subject_id_subjects", type_="foreignkey")
        for column in ("key", "subject_id", "radius", "longitude", "latitude", "closed_at", "ends_at", "starts_at", "description"):
            table.drop_column(column)
        table.alter_column("class_id", existing_type=sa.Uuid(), nullable=False)
