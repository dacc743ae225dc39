"""How organisations word notifications"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

OPTIONS = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "notification_templates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("language", sa.String(20), nullable=False),
        sa.Column("subject", sa.String(400), nullable=False),
        sa.Column("text", sa.String(5000), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_notification_templates_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notification_templates"),
        sa.UniqueConstraint("organisation_id", "kind", "language", name="uq_notification_templates_organisation_id_kind_language"),
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("notification_templates")
