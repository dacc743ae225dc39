"""The OpenAPI document, the page that shows it, and that every answer matches it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from app import create_app
from app.services import installation
from tests.conftest import settings_for


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Any:
    app = create_app(settings_for(tmp_path_factory.mktemp("document")))
    with app.app_context():
        installation.prepare()
    return app.test_client()


@pytest.fixture(scope="module")
def document(client: Any) -> Any:
    return client.get("/api/openapi.json").json


def operations(document: Any) -> list[tuple[str, dict[str, Any]]]:
    return [
        (f"{method.upper()} {path}", op)
        for path, methods in document["paths"].items()
        for method, op in methods.items()
    ]


def test_the_document_is_valid_openapi_3_1(document: Any) -> None:
    assert document["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(document).validate()


def test_each_call_documents_its_errors_with_examples(document: Any) -> None:
    for name, operation in operations(document):
        errors = {status: answer for status, answer in operation["responses"].items() if status >= "400"}
        assert "503" in errors, name
        if "security" in operation:
            assert {"401", "403"} <= errors.keys(), name
        if "requestBody" in operation:
            assert {"400", "413", "422"} <= errors.keys(), name
        for answer in errors.values():
            for content in answer["content"].values():
                assert content.get("examples") or "HealthOut" in content["schema"]["$ref"], name


def test_the_document_names_the_codes_of_a_call(document: Any) -> None:
    join = document["paths"]["/api/classes/join"]["post"]["responses"]
    codes = {
        code
        for answer in join.values()
        for content in answer["content"].values()
        for code in content.get("examples", {})
    }
    assert {"unknown_join_code", "already_enrolled", "token_expired", "role_not_allowed", "too_many_requests"} <= codes


def test_fields_have_examples(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert schemas["JoinIn"]["properties"]["join_code"]["examples"] == ["K7PX2M"]
    assert all("." not in name for name in schemas)


def test_pictures_may_come_as_json_or_as_files(document: Any) -> None:
    for path in ("/api/face-data/upload", "/api/face-data/multiple-upload", "/api/attendance/recognize-faces"):
        content = document["paths"][path]["post"]["requestBody"]["content"]
        assert content.keys() == {"application/json", "multipart/form-data"}


def test_the_page_loads_nothing_from_elsewhere(client: Any) -> None:
    page = client.get("/api/docs", follow_redirects=True)
    assert page.status_code == 200
    assert client.get("/", follow_redirects=True).text == page.text
    linked = re.findall(r'(?:src|href)="([^"]+)"', page.text)
    assert linked
    for address in linked:
        assert address.startswith("/api/docs/"), address
        assert client.get(address).status_code == 200, address


def test_the_contracts_calls_are_all_there(document: Any) -> None:
    calls = {re.sub(r"\{\w+\}", "{id}", name) for name, _ in operations(document)}
    assert set(CONTRACT.splitlines()) <= calls


CONTRACT = """\
POST /api/auth/register
POST /api/auth/login
GET /api/auth/profile
PUT /api/auth/profile
POST /api/auth/change-password
POST /api/classes/create
GET /api/classes/my-classes
GET /api/classes/{id}
POST /api/classes/join
POST /api/classes/{id}/leave
PUT /api/classes/{id}/update
POST /api/classes/{id}/regenerate-code
POST /api/face-data/upload
POST /api/face-data/multiple-upload
GET /api/face-data/my-data
DELETE /api/face-data/delete
POST /api/attendance/recognize-faces
POST /api/attendance/create-session
POST /api/attendance/mark-attendance
GET /api/attendance/sessions/{id}
GET /api/attendance/session/{id}/records
GET /api/health"""
