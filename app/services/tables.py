"""Tables as people send them: CSV of whatever program, and XLSX; every row with the line it stands on."""

from __future__ import annotations

import csv
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import islice
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from app.services.errors import RowsRefused, UnreadableFile

MOST_ROWS = 100_000
MOST_UNPACKED = 500_000_000
"""Bytes: a small archive can hold more than the server has memory."""
NOT_XLSX = (
    KeyError, ValueError, IndexError, TypeError, AttributeError, OSError, EOFError, RuntimeError, SyntaxError,
    InvalidFileException, zipfile.BadZipFile, zlib.error, lzma.LZMAError,
)  # fmt: skip
"""What is raised by archives that are damaged or encrypted, and by what is no XML (a SyntaxError) or no sheet."""
FORMULA = re.compile(r"'*\s*[=+\-@\t\r\uff1d\uff0b\uff0d\uff20]")
"""How a text begins that a spreadsheet would run (the last four are wide), or one with apostrophes before it."""


@dataclass(frozen=True, slots=True)
class Row:
    """line: as a spreadsheet counts, with the header as line 1. Column names are in snake_case; blanks are left out."""

    line: int
    values: dict[str, str]


@dataclass(frozen=True, slots=True)
class BadCell:
    line: int
    column: str | None
    reason: str
    file: str | None = None


def read_csv(data: bytes, *, is_safe: bool = False) -> list[Row]:
    """Comma, semicolon or tab; UTF-8 with or without BOM, UTF-16 with, or else Windows' Latin.

    is_safe: its cells are as `safe_cell` writes them, and become what that was given.

    Raises:
        UnreadableFile: it is none, or has too many rows.
    """
    lines = _lines(data)
    try:
        meant = _meant if is_safe else str
        return _rows([(lines.line_num, [*map(meant, cells)]) for cells in islice(lines, MOST_ROWS + 1)])
    except csv.Error as error:
        raise UnreadableFile(f"This is not a CSV file: {error}") from error


def csv_columns(data: bytes) -> frozenset[str]:
    """The names that the header has, of columns without any value too. Raises UnreadableFile."""
    try:
        return frozenset(_names(next(_lines(data), [])))
    except csv.Error as error:
        raise UnreadableFile(f"This is not a CSV file: {error}") from error


def read_xlsx(data: bytes) -> list[Row]:
    """The first sheet. Raises UnreadableFile."""
    require_small(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True)
        book.worksheets[0].reset_dimensions()  # which a file may claim to be whatever it likes
        sheet = islice(book.worksheets[0].iter_rows(values_only=True), MOST_ROWS + 1)
        return _rows([(number, [_text(cell) for cell in cells]) for number, cells in enumerate(sheet, 1)])
    except NOT_XLSX as error:
        raise UnreadableFile("This is not an XLSX file") from error


def require_small(archive: bytes) -> None:
    """Raises UnreadableFile when this is no zip archive, or one that unpacks to too much."""
    try:
        with zipfile.ZipFile(io.BytesIO(archive)) as packed:
            size = sum(file.file_size for file in packed.infolist())
    except zipfile.BadZipFile as error:
        raise UnreadableFile("This is not a zip archive") from error
    if size > MOST_UNPACKED:
        raise UnreadableFile("This archive unpacks to more than the server takes")


def write_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """RFC 4180, with a header. What a spreadsheet would run as a formula is for the caller to see to (`safe_cell`)."""
    file = io.StringIO()
    writer = csv.writer(file)
    writer.writerow(columns)
    writer.writerows(rows)
    return file.getvalue()


def safe_cell(text: str) -> str:
    """What a spreadsheet would run as a formula begins with an apostrophe, which `read_csv` can take away again."""
    return f"'{text}" if FORMULA.match(text) else text


def require_good(bad: Sequence[BadCell]) -> None:
    """Raises RowsRefused, naming every bad cell, unless there is none."""
    if bad:
        rows = [{"file": b.file, "line": b.line, "column": b.column, "reason": b.reason} for b in bad]
        count = len({(b.file, b.line) for b in bad})
        raise RowsRefused(f"Nothing was saved, for what is wrong in {count} of the rows: see rows", rows=rows)


def _meant(cell: str) -> str:
    """The text that `safe_cell` was given."""
    return cell[1:] if cell.startswith("'") and FORMULA.match(cell) else cell


def _lines(data: bytes) -> Any:
    text = _decoded(data)
    first = text.partition("\n")[0]
    delimiter = max(",;\t", key=first.count)
    return csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)


def _decoded(data: bytes) -> str:
    for encoding in ("utf-16",) if data[:2] in {b"\xff\xfe", b"\xfe\xff"} else ("utf-8-sig", "cp1252"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableFile("This is not text")


def _rows(lines: list[tuple[int, list[str]]]) -> list[Row]:
    if not lines:
        raise UnreadableFile("The file is empty")
    if len(lines) > MOST_ROWS:
        raise UnreadableFile(f"The file has more than {MOST_ROWS} rows")
    header = _names(lines[0][1])
    found = []
    for line, cells in lines[1:]:
        values = {name: cell.strip() for name, cell in zip(header, cells, strict=False) if name and cell.strip()}
        if values:
            found.append(Row(line, values))
    return found


def _names(header: Sequence[str]) -> list[str]:
    return [name.strip().lower().replace(" ", "_").replace("-", "_") for name in header]


def _text(cell: Any) -> str:
    """A cell as somebody would type it: 2.0 is 2, a date is ISO 8601."""
    if isinstance(cell, datetime):
        return cell.date().isoformat() if cell.time() == datetime.min.time() else cell.isoformat()
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return "" if cell is None else str(cell)
