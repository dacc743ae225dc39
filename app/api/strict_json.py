"""JSON as RFC 8259 has it."""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from flask.json.provider import DefaultJSONProvider

SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]|\xed[\xa0-\xbf]")
"""Half of a character that takes two in UTF-16; alone it is no text that could be kept."""


class StrictJSON(DefaultJSONProvider):
    """Refuses what Python's parser takes and JSON does not have (NaN, Infinity), halves of characters, nothing
    (null), and what is nested beyond reading."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        try:
            found = super().loads(s, parse_constant=_refuse, **kwargs)
            if SURROGATE.search(s if isinstance(s, bytes) else s.encode("utf-8", "surrogatepass")):
                json.dumps(found, ensure_ascii=False).encode()  # a ValueError, where one is alone
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if found is None:  # which would be read as an empty object, that some calls take
            raise ValueError("null says nothing")
        return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")
