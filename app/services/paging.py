"""A page of a list."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sqlalchemy import Select, func, select

from app.extensions import db

S = TypeVar("S")
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: Sequence[T]
    page: int
    per_page: int
    total: int

    @property
    def pages(self) -> int:
        return -(-self.total // self.per_page)

    def of(self, items: Sequence[S]) -> Page[S]:
        """The same page, with what its items became."""
        return Page(items, self.page, self.per_page, self.total)


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is wanted, and in which order (`name,-created_at`)."""

    page: int
    per_page: int
    sort: Sequence[str]


def paginate(query: Select[Any], paging: Paging, columns: dict[str, Any]) -> Page[Any]:
    """The wanted page of the query's rows, in two statements.

    columns: what may be sorted by. The first one also decides between equals, so give it something unique.
    """
    total = db.session.scalar(select(func.count()).select_from(query.order_by(None).subquery())) or 0
    order = [columns[name.removeprefix("-")] for name in paging.sort]
    directed = [c.desc() if name.startswith("-") else c.asc() for name, c in zip(paging.sort, order, strict=True)]
    rows = db.session.execute(
        query.order_by(*directed, next(iter(columns.values())))
        .limit(paging.per_page)
        .offset((paging.page - 1) * paging.per_page)
    )
    items = rows.scalars().all() if len(query.column_descriptions) == 1 else rows.all()
    return Page(items, paging.page, paging.per_page, total)
