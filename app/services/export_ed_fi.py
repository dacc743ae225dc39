"""Records as the attendance events of the Ed-Fi data standard, one a line; docs/figures.md has the fields."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

from app.extensions import db
from app.models import Class, Organisation, Status, Term
from app.services.caller import Caller
from app.services.export import Line, Wanted, in_pieces, rows, student, subject
from app.services.statuses import statuses_of

DESCRIPTOR = "uri://ed-fi.org/AttendanceEventCategoryDescriptor#"
Event = dict[str, Any]


def as_ed_fi(caller: Caller, wanted: Wanted) -> Iterator[bytes]:
    """A studentSectionAttendanceEvent for each record of a class's session, a studentSchoolAttendanceEvent for each
    other; each in an object that names which of them it is."""
    events = _Events(caller)
    more = {
        "student_key": student.external_id,
        "class_id": Class.id,
        "class_key": Class.external_id,
        "class_name": Class.name,
        "term_id": Class.term_id,
        "subject_code": subject.code,
        "subject_name": subject.name,
    }
    found = rows(caller, wanted, *(column.label(name) for name, column in more.items()))
    yield from in_pieces(json.dumps(events.event(line, row), ensure_ascii=False) + "\n" for line, row in found)


class _Events:
    def __init__(self, caller: Caller) -> None:
        organisation = db.session.get_one(Organisation, caller.organisation_id)
        school = organisation.external_id or organisation.id.hex
        self.school = int(school) if school.isdecimal() and school.isascii() else school
        self.name = organisation.name
        self.terms = list(db.session.scalars(caller.rows(Term).order_by(Term.first_day, Term.id)))
        self.categories = {view.code: view.ed_fi for view in statuses_of(caller.settings)}
        self.full_day = caller.settings.day.full_minutes

    def event(self, line: Line, row: Any) -> Event:
        kind = "School" if row.class_id is None else "Section"
        known = {"schoolId": self.school} | self._session(line.date, row.term_id)
        if row.class_id is None:
            references: Event = {"schoolReference": {"schoolId": self.school}, "sessionReference": known}
        else:
            course = row.subject_code or row.subject_name or row.class_name
            named = {"localCourseCode": course[:60], "sectionIdentifier": row.class_key or row.class_id.hex}
            references = {"sectionReference": named | known}
        event = {
            "studentReference": {"studentUniqueId": row.student_key or line.student_id.hex},
            **references,
            "eventDate": line.date.isoformat(),
            "attendanceEventCategoryDescriptor": DESCRIPTOR + self._category(line),
            "attendanceEventReason": line.remarks and line.remarks[:255],
            "arrivalTime": line.checked_in and line.checked_in.strftime("%H:%M:%S"),
            "departureTime": line.checked_out and line.checked_out.strftime("%H:%M:%S"),
        }
        if line.minutes is not None:
            event["eventDuration"] = round(min(1, line.minutes / self.full_day), 2)
            event[f"{kind.lower()}AttendanceDuration"] = round(line.minutes)
        return {f"student{kind}AttendanceEvent": {name: value for name, value in event.items() if value is not None}}

    def _category(self, line: Line) -> str:
        """Of a status that the organisation had and has no more: that of what it counts as."""
        return self.categories.get(line.code or line.status) or self.categories[Status(line.status)]

    def _session(self, day: date, term_id: Any) -> Event:
        """What Ed-Fi calls a session is a term: the class's, or else the one that the day lies in."""
        of_class = (term for term in self.terms if term.id == term_id)
        of_day = (term for term in self.terms if term.first_day <= day <= term.last_day)
        term = next(of_class, None) or next(of_day, None)
        return {"schoolYear": term.last_day.year, "sessionName": term.name[:60]} if term else {}
