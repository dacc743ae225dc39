"""API keys, for administrators' scripts."""

from __future__ import annotations

import uuid
from typing import Any

from apiflask import APIBlueprint

from app.api.policy import ADMIN, caller, who_may
from app.models import ApiKey
from app.schemas.api_keys import ApiKeyIn, ApiKeyListIn, ApiKeyOut, ApiKeyPageOut, NewApiKeyOut
from app.schemas.base import Message
from app.services import api_keys as service
from app.services.paging import Page

api_keys = APIBlueprint("api_keys", __name__, tag="API keys")


@api_keys.get("/admin/api-keys")
@who_may(ADMIN)
@api_keys.input(ApiKeyListIn, location="query")
@api_keys.output(ApiKeyPageOut)
def list_keys(query_data: ApiKeyListIn) -> Page[ApiKey]:
    """The organisation's API keys, whoever's they are"""
    return service.list_keys(caller(), query_data.paging)


@api_keys.post("/admin/api-keys")
@who_may(ADMIN)
@api_keys.input(ApiKeyIn)
@api_keys.output(NewApiKeyOut, status_code=201)
def create(json_data: ApiKeyIn) -> dict[str, Any]:
    """Create an API key for a script; the key is shown this once"""
    new = service.create(caller(), json_data.name, json_data.scopes, json_data.expires_in_days)
    return ApiKeyOut.model_validate(new.row).model_dump() | {"key": new.key}


@api_keys.delete("/admin/api-keys/<uuid:api_key_id>")
@who_may(ADMIN)
@api_keys.output(Message)
def revoke(api_key_id: uuid.UUID) -> dict[str, str]:
    """Revoke an API key: it stops working at once"""
    service.revoke(caller(), api_key_id)
    return {"message": "The key no longer works"}
