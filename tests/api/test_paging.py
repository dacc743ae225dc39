"""Pages of a list: by their number, and by where the one before ended."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from app import clock
from app.extensions import db
from app.models import Role
from app.services import statistics
from tests.conftest import Cast, Person
from tests.statements import counted
from tests.story import Classroom

NAMES = ("Ada", "Grace", "Mary", "Emmy", "Sofia")


MORNING = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def room(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> Classroom:
    """Five students, marked on three days."""
    monkeypatch.setattr(clock, "now", lambda: MORNING)
    room = Classroom.open(cast)
    for name in NAMES:
        room.join(name)
    for day in range(3):
        monkeypatch.setattr(clock, "now", lambda day=day: MORNING + timedelta(days=day))
        assert room.mark(room.session(), *NAMES).status_code == 200
    return room


def pages(person: Person, path: str) -> Iterator[dict[str, Any]]:
    after = ""
    while after is not None:
        answer = person.get(f"{path}&after={after}" if after else path)
        assert answer.status_code == 200, answer.text
        yield answer.json
        after = answer.json["next"]


def ids(pages: list[dict[str, Any]]) -> list[str]:
    return [item["id"] for page in pages for item in page["items"]]


@pytest.mark.parametrize("sort", ["date", "-date", "date,-timestamp", "-timestamp"])
def test_cursors_lead_through_a_list_as_numbers_do(room: Classroom, sort: str) -> None:
    path = f"/api/attendance?class_id={room.id}&per_page=4&sort={sort}"
    numbered = [room.teacher.get(f"{path}&page={number}").json for number in (1, 2, 3, 4)]
    found = list(pages(room.teacher, path))
    assert ids(found) == ids(numbered)
    assert len(set(ids(found))) == 15
    assert [(page["page"], page["total"], page["pages"]) for page in found] == [(n, 15, 4) for n in (1, 2, 3, 4)]
    assert numbered[-1]["next"] is None


def test_what_comes_in_before_a_cursor_moves_nothing_behind_it(
    room: Classroom, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = f"/api/attendance?class_id={room.id}&per_page=10"
    first = room.teacher.get(path).json
    monkeypatch.setattr(clock, "now", lambda: MORNING + timedelta(days=3))
    assert room.mark(room.session(), "Ada").status_code == 200
    second = room.teacher.get(f"{path}&after={first['next']}").json
    assert len(set(ids([first, second]))) == 15
    assert second["next"] is None


@pytest.mark.parametrize("of", ["", "&date=2026-03-04"])
def test_the_newest_marks_come_first(room: Classroom, monkeypatch: pytest.MonkeyPatch, of: str) -> None:
    first, second = room.session(), room.session()
    for minutes, (session, name) in enumerate(((second, "Grace"), (first, "Ada")), 1):
        monkeypatch.setattr(clock, "now", lambda at=minutes: MORNING + timedelta(days=2, minutes=at))
        assert room.mark(session, name).status_code == 200
    items = room.teacher.get(f"/api/attendance?per_page=2{of}").json["items"]
    assert [item["student_name"] for item in items] == ["Ada", "Grace"]


def test_a_page_by_cursor_does_not_count_the_list_again(room: Classroom) -> None:
    path = f"/api/attendance?class_id={room.id}&per_page=4"
    with counted(room.cast.app) as first:
        cursor = room.teacher.get(path).json["next"]
    with counted(room.cast.app) as second:
        assert room.teacher.get(f"{path}&after={cursor}").status_code == 200
    assert len(second) == len(first) - 1


def test_a_cursor_is_of_its_list_and_order_and_made_here(room: Classroom) -> None:
    path = "/api/attendance?per_page=4"
    cursor = room.teacher.get(path).json["next"]
    others = f"/api/admin/sessions?sort=-session_date&after={cursor}"
    filtered = f"{path}&class_id={room.id}&after={cursor}"
    for wrong in (
        f"{path}&sort=date&after={cursor}",
        f"{path}&after={cursor[:-1]}",
        f"{path}&after=a.b",
        others,
        filtered,
    ):
        answer = room.teacher.get(wrong)
        assert (answer.status_code, answer.json["code"]) == (422, "cursor_invalid"), wrong


def test_a_cursor_of_a_list_with_other_keys_is_refused(room: Classroom, cast: Cast) -> None:
    admin = cast.person(Role.ADMIN)
    for text_ in ("I allow it.", "I allow it all."):
        said = {"text": text_, "requires_new_consent": False}
        assert admin.post("/api/face-data/consent-texts", said).status_code == 201
    cursor = admin.get("/api/face-data/consent-texts?per_page=1").json["next"]
    assert cursor
    for path in ("attendance", "admin/sessions?sort=-session_date", "reports/schedules"):
        answer = admin.get(f"/api/{path}{'&' if '?' in path else '?'}after={cursor}")
        assert (answer.status_code, answer.json["code"]) == (422, "cursor_invalid"), path


def test_reports_that_are_put_in_order_here_have_no_cursor(room: Classroom) -> None:
    for path in ("people", "required"):
        answer = room.teacher.get(f"/api/reports/attendance/{path}?after=any")
        assert (answer.status_code, answer.json["code"]) == (422, "cursor_invalid"), path


def test_a_matrix_leads_through_its_people(room: Classroom) -> None:
    found = list(pages(room.teacher, f"/api/reports/class/{room.id}/matrix?per_page=2&start_date=2026-03-01"))
    assert [len(page["items"]) for page in found] == [2, 2, 1]


def test_a_list_in_an_order_that_may_be_unknown_has_numbers_only(room: Classroom) -> None:
    answer = room.teacher.get("/api/admin/sessions?per_page=2&sort=starts_at").json
    assert (answer["total"], len(answer["items"]), answer["next"]) == (3, 2, None)


def test_a_student_pages_through_their_own(room: Classroom) -> None:
    found = list(pages(room.students["Ada"], "/api/attendance?per_page=2"))
    assert [len(page["items"]) for page in found] == [2, 1]


def test_sqlite_learns_daily_how_its_indexes_lie(room: Classroom, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "SMALL", 15)
    with room.cast.app.app_context():
        statistics.refresh()
        if db.engine.dialect.name == "sqlite":
            lies = text("SELECT stat FROM sqlite_stat1 WHERE idx = 'ix_records_organisation_id_student_id'")
            assert db.session.scalar(lies)
            assert not db.session.scalar(text("SELECT 1 FROM sqlite_stat1 WHERE tbl = 'sessions'"))
