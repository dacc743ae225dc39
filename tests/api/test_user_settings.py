"""What people choose for themselves, and in which language they are written to."""

from __future__ import annotations

import pytest
from sqlalchemy import func, select

from app.extensions import db
from app.models import Mail, NotificationKind, Role, UserSettings
from app.services import mail
from app.services.languages import languages
from tests.conftest import Cast, Person
from tests.statements import counted
from tests.test_races import at_once, twin

PATH = "/api/users/me/settings"


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


def organisation_speaks(admin: Person, language: str) -> None:
    path = f"/api/admin/organizations/{admin.organisation_id}"
    answer = admin.put(path, {"settings": {"language": language}})
    assert answer.status_code == 200, answer.text


def latest_mail(cast: Cast, to: str) -> Mail:
    with cast.app.app_context():
        return db.session.scalars(select(Mail).where(Mail.recipient == to).order_by(Mail.id.desc())).first()  # type: ignore[return-value]


@pytest.mark.parametrize("role", list(Role))
def test_everybody_has_settings_of_their_own(cast: Cast, role: Role) -> None:
    person, other = cast.person(role), cast.person(role)
    unset = person.get(PATH).json
    assert (unset["language"], unset["time_format"], unset["notifications"]) == (None, None, {})
    assert unset["effective"] == {
        "language": "en",
        "is_right_to_left": False,
        "time_format": "12h",
        "notifications": dict.fromkeys(NotificationKind, "at_once"),
    }
    assert unset["languages"][:2] == [
        {"code": "en", "name": "English", "is_right_to_left": False},
        {"code": "ar", "name": "العربية", "is_right_to_left": True},
    ]
    chosen = person.put(PATH, {"language": "ar", "timeFormat": "24h", "notifications": {"message": "daily"}})
    assert chosen.status_code == 200, chosen.text
    assert chosen.json == person.get(PATH).json
    assert chosen.json["effective"]["notifications"]["message"] == "daily"
    assert (chosen.json["effective"]["is_right_to_left"], chosen.json["effective"]["time_format"]) == (True, "24h")
    assert other.get(PATH).json == unset


def test_what_is_not_sent_stays_and_null_is_no_choice(student: Person) -> None:
    student.put(PATH, {"language": "ar", "time_format": "24h", "notifications": {"message": "daily"}})
    assert student.put(PATH, {"notifications": {"absence": "never"}}).json["language"] == "ar"
    kept = student.put(PATH, {"language": None}).json
    assert (kept["language"], kept["time_format"]) == (None, "24h")
    assert kept["notifications"] == {"message": "daily", "absence": "never"}


def test_choices_that_there_are_not_are_refused_by_field(student: Person) -> None:
    for sent, field in (
        ({"language": "tlh"}, "language"),
        ({"language": "../en"}, "language"),
        ({"notifications": {"gossip": "daily"}}, "notifications.gossip"),
    ):
        refused = student.put(PATH, sent)
        assert (refused.status_code, refused.json["code"]) == (400, "unknown_choice")
        assert list(refused.json["errors"]) == [field]
    for sent in ({"time_format": "25h"}, {"notifications": {"absence": "hourly"}}, {"colour": "red"}):
        assert student.put(PATH, sent).status_code == 422
    assert student.get(PATH).json["language"] is None


def test_two_who_choose_at_once_make_one_row_of_both(cast: Cast, student: Person) -> None:
    kinds = list(NotificationKind)
    answers = at_once(lambda n: twin(cast, student).put(PATH, {"notifications": {kinds[n]: "never"}}), 6)
    assert answers == {200: 6}
    assert student.get(PATH).json["notifications"] == dict.fromkeys(kinds[:6], "never")
    with cast.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(UserSettings)) == 1


def test_mail_is_in_the_readers_language_else_in_the_organisations(cast: Cast, admin: Person) -> None:
    def subject() -> str:
        assert admin.post("/api/admin/mails/test").status_code == 200
        return latest_mail(cast, admin.email).subject

    english = subject()
    assert english.startswith("Mail to ")
    organisation_speaks(admin, "ar")
    assert subject().startswith("البريد إلى ")
    admin.put(PATH, {"language": "en"})
    assert subject() == english


def test_arabic_mail_goes_from_right_to_left(cast: Cast, admin: Person) -> None:
    admin.put(PATH, {"language": "ar"})
    admin.post("/api/admin/mails/test")
    sent = latest_mail(cast, admin.email)
    assert '<html lang="ar" dir="rtl">' in sent.html
    assert "مرحبًا" in sent.text
    assert "Hello" not in sent.text + sent.html
    admin.put(PATH, {"language": None})
    admin.post("/api/admin/mails/test")
    assert '<html lang="en" dir="ltr">' in latest_mail(cast, admin.email).html


def test_who_is_invited_reads_the_organisations_language(cast: Cast, admin: Person) -> None:
    organisation_speaks(admin, "ar")
    sent = admin.post("/api/admin/invitations", {"email": "new@school.test", "role": "teacher", "name": "<b>Zoë</b>"})
    assert sent.status_code in {200, 201}, sent.text
    invitation = latest_mail(cast, "new@school.test")
    assert "دعوة" in invitation.subject
    assert "&lt;b&gt;Zoë&lt;/b&gt;" in invitation.html
    assert "<b>Zoë" not in invitation.html


def test_an_organisation_chooses_a_language_that_there_is(admin: Person) -> None:
    path = f"/api/admin/organizations/{admin.organisation_id}"
    refused = admin.put(path, {"settings": {"language": "tlh"}})
    assert (refused.status_code, list(refused.json["errors"])) == (422, ["settings.language"])


def test_a_language_that_was_taken_away_leaves_english(
    cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    organisation_speaks(admin, "ar")
    monkeypatch.delitem(languages(), "ar")
    assert admin.get(PATH).json["effective"]["language"] == "en"
    assert admin.post("/api/admin/mails/test").status_code == 200
    assert latest_mail(cast, admin.email).subject.startswith("Mail to ")


def test_however_many_letters_their_languages_are_asked_for_at_once(cast: Cast) -> None:
    people = [cast.student() for _ in range(4)]
    numbers = []
    for some in (people[:1], people):
        letters = [mail.Letter(one.email, None, one.id, {"name": "Ada"}) for one in some]
        with cast.app.app_context():
            organisation_id = people[0].organisation_id
            with counted(cast.app) as said:
                mails = mail.write("test", organisation_id, letters)
            assert len(mails) == len(some)
        numbers.append(len(said))
    assert numbers[0] == numbers[1]


def test_what_is_chosen_goes_when_the_person_is_erased(cast: Cast, student: Person, admin: Person) -> None:
    student.put(PATH, {"language": "ar"})
    assert admin.post(f"/api/admin/users/{student.id}/erase", {}).status_code == 200
    with cast.app.app_context():
        assert db.session.scalars(select(UserSettings)).all() == []
