"""The administrator's commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr
from sqlalchemy import func, select

from app.extensions import db, settings
from app.models import Class, Enrolment, FaceTemplate, Organisation, Record, Role, Session, User
from app.services import vault
from tests.conftest import Cast, Person, clear
from tests.factories import PASSWORD, make


def run(cast: Cast, *arguments: str) -> Any:
    return cast.app.test_cli_runner().invoke(args=arguments)


def create_admin(cast: Cast, email: str, organisation: str, password: str = PASSWORD) -> Any:
    return run(cast, "create-admin", "--email", email, "--password", password, "--organisation", organisation)


def test_the_first_administrator_comes_from_the_command_line(cast: Cast, nobody: Person) -> None:
    made = create_admin(cast, "Head@School.test", "Village School")
    assert (made.exit_code, made.output) == (0, "head@school.test administers Village School\n")
    signed_in = nobody.post("/api/auth/login", {"email": "head@school.test", "password": PASSWORD})
    assert (signed_in.status_code, signed_in.json["user"]["role"]) == (200, "admin")


def test_a_second_administrator_joins_the_organisation_that_is_there(cast: Cast) -> None:
    for email in ("one@school.test", "two@school.test"):
        assert create_admin(cast, email, "Village School").exit_code == 0
    with cast.app.app_context():
        assert db.session.scalar(select(func.count(User.organisation_id.distinct()))) == 1


@pytest.mark.parametrize(
    ("email", "password", "said"),
    [
        ("taken@school.test", PASSWORD, "has registered"),
        ("not an email", PASSWORD, "not an email"),
        ("a@b.c", "x", "8"),
    ],
)
def test_what_cannot_be_made_is_said_and_leaves_nothing(cast: Cast, email: str, password: str, said: str) -> None:
    create_admin(cast, "taken@school.test", "First")
    refused = create_admin(cast, email, "Second", password)
    assert refused.exit_code != 0
    assert said in refused.output
    with cast.app.app_context():
        assert db.session.scalar(select(Organisation.id).where(Organisation.name == "Second")) is None


def demo_school(cast: Cast) -> dict[str, int]:
    with cast.app.app_context():
        models = (Organisation, User, Class, Enrolment, Session, Record)
        return {m.__name__: db.session.scalar(select(func.count()).select_from(m)) or 0 for m in models}


def test_the_demonstration_is_a_school_to_look_around_in(cast: Cast, nobody: Person) -> None:
    made = run(cast, "demo")
    assert made.exit_code == 0, made.output
    counted = demo_school(cast)
    assert counted["Organisation"] == 3
    assert counted["User"] > 150
    assert counted["Record"] > 3000
    assert "teacher@school.example.org" in made.output
    teacher = {"email": "teacher@school.example.org", "password": made.output.rpartition(": ")[2].strip()}
    nobody.token = nobody.post("/api/auth/login", teacher).json["access_token"]
    (room,) = nobody.get("/api/classes/my-classes").json["items"]
    assert (room["student_count"], room["session_count"]) == (24, 30)
    rates = [
        s["counts"]["rate"] for s in nobody.get(f"/api/attendance/sessions/{room['id']}?per_page=100").json["items"]
    ]
    assert 0.8 < sum(rates) / len(rates) < 1
    assert run(cast, "demo").exit_code == 0
    assert demo_school(cast) == counted, "a second time changes nothing"


def test_the_demonstration_is_the_same_every_time(cast: Cast) -> None:
    found = []
    for _ in range(2):
        run(cast, "demo")
        with cast.app.app_context():
            people = select(User.email, User.first_name, User.last_name).where(User.role == Role.STUDENT)
            statuses = Counter(db.session.scalars(select(Record.status)))
            found.append((sorted(map(tuple, db.session.execute(people))), statuses))
        clear(cast.app)
    assert found[0] == found[1]


def test_the_demonstration_stays_out_of_production(cast: Cast) -> None:
    with cast.app.app_context():
        settings().environment = "production"
    try:
        refused = run(cast, "demo")
    finally:
        with cast.app.app_context():
            settings().environment = "development"
    assert (refused.exit_code, "not in production" in refused.output) == (1, True)


@pytest.fixture
def new_key(cast: Cast) -> Iterator[SecretStr]:
    """A newer key than what is kept is sealed with."""
    new = SecretStr(Fernet.generate_key().decode())
    with cast.app.app_context():
        before = settings().face_keys
        settings().face_keys = [new, *before]
        yield new
        settings().face_keys = before


def templates(cast: Cast, student: Person, count: int) -> None:
    with cast.app.app_context():
        old = Fernet(settings().face_keys[-1].get_secret_value())
        for number in range(count):
            sealed = old.encrypt(str(number).encode())
            make(FaceTemplate, organisation_id=student.organisation_id, user_id=student.id, encoding=sealed)


def opened(cast: Cast, key: SecretStr) -> int:
    """How many templates this key opens."""
    with cast.app.app_context():
        kept = db.session.scalars(select(FaceTemplate.encoding)).all()
    return sum(_opens(key, encoding) for encoding in kept)


def _opens(key: SecretStr, encoding: bytes) -> bool:
    try:
        return bool(Fernet(key.get_secret_value()).decrypt(encoding))
    except InvalidToken:
        return False


def test_a_rotation_goes_on_while_people_call_and_holds_a_few_at_once(
    cast: Cast, student: Person, new_key: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who withdraws between two batches can, and what they deleted does not come back."""
    monkeypatch.setattr(vault, "AT_ONCE", 2)
    other = cast.student()
    templates(cast, student, 3)
    templates(cast, other, 2)
    sizes: list[int] = []
    one_batch = vault._rotate_some

    def rotate_some(column: Any, after: Any) -> Any:
        done = one_batch(column, after)
        if done and not sizes:
            assert other.post("/api/face-data/consent", {"accepted": False}).status_code == 200
        sizes.append(len(done))
        return done

    monkeypatch.setattr(vault, "_rotate_some", rotate_some)
    rotated = run(cast, "faces", "rotate-key")
    assert (rotated.exit_code, rotated.output[:16]) == (0, "3 face templates"), rotated.output
    assert (max(sizes), opened(cast, new_key)) == (2, 3)


