"""The audit log: who did what, before and after, and that nobody rewrites it."""

from __future__ import annotations

import csv
import io
import uuid
from datetime import date
from typing import Any

import pytest
from sqlalchemy import delete, select, update
from sqlalchemy.exc import IntegrityError

from app.extensions import db
from app.models import AuditChain, AuditEntry, Department, Enrolment, Role
from app.services import audit
from app.services.audit import verify
from app.services.transaction import transaction
from tests.conftest import Cast, Person
from tests.factories import make, make_user
from tests.statements import counted
from tests.story import Classroom
from tests.test_races import at_once


@pytest.fixture
def admin(cast: Cast) -> Person:
    return cast.person(Role.ADMIN)


def entries(admin: Person, **wanted: Any) -> list[dict[str, Any]]:
    answer = admin.get("/api/admin/audit", query_string={"per_page": 100} | wanted)
    assert answer.status_code == 200, answer.text
    items: list[dict[str, Any]] = answer.json["items"]
    return items


def wrong(cast: Cast) -> list[str]:
    with cast.app.app_context():
        return verify(cast.organisation())


def test_a_change_is_kept_with_who_did_it_from_where_and_why(admin: Person, student: Person) -> None:
    agent = {"User-Agent": "office PC", "X-Request-ID": "change-of-phone-7"}
    admin.put(f"/api/admin/users/{student.id}", {"phone": "+351 21 1"}, headers=agent)
    (entry,) = entries(admin, entity="users", action="update", row_id=str(student.id))
    assert (entry["actor_id"], entry["person_id"]) == (str(admin.id), str(student.id))
    assert (entry["before"], entry["after"]) == ({}, {"phone": "+351 21 1"})
    assert (entry["device"], entry["address"], entry["request_id"]) == ("office PC", "127.0.0.1", "change-of-phone-7")
    admin.post(f"/api/admin/users/{student.id}/suspend", {"reason": "lost the phone"})
    suspended = entries(admin, row_id=str(student.id), action="update")[0]
    assert suspended["reason"] == "lost the phone"
    assert (suspended["before"]["status"], suspended["after"]["status"]) == ("active", "suspended")


def test_any_call_may_say_why(admin: Person) -> None:
    admin.post("/api/departments", {"name": "Science"}, headers={"X-Reason": "new wing"})
    (entry,) = entries(admin, entity="departments")
    assert (entry["action"], entry["reason"], entry["after"]["name"]) == ("create", "new wing", "Science")


def test_many_rows_changed_by_one_statement_are_an_entry_each(cast: Cast, admin: Person) -> None:
    room = Classroom.open(cast)
    for name in ("Ada", "Grace"):
        room.join(name)
    session = room.session()
    room.mark(session, "Ada", "Grace")
    marked = entries(admin, entity="records")
    assert {(e["action"], e["after"]["status"]) for e in marked} == {("create", "present")}
    assert {e["person_id"] for e in marked} == {str(s.id) for s in room.students.values()}
    room.mark(session, "Ada")
    assert len(entries(admin, entity="records")) == 2, "what changes nothing is no entry"


def test_no_secret_is_in_the_log(cast: Cast, admin: Person, student: Person) -> None:
    student.post(
        "/api/auth/change-password", {"current_password": "correct horse battery", "new_password": "x y z 9 w"}
    )
    with cast.app.app_context():
        kept = " ".join(str(e.content) for e in db.session.scalars(select(AuditEntry)))
    assert "(secret)" in kept
    assert "$2b$" not in kept


def test_what_was_not_saved_is_not_in_the_log(cast: Cast, admin: Person, student: Person) -> None:
    before = len(entries(admin))
    assert admin.put(f"/api/admin/users/{student.id}", {"phone": "1", "email": admin.email}).status_code == 409
    assert len(entries(admin)) == before


def test_going_back_to_a_savepoint_takes_back_what_came_after_it_and_nothing_else(cast: Cast, admin: Person) -> None:
    def save(name: str) -> None:
        db.session.add(Department(organisation_id=admin.organisation_id, name=name))
        db.session.flush()

    @transaction
    def service() -> None:
        save("Before")
        with pytest.raises(IntegrityError), db.session.begin_nested():
            save("Before")
        with db.session.begin_nested():
            save("Kept")

    with cast.app.app_context():
        service()
    made = entries(admin, entity="departments", sort="sequence")
    assert [entry["after"]["name"] for entry in made] == ["Before", "Kept"]


