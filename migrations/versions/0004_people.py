"""People and organisations: profiles, guardians, structure, sign-in, audit"""

import sqlalchemy as sa
from alembic import op
from uuid_utils.compat import uuid7

from app.models.base import UTCDateTime


revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

CLASS_TEACHERS = sa.table(
    "class_teachers",
    sa.column("id", sa.Uuid()),
    sa.column("organisation_id", sa.Uuid()),
    sa.column("class_id", sa.Uuid()),
    sa.column("teacher_id", sa.Uuid()),
    sa.column("role"),
    sa.column("created_at", UTCDateTime()),
)
ORGANISATIONS = sa.table(
    "organisations",
    sa.column("id", sa.Uuid()),
    sa.column("settings", sa.JSON()),
    sa.column("registration_roles", sa.JSON()),
)


def upgrade() -> None:
    op.create_table(
        "audit_chains",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_audit_chains_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit_chains"),
        sa.UniqueConstraint("organisation_id", name="uq_audit_chains_organisation_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "audit_entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("actor_id", sa.Uuid(), nullable=True),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("entity", sa.String(length=40), nullable=True),
        sa.Column("row_id", sa.Uuid(), nullable=True),
        sa.Column("person_id", sa.Uuid(), nullable=True),
        sa.Column("request_id", sa.String(length=64), nullable=True),
        sa.Column("content", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=False),
        sa.Column("origin", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("origin_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_audit_entries_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_audit_entries"),
        sa.UniqueConstraint("organisation_id", "sequence", name="uq_audit_entries_organisation_id_sequence"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_audit_entries_organisation_id_actor_id", "audit_entries", ["organisation_id", "actor_id"])
    op.create_index("ix_audit_entries_organisation_id_person_id", "audit_entries", ["organisation_id", "person_id"])
    op.create_index("ix_audit_entries_organisation_id_row_id", "audit_entries", ["organisation_id", "row_id"])
    op.create_table(
        "departments",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=50), nullable=True),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_departments_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_departments"),
        sa.UniqueConstraint("organisation_id", "external_id", name="uq_departments_organisation_id_external_id"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_departments_organisation_id_name"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "holidays",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_holidays_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_holidays"),
        sa.UniqueConstraint("organisation_id", "external_id", name="uq_holidays_organisation_id_external_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_holidays_organisation_id_first_day", "holidays", ["organisation_id", "first_day"])
    op.create_table(
        "single_sign_ons",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("issuer", sa.String(length=500), nullable=False),
        sa.Column("client_id", sa.String(length=255), nullable=False),
        sa.Column("client_secret", sa.LargeBinary(length=1024), nullable=False),
        sa.Column("role_claim", sa.String(length=100), nullable=False),
        sa.Column("role_map", sa.JSON(), nullable=False),
        sa.Column(
            "default_role",
            sa.Enum(
                "super_admin",
                "admin",
                "teacher",
                "student",
                "employee",
                "parent",
                name="role",
                native_enum=False,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("return_url", sa.String(length=500), nullable=True),
        sa.Column("is_enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_single_sign_ons_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_single_sign_ons"),
        sa.UniqueConstraint("organisation_id", name="uq_single_sign_ons_organisation_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "terms",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("academic_year", sa.String(length=20), nullable=True),
        sa.Column("first_day", sa.Date(), nullable=False),
        sa.Column("last_day", sa.Date(), nullable=False),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_terms_organisation_id_organisations"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_terms"),
        sa.UniqueConstraint("organisation_id", "external_id", name="uq_terms_organisation_id_external_id"),
        sa.UniqueConstraint("organisation_id", "name", name="uq_terms_organisation_id_name"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("hint", sa.String(length=12), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("last_used_at", UTCDateTime(), nullable=True),
        sa.Column("last_used_address", sa.String(length=45), nullable=True),
        sa.Column("revoked_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_api_keys_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_api_keys_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("key_hash", name="uq_api_keys_key_hash"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_api_keys_organisation_id_user_id", "api_keys", ["organisation_id", "user_id"])
    op.create_table(
        "emergency_contacts",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("relationship", sa.String(length=50), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_emergency_contacts_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name="fk_emergency_contacts_student_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_emergency_contacts"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index(
        "ix_emergency_contacts_organisation_id_student_id", "emergency_contacts", ["organisation_id", "student_id"]
    )
    op.create_table(
        "guardians",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("student_id", sa.Uuid(), nullable=False),
        sa.Column("parent_id", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("relationship", sa.String(length=50), nullable=True),
        sa.Column("phone", sa.String(length=40), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_guardians_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["parent_id"], ["users.id"], name="fk_guardians_parent_id_users"),
        sa.ForeignKeyConstraint(["student_id"], ["users.id"], name="fk_guardians_student_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_guardians"),
        sa.UniqueConstraint(
            "organisation_id", "student_id", "parent_id", name="uq_guardians_organisation_id_student_id_parent_id"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_guardians_organisation_id_parent_id", "guardians", ["organisation_id", "parent_id"])
    op.create_table(
        "identities",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("issuer_hash", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_identities_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_identities_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_identities"),
        sa.UniqueConstraint(
            "organisation_id", "issuer_hash", "subject", name="uq_identities_organisation_id_issuer_hash_subject"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_identities_organisation_id_user_id", "identities", ["organisation_id", "user_id"])
    op.create_table(
        "links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum("reset_password", "invitation", "confirm_email", name="linkkind", native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column("token_hash", sa.String(length=64), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=True),
        sa.Column("email", sa.String(length=254), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "super_admin",
                "admin",
                "teacher",
                "student",
                "employee",
                "parent",
                name="role",
                native_enum=False,
                length=20,
            ),
            nullable=True,
        ),
        sa.Column("invited_by", sa.Uuid(), nullable=True),
        sa.Column("name", sa.String(length=200), nullable=True),
        sa.Column("expires_at", UTCDateTime(), nullable=False),
        sa.Column("used_at", UTCDateTime(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_links_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_links_user_id_users"),
        sa.ForeignKeyConstraint(["invited_by"], ["users.id"], name="fk_links_invited_by_users"),
        sa.PrimaryKeyConstraint("id", name="pk_links"),
        sa.UniqueConstraint("token_hash", name="uq_links_token_hash"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_links_expires_at", "links", ["expires_at"])
    op.create_index("ix_links_organisation_id_email", "links", ["organisation_id", "email"])
    op.create_table(
        "second_factors",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("secret", sa.LargeBinary(length=1024), nullable=False),
        sa.Column("confirmed_at", UTCDateTime(), nullable=True),
        sa.Column("last_step", sa.Integer(), nullable=False),
        sa.Column("recovery_hashes", sa.JSON(), nullable=False),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_second_factors_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_second_factors_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_second_factors"),
        sa.UniqueConstraint("user_id", name="uq_second_factors_user_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "student_profiles",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("user_id", sa.Uuid(), nullable=False),
        sa.Column("roll_number", sa.String(length=50), nullable=True),
        sa.Column("year", sa.String(length=20), nullable=True),
        sa.Column("section", sa.String(length=50), nullable=True),
        sa.Column("gender", sa.String(length=40), nullable=True),
        sa.Column("date_of_birth", sa.Date(), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_student_profiles_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["user_id"], ["users.id"], name="fk_student_profiles_user_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_student_profiles"),
        sa.UniqueConstraint("organisation_id", "roll_number", name="uq_student_profiles_organisation_id_roll_number"),
        sa.UniqueConstraint("organisation_id", "user_id", name="uq_student_profiles_organisation_id_user_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "subjects",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("code", sa.String(length=50), nullable=True),
        sa.Column("credits", sa.Double(), nullable=True),
        sa.Column("department_id", sa.Uuid(), nullable=True),
        sa.Column("teacher_id", sa.Uuid(), nullable=True),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["department_id"], ["departments.id"], name="fk_subjects_department_id_departments"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_subjects_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name="fk_subjects_teacher_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_subjects"),
        sa.UniqueConstraint("organisation_id", "code", name="uq_subjects_organisation_id_code"),
        sa.UniqueConstraint("organisation_id", "external_id", name="uq_subjects_organisation_id_external_id"),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_table(
        "class_teachers",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("organisation_id", sa.Uuid(), nullable=False),
        sa.Column("class_id", sa.Uuid(), nullable=False),
        sa.Column("teacher_id", sa.Uuid(), nullable=False),
        sa.Column(
            "role",
            sa.Enum("lead", "assistant", "substitute", name="teacherrole", native_enum=False, length=20),
            nullable=False,
        ),
        sa.Column("external_id", sa.String(length=255), nullable=True),
        sa.Column("created_at", UTCDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["class_id"], ["classes.id"], name="fk_class_teachers_class_id_classes"),
        sa.ForeignKeyConstraint(
            ["organisation_id"], ["organisations.id"], name="fk_class_teachers_organisation_id_organisations"
        ),
        sa.ForeignKeyConstraint(["teacher_id"], ["users.id"], name="fk_class_teachers_teacher_id_users"),
        sa.PrimaryKeyConstraint("id", name="pk_class_teachers"),
        sa.UniqueConstraint(
            "organisation_id", "class_id", "teacher_id", name="uq_class_teachers_organisation_id_class_id_teacher_id"
        ),
        mysql_charset="utf8mb4",
        mysql_collate="utf8mb4_bin",
    )
    op.create_index("ix_class_teachers_organisation_id_teacher_id", "class_teachers", ["organisation_id", "teacher_id"])
    connection = op.get_bind()
    # what a new unique constraint or index begins with serves the foreign keys before the old index goes (MySQL)
    with op.batch_alter_table("classes") as table:
        table.add_column(sa.Column("subject_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("term_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("is_active", sa.Boolean(), nullable=False, server_default=sa.true()))
        table.add_column(sa.Column("external_id", sa.String(length=255), nullable=True))
        table.create_unique_constraint("uq_classes_organisation_id_external_id", ["organisation_id", "external_id"])
        table.create_foreign_key("fk_classes_term_id_terms", "terms", ["term_id"], ["id"])
        table.create_foreign_key("fk_classes_subject_id_subjects", "subjects", ["subject_id"], ["id"])
    classes = sa.table(
        "classes",
        sa.column("id", sa.Uuid()),
        sa.column("organisation_id", sa.Uuid()),
        sa.column("teacher_id", sa.Uuid()),
        sa.column("created_at", UTCDateTime()),
    )
    for row in connection.execute(sa.select(classes)).all():
        connection.execute(
            sa.insert(CLASS_TEACHERS).values(
                id=uuid7(),
                organisation_id=row.organisation_id,
                class_id=row.id,
                teacher_id=row.teacher_id,
                role="lead",
                created_at=row.created_at,
            )
        )
    with op.batch_alter_table("classes") as table:
        table.drop_constraint("fk_classes_teacher_id_users", type_="foreignkey")
        table.drop_index("ix_classes_organisation_id_teacher_id")
        table.drop_column("teacher_id")
    with op.batch_alter_table("enrolments") as table:
        table.add_column(sa.Column("external_id", sa.String(length=255), nullable=True))
    with op.batch_alter_table("organisations") as table:
        table.add_column(sa.Column("description", sa.String(length=2000), nullable=False, server_default=""))
        table.add_column(sa.Column("address", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("contact_email", sa.String(length=254), nullable=True))
        table.add_column(sa.Column("contact_phone", sa.String(length=40), nullable=True))
        table.add_column(sa.Column("settings", sa.JSON(), nullable=True))
        table.add_column(sa.Column("is_active", sa.Boolean(), nullable=False, server_default=sa.true()))
        table.add_column(sa.Column("external_id", sa.String(length=255), nullable=True))
    for id_, roles in connection.execute(sa.select(ORGANISATIONS.c.id, ORGANISATIONS.c.registration_roles)).all():
        kept = {"registration": {"rule": "open", "roles": roles}} if roles else {}
        connection.execute(sa.update(ORGANISATIONS).where(ORGANISATIONS.c.id == id_).values(settings=kept))
    with op.batch_alter_table("organisations") as table:
        table.alter_column("settings", existing_type=sa.JSON(), nullable=False)
        table.drop_column("registration_roles")
    with op.batch_alter_table("sign_ins") as table:
        table.add_column(sa.Column("last_used_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("refreshes", sa.Integer(), nullable=False, server_default="0"))
        table.create_index("ix_sign_ins_expires_at", ["expires_at"])
    op.execute("UPDATE sign_ins SET last_used_at = created_at")
    with op.batch_alter_table("sign_ins") as table:
        table.alter_column("last_used_at", existing_type=UTCDateTime(), nullable=False)
    with op.batch_alter_table("users") as table:
        table.add_column(sa.Column("email_verified_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("username", sa.String(length=100), nullable=True))
        table.add_column(sa.Column("address", sa.String(length=500), nullable=True))
        table.add_column(sa.Column("department_id", sa.Uuid(), nullable=True))
        table.add_column(sa.Column("inactive_on", sa.Date(), nullable=True))
        table.add_column(sa.Column("last_sign_in_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("erased_at", UTCDateTime(), nullable=True))
        table.add_column(sa.Column("external_id", sa.String(length=255), nullable=True))
        table.create_index("ix_users_organisation_id_role_status", ["organisation_id", "role", "status"])
        table.create_unique_constraint("uq_users_organisation_id_external_id", ["organisation_id", "external_id"])
        table.create_foreign_key("fk_users_department_id_departments", "departments", ["department_id"], ["id"])
    with op.batch_alter_table("users") as table:
        table.drop_index("ix_users_organisation_id_role")
    op.execute("UPDATE users SET inactive_on = CURRENT_DATE WHERE status <> 'active'")


def downgrade() -> None:
    connection = op.get_bind()
    op.execute("UPDATE users SET status = 'suspended' WHERE status = 'pending'")  # which nobody was before
    with op.batch_alter_table("users") as table:
        table.create_index("ix_users_organisation_id_role", ["organisation_id", "role"])
        table.drop_constraint("fk_users_department_id_departments", type_="foreignkey")
        table.drop_constraint("uq_users_organisation_id_external_id", type_="unique")
        table.drop_index("ix_users_organisation_id_role_status")
        for column in (
            "email_verified_at",
            "username",
            "address",
            "department_id",
            "inactive_on",
            "last_sign_in_at",
            "erased_at",
            "external_id",
        ):
            table.drop_column(column)
    with op.batch_alter_table("sign_ins") as table:
        table.drop_index("ix_sign_ins_expires_at")
        table.drop_column("refreshes")
        table.drop_column("last_used_at")
    with op.batch_alter_table("organisations") as table:
        table.add_column(sa.Column("registration_roles", sa.JSON(), nullable=True))
    for id_, kept in connection.execute(sa.select(ORGANISATIONS.c.id, ORGANISATIONS.c.settings)).all():
        registration = kept.get("registration", {})
        roles = registration.get("roles", []) if registration.get("rule") == "open" else []
        connection.execute(sa.update(ORGANISATIONS).where(ORGANISATIONS.c.id == id_).values(registration_roles=roles))
    with op.batch_alter_table("organisations") as table:
        table.alter_column("registration_roles", existing_type=sa.JSON(), nullable=False)
        for column in (
            "external_id",
            "is_active",
            "settings",
            "contact_phone",
            "contact_email",
            "address",
            "description",
        ):
            table.drop_column(column)
    with op.batch_alter_table("enrolments") as table:
        table.drop_column("external_id")
    with op.batch_alter_table("classes") as table:
        table.add_column(sa.Column("teacher_id", sa.Uuid(), nullable=True))
    taught = sa.select(CLASS_TEACHERS.c.class_id, CLASS_TEACHERS.c.teacher_id).order_by(
        CLASS_TEACHERS.c.role == "lead", CLASS_TEACHERS.c.id.desc()
    )
    classes = sa.table("classes", sa.column("id", sa.Uuid()), sa.column("teacher_id", sa.Uuid()))
    for class_id, teacher_id in connection.execute(taught).all():  # the first lead comes last, and stays
        connection.execute(sa.update(classes).where(classes.c.id == class_id).values(teacher_id=teacher_id))
    _give_teachers(connection)
    with op.batch_alter_table("classes") as table:
        table.alter_column("teacher_id", existing_type=sa.Uuid(), nullable=False)
        table.create_index("ix_classes_organisation_id_teacher_id", ["organisation_id", "teacher_id"])
        table.create_foreign_key("fk_classes_teacher_id_users", "users", ["teacher_id"], ["id"])
        table.drop_constraint("fk_classes_term_id_terms", type_="foreignkey")
        table.drop_constraint("fk_classes_subject_id_subjects", type_="foreignkey")
        table.drop_constraint("uq_classes_organisation_id_external_id", type_="unique")
        for column in ("external_id", "is_active", "term_id", "subject_id"):
            table.drop_column(column)
    op.drop_table("class_teachers")
    op.drop_table("subjects")
    op.drop_table("student_profiles")
    op.drop_table("second_factors")
    op.drop_table("links")
    op.drop_table("identities")
    op.drop_table("guardians")
    op.drop_table("emergency_contacts")
    op.drop_table("api_keys")
    op.drop_table("terms")
    op.drop_table("single_sign_ons")
    op.drop_table("holidays")
    op.drop_table("departments")
    op.drop_table("audit_entries")
    op.drop_table("audit_chains")


def _give_teachers(connection: sa.Connection) -> None:
    """A class that nobody teaches any more, as may be from here on, falls to an administrator, or whoever there is."""
    names = ("id", "organisation_id", "teacher_id")
    classes = sa.table("classes", *(sa.column(name, sa.Uuid()) for name in names))
    users = sa.table("users", sa.column("id", sa.Uuid()), sa.column("organisation_id", sa.Uuid()), sa.column("role"))
    first = sa.case((users.c.role.in_(["admin", "super_admin"]), 0), (users.c.role == "teacher", 1), else_=2)
    for class_id, organisation_id in connection.execute(
        sa.select(classes.c.id, classes.c.organisation_id).where(classes.c.teacher_id.is_(None))
    ).all():
        of_it = sa.select(users.c.id).where(users.c.organisation_id == organisation_id).order_by(first, users.c.id)
        teacher_id = connection.scalar(of_it.limit(1))
        own = classes.c.id == class_id
        found = sa.update(classes).where(own).values(teacher_id=teacher_id) if teacher_id else sa.delete(classes).where(own)
        connection.execute(found)
