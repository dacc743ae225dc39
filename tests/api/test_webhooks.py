"""Webhooks: signed, tried again until they arrive, sent by one, never into the own network, and nobody else's."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import socket
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from math import inf
from threading import Barrier, Event, Thread
from typing import Any

import pytest
from sqlalchemy import select, update

from app import clock
from app.extensions import db
from app.models import (
    AuditEntry,
    DeliveryStatus,
    EventKind,
    LeaveRequest,
    Role,
    Session,
    Status,
    User,
    Webhook,
    WebhookDelivery,
    WebhookEvent,
)
from app.models import Event as Happening
from app.services import outside, retention, telling, vault, webhook_delivery, webhooks
from app.services.errors import AddressRefused
from app.services.sign_in import caller_for
from app.services.transaction import transaction
from config import ROOT
from tests.backends import backend
from tests.conftest import Cast, Person
from tests.factories import make
from tests.mails import mailed
from tests.receiver import Received, Receiver, receiving
from tests.statements import counted

URL = "https://sis.school.example/hook"
ALL = ["session.closed", "session.changed", "session.cancelled", "leave.decided", "alert.opened", "alert.closed",
       "report.ready"]  # fmt: skip


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN, first_name="Ada")


@pytest.fixture
def inside(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    """The installation lets webhooks lead into its own network, where the receivers of these tests are."""
    monkeypatch.setattr(cast.app.extensions["settings"], "allow_private_networks", True)


@pytest.fixture
def receiver(inside: None) -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


def create(admin: Person, url: str = URL, **values: Any) -> Any:
    answer = admin.post("/api/webhooks", {"url": url, "events": ALL} | values)
    assert answer.status_code == 201, answer.text
    return answer.json


def ping(admin: Person, webhook: Any) -> None:
    answer = admin.post(f"/api/webhooks/{webhook['id']}/ping")
    assert (answer.status_code, answer.json["status"]) == (202, "queued")


def send_due(cast: Cast) -> None:
    with cast.app.app_context():
        webhook_delivery.send_due()


def deliveries(admin: Person, webhook: Any, query: str = "") -> Any:
    return admin.get(f"/api/webhooks/{webhook['id']}/deliveries{query}").json["items"]


def delivery(admin: Person, webhook: Any) -> Any:
    (only,) = deliveries(admin, webhook)
    return only


def later(monkeypatch: pytest.MonkeyPatch, **passed: float) -> None:
    moment = clock.now() + timedelta(**passed)
    monkeypatch.setattr(clock, "now", lambda: moment)


def is_signed(received: Received, secret: str) -> bool:
    """As the specification has it, computed by its words alone."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = b".".join(received.headers[name].encode() for name in ("webhook-id", "webhook-timestamp"))
    expected = base64.b64encode(hmac.new(key, signed + b"." + received.body, hashlib.sha256).digest()).decode()
    return f"v1,{expected}" in received.headers["webhook-signature"].split(" ")


def happen(cast: Cast, organisation_id: uuid.UUID | None, event: EventKind, about_id: uuid.UUID, **data: Any) -> None:
    own = {"organisation_id": organisation_id, "about_id": about_id, "data": data}
    with cast.app.app_context():
        make(Happening, **own, kind=event, due_at=clock.now())
        telling.tell_due()


def told(cast: Cast, receiver: Receiver) -> Any:
    """The latest message, as its receiver reads it."""
    send_due(cast)
    return json.loads(receiver.received[-1].body)


def test_a_ping_is_sent_at_once_and_its_signature_is_right(cast: Cast, admin: Person, receiver: Receiver) -> None:
    receiver.answers, receiver.text = [200], "thanks\0 " + "x" * 600
    webhook = create(admin, receiver.url)
    with backend("threads", cast.app):
        ping(admin, webhook)
    (received,) = receiver.received
    assert is_signed(received, webhook["secret"])
    assert not is_signed(received, "whsec_" + base64.b64encode(bytes(32)).decode())
    assert received.headers["content-type"] == "application/json"
    assert abs(int(received.headers["webhook-timestamp"]) - datetime.now(UTC).timestamp()) < 60
    sent = delivery(admin, webhook)
    assert (sent["id"], sent["body"]) == (received.headers["webhook-id"], received.body.decode())
    assert json.loads(received.body) == {
        "type": "ping",
        "timestamp": sent["created_at"],
        "data": {"organisation_id": str(admin.organisation_id), "webhook_id": webhook["id"]},
    }
    assert (sent["status"], sent["attempts"], sent["response_status"], sent["error"]) == ("delivered", 1, 200, None)
    assert sent["response"].startswith("thanks  xxx")
    assert len(sent["response"]) == 500
    assert sent["duration"] >= 0
    assert sent["delivered_at"]


