"""Leave requests: who may ask, see and decide, what becomes of records, and what is attached."""

from __future__ import annotations

import base64
import io
import uuid
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from cryptography.fernet import Fernet
from pydantic import SecretStr
from sqlalchemy import select

from app import clock
from app.extensions import db, settings
from app.models import LeaveAttachment, LeaveRequest, Record, RecordMark, Role, Source, Status, User
from app.services import leave_attachments, vault
from tests.conftest import Cast, Person
from tests.factories import make
from tests.pictures import astronaut, encode
from tests.statements import counted
from tests.story import Classroom
from tests.test_races import at_once, twin

NINE = datetime(2026, 3, 12, 9, 0, tzinfo=UTC)
TODAY, TOMORROW = "2026-03-12", "2026-03-13"
PDF = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n"


@pytest.fixture(autouse=True)
def at(monkeypatch: pytest.MonkeyPatch) -> Any:
    def set_day(days: float) -> None:
        monkeypatch.setattr(clock, "now", lambda: NINE + timedelta(days=days))

    set_day(-20)
    return set_day


@pytest.fixture
def room(cast: Cast, at: Any) -> Classroom:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    at(0)
    return room


@pytest.fixture
def ada(room: Classroom) -> Person:
    return room.students["Ada"]


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


@pytest.fixture
def parent(cast: Cast, admin: Person, ada: Person) -> Person:
    parent = cast.person(Role.PARENT)
    linked = admin.put(f"/api/admin/users/{parent.id}", {"student_ids": [str(ada.id)]})
    assert linked.status_code == 200, linked.text
    return parent


def body(first_day: str = TODAY, last_day: str = TODAY, **values: Any) -> dict[str, Any]:
    return {"first_day": first_day, "last_day": last_day, "reason": "A wedding"} | values


def ask(person: Person, *days: str, **values: Any) -> str:
    asked = person.post("/api/leave-requests", body(*days, **values))
    assert asked.status_code == 201, asked.text
    return str(asked.json["id"])


def decide(person: Person, request: str, approve: bool = True, **values: Any) -> Any:
    values = {"approve": approve} | ({} if approve else {"reason": "Exams"}) | values
    return person.post(f"/api/leave-requests/{request}/decision", values)


def told(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json["code"]


def records(room: Classroom, session: str) -> dict[str, tuple[str, str]]:
    items = room.teacher.get(f"/attendance/session/{session}/records").json["items"]
    return {r["student"]["first_name"]: (r["status"], r["source"]) for r in items}


def close(room: Classroom, session: str) -> None:
    assert room.teacher.post(f"/attendance/session/{session}/close", {}).status_code == 200


def mark(room: Classroom, name: str, status: str, day: str = TODAY) -> None:
    values = {"student_id": str(room.students[name].id), "class_id": room.id, "date": day, "status": status}
    assert room.teacher.post("/api/attendance", values).status_code in {200, 201}


def test_a_student_asks_and_a_teacher_approves(room: Classroom, ada: Person) -> None:
    asked = ada.post("/api/leave-requests", body(TODAY, TOMORROW))
    assert asked.status_code == 201
    expected = {"status": "pending", "counts_as": "leave", "student_id": str(ada.id), "requested_by_id": str(ada.id)}
    assert {name: asked.json[name] for name in expected} == expected
    assert asked.json["student"]["first_name"] == "Ada"
    decided = decide(room.teacher, asked.json["id"], reason="Enjoy it")
    assert (decided.json["status"], decided.json["decision_reason"]) == ("approved", "Enjoy it")
    assert decided.json["decided_by_id"] == str(room.teacher.id)
    assert ada.get(f"/api/leave-requests/{asked.json['id']}").json == decided.json


def test_parents_ask_for_their_children_and_staff_for_students(
    cast: Cast, room: Classroom, parent: Person, ada: Person
) -> None:
    theirs = str(ada.id)
    assert ask(parent, "2026-04-01", "2026-04-02", student_id=theirs)
    assert ask(cast.teacher(), "2026-04-03", "2026-04-03", student_id=theirs)
    grace = str(room.students["Grace"].id)
    for person in (parent, ada, cast.person(Role.EMPLOYEE)):
        assert told(person.post("/api/leave-requests", body(student_id=grace))) == (404, "not_found")
    for person in (parent, room.teacher):
        refused = person.post("/api/leave-requests", body())
        assert (*told(refused), list(refused.json["errors"])) == (400, "missing_fields", ["student_id"])


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_day": TOMORROW},
        {"last_day": "2027-03-13"},
        {"reason": " "},
        {"counts_as": "present"},
        {"first_day": "0001-01-01", "last_day": "0001-01-01"},
        {"last_day": "yesterday"},
    ],
)
def test_what_makes_no_sense_is_refused(ada: Person, wrong: dict[str, Any]) -> None:
    assert told(ada.post("/api/leave-requests", body() | wrong)) == (422, "invalid_input")


