"""Walls: what one may not do, one cannot do, on every route there is, without anybody thinking of it.

The routes, their policies and their bodies are read from the application itself; rows of another organisation are made
from the models. A new route or model is covered by being there.
"""

from __future__ import annotations

import re
import uuid
from datetime import timedelta
from typing import Any, NamedTuple

import pytest
from apiflask import APIFlask
from flask_jwt_extended import create_access_token
from sqlalchemy import select
from werkzeug.routing import Rule

from app import create_app
from app.api.policy import GATE, PUBLIC
from app.extensions import db
from app.models import Base, Role, SignIn
from app.services.caller import Device
from tests.conftest import Cast, Person, settings_for
from tests.factories import make, models

BODIES: dict[str, dict[str, Any]] = {
    "/api/students": {"name": "Ada", "gender": "female"},
    "/api/attendance": {"status": "present"},
    "/api/admin/sessions": {"subject_id": None, "department_id": None},
    "/api/admin/timetables": {"subject_id": None, "department_id": None, "minutes": 60},
    "/api/admin/users": {"name": "Annabella", "role": "parent"},
    "/api/admin/users/teachers": {"name": "Mary"},
    "/api/admin/users/parents": {"name": "Annabella"},
}
"""What it takes beside the document's required fields for ids to be looked at."""
ITEM_BY_ITEM = {"/api/attendance/sync"}
"""What answers 200 and says of each item whether there is such a thing."""
NO_IDS = {"kind", "language"}
"""Parameters of paths that name no row."""
PATH_PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")


class Call(NamedTuple):
    method: str
    rule: str
    policy: frozenset[Role | Device]


def calls(app: APIFlask) -> list[Call]:
    rules: list[Rule] = [rule for rule in app.url_map.iter_rules() if "swagger_ui" not in rule.endpoint]
    views: dict[str, Any] = app.view_functions
    return [
        Call(method, rule.rule, views[rule.endpoint].policy)
        for rule in rules
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
    ]


@pytest.fixture(scope="module")
def guarded(installed: APIFlask) -> list[Call]:
    return [call for call in calls(installed) if call.policy != PUBLIC]


def path(call: Call, ids: dict[str, uuid.UUID] | None = None) -> str:
    return PATH_PARAMETER.sub(lambda found: str((ids or {}).get(found[1], uuid.uuid4())), call.rule)


def test_every_route_declares_who_may(installed: APIFlask) -> None:
    undeclared = [
        r.rule for r in installed.url_map.iter_rules() if not hasattr(installed.view_functions[r.endpoint], "policy")
    ]
    assert undeclared == []


def test_a_route_that_declares_nothing_does_not_exist(tmp_path: Any) -> None:
    app = create_app(settings_for(tmp_path))
    app.add_url_rule("/api/forgotten", view_func=lambda: "secret")
    answer = app.test_client().get("/api/forgotten")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")  # type: ignore[index]


def test_only_these_calls_are_public(installed: APIFlask) -> None:
    public = {f"{call.method} {call.rule}" for call in calls(installed) if call.policy == PUBLIC}
    assert public == {
        "POST /api/auth/register",
        "POST /api/auth/login",
        "POST /api/auth/refresh",
        "POST /api/auth/forgot-password",
        "POST /api/auth/reset-password",
        "POST /api/auth/confirm-email",
        "POST /api/auth/accept-invitation",
        "GET /api/auth/single-sign-on/<uuid:organisation_id>",
        "GET /api/auth/single-sign-on/<uuid:organisation_id>/callback",
        "GET /api/calendar/<token>.ics",
        "GET /api/health",
        "GET /api/links/<kind>",
        "GET /api/setup",
        "POST /api/setup",
        "GET /api",
        "GET /api/openapi.json",
    }


@pytest.mark.usefixtures("once")
def test_without_a_token_nothing_opens(guarded: list[Call], nobody: Person) -> None:
    answers = {call: nobody.call(call.method, path(call)) for call in guarded}
    assert {(a.status_code, a.json["code"]) for a in answers.values()} == {(401, "token_missing")}
    assert {a.headers["WWW-Authenticate"] for a in answers.values()} == {"Bearer"}


