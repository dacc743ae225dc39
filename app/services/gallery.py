"""The templates that an organisation's faces are compared with, decrypted once in each process.

Whatever changes them, or the consent that they stand on, leaves in the same transaction a new mark (`models.Gallery`),
which each use asks for: so a person who withdraws is out at the very next, on all servers. What else decides whose
consent holds (`consents.standing`), the day and the age to which a parent consents, is compared as well.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from threading import Lock
from typing import Any, cast

import numpy as np
from flask import current_app
from sqlalchemy import event, inspect, update
from sqlalchemy.orm import ORMExecuteState, UOWTransaction
from sqlalchemy.orm import Session as Database
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.faces import Rows, Templates
from app.models import Consent, ConsentText, FaceTemplate, Gallery, StudentProfile
from app.services.caller import Caller
from app.services.changes import compared_with
from app.services.consents import standing
from app.services.face_vault import unseal_all
from app.services.transaction import insert_missing, some_at_once

MOST = 500_000_000
"""Bytes of encodings that a process keeps, about a million templates: the organisation used longest ago goes first."""

EMPTY = np.empty((0, 128), np.float32)
DELETED = {FaceTemplate.__tablename__, Consent.__tablename__, StudentProfile.__tablename__}
Mark = tuple[uuid.UUID, date, int] | None
"""None: nobody has ever been enrolled."""


@dataclass(frozen=True)
class Held:
    """An organisation's templates as of a mark; never changed, so that threads can share them.

    ids: the templates', in their order. people: whom `templates.owners` are indexes of.
    """

    mark: Mark
    ids: Sequence[uuid.UUID]
    people: Sequence[uuid.UUID]
    templates: Templates

    @cached_property
    def place(self) -> dict[uuid.UUID, int]:
        return {person: index for index, person in enumerate(self.people)}

    def rows_of(self, people: Iterable[uuid.UUID]) -> Rows:
        """The rows of these people's templates."""
        wanted = [self.place[person] for person in people if person in self.place]
        return np.flatnonzero(np.isin(self.templates.owners, wanted))

    def rows_without(self, person: uuid.UUID) -> Rows:
        return np.flatnonzero(self.templates.owners != self.place.get(person, -1))


NOBODY = Held(None, (), (), Templates.of(EMPTY, np.empty(0, np.intp)))


class Galleries:
    """Those of this process, the one used last at the end."""

    def __init__(self) -> None:
        self._held: OrderedDict[uuid.UUID, Held] = OrderedDict()
        self._loading = defaultdict[uuid.UUID, Lock](Lock)
        self._lock = Lock()

    def get(self, organisation_id: uuid.UUID) -> Held | None:
        with self._lock:
            if organisation_id in self._held:
                self._held.move_to_end(organisation_id)
            return self._held.get(organisation_id)

    def keep(self, organisation_id: uuid.UUID, held: Held) -> None:
        with self._lock:
            self._held[organisation_id] = held
            self._held.move_to_end(organisation_id)
            while len(self._held) > 1 and sum(one.templates.encodings.nbytes for one in self._held.values()) > MOST:
                self._held.popitem(last=False)

    def loading(self, organisation_id: uuid.UUID) -> Lock:
        with self._lock:
            return self._loading[organisation_id]


def gallery(caller: Caller) -> Held:
    """The templates of everybody in the organisation whose consent holds, as of now.

    Takes long when it is the first time in this process: every template is decrypted.
    """
    galleries = cast(Galleries, current_app.extensions["galleries"])
    mark = _mark(caller)
    held = galleries.get(caller.organisation_id)
    if mark is None or (held and held.mark == mark):
        return held if mark and held else NOBODY
    with galleries.loading(caller.organisation_id):
        mark = _mark(caller)  # another thread may have loaded it meanwhile, and it may have changed again
        held = galleries.get(caller.organisation_id) or NOBODY
        if mark and held.mark != mark:
            held = _loaded(caller, held, mark)
            galleries.keep(caller.organisation_id, held)
        return held


def lock_gallery(caller: Caller) -> None:
    """Within a transaction: nobody else changes the organisation's templates until its end."""
    db.session.execute(caller.rows(Gallery, Gallery.id).with_for_update())


def _mark(caller: Caller) -> Mark:
    mark = db.session.scalar(caller.rows(Gallery, Gallery.mark))
    return (mark, caller.today, caller.settings.faces.parental_consent_under) if mark else None


def _loaded(caller: Caller, before: Held, mark: Mark) -> Held:
    """Read after the mark: what changes in between changes the mark as well. Only what is new is decrypted."""
    theirs = caller.rows(FaceTemplate, FaceTemplate.id, FaceTemplate.user_id).where(
        FaceTemplate.user_id.in_(standing(caller))
    )
    whose = {row.id: row.user_id for row in db.session.execute(theirs)}
    kept = [(row, id_) for row, id_ in enumerate(before.ids) if id_ in whose]
    new: dict[uuid.UUID, Any] = {}
    for some in some_at_once(whose.keys() - {id_ for _, id_ in kept}):
        sealed = caller.rows(FaceTemplate, FaceTemplate.id, FaceTemplate.encoding).where(FaceTemplate.id.in_(some))
        found = db.session.execute(sealed).all()
        opened = zip([row.id for row in found], unseal_all([row.encoding for row in found]), strict=True)
        new.update((id_, encoding) for id_, encoding in opened if encoding is not None)
    ids = [id_ for _, id_ in kept] + list(new)
    encodings = np.concatenate([before.templates.encodings[[row for row, _ in kept]], [*new.values()] or EMPTY])
    people = list(dict.fromkeys(whose[id_] for id_ in ids))
    place = {person: index for index, person in enumerate(people)}
    return Held(mark, ids, people, Templates.of(encodings, np.array([place[whose[id_]] for id_ in ids], np.intp)))


@event.listens_for(db.session, "after_flush")
def _flushed(session: Database, _context: UOWTransaction) -> None:
    rows = [row for row in (*session.new, *session.dirty, *session.deleted) if _counts(row)]
    _changed(session, {row.organisation_id for row in rows})


def _counts(row: Any) -> bool:
    """Whether it matters to a gallery that this row has changed."""
    if isinstance(row, StudentProfile):
        return bool(inspect(row).attrs.date_of_birth.history.has_changes())
    return isinstance(row, FaceTemplate | Consent | ConsentText)


@event.listens_for(db.session, "do_orm_execute")
def _executing(state: ORMExecuteState) -> None:
    """Updates of many rows are only new keys for the same encodings."""
    if state.is_delete and state.statement.table.name in DELETED:  # type: ignore[attr-defined]
        _changed(state.session, compared_with(state, "organisation_id"))


def _changed(session: Database, organisation_ids: Collection[uuid.UUID]) -> None:
    """A mark drawn by chance: one that a transaction left which came to nothing is nobody's later."""
    table: Any = Gallery.__table__
    for organisation_id in sorted(organisation_ids):
        mark = uuid.uuid4()
        own = update(table).where(table.c.organisation_id == organisation_id).values(mark=mark)
        if not session.connection().execute(own).rowcount:
            row = {"id": uuid7(), "organisation_id": organisation_id, "mark": mark, "created_at": clock.now()}
            insert_missing(Gallery, [row], ("organisation_id",), audited=False)
            session.connection().execute(own)
