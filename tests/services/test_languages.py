"""Every text there is in every language, whole; and dates, times and numbers as each writes them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.pofile import read_po

from app.models import NotificationKind, TimeFormat
from app.services import safe_templates
from app.services.languages import SOURCE, TRANSLATIONS, Formats, Language, language_of, languages, translator
from app.services.sessions import Days
from app.services.wording import built_in, names_of

KEYWORDS: Any = {"translatable": None, "gettext": None, "ngettext": (1, 2)}
NAMED = re.compile(r"%\(\w+\)s|{{.*?}}|{%.*?%}")
ADDED = [code for code in languages() if code != SOURCE]


def extracted() -> set[Any]:
    """What the translators are given."""
    with (TRANSLATIONS / "babel.cfg").open() as mapping:
        methods, options = parse_mapping_cfg(mapping)  # type: ignore[no-untyped-call]
    found = extract_from_dir(TRANSLATIONS.parent, methods, options, keywords=KEYWORDS)
    return {message for _, _, message, _, _ in found}


def catalog_of(language: str) -> Catalog:
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as file:
        return read_po(file, locale=language)


def translated(language: str) -> Iterator[tuple[Message, list[str], list[str]]]:
    """Each message with what it says in English and in the language, one or several forms of both."""
    for message in catalog_of(language):
        if message.id:
            yield message, _forms(message.id), _forms(message.string)


def _forms(said: Any) -> list[str]:
    return [said] if isinstance(said, str) else list(said)


def test_arabic_is_there() -> None:
    assert set(languages()) >= {"en", "ar"}
    assert languages()["ar"] == Language("ar")
    assert (languages()["ar"].name, languages()["ar"].is_right_to_left) == ("العربية", True)
    assert not languages()["en"].is_right_to_left


@pytest.mark.parametrize("language", ADDED)
def test_every_text_is_translated_and_no_other(language: str) -> None:
    assert {message.id for message in catalog_of(language) if message.id} == extracted()


@pytest.mark.parametrize("language", ADDED)
def test_every_form_of_every_text_is_translated_with_its_placeholders(language: str) -> None:
    forms = catalog_of(language).num_plurals
    for message, source, target in translated(language):
        assert not message.fuzzy
        assert all(target), source
        assert len(target) == (forms if message.pluralizable else 1), source
        may_be_a_word = {"%(count)s"} if message.pluralizable else set()
        for form in target:
            missing = set(NAMED.findall(source[-1])) ^ set(NAMED.findall(form))
            assert missing <= may_be_a_word, form


@pytest.mark.parametrize("language", list(languages()))
@pytest.mark.parametrize("kind", list(NotificationKind))
def test_built_in_templates_are_as_an_organisations_may_be(language: str, kind: NotificationKind) -> None:
    template = built_in(kind, language)
    for source in (template.subject, template.text):
        safe_templates.check(source, names_of(kind))


def test_arabic_counts_in_six_forms() -> None:
    say = translator("ar").ngettext
    forms = [
        say("%(count)s notification from %(organisation)s", "%(count)s notifications from %(organisation)s", n)
        for n in (0, 1, 2, 3, 11, 100)
    ]
    assert len(set(forms)) == 6


def test_a_language_that_is_gone_is_passed_over() -> None:
    assert [language_of("tlh", "ar"), language_of(None, "tlh"), language_of("en", "ar")] == ["ar", "en", "en"]


NINE = datetime(2026, 3, 12, 20, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("formats", "expected"),
    [
        (Formats("en", "UTC"), ("March 12, 2026", "8:30\u202fPM")),
        (Formats("en", "UTC", TimeFormat.H24), ("March 12, 2026", "20:30")),
        (Formats("en", "Pacific/Auckland", TimeFormat.H12), ("March 13, 2026", "9:30\u202fAM")),
        (Formats("ar", "UTC"), ("12 مارس 2026", "8:30\u202fم")),
        (Formats("ar", "UTC", TimeFormat.H24), ("12 مارس 2026", "20:30")),
    ],
)
def test_times_are_shown_where_the_organisation_is_as_the_reader_likes(
    formats: Formats, expected: tuple[str, str]
) -> None:
    there = NINE.astimezone(ZoneInfo(formats.time_zone)).replace(tzinfo=None)
    for moment in (NINE, there, there.isoformat()):
        assert tuple(part.replace(" ", "\u202f") for part in (formats.date(moment), formats.time(moment))) == tuple(
            part.replace(" ", "\u202f") for part in expected
        )


def test_a_text_with_an_offset_is_shown_as_the_clocks_there_show_it() -> None:
    formats = Formats("en", "Pacific/Auckland", TimeFormat.H24)
    for offset in ("-05:00", "+13:00", "Z"):
        moment = f"2026-03-12T20:30:00{offset}"
        assert (formats.date(moment), formats.time(moment)) == ("March 12, 2026", "20:30")


def test_dates_and_numbers_are_written_as_in_the_language() -> None:
    english, arabic = Formats("en", "UTC"), Formats("ar", "UTC")
    assert english.date("2026-03-12") == english.date(date(2026, 3, 12)) == "March 12, 2026"
    assert english.datetime("2026-03-12T09:30").startswith("March 12, 2026, 9:30")
    assert english.days(Days(date(2026, 3, 12), date(2026, 3, 12))) == "Mar 12, 2026"
    assert (english.percent(0.7537), english.percent(1), english.percent(None)) == ("75.4%", "100%", "no data")
    assert arabic.percent(None) == "لا توجد بيانات"
    assert english.number(1234.567) == "1,234.57"
    assert [write("") for write in (english.date, english.time, english.datetime, english.percent, english.number)] == [
        ""
    ] * 5
    for write, wrong in ((english.date, "soon"), (english.time, "2026-03-12Z"), (english.number, "many")):
        with pytest.raises((ValueError, TypeError)):
            write(wrong)
