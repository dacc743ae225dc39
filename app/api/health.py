"""The state of the installation, for people and load balancers."""

from __future__ import annotations

from typing import Any

from apiflask import APIBlueprint

from app.api.policy import PUBLIC, who_may
from app.schemas.health import HealthOut
from app.services import health as service

health = APIBlueprint("health", __name__, tag="Health")


DATABASE_GONE: Any = {
    503: {
        "description": "The database is gone",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/HealthOut"}}},
    }
}


@health.get("/health")
@who_may(PUBLIC)
@health.output(HealthOut)
@health.doc(responses=DATABASE_GONE)
def read_health() -> tuple[service.Health, int]:
    """Whether the installation works, and each part of it"""
    state = service.health()
    return state, 200 if state.status == "ok" else 503
