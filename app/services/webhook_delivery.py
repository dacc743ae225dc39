"""Sending to webhooks what waits for them.

Each delivery is sent by whoever claims it. Who dies meanwhile may have sent it, and it is sent again, with the same id:
receivers get everything at least once, in no promised order.

Who answers slowly, or never, holds up few: one webhook is sent to by one thread, an organisation's by some of them, and
those that were failing already by half of them together, in turn and with a rest after each failure. A run does not
wait for the last of them: whoever sends next goes on with the threads that are free.
"""

from __future__ import annotations

import base64
import hmac
import random
import time
import uuid
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from threading import Lock
from typing import Any

import structlog
from flask import Flask, current_app
from sqlalchemy import and_, func, or_, select, update

from app import clock
from app.extensions import db
from app.models import DeliveryStatus, Organisation, User, UserStatus, Webhook, WebhookDelivery
from app.services import jobs, mail, outside
from app.services.errors import AddressRefused, NotOpened
from app.services.transaction import changed, release, transaction
from app.services.vault import unseal

SEND = "send_webhooks"
"""The system's own work that sends what is due."""
DELAYS = [*(timedelta(minutes=m) for m in (1, 5, 30)), *(timedelta(hours=h) for h in (2, 5, 10, 14))]
"""Between the attempts; after the last one it has failed."""
JITTER = 0.1
"""By which part a delay is longer or shorter, so that what failed together is not sent again together."""
GIVEN_UP_AFTER = timedelta(days=5)
"""Without anything that arrived."""
UNBROKEN = timedelta(hours=24)
"""After so long without an attempt it is not known to have failed all the time: that is counted anew."""
REST = timedelta(minutes=1)
"""After a failure, before anything else is sent there."""
SENT_WITHIN = timedelta(minutes=5)
"""What is sending for longer was being sent by a server that died."""
THREADS = 8
PER_ORGANISATION = 3
TROUBLED = 4
"""Threads for those that were failing already."""
IN_A_ROW = 20
"""Deliveries that are sent to one webhook before others have their turn."""
RUNS = 20
"""Seconds after which a run begins nothing more: what is left is the next run's."""
KEPT = 500
"""Characters of an answer."""

_sending = Lock()
"""One run in a process: more would take the threads of other work for themselves."""
_pool = ThreadPoolExecutor(THREADS, "webhook")
_flying: dict[Future[None], Webhook] = {}
"""What this process is sending, also for runs that have ended."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What became of sending: an answer, or why there was none."""

    status: int | None
    response: str | None
    duration: int
    error: str | None

    @property
    def arrived(self) -> bool:
        return self.error is None


def send_soon() -> None:
    """Have what is due sent now; were this lost, the schedule would do it some seconds later."""
    jobs.start_own(SEND)


def send_due() -> None:
    """Send what is due, unless this process does so already. Who sends elsewhere sends other deliveries."""
    if not _sending.acquire(blocking=False):
        return
    try:
        _send_all(time.monotonic() + RUNS)
    finally:
        _sending.release()


