"""Mail: sent once what caused it is saved, once, to a real mail server, whatever that says and whoever dies."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from email.parser import BytesParser
from email.policy import default
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.smtp import AuthResult
from pydantic import SecretStr
from sqlalchemy import select, update

from app import clock, logs
from app.extensions import db
from app.models import Job, Mail, MailStatus, Organisation, Role, User
from app.services import delivery, jobs, mail, schedules
from app.services.transaction import afterwards, transaction
from tests.backends import backend
from tests.conftest import Cast, Person
from tests.factories import make
from tests.mail_server import MailServer, certified, free_port


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN, first_name="Ada", last_name="Ünsal")


@pytest.fixture
def server(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> MailServer:
    """The installation's mail server, which is down until it is opened."""
    server = MailServer(free_port())
    monkeypatch.setattr(cast.app.extensions["settings"], "smtp_url", SecretStr(server.url))
    return server


@pytest.fixture
def opened(server: MailServer) -> Iterator[MailServer]:
    with server.open():
        yield server


def ask(admin: Person) -> None:
    assert admin.post("/api/admin/mails/test").status_code == 200


def send_due(cast: Cast) -> None:
    with cast.app.app_context():
        delivery.send_due()


def listed(admin: Person) -> Any:
    (mail,) = admin.get("/api/admin/mails").json["items"]
    return mail


def later(monkeypatch: pytest.MonkeyPatch, **passed: float) -> None:
    moment = clock.now() + timedelta(**passed)
    monkeypatch.setattr(clock, "now", lambda: moment)


@transaction
def post(**values: Any) -> None:
    mail.post("test", **{"to": "ada@school.test", "organisation_id": None, "name": "Ada", "organisation": "A"} | values)


def test_a_mail_is_sent_as_soon_as_what_caused_it_is_saved(cast: Cast, admin: Person, opened: MailServer) -> None:
    with backend("threads", cast.app):
        ask(admin)
    (message,) = opened.received
    sent = listed(admin)
    assert (sent["status"], sent["attempts"], sent["recipient"]) == ("sent", 1, admin.email)
    assert message["X-Envelope"] == f"rollcall@localhost {admin.email}"
    assert (message["From"], message["To"]) == ("Rollcall <rollcall@localhost>", admin.email)
    assert message["Subject"] == sent["subject"] == "Mail to Ada Ünsal works"
    assert message["Message-ID"] == f"<{sent['id']}@localhost>"
    assert message["Date"].datetime.tzinfo is not None


def test_a_mail_has_a_text_and_the_same_as_html_in_which_names_are_no_markup(cast: Cast, opened: MailServer) -> None:
    with cast.app.app_context():
        post(name="<b>Zoë</b>")
        delivery.send_due()
    (message,) = opened.received
    text, html = message.iter_parts()
    assert [text.get_content_type(), html.get_content_type()] == ["text/plain", "text/html"]
    assert "Hello <b>Zoë</b>," in text.get_content()
    assert "Hello &lt;b&gt;Zoë&lt;/b&gt;," in html.get_content()


def test_reports_let_other_mail_pass(cast: Cast, opened: MailServer) -> None:
    with cast.app.app_context():
        post(to="parent@school.test")
        db.session.execute(update(Mail).values(template="report_student"))
        db.session.commit()
        post()
        delivery.send_due()
    assert [message["To"] for message in opened.received] == ["ada@school.test", "parent@school.test"]


def test_what_is_not_saved_sends_nothing(cast: Cast, opened: MailServer) -> None:
    @transaction
    def service() -> None:
        mail.post("test", "ada@school.test", None, name="Ada", organisation="A")
        raise RuntimeError

    with cast.app.app_context():
        with pytest.raises(RuntimeError):
            service()
        delivery.send_due()
        assert db.session.scalars(select(Mail.id)).all() == db.session.scalars(select(Job.id)).all() == []
        with pytest.raises(RuntimeError, match="outside of a transaction"):
            afterwards(delivery.send_soon)
    assert opened.received == []


