"""The application on every database that listens, and people who call it."""

from __future__ import annotations

import os
import tempfile
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from apiflask import APIFlask
from flask.testing import FlaskClient
from flask_jwt_extended import create_access_token
from sqlalchemy import exists, insert, select
from uuid_utils.compat import uuid7

from app import clock, create_app
from app.extensions import db, limiter, settings
from app.faces import ROOM, FacePool, Progress, Wanted
from app.faces.pool import Result
from app.models import Base, Guardian, Organisation, Role, SignIn, User
from app.services import installation
from config import Settings
from tests.databases import database, hasty, listening
from tests.factories import make, new_user

MODELS = Path(tempfile.gettempdir()) / f"rollcall-models-{os.getuid()}"
"""For the face engine of all processes and servers of a run: to build them takes seconds."""
os.environ["FACES_DIR"] = str(MODELS)


@dataclass
class Person:
    """Somebody who calls the API; without a token, nobody in particular."""

    client: FlaskClient
    id: uuid.UUID | None = None
    organisation_id: uuid.UUID | None = None
    email: str = ""
    token: str | None = None

    def call(self, method: str, path: str, json: Any = None, **kwargs: Any) -> Any:
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        headers |= kwargs.pop("headers", {})
        return self.client.open(path, method=method, json=json, headers=headers, buffered=True, **kwargs)

    def get(self, path: str, **kwargs: Any) -> Any:
        return self.call("GET", path, **kwargs)

    def post(self, path: str, json: Any = None, **kwargs: Any) -> Any:
        return self.call("POST", path, json, **kwargs)

    def put(self, path: str, json: Any = None, **kwargs: Any) -> Any:
        return self.call("PUT", path, json, **kwargs)

    def delete(self, path: str, **kwargs: Any) -> Any:
        return self.call("DELETE", path, **kwargs)


class Cast:
    """Makes people who are signed in."""

    def __init__(self, app: APIFlask) -> None:
        self.app = app

    @property
    def nobody(self) -> Person:
        return Person(self.app.test_client())

    def person(self, role: Role, organisation_id: uuid.UUID | None = None, **values: Any) -> Person:
        with self.app.app_context():
            organisation_id = organisation_id or self.organisation()
            db.session.rollback()  # on SQLite nobody who has begun to read can write once another has written
            user, begun = new_user(role=role, organisation_id=organisation_id, **values), clock.now()
            user["last_sign_in_at"] = begun
            signed_in = {"id": uuid7(), "organisation_id": organisation_id, "user_id": user["id"], "device": "a test"}
            signed_in |= {"address": "127.0.0.1", "last_used_at": begun}
            signed_in |= {"expires_at": begun + settings().sign_in_lifetime}
            with db.engine.connect().execution_options(write=True) as connection, connection.begin():
                # as rows, and past the audit log: people are made more often than anything else
                connection.execute(insert(User), user)
                connection.execute(insert(SignIn), signed_in)
            token = create_access_token(
                str(user["id"]),
                additional_claims={"sid": str(signed_in["id"])},
                expires_delta=settings().token_lifetime,
            )
            return Person(self.app.test_client(), user["id"], organisation_id, str(user["email"]), token)

    def organisation(self) -> uuid.UUID:
        """The installation's own organisation."""
        found: uuid.UUID | None = db.session.scalar(select(Organisation.id).where(Organisation.is_default.is_(True)))
        assert found
        return found

    def other_organisation(self) -> uuid.UUID:
        with self.app.app_context():
            return make(Organisation, time_zone="Pacific/Auckland").id

    def teacher(self, **values: Any) -> Person:
        return self.person(Role.TEACHER, **values)

    def student(self, **values: Any) -> Person:
        return self.person(Role.STUDENT, **values)

    def parent(self, *children: Person, **values: Any) -> Person:
        """Of these students of one organisation."""
        parent = self.person(Role.PARENT, children[0].organisation_id, **values)
        with self.app.app_context():
            for child in children:
                make(Guardian, organisation_id=child.organisation_id, student_id=child.id, parent_id=parent.id)
        return parent


