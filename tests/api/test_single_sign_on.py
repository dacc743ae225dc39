"""Signing in at an organisation's own OpenID Connect provider, which runs beside the tests."""

from __future__ import annotations

import base64
import hmac
import io
import json
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from threading import Barrier
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from joserfc.jwk import RSAKey
from sqlalchemy import func, select
from werkzeug.wrappers import Response

from app import logs
from app.extensions import db, limiter
from app.models import AuditEntry, Identity, Role, SingleSignOn, User, UserStatus
from app.services import identity_provider as idp
from app.services import outside, vault
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make_user
from tests.identity_provider import CLIENT, IdentityProvider, running, signed
from tests.mails import token_mailed

SETTINGS = "/api/admin/single-sign-on"
COOKIE = "single_sign_on"


@pytest.fixture
def provider(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Iterator[IdentityProvider]:
    monkeypatch.setattr(cast.app.extensions["settings"], "allow_private_networks", True)
    monkeypatch.setattr(idp, "_kept", {})
    with running() as provider:
        yield provider


@dataclass
class School:
    """An organisation whose people sign in at the provider."""

    cast: Cast
    provider: IdentityProvider
    admin: Person

    def set_up(self, **values: Any) -> Any:
        usual = {"issuer": self.provider.issuer, "client_id": CLIENT[0], "client_secret": CLIENT[1]}
        return self.admin.put(SETTINGS, usual | {"default_role": "student"} | values)

    @property
    def callback(self) -> str:
        return f"/api/auth/single-sign-on/{self.admin.organisation_id}/callback"

    def begin(self, browser: Person) -> Any:
        return browser.get(f"/api/auth/single-sign-on/{self.admin.organisation_id}")

    def at_the_provider(self, browser: Person) -> str:
        """Begin, and sign in there: the address to which the provider sends the browser back."""
        begun = self.begin(browser)
        assert begun.status_code == 302, begun.text
        there = requests.get(begun.headers["Location"], allow_redirects=False, timeout=5)
        back = there.headers["Location"]
        assert back.startswith(f"http://localhost:8000{self.callback}?")
        return back.removeprefix("http://localhost:8000")

    def sign_in(self) -> Any:
        browser = self.cast.nobody
        return browser.get(self.at_the_provider(browser))

    def refused(self) -> tuple[int, str]:
        answer = self.sign_in()
        assert answer.mimetype == "application/problem+json"
        assert "Location" not in answer.headers
        return answer.status_code, answer.json["code"]


@pytest.fixture
def school(cast: Cast, provider: IdentityProvider) -> School:
    school = School(cast, provider, cast.person(Role.ADMIN))
    answer = school.set_up()
    assert answer.status_code == 200, answer.text
    return school


FAILED = (400, "single_sign_on_failed")
NOT_LET_IN = (403, "registration_refused")
VERIFIED = {"sub": "ada", "email": "Ada@School.test", "email_verified": True, "name": "Ada Lovelace"}


def count(cast: Cast, model: Any) -> int:
    with cast.app.app_context():
        return db.session.scalar(select(func.count()).select_from(model)) or 0


def user_of(cast: Cast, id_: Any) -> User:
    with cast.app.app_context():
        return db.session.get_one(User, uuid.UUID(str(id_)))


def test_a_new_person_signs_in_and_has_an_account(school: School) -> None:
    school.provider.person = VERIFIED | {"given_name": "Ada", "family_name": "King"}
    answer = school.sign_in()
    assert answer.status_code == 200, answer.text
    user = answer.json["user"]
    assert (user["email"], user["email_verified"], user["role"]) == ("ada@school.test", True, "student")
    assert (user["first_name"], user["last_name"]) == ("Ada", "King")
    assert user["organisation_id"] == str(school.admin.organisation_id)
    person = Person(school.cast.app.test_client(), token=answer.json["access_token"])
    assert person.get("/api/auth/profile").json["id"] == answer.json["user_id"]
    assert answer.headers["Cache-Control"] == "no-store"
    assert person.post("/api/auth/refresh", {"refresh_token": answer.json["refresh_token"]}).status_code == 200


def test_who_comes_again_has_the_same_account_whatever_their_email_is_now(school: School) -> None:
    school.provider.person = VERIFIED
    first = school.sign_in()
    school.provider.person = VERIFIED | {"email": "countess@school.test"}
    assert school.sign_in().json["user_id"] == first.json["user_id"]
    assert count(school.cast, Identity) == 1


def test_a_subject_is_one_persons_at_its_own_provider_only(school: School) -> None:
    first = school.sign_in()
    with running() as other:
        school.set_up(issuer=other.issuer)
        school.provider = other
        assert school.sign_in().json["user_id"] != first.json["user_id"]


@pytest.mark.parametrize("verified", [True, "true"])
def test_an_account_with_a_verified_email_is_linked(school: School, verified: Any) -> None:
    there = school.cast.teacher(email="ada@school.test")
    school.provider.person = VERIFIED | {"email_verified": verified}
    answer = school.sign_in()
    assert (answer.json["user_id"], answer.json["user"]["role"]) == (str(there.id), "teacher")


@pytest.mark.parametrize("verified", [False, None, "false", 1, "yes"])
def test_an_account_is_not_linked_by_an_email_that_is_not_verified(school: School, verified: Any) -> None:
    there = school.cast.teacher(email="ada@school.test")
    school.provider.person = VERIFIED | {"email_verified": verified}
    answer = school.sign_in()
    assert answer.json["user_id"] != str(there.id)
    assert (answer.json["user"]["email"], answer.json["user"]["role"]) == (None, "student")


def test_what_somebody_signed_in_with_who_never_confirmed_the_address_ends_when_its_owner_comes(
    school: School,
) -> None:
    """Somebody else may have registered with it beforehand, to share the account later."""
    guest = school.cast.student(email="ada@school.test")
    guest.post("/api/auth/change-email", {"email": "guest@evil.test", "password": PASSWORD})
    school.provider.person = VERIFIED
    assert school.sign_in().json["user_id"] == str(guest.id)
    link = guest.post("/api/auth/confirm-email", {"token": token_mailed(school.cast, "guest@evil.test")})
    assert link.json["code"] == "link_invalid"
    assert guest.get("/api/auth/profile").json["code"] == "token_revoked"
    again = guest.post("/api/auth/login", {"email": "ada@school.test", "password": PASSWORD})
    assert again.json["code"] == "wrong_credentials"


def test_who_had_yet_to_confirm_their_address_need_not_any_more(school: School) -> None:
    with school.cast.app.app_context():
        make_user(organisation_id=school.cast.organisation(), email="ada@school.test", role=Role.STUDENT,
                  status=UserStatus.PENDING)  # fmt: skip
    school.provider.person = VERIFIED
    assert school.sign_in().json["user"]["status"] == "active"


def test_another_organisations_account_is_neither_linked_nor_told_of(school: School) -> None:
    other = school.cast.person(Role.ADMIN, school.cast.other_organisation(), email="ada@school.test")
    school.provider.person = VERIFIED
    answer = school.sign_in()
    assert (answer.status_code, answer.json["code"]) == NOT_LET_IN
    assert "another" not in answer.text
    assert "ada" not in answer.text
    assert other.get("/api/auth/sign-ins").json["items"][0]["id"]
    assert count(school.cast, Identity) == 0


def test_an_organisations_provider_cannot_say_who_the_super_admin_is(school: School) -> None:
    school.cast.person(Role.SUPER_ADMIN, email="ada@school.test")
    school.provider.person = VERIFIED
    assert school.refused() == NOT_LET_IN


@pytest.mark.parametrize(
    ("groups", "role"),
    [
        ("staff", "teacher"),
        (["pupils", "staff", "unknown"], "teacher"),
        (["heads", "staff"], "admin"),
        (["unknown"], "student"),
        ([{"staff": 1}, 7, None], "student"),
        (None, "student"),
    ],
)
def test_the_claim_decides_a_new_persons_role(school: School, groups: Any, role: str) -> None:
    school.set_up(role_map={"staff": "teacher", "pupils": "student", "heads": "admin"})
    school.provider.person = VERIFIED | {"groups": groups}
    assert school.sign_in().json["user"]["role"] == role


def test_without_a_default_role_only_those_come_in_who_are_known_or_mapped(school: School) -> None:
    school.set_up(default_role=None, role_claim="department", role_map={"staff": "teacher"})
    school.provider.person = VERIFIED | {"groups": "staff"}
    assert school.refused() == NOT_LET_IN
    assert count(school.cast, User) == 1
    school.provider.person = VERIFIED | {"department": "staff"}
    assert school.sign_in().status_code == 200
    school.provider.person = VERIFIED
    assert school.sign_in().json["user"]["role"] == "teacher"


def test_a_role_follows_the_claim_and_the_audit_log_knows(school: School) -> None:
    school.set_up(role_map={"staff": "teacher"})
    school.provider.person = VERIFIED
    assert school.sign_in().json["user"]["role"] == "student"
    school.provider.person = VERIFIED | {"groups": ["staff"]}
    answer = school.sign_in()
    assert answer.json["user"]["role"] == "teacher"
    with school.cast.app.app_context():
        entries = db.session.scalars(select(AuditEntry).where(AuditEntry.entity == "users")).all()
        contents = [entry.content or {} for entry in entries]
    (change,) = [content for content in contents if "role" in content.get("before", {})]
    assert (change["before"], change["after"]) == ({"role": "student"}, {"role": "teacher"})
    assert change["reason"] == "single sign-on"


def test_the_last_administrator_does_not_lose_their_role(school: School) -> None:
    school.set_up(role_map={"staff": "teacher"})
    with school.cast.app.app_context():
        db.session.get_one(User, school.admin.id).email = "ada@school.test"
        db.session.commit()
    school.provider.person = VERIFIED | {"groups": "staff"}
    assert school.sign_in().json["user"]["role"] == "admin"
    school.cast.person(Role.ADMIN)
    assert school.sign_in().json["user"]["role"] == "teacher"


def test_nor_can_it_of_who_became_the_super_admin_after_they_were_linked(school: School) -> None:
    school.provider.person = VERIFIED
    linked = uuid.UUID(school.sign_in().json["user_id"])
    with school.cast.app.app_context():
        db.session.get_one(User, linked).role = Role.SUPER_ADMIN
        db.session.commit()
    assert school.refused() == NOT_LET_IN
    assert user_of(school.cast, linked).role == Role.SUPER_ADMIN


@pytest.mark.parametrize("status", [UserStatus.SUSPENDED, UserStatus.INACTIVE])
@pytest.mark.parametrize("known", [True, False])
def test_who_is_suspended_stays_out(school: School, status: UserStatus, known: bool) -> None:
    school.set_up(role_map={"staff": "teacher"})
    school.provider.person = VERIFIED
    there = school.cast.student(email="ada@school.test")
    if known:
        school.sign_in()
    with school.cast.app.app_context():
        db.session.get_one(User, there.id).status = status
        db.session.commit()
    school.provider.person = VERIFIED | {"groups": "staff"}
    assert school.refused() == (403, "account_suspended")
    user = user_of(school.cast, there.id)
    assert (user.status, user.role) == (status, Role.STUDENT)


def test_two_first_sign_ins_at_once_make_one_account(school: School) -> None:
    school.provider.person = VERIFIED
    browsers = [school.cast.nobody for _ in range(8)]
    ways_back = [school.at_the_provider(browser) for browser in browsers]
    start = Barrier(len(browsers))

    def come_back(number: int) -> Any:
        start.wait()
        return browsers[number].get(ways_back[number])

    with ThreadPoolExecutor(len(browsers)) as pool:
        answers = list(pool.map(come_back, range(len(browsers))))
    assert {a.status_code for a in answers} == {200}
    assert len({a.json["user_id"] for a in answers}) == 1
    assert (count(school.cast, User), count(school.cast, Identity)) == (2, 1)


def encoded(part: bytes) -> str:
    return base64.urlsafe_b64encode(part).rstrip(b"=").decode()


def unsigned(claims: dict[str, Any], key: RSAKey) -> str:
    return ".".join([*(encoded(json.dumps(part).encode()) for part in ({"alg": "none"}, claims)), ""])


def signed_with_what_all_know(claims: dict[str, Any], key: RSAKey) -> str:
    header = {"alg": "HS256", "kid": key.kid}
    text = ".".join(encoded(json.dumps(part).encode()) for part in (header, claims))
    return f"{text}.{encoded(hmac.digest(key.as_pem(private=False), text.encode(), 'sha256'))}"


def signed_by_another(claims: dict[str, Any], key: RSAKey) -> str:
    return signed(claims, RSAKey.generate_key(2048, {"kid": str(key.kid)}))


def signed_with_an_unknown_key(claims: dict[str, Any], key: RSAKey) -> str:
    return signed(claims, RSAKey.generate_key(2048, {"kid": "nobody's"}))


def changed_afterwards(claims: dict[str, Any], key: RSAKey) -> str:
    header, _, signature = signed(claims, key).split(".")
    return f"{header}.{encoded(json.dumps(claims | {'sub': 'eve'}).encode())}.{signature}"


@pytest.mark.parametrize(
    "sign",
    [
        unsigned,
        signed_with_what_all_know,
        signed_by_another,
        signed_with_an_unknown_key,
        changed_afterwards,
        lambda *_: "no token",
        lambda *_: "",
        lambda *_: None,
    ],
)
def test_an_id_token_that_the_provider_has_not_signed_opens_nothing(school: School, sign: Any) -> None:
    school.provider.sign = sign
    assert school.refused() == FAILED
    assert count(school.cast, User) == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"nonce": "of another sign-in"},
        {"nonce": None},
        {"aud": "another application"},
        {"aud": ["another application"]},
        {"aud": [CLIENT[0], "another application"], "azp": "another application"},
        {"azp": "another application"},
        {"iss": "https://another.example"},
        {"iss": None},
        {"aud": None},
        {"aud": []},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"iat": 4_000_000_000},
        {"sub": ""},
        {"sub": 7},
        {"sub": "ada "},
        {"sub": "a\0da"},
        {"sub": "x" * 256},
    ],
    ids=str,
)
def test_an_id_token_for_something_else_opens_nothing(school: School, claims: dict[str, Any]) -> None:
    school.provider.claims = claims
    assert school.refused() == FAILED
    assert count(school.cast, User) == 1