@pytest.mark.usefixtures("once")
def test_an_expired_token_opens_nothing(guarded: list[Call], cast: Cast) -> None:
    person = cast.teacher()
    with cast.app.app_context():
        sign_in = db.session.scalars(select(SignIn.id).where(SignIn.user_id == person.id)).one()
        claims = {"sid": str(sign_in)}
        person.token = create_access_token(
            str(person.id), additional_claims=claims, expires_delta=timedelta(seconds=-1)
        )
    answers = [person.call(call.method, path(call)) for call in guarded]
    assert {(a.status_code, a.json["code"]) for a in answers} == {(401, "token_expired")}


@pytest.mark.usefixtures("once")
def test_a_revoked_token_opens_nothing(guarded: list[Call], cast: Cast) -> None:
    person = cast.teacher()
    person.post("/api/auth/logout")
    answers = [person.call(call.method, path(call)) for call in guarded]
    assert {(a.status_code, a.json["code"]) for a in answers} == {(401, "token_revoked")}


def at_a_gate(cast: Cast) -> tuple[Person, Person, str]:
    """An administrator, the gate that they have added, and its id."""
    admin = cast.person(Role.ADMIN)
    made = admin.post("/api/gates", {"name": "Main entrance"}).json
    return admin, Person(cast.app.test_client(), token=made["key"]), made["id"]


@pytest.mark.usefixtures("once")
def test_a_gates_key_opens_nothing_but_the_gates_calls(guarded: list[Call], cast: Cast) -> None:
    _, gate, _ = at_a_gate(cast)
    answers = {call: gate.call(call.method, path(call)) for call in guarded}
    opened = {call for call, answer in answers.items() if answer.status_code != 403}
    assert opened == {call for call in guarded if call.policy == GATE} != set()
    assert {answers[call].json["code"] for call in answers.keys() - opened} == {"role_not_allowed"}


@pytest.mark.usefixtures("once")
def test_a_gates_revoked_key_opens_nothing(guarded: list[Call], cast: Cast) -> None:
    admin, gate, gate_id = at_a_gate(cast)
    assert admin.post(f"/api/gates/{gate_id}/revoke").status_code == 200
    answers = [gate.call(call.method, path(call)) for call in guarded]
    assert {(a.status_code, a.json["code"]) for a in answers} == {(401, "token_revoked")}


@pytest.mark.usefixtures("once")
@pytest.mark.parametrize("role", list(Role))
def test_a_role_that_is_not_named_opens_nothing(guarded: list[Call], cast: Cast, role: Role) -> None:
    person = cast.person(role)
    refused = [person.call(call.method, path(call)) for call in guarded if role not in call.policy]
    assert {(a.status_code, a.json["code"]) for a in refused} == {(403, "role_not_allowed")}


def foreign_rows(organisation_id: uuid.UUID) -> dict[str, uuid.UUID]:
    """One row of every model in the organisation, by the names that parameters and fields give to their ids."""
    ids: dict[str, uuid.UUID] = {"organisation_id": organisation_id}
    for table, model in models().items():
        kept_by_itself = {"audit_chains", "audit_entries", "galleries"}
        if hasattr(model, "organisation_id") and table not in kept_by_itself:
            row = make(model, organisation_id=organisation_id)
            singular = {"classes": "class", "webhook_deliveries": "webhook_delivery"}.get(
                table, table.removesuffix("s")
            )
            ids[f"{singular}_id"] = row.id
    return ids | {"student_id": ids["user_id"], "teacher_id": ids["user_id"], "id": ids["user_id"]}


def snapshot(organisation_id: uuid.UUID) -> dict[str, list[tuple[Any, ...]]]:
    """Everything that the organisation has."""
    tables = [t for t in Base.metadata.sorted_tables if "organisation_id" in t.columns]
    return {
        t.name: [
            tuple(row)
            for row in db.session.execute(
                select(t).where(t.c.organisation_id == organisation_id).order_by(*t.primary_key)
            )
        ]
        for t in tables
    }


