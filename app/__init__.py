"""Rollcall: attendance for schools, universities and workplaces."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:  # the processes that read pictures import this package too, and need nothing of it
    from apiflask import APIFlask

    from config import Settings


def create_app(settings: Settings | None = None) -> APIFlask:
    """Put the parts together; settings come from the environment unless given."""
    from app import assembly  # noqa: PLC0415
    from config import Settings  # noqa: PLC0415

    return assembly.assemble(settings or Settings())
