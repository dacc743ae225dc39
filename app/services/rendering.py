"""What is mailed, put into the reader's language from `templates/mail`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template, select_autoescape

from app.services.languages import FILTERS, Formats, is_right_to_left, translator

SUBJECT = 400
"""Characters of a subject."""


@dataclass(frozen=True, slots=True)
class Wording:
    """html: a whole document."""

    subject: str
    text: str
    html: str


def rendered(template: str, values: Mapping[str, Any], formats: Formats) -> Wording:
    """`<template>.txt`, which begins with `Subject: ...`, and `<template>.html`, with these values.

    Raises:
        jinja2.TemplateError: there is no such template, or it needs a value that is missing.
    """
    given = {**values, "formats": formats}
    # the subject is rendered by itself, so that no value ends its line
    subject, text = (part.render(given) for part in _parts(f"{template}.txt", formats.language))
    html = _environment(formats.language).get_template(f"{template}.html").render(given)
    return Wording(in_one_line(subject.removeprefix("Subject:")), text, html)


def html_of(text: str, values: Mapping[str, Any], formats: Formats) -> str:
    """Text as a document, with its lines as they are; nothing in it is markup."""
    template = _environment(formats.language).get_template("notification.html")
    return template.render({**values, "text": text, "formats": formats})


def in_one_line(subject: str) -> str:
    return " ".join(subject.split())[:SUBJECT]


@cache
def _environment(language: str) -> Environment:
    made = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "templates" / "mail"),
        autoescape=select_autoescape(["html"], default_for_string=False),
        undefined=StrictUndefined,
        extensions=["jinja2.ext.i18n"],
    )
    made.install_gettext_translations(translator(language), newstyle=True)  # type: ignore[attr-defined]
    made.filters |= FILTERS
    made.globals |= {"language": language, "direction": "rtl" if is_right_to_left(language) else "ltr"}
    return made


@cache
def _parts(name: str, language: str) -> list[Template]:
    """Read once: to compile them takes longer than to render them."""
    environment = _environment(language)
    assert environment.loader  # noqa: S101 - given above
    source, _, _ = environment.loader.get_source(environment, name)
    return [environment.from_string(part) for part in source.split("\n", 1)]
