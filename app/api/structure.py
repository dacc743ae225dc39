"""Departments, subjects, terms and holidays: everybody sees them, administrators keep them."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any, NamedTuple

from apiflask import APIBlueprint

from app.api.openapi import refuses
from app.api.policy import ADMIN, ANYONE, caller, who_may
from app.models import Department, Holiday, Subject, Term
from app.schemas import structure as schemas
from app.schemas.base import Message
from app.services import errors, outside
from app.services import structure as service
from app.services.structure import HolidayImport

structure = APIBlueprint("structure", __name__, tag="Departments, subjects, terms, holidays")

SAVING = (errors.NotFound, errors.NameTaken, errors.DatesRefused, errors.NotATeacher)


class Kind(NamedTuple):
    """One of the four, and its shapes."""

    model: type[Any]
    one: str
    list_in: Any
    create_in: Any
    change_in: Any
    out: Any
    page_out: Any


KINDS = (
    Kind(Department, "department", schemas.StructureListIn, schemas.DepartmentIn, schemas.DepartmentChangeIn,
         schemas.DepartmentOut, schemas.DepartmentPageOut),
    Kind(Subject, "subject", schemas.StructureListIn, schemas.SubjectIn, schemas.SubjectChangeIn,
         schemas.SubjectOut, schemas.SubjectPageOut),
    Kind(Term, "term", schemas.StructureListIn, schemas.TermIn, schemas.TermChangeIn, schemas.TermOut,
         schemas.TermPageOut),
    Kind(Holiday, "holiday", schemas.HolidayListIn, schemas.HolidayIn, schemas.HolidayChangeIn, schemas.HolidayOut,
         schemas.HolidayPageOut),
)  # fmt: skip


def _register(kind: Kind) -> None:
    """The five calls of one kind."""
    model, one = kind.model, kind.one
    many, row = f"/{one}s", f"/{one}s/<uuid:{one}_id>"

    @_route(structure.get, many, f"list_{one}s", f"The organisation's {one}s")
    @who_may(ANYONE)
    @structure.input(kind.list_in, location="query")
    @structure.output(kind.page_out)
    def list_rows(query_data: Any) -> Any:
        return service.list_rows(caller(), model, query_data.search, query_data.paging)

    @_route(structure.post, many, f"create_{one}", f"Create a {one}")
    @who_may(ADMIN)
    @refuses(*SAVING)
    @structure.input(kind.create_in)
    @structure.output(kind.out, status_code=201)
    def create(json_data: Any) -> Any:
        return service.create_row(caller(), model, json_data.model_dump(exclude_unset=True))

    @_route(structure.get, row, f"read_{one}", f"A {one}")
    @who_may(ANYONE)
    @structure.output(kind.out)
    def read(**ids: uuid.UUID) -> Any:
        return service.read_row(caller(), model, ids[f"{one}_id"])

    @_route(structure.put, row, f"change_{one}", f"Change a {one}")
    @who_may(ADMIN)
    @refuses(*SAVING)
    @structure.input(kind.change_in)
    @structure.output(kind.out)
    def change(json_data: Any, **ids: uuid.UUID) -> Any:
        return service.change_row(caller(), model, ids[f"{one}_id"], json_data.changes())

    @_route(structure.delete, row, f"remove_{one}", f"Remove a {one} that nothing refers to")
    @who_may(ADMIN)
    @refuses(errors.InUse)
    @structure.output(Message)
    def remove(**ids: uuid.UUID) -> dict[str, str]:
        service.remove_row(caller(), model, ids[f"{one}_id"])
        return {"message": f"The {one} is gone"}


def _route(method: Any, path: str, name: str, says: str) -> Callable[[Any], Any]:
    """Routes by the method, under a name and a sentence of its own for each kind."""

    def declare(view: Any) -> Any:
        view.__name__, view.__doc__ = name, says
        return method(path, endpoint=name)(view)

    return declare


for _kind in KINDS:
    _register(_kind)


@structure.post("/holidays/import")
@who_may(ADMIN)
@refuses(errors.UnreadableFile, errors.AddressRefused, errors.ChangedMeanwhile)
@structure.input(schemas.CalendarIn)
@structure.output(schemas.HolidayImportOut)
def import_holidays(json_data: schemas.CalendarIn) -> HolidayImport:
    """Import holidays from an iCalendar file, as text or from an address; a second time changes nothing"""
    calendar = outside.request("GET", json_data.url) if json_data.url else (json_data.calendar or "").encode()
    return service.import_holidays(caller(), calendar)
