"""The languages in which people are written to, and how each writes dates, times and numbers.

English stands in the program itself; a folder `app/translations/<language>/LC_MESSAGES` with a `messages.po` adds a
language (`docs/languages.md`). It is read when it is first needed: nothing has to be compiled.
"""

from __future__ import annotations

import datetime as dt
import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from babel.dates import format_date, format_interval, format_skeleton, get_datetime_format
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal, format_percent
from babel.support import NullTranslations, Translations
from jinja2 import pass_context
from jinja2.runtime import Context

from app.models import TimeFormat

SOURCE = "en"
"""The language of the texts in the program."""
TRANSLATIONS = Path(__file__).parents[1] / "translations"

Moment = str | dt.date | dt.datetime
"""A day or a time, or its ISO 8601 text; '' is none. A text's offset is that of where it happens: it is shown as the
clocks there show it. A datetime is shown as they do where the organisation is; so is a text without an offset."""


@dataclass(frozen=True, slots=True)
class Language:
    code: str
    """As its folder is named: a language, where needed with its territory (pt_BR)."""

    @property
    def locale(self) -> Locale:
        return Locale.parse(self.code)

    @property
    def name(self) -> str:
        """In the language itself."""
        return self.locale.get_display_name() or self.code

    @property
    def is_right_to_left(self) -> bool:
        return self.locale.text_direction == "rtl"

    @property
    def time_format(self) -> TimeFormat:
        """The usual one."""
        return TimeFormat.H24 if "H" in self.locale.time_formats["short"].pattern else TimeFormat.H12


@cache
def languages() -> dict[str, Language]:
    """All there are by their codes, English first."""
    added = sorted(file.parts[-3] for file in TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))
    return {code: Language(code) for code in (SOURCE, *added)}


def language_of(*wished: str | None) -> str:
    """The first of these that there is; else English: a language may be taken away while people have chosen it."""
    return next((code for code in wished if code in languages()), SOURCE)


def require_language(code: str) -> str:
    """Raises ValueError: there is no such language."""
    if code not in languages():
        raise ValueError(f"must be one of {', '.join(languages())}")
    return code


@cache
def translator(language: str) -> NullTranslations:
    """What it does not translate stays English."""
    if language == SOURCE:
        return NullTranslations()
    compiled = io.BytesIO()
    with (TRANSLATIONS / language / "LC_MESSAGES" / "messages.po").open("rb") as source:
        write_mo(compiled, read_po(source, locale=language))
    compiled.seek(0)
    return Translations(compiled)


def is_right_to_left(language: str) -> bool:
    return languages()[language].is_right_to_left


@dataclass(frozen=True, slots=True)
class Formats:
    """How a reader sees dates, times and numbers (CLDR, by Babel). Each method raises ValueError or TypeError for what
    is none."""

    language: str
    time_zone: str
    """IANA name of the organisation's."""
    time_format: TimeFormat | None = None
    """None: as it is usual in the language."""

    def date(self, moment: Moment) -> str:
        """March 12, 2026"""
        return format_date(self._day(moment), "long", locale=self.language) if moment else ""

    def time(self, moment: Moment) -> str:
        """9:30 AM, or 09:30"""
        if not moment:
            return ""
        chosen = self.time_format or languages()[self.language].time_format
        skeleton = {TimeFormat.H12: "hm", TimeFormat.H24: "Hm"}[chosen]
        return format_skeleton(skeleton, self._local(moment).replace(tzinfo=None), locale=self.language)

    def datetime(self, moment: Moment) -> str:
        """March 12, 2026, 9:30 AM"""
        if not moment:
            return ""
        pattern = str(get_datetime_format("medium", locale=self.language))
        return pattern.replace("{1}", self.date(moment)).replace("{0}", self.time(moment))

    def days(self, days: Any) -> str:
        """Mar 2 - 8, 2026: from `days.first` to `days.last`."""
        return format_interval(days.first, days.last, "yMMMd", locale=self.language)

    def percent(self, rate: float | str | None) -> str:
        """75.4%, of 0.754"""
        if rate is None:
            return translator(self.language).gettext("no data")
        return "" if rate == "" else format_percent(_rounded(rate, 3), locale=self.language, decimal_quantization=False)

    def number(self, number: float | str) -> str:
        """1,234.5: at most two decimals."""
        return "" if number == "" else format_decimal(_rounded(number, 2), locale=self.language)

    def _day(self, moment: Moment) -> dt.date:
        if isinstance(moment, str) and len(moment) == len("2026-03-12"):
            return dt.date.fromisoformat(moment)
        if isinstance(moment, dt.date) and not isinstance(moment, dt.datetime):
            return moment
        return self._local(moment).date()

    def _local(self, moment: Moment) -> dt.datetime:
        if isinstance(moment, str):
            return dt.datetime.fromisoformat(moment)
        if not isinstance(moment, dt.datetime):
            raise TypeError(f"{moment!r} is no time")
        return moment.astimezone(ZoneInfo(self.time_zone)) if moment.tzinfo else moment


def _rounded(number: float | str, decimals: int) -> float:
    if isinstance(number, str):
        raise TypeError(f"{number!r} is no number")
    return round(number, decimals)


def _filter(name: str) -> Callable[[Context, Any], str]:
    @pass_context
    def formatted(context: Context, value: Any) -> str:
        said: str = getattr(context["formats"], name)(value)
        return said

    return formatted


FILTERS = {name: _filter(name) for name in ("date", "time", "datetime", "days", "number", "percent")}
"""Of templates that are given `formats`."""
