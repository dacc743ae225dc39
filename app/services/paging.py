"""A page of a list: by its number, or by where the page before it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Generic, TypeVar

from itsdangerous import BadData, URLSafeSerializer
from sqlalchemy import ColumnElement, Select, and_, func, inspect, or_, select

from app.extensions import db, settings
from app.services.errors import CursorInvalid

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """next: the cursor of the page after it; None where there is none, or where the list has none."""

    items: Sequence[T]
    page: int
    per_page: int
    total: int
    next: str | None = None

    @property
    def pages(self) -> int:
        return -(-self.total // self.per_page)

    def of(self, items: Sequence[S]) -> Page[S]:
        """The same page, with what its items became."""
        return replace(self, items=items)  # type: ignore[arg-type, return-value]


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is wanted, and in which order (`name,-created_at`). after: the cursor that the page before
    gave; then no number counts. about: what was asked for, in short; a cursor leads on in that alone."""

    page: int
    per_page: int
    sort: Sequence[str]
    after: str | None = None
    about: str = ""


@dataclass(frozen=True, slots=True)
class _Order:
    column: Any
    is_descending: bool

    @property
    def directed(self) -> Any:
        return self.column.desc() if self.is_descending else self.column.asc()

    def beyond(self, value: Any) -> ColumnElement[bool]:
        beyond: ColumnElement[bool] = self.column < value if self.is_descending else self.column > value
        return beyond

    def from_(self, value: Any) -> ColumnElement[bool]:
        beginning: ColumnElement[bool] = self.column <= value if self.is_descending else self.column >= value
        return beginning

    @property
    def is_never_null(self) -> bool:
        """Databases do not agree on which side of the others nothing is."""
        return not getattr(inspect(self.column).expression, "nullable", True)


@dataclass(frozen=True, slots=True)
class _Cursor:
    """What a page ended with. about: as of Paging. page, total: its number, and how many rows there were with the first
    one."""

    about: str
    page: int
    total: int
    values: Sequence[Any]

    def signed(self) -> str:
        """Nobody has the database compare with what is no value of its columns."""
        values = [value if isinstance(value, int | float | str) else str(value) for value in self.values]
        said = _signer().dumps([self.about, self.page, self.total, values])
        return said if isinstance(said, str) else said.decode()


def paginate(
    query: Select[Any], paging: Paging, columns: dict[str, Any], counted: Select[Any] | None = None
) -> Page[Any]:
    """The wanted page of the query's rows, in one statement where it has a cursor or is the last, and else in two.

    columns: what may be sorted by. The first one also decides between equals, so give it something unique; it may be
    several columns. Where none of those that are sorted by is ever null, the page has a cursor for the next: however
    long the list, that is found at once where an index is in the list's order.
    counted: a query of how many rows there are, where one is quicker than to count this one's.

    Raises CursorInvalid.
    """
    order = list(_order(paging.sort, columns))
    cursor = None if paging.after is None else _read(paging.after, paging, order)
    skipped = (paging.page - 1) * paging.per_page
    part = query.offset(skipped) if cursor is None else query.where(_after(order, cursor.values))
    width = len(query.column_descriptions)
    ordered = part.order_by(*(each.directed for each in order)).add_columns(*(each.column for each in order))
    found = db.session.execute(ordered.limit(paging.per_page + 1)).all()
    rows = found[: paging.per_page]
    if cursor is not None:
        number, total = cursor.page + 1, cursor.total
    elif len(rows) == len(found) and (rows or not skipped):  # it is the last: nothing else is left to count
        number, total = paging.page, skipped + len(rows)
    else:
        counted = select(func.count()).select_from(query.order_by(None).subquery()) if counted is None else counted
        number, total = paging.page, int(db.session.scalar(counted) or 0)
    items = [row[0] if width == 1 else row[:width] for row in rows]
    page = Page(items, number, paging.per_page, total)
    if len(rows) == len(found) or not all(each.is_never_null for each in order):
        return page
    return replace(page, next=_Cursor(paging.about, number, total, rows[-1][width:]).signed())


def page_of(found: Sequence[T], paging: Paging) -> Page[T]:
    """The wanted page of what is at hand; it has no cursor. Raises CursorInvalid: with one, it was another list's."""
    if paging.after is not None:
        raise CursorInvalid
    begin = (paging.page - 1) * paging.per_page
    return Page(found[begin : begin + paging.per_page], paging.page, paging.per_page, len(found))


def _order(sort: Sequence[str], columns: dict[str, Any]) -> Iterator[_Order]:
    """Those that decide between equals go the way of the last one before them: so one index can have all of them."""
    is_descending = False
    for name in (*sort, ""):
        is_descending = name.startswith("-") if name else is_descending
        some = columns[name.removeprefix("-") or next(iter(columns))]
        yield from (_Order(column, is_descending) for column in (some if isinstance(some, tuple) else (some,)))


def _after(order: Sequence[_Order], values: Sequence[Any]) -> ColumnElement[bool]:
    """The condition that a row comes after the one that has these values."""
    steps = [
        and_(
            *(each.column == value for each, value in zip(order[:n], values, strict=False)), order[n].beyond(values[n])
        )
        for n in range(len(order))
    ]
    first = order[0]
    # what the others say already, in a form for which a database uses an index
    return and_(first.from_(values[0]), or_(*steps))


def _read(token: str, paging: Paging, order: Sequence[_Order]) -> _Cursor:
    try:
        about, page, total, texts = _signer().loads(token)
        values = [_value(each.column.type.python_type, text) for each, text in zip(order, texts, strict=True)]
    except (BadData, ValueError, TypeError, AttributeError):  # another list's has values of other kinds
        raise CursorInvalid from None
    if about != paging.about:
        raise CursorInvalid
    return _Cursor(about, page, total, values)


def _value(kind: Any, text: Any) -> Any:
    if issubclass(kind, date):  # a time is one as well
        return kind.fromisoformat(text)
    return kind(text)


def _signer() -> URLSafeSerializer:
    return URLSafeSerializer(settings().secret_key.get_secret_value(), "cursor")
