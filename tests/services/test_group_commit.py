"""What is brought while another transaction is saved is saved together, and what cannot be harms nobody else."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app import clock
from app.extensions import db
from app.models import Attempt, Record, Session, Source, Status, Verification
from app.services import group_commit
from app.services.group_commit import Brought, GroupCommit, SessionChanged
from tests.conftest import Cast
from tests.factories import make, make_user
from tests.statements import counted

PEOPLE = 12


@pytest.fixture
def session(cast: Cast) -> dict[str, uuid.UUID]:
    """Its id and its organisation's."""
    with cast.app.app_context():
        made = make(Session, class_id=None, subject_id=None, timetable_id=None)
        return {"organisation_id": made.organisation_id, "session_id": made.id}


def brought(cast: Cast, session: dict[str, uuid.UUID], person: uuid.UUID | None = None) -> Brought:
    with cast.app.app_context():
        person = person or make_user(organisation_id=session["organisation_id"]).id
    now = clock.now()
    record: dict[str, Any] = {
        "status": Status.PRESENT,
        "source": Source.CHECK_IN,
        "verification": Verification.VERIFIED,
    }
    record |= {"student_id": person, "marked_by_id": person, "marked_at": now, "created_at": now, "changed_at": now}
    record |= {"flags": [], "is_office": False, "forgot_to_check_out": False, "id": uuid7(), **session}
    attempt = {
        "id": uuid7(),
        "created_at": now,
        "user_id": person,
        "kind": "in",
        "evidence": {},
        "flags": [],
        **session,
    }
    return Brought(record, attempt | {"client_id": None}, (None, None))


def together(cast: Cast, commit: GroupCommit, some: list[Brought], monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The first is saved when all others have come."""
    come, original = Event(), group_commit._save

    def save(batch: Any) -> Any:
        come.wait(10)
        return original(batch)

    def one(each: Brought) -> Any:
        with cast.app.app_context():
            try:
                return commit.save(each)
            except SessionChanged:
                return "refused"

    monkeypatch.setattr(group_commit, "_save", save)
    with ThreadPoolExecutor(len(some)) as pool:
        answers = [pool.submit(one, each) for each in some]
        while len(commit._waiting) < len(some) - 1:
            pass
        come.set()
        return [answer.result() for answer in answers]


def kept(cast: Cast, model: Any) -> int:
    with cast.app.app_context():
        return len(db.session.scalars(select(model)).all())


def test_those_who_come_while_one_is_saved_share_the_next_transaction(
    cast: Cast, session: dict[str, uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    some = [brought(cast, session) for _ in range(PEOPLE)]
    with counted(cast.app) as said:
        assert together(cast, GroupCommit(), some, monkeypatch) == [True] * PEOPLE
    assert len([statement for statement in said if statement.startswith("INSERT INTO records")]) == 2
    assert (kept(cast, Record), kept(cast, Attempt)) == (PEOPLE, PEOPLE)


def test_of_one_person_who_comes_ten_times_one_is_saved(
    cast: Cast, session: dict[str, uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = brought(cast, session)
    again = [brought(cast, session, first.attempt["user_id"]) for _ in range(9)]
    assert sorted(together(cast, GroupCommit(), [first, *again], monkeypatch)) == [False] * 9 + [True]
    assert (kept(cast, Record), kept(cast, Attempt)) == (1, 1)


def test_what_cannot_be_saved_is_refused_alone(
    cast: Cast, session: dict[str, uuid.UUID], monkeypatch: pytest.MonkeyPatch
) -> None:
    good = [brought(cast, session) for _ in range(5)]
    gone = brought(cast, session | {"session_id": uuid7()})
    answers = together(cast, GroupCommit(), [*good[:3], gone, *good[3:]], monkeypatch)
    assert answers == [True, True, True, "refused", True, True]
    assert (kept(cast, Record), kept(cast, Attempt)) == (5, 5)