@pytest.mark.parametrize(
    "claims",
    [
        {"name": "\ud800\0"},
        {"name": "é" * 500},
        {"name": 7, "given_name": ["x"], "email": 7, "email_verified": True},
        {"name": None, "email": ["ada@school.test"], "email_verified": "true"},
        {"given_name": "x" * 101, "family_name": "y" * 101},
        {"email": "no address", "email_verified": True},
        {"email_verified": True},
        {"email": "\ud800@school.test", "email_verified": True},
        {"aud": [CLIENT[0], "another application"], "azp": CLIENT[0]},
    ],
    ids=ascii,
)
def test_a_person_comes_in_whatever_the_provider_calls_them(school: School, claims: dict[str, Any]) -> None:
    school.provider.claims = claims
    answer = school.sign_in()
    assert answer.status_code == 200, answer.text
    assert answer.json["user"]["first_name"]
    assert answer.json["user"]["email"] is None


def test_a_providers_new_key_is_fetched_once(school: School) -> None:
    school.sign_in()
    school.sign_in()
    asked = school.provider.asked
    assert (asked.count("/keys"), asked.count("/.well-known/openid-configuration")) == (1, 1)
    school.provider.key = RSAKey.generate_key(2048, {"kid": "second"})
    assert school.sign_in().status_code == 200
    assert asked.count("/keys") == 2
    school.provider.sign = signed_with_an_unknown_key
    assert school.refused() == FAILED
    assert asked.count("/keys") == 3


