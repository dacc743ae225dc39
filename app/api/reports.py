"""Reports: what attendance comes to, by session, person, class, subject, department and time."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from apiflask import APIBlueprint

from app.api.conditional import conditional
from app.api.openapi import refuses
from app.api.policy import ADMIN, ANYONE, STAFF, caller, who_may
from app.schemas.figures import FigureOut
from app.schemas.reports import (
    AbsenceIn,
    CheckingOut,
    ComparisonIn,
    ComparisonOut,
    FiltersIn,
    InARowIn,
    InARowPageOut,
    MatrixIn,
    MatrixOut,
    PeoplePageIn,
    PeriodIn,
    PersonDetailsOut,
    PersonFigurePageOut,
    PersonIn,
    RequiredIn,
    RequiredOut,
    SessionDetailsOut,
    StayPageOut,
    StaysIn,
    SubjectReportIn,
    SubjectReportOut,
    SummaryIn,
    SummaryOut,
    TrendsIn,
    TrendsOut,
)
from app.services import errors, punctuality
from app.services import reports as service
from app.services.figures import Figure, Filters
from app.services.forecast import Outlook, forecast
from app.services.paging import Page
from app.services.punctuality import Stay
from app.services.reports import Checking, Named, Point, SessionDetails
from app.services.sessions import Days
from app.services.terms import days_of

reports = APIBlueprint("reports", __name__, tag="Reports")


@reports.get("/attendance/reports")
@who_may(STAFF)
@conditional
@refuses(errors.NotFound)
@reports.input(SubjectReportIn, location="query")
@reports.output(SubjectReportOut)
def by_subject(query_data: SubjectReportIn) -> Page[dict[str, Any]]:
    """A row for each student and subject, of a page of students"""
    page = service.by_subject(caller(), _filters(query_data), query_data.paging)
    return page.of([_subject_row(row) for row in page.items])


@reports.get("/reports/session/<uuid:session_id>/detailed")
@who_may(STAFF)
@conditional
@refuses(errors.NotYourClass, errors.NotYourSession)
@reports.input(PeoplePageIn, location="query")
@reports.output(SessionDetailsOut)
def session_details(session_id: uuid.UUID, query_data: PeoplePageIn) -> SessionDetails:
    """A session, and everybody who is expected in it, with their record"""
    return service.session_details(caller(), session_id, query_data.paging)


@reports.get("/reports/organization/summary")
@who_may(ADMIN)
@conditional
@refuses(errors.NotFound)
@reports.input(SummaryIn, location="query")
@reports.output(SummaryOut)
def summary(query_data: SummaryIn) -> dict[str, Any]:
    """The organisation's totals and rates, by class (a page of them), department and role"""
    found = service.summary(caller(), _days(query_data), query_data.paging)
    return {
        "start_date": found.days.first,
        "end_date": found.days.last,
        "people": found.people,
        "total": _figure(found.total),
        "by_class": found.by_class.of(_named(found.by_class.items)),
        "by_department": _named(found.by_department),
        "by_role": _named(found.by_role),
    }


@reports.get("/reports/user/<uuid:user_id>/detailed")
@who_may(ANYONE)
@conditional
@refuses(errors.NotFound)
@reports.input(PersonIn, location="query")
@reports.output(PersonDetailsOut)
def person_details(user_id: uuid.UUID, query_data: PersonIn) -> dict[str, Any]:
    """A person's rates, streaks and lateness, by class and month, and a page of their records"""
    found = service.person_details(caller(), user_id, _days(query_data), query_data.paging)
    return {
        "user": found.person,
        "total": _figure(found.total),
        "streaks": found.streaks,
        "lateness": found.lateness,
        "by_class": _named(found.by_class),
        "by_month": _points(found.by_month),
        "records": found.records,
    }


@reports.get("/reports/attendance/trends")
@who_may(ANYONE)
@conditional
@refuses(errors.NotFound)
@reports.input(TrendsIn, location="query")
@reports.output(TrendsOut)
def trends(query_data: TrendsIn) -> dict[str, Any]:
    """A point for each day, week, month, weekday or hour; by default of the last 180 days. Who is not staff sees their
    own, or their child's (student_id)"""
    points = service.trends(caller(), _filters(query_data), query_data.interval)
    return {"interval": query_data.interval, "points": _points(points)}


@reports.get("/reports/attendance/comparison")
@who_may(STAFF)
@conditional
@refuses(errors.NotFound)
@reports.input(ComparisonIn, location="query")
@reports.output(ComparisonOut)
def compare(query_data: ComparisonIn) -> dict[str, Any]:
    """Two periods beside each other"""
    found = service.compare(caller(), _filters(query_data), query_data.other)
    return {"one": _figure(found.one), "other": _figure(found.other), "change": found.change}


