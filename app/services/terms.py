"""Which days a term has, and which term it is today."""

from __future__ import annotations

import uuid

from app.extensions import db
from app.models import Term
from app.services.caller import Caller
from app.services.sessions import Days


def days_of(caller: Caller, term_id: uuid.UUID | None, days: Days) -> Days:
    """The term's days, or without a term these. Raises NotFound."""
    return days if term_id is None else _days(caller.get(Term, term_id))


def days_of_current_term(caller: Caller) -> Days | None:
    """Of the term that today lies in; of several the one that began last."""
    today = caller.today
    current = caller.rows(Term).where(Term.first_day <= today, Term.last_day >= today)
    term = db.session.scalar(current.order_by(Term.first_day.desc(), Term.last_day, Term.id).limit(1))
    return term and _days(term)


def _days(term: Term) -> Days:
    return Days(term.first_day, term.last_day)