def test_a_year_with_a_leap_day_may_be_asked_for(ada: Person) -> None:
    assert ask(ada, "2027-03-12", "2028-03-11")


def test_days_are_asked_for_once(ada: Person, room: Classroom) -> None:
    first = ask(ada, "2026-03-12", "2026-03-15")
    for days in (("2026-03-15", "2026-03-20"), ("2026-03-01", "2026-03-12"), ("2026-03-13", "2026-03-13")):
        refused = ada.post("/api/leave-requests", body(*days))
        assert (*told(refused), refused.json["leave_request_id"]) == (409, "leave_overlaps", first)
    assert ask(ada, "2026-03-16", "2026-03-16")
    assert ask(room.students["Grace"], "2026-03-12", "2026-03-15")
    decide(room.teacher, first, approve=False)
    assert ask(ada, "2026-03-12", "2026-03-12")


def test_ten_who_ask_for_the_same_days_at_once_are_one(cast: Cast, ada: Person, parent: Person) -> None:
    sent = body(student_id=str(ada.id))
    answers = at_once(lambda n: twin(cast, (ada, parent)[n % 2]).post("/api/leave-requests", sent), 10)
    assert answers == {201: 1, 409: 9}


def test_each_sees_what_is_theirs(cast: Cast, room: Classroom, ada: Person, parent: Person, admin: Person) -> None:
    grace, clerk, stranger = room.students["Grace"], cast.person(Role.EMPLOYEE), cast.student()
    other_teacher = cast.teacher()
    requests = {"ada": ask(ada), "grace": ask(grace), "clerk": ask(clerk), "stranger": ask(stranger)}
    requests["asked"] = ask(other_teacher, TOMORROW, TOMORROW, student_id=str(stranger.id))
    for person, expected in (
        (ada, {"ada"}),
        (parent, {"ada"}),
        (grace, {"grace"}),
        (clerk, {"clerk"}),
        (stranger, {"stranger", "asked"}),
        (room.teacher, {"ada", "grace"}),
        (other_teacher, {"asked"}),
        (admin, set(requests)),
    ):
        listed = person.get("/api/leave-requests").json
        assert {item["id"] for item in listed["items"]} == {requests[name] for name in expected}
        assert listed["total"] == len(expected)
        read = {name for name, id_ in requests.items() if person.get(f"/api/leave-requests/{id_}").status_code == 200}
        assert read == expected


def test_a_list_is_filtered(room: Classroom, ada: Person, admin: Person) -> None:
    early, late = ask(ada, "2026-03-12", "2026-03-14"), ask(ada, "2026-03-20", "2026-03-21")
    grace = ask(room.students["Grace"], "2026-05-01", "2026-05-01")
    decide(admin, late)
    for query, expected in (
        ("status=approved", [late]),
        (f"student_id={ada.id}", [late, early]),
        ("start_date=2026-03-14&end_date=2026-03-19", [early]),
        ("start_date=2026-03-15&sort=first_day", [late, grace]),
        ("end_date=2026-03-20&per_page=1", [late]),
    ):
        assert [r["id"] for r in admin.get(f"/api/leave-requests?{query}").json["items"]] == expected, query


