"""What people wrote to each other"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

OPTIONS = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "messages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("sender_id", sa.Uuid(), nullable=False),
        sa.Column("subject", sa.String(200), nullable=False),
        sa.Column("text", sa.String(5000), nullable=False),
        sa.Column("people", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_messages_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["sender_id"], ["users.id"], name="fk_messages_sender_id_users"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_messages"),
        **OPTIONS,
    )
    op.create_index("ix_messages_organisation_id_sender_id_id", "messages", ["organisation_id", "sender_id", "id"])


def downgrade() -> None:
    op.drop_table("messages")
