"""Whatever a client may send by the OpenAPI document, or against it: no 5xx, and each answer is as documented."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import booleans
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import negative_data_rejection, positive_data_acceptance

from app import create_app
from app.extensions import limiter
from app.models import Role
from app.services import installation
from tests.conftest import Cast, Nowhere, settings_for
from tests.story import Classroom


@pytest.fixture(scope="module")
def application(tmp_path_factory: pytest.TempPathFactory) -> Any:
    app = create_app(settings_for(tmp_path_factory.mktemp("contract"), face_workers=1))
    app.extensions["backend"] = Nowhere()
    with app.app_context():
        installation.prepare()
    yield app
    app.extensions["face_pool"].close()


@pytest.fixture(scope="module")
def documented(application: Any) -> Any:
    return schemathesis.openapi.from_wsgi("/api/openapi.json", application)


RULES = [positive_data_acceptance]
"""What a rule refuses (a short password, a picture without a face) may well fit the schema."""
PARTS = 6
"""So that each takes half a minute at most."""
EXAMPLES = settings(
    max_examples=3,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.timeout(600)
def test_every_answer_is_as_documented(application: Any, documented: Any, part: int) -> None:
    limiter.enabled = False
    for found in islice(documented.get_all_operations(), part, None, PARTS):
        operation = found.ok()
        check(Cast(application), operation)


def check(cast: Cast, operation: Any) -> None:
    """Call it as an administrator, a teacher and a student of a class, or a gate; with ids made up and ids that are.
    First what is against the document, since what it does not refuse may end the class."""
    room, admin = Classroom.open(cast), cast.person(Role.ADMIN)
    student, ids = room.join("Ada"), {"class_id": room.id, "session_id": room.session()}
    headers = [{"Authorization": f"Bearer {person.token}"} for person in (admin, room.teacher, student)]
    if "gate" in operation.definition.raw.get("x-roles", ()):
        gate = admin.post("/api/gates", {"name": operation.label[:200]}).json
        headers.append({"Authorization": f"Bearer {gate['key']}"})

    takes_something = [*operation.iter_parameters(), *operation.body]
    for mode in (GenerationMode.NEGATIVE, GenerationMode.POSITIVE) if takes_something else (GenerationMode.POSITIVE,):
        call(operation, mode, headers, ids)


def call(operation: Any, mode: GenerationMode, headers: list[dict[str, str]], ids: dict[str, str]) -> None:
    @EXAMPLES
    @given(case=operation.as_strategy(generation_mode=mode), real=booleans())
    def answers_as_documented(case: Any, real: bool) -> None:
        if real and mode is GenerationMode.POSITIVE:
            for place in (case.path_parameters, case.body):
                if isinstance(place, dict):
                    place.update({name: ids[name] for name in place.keys() & ids.keys()})
        for header in headers:
            # a query is text: of which type a value was is lost on the way, so a wrong one may fit after all
            excluded = RULES if operation.body else [*RULES, negative_data_rejection]
            case.call_and_validate(headers=header, excluded_checks=excluded)

    answers_as_documented()