def test_only_who_teaches_the_student_now_or_administers_decides(
    cast: Cast, room: Classroom, ada: Person, parent: Person, admin: Person
) -> None:
    other = cast.teacher()
    request = ask(other, student_id=str(ada.id))
    assert told(decide(other, request)) == (403, "not_your_class")
    for person in (ada, parent):
        assert told(decide(person, request)) == (403, "role_not_allowed")
    assert told(decide(room.teacher, request, approve=False, reason="")) == (422, "invalid_input")
    assert decide(room.teacher, request, approve=False).json["status"] == "rejected"
    ada.post(f"/api/classes/{room.id}/leave")
    later = ask(ada, TOMORROW, TOMORROW)
    assert told(decide(room.teacher, later)) == (404, "not_found")
    assert decide(admin, later).status_code == 200


def test_nobody_decides_their_own(cast: Cast, admin: Person) -> None:
    clerk = cast.person(Role.EMPLOYEE)
    request = ask(clerk)
    admin.put(f"/api/admin/users/{clerk.id}", {"role": "admin"})
    assert told(decide(clerk, request)) == (403, "own_leave")


def test_administrators_decide_again_and_the_records_follow(room: Classroom, ada: Person, admin: Person) -> None:
    session = room.session(session_date=TODAY)
    close(room, session)
    request = ask(ada)
    assert decide(room.teacher, request).status_code == 200
    assert records(room, session) == {"Ada": ("leave", "leave"), "Grace": ("absent", "close")}
    assert told(decide(room.teacher, request, approve=False)) == (409, "leave_decided")
    for approve, expected in ((True, "leave"), (False, "absent"), (False, "absent"), (True, "leave")):
        assert decide(admin, request, approve=approve).status_code == 200
        assert records(room, session)["Ada"][0] == expected


def test_what_was_rejected_is_not_approved_over_what_was_asked_since(ada: Person, admin: Person) -> None:
    request = ask(ada, TODAY, TOMORROW)
    decide(admin, request, approve=False)
    ask(ada, TOMORROW, TOMORROW)
    assert told(decide(admin, request)) == (409, "leave_overlaps")


def test_two_who_decide_at_once_decide_once(cast: Cast, room: Classroom, ada: Person) -> None:
    request = ask(ada)
    answers = at_once(lambda n: decide(twin(cast, room.teacher), request, approve=bool(n % 2)), 6)
    assert answers == {200: 1, 409: 5}


@pytest.mark.parametrize("counts_as", ["excused", "leave"])
def test_approval_changes_absence_on_its_days_and_nothing_else(
    room: Classroom, ada: Person, admin: Person, counts_as: str
) -> None:
    days = ["2026-03-09", "2026-03-10", "2026-03-11", "2026-03-12", "2026-03-13"]
    sessions = {day: room.session(session_date=day) for day in days}
    mark(room, "Ada", "absent", "2026-03-10")
    mark(room, "Ada", "late", "2026-03-12")
    for session in sessions.values():
        close(room, session)
    request = ask(ada, "2026-03-10", "2026-03-12", counts_as=counts_as)
    before = {day: records(room, session) for day, session in sessions.items()}
    decide(admin, request)
    after = {day: records(room, session) for day, session in sessions.items()}
    changed = {"2026-03-10", "2026-03-11"}
    assert {day for day in days if after[day] != before[day]} == changed
    assert all(after[day] == before[day] | {"Ada": (counts_as, "leave")} for day in changed)
    undone = admin.post(f"/api/leave-requests/{request}/withdraw", {"reason": "They came after all"})
    assert undone.json["status"] == "withdrawn"
    assert {day: records(room, session) for day, session in sessions.items()} == before


