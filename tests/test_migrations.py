"""One history of migrations, the same tables on every database, there and back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from apiflask import APIFlask
from sqlalchemy import insert, inspect, text
from uuid_utils.compat import uuid7

from app import clock, create_app
from app.extensions import db
from app.models import Base, Class, Organisation, Role, UserStatus
from app.services import installation, statistics
from config import ROOT
from tests.conftest import settings_for
from tests.databases import database, listening
from tests.factories import make, make_user

MIGRATIONS = str(ROOT / "migrations")


def differences(app: APIFlask) -> Any:
    with app.app_context(), db.engine.connect() as connection:
        return compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), Base.metadata)


def test_models_and_migrations_agree(installed: APIFlask) -> None:
    assert differences(installed) == []


@pytest.mark.parametrize("kind", listening())
def test_every_migration_goes_down_and_up_again(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path, "rollcall_migrations") as url:
        app = create_app(settings_for(tmp_path, database_url=url))
        with app.app_context():
            flask_migrate.upgrade(directory=MIGRATIONS)
            flask_migrate.downgrade(directory=MIGRATIONS, revision="base")
            assert set(inspect(db.engine).get_table_names()) <= {"alembic_version"}
            flask_migrate.upgrade(directory=MIGRATIONS)
        assert differences(app) == []
        with app.app_context():
            db.engine.dispose()


@pytest.mark.parametrize("kind", listening())
def test_a_class_without_a_teacher_and_who_is_yet_to_confirm_an_address_go_down_too(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path, "rollcall_migrations") as url:
        app = create_app(settings_for(tmp_path, database_url=url))
        with app.app_context():
            flask_migrate.upgrade(directory=MIGRATIONS)
            waiting = make_user(role=Role.TEACHER, status=UserStatus.PENDING)
            make(Class, organisation_id=waiting.organisation_id)
            make(Class)  # of an organisation of nobody
            db.session.remove()
            flask_migrate.downgrade(directory=MIGRATIONS, revision="0003")
            with db.engine.connect() as connection:
                assert connection.execute(text("SELECT status FROM users")).scalars().all() == ["suspended"]
                assert connection.execute(text("SELECT COUNT(teacher_id) FROM classes")).scalar() == 1
            db.engine.dispose()


def test_after_an_upgrade_sqlite_knows_how_many_rows_its_indexes_find(tmp_path: Path) -> None:
    app = create_app(settings_for(tmp_path))
    with app.app_context():
        flask_migrate.upgrade(directory=MIGRATIONS, revision="0020")
        many = [{"id": uuid7(), "name": f"School {n}", "time_zone": "UTC"} for n in range(statistics.SMALL)]
        many = [one | {"created_at": clock.now(), "settings": {}, "description": "", "is_active": True} for one in many]
        with db.engine.connect().execution_options(write=True) as connection, connection.begin():
            connection.execute(insert(Organisation), many)
        installation.prepare()
        known = text("SELECT count(*) FROM sqlite_stat1 WHERE tbl = 'organisations'")
        assert db.session.scalar(known)
        db.session.remove()
        db.engine.dispose()


def test_there_is_one_line_of_history() -> None:
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1


def test_a_second_start_finds_what_the_first_one_made(installed: APIFlask) -> None:
    with installed.app_context():
        before = db.session.execute(db.text("SELECT id FROM organisations")).all()
        installation.prepare()
        db.session.rollback()
        assert db.session.execute(db.text("SELECT id FROM organisations")).all() == before


def test_after_a_start_with_nothing_to_migrate_sqlite_still_checks_references(tmp_path: Path) -> None:
    app = create_app(settings_for(tmp_path))
    with app.app_context():
        installation.prepare()
        installation.prepare()
        db.session.remove()
        assert db.session.scalar(text("PRAGMA foreign_keys")) == 1
        db.session.remove()
        db.engine.dispose()
