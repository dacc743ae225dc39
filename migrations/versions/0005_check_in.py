"""Checking in: timetables, sessions with times and policies, records with arrivals and marks, attempts, leave, gates"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import mysql

from app.models.base import UTCDateTime


revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# in parentheses, as MySQL wants it
EMPTY_OBJECT, EMPTY_LIST = sa.text("('{}')"), sa.text("('[]')")
LONG_AGO = sa.text("'2000-01-01 00:00:00'")


def upgrade() -> None:
    op.create_table(
        "gate_credentials",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Enum("badge", "pin", name="credentialkind", native_enum=False, length=20), nullable=False),
        sa.Column("value_hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_gate_credentials_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_gate_credentials_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_gate_credentials"),
        sa.UniqueConstraint(
            "organisation_id", "kind", "value_hash", name="uq_gate_credentials_organisation_id_kind_value_hash"
        ),
        sa.UniqueConstraint(
            "organisation_id", "user_id", "kind", name="uq_gate_credentials_organisation_id_user_id_kind"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "gates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("direction", sa.Enum("in", "out", name="direction", native_enum=False, length=20), nullable=True),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=12), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=False),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_gates_created_by_id_users"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_gates_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_gates"),
        sa.UniqueConstraint("key_hash", name="uq_gates_key_hash"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_gates_organisation_id_name"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "leave_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column(
            "counts_as",
            sa.Enum("present", "late", "absent", "excused", "leave", name="status", native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column("reason", sa.String(length=2000), nullable=False),
        sa.Column(
            "status",
            sa.Enum("pending", "approved", "rejected", "withdrawn", name="leavestatus", native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column("requested_by_id", sa.Uuid(), nullable=False),
        sa.Column("decided_by_id", sa.Uuid(), nullable=True),
        sa.Column("decided_at", UTCDateTime(), nullable=True),
        sa.Column("decision_reason", sa.String(length=500), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["decided_by_id"], ["users.id"], name="fk_leave_requests_decided_by_id_users"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_leave_requests_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["requested_by_id"], ["users.id"], name="fk_leave_requests_requested_by_id_users"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_leave_requests_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_leave_requests"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("leave_requests") as table:
        table.create_index("ix_leave_requests_organisation_id_status", ["organisation_id", "status"])
        table.create_index(
            "ix_leave_requests_organisation_id_user_id_last_day", ["organisation_id", "user_id", "last_day"]
        )

    op.create_table(
        "repeatable_calls",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.String(length=255), nullable=False),
        sa.Column("call_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("headers", sa.JSON(), nullable=False),
        sa.Column("body", sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mariadb", "mysql"), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_repeatable_calls_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_repeatable_calls_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_repeatable_calls"),
        sa.UniqueConstraint(
            "organisation_id", "user_id", "key", name="uq_repeatable_calls_organisation_id_user_id_key"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("repeatable_calls") as table:
        table.create_index("ix_repeatable_calls_created_at", ["created_at"])

    op.create_table(
        "leave_attachments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("leave_request_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("media_type", sa.String(length=100), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column(
            "sealed",
            sa.LargeBinary().with_variant(mysql.MEDIUMBLOB(), "mariadb").with_variant(mysql.MEDIUMBLOB(), "mysql"),
            nullable=False,
        ),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["leave_request_id"],
            ["leave_requests.id"],
            name="fk_leave_attachments_leave_request_id_leave_requests",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_leave_attachments_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_leave_attachments_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_leave_attachments"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("leave_attachments") as table:
        table.create_index(
            "ix_leave_attachments_organisation_id_leave_request_id", ["organisation_id", "leave_request_id"]
        )

    op.create_table(
        "passages",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("gate_id", sa.Uuid(), nullable=False),
        sa.Column("direction", sa.Enum("in", "out", name="direction", native_enum=False, length=20), nullable=False),
        sa.Column("at", UTCDateTime(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("by", sa.String(length=10), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["gate_id"], ["gates.id"], name="fk_passages_gate_id_gates"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_passages_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_passages_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_passages"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("passages") as table:
        table.create_index("ix_passages_organisation_id_at", ["organisation_id", "at"])
        table.create_index("ix_passages_organisation_id_day_user_id", ["organisation_id", "day", "user_id"])
        table.create_index("ix_passages_organisation_id_user_id_at", ["organisation_id", "user_id", "at"])

    op.create_table(
        "calendar_feeds",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=True),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_calendar_feeds_class_id_classes"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_calendar_feeds_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_calendar_feeds_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_calendar_feeds"),
        sa.UniqueConstraint("token_hash", name="uq_calendar_feeds_token_hash"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("calendar_feeds") as table:
        table.create_index("ix_calendar_feeds_organisation_id_user_id", ["organisation_id", "user_id"])

    op.create_table(
        "timetables",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=True),
        sa.Column("subject_id", sa.Uuid(), nullable=True),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("is_event", sa.Boolean(), nullable=False),
        sa.Column("term_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("description", sa.String(length=2000), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=True),
        sa.Column("starts_at", sa.Time(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("rule", sa.String(length=500), nullable=False),
        sa.Column("left_out", sa.JSON(), nullable=False),
        sa.Column("on_holidays", sa.Boolean(), nullable=False),
        sa.Column("cancelled_from", sa.Date(), nullable=True),
        sa.Column("time_zone", sa.String(length=64), nullable=False),
        sa.Column("policy", sa.JSON(), nullable=False),
        sa.Column("created_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_timetables_class_id_classes"),
        sa.ForeignKeyConstraint(["created_by_id"], ["users.id"], name="fk_timetables_created_by_id_users"),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name="fk_timetables_department_id_departments"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_timetables_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["subject_id"], ["subjects.id"], name="fk_timetables_subject_id_subjects"),
        sa.ForeignKeyConstraint(["term_id"], ["terms.id"], name="fk_timetables_term_id_terms"),
        sa.PrimaryKeyConstraint("id", name="pk_timetables"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("timetables") as table:
        table.create_index("ix_timetables_organisation_id_class_id", ["organisation_id", "class_id"])

    op.create_table(
        "attempts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("refused", sa.String(length=40), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("flags", sa.JSON(), nullable=False),
        sa.Column("latitude", sa.Double(), nullable=True),
        sa.Column("longitude", sa.Double(), nullable=True),
        sa.Column("accuracy", sa.Double(), nullable=True),
        sa.Column("address", sa.String(length=45), nullable=True),
        sa.Column("device", sa.String(length=255), nullable=True),
        sa.Column("device_id", sa.String(length=64), nullable=True),
        sa.Column("client_id", sa.Uuid(), nullable=True),
        sa.Column("captured_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_attempts_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_attempts_session_id_sessions"),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_attempts_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_attempts"),
        sa.UniqueConstraint(
            "organisation_id", "user_id", "client_id", name="uq_attempts_organisation_id_user_id_client_id"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("attempts") as table:
        table.create_index("ix_attempts_organisation_id_created_at", ["organisation_id", "created_at"])
        table.create_index(
            "ix_attempts_organisation_id_device_id_created_at", ["organisation_id", "device_id", "created_at"]
        )
        table.create_index("ix_attempts_organisation_id_session_id", ["organisation_id", "session_id"])
        table.create_index(
            "ix_attempts_organisation_id_user_id_created_at", ["organisation_id", "user_id", "created_at"]
        )

    op.create_table(
        "record_marks",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("record_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column(
            "status",
            sa.Enum("present", "late", "absent", "excused", "leave", name="status", native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column("code", sa.String(length=20), nullable=True),
        sa.Column(
            "source",
            sa.Enum(
                "manual",
                "check_in",
                "offline",
                "forced",
                "gate",
                "leave",
                "close",
                name="source",
                native_enum=False,
                length=20,
            ),
            nullable=False,
        ),
        sa.Column("is_office", sa.Boolean(), nullable=False),
        sa.Column("remarks", sa.String(length=500), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=True),
        sa.Column("marked_by_id", sa.Uuid(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["marked_by_id"], ["users.id"], name="fk_record_marks_marked_by_id_users"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_record_marks_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(
            ["record_id"], ["records.id"], name="fk_record_marks_record_id_records", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name="fk_record_marks_student_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_record_marks"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    with op.batch_alter_table("record_marks") as table:
        table.create_index("ix_record_marks_organisation_id_record_id", ["organisation_id", "record_id"])
    with op.batch_alter_table("classes") as table:
        table.add_column(sa.Column("time_zone", sa.String(length=64), nullable=True))
        table.add_column(sa.Column("policy", sa.JSON(), nullable=False, server_default=EMPTY_OBJECT))

    with op.batch_alter_table("records") as table:
        table.add_column(sa.Column("code", sa.String(length=20), nullable=True))
        table.add_column(
            sa.Column(
                "source",
                sa.Enum(
                    "manual",
                    "check_in",
                    "offline",
                    "forced",
                    "gate",
                    "leave",
                    "close",
                    name="source",
                    native_enum=False,
                    length=20,
                ),
                nullable=False,
                server_default="manual",
            )
        )
        table.add_column(sa.Column("is_office", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(
            sa.Column(
                "verification",
                sa.Enum("verified", "pending", "rejected", name="verification", native_enum=False, length=20),
                nullable=False,
                server_default="verified",
            )
        )
        table.add_column(sa.Column("flags", sa.JSON(), nullable=False, server_default=EMPTY_LIST))
        table.add_column(sa.Column("checked_in_at", UTCDateTime(), nullable=True))
        table.add_column(
            sa.Column(
                "checked_in_as",
                sa.Enum("present", "late", "absent", "excused", "leave", name="status", native_enum=False, length=20),
                nullable=True,
            )
        )
        table.add_column(sa.Column("checked_out_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("forgot_to_check_out", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("distance", sa.Double(), nullable=True))
        table.add_column(sa.Column("remarks", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("reviewed_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("reviewed_by_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("review_reason", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("changed_at", UTCDateTime(), nullable=False, server_default=LONG_AGO))
        table.create_index("ix_records_organisation_id_verification", ["organisation_id", "verification"])
        table.create_foreign_key("fk_records_reviewed_by_id_users", "users", ["reviewed_by_id"], ["id"])

    with op.batch_alter_table("sessions") as table:
        table.add_column(sa.Column("subject_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("department_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("is_event", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("timetable_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("is_changed", sa.Boolean(), nullable=False, server_default=sa.false()))
        table.add_column(sa.Column("key", sa.String(length=80), nullable=True))
        table.add_column(sa.Column("description", sa.String(length=2000), nullable=False, server_default=""))
        table.add_column(sa.Column("starts_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("ends_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("cancelled_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("closed_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("reopened_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("policy", sa.JSON(), nullable=False, server_default=EMPTY_OBJECT))
        table.add_column(sa.Column("changed_at", UTCDateTime(), nullable=False, server_default=LONG_AGO))
        table.alter_column("class_id", existing_type=sa.Uuid(), nullable=True)
        table.create_index("ix_sessions_closed_at_ends_at", ["closed_at", "ends_at"])
        table.create_index("ix_sessions_organisation_id_ends_at", ["organisation_id", "ends_at"])
        table.create_index("ix_sessions_organisation_id_session_date", ["organisation_id", "session_date"])
        table.create_index(
            "ix_sessions_organisation_id_subject_id_session_date", ["organisation_id", "subject_id", "session_date"]
        )
        table.create_index(
            "ix_sessions_organisation_id_timetable_id_session_date", ["organisation_id", "timetable_id", "session_date"]
        )
        table.create_unique_constraint("uq_sessions_organisation_id_key", ["organisation_id", "key"])
        table.create_foreign_key("fk_sessions_subject_id_subjects", "subjects", ["subject_id"], ["id"])
        table.create_foreign_key("fk_sessions_timetable_id_timetables", "timetables", ["timetable_id"], ["id"])
        table.create_foreign_key("fk_sessions_department_id_departments", "departments", ["department_id"], ["id"])


def downgrade() -> None:
    op.drop_table("record_marks")
    op.drop_table("attempts")
    # a session without a class is nothing that was known before
    op.execute("DELETE FROM records WHERE session_id IN (SELECT id FROM sessions WHERE class_id IS NULL)")
    op.execute("DELETE FROM sessions WHERE class_id IS NULL")
    with op.batch_alter_table("sessions") as table:
        for name in ("department_id_departments", "timetable_id_timetables", "subject_id_subjects"):
            table.drop_constraint(f"fk_sessions_{name}", type_="foreignkey")
        table.drop_constraint("uq_sessions_organisation_id_key", type_="unique")
        for name in ("ends_at", "session_date", "subject_id_session_date", "timetable_id_session_date"):
            table.drop_index(f"ix_sessions_organisation_id_{name}")
        table.drop_index("ix_sessions_closed_at_ends_at")
        table.alter_column("class_id", existing_type=sa.Uuid(), nullable=False)
        for name in (
            "subject_id",
            "department_id",
            "is_event",
            "timetable_id",
            "is_changed",
            "key",
            "description",
            "starts_at",
            "ends_at",
            "cancelled_at",
            "closed_at",
            "reopened_at",
            "policy",
            "changed_at",
        ):
            table.drop_column(name)
    with op.batch_alter_table("records") as table:
        table.drop_constraint("fk_records_reviewed_by_id_users", type_="foreignkey")
        table.drop_index("ix_records_organisation_id_verification")
        for name in (
            "code",
            "source",
            "is_office",
            "verification",
            "flags",
            "checked_in_at",
            "checked_in_as",
            "checked_out_at",
            "forgot_to_check_out",
            "distance",
            "remarks",
            "reviewed_at",
            "reviewed_by_id",
            "review_reason",
            "changed_at",
        ):
            table.drop_column(name)
    with op.batch_alter_table("classes") as table:
        table.drop_column("policy")
        table.drop_column("time_zone")
    for name in (
        "timetables",
        "calendar_feeds",
        "passages",
        "leave_attachments",
        "repeatable_calls",
        "leave_requests",
        "gates",
        "gate_credentials",
    ):
        op.drop_table(name)
