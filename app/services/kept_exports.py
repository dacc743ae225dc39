"""Exports that take long: written as a job, kept encrypted in the database where each server finds them, for a day."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import delete

from app import clock
from app.extensions import db, settings
from app.models import EventKind, Export, ExportPart
from app.services import jobs
from app.services.caller import Caller
from app.services.errors import NotFound
from app.services.events import happened
from app.services.export import Wanted, Write, as_csv, as_json, count, require_known
from app.services.export_ed_fi import as_ed_fi
from app.services.export_xlsx import as_xlsx
from app.services.transaction import release, transaction
from app.services.vault import seal, unseal

KEPT = timedelta(days=1)
PART = 4 * 2**20
"""Bytes of a file in one row."""


class Format(StrEnum):
    CSV = "csv"
    JSON = "json"
    XLSX = "xlsx"
    ED_FI = "ed-fi"


@dataclass(frozen=True, slots=True)
class Kind:
    """How a format is written, and what its files are."""

    write: Write
    media_type: str
    suffix: str


KINDS = {
    Format.CSV: Kind(as_csv, "text/csv", "csv"),
    Format.JSON: Kind(as_json, "application/json", "json"),
    Format.XLSX: Kind(as_xlsx, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", "xlsx"),
    Format.ED_FI: Kind(as_ed_fi, "application/x-ndjson", "ndjson"),
}


@dataclass(frozen=True, slots=True)
class Download:
    """A file that is written, or read, as it is sent."""

    name: str
    media_type: str
    content: Iterator[bytes]


def write(caller: Caller, form: Format, wanted: Wanted) -> Download:
    """The records that fit as a file. Raises NotFound for what the filters name and is not there."""
    require_known(caller, wanted.filters)
    kind = KINDS[form]
    return Download(_name(wanted, kind), kind.media_type, kind.write(caller, wanted))


def make(caller: Caller, form: Format, wanted: Wanted) -> Export:
    """Within a job: write the records that fit to a file that is kept for a day; the row that stands for it.

    Raises NotFound for what the filters name and is not there.
    """
    require_known(caller, wanted.filters)
    total, done = count(caller, wanted), 0

    def progress(rows: int) -> None:
        nonlocal done
        done += rows
        jobs.report(done, max(done, total))  # some may be added meanwhile

    row = _begin(caller, form, wanted)
    size = 0
    for number, part in enumerate(_parts(KINDS[form].write(caller, replace(wanted, progress=progress)))):
        _add(caller, row.id, number, seal(part))
        size += len(part)
    return _finish(caller, row.id, done, size)


def read(caller: Caller, export_id: uuid.UUID) -> Download:
    """A file that the caller has had made, part by part. Raises NotFound, also once it has expired."""
    row = caller.get(Export, export_id)
    if row.user_id != caller.user_id or row.size is None or row.expires_at <= clock.now():
        raise NotFound("There is no export with this id")
    return Download(_name_of(row), KINDS[Format(row.format)].media_type, _content(caller, row.id))


@transaction
def remove_expired() -> None:
    gone = delete(Export).where(Export.expires_at <= clock.now())
    db.session.execute(gone.execution_options(audited=False, synchronize_session=False))


@transaction
def _begin(caller: Caller, form: Format, wanted: Wanted) -> Export:
    row = Export(
        organisation_id=caller.organisation_id,
        user_id=caller.user_id,
        format=form.value,
        wanted=_told(wanted),
        expires_at=clock.now() + KEPT,
    )
    db.session.add(row)
    db.session.flush()
    return row


@transaction
def _add(caller: Caller, export_id: uuid.UUID, number: int, sealed: bytes) -> None:
    part = {"organisation_id": caller.organisation_id, "export_id": export_id, "number": number, "sealed": sealed}
    db.session.add(ExportPart(**part))
    db.session.flush()


@transaction
def _finish(caller: Caller, export_id: uuid.UUID, rows: int, size: int) -> Export:
    row = caller.get(Export, export_id)
    row.rows, row.size, row.expires_at = rows, size, clock.now() + KEPT
    url = f"{settings().public_url}/api/reports/exports/{row.id}"
    to, what = str(row.user_id), _name_of(row)
    happened(caller.organisation_id, EventKind.REPORT_READY, row.id, user_id=to, report=what, url=url)
    db.session.flush()
    return row


def _content(caller: Caller, export_id: uuid.UUID) -> Iterator[bytes]:
    """A statement for each part: all together they are too much to hold."""
    parts, number = caller.rows(ExportPart, ExportPart.sealed).where(ExportPart.export_id == export_id), 0
    while (sealed := db.session.scalar(parts.where(ExportPart.number == number))) is not None:
        release()
        yield unseal(sealed)
        number += 1


def _parts(pieces: Iterator[bytes]) -> Iterator[bytes]:
    held = bytearray()
    for piece in pieces:
        held += piece
        while len(held) >= PART:
            yield bytes(held[:PART])
            del held[:PART]
    if held:
        yield bytes(held)


def _told(wanted: Wanted) -> dict[str, Any]:
    """The filters that were given, as JSON."""
    filters = wanted.filters
    named = ("class_id", "subject_id", "student_id", "teacher_id", "department", "year", "section", "basis")
    given = {name: getattr(filters, name) for name in named} | {"status": wanted.status}
    given |= {"first": filters.days.first, "last": filters.days.last}
    return {name: str(value) for name, value in given.items() if value is not None}


def _name(wanted: Wanted, kind: Kind) -> str:
    return _file_name(wanted.filters.days.first, wanted.filters.days.last, kind)


def _name_of(row: Export) -> str:
    return _file_name(row.wanted.get("first"), row.wanted.get("last"), KINDS[Format(row.format)])


def _file_name(first: date | str | None, last: date | str | None, kind: Kind) -> str:
    return f"attendance-{first}-{last}.{kind.suffix}"
