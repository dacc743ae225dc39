"""Recognitions, kept until they are confirmed"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from app.models.base import UTCDateTime


revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recognitions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=True),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("taken_by_id", sa.Uuid(), nullable=False),
        sa.Column("sizes", sa.JSON(), nullable=False),
        sa.Column("confirmed_at", UTCDateTime(), nullable=True),
        sa.Column("confirmed_by_id", sa.Uuid(), nullable=True),
        sa.Column("right", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("uncertain_right", sa.Integer(), nullable=False),
        sa.Column("uncertain_wrong", sa.Integer(), nullable=False),
        sa.Column("unknown", sa.Integer(), nullable=False),
        sa.Column("unseen", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_recognitions_class_id_classes"),
        sa.ForeignKeyConstraint(["confirmed_by_id"], ["users.id"], name="fk_recognitions_confirmed_by_id_users"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_recognitions_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_recognitions_session_id_sessions"),
        sa.ForeignKeyConstraint(["taken_by_id"], ["users.id"], name="fk_recognitions_taken_by_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_recognitions"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("recognitions") as table:
        table.create_index(
            "ix_recognitions_organisation_id_class_id_taken_on", ["organisation_id", "class_id", "taken_on"]
        )
        table.create_index("ix_recognitions_organisation_id_taken_on", ["organisation_id", "taken_on"])

    op.create_table(
        "recognition_pictures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("recognition_id", sa.Uuid(), nullable=False),
        sa.Column("image", sa.Integer(), nullable=False),
        sa.Column("part", sa.Integer(), nullable=False),
        sa.Column("sealed", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mariadb", "mysql"), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_recognition_pictures_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["recognition_id"],
            ["recognitions.id"],
            name="fk_recognition_pictures_recognition_id_recognitions",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_recognition_pictures"),
        sa.UniqueConstraint(
            "recognition_id", "image", "part", name="uq_recognition_pictures_recognition_id_image_part"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("recognition_pictures") as table:
        table.create_index("ix_recognition_pictures_organisation_id_created_at", ["organisation_id", "created_at"])

    op.create_table(
        "seen_faces",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("recognition_id", sa.Uuid(), nullable=False),
        sa.Column("image", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("left", sa.Integer(), nullable=False),
        sa.Column("top", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=True),
        sa.Column("distance", sa.Double(), nullable=True),
        sa.Column("confidence", sa.Double(), nullable=True),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("is_right", sa.Boolean(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_seen_faces_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["person_id"], ["users.id"], name="fk_seen_faces_person_id_users"),
        sa.ForeignKeyConstraint(
            ["recognition_id"],
            ["recognitions.id"],
            name="fk_seen_faces_recognition_id_recognitions",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name="fk_seen_faces_student_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_seen_faces"),
        sa.UniqueConstraint("recognition_id", "image", "number", name="uq_seen_faces_recognition_id_image_number"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("seen_faces") as table:
        table.create_index("ix_seen_faces_organisation_id_created_at", ["organisation_id", "created_at"])
        table.create_index("ix_seen_faces_organisation_id_person_id", ["organisation_id", "person_id"])
        table.create_index("ix_seen_faces_organisation_id_student_id", ["organisation_id", "student_id"])


def downgrade() -> None:
    for name in ("seen_faces", "recognition_pictures", "recognitions"):
        op.drop_table(name)