def signature(secrets: Sequence[bytes], message_id: str, timestamp: int, body: bytes) -> str:
    """The header of Standard Webhooks 1.0.0: of each secret, HMAC-SHA256 over id, timestamp and body, as base64."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    return " ".join(f"v1,{base64.b64encode(hmac.digest(key, signed, 'sha256')).decode()}" for key in secrets)


def turn_off(webhook: Webhook) -> None:
    """Within a transaction: nothing more is sent to it, and what waits has failed."""
    webhook.is_active = False
    _drop(webhook, [DeliveryStatus.QUEUED])


def turn_on(webhook: Webhook) -> None:
    """Within a transaction: it starts anew. What was left over, by who queued it while it was turned off or died while
    sending, has failed."""
    webhook.is_active = True
    webhook.failing_since = webhook.rests_until = webhook.disabled_at = webhook.disabled_reason = None
    _drop(webhook, [DeliveryStatus.QUEUED, DeliveryStatus.SENDING])


def _drop(webhook: Webhook, statuses: Sequence[DeliveryStatus]) -> None:
    own = and_(WebhookDelivery.webhook_id == webhook.id, WebhookDelivery.status.in_(statuses))
    failed = {"status": DeliveryStatus.FAILED, "error": "The webhook was turned off"}
    db.session.execute(update(WebhookDelivery).where(own).values(failed))


def _send_all(until: float) -> None:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    while time.monotonic() < until:
        for webhook in _chosen(_flying.values()):
            _flying[_pool.submit(_send_some, app, webhook, until)] = webhook
        if not _flying:
            return
        for over in wait(_flying, timeout=1, return_when=FIRST_COMPLETED).done:
            webhook = _flying.pop(over)
            if failed := over.exception():
                log.error("webhook_not_sent", webhook_id=str(webhook.id), exc_info=failed)


def _chosen(flying: Collection[Webhook]) -> list[Webhook]:
    """Those that can be sent to beside these, who has waited longest first."""
    free = THREADS - len(flying)
    if not free:
        return []
    of_organisation = Counter(webhook.organisation_id for webhook in flying)
    troubled = sum(webhook.failing_since is not None for webhook in flying)
    chosen = []
    for webhook in _waiting(flying, of_organisation, troubled):
        is_troubled = webhook.failing_since is not None
        if of_organisation[webhook.organisation_id] < PER_ORGANISATION and troubled + is_troubled <= TROUBLED:
            of_organisation[webhook.organisation_id] += 1
            troubled += is_troubled
            chosen.append(webhook)
    return chosen[:free]


def _waiting(flying: Collection[Webhook], of_organisation: Counter[uuid.UUID], troubled: int) -> Sequence[Webhook]:
    """Webhooks for which something is due, without those that rest or have to wait for others to end. Those that fail
    have their turn by when they had it last, since what waits for them may be the oldest of all."""
    busy = [organisation_id for organisation_id, threads in of_organisation.items() if threads >= PER_ORGANISATION]
    due_since = (
        select(WebhookDelivery.next_attempt_at)
        .where(WebhookDelivery.webhook_id == Webhook.id, _is_due(clock.now()))
        .order_by(WebhookDelivery.next_attempt_at)
        .limit(1)
        .correlate(Webhook)
        .scalar_subquery()
    )
    query = (
        select(Webhook)
        .join(Organisation, Organisation.id == Webhook.organisation_id)
        .where(Webhook.is_active, Organisation.is_active, due_since.is_not(None))
        .where(or_(Webhook.rests_until.is_(None), Webhook.rests_until <= clock.now()))
        .where(Webhook.id.not_in([webhook.id for webhook in flying]), Webhook.organisation_id.not_in(busy))
        .order_by(func.coalesce(Webhook.rests_until, due_since))
        .limit(THREADS * THREADS)
    )
    if troubled >= TROUBLED:
        query = query.where(Webhook.failing_since.is_(None))
    found = db.session.scalars(query).all()
    release()
    return found


def _is_due(now: datetime) -> Any:
    """Also what somebody was sending who died."""
    waits = WebhookDelivery.status.in_([DeliveryStatus.QUEUED, DeliveryStatus.SENDING])
    return and_(waits, WebhookDelivery.next_attempt_at <= now)


def _send_some(app: Flask, webhook: Webhook, until: float) -> None:
    """Until one does not arrive: the others wait, so that one webhook's silence is heard once."""
    with app.app_context():
        due = select(WebhookDelivery).where(WebhookDelivery.webhook_id == webhook.id, _is_due(clock.now()))
        some = db.session.scalars(due.order_by(WebhookDelivery.next_attempt_at).limit(IN_A_ROW)).all()
        release()
        for delivery in some:
            if time.monotonic() > until:
                return
            if (number := _claim(delivery)) and not _send(webhook, delivery, number):
                return


@transaction
def _claim(delivery: WebhookDelivery) -> int | None:
    """The number of the attempt, if it is this sender's to make."""
    as_seen = and_(WebhookDelivery.id == delivery.id, WebhookDelivery.attempts == delivery.attempts)
    now, number = clock.now(), delivery.attempts + 1
    claimed = update(WebhookDelivery).where(as_seen, _is_due(now))
    sending = {"status": DeliveryStatus.SENDING, "attempts": number, "next_attempt_at": now + SENT_WITHIN}
    return number if changed(claimed.values(sending)) else None


def _send(webhook: Webhook, delivery: WebhookDelivery, number: int) -> bool:
    attempt = _attempt(webhook, delivery)
    if attempt.arrived:
        _arrived(delivery, number, attempt)
    else:
        _not_arrived(delivery, number, attempt)
    return attempt.arrived