@reports.get("/reports/attendance/people")
@who_may(STAFF)
@conditional
@refuses(errors.NotFound)
@reports.input(AbsenceIn, location="query")
@reports.output(PersonFigurePageOut)
def people_by_absence(query_data: AbsenceIn) -> Page[dict[str, Any]]:
    """People and their figures, who missed most first: all, those whose absence is chronic, or those without any"""
    wanted = query_data
    page = service.people_by_absence(caller(), _filters(wanted), wanted.standing, wanted.missed, wanted.paging)
    return page.of([{"student": one.person, **_figure(one.figure)} for one in page.items])


@reports.get("/reports/attendance/required")
@who_may(ANYONE)
@conditional
@refuses(errors.NotFound)
@reports.input(RequiredIn, location="query")
@reports.output(RequiredOut)
def required(query_data: RequiredIn) -> dict[str, Any]:
    """Who can no longer reach the required rate, or is below it so far: by what they can reach at best"""
    wanted = query_data
    found = forecast(caller(), _filters(wanted), wanted.rate, wanted.standing, wanted.paging)
    return {
        "start_date": found.days.first,
        "end_date": found.days.last,
        "required_rate": found.required,
        "items": [
            {"student": one.person, **_figure(one.outlook.figure), **_ahead(one.outlook)} for one in found.people.items
        ],
        **_paging(found.people),
    }


@reports.get("/reports/attendance/late")
@who_may(ANYONE)
@conditional
@refuses(errors.NotFound)
@reports.input(StaysIn, location="query")
@reports.output(StayPageOut)
def late(query_data: StaysIn) -> Page[Stay]:
    """Who was late in which session, the latest day first"""
    return punctuality.late(caller(), _filters(query_data), query_data.paging)


@reports.get("/reports/attendance/early")
@who_may(ANYONE)
@conditional
@refuses(errors.NotFound)
@reports.input(StaysIn, location="query")
@reports.output(StayPageOut)
def left_early(query_data: StaysIn) -> Page[Stay]:
    """Who checked out before the end of which session, the latest day first"""
    return punctuality.left_early(caller(), _filters(query_data), query_data.paging)


@reports.get("/reports/attendance/absent-in-a-row")
@who_may(STAFF)
@conditional
@refuses(errors.NotFound)
@reports.input(InARowIn, location="query")
@reports.output(InARowPageOut)
def absent_in_a_row(query_data: InARowIn) -> Page[dict[str, Any]]:
    """Who was absent in their last sessions, one after the other"""
    page = service.absent_in_a_row(caller(), _filters(query_data), query_data.at_least, query_data.paging)
    return page.of([{"student": user, "absences": absences} for user, absences in page.items])


@reports.get("/reports/class/<uuid:class_id>/matrix")
@who_may(STAFF)
@conditional
@refuses(errors.NotFound, errors.NotYourClass, errors.TooManySessions)
@reports.input(MatrixIn, location="query")
@reports.output(MatrixOut)
def matrix(class_id: uuid.UUID, query_data: MatrixIn) -> dict[str, Any]:
    """A class's people and sessions, at most 1200: who was what in which"""
    found = service.matrix(caller(), class_id, _days(query_data), query_data.paging)
    page, rows = found.people, zip(found.people.items, found.rows, strict=True)
    items = [{"student": user, "statuses": statuses} for user, statuses in rows]
    return {"sessions": found.sessions, "items": items, **_paging(page)}


@reports.get("/reports/attendance/verification")
@who_may(STAFF)
@conditional
@refuses(errors.NotFound)
@reports.input(FiltersIn, location="query")
@reports.output(CheckingOut)
def checking(query_data: FiltersIn) -> Checking:
    """How records came to be, were verified and flagged, and which check-ins were refused"""
    return service.checking(caller(), _filters(query_data))


def _days(period: PeriodIn) -> Days:
    return days_of(caller(), period.term_id, period.days)


def _filters(given: FiltersIn) -> Filters:
    return replace(given.selection, days=_days(given))


def _paging(page: Page[Any]) -> dict[str, Any]:
    return {name: getattr(page, name) for name in ("page", "per_page", "total", "pages", "next")}


def _ahead(outlook: Outlook) -> dict[str, Any]:
    return {name: getattr(outlook, name) for name in ("remaining", "best", "needed")}


def _figure(figure: Figure) -> dict[str, Any]:
    return FigureOut.model_validate(figure).model_dump()


def _named(some: Sequence[Named]) -> list[dict[str, Any]]:
    return [{"id": one.id, "name": one.name, **_figure(one.figure)} for one in some]


def _points(points: Sequence[Point]) -> list[dict[str, Any]]:
    return [{"interval": point.interval, **_figure(point.figure)} for point in points]


def _subject_row(row: service.SubjectRow) -> dict[str, Any]:
    counts, rate = row.figure.counts, row.figure.rate
    named = ("student_id", "student_name", "roll_number", "subject", "subject_id")
    statuses = ("present", "absent", "late", "excused", "leave")
    return {
        **{name: getattr(row, name) for name in named},
        "total_classes": row.figure.sessions,
        **{f"{status}_count": getattr(counts, status) for status in statuses},
        "attendance_percentage": None if rate is None else 100 * rate,
    }
