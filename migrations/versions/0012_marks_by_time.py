"""Marks by when they were given, for the latest of them"""

from alembic import op


revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEX = "ix_record_marks_organisation_id_created_at"


def upgrade() -> None:
    op.create_index(INDEX, "record_marks", ["organisation_id", "created_at"])


def downgrade() -> None:
    op.drop_index(INDEX, "record_marks")