def test_an_interrupted_rotation_keeps_what_it_did_and_the_next_one_ends_it(
    cast: Cast, student: Person, new_key: SecretStr, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vault, "AT_ONCE", 2)
    templates(cast, student, 5)
    one_batch, batches = vault._rotate_some, iter(range(2))
    with monkeypatch.context() as interrupted:
        interrupted.setattr(vault, "_rotate_some", lambda *which: (next(batches), one_batch(*which))[1])
        assert run(cast, "faces", "rotate-key").exit_code != 0
    assert opened(cast, new_key) == 4
    assert run(cast, "faces", "rotate-key").exit_code == 0
    assert opened(cast, new_key) == 5


def test_what_no_key_opens_is_counted_and_holds_up_nothing(cast: Cast, student: Person, new_key: SecretStr) -> None:
    with cast.app.app_context():
        make(FaceTemplate, organisation_id=student.organisation_id, user_id=student.id, encoding=b"torn")
    templates(cast, student, 1)
    rotated = run(cast, "faces", "rotate-key")
    assert (rotated.exit_code, "opens 1 others" in rotated.output, opened(cast, new_key)) == (1, True, 1)


def test_a_folder_that_cannot_hold_the_models_is_named(
    cast: Cast, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(cast.app.extensions["settings"], "faces_dir", tmp_path / "file" / "faces")
    built = run(cast, "faces", "build")
    assert (built.exit_code, built.output.startswith("Error: The face engine's models cannot be built: ")) == (1, True)
    assert str(tmp_path / "file") in built.output
