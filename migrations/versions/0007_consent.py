"""Consent: organisations' own texts; who may be like somebody else"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "consent_texts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("holding", sa.JSON(), nullable=False),
        sa.Column("published_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_consent_texts_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["published_by_id"], ["users.id"], name="fk_consent_texts_published_by_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_consent_texts"),
        sa.UniqueConstraint("organisation_id", "number", name="uq_consent_texts_organisation_id_number"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "likeness_permits",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("given_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["given_by_id"], ["users.id"], name="fk_likeness_permits_given_by_id_users"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_likeness_permits_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_likeness_permits_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_likeness_permits"),
        sa.UniqueConstraint("organisation_id", "user_id", name="uq_likeness_permits_organisation_id_user_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )


def downgrade() -> None:
    op.drop_table("likeness_permits")
    op.drop_table("consent_texts")