def body_with(ids: dict[str, uuid.UUID], schema: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    """A body that fits the schema, in which every id is one of these."""
    body: dict[str, Any] = {}
    for name, field in schema["properties"].items():
        whole = next((key for key in ids if name == key or name.endswith(f"_{key}")), "")
        if whole.endswith("_id"):
            body[name] = str(ids[whole])
        elif name.endswith("_ids") and name.removesuffix("s") in ids:
            body[name] = [str(ids[name.removesuffix("s")])]
        elif name in schema.get("required", ()):
            items = resolved(field.get("items", {}), schemas)
            body[name] = [body_with(ids, items, schemas)] if "properties" in items else example(field, schemas)
    return body


def flat(value: Any) -> list[Any]:
    """All that stands in a body, at any depth."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [deep for part in inner for deep in flat(part)]


def resolved(field: dict[str, Any], schemas: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in field:
        return field
    named: dict[str, Any] = schemas[field["$ref"].rpartition("/")[2]]
    return named | {k: v for k, v in field.items() if k != "$ref"}


def example(field: dict[str, Any], schemas: dict[str, Any]) -> Any:
    field = resolved(field, schemas)
    if "examples" in field:
        return field["examples"][0]
    if field.get("type") == "array":
        return [example(field["items"], schemas)] * field.get("minItems", 1)
    if "enum" in field:
        return field["enum"][0]
    raise AssertionError(f"give {field} an example: the document needs one, and so does this test")


ON_EVERY_DATABASE = (Role.ADMIN, Role.PARENT)


@pytest.mark.parametrize("role", list(Role))
def test_another_organisations_ids_are_as_good_as_none(guarded: list[Call], cast: Cast, role: Role) -> None:
    """Ids in paths, queries and bodies; the answer must not differ from that for ids that do not exist."""
    if cast.app.config["SQLALCHEMY_DATABASE_URI"].get_backend_name() != "sqlite" and role not in ON_EVERY_DATABASE:
        pytest.skip("what sets this role apart is the same on every database")
    document: Any = cast.nobody.get("/api/openapi.json").json
    schemas = document["components"]["schemas"]
    foreign = cast.other_organisation()
    with cast.app.app_context():
        ids = foreign_rows(foreign)
        before = snapshot(foreign)
    made_up = {name: uuid.uuid4() for name in ids}
    for call in guarded:
        if role not in call.policy or call.rule.startswith("/api/auth/logout"):
            continue
        if role == Role.SUPER_ADMIN and call.rule.startswith("/api/admin/organizations"):
            continue  # who manages the installation sees all its organisations
        operation = document["paths"][PATH_PARAMETER.sub(r"{\1}", call.rule)][call.method.lower()]
        content = operation.get("requestBody", {}).get("content", {})
        answers = []
        for some in (ids, made_up):
            person = cast.person(role)
            schema = schemas[content["application/json"]["schema"]["$ref"].rpartition("/")[2]] if content else None
            body = body_with(some, schema, schemas) | BODIES.get(call.rule, {}) if schema else None
            answers.append(person.call(call.method, path(call, some), body))
        told, control = answers
        names = {found[1] for found in PATH_PARAMETER.finditer(call.rule)} - NO_IDS
        assert names <= ids.keys(), f"{call.rule}: which model does {names - ids.keys()} name?"
        assert told.status_code < 500, (call, told.text)
        if names or set(map(str, made_up.values())) & set(map(str, flat(body))):
            assert (told.status_code, told.json.get("code")) == (control.status_code, control.json.get("code")), call
            if call.rule in ITEM_BY_ITEM:
                assert {item["code"] for item in told.json["items"]} == {"not_found"}, f"{call}: {told.text}"
            else:
                assert told.status_code == 404, f"{call}: {told.text}"
    with cast.app.app_context():
        assert snapshot(foreign) == before
