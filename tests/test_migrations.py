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
from sqlalchemy import inspect

from app import create_app
from app.extensions import db
from app.models import Base
from app.services import installation
from config import ROOT
from tests.conftest import settings_for
from tests.databases import database, listening

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


def test_there_is_one_line_of_history() -> None:
    assert len(ScriptDirectory(MIGRATIONS).get_heads()) == 1


def test_a_second_start_finds_what_the_first_one_made(installed: APIFlask) -> None:
    with installed.app_context():
        before = db.session.execute(db.text("SELECT id FROM organisations")).all()
        installation.prepare()
        db.session.rollback()
        assert db.session.execute(db.text("SELECT id FROM organisations")).all() == before
