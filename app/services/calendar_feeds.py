"""Calendar feeds: a person's or a class's sessions as iCalendar (RFC 5545), for whoever knows the secret address."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from icalendar import Calendar, Event
from sqlalchemy import ColumnElement, and_, or_, union

from app import clock
from app.extensions import db, settings
from app.models import CalendarFeed, Class, ClassTeacher, Enrolment, Session, Subject, User
from app.services.caller import Caller
from app.services.classes import member_class
from app.services.errors import NotFound, Refusal
from app.services.paging import Page, Paging, paginate
from app.services.sessions import may_attend, theirs
from app.services.sign_in import caller_from, people
from app.services.transaction import transaction

BACK, AHEAD = timedelta(days=30), timedelta(days=180)
MOST = 2000


@dataclass(frozen=True, slots=True)
class NewFeed:
    row: CalendarFeed
    url: str
    """Shown this once."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self.row, name)


@transaction
def create_feed(caller: Caller, class_id: uuid.UUID | None) -> NewFeed:
    """Raises NotFound or NotClassMember, as `member_class`."""
    if class_id is not None:
        member_class(caller, class_id)
    token = secrets.token_urlsafe(32)
    row = CalendarFeed(
        organisation_id=caller.organisation_id, user_id=caller.user_id, class_id=class_id, token_hash=_digest(token)
    )
    db.session.add(row)
    db.session.flush()
    return NewFeed(row, f"{settings().public_url}/api/calendar/{token}.ics")


def list_feeds(caller: Caller, paging: Paging) -> Page[Any]:
    """The caller's own, revoked ones too."""
    own = caller.rows(CalendarFeed).where(CalendarFeed.user_id == caller.user_id)
    return paginate(own, paging, {"id": CalendarFeed.id, "created_at": CalendarFeed.created_at})


@transaction
def revoke_feed(caller: Caller, calendar_feed_id: uuid.UUID) -> None:
    """Raises NotFound: there is none, or it is another's and the caller does not administer."""
    row = caller.get(CalendarFeed, calendar_feed_id)
    if row.user_id != caller.user_id and not caller.administers:
        raise NotFound("There is no calendar feed with this id")
    row.revoked_at = row.revoked_at or clock.now()


def calendar(token: str) -> bytes:
    """The sessions that the feed's owner may attend or takes, or those of its class: of the last 30 and the next 180
    days, at most 2,000.

    Raises:
        NotFound: there is no such feed, it was revoked, or its owner may not see this any more.
    """
    feed_of = people(CalendarFeed).join(CalendarFeed, CalendarFeed.user_id == User.id)
    known = db.session.execute(feed_of.where(CalendarFeed.token_hash == _digest(token))).one_or_none()
    if known is None or known.CalendarFeed.revoked_at is not None:
        raise NotFound
    try:
        caller = caller_from(known)
        sessions = _sessions(caller, known.CalendarFeed.class_id)
    except Refusal as gone:
        raise NotFound from gone
    return _calendar(sessions)


def _sessions(caller: Caller, class_id: uuid.UUID | None) -> Any:
    if class_id is not None:
        member_class(caller, class_id)
        shown = Session.class_id == class_id
    else:
        shown = and_(_near(caller), or_(theirs(caller, Session), may_attend(caller, caller.user_id)))
    today = caller.today
    query = caller.rows(Session).where(Session.session_date.between(today - BACK, today + AHEAD), shown)
    return db.session.scalars(query.order_by(Session.session_date, Session.starts_at, Session.id).limit(MOST))


def _near(caller: Caller) -> ColumnElement[bool]:
    """What the indexes of sessions can tell of what is the caller's, so that not all are looked at: with the classes
    that they teach or were ever in, their subjects, and what is of no class."""
    taught = caller.rows(ClassTeacher, ClassTeacher.class_id).where(ClassTeacher.teacher_id == caller.user_id)
    attended = caller.rows(Enrolment, Enrolment.class_id).where(Enrolment.student_id == caller.user_id)
    classes = db.session.scalars(union(taught, attended)).all()
    of_classes = caller.rows(Class, Class.subject_id).where(Class.id.in_(classes))
    own = caller.rows(Subject, Subject.id).where(Subject.teacher_id == caller.user_id)
    subjects = db.session.scalars(union(of_classes, own)).all()
    of_no_subject = or_(
        Session.subject_id.in_(subjects), Session.subject_id.is_(None), Session.created_by_id == caller.user_id
    )
    return or_(Session.class_id.in_(classes), and_(Session.class_id.is_(None), of_no_subject))


def _calendar(sessions: Any) -> bytes:
    made = Calendar()
    made.add("prodid", "-//Rollcall//EN")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    for session in sessions:
        made.add_component(_event(session))
    written: bytes = made.to_ical()
    return written


def _event(session: Session) -> Event:
    event = Event()
    event.add("uid", f"{session.id}@rollcall")
    event.add("dtstamp", session.changed_at)
    event.add("last-modified", session.changed_at)
    event.add("summary", session.name)
    if session.description:
        event.add("description", session.description)
    if session.starts_at and session.ends_at:
        event.add("dtstart", session.starts_at)
        event.add("dtend", session.ends_at)
    else:
        event.add("dtstart", session.session_date)
    event.add("status", "CANCELLED" if session.cancelled_at else "CONFIRMED")
    return event


def _digest(token: str) -> str:
    """256 bits drawn by chance need no slow hash."""
    return hashlib.sha256(token.encode(errors="surrogatepass")).hexdigest()