def test_what_was_done_after_the_approval_stays_when_it_is_withdrawn(
    room: Classroom, ada: Person, admin: Person
) -> None:
    sessions = {day: room.session(session_date=day) for day in ("2026-03-10", "2026-03-11")}
    for session in sessions.values():
        close(room, session)
    request = ask(ada, "2026-03-10", "2026-03-11")
    decide(admin, request)
    mark(room, "Ada", "present", "2026-03-10")
    admin.post(f"/api/leave-requests/{request}/withdraw", {})
    assert [records(room, s)["Ada"] for s in sessions.values()] == [("present", "manual"), ("absent", "close")]


def test_who_closed_after_the_approval_is_absent_when_it_is_withdrawn(
    room: Classroom, ada: Person, admin: Person
) -> None:
    request, session = ask(ada), room.session(session_date=TODAY)
    decide(admin, request)
    close(room, session)
    assert records(room, session)["Ada"] == ("leave", "leave")
    decide(admin, request, approve=False)
    assert records(room, session)["Ada"] == ("absent", "close")


def test_what_the_office_decided_stays(cast: Cast, room: Classroom, ada: Person, admin: Person) -> None:
    session = room.session(session_date=TODAY)
    mark(room, "Ada", "absent")
    with cast.app.app_context():
        db.session.scalars(select(Record)).one().is_office = True
        db.session.commit()
    decide(admin, ask(ada))
    assert records(room, session)["Ada"] == ("absent", "manual")


def test_an_organisations_own_status_comes_back(cast: Cast, room: Classroom, ada: Person, admin: Person) -> None:
    room.session(session_date=TODAY)
    mark(room, "Ada", "absent")
    with cast.app.app_context():
        db.session.scalars(select(Record)).one().code = "TRUANT"
        db.session.commit()
    request = ask(ada)
    for approve, expected in ((True, (Status.LEAVE, None)), (False, (Status.ABSENT, "TRUANT"))):
        decide(admin, request, approve=approve)
        with cast.app.app_context():
            record = db.session.scalars(select(Record)).one()
            assert (record.status, record.code) == expected


def test_however_many_records_are_changed_the_statements_are_as_many(
    cast: Cast, room: Classroom, admin: Person
) -> None:
    numbers = []
    for name, days in (("Ada", 2), ("Grace", 20)):
        request = ask(room.students[name], "2026-03-01", "2026-03-20")
        with cast.app.app_context():
            own: dict[str, Any] = {"organisation_id": cast.organisation(), "student_id": room.students[name].id}
            own |= {"marked_by_id": room.teacher.id, "status": Status.ABSENT}
            for day in range(1, days + 1):
                session = uuid.UUID(room.session(session_date=f"2026-03-{day:02}"))
                make(Record, **own, session_id=session, source=(Source.CLOSE, Source.MANUAL)[day % 2])
        for approve in (True, False):
            with counted(cast.app) as said:
                assert decide(admin, request, approve=approve).status_code == 200
            numbers.append(len(said))
    assert numbers[:2] == numbers[2:]
    with cast.app.app_context():
        assert {r.status for r in db.session.scalars(select(Record))} == {Status.ABSENT}
        assert len(db.session.scalars(select(RecordMark)).all()) == 22


def test_closing_and_approving_at_once_end_in_leave(cast: Cast, room: Classroom, admin: Person) -> None:
    """Whichever comes first, the other one sees it."""
    for day in ("2026-03-01", "2026-03-02", "2026-03-03", "2026-03-04", "2026-03-05"):
        session, request = room.session(session_date=day), ask(room.students["Ada"], day, day)
        calls: list[tuple[Person, str, Any]] = [
            (room.teacher, f"/attendance/session/{session}/close", {}),
            (admin, f"/api/leave-requests/{request}/decision", {"approve": True}),
        ]
        assert at_once(partial(send, cast, calls), 2) == {200: 2}
        assert records(room, session)["Ada"] == ("leave", "leave")


