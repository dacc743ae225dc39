"""What every call has in common: spellings, errors, request ids, logs, a database that is gone."""

from __future__ import annotations

import io
import json
import logging
import uuid
from typing import Any

import pytest
from sqlalchemy import create_engine
from sqlalchemy.exc import OperationalError

from app import create_app, logs
from app.api.aliases import ALIASES, canonical_path
from app.extensions import db
from app.services import classes
from tests.conftest import Cast, Person, settings_for
from tests.factories import PASSWORD


@pytest.mark.parametrize(
    "path", ["/api/auth/profile", "/auth/profile", "/api/auth/profile/", "/auth/profile/", "/auth/me/"]
)
def test_a_call_answers_under_api_and_at_the_root_with_and_without_a_slash(student: Person, path: str) -> None:
    answer = student.get(path)
    assert (answer.status_code, answer.json["id"]) == (200, str(student.id))


@pytest.mark.parametrize(("method", "spelling", "canonical"), ALIASES)
def test_each_alias_leads_to_a_call_that_is_there(cast: Cast, method: str, spelling: str, canonical: str) -> None:
    document: Any = cast.nobody.get("/api/openapi.json").json
    paths = {path.replace("{session_id}", "{id}"): operations for path, operations in document["paths"].items()}
    assert method.lower() in paths[f"/api{canonical}"]
    assert canonical_path(method, spelling.replace("{id}", "7")) == "/api" + canonical.replace("{id}", "7")


def test_fields_are_understood_in_camel_case_and_answered_in_snake_case(nobody: Person) -> None:
    body = {"email": "a@b.org", "password": PASSWORD, "firstName": "Ada", "lastName": "King", "role": "student"}
    answer = nobody.post("/auth/signup", body)
    assert (answer.status_code, answer.json["first_name"], answer.json["last_name"]) == (201, "Ada", "King")


def test_every_error_is_problem_json_with_a_stable_code(cast: Cast, nobody: Person, teacher: Person) -> None:
    missing = "/api/classes/01935c1e-8f00-7000-8000-000000000001"
    answers = {
        "bad_request": teacher.post("/api/classes/create", data="{", headers={"Content-Type": "application/json"}),
        "token_missing": nobody.get("/api/auth/profile"),
        "role_not_allowed": teacher.post("/api/classes/join", {"join_code": "AAAAAA"}),
        "not_found": teacher.get(missing),
        "method_not_allowed": nobody.delete("/api/auth/login"),
        "invalid_input": teacher.post("/api/classes/create", {}),
    }
    for code, answer in answers.items():
        body = answer.json
        assert answer.mimetype == "application/problem+json"
        assert (body["code"], body["status"]) == (code, answer.status_code)
        assert body["error"] == body["detail"]
        assert body["type"].endswith(code)
        assert body["title"]
        assert body["request_id"] == answer.headers["X-Request-ID"]
    assert answers["method_not_allowed"].headers["Allow"]
    assert nobody.get("/api/no/such/call").json["code"] == "not_found"


@pytest.mark.parametrize("body", ["[]", '"text"', "1", '{"name": null}', '{"name": "a\\u0000b"}', '{"name": ["x"]}'])
def test_a_body_of_another_shape_is_named_and_never_a_500(teacher: Person, body: str) -> None:
    answer = teacher.post("/api/classes/create", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")
    assert answer.json["errors"].keys() <= {"name", "body"}


@pytest.mark.parametrize("body", ["{", "", "null", "[" * 100_000, '{"name": NaN}', b"\xff\xfe{"])
def test_what_is_not_json_is_a_400_that_says_so(teacher: Person, body: Any) -> None:
    answer = teacher.post("/api/classes/create", data=body, headers={"Content-Type": "application/json"})
    assert (answer.status_code, answer.json["code"]) == (400, "bad_request")
    assert "JSON" in answer.json["detail"]


@pytest.mark.parametrize("name", ["数学", "Ω≈ç√", "🎓" * 100, "x" * 200, "'; DROP TABLE classes; --", "<b>bold</b>"])
def test_text_of_every_script_comes_back_as_it_was(teacher: Person, name: str) -> None:
    assert teacher.post("/api/classes/create", {"name": f"  {name} "}).json["name"] == name


@pytest.mark.parametrize(
    ("sent", "kept"), [("phone-12345678", True), ("x" * 65, False), ("a b;d{e}f", False), ("", False)]
)
def test_a_clients_request_id_is_kept_where_it_is_harmless(nobody: Person, sent: str, kept: bool) -> None:
    answered = nobody.get("/health", headers={"X-Request-ID": sent}).headers["X-Request-ID"]
    assert (answered == sent) is kept
    assert len(answered) >= 8


@pytest.mark.parametrize("path", ["/api/classes/create", "/auth/me", "/session/1d7b0a52/attendance"])
def test_another_site_may_call_from_the_browser(nobody: Person, path: str) -> None:
    asked = {"Origin": "https://spa.example", "Access-Control-Request-Method": "GET"}
    preflight = nobody.call("OPTIONS", path.replace("1d7b0a52", str(uuid.uuid4())), headers=asked)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] in {"*", "https://spa.example"}


