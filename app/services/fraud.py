"""Signs of fraud: they refuse nobody, and ask for somebody's look."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import groupby
from typing import Any, NamedTuple

from sqlalchemy import bindparam, func, literal_column, or_, select, union_all

from app.extensions import db
from app.models import Attempt
from app.services.caller import anybody
from app.services.geofence import Fix, distance
from app.services.transaction import filled

SHARED_WITHIN = timedelta(hours=12)
REMEMBERED = timedelta(days=30)
FASTEST = 900 / 3.6
"""Metres a second: an airliner."""
JITTER = 1000
"""Metres beyond what the fixes' accuracies explain that are no journey."""
FRESH = 60
"""Seconds: a phone that is asked where it is knows it anew."""
REPEATS, LOOKED_AT = 3, 5
DECIMALS = 5
"""About a metre: coarser positions repeat by themselves."""


@dataclass(slots=True)
class History:
    """What was before. earlier: the person's latest accepted attempts with a position, the newest first.
    is_shared_device: an attempt from it was accepted for somebody else within SHARED_WITHIN."""

    earlier: Sequence[Earlier] = ()
    is_shared_device: bool = False


@dataclass(frozen=True, slots=True)
class Earlier:
    """An accepted attempt of the person, with where they were."""

    session_id: uuid.UUID
    latitude: float
    longitude: float
    accuracy: float | None
    at: datetime


def signs(
    session_id: uuid.UUID,
    at: datetime,
    fix: Fix | None,
    before: History,
    *,
    is_mocked: bool = False,
) -> list[str]:
    """The signs that there are, of a check-in or check-out at a moment.

    fix: None where none was sent, or none on earth.
    """
    earlier = before.earlier
    found = {"shared_device": before.is_shared_device, "mocked_location": is_mocked}
    if fix:
        age = fix.age(at)
        found["old_fix"], found["future_fix"] = age > FRESH, age < -FRESH
        found["impossible_travel"] = bool(earlier) and _too_fast(earlier[0], fix, at)
        same = {e.session_id for e in earlier[:LOOKED_AT] if (e.latitude, e.longitude) == (fix.latitude, fix.longitude)}
        found["repeated_position"] = _is_fine(fix) and len(same - {session_id}) >= REPEATS
    return sorted(sign for sign, is_there in found.items() if is_there)


def _too_fast(earlier: Earlier, fix: Fix, at: datetime) -> bool:
    away = distance(earlier.latitude, earlier.longitude, fix.latitude, fix.longitude)
    travelled = away - (earlier.accuracy or 0.0) - (fix.accuracy or 0.0)
    return travelled > max(JITTER, FASTEST * abs((at - earlier.at).total_seconds()))


def _is_fine(fix: Fix) -> bool:
    return all(Decimal(repr(float(n))).as_tuple().exponent <= -DECIMALS for n in (fix.latitude, fix.longitude))  # type: ignore[operator]


class Asking(NamedTuple):
    """Somebody who checks in or out. device_id: as attempts have it. is_refused: whether that is certain already."""

    organisation_id: uuid.UUID
    user_id: uuid.UUID
    at: datetime
    device_id: str | None
    is_refused: bool


def history(askings: Collection[Asking]) -> dict[Asking, History]:
    """The history of each, in one statement for all of one organisation; they ask at about the same time, in order."""
    found = dict[Asking, History]()
    for organisation_id, group in groupby(sorted(dict.fromkeys(askings), key=_organisation), key=_organisation):
        theirs = list(group)
        now = min(asking.at for asking in theirs)
        of = {
            "organisation_id": organisation_id,
            "people": filled(asking.user_id for asking in theirs),
            "devices": filled(asking.device_id or "" for asking in theirs),
            "remembered_since": now - REMEMBERED,
            "shared_since": now - SHARED_WITHIN,
        }
        rows = db.session.connection().execute(_HISTORY, of).all()
        found |= {asking: _history(asking, theirs[:number], rows) for number, asking in enumerate(theirs)}
    return found


def _organisation(asking: Asking) -> uuid.UUID:
    return asking.organisation_id


def _history(asking: Asking, before: Sequence[Asking], rows: Sequence[Any]) -> History:
    """before: who asks at the same time, and a moment earlier."""
    own = sorted((row for row in rows if row.is_own and row.user_id == asking.user_id), key=_made_at, reverse=True)
    on_it = {row.user_id for row in rows if not row.is_own and row.device_id == asking.device_id}
    if asking.device_id:
        on_it |= {one.user_id for one in before if one.device_id == asking.device_id and not one.is_refused}
    earlier = [Earlier(row.session_id, row.latitude, row.longitude, row.accuracy, row.moment) for row in own]
    return History(earlier, bool(on_it - {asking.user_id}))


def _made_at(row: Any) -> datetime:
    made: datetime = row.created_at
    return made


def _put_together() -> Any:
    """The query of `history`, for anybody: the latest attempts of each person, and of each device the two users whose
    ids are furthest apart, so that one of them is somebody else if anybody is."""
    names = ("user_id", "device_id", "session_id", "latitude", "longitude", "accuracy", "created_at")
    moment = func.coalesce(Attempt.captured_at, Attempt.created_at).label("moment")
    columns = [getattr(Attempt, name) for name in names]
    accepted = anybody().rows(Attempt, *columns, moment).where(Attempt.refused.is_(None))
    own = accepted.where(
        Attempt.user_id.in_(bindparam("people", expanding=True)),
        Attempt.latitude.is_not(None),
        Attempt.created_at >= bindparam("remembered_since"),
    ).add_columns(_place(Attempt.user_id, Attempt.created_at.desc(), "newest"))
    on_it = accepted.where(
        Attempt.device_id.in_(bindparam("devices", expanding=True)), Attempt.created_at >= bindparam("shared_since")
    ).add_columns(
        _place(Attempt.device_id, Attempt.user_id, "lowest"),
        _place(Attempt.device_id, Attempt.user_id.desc(), "highest"),
    )
    latest, users = own.subquery(), on_it.subquery()
    told: list[list[Any]] = [[table.c[name] for name in (*names, "moment")] for table in (latest, users)]
    return union_all(
        select(literal_column("1").label("is_own"), *told[0]).where(latest.c.newest <= LOOKED_AT),
        select(literal_column("0").label("is_own"), *told[1]).where(or_(users.c.lowest == 1, users.c.highest == 1)),
    )


def _place(of: Any, order: Any, name: str) -> Any:
    return func.row_number().over(partition_by=of, order_by=order).label(name)


_HISTORY = _put_together()