def send(cast: Cast, calls: list[tuple[Person, str, Any]], number: int) -> Any:
    person, path, sent = calls[number]
    return twin(cast, person).post(path, sent)


def test_withdrawing(room: Classroom, ada: Person, parent: Person, at: Any) -> None:
    def withdraw(person: Person, request: str) -> Any:
        return person.post(f"/api/leave-requests/{request}/withdraw", {})

    pending, coming, begun = ask(ada), ask(ada, TOMORROW, TOMORROW), ask(ada, "2026-03-14", "2026-03-16")
    decide(room.teacher, coming)
    decide(room.teacher, begun)
    assert told(withdraw(room.students["Grace"], pending)) == (404, "not_found")
    assert withdraw(parent, pending).json["status"] == "withdrawn"
    assert told(withdraw(parent, pending)) == (409, "leave_decided")
    assert told(decide(room.teacher, pending)) == (409, "leave_decided")
    assert withdraw(ada, coming).json["status"] == "withdrawn"
    at(2)
    assert told(withdraw(ada, begun)) == (409, "leave_begun")
    assert withdraw(room.teacher, begun).json["status"] == "withdrawn"


def test_a_decision_is_in_the_audit_log_with_its_reason(ada: Person, admin: Person) -> None:
    decide(admin, ask(ada), approve=False, reason="Exams")
    (entry,) = admin.get("/api/admin/audit?entity=leave_requests&action=update").json["items"]
    assert (entry["reason"], entry["after"]["status"]) == ("Exams", "rejected")


def attach(person: Person, request: str, content: bytes = PDF, name: str = "note.pdf") -> Any:
    return person.post(f"/api/leave-requests/{request}/attachment", data={"file": (io.BytesIO(content), name)})


@pytest.mark.parametrize(
    ("content", "name", "listed"),
    [
        (PDF, "note.pdf", ("note.pdf", "application/pdf")),
        (encode(astronaut()), "../../etc/me.exe", ("me.jpg", "image/jpeg")),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 10, "C:\\scans\\note\u202egpj.png", ("notegpj.png", "image/png")),
        (PDF, "", ("attachment.pdf", "application/pdf")),
        (PDF, "Βεβαίωση.pdf", ("Βεβαίωση.pdf", "application/pdf")),
        (PDF, "n" * 500, ("n" * 196 + ".pdf", "application/pdf")),
    ],
    ids=["pdf", "jpeg", "png", "nameless", "greek", "long"],
)
def test_an_attachment_comes_back_as_it_was_sent(
    room: Classroom, ada: Person, content: bytes, name: str, listed: tuple[str, str]
) -> None:
    request = ask(ada)
    sent = {"file": base64.b64encode(content).decode(), "name": name}
    attached = ada.post(f"/api/leave-requests/{request}/attachment", sent)
    assert attached.status_code == 201, attached.text
    (seen,) = room.teacher.get(f"/api/leave-requests/{request}").json["attachments"]
    assert seen == attached.json
    assert ((seen["name"], seen["media_type"]), seen["size"]) == (listed, len(content))
    file = room.teacher.get(f"/api/leave-requests/{request}/attachments/{seen['id']}")
    assert (file.data, file.mimetype) == (content, listed[1])
    assert file.headers["Content-Disposition"].startswith("attachment;")
    assert file.headers["X-Content-Type-Options"] == "nosniff"


def test_an_attachment_may_be_sent_as_a_file(ada: Person) -> None:
    assert attach(ada, ask(ada), name="a/b/note.pdf").json["name"] == "note.pdf"


