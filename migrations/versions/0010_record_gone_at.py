"""When a record of a session was deleted last, so that who watches it begins anew"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("record_gone_at", UTCDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("sessions", "record_gone_at")