def settings_for(folder: Path, **values: Any) -> Settings:
    chosen: dict[str, Any] = {"instance_dir": folder, "bcrypt_rounds": 4, "ratelimit_enabled": True}
    chosen |= {"live_streams": 0} | values  # each stream ends at once, and nobody waits for its end
    return Settings(**{"_env_file": None, "log_level": "WARNING"} | chosen)


class Nowhere:
    """A backend that is told of jobs and does none: they are done in the tests that are about them."""

    def announce(self, job_id: uuid.UUID, own: bool) -> None:
        pass

    def close(self) -> None:
        pass


class RememberingPool(FacePool):
    """Reads each picture once for all tests and databases: it is most of what they would wait for."""

    def __init__(self, *how: Any, **more: Any) -> None:
        super().__init__(*how, **more)
        self._read: dict[tuple[bytes, Wanted], Result] = {}

    def analyse(
        self, pictures: Sequence[bytes], progress: Progress = lambda _done, _total: None, wanted: Wanted = ROOM
    ) -> list[Result]:
        keys = [(picture, wanted) for picture in pictures]
        if not self._read.keys() >= set(keys):
            self._read |= dict(zip(keys, super().analyse(pictures, progress, wanted), strict=True))
        else:
            for done in range(len(keys)):
                progress(done + 1, len(keys))
        return [self._read[key] for key in keys]


LONGEST = {"test_storm", "test_server", "test_live", "test_contract_safety"}
"""They wait for servers more than they work."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest comes first, so that in the end nobody waits for one who began it last."""
    items.sort(key=lambda item: item.path.stem not in LONGEST)


@pytest.fixture(scope="session")
def models() -> Path:
    return MODELS


@pytest.fixture(scope="session")
def face_pool(models: Path) -> Iterator[FacePool]:
    pool = RememberingPool(2, folder=models)
    yield pool
    pool.close()


@pytest.fixture(scope="session", params=listening())
def installed(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, face_pool: FacePool
) -> Iterator[APIFlask]:
    """The application, set up on a new database."""
    folder = tmp_path_factory.mktemp(request.param)
    with database(request.param, folder, durable=False) as url:
        app = create_app(settings_for(folder, database_url=url))
        app.extensions |= {"face_pool": face_pool, "backend": Nowhere()}
        with app.app_context():
            hasty(db.engine)
            installation.prepare()
        yield app
        with app.app_context():
            db.engine.dispose()


TABLES = list(reversed(Base.metadata.sorted_tables))
USED = select(*(exists().select_from(table) for table in TABLES))
"""Which of them have rows: most have none after most tests, and to delete from each takes longer than a test."""


@pytest.fixture
def app(installed: APIFlask) -> Iterator[APIFlask]:
    """The application with nothing but its own organisation, and no limits on attempts."""
    limiter.enabled = False
    yield installed
    limiter.reset()
    clear(installed)


def clear(app: APIFlask) -> None:
    """Leave nothing but the installation's own organisation, as it was installed."""
    organisations = Base.metadata.tables["organisations"]
    others = organisations.c.is_default.is_not(True)
    with app.app_context(), db.engine.begin() as connection:
        connection.execute(organisations.update().values(settings=installation.OPEN, time_zone="UTC", is_active=True))
        for table, used in zip(TABLES, connection.execute(USED).one(), strict=True):
            if used:
                connection.execute(table.delete().where(others) if table is organisations else table.delete())


@pytest.fixture
def once(installed: APIFlask) -> None:
    """On SQLite alone: what the test is about is the same on every database."""
    if installed.config["SQLALCHEMY_DATABASE_URI"].get_backend_name() != "sqlite":
        pytest.skip("it is the same on every database")


@pytest.fixture
def cast(app: APIFlask) -> Cast:
    return Cast(app)


@pytest.fixture
def nobody(cast: Cast) -> Person:
    return cast.nobody


@pytest.fixture
def teacher(cast: Cast) -> Person:
    return cast.teacher(first_name="Mary", last_name="Somerville")


@pytest.fixture
def student(cast: Cast) -> Person:
    return cast.student(first_name="Ada", last_name="Lovelace")
