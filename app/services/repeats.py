"""Calls that a phone may repeat: the first one's answer is kept, and given to its repeats.

Source: the IETF draft draft-ietf-httpapi-idempotency-key-header.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, and_
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import RepeatableCall
from app.services.caller import Caller
from app.services.errors import CallInProgress, IdempotencyKeyReused
from app.services.transaction import changed, insert_missing, transaction
from app.services.vault import seal, unseal

DEAD = timedelta(seconds=60)
"""A call that has no answer for so long never gets one: its server was killed."""
KEPT = timedelta(hours=24)
"""At least; deleted at the next daily clean-up."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes


@transaction
def begin(caller: Caller, key: str, call_hash: str) -> uuid.UUID | Answer:
    """The id under which this call is to be done and `finish`ed, or the answer that it was given before.

    Raises:
        IdempotencyKeyReused: the caller has used the key for another call.
        CallInProgress: the same call is being done at this moment.
    """
    own = {"organisation_id": caller.organisation_id, "user_id": caller.user_id, "key": key}
    row = own | {"id": uuid7(), "call_hash": call_hash, "created_at": clock.now()}
    insert_missing(RepeatableCall, [row], tuple(own))
    query = caller.rows(RepeatableCall).where(_of(caller, key)).with_for_update()
    there: RepeatableCall | None = db.session.scalar(query)
    if there is None:  # it has failed between these two statements
        raise CallInProgress
    if there.id == row["id"]:
        return there.id
    if there.call_hash != call_hash:
        raise IdempotencyKeyReused
    if there.status is not None and there.body is not None:
        return Answer(there.status, there.headers, unseal(there.body))
    if there.created_at > clock.now() - DEAD:
        raise CallInProgress
    # with a new id: should the first one be slow and not dead, its answer is nobody's any more
    anew = {"id": row["id"], "created_at": row["created_at"]}
    changed(caller.change(RepeatableCall).where(_of(caller, key)).values(anew))
    return uuid.UUID(str(row["id"]))


@transaction
def finish(caller: Caller, call_id: uuid.UUID, answer: Answer | None) -> None:
    """Keep a call's answer for its repeats; None: the next one is done anew."""
    if answer is None:
        changed(caller.remove(RepeatableCall).where(RepeatableCall.id == call_id))
        return
    kept = {"status": answer.status, "headers": answer.headers, "body": seal(answer.body)}
    changed(caller.change(RepeatableCall).where(RepeatableCall.id == call_id).values(kept))


def _of(caller: Caller, key: str) -> ColumnElement[bool]:
    return and_(RepeatableCall.user_id == caller.user_id, RepeatableCall.key == key)
