"""The story, as people tell it: used by tests that look at one part of it."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import Cast, Person
from tests.pictures import data_url


@dataclass
class Classroom:
    """A class with its teacher and the students who joined it, by name."""

    cast: Cast
    teacher: Person
    id: str
    join_code: str
    students: dict[str, Person] = field(default_factory=dict)

    @classmethod
    def open(cls, cast: Cast) -> Classroom:
        teacher = cast.teacher(first_name="Mary", last_name="Somerville")
        created = teacher.post("/api/classes/create", {"name": "Astronomy"}).json
        return cls(cast, teacher, created["id"], created["join_code"])

    def join(self, name: str) -> Person:
        student = self.cast.student(first_name=name)
        assert student.post("/api/classes/join", {"join_code": self.join_code}).status_code == 201
        self.students[name] = student
        return student

    def session(self, **values: Any) -> str:
        body = {"class_id": self.id, "session_name": "Stars"} | values
        answer = self.teacher.post("/api/attendance/create-session", body)
        assert answer.status_code == 201, answer.text
        return str(answer.json["id"])

    def mark(self, session: str, *names: str) -> Any:
        body = {"session_id": session, "student_ids": [str(self.students[name].id) for name in names]}
        return self.teacher.post("/api/attendance/mark-attendance", body)

    def leave(self, name: str, first_day: str, last_day: str, **values: Any) -> str:
        """A student's leave, approved by the teacher."""
        body = {"first_day": first_day, "last_day": last_day, "reason": "A wedding"} | values
        asked = self.students[name].post("/api/leave-requests", body)
        assert asked.status_code == 201, asked.text
        decided = self.teacher.post(f"/api/leave-requests/{asked.json['id']}/decision", {"approve": True})
        assert decided.status_code == 200, decided.text
        return str(asked.json["id"])

    def recognise(self, *pictures: bytes) -> Any:
        body = {"class_id": self.id, "images": [data_url(picture) for picture in pictures]}
        return self.teacher.post("/api/attendance/recognize-faces", body)


def consent(student: Person) -> None:
    assert student.post("/api/face-data/consent", {"accepted": True}).status_code == 200


def enrol(student: Person, pictures: Sequence[bytes]) -> Any:
    """Consent, and send one picture or several, as files."""
    consent(student)
    if len(pictures) == 1:
        files: dict[str, Any] = {"image": (io.BytesIO(pictures[0]), "me.jpg")}
        return student.post("/api/face-data/upload", data=files)
    files = {"images": [(io.BytesIO(picture), f"{n}.jpg") for n, picture in enumerate(pictures)]}
    return student.post("/api/face-data/multiple-upload", data=files)


def names(seen: Sequence[Any]) -> set[str]:
    """The first names of students in an answer."""
    return {item["student"]["first_name"] for item in seen}
