"""How notifications are worded in each language: as it is built in, or as the organisation has it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import NotificationKind, NotificationTemplate
from app.services import safe_templates
from app.services.caller import Caller
from app.services.errors import NotFound, TemplateRefused
from app.services.languages import Formats, languages
from app.services.paging import Page, Paging, page_of
from app.services.rendering import Wording
from app.services.transaction import changed, insert_missing, transaction
from app.services.user_settings import Choices, formats_of
from app.services.wording import SAMPLES, Template, Words, built_in, names_of


@dataclass(frozen=True, slots=True)
class TemplateView:
    """names: what it may name."""

    kind: NotificationKind
    language: str
    subject: str
    text: str
    is_own: bool

    @property
    def names(self) -> Sequence[str]:
        return names_of(self.kind)

    @property
    def filters(self) -> Sequence[str]:
        return list(safe_templates.USABLE)


def list_templates(caller: Caller, language: str | None, paging: Paging) -> Page[TemplateView]:
    """Of all kinds in all languages, or in one."""
    own = {(row.kind, row.language): row for row in db.session.scalars(caller.rows(NotificationTemplate))}
    wanted = [code for code in languages() if language in {None, code}]
    every = [_view(kind, code, own.get((kind, code))) for kind in NotificationKind for code in wanted]
    return page_of(every, paging)


@transaction
def save(caller: Caller, kind: str, language: str, subject: str, text: str) -> TemplateView:
    """Word notifications of a kind in a language so from now on.

    Raises:
        NotFound: there is no such kind or language.
        TemplateRefused: it is wrong, does more than a template may, or fails with sample data.
    """
    of, code = _known(kind, language)
    _tried(caller, of, code, Template(subject, text))
    key = {"organisation_id": caller.organisation_id, "kind": of, "language": code}
    row = {"id": uuid7(), "created_at": clock.now(), "subject": subject, "text": text, **key}
    insert_missing(NotificationTemplate, [row], ("organisation_id", "kind", "language"))
    found = caller.rows(NotificationTemplate).where(
        NotificationTemplate.kind == of, NotificationTemplate.language == code
    )
    kept: NotificationTemplate = db.session.scalars(found.with_for_update()).one()
    kept.subject, kept.text = subject, text
    return _view(of, code, kept)


@transaction
def remove(caller: Caller, kind: str, language: str) -> TemplateView:
    """Back to what is built in. Raises NotFound: the organisation has no template of its own for it."""
    of, code = _known(kind, language)
    own = caller.remove(NotificationTemplate)
    if not changed(own.where(NotificationTemplate.kind == of, NotificationTemplate.language == code)):
        raise NotFound("This organisation has no template of its own of this kind and language")
    return _view(of, code, None)


def preview(caller: Caller, kind: str, language: str, subject: str, text: str) -> Wording:
    """What a template makes of sample data; nothing is saved. Raises as `save`."""
    of, code = _known(kind, language)
    return _tried(caller, of, code, Template(subject, text))


def _tried(caller: Caller, kind: NotificationKind, language: str, template: Template) -> Wording:
    names = names_of(kind)
    for field, source in (("subject", template.subject), ("text", template.text)):
        try:
            safe_templates.check(source, names)
        except safe_templates.Unsafe as wrong:
            raise TemplateRefused(errors={field: [str(wrong)]}, line=wrong.line) from wrong
    formats = _formats(caller, language)
    try:
        return Words(caller).by(template, kind, SAMPLES[kind], formats)
    except Exception as wrong:
        failed = f"With sample data it fails: {wrong}"
        raise TemplateRefused(errors={"text": [failed]}, line=None) from wrong


def _formats(caller: Caller, language: str) -> Formats:
    return replace(formats_of(caller, Choices()), language=language)


def _known(kind: str, language: str) -> tuple[NotificationKind, str]:
    if kind not in set(NotificationKind) or language not in languages():
        raise NotFound("There is no such kind of notification, or no such language")
    return NotificationKind(kind), language


def _view(kind: NotificationKind, language: str, own: NotificationTemplate | None) -> TemplateView:
    worded = own or built_in(kind, language)
    return TemplateView(kind, language, worded.subject, worded.text, own is not None)
