"""Records as XLSX: text stays text, and days, times and numbers are what they are."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any

from openpyxl import Workbook
from openpyxl.cell import WriteOnlyCell
from openpyxl.utils import get_column_letter

from app.extensions import db
from app.models import Class, Session
from app.services.caller import Caller
from app.services.export import COLUMNS, Line, Wanted, fitting, rows
from app.services.transaction import release

MOST_ROWS = 1_048_575
"""Of a sheet, without its header."""
TITLE_LENGTH = 31
"""Of a sheet's name, in UTF-16."""
WITHOUT_CLASS = "No class"
NOT_IN_TITLE = re.compile(r"[\[\]:*?/\\\x00-\x1f]")
NOT_IN_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
WIDTHS = {"date": 11, "session": 24, "class_": 24, "subject": 20, "checked_in": 19, "checked_out": 19, "remarks": 30}
"""In characters; the others are of a column's usual width."""
PIECE = 2**18


def as_xlsx(caller: Caller, wanted: Wanted) -> Iterator[bytes]:
    """A workbook with a sheet of the records, or one for each class; the times are the organisation's, without offset,
    of which spreadsheets know nothing."""
    book = Workbook(write_only=True)
    titles = _Titles()
    if wanted.sheet_per_class:
        for class_id, name in _classes(caller, wanted):
            lines = (line for line, _ in rows(caller, wanted, where=Session.class_id.is_not_distinct_from(class_id)))
            _write(book, titles, WITHOUT_CLASS if class_id is None else name, lines)
    if not book.worksheets:
        _write(book, titles, "Attendance", (line for line, _ in rows(caller, wanted)))
    with tempfile.TemporaryFile() as file:
        book.save(file)
        file.seek(0)
        while piece := file.read(PIECE):
            yield piece


def _classes(caller: Caller, wanted: Wanted) -> list[Any]:
    """Id and name of those that have records; None of the records of no class."""
    query = fitting(caller, wanted, Session.class_id, Class.name).distinct()
    found = db.session.execute(query.order_by(Class.name, Session.class_id)).all()
    release()
    return list(found)


def _write(book: Workbook, titles: _Titles, name: str, lines: Iterable[Line]) -> None:
    """The lines, on as many sheets as they take."""
    sheet, written = _sheet(book, titles.of(name)), 0
    for line in lines:
        if written == MOST_ROWS:
            _end(sheet, written)
            sheet, written = _sheet(book, titles.of(name)), 0
        sheet.append([_cell(sheet, value) for value in line.cells()])
        written += 1
    _end(sheet, written)


def _sheet(book: Workbook, title: str) -> Any:
    sheet = book.create_sheet(title)
    sheet.freeze_panes = "A2"
    for number, name in enumerate(Line.__slots__, 1):
        sheet.column_dimensions[get_column_letter(number)].width = WIDTHS.get(name, 13)
    sheet.append(COLUMNS)
    return sheet


def _end(sheet: Any, written: int) -> None:
    """Each is finished before the next: an open one is an open file."""
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{written + 1}"
    sheet.close()


def _cell(sheet: Any, value: Any) -> Any:
    if isinstance(value, datetime):
        return _formatted(sheet, value.replace(tzinfo=None), "yyyy-mm-dd hh:mm:ss")
    if isinstance(value, date):
        return _formatted(sheet, value, "yyyy-mm-dd")
    if value is None or isinstance(value, float):
        return value
    text = NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", str(value))
    if not text.startswith(("=", "#")):  # those would be a formula, or an error such as #N/A
        return text
    cell = WriteOnlyCell(sheet, text)
    cell.data_type = "s"
    return cell


def _formatted(sheet: Any, value: Any, number_format: str) -> Any:
    cell = WriteOnlyCell(sheet, value)
    cell.number_format = number_format
    return cell


class _Titles:
    """Names for sheets that every spreadsheet takes, each once, whatever the case."""

    def __init__(self) -> None:
        self.taken = {"history"}  # which Excel keeps for itself

    def of(self, name: str) -> str:
        clean = NOT_IN_XML.sub("", NOT_IN_TITLE.sub("-", name)).strip("' ") or "Sheet"
        title, number = _cut(clean, TITLE_LENGTH), 1
        while title.casefold() in self.taken:
            number += 1
            ending = f" ({number})"
            title = _cut(clean, TITLE_LENGTH - len(ending)) + ending
        self.taken.add(title.casefold())
        return title


def _cut(text: str, length: int) -> str:
    """The beginning of a text that has no more than so many UTF-16 units."""
    return text.encode("utf-16-le")[: 2 * length].decode("utf-16-le", "ignore").strip("' ")
