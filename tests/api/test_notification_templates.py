"""How notifications are worded: built in, or by the organisation, whose templates can do nothing but that."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select, update

from app.extensions import db
from app.models import NotificationKind, NotificationTemplate, Organisation, Role, TimeFormat
from app.services import safe_templates
from app.services.caller import Caller
from app.services.organisation_settings import settings_of
from app.services.rendering import Wording
from app.services.user_settings import Choices
from app.services.wording import SAMPLES, Words
from tests.conftest import Cast, Person
from tests.statements import counted
from tests.test_races import at_once, twin

PATH = "/api/admin/notification-templates"
ABSENCE = f"{PATH}/absence/en"
OWN = {"subject": "Where is {{ student }}?", "text": "Not in {{ session_name }}.\n\nThe office of {{ organisation }}"}
SESSION = {"session_name": "Stars", "class_name": "", "session_date": "2026-03-12"}


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


def keeper(cast: Cast) -> Caller:
    organisation = db.session.get_one(Organisation, cast.organisation())
    return Caller(
        organisation.id, organisation.id, Role.ADMIN, organisation.time_zone, settings_of(organisation.settings)
    )


def worded(cast: Cast, kind: NotificationKind, data: Any, choices: Choices | None = None) -> Wording:
    with cast.app.app_context():
        return Words(keeper(cast)).of(kind, data, choices or Choices())


def told_of_absence(cast: Cast, choices: Choices | None = None, **data: Any) -> Wording:
    return worded(cast, NotificationKind.ABSENCE, {"student": "Ada", **SESSION, **data}, choices)


def test_each_kind_is_listed_in_each_language_as_it_is_built_in(admin: Person) -> None:
    listed = admin.get(f"{PATH}?per_page=100").json
    assert listed["total"] == len(listed["items"]) >= 2 * len(NotificationKind)
    assert not any(item["is_own"] for item in listed["items"])
    arabic = admin.get(f"{PATH}?language=ar").json
    assert {item["kind"] for item in arabic["items"]} == set(NotificationKind)
    absence = next(item for item in arabic["items"] if item["kind"] == "absence")
    assert (absence["language"], absence["subject"]) == ("ar", "غياب {{ student }} عن {{ session_name }}")
    assert {"student", "session_date", "organisation"} <= set(absence["names"])
    assert "date" in absence["filters"]


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize("kind", list(NotificationKind))
def test_what_is_built_in_can_be_saved_as_ones_own_and_puts_everything_into_words(
    cast: Cast, admin: Person, kind: NotificationKind, language: str
) -> None:
    listed = admin.get(f"{PATH}?language={language}").json["items"]
    built_in = next(item for item in listed if item["kind"] == kind)
    body = {name: built_in[name] for name in ("subject", "text")}
    seen = admin.post(f"{PATH}/{kind}/{language}/preview", body)
    assert seen.status_code == 200, seen.text
    assert "{" not in seen.json["subject"] + seen.json["text"]
    assert admin.put(f"{PATH}/{kind}/{language}", body).json == built_in | {"is_own": True}
    for data in (SAMPLES[kind], dict.fromkeys(SAMPLES[kind]), {"student": "Ada", "report": "R", "subject": "S"}):
        if kind == NotificationKind.MESSAGE and not data.get("subject"):
            continue  # what a message is about is its sender's to say
        wording = worded(cast, kind, data, Choices(language))
        assert wording.subject
        assert "{" not in wording.subject + wording.text + wording.html.split("<body", 1)[1]


def test_the_reader_has_their_language_their_time_format_and_the_time_where_the_session_is(
    cast: Cast, admin: Person
) -> None:
    with cast.app.app_context():
        db.session.execute(update(Organisation).values(time_zone="Pacific/Auckland"))
        db.session.commit()
    starts_at = "2026-03-12T09:30:00+01:00"
    english = told_of_absence(cast, Choices("en", TimeFormat.H24), starts_at=starts_at)
    assert english.subject == "Ada was absent from Stars"
    assert "on March 12, 2026, 09:30." in english.text
    assert '<html lang="en" dir="ltr">' in english.html
    arabic = told_of_absence(cast, Choices("ar", TimeFormat.H12), starts_at=starts_at)
    assert arabic.subject == "غياب Ada عن Stars"
    assert "12 مارس 2026، الساعة 9:30" in arabic.text
    assert "Hello" not in arabic.html
    assert '<html lang="ar" dir="rtl">' in arabic.html


def test_an_organisations_own_words_are_used_in_their_language_until_they_are_removed(
    cast: Cast, admin: Person
) -> None:
    saved = admin.put(ABSENCE, OWN)
    assert (saved.status_code, saved.json["is_own"], saved.json["text"]) == (200, True, OWN["text"])
    assert admin.put(ABSENCE, OWN | {"subject": "Again: {{ student }}"}).status_code == 200
    wording = told_of_absence(cast)
    assert wording.subject == "Again: Ada"
    assert wording.text.startswith("Not in Stars.\n\nThe office of ")
    assert told_of_absence(cast, Choices("ar")).subject == "غياب Ada عن Stars"
    back = admin.delete(ABSENCE)
    assert (back.status_code, back.json["is_own"]) == (200, False)
    assert told_of_absence(cast).subject == "Ada was absent from Stars"
    assert admin.delete(ABSENCE).status_code == 404


def test_a_preview_saves_nothing(cast: Cast, admin: Person) -> None:
    seen = admin.post(f"{ABSENCE}/preview", OWN).json
    assert seen["subject"] == "Where is Ada Lovelace?"
    assert "<p" in seen["html"]
    assert told_of_absence(cast).subject == "Ada was absent from Stars"


def test_another_organisation_keeps_its_own_words(cast: Cast, admin: Person) -> None:
    other = cast.person(Role.ADMIN, cast.other_organisation())
    assert admin.put(ABSENCE, OWN).status_code == 200
    assert not any(item["is_own"] for item in other.get(f"{PATH}?per_page=100").json["items"])
    assert other.delete(ABSENCE).status_code == 404
    assert told_of_absence(cast).subject == "Where is Ada?"


def test_there_is_nothing_to_word_of_another_kind_or_language(admin: Person) -> None:
    for path in (f"{PATH}/gossip/en", f"{PATH}/absence/tlh", f"{PATH}/absence/.."):
        assert admin.put(path, OWN).status_code == 404
        assert admin.post(f"{path}/preview", OWN).status_code == 404
        assert admin.delete(path).status_code == 404


ATTACKS = {
    "a class": "{{ student.__class__ }}",
    "all classes": "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "an item": "{{ student['__class__'] }}",
    "an attribute by filter": "{{ student|attr('__class__') }}",
    "the application": "{{ config.SECRET_KEY }}",
    "a global": "{{ self._TemplateReference__context }}",
    "a call": "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "a loop": "{% for n in range(1000000000) %}x{% endfor %}",
    "a long text": "{{ 'a' * 1000000000 }}",
    "a large number": "{{ 9 ** 9 ** 9 }}",
    "joining": "{{ text ~ text ~ text }}",
    "formatting": "{{ '{0.__class__}'.format(student) }}",
    "old formatting": "{{ '%1000000000d' % 1 }}",
    "a macro": "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "a file": "{% include 'layout.html' %}",
    "an import": "{% import 'layout.html' as layout %}",
    "a parent": "{% extends 'layout.html' %}",
    "a variable": "{% set student = 'x' %}{{ student }}",
    "a list": "{{ [student, student] }}",
    "a wide column": "{{ student|center(1000000000) }}",
    "a filter of all": "{% filter upper %}{{ student }}{% endfilter %}",
    "a test": "{% if student is callable %}x{% endif %}",
    "membership": "{% if 'a' in student %}x{% endif %}",
    "how it is shown": "{{ formats }}",
    "many digits": "{{ " + "9" * 4990 + " }}",
    "infinity": "{{ 1e999 }}",
    "many brackets": "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
    "many conditions": "{% if student %}" * 100 + "{% endif %}" * 100,
    "many nots": "{{ " + "not " * 1200 + "1 }}",
    "many ands": "{{ 1" + " and 1" * 800 + " }}",
}


@pytest.mark.parametrize("attack", ATTACKS.values(), ids=ATTACKS.keys())
@pytest.mark.parametrize("field", ["subject", "text"])
def test_a_template_can_do_nothing_but_word(attack: str, field: str) -> None:
    with pytest.raises(safe_templates.Unsafe):
        safe_templates.check(attack, SAMPLES[NotificationKind.ABSENCE])


@pytest.mark.parametrize(
    ("sent", "field", "line"),
    [
        ({"text": "Dear parents,\n\n{{ student.__class__ }}"}, "text", 3),
        ({"text": "Dear parents,\n{% if student %}"}, "text", 2),
        ({"text": "{{ pupil }}"}, "text", 1),
        ({"text": "{{ student|shout }}"}, "text", 1),
        ({"subject": "{{ student|date }}"}, "text", None),
        ({"subject": "{% if not student %}x{% endif %}"}, "text", None),
    ],
)
def test_a_template_that_is_wrong_is_refused_with_its_line(
    admin: Person, sent: dict[str, str], field: str, line: int | None
) -> None:
    for refused in (admin.put(ABSENCE, OWN | sent), admin.post(f"{ABSENCE}/preview", OWN | sent)):
        assert (refused.status_code, refused.json["code"]) == (400, "template_refused"), refused.text
        assert (list(refused.json["errors"]), refused.json["line"]) == ([field], line)
        assert refused.json["errors"][field][0].startswith(f"Line {line}: " if line else "With sample data it fails: ")
    assert admin.put(ABSENCE, {"subject": "s", "text": "x" * 5001}).status_code == 422


@pytest.mark.parametrize(
    "text", ["{{ student.__class__ }}", "{{ student|percent }}", "{% if student %}", "{{ student }}" * 300]
)
def test_a_template_that_fails_loses_no_message(cast: Cast, text: str) -> None:
    """Whatever has come into the database, or is in the data."""
    with cast.app.app_context():
        own = {"organisation_id": cast.organisation(), "kind": NotificationKind.ABSENCE, "language": "en"}
        db.session.add(NotificationTemplate(**own, subject="Own", text=text))
        db.session.commit()
    assert told_of_absence(cast, student="A" * 100).subject.endswith("was absent from Stars")


def test_names_are_never_markup_nor_end_the_subject(cast: Cast) -> None:
    wording = told_of_absence(cast, student="<script>alert(1)</script>\r\nBcc: all@school.test\u2028x")
    assert wording.subject == "<script>alert(1)</script> Bcc: all@school.test x was absent from Stars"
    assert "<script>" not in wording.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in wording.html
    inner = worded(cast, NotificationKind.MESSAGE, {"subject": "{{ 7 * 7 }}", "text": "{% if %}", "from_name": ""})
    assert (inner.subject, inner.text) == ("{{ 7 * 7 }}", "{% if %}")


@pytest.mark.parametrize("character", ["<", '"', "ش", "🎓"])
def test_the_longest_message_fits_into_a_mail(cast: Cast, character: str) -> None:
    wording = worded(cast, NotificationKind.MESSAGE, {"subject": "S", "text": character * 30_000})
    assert wording.text == character * 10_000
    with cast.app.app_context():
        items = [(NotificationKind.MESSAGE, {"subject": character * 400, "text": character * 500})] * 100
        digest = Words(keeper(cast)).digest(items, Choices(), "Mary")
    assert max(len(part.encode()) for part in (wording.html, digest.text, digest.html)) < 65_535


@pytest.mark.parametrize("part", ["&\n\n", "a.org ", "a\n\n"])
def test_a_message_is_one_paragraph_whatever_it_is_made_of(cast: Cast, part: str) -> None:
    text = (part * 5000)[:5000].strip()
    wording = worded(cast, NotificationKind.MESSAGE, {"subject": "S", "text": text})
    assert (wording.subject, wording.text) == ("S", text)
    assert wording.html.count("<p style") == 1 + 1  # and the last line
    assert len(wording.html.encode()) < 65_535


@pytest.mark.parametrize("language", ["en", "ar"])
@pytest.mark.parametrize(
    ("kind", "data", "said"),
    [
        (NotificationKind.MESSAGE, {"subject": "S", "text": "a.org " * 1600}, "a.org a.org"),
        (NotificationKind.MESSAGE, {"subject": "S", "text": "x" * 10_000, "from_name": "y" * 10_000}, "xxx"),
        (NotificationKind.MESSAGE, {"subject": "", "text": "We meet at eight."}, "We meet at eight."),
        (NotificationKind.AT_RISK, {"student": "Ada", "alert": "low_marks", "value": "few"}, "Ada"),
        (NotificationKind.ABSENCE, {"student": "Ada", "session_date": "soon"}, "soon"),
    ],
)
def test_what_no_template_puts_into_words_is_told_all_the_same(
    cast: Cast, kind: NotificationKind, data: dict[str, str], said: str, language: str
) -> None:
    wording = worded(cast, kind, data, Choices(language))
    assert wording.subject
    assert said in wording.text
    assert max(len(part.encode()) for part in (wording.text, wording.html)) < 65_535


def test_a_digest_has_all_there_is_room_for_in_the_readers_language(cast: Cast) -> None:
    absence = (NotificationKind.ABSENCE, {"student": "<b>Ada</b>", **SESSION})
    with cast.app.app_context():
        words = Words(keeper(cast))
        one = words.digest([absence], Choices(), "Mary")
        three = words.digest([absence] * 3, Choices("ar"), "Mary")
        with counted(cast.app) as said:
            many = words.digest([absence] * 500, Choices(), "Mary")
    assert one.subject.startswith("1 notification from ")
    assert "Hello Mary," in one.text
    assert "more in the app" not in one.text + one.html
    assert three.subject.startswith("3 إشعارات من ")
    assert (three.html.count("غياب &lt;b&gt;Ada&lt;/b&gt; عن Stars</h2>"), three.html.count("<b>")) == (3, 0)
    assert f"There are {500 - many.html.count('<h2')} more in the app." in many.html
    assert len(said) == 0


def test_two_who_save_at_once_save_one(cast: Cast, admin: Person) -> None:
    answers = at_once(lambda n: twin(cast, admin).put(ABSENCE, OWN | {"subject": f"By {n}"}), 6)
    assert answers == {200: 6}
    with cast.app.app_context():
        assert db.session.scalar(select(func.count()).select_from(NotificationTemplate)) == 1


def test_who_changed_the_words_is_in_the_audit_log(admin: Person) -> None:
    admin.put(ABSENCE, OWN)
    admin.put(ABSENCE, OWN | {"subject": "Absent"})
    entries = admin.get("/api/admin/audit?entity=notification_templates").json["items"]
    assert {entry["action"] for entry in entries} == {"create", "update"}
