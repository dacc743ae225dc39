"""Templates of who must not be trusted with more than words: text, `{{ name }}`, `{{ name|filter }}` and `{% if %}`
with comparisons.

Whatever else Jinja has is refused before it is compiled: so no template reaches an attribute, repeats anything or
builds up what is large. The sandbox in which it is rendered is the second wall.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, Template, TemplateSyntaxError, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from app.services.languages import FILTERS

LONGEST = 5_000
"""Characters of a template."""
LONGEST_RESULT = 20_000
"""Characters of what it becomes."""
DEEPEST = 20
"""Conditions and brackets within each other."""
OPERATORS = {"eq", "ne", "lt", "lteq", "gt", "gteq"}
USABLE = {name: FILTERS[name] for name in ("date", "datetime", "number", "percent", "time")}
WORDS = {
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Filter, nodes.If, nodes.Compare, nodes.Operand,
    nodes.Const, nodes.And, nodes.Or, nodes.Not,
}  # fmt: skip

_environment = ImmutableSandboxedEnvironment(autoescape=False, undefined=StrictUndefined, optimized=False)
_environment.globals = {}
_environment.filters = dict(USABLE)
_environment.tests = {}


class Unsafe(Exception):
    """Why a template is not used. line: counted from 1; None where it is no line's fault."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason if line is None else f"Line {line}: {reason}")
        self.line = line


def check(source: str, names: Collection[str]) -> None:
    """Raises Unsafe: it is too long, wrong, or uses more than these names."""
    if len(source) > LONGEST:
        raise Unsafe(f"a template has at most {LONGEST} characters")
    try:
        _check(_environment.parse(source), names, 1, 0)
        _compiled(source)
    except TemplateSyntaxError as wrong:
        raise Unsafe(str(wrong.message), wrong.lineno) from wrong
    except (RecursionError, MemoryError, SyntaxError, ValueError) as unreadable:
        raise Unsafe("it is nested too deeply, or has a number of too many digits") from unreadable


def _check(node: nodes.Node, names: Collection[str], line: int, depth: int) -> None:
    line = node.lineno or line
    if type(node) not in WORDS:
        raise Unsafe(f"{type(node).__name__.lower()} cannot be used in a template", line)
    if depth > DEEPEST:
        raise Unsafe("it is nested too deeply", line)
    if reason := _wrong(node, names):
        raise Unsafe(reason, line)
    for child in node.iter_child_nodes():
        _check(child, names, line, depth + 1)


def _wrong(node: nodes.Node, names: Collection[str]) -> str | None:
    match node:
        case nodes.Name(name=name) if name not in names:
            return f"there is no {name}; there are {', '.join(sorted(names))}"
        case nodes.Filter(name=name) if name not in USABLE:
            return f"there is no filter {name}; there are {', '.join(USABLE)}"
        case nodes.Filter(args=args, kwargs=kwargs) if args or kwargs:
            return "filters take nothing in brackets"
        case nodes.Operand(op=op) if op not in OPERATORS:
            return "compare with ==, !=, <, <=, > or >="
        case nodes.Const(value=float(number)) if not math.isfinite(number):
            return "there is no such number"
    return None


def render(source: str, values: Mapping[str, Any]) -> str:
    """A template that was checked, with its names and `formats`.

    Raises:
        Unsafe: the result is too long.
        Exception: whatever a value does that is none of what the template takes it for.
    """
    said = ""
    for part in _compiled(source).generate(values):
        said += part
        if len(said) > LONGEST_RESULT:
            raise Unsafe(f"what it becomes has more than {LONGEST_RESULT} characters")
    return said


@lru_cache(maxsize=512)
def _compiled(source: str) -> Template:
    return _environment.from_string(source)