def test_each_of_many_rows_is_in_the_log_in_statements_of_some(
    cast: Cast, admin: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "AT_ONCE", 2)
    room = Classroom.open(cast)
    over = {"class_id": uuid.UUID(room.id), "starts_on": date(2026, 1, 1), "ends_on": date(2026, 2, 1)}
    with cast.app.app_context():
        for _ in range(5):
            student = make_user(organisation_id=admin.organisation_id, role=Role.STUDENT)
            make(Enrolment, organisation_id=admin.organisation_id, student_id=student.id, **over)
    with counted(cast.app) as statements:
        room.join("Ada")
    assert (
        max(s.split(" IN (")[1].count(",") for s in statements if "FROM enrolments \nWHERE enrolments.id IN" in s) == 1
    )
    assert len([e for e in entries(admin, entity="enrolments", action="update") if "is_current" in e["before"]]) == 5


def test_a_whole_log_is_found_whole_whoever_writes_at_once(cast: Cast, admin: Person) -> None:
    answers = at_once(
        lambda n: Person(cast.app.test_client(), token=admin.token).post("/api/departments", {"name": f"D{n}"}), 20
    )
    assert answers == {201: 20}
    assert wrong(cast) == []
    numbers = [e["sequence"] for e in entries(admin, sort="sequence")]
    assert numbers == list(range(1, len(numbers) + 1))


@pytest.mark.parametrize(
    ("tamper", "said"),
    [
        (update(AuditEntry).where(AuditEntry.sequence == 3).values(content={"salt": "x"}), "entry 3 was changed"),
        (update(AuditEntry).where(AuditEntry.sequence == 3).values(content=None), "entry 3 was emptied"),
        (update(AuditEntry).where(AuditEntry.sequence == 3).values(actor_id=None), "entry 3 does not follow"),
        (delete(AuditEntry).where(AuditEntry.sequence == 3), "entries 3 to 3 are missing"),
        (delete(AuditEntry).where(AuditEntry.sequence >= 3), "the log at 2"),
        (update(AuditChain).values(sequence=2, hash="x"), "the chain ends at entry 2"),
    ],
    ids=["changed", "emptied", "actor", "removed", "end removed", "chain"],
)
def test_what_is_changed_or_removed_shows(cast: Cast, admin: Person, tamper: Any, said: str) -> None:
    for name in ("One", "Two", "Three", "Four"):
        admin.post("/api/departments", {"name": name})
    assert wrong(cast) == []
    with cast.app.app_context(), db.engine.begin() as connection:
        connection.execute(tamper)
    assert any(said in sentence for sentence in wrong(cast)), wrong(cast)
    run = cast.app.test_cli_runner().invoke(args=["audit", "verify"])
    assert (run.exit_code, said in run.output) == (1, True)


def test_the_command_says_where_a_whole_log_ends(cast: Cast, admin: Person) -> None:
    run = cast.app.test_cli_runner().invoke(args=["audit", "verify"])
    assert run.exit_code == 0
    with cast.app.app_context():
        assert audit.head(cast.organisation()) in run.output


def test_the_log_is_exported_as_a_table_that_runs_nothing(admin: Person) -> None:
    admin.post("/api/departments", {"name": "=1+1"}, headers={"X-Reason": "=HYPERLINK(1)"})
    answer = admin.get("/api/admin/audit/export?entity=departments")
    assert (answer.status_code, answer.mimetype) == (200, "text/csv")
    (row,) = csv.DictReader(io.StringIO(answer.text))
    assert (row["action"], row["reason"]) == ("create", "'=HYPERLINK(1)")


def test_another_organisations_log_is_not_to_be_seen(cast: Cast, admin: Person) -> None:
    admin.post("/api/departments", {"name": "Science"})
    other = cast.person(Role.ADMIN, organisation_id=cast.other_organisation())
    assert entries(other, entity="departments") == []
    assert "Science" not in other.get("/api/admin/audit/export").text


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00"])
def test_a_time_that_is_none_in_utc_is_refused(admin: Person, moment: str) -> None:
    answer = admin.get("/api/admin/audit", query_string={"since": moment})
    assert answer.status_code == 422
