"""Notifications, put into words: in the reader's language, by the organisation's own template where it has one.

The built-in templates are translated as a whole, so that an organisation can begin its own with them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import structlog

from app.extensions import db
from app.models import NotificationKind, NotificationTemplate, Organisation
from app.services import safe_templates
from app.services.caller import Caller
from app.services.languages import SOURCE, Formats, translator
from app.services.rendering import Wording, html_of, in_one_line, rendered
from app.services.user_settings import Choices, formats_of

LARGEST = 60_000
"""Bytes of a text or document: MySQL keeps 65,535."""
LARGEST_DIGEST = 50_000
"""Bytes of the documents of the notifications that one has room for."""
ESCAPED = 5
"""Bytes that one becomes at most when it is escaped (&#34;)."""
LONGEST_VALUE = 10_000
"""Characters of a value; more are cut off. Escaped, they fit into a document still."""

log = structlog.get_logger(__name__)


def translatable(text: str) -> str:
    """Marks what the translators are given (`docs/languages.md`)."""
    return text


@dataclass(frozen=True, slots=True)
class Template:
    """subject, text: of notifications of one kind."""

    subject: str
    text: str


BUILT_IN: dict[NotificationKind, Template] = {
    NotificationKind.ABSENCE: Template(
        translatable("{{ student }} was absent from {{ session_name }}"),
        translatable(
            "{{ student }} was marked absent from {{ session_name }}{% if class_name %} ({{ class_name }}){% endif %} "
            "on {{ session_date|date }}{% if starts_at %}, {{ starts_at|time }}{% endif %}.\n\n"
            "If you know why, or if this is a mistake, please tell {{ organisation }}."
        ),
    ),
    NotificationKind.ABSENCES_IN_A_ROW: Template(
        translatable("{{ student }}: absences in a row: {{ count }}"),
        translatable(
            "{{ student }} has been absent each time{% if since %} since {{ since|date }}{% endif %}. "
            "Absences in a row: {{ count }}."
        ),
    ),
    NotificationKind.LEAVE_DECIDED: Template(
        translatable(
            "{% if decision == 'approved' %}Leave of {{ student }} is approved"
            "{% else %}Leave of {{ student }} is not approved{% endif %}"
        ),
        translatable(
            "{% if decision == 'approved' %}The leave of {{ student }} is approved"
            "{% else %}The leave of {{ student }} is not approved{% endif %}: {{ first_day|date }}"
            "{% if last_day != first_day %} to {{ last_day|date }}{% endif %}."
            "{% if reason %}\n\nReason: {{ reason }}{% endif %}"
        ),
    ),
    NotificationKind.SESSION_CHANGED: Template(
        translatable("{{ session_name }} has changed"),
        translatable(
            "{{ session_name }}{% if class_name %} ({{ class_name }}){% endif %} now takes place on "
            "{{ session_date|date }}{% if starts_at %}, {{ starts_at|time }}"
            "{% if ends_at %} to {{ ends_at|time }}{% endif %}{% endif %}{% if place %}, at {{ place }}{% endif %}."
            "{% if last_day and last_day != session_date %} So do those that follow, until "
            "{{ last_day|date }}.{% endif %}"
        ),
    ),
    NotificationKind.SESSION_CANCELLED: Template(
        translatable("{{ session_name }} is cancelled"),
        translatable(
            "{{ session_name }}{% if class_name %} ({{ class_name }}){% endif %} on {{ session_date|date }}"
            "{% if starts_at %}, {{ starts_at|time }},{% endif %} does not take place."
            "{% if last_day and last_day != session_date %} Neither do those that follow, until "
            "{{ last_day|date }}.{% endif %}"
        ),
    ),
    NotificationKind.AT_RISK: Template(
        translatable("{{ student }} needs attention"),
        translatable(
            "{% if alert == 'low_attendance' %}Attendance of {{ student }} is {{ value|percent }}; at least "
            "{{ threshold|percent }} is expected."
            "{% elif alert == 'low_marks' %}The average mark of {{ student }} is {{ value|number }} out of 100; at "
            "least {{ threshold|number }} is expected."
            "{% elif alert == 'behaviour' %}Notes about difficult behaviour of {{ student }}: {{ value|number }}."
            "{% else %}Absences of {{ student }} in a row: {{ value|number }}.{% endif %}\n\n"
            "{{ organisation }} would like to talk about how to help."
        ),
    ),
    NotificationKind.REPORT_READY: Template(
        translatable("{{ report }} is ready"),
        translatable("{{ report }} is ready.{% if url %}\n\n{{ url }}{% endif %}"),
    ),
    NotificationKind.MESSAGE: Template(
        translatable("{{ subject }}"),
        translatable("{{ text }}{% if from_name %}\n\n{{ from_name }}{% endif %}"),
    ),
}
_SESSION = {
    "session_name": "Stars",
    "class_name": "Astronomy",
    "session_date": "2026-03-12",
    "starts_at": "2026-03-12T09:30:00+00:00",
}
_CHANGED = {**_SESSION, "ends_at": "2026-03-12T10:30:00+00:00", "place": "Main hall", "last_day": "2026-03-26"}
SAMPLES: dict[NotificationKind, dict[str, Any]] = {
    NotificationKind.ABSENCE: {"student": "Ada Lovelace", **_SESSION},
    NotificationKind.ABSENCES_IN_A_ROW: {"student": "Ada Lovelace", "count": 3, "since": "2026-03-10"},
    NotificationKind.LEAVE_DECIDED: {
        "student": "Ada Lovelace",
        "decision": "approved",
        "first_day": "2026-03-12",
        "last_day": "2026-03-13",
        "reason": "Have a good time",
    },
    NotificationKind.SESSION_CHANGED: _CHANGED,
    NotificationKind.SESSION_CANCELLED: _CHANGED,
    NotificationKind.AT_RISK: {
        "student": "Ada Lovelace",
        "alert": "low_attendance",
        "value": 0.68,
        "threshold": 0.75,
    },
    NotificationKind.REPORT_READY: {"report": "Attendance of March", "url": "https://school.example/exports/1"},
    NotificationKind.MESSAGE: {
        "subject": "School trip",
        "text": "We meet at eight.",
        "from_name": "Mary Somerville",
    },
}
"""What each kind's data may have, with values to try a template with. alert: low_attendance (value and threshold are
rates), low_marks (of 100), behaviour (notes) or consecutive_absences."""


def names_of(kind: NotificationKind) -> list[str]:
    """What templates of this kind may name."""
    return [*SAMPLES[kind], "organisation"]


def built_in(kind: NotificationKind, language: str) -> Template:
    say: Callable[[str], str] = translator(language).gettext
    return Template(say(BUILT_IN[kind].subject), say(BUILT_IN[kind].text))


def _shown(value: Any) -> Any:
    return "" if value is None else value[:LONGEST_VALUE] if isinstance(value, str) else value


class Words:
    """For people of the caller's organisation. What is theirs is read once, in two statements."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def of(self, kind: NotificationKind, data: Mapping[str, Any], choices: Choices) -> Wording:
        """A notification for somebody who has chosen so; there are always words for it.

        data: JSON values by the names of SAMPLES; those that are missing are empty.
        """
        formats = formats_of(self._caller, choices)
        for template in self._templates(kind, formats.language):
            try:
                return self.by(template, kind, data, formats)
            except Exception:
                # whatever is wrong with somebody's template or translation, the message is not lost
                log.exception(
                    "notification_template_failed",
                    organisation_id=str(self._caller.organisation_id),
                    kind=kind.value,
                    language=formats.language,
                )
        told = "\n".join(f"{name}: {_shown(data[name])}" for name in SAMPLES[kind] if data.get(name) is not None)
        return self._fitting(self._organisation, told, formats)

    def by(self, template: Template, kind: NotificationKind, data: Mapping[str, Any], formats: Formats) -> Wording:
        """A notification by this template, which was checked; of a text that is too large for a mail, its beginning.

        Raises:
            Exception: what the template makes of it has no subject; or as `safe_templates.render`.
        """
        values = {name: _shown(data.get(name)) for name in SAMPLES[kind]}
        values |= {"organisation": self._organisation, "formats": formats}
        subject = in_one_line(safe_templates.render(template.subject, values))
        text = safe_templates.render(template.text, values).strip()
        if not subject:
            raise safe_templates.Unsafe("the subject is empty")
        return self._fitting(subject, text, formats)

    def _fitting(self, subject: str, text: str, formats: Formats) -> Wording:
        """What each character becomes in a document is seen only there: a link is many times its text."""
        html = html_of(text, {"organisation": self._organisation}, formats)
        if max(len(text.encode()), len(html.encode())) <= LARGEST:
            return Wording(subject, text, html)
        return self._fitting(subject, text[: len(text) * 9 // 10] + "…", formats)

    def digest(
        self, items: Sequence[tuple[NotificationKind, Mapping[str, Any]]], choices: Choices, name: str
    ) -> Wording:
        """Several notifications in one mail for somebody with this name; those that it has no room for are counted."""
        formats = formats_of(self._caller, choices)
        shown = list(self._first(items, choices))
        values = {
            "name": name,
            "organisation": self._organisation,
            "notices": shown,
            "count": len(items),
            "more": len(items) - len(shown),
        }
        return rendered("digest", values, formats)

    def _first(
        self, items: Sequence[tuple[NotificationKind, Mapping[str, Any]]], choices: Choices
    ) -> Iterator[Wording]:
        room = LARGEST_DIGEST
        for kind, data in items:
            wording = self.of(kind, data, choices)
            room -= len(wording.html.encode()) + ESCAPED * len(wording.subject.encode())
            if room < 0:
                return
            yield wording

    def _templates(self, kind: NotificationKind, language: str) -> Iterator[Template]:
        own = self._own.get((kind, language))
        if own:
            yield own
        if language != SOURCE:
            yield built_in(kind, language)
        yield BUILT_IN[kind]

    @cached_property
    def _own(self) -> dict[tuple[NotificationKind, str], Template]:
        rows = db.session.scalars(self._caller.rows(NotificationTemplate))
        return {(row.kind, row.language): Template(row.subject, row.text) for row in rows}

    @cached_property
    def _organisation(self) -> str:
        return db.session.get_one(Organisation, self._caller.organisation_id).name