def test_a_call_succeeds_although_nobody_could_be_told_of_its_mail(
    cast: Cast, admin: Person, opened: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_kind: str) -> None:
        raise RuntimeError

    monkeypatch.setattr(jobs, "start_own", fail)
    ask(admin)
    monkeypatch.undo()
    monkeypatch.setattr(cast.app.extensions["settings"], "smtp_url", SecretStr(opened.url))
    with backend("threads", cast.app), cast.app.app_context():
        schedules.tick()
    assert len(opened.received) == 1


def test_ten_who_send_at_once_send_one(cast: Cast, admin: Person, opened: MailServer) -> None:
    ask(admin)
    with ThreadPoolExecutor(10) as pool:
        list(pool.map(lambda _: send_due(cast), range(10)))
    assert len(opened.received) == 1
    assert listed(admin)["attempts"] == 1


def test_what_was_posted_twice_with_one_key_is_sent_once(cast: Cast, opened: MailServer) -> None:
    with cast.app.app_context():
        for key in ("welcome Ada", "welcome Ada", "welcome Mary", None, None):
            post(key=key)
        delivery.send_due()
    assert len(opened.received) == 4


@pytest.mark.parametrize("answers", ["to_recipients", "to_texts"])
def test_what_is_refused_for_now_is_sent_later_and_once(
    cast: Cast, admin: Person, opened: MailServer, monkeypatch: pytest.MonkeyPatch, answers: str
) -> None:
    getattr(opened, answers).extend(["451 Too busy", "452 Too full"])
    ask(admin)
    for minutes, sent in ((0, 0), (0.9, 0), (0.2, 0), (4, 0), (2, 1), (60, 1)):
        later(monkeypatch, minutes=minutes)
        send_due(cast)
        assert len(opened.received) == sent
        if not sent:
            assert listed(admin)["status"] == "queued"
            assert listed(admin)["error"][:3] in {"451", "452"}
    assert (listed(admin)["status"], listed(admin)["error"], listed(admin)["attempts"]) == ("sent", None, 3)


@pytest.mark.parametrize("answers", ["to_recipients", "to_texts"])
def test_what_is_refused_for_good_has_failed_and_says_why_and_the_next_one_is_sent(
    cast: Cast, admin: Person, opened: MailServer, answers: str
) -> None:
    getattr(opened, answers).append("550 No such user here")
    ask(admin)
    ask(admin)
    send_due(cast)
    assert len(opened.received) == 1
    first, second = admin.get("/api/admin/mails?sort=created_at").json["items"]
    assert (first["status"], first["error"], second["status"]) == ("failed", "550 No such user here", "sent")


