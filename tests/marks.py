"""A student's marks, records and behaviour notes, for tests of what they come to."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from app.models import Assessment, BehaviourKind, BehaviourNote, Record, Session, Source, Status
from tests.factories import make


@dataclass(frozen=True, slots=True)
class Teaching:
    """Whose they are, by whom, and from which day they are counted back."""

    organisation_id: uuid.UUID
    teacher_id: uuid.UUID | None
    today: date

    def records(self, student_id: uuid.UUID | None, *statuses: Status, ago: int = 0, **session: Any) -> None:
        """Records of a day each, the last one so many days ago."""
        for back, status in enumerate(reversed(statuses), ago):
            day, own = self.today - timedelta(days=back), {"organisation_id": self.organisation_id}
            held = make(Session, **own, session_date=day, created_by_id=self.teacher_id, **session)
            by = {"marked_by_id": self.teacher_id, "source": Source.MANUAL}
            make(Record, **own, **by, session_id=held.id, student_id=student_id, status=status)

    def marks(self, student_id: uuid.UUID | None, subject_id: uuid.UUID, *scores: float, ago: int = 0) -> None:
        """Marks of 100 at most."""
        day, own = self.today - timedelta(days=ago), {"organisation_id": self.organisation_id}
        for score in scores:
            of = {"student_id": student_id, "subject_id": subject_id, "recorded_by_id": self.teacher_id}
            make(Assessment, **own, **of, kind="test", score=score, max_score=100, taken_on=day)

    def notes(self, student_id: uuid.UUID | None, kind: BehaviourKind, count: int, ago: int = 0) -> None:
        day, own = self.today - timedelta(days=ago), {"organisation_id": self.organisation_id}
        for _ in range(count):
            by = {"student_id": student_id, "teacher_id": self.teacher_id}
            make(BehaviourNote, **own, **by, kind=kind, category="conduct", happened_on=day)
