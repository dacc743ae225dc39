"""Records by when they were marked, for the newest of them"""

from alembic import op


revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

INDEX = "ix_records_organisation_id_marked_at"


def upgrade() -> None:
    op.create_index(INDEX, "records", ["organisation_id", "marked_at"])


def downgrade() -> None:
    op.drop_index(INDEX, "records")
