"""Files come as JSON or as multipart/form-data: both are read as the same fields."""

from __future__ import annotations

from typing import Any, get_origin

from apiflask import HTTPError
from apiflask.schema_adapters import registry
from apiflask.schema_adapters.pydantic import PydanticAdapter
from flask import Request
from pydantic import BaseModel, ValidationError

from app.schemas.uploads import Upload

MULTIPART = "multipart/form-data"


class UploadAdapter(PydanticAdapter):
    """Reads a multipart body as the JSON object of the same fields, where the schema is an Upload."""

    def validate_input(self, request: Request, location: str, **kwargs: Any) -> BaseModel:
        if not (issubclass(self.model_class, Upload) and request.mimetype == MULTIPART):
            return super().validate_input(request, location, **kwargs)
        try:
            return self.model_class.model_validate(self._fields(request))
        except ValidationError as error:
            by_field = {".".join(map(str, e["loc"])) or "_schema": [e["msg"]] for e in error.errors()}
            raise HTTPError(422, detail={location: by_field}) from error

    def _fields(self, request: Request) -> dict[str, Any]:
        sent: dict[str, list[Any]] = {}
        for name, value in [*request.form.items(multi=True), *request.files.items(multi=True)]:
            sent.setdefault(name, []).append(value)
        lists = {name for name, field in self.model_class.model_fields.items() if get_origin(field.annotation) is list}
        return {name: values if name in lists else values[-1] for name, values in sent.items()}


registry.register("pydantic", UploadAdapter)  # before any route names its schema
