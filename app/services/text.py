"""Text and email addresses in the one form in which they are kept, whoever sends them."""

from __future__ import annotations

import email_validator

for _name in ("local", "test"):  # schools have mail inside their own network
    email_validator.SPECIAL_USE_DOMAIN_NAMES.remove(_name)


def one_spelling(email: str) -> str:
    """The address in lower case, with composed characters. Raises ValueError."""
    found = email_validator.validate_email(email.strip(), check_deliverability=False, globally_deliverable=False)
    return found.normalized.lower()


def without_control_characters(text: str) -> str:
    """PostgreSQL cannot keep a zero byte. Raises ValueError."""
    if any(ord(c) < 32 and c not in "\n\r\t" for c in text):  # noqa: PLR2004 - the space
        raise ValueError("must not contain control characters")
    return text
