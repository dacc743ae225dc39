"""Pose and exposure of enrolled faces"""

import sqlalchemy as sa
from alembic import op


revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

FIGURES = ("yaw", "pitch", "roll", "brightness", "contrast", "dark", "bright")


def upgrade() -> None:
    with op.batch_alter_table("face_templates") as table:
        for figure in FIGURES:
            table.add_column(sa.Column(figure, sa.Double(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("face_templates") as table:
        for figure in FIGURES:
            table.drop_column(figure)