def test_mail_waits_while_the_server_is_down_and_is_sent_when_it_is_back(
    cast: Cast, admin: Person, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(admin)
    for _ in range(60):
        send_due(cast)
        later(monkeypatch, minutes=1)
    down = listed(admin)
    assert (down["status"], down["attempts"], "refused" in down["error"]) == ("queued", 4, True)
    with server.open():
        later(monkeypatch, hours=2)
        send_due(cast)
    assert len(server.received) == 1


def test_a_server_that_never_comes_back_is_given_up(
    cast: Cast, server: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with cast.app.app_context():
        post()
        for _ in range(4 * 24):
            delivery.send_due()
            later(monkeypatch, hours=1)
        assert db.session.execute(select(Mail.status, Mail.attempts)).all() == [("failed", len(delivery.DELAYS) + 1)]


def test_a_connection_lost_after_the_text_leaves_it_uncertain_until_an_administrator_decides(
    cast: Cast, admin: Person, opened: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened.hangs_up = True
    ask(admin)
    for _ in range(3):
        send_due(cast)
        later(monkeypatch, hours=3)
    assert (listed(admin)["status"], len(opened.received)) == ("uncertain", 1)
    opened.hangs_up = False
    with backend("threads", cast.app):
        assert admin.post(f"/api/admin/mails/{listed(admin)['id']}/resend").json["status"] == "queued"
    first, second = opened.received
    assert first["Message-ID"] == second["Message-ID"]


@pytest.mark.parametrize(("claimed", "then"), [(False, "sent"), (True, "uncertain")])
def test_who_dies_before_handing_over_has_it_sent_again_and_who_dies_after_does_not(
    cast: Cast, opened: MailServer, monkeypatch: pytest.MonkeyPatch, claimed: bool, then: str
) -> None:
    admin = cast.person(Role.ADMIN)
    ask(admin)
    if claimed:
        with cast.app.app_context():
            delivery._claim(db.session.scalars(select(Mail)).one())
    later(monkeypatch, minutes=9)
    send_due(cast)
    assert listed(admin)["status"] == ("sending" if claimed else "sent")
    later(monkeypatch, minutes=2)
    send_due(cast)
    assert listed(admin)["status"] == then


def test_only_what_may_not_have_been_sent_can_be_sent_again(cast: Cast, admin: Person, opened: MailServer) -> None:
    refused = {MailStatus.QUEUED, MailStatus.SENDING, MailStatus.SENT, MailStatus.WITHDRAWN}
    for status in MailStatus:
        with cast.app.app_context():
            id_ = make(Mail, organisation_id=admin.organisation_id, status=status).id
        answer = admin.post(f"/api/admin/mails/{id_}/resend")
        assert answer.status_code == (409 if status in refused else 200)
        assert answer.json.get("code") == ("not_resendable" if status in refused else None)


def test_administrators_see_their_organisations_mail_and_never_its_text(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        post(to="ada@school.test", organisation_id=admin.organisation_id, name="SECRET")
        post(to="mary_s@school.test", organisation_id=admin.organisation_id)
        post(to="ada@elsewhere.test", organisation_id=cast.other_organisation())
        post(to="system@school.test", organisation_id=None)
        secret = db.session.scalars(select(Mail.text).where(Mail.recipient == "ada@school.test")).one()
    page = admin.get("/api/admin/mails")
    assert {mail["recipient"] for mail in page.json["items"]} == {"ada@school.test", "mary_s@school.test"}
    assert not {"text", "html"} & page.json["items"][0].keys()
    assert "whether mail from Rollcall reaches you" in secret
    assert "whether mail from Rollcall reaches you" not in page.text
    for query, total in (("status=queued", 2), ("status=sent", 0), ("recipient=ADA@", 1), ("recipient=y_", 1),
                         ("recipient=a_a", 0)):  # fmt: skip
        assert admin.get(f"/api/admin/mails?{query}").json["total"] == total, query


@pytest.mark.parametrize("line", ["\n", "\r\n", "\r", "\u2028"])
def test_no_name_adds_a_header(cast: Cast, opened: MailServer, line: str) -> None:
    admin = cast.person(Role.ADMIN, first_name=f"Eve{line}Bcc: all@school.test{line}{line}Hello")
    ask(admin)
    send_due(cast)
    (message,) = opened.received
    assert message["Bcc"] is None
    assert message["X-Envelope"] == f"rollcall@localhost {admin.email}"
    assert message["Subject"] == "Mail to Eve Bcc: all@school.test Hello works"


@pytest.mark.parametrize(
    "values",
    [
        {"to": "ada@school.test\r\nBcc: all@school.test"},
        {"to": "ada@school.test, all@school.test"},
    ],
)
def test_no_address_adds_a_header(cast: Cast, values: dict[str, Any]) -> None:
    with cast.app.app_context(), pytest.raises(ValueError, match=r"address|linefeed"):
        post(**values)


@pytest.mark.parametrize(("takes", "status"), [(True, "sent"), (False, "failed")])
def test_an_address_of_any_script_is_only_for_servers_that_take_it(
    cast: Cast, server: MailServer, takes: bool, status: str
) -> None:
    with server.open(enable_SMTPUTF8=takes), cast.app.app_context():
        post(to="zoë@школа.test")
        post()
        delivery.send_due()
        assert db.session.scalars(select(Mail.status).order_by(Mail.id)).all() == [status, "sent"]
    assert [str(message["To"]) for message in server.received] == ["zoë@школа.test"] * takes + ["ada@school.test"]


def test_where_encryption_is_required_nothing_is_sent_without(
    cast: Cast, admin: Person, opened: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    required = SecretStr(opened.url.replace("smtp://", "smtp+starttls://"))
    monkeypatch.setattr(cast.app.extensions["settings"], "smtp_url", required)
    ask(admin)
    send_due(cast)
    assert opened.received == []
    assert "STARTTLS" in listed(admin)["error"]


@pytest.mark.parametrize("vouched", [True, False])
@pytest.mark.parametrize("scheme", ["smtp", "smtp+starttls", "smtps"])
def test_mail_is_encrypted_and_where_it_must_be_only_to_a_server_that_is_who_it_says(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, scheme: str, vouched: bool
) -> None:
    server, tls = MailServer(free_port()), certified(tmp_path)
    if vouched:
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "server.pem"))
    monkeypatch.setattr(cast.app.extensions["settings"], "smtp_url", SecretStr(f"{scheme}://127.0.0.1:{server.port}"))
    options = {"ssl_context": tls} if scheme == "smtps" else {"tls_context": tls, "require_starttls": True}
    with server.open(**options), cast.app.app_context():
        post()
        delivery.send_due()
        said = db.session.scalars(select(Mail.error)).one()
    taken = vouched or scheme == "smtp"
    assert len(server.received) == taken
    assert said is None if taken else "CERTIFICATE_VERIFY_FAILED" in str(said)


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
@pytest.mark.parametrize(("password", "sent"), [("p%2Fw%3Ad", 1), ("wrong", 0)])
def test_a_wrong_password_fails_no_mail_but_delays_it(
    cast: Cast, server: MailServer, monkeypatch: pytest.MonkeyPatch, password: str, sent: int
) -> None:
    def knows(_server: Any, _session: Any, _envelope: Any, _mechanism: str, given: Any) -> AuthResult:
        right = (given.login, given.password) == (b"rollcall@school.test", b"p/w:d")
        return AuthResult(success=right, handled=False)

    url = server.url.replace("://", f"://rollcall%40school.test:{password}@")
    monkeypatch.setattr(cast.app.extensions["settings"], "smtp_url", SecretStr(url))
    options = {"authenticator": knows, "auth_required": True, "auth_require_tls": False}
    with server.open(**options), cast.app.app_context():
        post()
        delivery.send_due()
        status, said = db.session.execute(select(Mail.status, Mail.error)).one()
    assert len(server.received) == sent
    assert (status, said and said[:3]) == (("sent", None) if sent else ("queued", "535"))


def test_without_a_mail_server_each_mail_is_a_file_and_the_log_tells_where_and_not_what(
    cast: Cast, admin: Person
) -> None:
    lines = io.StringIO()
    logs.configure("INFO", lines)
    try:
        ask(admin)
        send_due(cast)
    finally:
        logs.configure("WARNING")
    (told,) = [line for line in map(json.loads, lines.getvalue().splitlines()) if line["event"] == "mail_written"]
    assert (told["mail_id"], told["template"]) == (listed(admin)["id"], "test")
    assert admin.email not in str(told)
    folder = cast.app.extensions["settings"].instance_dir / "mail"
    assert folder.stat().st_mode & 0o077 == 0
    file = folder / f"{told['mail_id']}.eml"
    assert told["file"] == str(file)
    assert BytesParser(policy=default).parsebytes(file.read_bytes())["To"] == admin.email


def test_who_has_no_address_is_told(cast: Cast, admin: Person) -> None:
    with cast.app.app_context():
        db.session.execute(update(User).where(User.id == admin.id).values(email=None))
        db.session.commit()
    answer = admin.post("/api/admin/mails/test")
    assert (answer.status_code, answer.json["code"]) == (409, "no_email_address")


@pytest.mark.parametrize("name", ["学" * 200, "Two\nlines", "Smith, John"])
def test_an_organisation_of_any_name_sends_mail(cast: Cast, opened: MailServer, name: str) -> None:
    with cast.app.app_context():
        organisation = make(Organisation, name=name)
        transaction(mail.post)("test", "ada@example.org", organisation.id, name="Ada")
    send_due(cast)
    (message,) = opened.received
    shown = message["From"].addresses[0].display_name
    assert shown.split() == name.split() or shown.replace(" ", "") == name[:100]  # as Python's parser joins it