def test_the_secret_is_sent_as_the_provider_takes_it(school: School) -> None:
    school.provider.metadata = {"token_endpoint_auth_methods_supported": ["private_key_jwt", "client_secret_post"]}
    school.set_up()
    assert school.sign_in().status_code == 200


def test_a_wrong_secret_is_the_providers_refusal(school: School) -> None:
    school.set_up(client_secret="another")
    assert school.refused() == FAILED


def test_only_the_browser_that_began_can_finish(school: School) -> None:
    browser, other = school.cast.nobody, school.cast.nobody
    back = school.at_the_provider(browser)
    answers = [other.get(back)]
    school.begin(other)
    answers.append(other.get(back))
    assert [(a.status_code, a.json["code"]) for a in answers] == [FAILED] * 2


@pytest.mark.parametrize("change", [lambda state: state[:-1] + "é", lambda _: "", lambda _: "x" * 43])
def test_a_forged_state_is_refused(school: School, change: Any) -> None:
    browser = school.cast.nobody
    asked = parse_qs(urlsplit(school.at_the_provider(browser)).query)
    query = {"code": asked["code"][0], "state": change(asked["state"][0])}
    answer = browser.get(school.callback, query_string=query)
    assert (answer.status_code, answer.json["code"]) == FAILED


@pytest.mark.parametrize("cookie", ["", "forged", "é", "x" * 4000])
def test_a_forged_cookie_is_refused(school: School, cookie: str) -> None:
    browser = school.cast.nobody
    back = school.at_the_provider(browser)
    browser.client.set_cookie(COOKIE, cookie)
    answer = browser.get(back)
    assert (answer.status_code, answer.json["code"]) == FAILED


