"""Signs of fraud: they refuse nobody, and ask for somebody's look."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import Uuid, bindparam, func, select, union_all

from app.extensions import db
from app.models import Attempt
from app.services.caller import Caller, anybody
from app.services.geofence import Fix, distance

SHARED_WITHIN = timedelta(hours=12)
FASTEST = 900 / 3.6
"""Metres a second: an airliner."""
JITTER = 1000
"""Metres beyond what the fixes' accuracies explain that are no journey."""
FRESH = 60
"""Seconds: a phone that is asked where it is knows it anew."""
REPEATS, LOOKED_AT = 3, 5
DECIMALS = 5
"""About a metre: coarser positions repeat by themselves."""


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
    *,
    is_mocked: bool = False,
    earlier: Sequence[Earlier] = (),
    is_shared_device: bool = False,
) -> list[str]:
    """The signs that there are, of a check-in or check-out at a moment.

    fix: None where none was sent, or none on earth. earlier: the person's latest accepted attempts with a position,
    the newest first. is_shared_device: it was accepted for somebody else within SHARED_WITHIN.
    """
    found = {"shared_device": is_shared_device, "mocked_location": is_mocked}
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


def history(caller: Caller, at: datetime, device_id: str | None) -> dict[str, Any]:
    """What `signs` wants to know of before, in one statement: `earlier` and `is_shared_device`.

    device_id: as attempts have it.
    """
    of = {"organisation_id": caller.organisation_id, "user_id": caller.user_id}
    if device_id is None:
        rows = db.session.connection().execute(_OWN, of).all()
    else:
        rows = db.session.connection().execute(_BOTH, of | {"device_id": device_id, "since": at - SHARED_WITHIN}).all()
    mine = sorted((row for row in rows if row.user_id == caller.user_id), key=lambda row: row.created_at, reverse=True)
    return {
        "earlier": [Earlier(row.session_id, row.latitude, row.longitude, row.accuracy, row.moment) for row in mine],
        "is_shared_device": len(mine) < len(rows),
    }


def _put_together() -> tuple[Any, Any]:
    """The queries of `history` without and with a device, for anybody."""
    moment = func.coalesce(Attempt.captured_at, Attempt.created_at)
    columns = (Attempt.session_id, Attempt.latitude, Attempt.longitude, Attempt.accuracy)
    accepted = (
        anybody()
        .rows(Attempt, Attempt.user_id, *columns, moment.label("moment"), Attempt.created_at)
        .where(Attempt.refused.is_(None))
    )
    is_own = Attempt.user_id == bindparam("user_id", type_=Uuid())
    own = accepted.where(is_own, Attempt.latitude.is_not(None)).order_by(Attempt.created_at.desc()).limit(LOOKED_AT)
    on_it = accepted.where(Attempt.device_id == bindparam("device_id"), Attempt.created_at >= bindparam("since"))
    others = on_it.where(~is_own).limit(1)
    return own, union_all(select(own.subquery()), select(others.subquery()))


_OWN, _BOTH = _put_together()
