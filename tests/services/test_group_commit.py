"""Those who come while others are checked in are checked in together, and what cannot be harms nobody else."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from sqlalchemy import select, update

from app import clock
from app.extensions import db
from app.models import Attempt, Organisation, Record, Role, Session
from app.services import check_in, sign_in
from app.services.check_in import Asked, group_of_check_ins
from app.services.evidence import Shown
from app.services.group_commit import GroupCommit
from app.services.sent_later import When
from tests.conftest import Cast
from tests.factories import make, make_user
from tests.statements import counted

PEOPLE = 12


def make_session(cast: Cast, **values: Any) -> Session:
    """A session of everybody, which runs now."""
    now, everybody = clock.now(), {"class_id": None, "subject_id": None, "timetable_id": None}
    values |= {"starts_at": now - timedelta(minutes=1), "ends_at": now + timedelta(hours=1)}
    with cast.app.app_context():
        return make(Session, **everybody, **values)


def asked(cast: Cast, session: Session, person: uuid.UUID | None = None, **shown: Any) -> tuple[Asked, uuid.UUID]:
    with cast.app.app_context():
        person = person or make_user(role=Role.STUDENT, organisation_id=session.organisation_id).id
        return Asked("in", sign_in.caller_for(person, None), Shown(**shown), When()), session.id


def together(cast: Cast, some: list[tuple[Asked, uuid.UUID]], first: tuple[Asked, uuid.UUID]) -> list[Any]:
    """What becomes of some who all come while the first is checked in."""
    begun, come = Event(), Event()
    group = group_of_check_ins()
    work = group._work

    def waiting(batch: Sequence[Any]) -> Any:
        begun.set()
        come.wait(10)
        return work(batch)

    group._work = waiting

    def one(each: tuple[Asked, uuid.UUID]) -> Any:
        with cast.app.app_context():
            return group.do(each)

    with ThreadPoolExecutor(len(some) + 1) as pool:
        answers = [pool.submit(one, first)]
        begun.wait(10)
        answers += [pool.submit(one, each) for each in some]
        while len(group._waiting) < len(some):
            pass
        come.set()
        return [answer.result() for answer in answers]


def kept(cast: Cast, model: Any) -> int:
    with cast.app.app_context():
        return len(db.session.scalars(select(model)).all())


def test_those_who_come_while_one_is_checked_in_are_saved_together(cast: Cast) -> None:
    sessions = [make_session(cast), make_session(cast)]
    some = [asked(cast, sessions[number % 2]) for number in range(PEOPLE)]
    with counted(cast.app) as said:
        answers = together(cast, some[1:], some[0])
    assert [(tried.seen.person_id, tried.seen.session.id, is_saved) for tried, is_saved in answers] == [
        (one.caller.user_id, session_id, True) for one, session_id in some
    ]
    assert len([statement for statement in said if statement.startswith("INSERT INTO records")]) == 2
    assert (kept(cast, Record), kept(cast, Attempt)) == (PEOPLE, PEOPLE)


def test_of_one_person_who_comes_ten_times_one_is_saved(cast: Cast) -> None:
    session = make_session(cast)
    first = asked(cast, session)
    again = [first, *(asked(cast, session, first[0].caller.user_id) for _ in range(9))]
    _, *answers = together(cast, again, asked(cast, session))
    assert [is_saved for _, is_saved in answers].count(True) == 1
    assert (kept(cast, Record), kept(cast, Attempt)) == (2, 2)


def test_who_asks_for_no_session_of_theirs_harms_nobody_else(cast: Cast) -> None:
    session = make_session(cast)
    good = [asked(cast, session) for _ in range(5)]
    with cast.app.app_context():
        elsewhere = make(Organisation)
    foreign = make_session(cast, organisation_id=elsewhere.id)
    outsider = (good[0][0], foreign.id)
    answers = together(cast, [*good[1:], outsider, asked(cast, foreign)], good[0])
    assert [tried is not None for tried, _ in answers] == [True] * 5 + [False, True]
    assert (kept(cast, Record), kept(cast, Attempt)) == (6, 6)


def test_two_on_one_phone_at_the_same_moment_are_flagged(cast: Cast) -> None:
    session = make_session(cast)
    two = [asked(cast, session, device_id="b7f1") for _ in range(2)]
    _, *answers = together(cast, two, asked(cast, session, device_id="c2d3"))
    assert sorted(flag for tried, _ in answers for flag in tried.weighed.flags) == ["shared_device"]


def test_whoever_comes_first_of_those_on_one_phone_is_not_flagged(cast: Cast) -> None:
    session = make_session(cast)
    some = [asked(cast, session, device_id="b7f1") for _ in range(PEOPLE)]
    with cast.app.app_context():
        flags = [list(tried.weighed.flags) for tried, _ in check_in._check_in_all(some) if tried]
    assert flags == [[]] + [["shared_device"]] * (PEOPLE - 1)


def test_who_is_refused_for_want_of_a_face_shares_their_phone_with_nobody(cast: Cast) -> None:
    other = make_session(cast)
    session = make_session(cast, organisation_id=other.organisation_id, policy={"requires": ["face"]})
    refused, accepted = asked(cast, session, device_id="b7f1"), asked(cast, other, device_id="b7f1")
    with cast.app.app_context():
        (first, _), (second, is_saved) = check_in._check_in_all([refused, accepted])
    assert first is not None
    assert first.refusal is not None
    assert second is not None
    assert (list(second.weighed.flags), is_saved) == ([], True)


def test_when_one_cannot_be_done_the_others_are(cast: Cast) -> None:
    def work(batch: Sequence[int]) -> list[int]:
        if 3 in batch:
            raise ValueError
        return [number * 10 for number in batch]

    group = GroupCommit(work)
    with ThreadPoolExecutor(6) as pool:
        answers = [pool.submit(group.do, number) for number in range(6)]
    assert [answer.exception() is None and answer.result() for answer in answers] == [0, 10, 20, False, 40, 50]


def test_a_session_that_is_closed_between_looking_and_saving_is_looked_at_again(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = make_session(cast)
    (one, session_id), original = asked(cast, session), check_in._decide

    def closing(some: Any) -> Any:
        monkeypatch.setattr(check_in, "_decide", original)
        decided = original(some)
        with db.engine.connect().execution_options(write=True) as connection:
            connection.execute(update(Session).values(closed_at=clock.now()))
            connection.commit()
        return decided

    monkeypatch.setattr(check_in, "_decide", closing)
    with cast.app.app_context():
        refusal, _ = check_in.try_check_in(one.caller, session_id, one.shown, one.when)
    assert refusal is not None
    assert refusal.code == "session_closed"


def test_who_has_no_patience_does_their_own_work_while_anothers_hangs() -> None:
    goes_on, begun = Event(), Event()

    def work(batch: Sequence[int]) -> list[int]:
        if 0 in batch:
            begun.set()
            goes_on.wait(10)
        return [number * 10 for number in batch]

    group = GroupCommit(work, patience=0.05)
    with ThreadPoolExecutor(4) as pool:
        hanging = pool.submit(group.do, 0)
        begun.wait(10)
        assert [answer.result(5) for answer in [pool.submit(group.do, number) for number in (1, 2)]] == [10, 20]
        assert not hanging.done()
        goes_on.set()
        assert hanging.result(5) == 0
    assert group.do(3) == 30
