"""The code on the session's screen: it changes, it is of one session, and it is good for everybody who sees it."""

from __future__ import annotations

import io
from datetime import datetime, timedelta
from typing import Any

import pytest
from PIL import Image

from app.models import Role
from tests.api import test_check_in as checking
from tests.api.test_check_in import NINE, at_lisbon, check_in, kept, lecture, with_policy
from tests.conftest import Cast
from tests.story import Classroom

at, room = checking.at, checking.room


def code_of(room: Classroom, session: str) -> Any:
    answer = room.teacher.get(f"/attendance/session/{session}/code")
    assert answer.status_code == 200, answer.text
    return answer.json


@pytest.fixture
def session(room: Classroom) -> str:
    return with_policy(room, requires=["code"])


@pytest.mark.parametrize("kind", ["code", "payload"])
def test_who_scans_or_types_the_code_is_in_and_reads_of_which_class(room: Classroom, session: str, kind: str) -> None:
    room.join("Grace")
    code = code_of(room, session)[kind]
    for name in ("Ada", "Grace"):  # good for everybody, once for each
        answer = check_in(room.students[name], session, code=f" {code} ")
        assert answer.status_code == 201
        assert (answer.json["class_name"], answer.json["session_name"]) == ("Astronomy", "Lecture 7")
        assert check_in(room.students[name], session, code=code).json["code"] == "already_checked_in"


def test_a_code_is_typed_in_small_letters_too(room: Classroom, session: str) -> None:
    assert check_in(room.students["Ada"], session, code=code_of(room, session)["code"].lower()).status_code == 201


def test_the_screen_is_told_when_to_show_the_next_code(room: Classroom, session: str, at: Any) -> None:
    at(4 / 60)
    first = code_of(room, session)
    assert (first["next_in_seconds"], first["class_name"], first["session_name"]) == (11, "Astronomy", "Lecture 7")
    assert datetime.fromisoformat(first["valid_until"]) == NINE + timedelta(seconds=30)
    at(14.9 / 60)
    assert code_of(room, session)["code"] == first["code"]
    at(15 / 60)
    assert code_of(room, session)["code"] != first["code"]


@pytest.mark.parametrize(
    ("seconds", "code"),
    [(0, None), (29.9, None), (30, "code_expired"), (614, "code_expired"), (615, "code_wrong"), (-1, "code_wrong")],
)
def test_a_code_is_good_while_it_or_the_next_one_is_shown(
    room: Classroom, session: str, at: Any, seconds: float, code: str | None
) -> None:
    room.join("Grace")
    shown = code_of(room, session)
    at(seconds / 60)
    for name, kind in (("Ada", "code"), ("Grace", "payload")):
        assert check_in(room.students[name], session, code=shown[kind]).json.get("code") == code


@pytest.mark.parametrize(
    "code",
    [
        "AAAAAAAA",
        "rollcall:1:",
        "rollcall:1:::",
        "rollcall:1:AAAA:AAAAAAAA",
        "rollcall:1:AGI44HEPABYABAAAAAAAAAAAAE:AAAAAAAA",
        "rollcall:2:AGI44HEPABYABAAAAAAAAAAAAE:AAAAAAAA",
        "ÄÖ" * 30,
        "rollcall:1:ÄÖ:é",
    ],
)
def test_what_is_no_code_is_wrong_whatever_it_is(room: Classroom, session: str, code: str) -> None:
    answer = check_in(room.students["Ada"], session, code=code)
    assert (answer.status_code, answer.json["code"]) == (403, "code_wrong")


def test_a_code_of_another_session_is_named_while_that_one_runs(room: Classroom, session: str, at: Any) -> None:
    other = lecture(room.teacher, session_name="Chemistry")
    code = code_of(room, other)
    answer = check_in(room.students["Ada"], session, code=code["payload"])
    assert (answer.status_code, answer.json["code"]) == (403, "code_of_another_session")
    assert answer.json["session_name"] == "Chemistry"
    assert check_in(room.students["Ada"], session, code=code["code"]).json["code"] == "code_wrong"
    at(1)
    assert check_in(room.students["Ada"], session, code=code["payload"]).json["code"] == "code_wrong"
    later = lecture(room.teacher, start_time="2026-03-12T15:00:00Z", end_time="2026-03-12T16:00:00Z")
    payload = code_of(room, later)["payload"]
    assert check_in(room.students["Ada"], session, code=payload).json["code"] == "code_wrong"
    early = lecture(room.teacher, start_time="2026-03-12T10:00:00Z", end_time="2026-03-12T11:00:00Z",
                    policy={"opens_before": 60})  # fmt: skip
    payload = code_of(room, early)["payload"]
    assert check_in(room.students["Ada"], session, code=payload).json["code"] == "code_of_another_session"


def test_a_code_names_no_session_of_another_organisation(room: Classroom, session: str, cast: Cast) -> None:
    stranger = cast.teacher(organisation_id=cast.other_organisation())
    secret = lecture(stranger, session_name="Secret")
    code = stranger.get(f"/attendance/session/{secret}/code").json["payload"]
    answer = check_in(room.students["Ada"], session, code=code)
    assert answer.json["code"] == "code_wrong"
    assert "Secret" not in answer.text


def test_a_code_that_was_made_up_for_the_session_is_wrong(room: Classroom, session: str) -> None:
    payload = code_of(room, session)["payload"]
    forged = payload[:-1] + ("A" if payload[-1] != "A" else "B")
    assert check_in(room.students["Ada"], session, code=forged).json["code"] == "code_wrong"


def test_a_code_that_nobody_asked_for_changes_nothing(room: Classroom, cast: Cast) -> None:
    session = with_policy(room, requires=[])
    assert check_in(room.students["Ada"], session, code="whatever").status_code == 201
    assert kept(cast)[0].evidence == {}


@pytest.mark.parametrize(("kind", "media_type"), [("svg", "image/svg+xml"), ("png", "image/png")])
def test_the_code_is_drawn_and_kept_by_no_cache(room: Classroom, session: str, kind: str, media_type: str) -> None:
    answer = room.teacher.get(f"/attendance/session/{session}/code.{kind}")
    assert (answer.status_code, answer.mimetype, answer.headers["Cache-Control"]) == (200, media_type, "no-store")
    if kind == "png":
        with Image.open(io.BytesIO(answer.data)) as picture:
            assert picture.width == picture.height > 200
    else:
        assert b"<svg" in answer.data
    shown = room.teacher.get(f"/attendance/session/{session}/code")
    assert shown.headers["Cache-Control"] == "no-store"


def test_only_who_manages_the_session_sees_its_code(room: Classroom, cast: Cast) -> None:
    session = at_lisbon(room)
    for path in ("code", "code.svg", "code.png", "attempts"):
        asked = f"/attendance/session/{session}/{path}"
        assert room.students["Ada"].get(asked).json["code"] == "role_not_allowed"
        assert cast.teacher().get(asked).json["code"] == "not_your_class"
        assert cast.person(Role.ADMIN).get(asked).status_code == 200