def test_a_request_larger_than_the_server_takes_is_413(tmp_path: Any, cast: Cast, student: Person) -> None:
    cast.app.config["MAX_CONTENT_LENGTH"] = 1000
    try:
        answer = student.put("/api/auth/profile", {"avatar": "x" * 2000})
    finally:
        cast.app.config["MAX_CONTENT_LENGTH"] = 64_000_000
    assert (answer.status_code, answer.json["status"]) == (413, 413)


def test_an_unexpected_failure_is_logged_and_tells_nothing(
    teacher: Person, monkeypatch: pytest.MonkeyPatch, lines: io.StringIO
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(classes, "create_class", fail)
    answer = teacher.post("/api/classes/create", {"name": "Maths"})
    assert (answer.status_code, answer.json["code"]) == (500, "internal_server_error")
    assert "secret of the house" not in answer.text
    (logged,) = [line for line in written(lines) if line["event"] == "unexpected_failure"]
    assert (logged["request_id"], "secret of the house" in logged["exception"]) == (answer.json["request_id"], True)


def test_half_of_a_failed_call_is_never_saved(teacher: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(classes, "_read", fail)
    assert teacher.post("/api/classes/create", {"name": "Maths"}).status_code == 500
    monkeypatch.undo()
    assert teacher.get("/api/classes/my-classes").json["total"] == 0


@pytest.fixture
def lines() -> Any:
    stream = io.StringIO()
    logs.configure("INFO", stream)
    yield stream
    logs.configure("WARNING")


def written(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def test_each_request_is_one_line_without_secrets(student: Person, lines: io.StringIO) -> None:
    student.post("/api/auth/login?password=in-the-query", {"email": student.email, "password": PASSWORD})
    profile = student.get("/api/auth/profile")
    signed_in, read = [line for line in written(lines) if line["event"] == "request"]
    assert (signed_in["method"], signed_in["path"], signed_in["status"]) == ("POST", "/api/auth/login", 200)
    assert (read["user_id"], read["request_id"]) == (str(student.id), profile.headers["X-Request-ID"])
    assert read["ms"] >= 0
    for secret in (PASSWORD, "in-the-query", student.email, str(student.token)):
        assert secret not in lines.getvalue()


def test_health_tells_each_part(nobody: Person) -> None:
    answer = nobody.get("/health")
    assert (answer.status_code, answer.json["status"], answer.json["version"]) == (200, "ok", "0.1.0")
    assert answer.json["parts"] == {"database": "ok", "limits": "ok", "faces": "ok"}
    assert answer.json["uptime_seconds"] >= 0


def test_health_without_limits(tmp_path: Any) -> None:
    nobody = Person(create_app(settings_for(tmp_path, ratelimit_enabled=False)).test_client())
    assert (nobody.get("/health").status_code, nobody.get("/health").json["parts"]["limits"]) == (200, "ok")


@pytest.mark.parametrize(
    "url",
    ["postgresql://nobody@127.0.0.1:1/gone", "mysql://nobody@127.0.0.1:1/gone", "sqlite:////no/such/folder/gone.db"],
)
def test_without_its_database_the_installation_says_so_everywhere(tmp_path: Any, url: str) -> None:
    nobody = Person(create_app(settings_for(tmp_path, database_url=url)).test_client())
    health = nobody.get("/health")
    assert (health.status_code, health.json["status"]) == (503, "unavailable")
    assert health.json["parts"]["database"] == "unavailable"
    answer = nobody.post("/auth/login", {"email": "a@b.org", "password": PASSWORD})
    assert (answer.status_code, answer.json["code"]) == (503, "database_unavailable")
    assert answer.headers["Retry-After"]
    assert "127.0.0.1" not in answer.text


def test_a_lost_connection_is_replaced(cast: Cast, student: Person) -> None:
    """As after a restart of the database: the next call works."""
    with cast.app.app_context():
        if db.engine.dialect.name == "sqlite":
            db.engine.dispose()
        else:
            killer = create_engine(db.engine.url)
            kill_all(killer)
            killer.dispose()
    assert student.get("/api/auth/profile").status_code == 200


def kill_all(engine: Any) -> None:
    with engine.connect() as connection:
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            return
        rows = connection.exec_driver_sql(
            "SELECT id FROM information_schema.processlist WHERE db = database() AND id <> connection_id()"
        )
        for (id_,) in rows.all():
            try:
                connection.exec_driver_sql(f"KILL {id_}")
            except OperationalError:
                logging.getLogger(__name__).info("gone already")
