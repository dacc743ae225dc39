"""Nine o'clock: everybody checks in at a real server at once, and the server dies while they do."""

from __future__ import annotations

import uuid
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from app.models import Attempt, Base, Record
from tests.crowd import Crowd, at_once, crowd, serving, until_killed
from tests.databases import database, listening

PEOPLE = 300
KILLS = {"sqlite": 4}
"""Elsewhere three, so that on all three it dies ten times: starting the server anew takes long."""
BEFORE_IT_DIES = 15
"""So many are answered, of twice as many who ask."""


@pytest.mark.parametrize("kind", listening())
def test_three_hundred_people_check_in_at_once_each_three_times(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path, "rollcall_storm") as url:
        everybody = crowd(tmp_path, url, PEOPLE)
        with serving(tmp_path, everybody.environment | {"WEB_WORKERS": "2"}) as program:
            calls = [everybody.check_in(person) for _ in range(3) for person in range(PEOPLE)]
            answers = Counter(at_once(program.address, calls))
        assert answers == {201: PEOPLE, 409: 2 * PEOPLE}
        assert checked_in(everybody) == Counter(everybody.ids)
        assert count(everybody, Attempt) == 3 * PEOPLE


@pytest.mark.parametrize("kind", listening())
def test_who_was_told_that_they_are_checked_in_is_so_however_often_the_server_dies(kind: str, tmp_path: Path) -> None:
    with database(kind, tmp_path, "rollcall_deaths") as url:
        everybody = crowd(tmp_path, url, PEOPLE)
        told = set[int]()
        unsure = list(range(PEOPLE))
        left = kills = KILLS.get(kind, 3)
        while left:
            with serving(tmp_path, everybody.environment | {"WEB_WORKERS": "2"}) as program:
                some = unsure[: 2 * BEFORE_IT_DIES]
                assert len(some) > BEFORE_IT_DIES
                answers = until_killed(program, [everybody.check_in(person) for person in some], BEFORE_IT_DIES)
            of = dict(zip(some, answers, strict=True))
            assert set(of.values()) <= {201, 409, None}
            left -= None in of.values()  # a death that comes after the last answer does not count
            told |= {person for person, status in of.items() if status == 201}
            unsure = [person for person in unsure if of.get(person) is None]
            assert {everybody.ids[person] for person in told} <= set(checked_in(everybody))
        assert len(told) > kills
        with serving(tmp_path, everybody.environment) as program:
            assert set(at_once(program.address, [everybody.check_in(person) for person in unsure])) <= {201, 409}
        assert checked_in(everybody) == Counter(everybody.ids)


def checked_in(everybody: Crowd) -> Counter[uuid.UUID]:
    """How many records each person has."""
    with database_of(everybody) as session:
        return Counter(session.scalars(select(Record.student_id)))


def count(everybody: Crowd, model: type[Base]) -> int:
    with database_of(everybody) as session:
        return session.scalar(select(func.count()).select_from(model)) or 0


def database_of(everybody: Crowd) -> Session:
    return Session(create_engine(everybody.settings.database, poolclass=NullPool))