def test_a_sign_in_works_once(school: School) -> None:
    browser = school.cast.nobody
    back = school.at_the_provider(browser)
    cookie = browser.client.get_cookie(COOKIE)
    assert cookie
    assert browser.get(back).status_code == 200
    assert browser.client.get_cookie(COOKIE) is None
    browser.client.set_cookie(COOKIE, cookie.value)
    answer = browser.get(back)
    assert (answer.status_code, answer.json["code"]) == FAILED


def test_a_sign_in_that_was_begun_too_long_ago_is_refused(school: School) -> None:
    browser = school.cast.nobody
    back = school.at_the_provider(browser)
    cookie = browser.client.get_cookie(COOKIE)
    assert cookie
    with school.cast.app.app_context():
        sealed = vault.vault()
        past = int(time.time() - timedelta(minutes=11).total_seconds())
        late = sealed.encrypt_at_time(sealed.decrypt(cookie.value), past)
    browser.client.set_cookie(COOKIE, late.decode())
    answer = browser.get(back)
    assert (answer.status_code, answer.json["code"]) == FAILED


def test_the_cookie_is_the_browsers_own(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    begun = school.begin(school.cast.nobody)
    said = begun.headers["Set-Cookie"]
    assert "HttpOnly" in said
    assert "SameSite=Lax" in said
    assert "Secure" not in said
    asked = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert asked["state"][0] not in said
    monkeypatch.setattr(school.cast.app.extensions["settings"], "public_url", "https://rollcall.example")
    begun = school.begin(school.cast.nobody)
    assert begun.headers["Set-Cookie"].startswith("__Host-single_sign_on=")
    assert "Secure" in begun.headers["Set-Cookie"]
    asked = parse_qs(urlsplit(begun.headers["Location"]).query)
    assert asked["redirect_uri"] == [f"https://rollcall.example{school.callback}"]


def test_what_the_provider_refuses_is_said(school: School) -> None:
    school.provider.refuses = "access_denied"
    answer = school.sign_in()
    assert (answer.status_code, answer.json["code"]) == FAILED
    assert "access_denied" in answer.json["detail"]
    assert "Max-Age=0" in answer.headers["Set-Cookie"]


def test_the_answer_of_another_provider_is_refused(school: School) -> None:
    """RFC 9207: else a provider that is not honest gets codes for another one."""
    browser = school.cast.nobody
    answer = browser.get(f"{school.at_the_provider(browser)}&iss=https://another.example")
    assert (answer.status_code, answer.json["code"]) == FAILED
    school.provider.metadata = {"authorization_response_iss_parameter_supported": True}
    school.set_up()
    assert school.refused() == FAILED
    answer = browser.get(f"{school.at_the_provider(browser)}&iss={school.provider.issuer}")
    assert answer.status_code == 200


def test_a_provider_that_is_down_is_no_failure_of_ours(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = school.cast.nobody
    back = school.at_the_provider(browser)
    school.provider.down = True
    answers = [browser.get(back)]
    monkeypatch.setattr(idp, "_kept", {})
    answers.append(school.begin(browser))
    assert [(a.status_code, a.json["code"]) for a in answers] == [(503, "provider_unavailable")] * 2
    assert school.provider.issuer not in answers[0].text + answers[1].text


def test_the_browser_returns_to_the_front_end_with_the_tokens_behind_the_hash(school: School) -> None:
    school.set_up(return_url="https://front.example/in?tab=1")
    answer = school.sign_in()
    assert answer.status_code == 302
    address, _, fragment = answer.headers["Location"].partition("#")
    tokens = parse_qs(fragment)
    assert address == "https://front.example/in?tab=1"
    assert tokens.keys() == {"access_token", "refresh_token", "expires_at"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert tokens["access_token"][0] not in answer.text.partition("#")[0]
    person = Person(school.cast.app.test_client(), token=tokens["access_token"][0])
    assert person.get("/api/auth/profile").status_code == 200


def test_what_is_off_or_was_never_on_is_not_found(school: School) -> None:
    browser = school.cast.nobody
    back = school.at_the_provider(browser)
    school.set_up(is_enabled=False)
    answers = [school.begin(browser), browser.get(back)]
    answers.append(browser.get(f"/api/auth/single-sign-on/{uuid.uuid4()}"))
    assert {(a.status_code, a.json["code"]) for a in answers} == {(404, "not_found")}


def test_settings_are_read_changed_and_removed(school: School) -> None:
    school.set_up(role_claim="roles", role_map={"staff": "teacher"}, return_url="http://localhost:3000/in")
    assert school.admin.get(SETTINGS).json == {
        "issuer": school.provider.issuer,
        "client_id": CLIENT[0],
        "role_claim": "roles",
        "role_map": {"staff": "teacher"},
        "default_role": "student",
        "return_url": "http://localhost:3000/in",
        "is_enabled": True,
    }
    assert school.admin.delete(SETTINGS).status_code == 200
    answers = [school.admin.get(SETTINGS), school.admin.delete(SETTINGS), school.begin(school.cast.nobody)]
    assert {(a.status_code, a.json["code"]) for a in answers} == {(404, "not_found")}


def test_the_client_secret_is_kept_encrypted_and_never_shown(school: School) -> None:
    stream = io.StringIO()
    logs.configure("DEBUG", stream)
    try:
        answers = [school.set_up(), school.admin.get(SETTINGS), school.sign_in(), school.admin.get("/api/admin/audit")]
    finally:
        logs.configure("WARNING")
    assert {a.status_code for a in answers} == {200}
    shown = stream.getvalue() + "".join(a.text + str(a.headers) for a in answers)
    with school.cast.app.app_context():
        kept = db.session.scalars(select(SingleSignOn.client_secret)).one()
    basic = base64.b64encode(":".join(CLIENT).encode()).decode()
    assert CLIENT[1].encode() not in kept
    assert CLIENT[1] not in shown
    assert basic not in shown


def test_a_secret_that_is_not_sent_stays_but_goes_to_no_other_provider(school: School) -> None:
    assert school.set_up(client_secret=None).status_code == 200
    assert school.sign_in().status_code == 200
    with running() as other:
        answer = school.set_up(issuer=other.issuer, client_secret=None)
    assert (answer.status_code, answer.json["errors"].keys()) == (400, {"client_secret"})
    assert school.admin.get(SETTINGS).json["issuer"] == school.provider.issuer


@pytest.mark.parametrize(
    "values",
    [
        {"role_map": {"heads": "super_admin"}},
        {"default_role": "super_admin"},
        {"return_url": "http://front.example/"},
        {"return_url": "https://front.example/#in"},
        {"return_url": "javascript:alert(1)"},
        {"return_url": "https://"},
        {"issuer": "no address"},
        {"issuer": "https://login.example/?tenant=1"},
        {"issuer": "https://["},
        {"client_id": ""},
        {"client_secret": ""},
        {"client_secret": "é"},
    ],
    ids=str,
)
def test_settings_that_make_no_sense_are_refused(school: School, values: dict[str, Any]) -> None:
    answer = school.set_up(**values)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({"issuer": "https://another.example"}, "https://another.example"),
        ({"token_endpoint": None}, "token_endpoint"),
        ({"jwks_uri": "file:///etc/passwd"}, "jwks_uri"),
        ({"filler": "x" * 300_000}, "250000 bytes"),
    ],
    ids=["issuer", "missing", "scheme", "size"],
)
def test_an_issuer_is_asked_whether_it_is_one(school: School, metadata: dict[str, Any], said: str) -> None:
    school.provider.metadata = metadata
    answer = school.set_up()
    assert (answer.status_code, answer.json["code"]) == (400, "address_refused")
    assert said in answer.json["detail"]


def test_an_issuer_that_never_ends_its_answer_is_refused(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    def one_byte_at_a_time() -> Iterator[bytes]:
        for _ in range(100):
            yield b" "
            time.sleep(0.05)

    monkeypatch.setattr(outside, "WHOLE", 0.2)
    monkeypatch.setattr(school.provider, "discovery", lambda _: Response(one_byte_at_a_time()))
    answer = school.set_up()
    assert (answer.status_code, answer.json["code"]) == (400, "address_refused")
    assert "for more than 0.2 s" in answer.json["detail"]


def test_an_issuer_that_does_not_answer_is_refused(school: School) -> None:
    answers = [school.set_up(issuer="http://127.0.0.1:1"), school.set_up(issuer=f"{school.provider.issuer}/keys")]
    school.provider.down = True
    answers.append(school.set_up())
    assert {(a.status_code, a.json["code"]) for a in answers} == {(400, "address_refused")}


def test_an_issuer_inside_the_network_is_refused_unless_the_installation_allows_it(
    school: School, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(school.cast.app.extensions["settings"], "allow_private_networks", False)
    port = urlsplit(school.provider.issuer).port
    before = len(school.provider.asked)
    for issuer in (school.provider.issuer, f"https://127.0.0.1:{port}", f"https://localhost:{port}"):
        answer = school.set_up(issuer=issuer)
        assert (answer.status_code, answer.json["code"]) == (400, "address_refused")
    assert len(school.provider.asked) == before


def test_which_ports_are_open_inside_the_network_is_not_told(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(school.cast.app.extensions["settings"], "allow_private_networks", False)
    ports = (urlsplit(school.provider.issuer).port, 1)
    told = {school.set_up(issuer=f"https://{host}:{port}").json["detail"]
            for host in ("127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]") for port in ports}  # fmt: skip
    assert told == {"This address leads into the server's own network"}


def test_each_organisation_has_its_own(school: School) -> None:
    other = school.cast.person(Role.ADMIN, school.cast.other_organisation())
    assert other.get(SETTINGS).json["code"] == "not_found"
    assert other.delete(SETTINGS).json["code"] == "not_found"
    theirs = School(school.cast, school.provider, other)
    theirs.set_up(default_role="parent")
    assert school.admin.get(SETTINGS).json["default_role"] == "student"
    ours = school.sign_in().json["user"]
    assert theirs.sign_in().json["user"]["organisation_id"] == str(other.organisation_id)
    assert ours["organisation_id"] == str(school.admin.organisation_id)
    teacher = school.cast.teacher()
    assert teacher.get(SETTINGS).json["code"] == "role_not_allowed"


def test_an_organisation_that_is_deactivated_takes_nobody_in(school: School) -> None:
    manager = school.cast.person(Role.SUPER_ADMIN)
    theirs = School(school.cast, school.provider, school.cast.person(Role.ADMIN, school.cast.other_organisation()))
    theirs.set_up()
    browser = school.cast.nobody
    back = theirs.at_the_provider(browser)
    manager.delete(f"/api/admin/organizations/{theirs.admin.organisation_id}")
    before = count(school.cast, User)
    assert browser.get(back).json["code"] == "not_found"
    assert count(school.cast, User) == before


def test_what_was_begun_with_one_organisation_is_not_finished_with_another(school: School) -> None:
    browser = school.cast.nobody
    back = school.at_the_provider(browser)
    elsewhere = back.replace(str(school.admin.organisation_id), str(school.cast.other_organisation()))
    answer = browser.get(elsewhere)
    assert (answer.status_code, answer.json["code"]) == FAILED


def test_failing_again_and_again_is_limited(school: School) -> None:
    limiter.enabled = True
    browser = school.cast.nobody
    answers = [browser.get(school.callback).status_code for _ in range(101)]
    assert (answers[:100], answers[100]) == ([400] * 100, 429)
