"""Marks, behaviour, participation, who teaches what; what happened, who is told of it, and what people choose"""

import sqlalchemy as sa
from alembic import op

from app.models.base import UTCDateTime


revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

OPTIONS = {"mysql_charset": "utf8mb4", "mysql_collate": "utf8mb4_bin"}


def upgrade() -> None:
    op.create_table(
        "assessments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("title", sa.String(200), nullable=True),
        sa.Column("score", sa.Double(), nullable=False),
        sa.Column("max_score", sa.Double(), nullable=False),
        sa.Column("weight", sa.Double(), nullable=False),
        sa.Column("taken_on", sa.Date(), nullable=False),
        sa.Column("term", sa.String(200), nullable=True),
        sa.Column("academic_year", sa.String(20), nullable=True),
        sa.Column("notes", sa.String(2000), nullable=True),
        sa.Column("recorded_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_assessments_class_id_classes"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_assessments_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["users.id"], name="fk_assessments_recorded_by_id_users"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name="fk_assessments_student_id_users"
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subjects.id"], name="fk_assessments_subject_id_subjects"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_assessments"),
        **OPTIONS,
    )
    op.create_index("ix_assessments_organisation_id_class_id_taken_on", "assessments", ["organisation_id", "class_id", "taken_on"])
    op.create_index("ix_assessments_organisation_id_student_id_taken_on", "assessments", ["organisation_id", "student_id", "taken_on"])
    op.create_index("ix_assessments_organisation_id_subject_id_taken_on", "assessments", ["organisation_id", "subject_id", "taken_on"])
    op.create_index("ix_assessments_organisation_id_taken_on_id", "assessments", ["organisation_id", "taken_on", "id"])
    op.create_table(
        "behaviour_notes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("category", sa.String(100), nullable=False),
        sa.Column("notes", sa.String(2000), nullable=False),
        sa.Column("happened_on", sa.Date(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=True),
        sa.Column("is_visible_to_family", sa.Boolean(), nullable=False),
        sa.Column("follow_up", sa.String(2000), nullable=True),
        sa.Column("follow_up_on", sa.Date(), nullable=True),
        sa.Column("followed_up_at", UTCDateTime(), nullable=True),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_behaviour_notes_class_id_classes"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_behaviour_notes_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name="fk_behaviour_notes_student_id_users"
        ),
        sa.ForeignKeyConstraint(
            ["teacher_id"], ["users.id"], name="fk_behaviour_notes_teacher_id_users"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_behaviour_notes"),
        **OPTIONS,
    )
    op.create_index("ix_behaviour_notes_organisation_id_happened_on", "behaviour_notes", ["organisation_id", "happened_on"])
    op.create_index("ix_behaviour_notes_organisation_id_student_id_happened_on", "behaviour_notes", ["organisation_id", "student_id", "happened_on"])
    op.create_table(
        "participations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("event", sa.String(200), nullable=False),
        sa.Column("held_on", sa.Date(), nullable=False),
        sa.Column("status", sa.String(20), nullable=False),
        sa.Column("remarks", sa.String(2000), nullable=True),
        sa.Column("recorded_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_participations_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["recorded_by_id"], ["users.id"], name="fk_participations_recorded_by_id_users"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name="fk_participations_student_id_users"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_participations"),
        sa.UniqueConstraint("organisation_id", "student_id", "held_on", "event", name="uq_participations_organisation_id_student_id_held_on_event"),
        **OPTIONS,
    )
    op.create_index("ix_participations_organisation_id_held_on", "participations", ["organisation_id", "held_on"])
    op.create_table(
        "teacher_assignments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("term_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["classes.id"], name="fk_teacher_assignments_class_id_classes"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_teacher_assignments_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["subject_id"], ["subjects.id"], name="fk_teacher_assignments_subject_id_subjects"
        ),
        sa.ForeignKeyConstraint(
            ["teacher_id"], ["users.id"], name="fk_teacher_assignments_teacher_id_users"
        ),
        sa.ForeignKeyConstraint(
            ["term_id"], ["terms.id"], name="fk_teacher_assignments_term_id_terms"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_teacher_assignments"),
        sa.UniqueConstraint("organisation_id", "class_id", "subject_id", "term_id", "teacher_id", name="uq_teacher_assignments"),
        **OPTIONS,
    )
    op.create_index("ix_teacher_assignments_organisation_id_teacher_id", "teacher_assignments", ["organisation_id", "teacher_id"])
    op.create_table(
        "events",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("about_id", sa.Uuid(), nullable=False),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("due_at", UTCDateTime(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_events_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_events"),
        **OPTIONS,
    )
    op.create_index("ix_events_due_at", "events", ["due_at"])
    op.create_index("ix_events_organisation_id_kind_about_id", "events", ["organisation_id", "kind", "about_id"])
    op.create_table(
        "notifications",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("address", sa.String(254), nullable=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("key", sa.String(200), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=True),
        sa.Column("about_id", sa.Uuid(), nullable=True),
        sa.Column("data", sa.JSON(), nullable=False),
        sa.Column("read_at", UTCDateTime(), nullable=True),
        sa.Column("mail_due_at", UTCDateTime(), nullable=True),
        sa.Column("is_digest", sa.Boolean(), nullable=False),
        sa.Column("mail_id", sa.Uuid(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["mail_id"], ["mails.id"], name="fk_notifications_mail_id_mails", ondelete="SET NULL"
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_notifications_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["student_id"], ["users.id"], name="fk_notifications_student_id_users"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_notifications_user_id_users"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_notifications"),
        sa.UniqueConstraint("organisation_id", "key", name="uq_notifications_organisation_id_key"),
        **OPTIONS,
    )
    op.create_index("ix_notifications_mail_due_at", "notifications", ["mail_due_at"])
    op.create_index("ix_notifications_mail_id", "notifications", ["mail_id"])
    op.create_index("ix_notifications_organisation_id_about_id", "notifications", ["organisation_id", "about_id"])
    op.create_index("ix_notifications_organisation_id_created_at", "notifications", ["organisation_id", "created_at"])
    op.create_index("ix_notifications_organisation_id_student_id", "notifications", ["organisation_id", "student_id"])
    op.create_index("ix_notifications_organisation_id_user_id_id", "notifications", ["organisation_id", "user_id", "id"])
    op.create_index("ix_notifications_organisation_id_user_id_read_at", "notifications", ["organisation_id", "user_id", "read_at"])
    op.create_table(
        "user_settings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("language", sa.String(20), nullable=True),
        sa.Column("time_format", sa.String(20), nullable=True),
        sa.Column("notifications", sa.JSON(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_user_settings_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["user_id"], ["users.id"], name="fk_user_settings_user_id_users"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_user_settings"),
        sa.UniqueConstraint("organisation_id", "user_id", name="uq_user_settings_organisation_id_user_id"),
        **OPTIONS,
    )


def downgrade() -> None:
    op.drop_table("user_settings")
    op.drop_table("notifications")
    op.drop_table("events")
    op.drop_table("teacher_assignments")
    op.drop_table("participations")
    op.drop_table("behaviour_notes")
    op.drop_table("assessments")
