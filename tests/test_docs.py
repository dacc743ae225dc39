"""The documents say what the program does."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel

from app.services.organisation_settings import OrganisationSettings
from config import ROOT

HEADING = """# An organisation's settings

Read with `GET /api/admin/organizations/{id}`, changed with `PUT` to the same address, for example
`{"settings": {"grace": 5, "registration": {"rule": "closed"}}}`: what is not sent stays as it is. What makes no sense
(alone, or beside what stays) is refused, by name.

| setting | default | meaning |
| --- | --- | --- |
"""


def settings_table() -> str:
    """The document, as the settings themselves have it."""
    rows = (f"| `{name}` | {default} | {meaning} |\n" for name, default, meaning in described(OrganisationSettings, ""))
    return HEADING + "".join(rows)


def described(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, str, str]]:
    for name, field in model.model_fields.items():
        default: Any = field.get_default(call_default_factory=True)
        if isinstance(default, BaseModel):
            yield from described(type(default), f"{prefix}{name}.")
        else:
            shown = default if not isinstance(default, list) else ", ".join(map(str, default)) or "none"
            yield f"{prefix}{name}", "none" if shown is None else str(shown), str(field.description)


def test_every_setting_of_an_organisation_is_described_with_its_default() -> None:
    assert (ROOT / "docs" / "organisation-settings.md").read_text() == settings_table()
    assert "None" not in settings_table()