def _attempt(webhook: Webhook, delivery: WebhookDelivery) -> Attempt:
    begun, body, timestamp = time.monotonic(), delivery.body.encode(), int(clock.now().timestamp())
    status, response, error = None, None, None
    try:
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Rollcall-Webhooks",
            "webhook-id": str(delivery.id),
            "webhook-timestamp": str(timestamp),
            "webhook-signature": signature(_secrets(webhook), str(delivery.id), timestamp, body),
        }
        outside.require_public(webhook.url)
        status, answer = outside.send("POST", webhook.url, data=body, headers=headers)
        response = _legible(answer)
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            error = f"It answered {status}"
    except (AddressRefused, NotOpened) as refused:
        error = refused.detail[:500]
    return Attempt(status, response, int(1000 * (time.monotonic() - begun)), error)


def _secrets(webhook: Webhook) -> list[bytes]:
    """Those that sign, the newest first."""
    kept = [webhook.secret]
    if webhook.old_secret and webhook.old_secret_ends_at and webhook.old_secret_ends_at > clock.now():
        kept.append(webhook.old_secret)
    return [unseal(secret) for secret in kept]


def _legible(answer: bytes) -> str:
    text = answer.decode(errors="replace")
    return "".join(letter if letter.isprintable() or letter in "\n\t" else " " for letter in text)[:KEPT]


@transaction
def _arrived(delivery: WebhookDelivery, number: int, attempt: Attempt) -> None:
    if _settle(delivery, number, attempt, status=DeliveryStatus.DELIVERED, delivered_at=clock.now()):
        failing = update(Webhook).where(Webhook.id == delivery.webhook_id, Webhook.failing_since.is_not(None))
        db.session.execute(failing.values(failing_since=None, rests_until=None), execution_options={"audited": False})


@transaction
def _not_arrived(delivery: WebhookDelivery, number: int, attempt: Attempt) -> None:
    """It is tried again later, unless that was the last time, or the webhook gets nothing any more."""
    webhook = db.session.scalar(select(Webhook).where(Webhook.id == delivery.webhook_id).with_for_update())
    if webhook is None:
        return
    again = webhook.is_active and number <= len(DELAYS)
    status = DeliveryStatus.QUEUED if again else DeliveryStatus.FAILED
    waits = {"next_attempt_at": clock.now() + _delay(number)} if again else {}
    if not _settle(delivery, number, attempt, status=status, **waits) or not webhook.is_active:
        return
    failing_since = _note_failure(webhook, clock.now())
    log.info("webhook_failed", webhook_id=str(webhook.id), attempt=number, status=attempt.status, error=attempt.error)
    if attempt.status == HTTPStatus.GONE:
        _give_up(webhook, "It answered 410: it wants nothing any more")
    elif clock.now() - failing_since >= GIVEN_UP_AFTER:
        _give_up(webhook, f"Nothing has arrived for {GIVEN_UP_AFTER.days} days; at last: {attempt.error}")


def _note_failure(webhook: Webhook, now: datetime) -> datetime:
    """Since when it has failed, all the time."""
    is_unbroken = webhook.rests_until is not None and now - webhook.rests_until < UNBROKEN
    failing_since = webhook.failing_since if is_unbroken and webhook.failing_since else now
    webhook.failing_since, webhook.rests_until = failing_since, now + REST
    return failing_since


def _settle(delivery: WebhookDelivery, number: int, attempt: Attempt, **values: Any) -> bool:
    """Within a transaction: whether the delivery was still this sender's; else another one has it."""
    own = and_(WebhookDelivery.status == DeliveryStatus.SENDING, WebhookDelivery.attempts == number)
    told = {"response_status": attempt.status, "response": attempt.response}
    told |= {"duration": attempt.duration, "error": attempt.error}
    return changed(update(WebhookDelivery).where(WebhookDelivery.id == delivery.id, own).values(told | values)) > 0


def _delay(number: int) -> timedelta:
    return DELAYS[number - 1] * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def _give_up(webhook: Webhook, reason: str) -> None:
    """Turn it off, and tell whoever made it."""
    turn_off(webhook)
    webhook.disabled_at, webhook.disabled_reason = clock.now(), reason[:500]
    maker = db.session.get(User, webhook.created_by_id)
    if maker and maker.email and maker.status == UserStatus.ACTIVE:
        told = {"name": maker.name, "url": webhook.url, "reason": webhook.disabled_reason}
        try:
            mail.post("webhook_disabled", maker.email, webhook.organisation_id, user_id=maker.id, **told)
        except ValueError:  # what cannot be mailed is turned off all the same
            log.exception("webhook_disabled_not_mailed", webhook_id=str(webhook.id))
