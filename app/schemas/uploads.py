"""Files in a body: in JSON as text, in multipart/form-data as they are."""

from __future__ import annotations

import base64
import binascii
from typing import Annotated, Any

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema
from werkzeug.datastructures import FileStorage

from app.schemas.base import In


class Upload(In):
    """A body with files: JSON, or multipart/form-data with each of them as a file."""


def _file(value: Any) -> bytes:
    """The file's bytes: an uploaded one's, or those of a data URL or bare base64.

    What is not base64 is kept as it is: who reads the file then says that it is none.
    """
    if isinstance(value, FileStorage):
        return bytes(value.read())
    if not isinstance(value, str):
        raise ValueError("send it as a data URL, as base64, or as a file")  # noqa: TRY004 - pydantic's way
    _, _, encoded = value.rpartition(",") if value.startswith("data:") else ("", "", value)
    try:
        return base64.b64decode("".join(encoded.split()), validate=True)
    except (binascii.Error, ValueError):
        return value.encode()


FileBytes = Annotated[
    bytes,
    BeforeValidator(_file),
    PlainSerializer(lambda file: base64.b64encode(file).decode(), when_used="json"),  # as it is read again
    WithJsonSchema({"type": "string", "description": "A file as a data URL or base64", "examples": ["bmFtZQ=="]}),
]
