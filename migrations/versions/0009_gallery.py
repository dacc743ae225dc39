"""As which an organisation's face templates were left by whoever changed them last"""

import uuid

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    galleries = op.create_table(
        "galleries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("mark", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_galleries_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_galleries"),
        sa.UniqueConstraint("organisation_id", name="uq_galleries_organisation_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    # those who have templates have a mark; one that has none is taken to have nobody enrolled
    templates = sa.table(
        "face_templates", sa.column("organisation_id", sa.Uuid()), sa.column("created_at", UTCDateTime())
    )
    first = sa.select(templates.c.organisation_id, sa.func.min(templates.c.created_at).label("created_at"))
    rows = op.get_bind().execute(first.group_by(templates.c.organisation_id)).all()
    op.bulk_insert(galleries, [{"id": uuid.uuid4(), "mark": uuid.uuid4(), **row._mapping} for row in rows])


def downgrade() -> None:
    op.drop_table("galleries")
