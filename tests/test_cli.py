"""The administrator's commands."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import func, select

from app.extensions import db, settings
from app.models import Class, Enrolment, Organisation, Record, Role, Session, User
from tests.conftest import Cast, Person, clear
from tests.factories import PASSWORD


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