def test_the_document_says_which_events_there_are_and_how_to_verify_them(
    cast: Cast, admin: Person, receiver: Receiver
) -> None:
    document = (ROOT / "docs" / "webhooks.md").read_text()
    assert [event for event in WebhookEvent if f"`{event}`" not in document] == []
    example = document.partition("```python\n")[2].partition("```")[0]
    said: dict[str, Any] = {}
    exec(example, said)  # noqa: S102 - what readers copy
    webhook = create(admin, receiver.url)
    admin.post(f"/api/webhooks/{webhook['id']}/rotate-secret")
    ping(admin, webhook)
    send_due(cast)
    (received,) = receiver.received
    assert said["verified"](received.headers, received.body, webhook["secret"])
    assert not said["verified"](received.headers, received.body + b" ", webhook["secret"])
    old = {"webhook-timestamp": str(int(received.headers["webhook-timestamp"]) - 301)}
    assert not said["verified"](received.headers | old, received.body, webhook["secret"])


def test_the_secret_is_32_bytes_shown_once_and_kept_nowhere_legible(
    cast: Cast, admin: Person, receiver: Receiver, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    webhook = create(admin, receiver.url)
    renewed = admin.post(f"/api/webhooks/{webhook['id']}/rotate-secret").json
    secrets = [webhook["secret"].removeprefix("whsec_"), renewed["secret"].removeprefix("whsec_")]
    assert [len(base64.b64decode(secret, validate=True)) for secret in secrets] == [32, 32]
    ping(admin, webhook)
    receiver.answers = [500]
    send_due(cast)
    one = f"/api/webhooks/{webhook['id']}"
    answers = [admin.get(one), admin.get("/api/webhooks"), admin.put(one, {"description": "SIS"})]
    answers += [admin.get(f"{one}/deliveries"), admin.get("/api/admin/audit?entity=webhooks")]
    assert [answer.status_code for answer in answers] == [200] * 5
    printed = capsys.readouterr()
    said = "".join(answer.text for answer in answers) + caplog.text + printed.out + printed.err
    with cast.app.app_context():
        kept = db.session.execute(select(Webhook.secret, Webhook.old_secret)).one()
        said += "".join(map(str, db.session.scalars(select(AuditEntry.content))))
    for secret in secrets:
        assert secret not in said
        assert not any(base64.b64decode(secret) in column for column in kept)


def test_while_a_secret_is_rotated_both_sign_for_a_day(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = create(admin, receiver.url)
    renewed = admin.post(f"/api/webhooks/{webhook['id']}/rotate-secret").json
    ping(admin, webhook)
    send_due(cast)
    later(monkeypatch, hours=25)
    with cast.app.app_context():  # who signed in a day ago has to do so again
        queue_ping(webhook)
    send_due(cast)
    both, new = receiver.received
    assert [is_signed(both, secret) for secret in (webhook["secret"], renewed["secret"])] == [True, True]
    assert [is_signed(new, secret) for secret in (webhook["secret"], renewed["secret"])] == [False, True]


@transaction
def queue_ping(webhook: Any) -> None:
    row = db.session.get_one(Webhook, uuid.UUID(webhook["id"]))
    said = '{"type":"ping"}'
    values = {"event": WebhookEvent.PING, "event_id": uuid.uuid4(), "body": said, "next_attempt_at": clock.now()}
    db.session.add(WebhookDelivery(organisation_id=row.organisation_id, webhook_id=row.id, **values))


def test_secrets_follow_when_the_installations_key_is_rotated(cast: Cast, admin: Person) -> None:
    webhook = create(admin)
    admin.post(f"/api/webhooks/{webhook['id']}/rotate-secret")
    with cast.app.app_context():
        before = db.session.execute(select(Webhook.secret, Webhook.old_secret)).one()
        vault.rotate_key()
        db.session.rollback()
        after = db.session.execute(select(Webhook.secret, Webhook.old_secret)).one()
        for old, new in zip(before, after, strict=True):
            assert old is not None is not new != old
            assert vault.unseal(old) == vault.unseal(new)


def test_what_does_not_arrive_is_sent_again_with_the_same_id_and_a_new_time(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers = [500, 302]
    webhook = create(admin, receiver.url)
    ping(admin, webhook)
    send_due(cast)
    failed = delivery(admin, webhook)
    assert (failed["status"], failed["attempts"], failed["response_status"]) == ("queued", 1, 500)
    assert failed["error"] == "It answered 500"
    assert admin.get(f"/api/webhooks/{webhook['id']}").json["failing_since"]
    send_due(cast)
    assert len(receiver.received) == 1, "a minute has not passed"
    for minutes in (2, 6):
        later(monkeypatch, minutes=minutes)
        send_due(cast)
    arrived = delivery(admin, webhook)
    assert (arrived["status"], arrived["attempts"], arrived["error"]) == ("delivered", 3, None)
    assert admin.get(f"/api/webhooks/{webhook['id']}").json["failing_since"] is None
    assert {received.headers["webhook-id"] for received in receiver.received} == {arrived["id"]}
    assert len({received.headers["webhook-timestamp"] for received in receiver.received}) == 3
    assert len({received.body for received in receiver.received}) == 1
    assert all(is_signed(received, webhook["secret"]) for received in receiver.received)
    assert receiver.received[-1].headers["host"] in receiver.url, "redirections are not followed"


def test_after_eight_attempts_it_has_failed_and_can_be_sent_once_more(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers = [503] * 8
    webhook = create(admin, receiver.url)
    with cast.app.app_context():
        queue_ping(webhook)
    begun = clock.now()
    with monkeypatch.context() as patch:
        for passed in (timedelta(), *webhook_delivery.DELAYS):
            later(patch, seconds=1.11 * passed.total_seconds())
            send_due(cast)
        assert clock.now() - begun > timedelta(days=1)
    assert len(receiver.received) == 8
    failed = delivery(admin, webhook)
    assert (failed["status"], failed["attempts"]) == ("failed", 8)
    again = admin.post(f"/api/webhooks/{webhook['id']}/deliveries/{failed['id']}/redeliver")
    assert (again.status_code, again.json["status"], again.json["attempts"]) == (202, "queued", 0)
    send_due(cast)
    arrived = delivery(admin, webhook)
    assert (arrived["status"], arrived["attempts"], arrived["id"]) == ("delivered", 1, failed["id"])
    assert receiver.received[-1].headers["webhook-id"] == failed["id"]


def test_delays_differ_so_that_what_failed_together_is_not_sent_again_together() -> None:
    delays = {webhook_delivery._delay(1) for _ in range(20)}
    assert len(delays) > 10
    assert min(delays) >= timedelta(seconds=54)
    assert max(delays) <= timedelta(seconds=66)


def test_after_five_days_without_any_that_arrived_it_is_turned_off_and_who_made_it_is_told(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers = [500] * 7
    webhook = create(admin, receiver.url)
    with monkeypatch.context() as patch:
        for day in range(7):
            later(patch, days=0.9 if day else 0)
            with cast.app.app_context():
                db.session.execute(update(WebhookDelivery).values(status=DeliveryStatus.FAILED))
                db.session.commit()
                queue_ping(webhook)
                queue_ping(webhook)
            send_due(cast)
            with cast.app.app_context():
                assert db.session.scalar(select(Webhook.is_active)) is (day < 6)
    off = admin.get(f"/api/webhooks/{webhook['id']}").json
    assert off["disabled_at"]
    assert off["disabled_reason"] == "Nothing has arrived for 5 days; at last: It answered 500"
    assert {item["status"] for item in deliveries(admin, webhook)} == {"failed"}, "those that waited too"
    (letter,) = mailed(cast, admin.email)
    assert receiver.url in letter
    assert "Nothing has arrived for 5 days" in letter
    happen(cast, admin.organisation_id, EventKind.REPORT_READY, uuid.uuid4())
    assert len(deliveries(admin, webhook)) == 14, "nothing more is queued"
    refused = admin.post(f"/api/webhooks/{webhook['id']}/ping")
    assert (refused.status_code, refused.json["code"]) == (409, "webhook_off")
    on = admin.put(f"/api/webhooks/{webhook['id']}", {"is_active": True}).json
    assert (on["is_active"], on["failing_since"], on["disabled_at"], on["disabled_reason"]) == (True, None, None, None)
    ping(admin, webhook)
    send_due(cast)
    assert len(deliveries(admin, webhook, "?status=delivered")) == 1


def test_days_on_which_nothing_was_sent_are_not_held_against_it(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers = [500] * 2
    webhook = create(admin, receiver.url)
    for days in (0, 6):
        later(monkeypatch, days=days)
        with cast.app.app_context():
            db.session.execute(update(WebhookDelivery).values(status=DeliveryStatus.FAILED))
            db.session.commit()
            queue_ping(webhook)
        send_due(cast)
    assert len(receiver.received) == 2
    with cast.app.app_context():
        kept = db.session.scalars(select(Webhook)).one()
        assert (kept.is_active, kept.failing_since) == (True, clock.now())


def test_who_made_it_and_cannot_be_mailed_does_not_keep_it_on(cast: Cast, admin: Person, receiver: Receiver) -> None:
    receiver.answers = [410]
    webhook = create(admin, receiver.url)
    ping(admin, webhook)
    with cast.app.app_context():
        db.session.execute(update(User).where(User.id == admin.id).values(email="ada@@nowhere, ben"))
        db.session.commit()
    send_due(cast)
    assert admin.get(f"/api/webhooks/{webhook['id']}").json["is_active"] is False
    assert delivery(admin, webhook)["status"] == "failed"


def test_what_was_left_over_when_it_was_turned_off_is_not_sent_when_it_is_turned_on(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = create(admin, receiver.url)
    ping(admin, webhook)
    with cast.app.app_context():
        (seen,) = db.session.scalars(select(WebhookDelivery))
        webhook_delivery._claim(seen)  # and dies
    admin.put(f"/api/webhooks/{webhook['id']}", {"is_active": False})
    with cast.app.app_context():
        queue_ping(webhook)  # by who had read that it was on
    admin.put(f"/api/webhooks/{webhook['id']}", {"is_active": True})
    later(monkeypatch, minutes=6)
    send_due(cast)
    assert receiver.received == []
    assert {item["status"] for item in deliveries(admin, webhook)} == {"failed"}


def test_after_a_failure_it_rests_for_a_minute_unless_somebody_asks(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver.answers = [500] * 2
    webhook = create(admin, receiver.url)
    with cast.app.app_context():
        for _ in range(3):
            queue_ping(webhook)
    send_due(cast)
    send_due(cast)
    assert len(receiver.received) == 1, "what waits besides is not tried at once"
    ping(admin, webhook)
    send_due(cast)
    assert len(receiver.received) == 2
    later(monkeypatch, minutes=1.2)
    send_due(cast)
    assert {item["status"] for item in deliveries(admin, webhook)} == {"delivered"}


def test_those_that_fail_have_their_turn_by_when_they_had_it_last(cast: Cast, receiver: Receiver) -> None:
    theirs = [cast.person(Role.ADMIN, cast.other_organisation()) for _ in range(3)]
    failing = [create(admin, receiver.url) for admin in theirs for _ in range(2)]
    with cast.app.app_context():
        for minute, webhook in enumerate(failing):
            queue_ping(webhook)
            own = update(Webhook).where(Webhook.id == uuid.UUID(webhook["id"]))
            tried = clock.now() - timedelta(minutes=minute)
            db.session.execute(own.values(failing_since=clock.now(), rests_until=tried))
            db.session.commit()
        chosen = [str(webhook.id) for webhook in webhook_delivery._chosen([])]
    assert chosen == [webhook["id"] for webhook in failing[:1:-1]]


def test_a_run_ends_though_somebody_hangs_and_the_next_goes_on_beside(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "RUNS", 1)
    with receiving() as hanging:
        hanging.hangs = Event()
        silent = create(admin, hanging.url)
        ping(admin, silent)
        send_due(cast)
        assert delivery(admin, silent)["status"] == "sending"
        monkeypatch.setattr(webhook_delivery, "RUNS", 300)
        mine = create(admin, receiver.url)
        ping(admin, mine)
        run = Thread(target=send_due, args=(cast,))
        run.start()
        try:
            assert eventually(lambda: len(receiver.received) == 1)
            assert len(hanging.received) == 1
        finally:
            hanging.hangs.set()
            run.join()
    assert delivery(admin, silent)["status"] == "delivered"


def test_who_answers_that_it_is_gone_is_told_nothing_more(cast: Cast, admin: Person, receiver: Receiver) -> None:
    receiver.answers = [410]
    webhook = create(admin, receiver.url)
    ping(admin, webhook)
    send_due(cast)
    off = admin.get(f"/api/webhooks/{webhook['id']}").json
    assert (off["is_active"], off["disabled_reason"]) == (False, "It answered 410: it wants nothing any more")
    assert delivery(admin, webhook)["status"] == "failed"
    assert len(mailed(cast, admin.email)) == 1


def test_what_waits_for_one_that_is_turned_off_has_failed(cast: Cast, admin: Person, receiver: Receiver) -> None:
    webhook = create(admin, receiver.url)
    ping(admin, webhook)
    admin.put(f"/api/webhooks/{webhook['id']}", {"is_active": False})
    send_due(cast)
    assert receiver.received == []
    waited = delivery(admin, webhook)
    assert (waited["status"], waited["error"]) == ("failed", "The webhook was turned off")
    refused = admin.post(f"/api/webhooks/{webhook['id']}/deliveries/{waited['id']}/redeliver")
    assert (refused.status_code, refused.json["code"]) == (409, "webhook_off")


def test_each_event_is_told_to_those_who_asked_for_it_in_ids_and_figures(
    cast: Cast, admin: Person, receiver: Receiver
) -> None:
    create(admin, receiver.url)
    create(admin, receiver.url, events=["report.ready"])
    organisation_id = admin.organisation_id
    with cast.app.app_context():
        about = {"organisation_id": organisation_id, "session_date": datetime(2026, 3, 12, tzinfo=UTC).date()}
        values = {"name": "Talk with Zoë", "starts_at": datetime(2026, 3, 12, 9, tzinfo=UTC), "is_event": True}
        session = make(Session, **about, **values, policy={})
        student = make(User, organisation_id=organisation_id, role=Role.STUDENT, first_name="Zoë")
        leave = make(LeaveRequest, organisation_id=organisation_id, user_id=student.id, counts_as=Status.EXCUSED,
                     reason="Zoë is ill", status="approved")  # fmt: skip
    happen(cast, organisation_id, EventKind.SESSION_CLOSED, session.id, student="Zoë")
    closed = told(cast, receiver)
    assert (closed["type"], closed["data"]["session_id"]) == ("session.closed", str(session.id))
    assert (closed["data"]["session_date"], closed["data"]["starts_at"]) == ("2026-03-12", "2026-03-12T09:00:00Z")
    assert closed["data"]["counts"]["expected"] == 0
    happen(cast, organisation_id, EventKind.SESSION_CHANGED, session.id)
    assert told(cast, receiver)["type"] == "session.changed"
    happen(cast, organisation_id, EventKind.SESSION_CANCELLED, uuid.uuid4())
    assert told(cast, receiver)["type"] == "session.cancelled", "one that is gone since"
    happen(cast, organisation_id, EventKind.LEAVE_DECIDED, leave.id, student="Zoë")
    decided = told(cast, receiver)["data"]
    assert (decided["leave_request_id"], decided["student_id"]) == (str(leave.id), str(student.id))
    assert (decided["status"], decided["counts_as"]) == ("approved", "excused")
    who = {"student_id": str(student.id), "kind": "low_attendance"}
    figures = {"value": 60.0, "threshold": 75.0}
    alert = uuid.uuid4()
    happen(cast, organisation_id, EventKind.ALERT_OPENED, alert, **who, **figures, student="Zoë")
    opened = told(cast, receiver)
    assert opened["type"] == "alert.opened"
    about_it = {"organisation_id": str(organisation_id), "alert_id": str(alert), "figures": figures}
    assert opened["data"] == about_it | who
    happen(cast, organisation_id, EventKind.ALERT_CLOSED, alert, **who, **figures)
    assert told(cast, receiver)["type"] == "alert.closed"
    happen(cast, organisation_id, EventKind.ABSENCES_DUE, session.id)
    send_due(cast)
    assert len(receiver.received) == 6, "of absences people are told"
    ready = {"user_id": str(admin.id), "report": "Zoë's report", "url": "/Zoe"}
    happen(cast, organisation_id, EventKind.REPORT_READY, alert, **ready)
    assert told(cast, receiver)["data"] == {"organisation_id": str(organisation_id), "export_id": str(alert)}
    assert len(receiver.received) == 8, "the other webhook as well"
    assert not any("Zo" in received.body.decode() for received in receiver.received)


def test_an_event_is_told_once_to_each_however_often_it_is_looked_at(cast: Cast, admin: Person) -> None:
    webhook = create(admin)
    with cast.app.app_context():
        event = make(Happening, organisation_id=admin.organisation_id, kind=EventKind.REPORT_READY, due_at=clock.now())
        caller = caller_of(admin)
        for _ in range(2):
            transaction(webhooks.of_event)(caller, event)
    assert len(deliveries(admin, webhook)) == 1


def caller_of(person: Person) -> Any:
    assert person.id
    return caller_for(person.id, None)


def test_twenty_webhooks_take_no_more_statements_for_an_event_than_one(cast: Cast, admin: Person) -> None:
    taken = []
    for more in (1, 19):
        for _ in range(more):
            create(admin)
        with counted(cast.app) as said:
            happen(cast, admin.organisation_id, EventKind.REPORT_READY, uuid.uuid4())
        taken.append(len(said))
    assert taken[0] == taken[1]
    one_too_many = admin.post("/api/webhooks", {"url": URL, "events": ALL})
    assert (one_too_many.status_code, one_too_many.json["code"]) == (409, "too_many_webhooks")


def test_of_two_who_send_at_once_each_sends_others(cast: Cast, admin: Person, receiver: Receiver) -> None:
    webhook = create(admin, receiver.url)
    with cast.app.app_context():
        for _ in range(12):
            queue_ping(webhook)
        row = db.session.scalars(select(Webhook)).one()
    start = Barrier(3)

    def one(_: int) -> None:
        """As another process does."""
        start.wait()
        webhook_delivery._send_some(cast.app, row, inf)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(one, range(3)))
    sent = [received.headers["webhook-id"] for received in receiver.received]
    assert len(sent) == len(set(sent)) == 12
    assert {item["status"] for item in deliveries(admin, webhook)} == {"delivered"}


def test_what_somebody_was_sending_who_died_is_sent_again_after_five_minutes(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = create(admin, receiver.url)
    ping(admin, webhook)
    with cast.app.app_context():
        (seen,) = db.session.scalars(select(WebhookDelivery))
        assert webhook_delivery._claim(seen) == 1
    send_due(cast)
    assert receiver.received == []
    underway = admin.post(f"/api/webhooks/{webhook['id']}/deliveries/{seen.id}/redeliver")
    assert (underway.status_code, underway.json["code"]) == (409, "delivery_underway")
    later(monkeypatch, minutes=5.1)
    send_due(cast)
    assert (delivery(admin, webhook)["status"], delivery(admin, webhook)["attempts"]) == ("delivered", 2)


def test_who_hangs_does_not_hold_up_others(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook_delivery, "RUNS", 300)  # on a busy machine too
    other = cast.person(Role.ADMIN, cast.other_organisation())
    with receiving() as hanging:
        hanging.hangs = Event()
        silent = [create(other, hanging.url) for _ in range(10)]
        with cast.app.app_context():
            for webhook in silent:
                queue_ping(webhook)
        mine = create(admin, receiver.url)
        with cast.app.app_context():
            queue_ping(mine)
        run = Thread(target=send_due, args=(cast,))
        run.start()
        try:
            assert eventually(lambda: len(receiver.received) == 1)
            assert run.is_alive()
            assert eventually(lambda: len(hanging.received) == webhook_delivery.PER_ORGANISATION)
            with cast.app.app_context():
                queue_ping(mine)
            assert eventually(lambda: len(receiver.received) == 2), "what comes in meanwhile is sent as well"
            assert len(hanging.received) == webhook_delivery.PER_ORGANISATION
        finally:
            hanging.hangs.set()
            run.join()
    assert len(hanging.received) == 10


def eventually(said: Any) -> bool:
    waited = Event()
    return any(said() or waited.wait(0.05) for _ in range(200))


def test_those_that_fail_already_leave_half_of_the_threads_to_others(
    cast: Cast, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing = []
    for _ in range(3):
        theirs = cast.person(Role.ADMIN, cast.other_organisation())
        failing += [create(theirs, receiver.url) for _ in range(2)]
    with cast.app.app_context():
        for webhook in failing:
            queue_ping(webhook)
        db.session.execute(update(Webhook).values(failing_since=clock.now()))
        db.session.commit()
        assert len(webhook_delivery._chosen([])) == webhook_delivery.TROUBLED


@contextmanager
def dribbling(head: bytes, body: bytes) -> Iterator[str]:
    """The address of a receiver that sends the head at once, and then the same again and again."""
    over = Event()

    def dribble() -> None:
        connection, _ = server.accept()
        with connection, suppress(OSError):
            connection.recv(65536)
            connection.sendall(head)
            while not over.wait(0.02):
                connection.sendall(body)

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = Thread(target=dribble)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/"
        finally:
            over.set()
            thread.join()


def test_who_answers_byte_by_byte_is_hung_up_on(
    cast: Cast, admin: Person, inside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outside, "WHOLE", 0.3)
    with dribbling(b"", b"H") as url:
        webhook = create(admin, url)
        ping(admin, webhook)
        send_due(cast)
    failed = delivery(admin, webhook)
    assert (failed["status"], failed["error"]) == ("queued", "This address answers for more than 0.3 s")
    assert failed["duration"] < 5000


@pytest.mark.parametrize(
    "rest",
    [(b"Content-Length: 9000000", b"x" * 500_000), (b"Content-Length: 9000000", b"x"), (b"Connection: close", b"x"),
     (b"Content-Encoding: gzip", b"x")],
    ids=["long", "slow", "endless", "broken"],
)  # fmt: skip
def test_once_it_says_that_it_has_it_the_rest_of_its_answer_does_not_matter(
    cast: Cast, admin: Person, inside: None, monkeypatch: pytest.MonkeyPatch, rest: tuple[bytes, bytes]
) -> None:
    monkeypatch.setattr(outside, "WHOLE", 0.5)
    header, body = rest
    with dribbling(b"HTTP/1.1 200 OK\r\n" + header + b"\r\n\r\n", body) as url:
        webhook = create(admin, url)
        ping(admin, webhook)
        send_due(cast)
    arrived = delivery(admin, webhook)
    assert (arrived["status"], arrived["response_status"], arrived["error"]) == ("delivered", 200, None)


def test_of_many_addresses_that_are_silent_few_are_tried(
    cast: Cast, admin: Person, inside: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried = []

    def silent(address: tuple[str, int], *_: Any) -> socket.socket:
        tried.append(address)
        raise TimeoutError

    many = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (f"203.0.113.{n}", 443)) for n in range(9)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: many)
    monkeypatch.setattr(outside, "create_connection", silent)
    with pytest.raises(AddressRefused), cast.app.app_context():
        outside.send("POST", URL)
    assert tried == [("203.0.113.0", 443), ("203.0.113.1", 443), ("203.0.113.2", 443)]


INSIDE = ("127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0", "[::1]", "[::ffff:127.0.0.1]",
          "[::ffff:7f00:1]", "[::]", "10.1.2.3", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
          "[fd00::1]", "[fe80::1]", "[64:ff9b::7f00:1]")  # fmt: skip


@pytest.mark.parametrize("host", INSIDE)
def test_an_address_inside_the_network_is_refused(admin: Person, host: str) -> None:
    answer = admin.post("/api/webhooks", {"url": f"https://{host}/hook", "events": ALL})
    assert (answer.status_code, answer.json["code"]) == (400, "address_refused")
    webhook = create(admin)
    moved = admin.put(f"/api/webhooks/{webhook['id']}", {"url": f"https://{host}/hook"})
    assert (moved.status_code, moved.json["code"]) == (400, "address_refused")


@pytest.mark.parametrize("host", ["localhost", "sis.school.example"])
def test_a_name_that_leads_inside_is_never_connected_to(
    cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    looked_up = socket.getaddrinfo

    def leads_inside(name: Any, *args: Any, **kwargs: Any) -> Any:
        numeric = kwargs.get("flags", 0) & socket.AI_NUMERICHOST
        return looked_up("127.0.0.1" if name == "sis.school.example" and not numeric else name, *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", leads_inside)
    with receiving() as receiver:
        port = receiver.url.split(":")[2].split("/")[0]
        webhook = create(admin, f"https://{host}:{port}/hook")
        ping(admin, webhook)
        send_due(cast)
        assert receiver.received == []
    refused = delivery(admin, webhook)
    assert (refused["status"], refused["response_status"]) == ("queued", None)
    assert refused["error"] == "This address leads into the server's own network"


def test_one_that_was_allowed_inside_is_sent_nothing_when_that_is_forbidden(
    cast: Cast, admin: Person, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    webhook = create(admin, receiver.url)
    ping(admin, webhook)
    monkeypatch.setattr(cast.app.extensions["settings"], "allow_private_networks", False)
    send_due(cast)
    assert receiver.received == []
    assert delivery(admin, webhook)["error"] == "The address must begin with https://"


@pytest.mark.parametrize(
    "url",
    ["http://sis.school.example", "ftp://sis.school.example", "https://", "https://ada:secret@sis.school.example",
     "https://sis.school.example/#a", "https://sis.school.example:0", "https://[::1", "https://sis school.example",
     "https://sis.school.example:99999", "javascript:alert(1)", "https://sis.school.example/" + "x" * 1000],
)  # fmt: skip
def test_what_is_no_https_address_is_refused(admin: Person, url: str) -> None:
    answer = admin.post("/api/webhooks", {"url": url, "events": ALL})
    assert answer.status_code in {400, 422}
    assert answer.json["code"] in {"address_refused", "invalid_input"}


@pytest.mark.parametrize("events_", [[], ["ping"], ["session.opened"], "session.closed", None])
def test_only_events_that_there_are_can_be_asked_for(admin: Person, events_: Any) -> None:
    assert admin.post("/api/webhooks", {"url": URL, "events": events_}).status_code == 422


def test_a_webhook_is_listed_changed_and_deleted_with_what_was_sent(cast: Cast, admin: Person) -> None:
    webhook = create(admin, description="SIS", events=["session.closed", "leave.decided", "session.closed"])
    assert webhook["events"] == ["leave.decided", "session.closed"]
    one = f"/api/webhooks/{webhook['id']}"
    changed = admin.put(one, {"events": ["alert.opened"], "isActive": False}).json
    assert (changed["url"], changed["description"]) == (URL, "SIS")
    assert (changed["events"], changed["is_active"], changed["disabled_at"]) == (["alert.opened"], False, None)
    assert admin.get(one).json == changed == admin.get("/api/webhooks").json["items"][0]
    admin.put(one, {"is_active": True})
    ping(admin, webhook)
    assert len(deliveries(admin, webhook, "?status=queued&event=ping")) == 1
    assert deliveries(admin, webhook, "?status=failed") == deliveries(admin, webhook, "?event=alert.opened") == []
    assert admin.delete(one).status_code == 200
    assert admin.get(one).status_code == admin.get(f"{one}/deliveries").status_code == 404
    with cast.app.app_context():
        assert db.session.scalars(select(WebhookDelivery.id)).all() == []


def test_another_organisations_webhooks_are_as_good_as_none(cast: Cast, admin: Person) -> None:
    webhook = create(admin)
    ping(admin, webhook)
    sent = delivery(admin, webhook)["id"]
    other = cast.person(Role.ADMIN, cast.other_organisation())
    own = create(other)
    one = f"/api/webhooks/{webhook['id']}"
    answers = [
        other.get(one), other.put(one, {"is_active": False}), other.delete(one), other.post(f"{one}/rotate-secret"),
        other.post(f"{one}/ping"), other.get(f"{one}/deliveries"), other.post(f"{one}/deliveries/{sent}/redeliver"),
        other.post(f"/api/webhooks/{own['id']}/deliveries/{sent}/redeliver"),
    ]  # fmt: skip
    assert [answer.status_code for answer in answers] == [404] * 8
    assert other.get("/api/webhooks").json["total"] == 1
    happen(cast, other.organisation_id, EventKind.SESSION_CHANGED, uuid.uuid4())
    assert len(deliveries(admin, webhook)) == 1
    assert len(deliveries(other, own)) == 1


def test_what_was_sent_is_kept_for_thirty_days(cast: Cast, admin: Person) -> None:
    webhook = create(admin)
    ping(admin, webhook)
    ping(admin, webhook)
    with cast.app.app_context():
        first = db.session.scalars(select(WebhookDelivery.id).order_by(WebhookDelivery.id)).first()
        long_ago = clock.now() - timedelta(days=31)
        db.session.execute(update(WebhookDelivery).where(WebhookDelivery.id == first).values(created_at=long_ago))
        db.session.commit()
        retention.clean_up()
    assert [item["id"] for item in deliveries(admin, webhook)] != [str(first)]
    assert len(deliveries(admin, webhook)) == 1


def test_a_key_with_the_right_for_webhooks_opens_them_and_no_other(admin: Person) -> None:
    def key(scope: str) -> str:
        asked = {"name": "SIS", "scopes": [scope], "expires_in_days": 1}
        return str(admin.post("/api/admin/api-keys", asked).json["key"])

    statuses = {}
    for scope in ("webhooks:read", "leave:read"):
        script = Person(admin.client, token=key(scope))
        statuses[scope] = [
            script.get("/api/webhooks").status_code,
            script.delete(f"/api/webhooks/{uuid.uuid4()}").status_code,
        ]
    assert statuses == {"webhooks:read": [200, 403], "leave:read": [403, 403]}
