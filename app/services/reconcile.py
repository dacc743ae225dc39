"""An organisation's rows of one table, as they are, and as another system wants them; the difference is written."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from uuid_utils.compat import uuid7

from app.extensions import db
from app.services.caller import Caller
from app.services.tables import BadCell


class Target:
    """A row as it is to be. row: as it is, None when it is new. line: that which asks for it."""

    __slots__ = ("drop", "id", "line", "removed", "row", "values")

    def __init__(self, row: Any = None) -> None:
        self.row = row
        self.id: uuid.UUID = row.id if row else uuid7()
        self.values: dict[str, Any] = {}
        self.line: int | None = None
        self.removed = False
        self.drop = False

    def __getitem__(self, column: str) -> Any:
        return self.values[column] if column in self.values else getattr(self.row, column, None)

    @property
    def changes(self) -> dict[str, Any]:
        return {name: value for name, value in self.values.items() if getattr(self.row, name, None) != value}

    def remove(self, **values: Any) -> None:
        """Set what the row is when it is gone."""
        self.removed = True
        self.values.update(values)

    def delete(self) -> None:
        self.removed = self.drop = True


def external_key(row: Any) -> Hashable:
    """What the other system calls a row, or would after reading our own export."""
    return row.external_id or str(row.id)


class Table:
    """The rows of one table by key.

    unique: columns whose values together no two rows may have (NULLs are distinct). A row that the other system does
    not know yet is found by them too.
    """

    def __init__(
        self,
        caller: Caller,
        model: type[Any],
        unique: Sequence[str] = (),
        key: Callable[[Any], Hashable] = external_key,
        where: Sequence[Any] = (),
    ) -> None:
        self.model, self.unique = model, unique
        self.own = {"organisation_id": caller.organisation_id}
        rows = db.session.scalars(caller.rows(model).where(*where)).all()
        self.targets: dict[Hashable, Target] = {key(row): Target(row) for row in rows}
        self.is_shared = hasattr(model, "external_id")
        self._unclaimed = {
            value: target
            for target in self.targets.values()
            if self.is_shared and target.row.external_id is None and (value := self._unique(target))
        }
        self.counts = dict.fromkeys(("created", "updated", "unchanged", "removed"), 0)

    def find(self, key: Hashable, values: Mapping[str, Any]) -> Target | None:
        """The row with this key, or that which nobody has claimed and which is the same thing by its values."""
        if found := self.targets.get(key):
            return found
        same = self._unclaimed.get(self._unique(values))
        return same if same and same.line is None else None

    def put(self, key: Hashable, line: int, **values: Any) -> Target:
        """Have a row with these values."""
        target = self.find(key, values)
        if self.targets.get(key) is not target or target is None:
            target = self.targets[key] = target or Target()
            target.values |= {"external_id": key} if self.is_shared else {}
        target.line = target.line or line
        target.values |= values
        return target

    def absent(self) -> Iterator[Target]:
        """Rows that the other system knew, and which no line asks for."""
        for target in self.targets.values():
            if target.row is not None and target.row.external_id and target.line is None:
                yield target

    def collisions(self, file: str) -> Iterator[BadCell]:
        """Lines that ask for values which another row has."""
        if not self.unique:
            return
        holders: dict[Hashable, Target] = {}
        for target in sorted(set(self.targets.values()), key=lambda target: target.line or 0):
            value = None if target.drop else self._unique(target)
            other = holders.setdefault(value, target)
            if value and other is not target and target.line:
                whose = f"line {other.line} has it already" if other.line else "somebody else has it"
                yield BadCell(target.line, None, f"{' and '.join(self.unique)}: {whose}", file)

    def save(self, add: Callable[[Sequence[Any]], None] | None = None) -> None:
        """Write what differs, in as few statements as there are kinds of change.

        add: what saves new rows.
        """
        targets = list(dict.fromkeys(self.targets.values()))
        for target in targets:
            self._count(target)
            if target.drop:
                db.session.delete(target.row)
        db.session.flush()
        changed = [(target, target.changes) for target in targets if target.row is not None and not target.drop]
        for _, alike in groupby(sorted(changed, key=_columns), _columns):
            for target, changes in alike:
                for name, value in changes.items():
                    setattr(target.row, name, value)
            db.session.flush()
        rows = [self.model(id=t.id, **self.own, **t.values) for t in targets if t.row is None]
        if rows:
            (add or db.session.add_all)(rows)
            db.session.flush()

    def drop(self, targets: Iterable[Target], used: set[Any]) -> None:
        """Delete those that nothing refers to."""
        for target in targets:
            self.counts["unchanged" if target.id in used else "removed"] += 1
            if target.id not in used:
                db.session.delete(target.row)
        db.session.flush()

    def _count(self, target: Target) -> None:
        if target.row is None:
            self.counts["created"] += 1
        elif target.drop or target.changes:
            self.counts["removed" if target.removed else "updated"] += 1
        elif target.line:
            self.counts["unchanged"] += 1

    def _unique(self, values: Any) -> Hashable:
        found = tuple(_get(values, column) for column in self.unique)
        return None if None in found else found


def _get(values: Any, column: str) -> Any:
    return values.get(column) if isinstance(values, dict) else values[column]


def _columns(change: tuple[Target, dict[str, Any]]) -> list[str]:
    return sorted(change[1])
