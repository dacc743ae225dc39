"""Sign-ins that last, end and are guessed at; links by mail; second factors."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import bcrypt
import pyotp
import pytest
from sqlalchemy import select

from app import clock
from app.extensions import db, limiter
from app.models import AuditEntry, Organisation, Role, User, UserStatus
from app.services.passwords import is_password
from tests.conftest import Cast, Person
from tests.factories import PASSWORD, make, make_user
from tests.mails import mailed, token_mailed

NEW = "four quite new words"


def log_in(nobody: Person, email: str, password: str = PASSWORD, **more: Any) -> Any:
    kwargs = {name: more.pop(name) for name in ("headers", "environ_overrides") if name in more}
    return nobody.post("/api/auth/login", {"email": email, "password": password} | more, **kwargs)


def bearer(cast: Cast, answer: Any) -> Person:
    return Person(cast.app.test_client(), token=answer.json["access_token"])


def later(monkeypatch: pytest.MonkeyPatch, **by: float) -> None:
    moved = clock.now() + timedelta(**by)
    monkeypatch.setattr(clock, "now", lambda: moved)


def test_a_refresh_token_works_once_and_gives_the_next(cast: Cast, nobody: Person, student: Person) -> None:
    token = log_in(nobody, student.email).json["refresh_token"]
    for _ in range(3):
        answer = nobody.post("/api/auth/refresh", {"refreshToken": token})
        assert answer.status_code == 200
        assert bearer(cast, answer).get("/api/auth/profile").json["id"] == str(student.id)
        assert answer.json["refresh_token"] != token
        token = answer.json["refresh_token"]


def test_a_reused_refresh_token_ends_its_whole_family_and_is_audited(
    cast: Cast, nobody: Person, student: Person
) -> None:
    first = log_in(nobody, student.email).json["refresh_token"]
    second = nobody.post("/api/auth/refresh", {"refresh_token": first})
    reused = nobody.post("/api/auth/refresh", {"refresh_token": first})
    assert (reused.status_code, reused.json["code"]) == (401, "refresh_token_reused")
    assert bearer(cast, second).get("/api/auth/profile").json["code"] == "token_revoked"
    again = nobody.post("/api/auth/refresh", {"refresh_token": second.json["refresh_token"]})
    assert again.json["code"] == "token_revoked"
    assert student.get("/api/auth/profile").status_code == 200, "another sign-in is another family"
    with cast.app.app_context():
        entry = db.session.scalars(select(AuditEntry).where(AuditEntry.action == "refresh_reused")).one()
        assert entry.person_id == student.id


def test_only_a_refresh_token_refreshes(nobody: Person, student: Person) -> None:
    for token in (student.token, "rubbish", f"{log_in(nobody, student.email).json['refresh_token']}x"):
        answer = nobody.post("/api/auth/refresh", {"refresh_token": token})
        assert (answer.status_code, answer.json["code"]) == (401, "token_invalid")
    refresh = log_in(nobody, student.email).json["refresh_token"]
    nobody.token = refresh
    assert nobody.get("/api/auth/profile").json["code"] == "token_invalid"


def test_a_suspended_person_cannot_refresh(cast: Cast, nobody: Person, student: Person) -> None:
    token = log_in(nobody, student.email).json["refresh_token"]
    cast.person(Role.ADMIN).post(f"/api/admin/users/{student.id}/suspend", {"reason": "lost the phone"})
    assert nobody.post("/api/auth/refresh", {"refresh_token": token}).status_code in {401, 403}


def test_one_sees_where_one_is_signed_in_and_ends_it_there(cast: Cast, nobody: Person, student: Person) -> None:
    phone = bearer(cast, log_in(nobody, student.email, device_info={"model": "Pixel 9"}))
    listed = student.get("/api/auth/sign-ins").json
    assert len(listed["items"]) == 2
    assert "Pixel 9" in listed["items"][0]["device"]
    other = next(item["id"] for item in listed["items"] if item["id"] != listed["current_id"])
    assert cast.student().delete(f"/api/auth/sign-ins/{other}").status_code == 404
    assert phone.get("/api/auth/profile").status_code == 200
    assert student.delete(f"/api/auth/sign-ins/{other}").status_code == 200
    assert phone.get("/api/auth/profile").json["code"] == "token_revoked"
    assert len(student.get("/api/auth/sign-ins").json["items"]) == 1


def test_signing_out_everywhere_ends_every_device(cast: Cast, nobody: Person, student: Person) -> None:
    phone = bearer(cast, log_in(nobody, student.email))
    assert phone.post("/api/auth/logout-all").status_code == 200
    assert [p.get("/api/auth/profile").status_code for p in (phone, student)] == [401, 401]


def test_those_who_call_at_the_same_moment_are_known_together_and_each_as_themselves(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, gone, *others = [cast.person(role) for role in Role for _ in range(2)]
    assert gone.post("/api/auth/logout").status_code == 200
    group, begun, come = cast.app.extensions["sign_ins"], Event(), Event()
    together: list[int] = []
    work = group._work

    def waiting(batch: Sequence[uuid.UUID]) -> Any:
        begun.set()
        come.wait(10)
        together.append(len(batch))
        return work(batch)

    monkeypatch.setattr(group, "_work", waiting)

    def profile(person: Person) -> tuple[int, str | None]:
        answer = Person(cast.app.test_client(), token=person.token).get("/api/auth/profile")
        return answer.status_code, answer.json.get("id", answer.json.get("code"))

    with ThreadPoolExecutor(len(others) + 2) as pool:
        answers = [pool.submit(profile, first)]
        begun.wait(10)
        answers += [pool.submit(profile, person) for person in (gone, *others)]
        while len(group._waiting) < len(others) + 1:
            pass
        come.set()
    assert together == [1, len(others) + 1]
    told = [answer.result() for answer in answers]
    assert told == [(200, str(first.id)), (401, "token_revoked"), *((200, str(one.id)) for one in others)]


def test_a_forgotten_password_is_set_with_a_mailed_link_that_works_once(
    cast: Cast, nobody: Person, student: Person
) -> None:
    assert nobody.post("/api/auth/forgot-password", {"email": student.email}).status_code == 202
    link = {"token": token_mailed(cast, student.email), "new_password": NEW}
    assert nobody.post("/api/auth/reset-password", link).status_code == 200
    assert student.get("/api/auth/profile").status_code == 401, "all devices are signed out"
    assert [log_in(nobody, student.email, word).status_code for word in (PASSWORD, NEW)] == [401, 200]
    again = nobody.post("/api/auth/reset-password", link)
    assert (again.status_code, again.json["code"]) == (400, "link_invalid")


def test_a_password_that_is_replaced_while_it_is_checked_signs_nobody_in(
    nobody: Person, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slowly(password: str, kept: str | None) -> bool:
        right = is_password(password, kept)
        student.post("/api/auth/change-password", {"current_password": PASSWORD, "new_password": NEW})
        return right

    monkeypatch.setattr("app.services.sign_in.is_password", slowly)
    assert log_in(nobody, student.email).json.get("code") == "wrong_credentials"


def test_whether_somebody_has_an_address_is_not_told(cast: Cast, nobody: Person, student: Person) -> None:
    answers = [nobody.post("/api/auth/forgot-password", {"email": e}) for e in (student.email, "nobody@school.test")]
    assert answers[0].json == answers[1].json
    assert mailed(cast, "nobody@school.test") == []


def test_a_link_ends_with_its_hour_and_with_the_next_one(
    cast: Cast, nobody: Person, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = []
    for _ in range(2):
        nobody.post("/api/auth/forgot-password", {"email": student.email})
        tokens.append(token_mailed(cast, student.email))
    body = {"new_password": NEW}
    assert nobody.post("/api/auth/reset-password", body | {"token": tokens[0]}).json["code"] == "link_invalid"
    later(monkeypatch, minutes=61)
    assert nobody.post("/api/auth/reset-password", body | {"token": tokens[1]}).json["code"] == "link_invalid"


def test_a_weak_new_password_does_not_use_the_link_up(cast: Cast, nobody: Person, student: Person) -> None:
    nobody.post("/api/auth/forgot-password", {"email": student.email})
    token = token_mailed(cast, student.email)
    for password, status in (("password1", 422), (NEW, 200)):
        body = {"token": token, "new_password": password}
        assert nobody.post("/api/auth/reset-password", body).status_code == status


def test_ones_own_address_is_no_password_to_choose_with_a_link(cast: Cast, nobody: Person, student: Person) -> None:
    nobody.post("/api/auth/forgot-password", {"email": student.email})
    reset = {"token": token_mailed(cast, student.email), "new_password": student.email}
    cast.person(Role.ADMIN).post("/api/admin/invitations", {"email": "mary@school.test", "role": "teacher"})
    joining = {"token": token_mailed(cast, "mary@school.test"), "password": "mary@school.test"}
    for call, body in (("reset-password", reset), ("accept-invitation", joining)):
        assert nobody.post(f"/api/auth/{call}", body).json.get("code") == "weak_password"
        without = nobody.post(f"/api/auth/{call}", body | {"token": "none"})
        assert without.json["code"] == "link_invalid", "whoever has no link is not worth the work of judging"


def test_an_invitation_makes_a_member(cast: Cast, nobody: Person) -> None:
    admin = cast.person(Role.ADMIN)
    invited = admin.post("/api/admin/invitations", {"email": "mary@school.test", "role": "teacher", "name": "Mary S"})
    assert invited.status_code == 201
    assert [i["email"] for i in admin.get("/api/admin/invitations").json["items"]] == ["mary@school.test"]
    body = {"token": token_mailed(cast, "mary@school.test"), "password": NEW}
    joined = nobody.post("/api/auth/accept-invitation", body)
    assert (joined.status_code, joined.json["role"], joined.json["name"]) == (201, "teacher", "Mary S")
    assert joined.json["organisation_id"] == str(admin.organisation_id)
    assert bearer(cast, joined).get("/api/auth/profile").json["email_verified"] is True
    assert nobody.post("/api/auth/accept-invitation", body).json["code"] == "link_invalid"
    assert admin.get("/api/admin/invitations").json["items"] == []


def test_an_invitation_can_be_taken_back(cast: Cast, nobody: Person) -> None:
    admin = cast.person(Role.ADMIN)
    invited = admin.post("/api/admin/invitations", {"email": "mary@school.test", "role": "teacher"}).json
    assert admin.delete(f"/api/admin/invitations/{invited['id']}").status_code == 200
    body = {"token": token_mailed(cast, "mary@school.test"), "password": NEW}
    assert nobody.post("/api/auth/accept-invitation", body).json["code"] == "link_invalid"


@pytest.mark.parametrize("change", [{"status": "suspended"}, {"role": "teacher"}])
def test_an_invitation_is_worth_no_more_than_who_sent_it_is_now(
    cast: Cast, nobody: Person, change: dict[str, str]
) -> None:
    admin, dismissed = cast.person(Role.ADMIN), cast.person(Role.ADMIN)
    dismissed.post("/api/admin/invitations", {"email": "back@door.test", "role": "admin"})
    assert admin.put(f"/api/admin/users/{dismissed.id}", change).status_code == 200
    answer = nobody.post(
        "/api/auth/accept-invitation", {"token": token_mailed(cast, "back@door.test"), "password": NEW}
    )
    assert (answer.status_code, answer.json["code"]) == (400, "link_invalid")


def test_nobody_joins_an_organisation_that_was_deactivated(cast: Cast, nobody: Person) -> None:
    other = cast.other_organisation()
    invitation = {"email": "mary@school.test", "role": "teacher"}
    cast.person(Role.ADMIN, other).post("/api/admin/invitations", invitation)
    cast.person(Role.SUPER_ADMIN).delete(f"/api/admin/organizations/{other}?reason=closed")
    answer = nobody.post(
        "/api/auth/accept-invitation", {"token": token_mailed(cast, "mary@school.test"), "password": NEW}
    )
    assert (answer.status_code, answer.json["code"]) == (403, "organisation_inactive")
    with cast.app.app_context():
        assert db.session.scalar(select(User.id).where(User.email == "mary@school.test")) is None


def test_nobody_is_invited_above_who_invites(cast: Cast) -> None:
    admin = cast.person(Role.ADMIN)
    refused = admin.post("/api/admin/invitations", {"email": "x@school.test", "role": "super_admin"})
    assert (refused.status_code, refused.json["code"]) == (403, "role_not_given")


def test_a_new_address_counts_once_it_is_confirmed(cast: Cast, nobody: Person, student: Person) -> None:
    body = {"email": "ada@new.test", "password": PASSWORD}
    assert student.post("/api/auth/change-email", body | {"password": "a guess"}).json["code"] == "wrong_password"
    assert student.post("/api/auth/change-email", body).status_code == 202
    assert "ada@new.test" in mailed(cast, student.email)[-1], "the old address is told"
    assert log_in(nobody, "ada@new.test").status_code == 401
    assert nobody.post("/api/auth/confirm-email", {"token": token_mailed(cast, "ada@new.test")}).status_code == 200
    assert [log_in(nobody, e).status_code for e in (student.email, "ada@new.test")] == [401, 200]


@pytest.mark.parametrize("how", ["changed", "forgotten", "given"])
def test_a_new_password_ends_the_links_that_somebody_who_knew_the_old_one_had_mailed(
    cast: Cast, nobody: Person, student: Person, how: str
) -> None:
    student.post("/api/auth/change-email", {"email": "thief@evil.test", "password": PASSWORD})
    if how == "changed":
        student.post("/api/auth/change-password", {"current_password": PASSWORD, "new_password": NEW})
    elif how == "forgotten":
        nobody.post("/api/auth/forgot-password", {"email": student.email})
        nobody.post("/api/auth/reset-password", {"token": token_mailed(cast, student.email), "new_password": NEW})
    else:
        cast.person(Role.ADMIN).put(f"/api/admin/users/{student.id}", {"password": NEW})
    thief = nobody.post("/api/auth/confirm-email", {"token": token_mailed(cast, "thief@evil.test")})
    assert (thief.status_code, thief.json["code"]) == (400, "link_invalid")
    assert log_in(nobody, student.email, NEW).status_code == 200


def test_an_address_that_was_taken_meanwhile_is_not_given_away(cast: Cast, nobody: Person, student: Person) -> None:
    student.post("/api/auth/change-email", {"email": "ada@new.test", "password": PASSWORD})
    with cast.app.app_context():
        make_user(email="ada@new.test")
    answer = nobody.post("/api/auth/confirm-email", {"token": token_mailed(cast, "ada@new.test")})
    assert (answer.status_code, answer.json["code"]) == (409, "email_taken")


def test_who_registers_by_email_domain_confirms_the_address_first(cast: Cast, nobody: Person) -> None:
    with cast.app.app_context():
        rule = {"rule": "domain", "domains": ["uni.test"], "roles": ["student"]}
        uni = str(make(Organisation, settings={"registration": rule}, time_zone="UTC").id)
    body = {"name": "Ada Lovelace", "password": PASSWORD, "role": "student", "org_id": uni}
    elsewhere = nobody.post("/auth/register", body | {"email": "ada@elsewhere.test"})
    assert (elsewhere.status_code, elsewhere.json["code"]) == (403, "registration_refused")
    registered = nobody.post("/auth/register", body | {"email": "ada@uni.test"})
    assert (registered.status_code, registered.json["status"], registered.json["token"]) == (201, "pending", None)
    assert log_in(nobody, "ada@uni.test").json["code"] == "email_unconfirmed"
    nobody.post("/api/auth/confirm-email", {"token": token_mailed(cast, "ada@uni.test")})
    assert log_in(nobody, "ada@uni.test").status_code == 200


def test_a_second_factor_is_asked_for_and_each_code_works_once(
    cast: Cast, nobody: Person, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_up = student.post("/api/auth/second-factor", {"password": PASSWORD}).json
    assert set_up["qr"].startswith("data:image/svg+xml")
    totp = pyotp.TOTP(set_up["secret"])
    assert log_in(nobody, student.email).status_code == 200, "it is not on before it was confirmed"
    assert student.post("/api/auth/second-factor/confirm", {"code": "000000"}).json["code"] == "wrong_code"
    code = totp.at(clock.now())
    recovery = student.post("/api/auth/second-factor/confirm", {"code": code}).json["recovery_codes"]
    assert log_in(nobody, student.email).json["code"] == "second_factor_required"
    assert log_in(nobody, student.email, code=code).json["code"] == "wrong_code", "it was used to confirm"
    later(monkeypatch, seconds=60)
    codes = [totp.at(clock.now()), totp.at(clock.now()), recovery[0].upper(), recovery[0], recovery[1]]
    assert [log_in(nobody, student.email, code=c).status_code for c in codes] == [200, 401, 200, 401, 200]
    assert log_in(nobody, student.email, "a guess", code=recovery[2]).json["code"] == "wrong_credentials"
    off = {"password": PASSWORD, "code": recovery[2]}
    assert student.post("/api/auth/second-factor/off", off).status_code == 200
    assert log_in(nobody, student.email).status_code == 200


def test_an_administrator_lets_in_who_has_lost_their_second_factor(cast: Cast, nobody: Person, student: Person) -> None:
    secret = student.post("/api/auth/second-factor", {"password": PASSWORD}).json["secret"]
    student.post("/api/auth/second-factor/confirm", {"code": pyotp.TOTP(secret).at(clock.now())})
    assert log_in(nobody, student.email).json["code"] == "second_factor_required"
    path = f"/api/admin/users/{student.id}/remove-second-factor"
    assert cast.teacher().post(path, {}).status_code == 403
    assert cast.person(Role.ADMIN).post(path, {"reason": "lost phone"}).status_code == 200
    assert student.get("/api/auth/profile").status_code == 401
    assert log_in(nobody, student.email).status_code == 200


def test_a_closed_organisation_takes_nobody_by_invitation(cast: Cast, nobody: Person) -> None:
    admin = cast.person(Role.ADMIN)
    admin.post("/api/admin/invitations", {"email": "mary@school.test", "role": "teacher"})
    closed = {"settings": {"registration": {"rule": "closed"}}}
    path = f"/api/admin/organizations/{admin.organisation_id}"
    kept = admin.get(path).json["settings"]["registration"]
    assert admin.put(path, closed).status_code == 200
    refused = admin.post("/api/admin/invitations", {"email": "ada@school.test", "role": "teacher"})
    accepted = nobody.post(
        "/api/auth/accept-invitation", {"token": token_mailed(cast, "mary@school.test"), "password": NEW}
    )
    admin.put(path, {"settings": {"registration": kept}})
    assert [(a.status_code, a.json["code"]) for a in (refused, accepted)] == [(403, "registration_refused")] * 2


def test_the_link_of_a_new_account_lasts(cast: Cast, nobody: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    cast.person(Role.ADMIN).post("/api/admin/users", {"name": "Mary", "email": "mary@school.test", "role": "teacher"})
    later(monkeypatch, days=13)
    body = {"token": token_mailed(cast, "mary@school.test"), "new_password": NEW}
    assert nobody.post("/api/auth/reset-password", body).status_code == 200


def test_an_authenticator_cannot_be_replaced_by_who_finds_a_phone_unlocked(student: Person) -> None:
    secret = student.post("/api/auth/second-factor", {"password": PASSWORD}).json["secret"]
    student.post("/api/auth/second-factor/confirm", {"code": pyotp.TOTP(secret).at(clock.now())})
    assert student.post("/api/auth/second-factor", {"password": PASSWORD}).json["code"] == "second_factor_exists"
    assert student.post("/api/auth/second-factor", {"password": "a guess"}).json["code"] == "wrong_password"


def test_unknown_email_and_wrong_password_cost_the_same_work(
    nobody: Person, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked: list[bytes] = []
    check = bcrypt.checkpw

    def noted(word: bytes, kept: bytes) -> bool:
        checked.append(kept[:7])
        return check(word, kept)

    monkeypatch.setattr(bcrypt, "checkpw", noted)
    for email in (student.email, "nobody@school.test"):
        assert log_in(nobody, email, "a guess").status_code == 401
    assert checked[0] == checked[1], "the same algorithm and rounds"


ATTEMPTS = 1000


def address(number: int) -> dict[str, str]:
    return {"REMOTE_ADDR": f"198.51.{number // 250}.{number % 250 + 1}"}


def test_guessing_one_account_from_many_addresses_is_stopped_and_its_owner_still_gets_in(
    nobody: Person, student: Person
) -> None:
    limiter.enabled = True
    kept = log_in(nobody, student.email, headers={"User-Agent": "owner's browser"}).json["device_token"]
    guesses = [log_in(nobody, student.email, "a guess", environ_overrides=address(n)) for n in range(ATTEMPTS)]
    tried = [g for g in guesses if g.status_code == 401]
    assert len(tried) == 50
    assert all(int(g.headers["Retry-After"]) > 0 for g in guesses if g.status_code == 429)
    stranger = log_in(nobody, student.email, environ_overrides=address(2000))
    assert stranger.status_code == 429, "a new device has to wait"
    elsewhere = {"REMOTE_ADDR": "203.0.113.9"}
    by_token = log_in(nobody, student.email, device_token=kept, environ_overrides=elsewhere)
    by_address = log_in(nobody, student.email, headers={"User-Agent": "owner's browser"})
    assert [by_token.status_code, by_address.status_code] == [200, 200]


def test_guesses_at_an_account_are_counted_together_however_its_address_is_spelt(cast: Cast, nobody: Person) -> None:
    cast.student(email="ada@school.test")
    limiter.enabled = True
    spellings = ("ada@school.test", " ADA@School.test", "ada@\uff53chool.test", "ada@\u017fchool\u3002test")
    guesses = [log_in(nobody, spellings[n % 4], "a guess", environ_overrides=address(n)) for n in range(60)]
    assert [guess.status_code for guess in guesses] == [401] * 50 + [429] * 10


def test_guessing_many_accounts_from_one_address_is_stopped_and_their_owners_still_get_in(
    cast: Cast, nobody: Person, student: Person
) -> None:
    limiter.enabled = True
    kept = log_in(nobody, student.email).json["device_token"]
    one = {"REMOTE_ADDR": "198.51.100.7"}
    guesses = [
        log_in(nobody, f"person{n}@school.test", "a guess", environ_overrides=one).status_code for n in range(ATTEMPTS)
    ]
    assert guesses.count(401) == 100
    assert set(guesses) == {401, 429}
    assert log_in(nobody, student.email, environ_overrides=one).status_code == 429
    assert log_in(nobody, student.email, device_token=kept, environ_overrides=one).status_code == 200


def test_who_guesses_at_the_owners_own_address_does_not_keep_their_device_out(nobody: Person, student: Person) -> None:
    log_in(nobody, student.email)
    limiter.enabled = True
    guesses = [log_in(nobody, student.email, "a guess", device_info="a neighbour's phone") for _ in range(11)]
    assert guesses[-1].status_code == 429
    assert log_in(nobody, student.email).status_code == 200


def test_a_known_device_does_not_guess_for_ever(
    nobody: Person, student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter.enabled = True
    kept, guesses = log_in(nobody, student.email).json["device_token"], []
    hour = time.time() // 3600 * 3600 + 3600
    for minute in range(15):
        monkeypatch.setattr(time, "time", lambda now=hour + minute * 60: now)
        guesses += [log_in(nobody, student.email, "a guess", device_token=kept).status_code for _ in range(10)]
    assert guesses == [401] * 100 + [429] * 50


def test_all_addresses_of_one_ipv6_network_are_counted_as_one(nobody: Person) -> None:
    limiter.enabled = True
    guesses = [
        log_in(
            nobody, f"p{n}@school.test", "x", environ_overrides={"REMOTE_ADDR": f"2001:db8:7:7:{n:x}::1"}
        ).status_code
        for n in range(1, 151)
    ]
    assert (guesses.count(401), guesses.count(429)) == (100, 50)
    for other in ("2001:db8:7:8::1", "::ffff:192.0.2.1"):
        assert log_in(nobody, "p@school.test", "x", environ_overrides={"REMOTE_ADDR": other}).status_code == 401


def test_whoever_asks_by_registering_who_has_an_account_is_stopped(nobody: Person, student: Person) -> None:
    limiter.enabled = True
    body = {"name": "Ada", "email": student.email, "password": NEW, "role": "student"}
    assert [nobody.post("/api/auth/register", body).status_code for _ in range(101)] == [409] * 100 + [429]


def test_a_found_phone_guesses_its_owners_password_ten_times_an_hour(
    student: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    limiter.enabled = True
    body = {"current_password": "a guess", "new_password": NEW}
    hour, guesses = time.time() // 3600 * 3600 + 3600, []
    for minute in range(2):
        monkeypatch.setattr(time, "time", lambda now=hour + minute * 60: now)
        guesses += [student.post("/api/auth/change-password", body).status_code for _ in range(10)]
    assert guesses == [400] * 10 + [429] * 10


def test_a_device_that_is_known_for_one_account_is_not_for_another(cast: Cast, nobody: Person) -> None:
    limiter.enabled = True
    mine, other = cast.student(), cast.student()
    kept = log_in(nobody, mine.email).json["device_token"]
    one = {"REMOTE_ADDR": "198.51.100.7"}
    guesses = [
        log_in(nobody, other.email, "a guess", device_token=kept, environ_overrides=address(n)) for n in range(60)
    ]
    assert [g.status_code for g in guesses].count(401) == 50
    assert log_in(nobody, mine.email, device_token=kept, environ_overrides=one).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {"email": "a\u0000b@school.test", "password": "x"},
        {"email": ["x"], "password": "x", "device_token": {"a": 1}},
        {"email": "a@b.org", "password": "x", "device_token": "\u0000", "device_info": "\u0000"},
    ],
)
def test_rubbish_is_no_guess_and_no_failure(nobody: Person, body: dict[str, Any]) -> None:
    limiter.enabled = True
    assert nobody.post("/api/auth/login", body).status_code in {401, 422}


def test_signing_in_is_remembered(cast: Cast, nobody: Person, student: Person) -> None:
    log_in(nobody, student.email)
    with cast.app.app_context():
        user = db.session.get(User, student.id)
        assert user
        assert user.last_sign_in_at is not None


def test_a_person_of_a_deactivated_organisation_is_out_at_once(cast: Cast, nobody: Person) -> None:
    other = cast.other_organisation()
    teacher = cast.teacher(organisation_id=other)
    manager = cast.person(Role.SUPER_ADMIN)
    assert manager.delete(f"/api/admin/organizations/{other}?reason=closed").status_code == 200
    assert teacher.get("/api/auth/profile").json["code"] == "organisation_inactive"
    assert log_in(nobody, teacher.email).json["code"] == "organisation_inactive"


def test_a_role_that_changes_counts_at_once(cast: Cast, teacher: Person) -> None:
    admin = cast.person(Role.ADMIN)
    assert teacher.get("/api/admin/users").status_code == 403
    admin.put(f"/api/admin/users/{teacher.id}", {"role": "admin"})
    assert teacher.get("/api/admin/users").status_code == 200


def test_nobody_follows_a_link_that_is_none(nobody: Person) -> None:
    body = {"token": str(uuid.uuid4())}
    for call, more in (("reset-password", {"new_password": NEW}), ("accept-invitation", {"password": NEW})):
        assert nobody.post(f"/api/auth/{call}", body | more).json["code"] == "link_invalid"
    assert nobody.post("/api/auth/confirm-email", body).json["code"] == "link_invalid"


def test_a_link_of_somebody_who_is_out_does_not_let_them_in(cast: Cast, nobody: Person, student: Person) -> None:
    nobody.post("/api/auth/forgot-password", {"email": student.email})
    token = token_mailed(cast, student.email)
    with cast.app.app_context():
        user = db.session.get(User, student.id)
        assert user
        user.status = UserStatus.SUSPENDED
        db.session.commit()
    nobody.post("/api/auth/reset-password", {"token": token, "new_password": NEW})
    assert log_in(nobody, student.email, NEW).json["code"] == "account_suspended"