def test_an_attachment_is_for_those_who_may_see_the_request(
    cast: Cast, room: Classroom, ada: Person, parent: Person, admin: Person
) -> None:
    request, other = ask(parent, student_id=str(ada.id)), ask(ada, TOMORROW, TOMORROW)
    attachment = attach(parent, request).json["id"]
    path = f"/api/leave-requests/{request}/attachments/{attachment}"
    for person, status in (
        (ada, 200), (parent, 200), (room.teacher, 200), (admin, 200),
        (cast.teacher(), 404), (room.students["Grace"], 404), (cast.person(Role.PARENT), 404),
    ):  # fmt: skip
        assert person.get(path).status_code == status
    assert told(attach(room.students["Grace"], request)) == (404, "not_found")
    assert told(ada.get(f"/api/leave-requests/{other}/attachments/{attachment}")) == (404, "not_found")


@pytest.mark.parametrize("content", [b"", b"GIF89a", b"<html>%PDF-", b"MZ\x90", b" %PDF-"])
def test_the_bytes_say_what_a_file_is(ada: Person, content: bytes) -> None:
    assert told(attach(ada, ask(ada), content, "note.pdf")) == (400, "unreadable_file")


def test_attachments_are_five_of_five_megabytes(cast: Cast, ada: Person) -> None:
    request, largest = ask(ada), leave_attachments.LARGEST
    assert told(attach(ada, request, PDF.ljust(largest + 1))) == (413, "attachment_too_large")
    assert attach(ada, request, PDF.ljust(largest)).status_code == 201
    answers = at_once(lambda _: attach(twin(cast, ada), request), 8)
    assert answers == {201: 4, 409: 4}
    assert told(attach(ada, request)) == (409, "too_many_attachments")


def test_an_attachment_is_deleted_by_who_asked_while_it_is_pending(ada: Person, parent: Person, admin: Person) -> None:
    request = ask(ada)
    path = f"/api/leave-requests/{request}/attachments/"
    first, second = attach(ada, request).json["id"], attach(parent, request).json["id"]
    assert told(parent.delete(path + second)) == (403, "not_your_leave")
    assert ada.delete(path + second).status_code == 200
    assert told(ada.get(path + second)) == (404, "not_found")
    decide(admin, request)
    assert told(ada.delete(path + first)) == (409, "leave_decided")
    assert attach(ada, request).status_code == 201
    decide(admin, request, approve=False)
    assert told(attach(ada, request)) == (409, "leave_decided")


def test_an_attachment_is_kept_encrypted_and_follows_a_new_key(
    cast: Cast, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = ask(ada)
    attachment = attach(ada, request).json["id"]
    new = SecretStr(Fernet.generate_key().decode())
    with cast.app.app_context():
        assert PDF not in db.session.scalars(select(LeaveAttachment.sealed)).one()
        old = settings().face_keys
        monkeypatch.setattr(settings(), "face_keys", [new, *old])
        assert vault.rotate_key()[0] >= 1
        monkeypatch.setattr(settings(), "face_keys", [new])
        assert ada.get(f"/api/leave-requests/{request}/attachments/{attachment}").data == PDF
        monkeypatch.undo()


def test_what_is_held_about_a_person_names_leave_and_erasing_forgets_it(
    cast: Cast, ada: Person, parent: Person, admin: Person
) -> None:
    request = ask(parent, student_id=str(ada.id), reason="A secret illness")
    attach(parent, request)
    held = admin.get(f"/api/admin/users/{ada.id}/export").json["held"]
    assert [r["reason"] for r in held["leave_requests"]] == ["A secret illness"]
    assert [(a["name"], a["sealed"]) for a in held["leave_attachments"]] == [("note.pdf", "(secret)")]
    decide(admin, request)
    (decided,) = admin.get("/api/auth/profile/export").json["held"]["leave_requests"]
    assert decided == {"id": request, "decided_by_id": str(admin.id), "created_at": decided["created_at"]}
    assert admin.post(f"/api/admin/users/{ada.id}/erase", {}).status_code == 200
    with cast.app.app_context():
        assert db.session.scalars(select(LeaveRequest)).all() == []
        assert db.session.scalars(select(LeaveAttachment)).all() == []
        assert db.session.get_one(User, parent.id).erased_at is None
    assert "illness" not in admin.get("/api/admin/audit?per_page=100").text
