"""Subjects as people name them: by id, by name or by code, without regard to case."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, or_, select

from app.extensions import db
from app.models import Class, Organisation, Subject
from app.services.caller import Caller
from app.services.errors import MissingFields
from app.services.transaction import some_at_once


@dataclass(frozen=True, slots=True)
class SubjectNamed:
    """By its id, or by its name or code; by neither: the one of the class."""

    id: uuid.UUID | None = None
    name: str | None = None


def hold(caller: Caller) -> None:
    """Within a transaction: of the organisation's others who hold it as well, one comes after the other."""
    own = select(Organisation.id).where(Organisation.id == caller.organisation_id)
    db.session.execute(own.with_for_update(key_share=True))


def found_or_made(caller: Caller, subject: SubjectNamed, class_: Class | None = None) -> uuid.UUID:
    """Within a transaction: the id of the subject that is meant. A name that none has makes one; two who use it at once
    make one.

    Raises:
        NotFound: there is no subject with this id.
        MissingFields: none is named, and the class has none.
    """
    if subject.name is not None:
        key, found = subject.name.lower(), named(caller, [subject.name])
        if not found:
            hold(caller)
            found = named(caller, [subject.name]) or {key: _made(caller, subject.name)}
        # a database may see one word in two spellings that are two here
        return found.get(key) or next(iter(found.values()))
    id_ = class_.subject_id if subject.id is None and class_ else subject.id
    if id_ is None:
        raise MissingFields("Say in which subject", errors={"subject_name": ["Field required"]})
    return caller.get(Subject, id_).id


def named(caller: Caller, names: Iterable[str]) -> dict[str, uuid.UUID]:
    """The ids of those subjects that there are, by these names or codes in lower case. A name goes before a code; of
    several of one name the first one made is meant."""
    by_name: dict[str, uuid.UUID] = {}
    by_code: dict[str, uuid.UUID] = {}
    for some in some_at_once(names, 1000):
        query = called(caller, some, Subject.id, Subject.name, Subject.code).order_by(Subject.id)
        for id_, name, code in db.session.execute(query):
            by_name.setdefault(name.lower(), id_)
            if code:
                by_code.setdefault(code.lower(), id_)
    return by_code | by_name


def called(caller: Caller, names: Iterable[str], *columns: Any) -> Select[Any]:
    """Query of the subjects that have one of these names or codes, without regard to case, of which databases do not
    know what Python knows of every script."""
    given = list(names)
    lower = [name.lower() for name in given]
    return caller.rows(Subject, *columns).where(
        or_(*(or_(column.in_(given), func.lower(column).in_(lower)) for column in (Subject.name, Subject.code)))
    )


def _made(caller: Caller, name: str) -> uuid.UUID:
    row = Subject(organisation_id=caller.organisation_id, name=name)
    db.session.add(row)
    db.session.flush()
    return row.id
