"""Checking in by face where one must turn or blink when asked: a photograph does neither.

There are no pictures of a turning head, so who answers blinks: with lids painted over a portrait's eyes, and everything
else as always. `tests/faces/test_liveness.py` has the other challenges.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from app.faces import landmarks, pool
from app.models import Role
from tests.api.test_check_in import NINE, at, check_in, decide, kept, lecture, room, with_policy
from tests.api.test_sync import captured, sync, told
from tests.conftest import Cast, Person
from tests.faces.test_landmarks import edges, ours
from tests.pictures import WALL, astronaut, data_url, encode, grace_hopper
from tests.story import Classroom, enrol

__all__ = ["at", "decide", "room"]

ASKING = {"requires": ["face"], "liveness": True}


def lids(part: float) -> Image.Image:
    """Eileen Collins, her eyes closed: by a part of 1 wholly, with less as in a picture taken while they close."""
    shown = astronaut().copy()
    draw = ImageDraw.Draw(shown)
    (points,) = landmarks.find(ours(68), np.asarray(shown), edges("astronaut"))
    for eye in (points[36:42], points[42:48]):
        left, right, middle, width = eye[0, 0], eye[3, 0], eye[:, 1].mean(), np.ptp(eye[:, 0])
        cheek = shown.getpixel((int(left + right) // 2, int(middle + 0.55 * width)))
        draw.ellipse((left - width / 10, middle - 0.38 * width, right + width / 10, middle + 0.3 * width), fill=cheek)
        draw.arc((left, middle, right, middle + width / 4), 0, 180, fill=(40, 25, 20), width=2)
    return Image.blend(astronaut(), shown, part)


def away(part: float) -> Image.Image:
    """Eileen Collins, so large a part of a picture of the same size."""
    portrait = astronaut().resize((2 * astronaut().width, 2 * astronaut().height), Image.Resampling.LANCZOS)
    shot = Image.new("RGB", portrait.size, WALL)
    shot.paste(portrait.resize((int(shot.width * part), int(shot.height * part)), Image.Resampling.LANCZOS))
    return shot


SHOWN: dict[str, Callable[[], Image.Image]] = {
    "open": astronaut,
    "half": lambda: lids(0.7),
    "shut": lambda: lids(1),
    "grace": grace_hopper,
    "closer": lambda: away(0.9),
    "far": lambda: away(0.75),
    "farther": lambda: away(0.6),
    "wall": lambda: Image.new("RGB", (100, 100), WALL),
}
BLINK, HALF = ("open", "shut", "open"), ("open", "half", "open")


@cache
def taken(name: str) -> str:
    """As a phone sends it."""
    return data_url(encode(SHOWN[name](), "PNG"), "image/png")


@pytest.fixture
def eileen(room: Classroom) -> Person:
    person = room.join("Eileen")
    enrol(person, [encode(astronaut(), "PNG")])
    return person


def ask(person: Person, session: str) -> dict[str, Any]:
    answer = person.post(f"/attendance/session/{session}/challenge")
    assert answer.status_code == 200, answer.text
    given: dict[str, Any] = answer.json
    return given


def asked(room: Classroom, person: Person, *wanted: str) -> tuple[str, dict[str, Any]]:
    """A session whose challenge is one of the wanted, and this."""
    while True:
        session = with_policy(room, **ASKING)
        given = ask(person, session)
        if given["challenge"] in wanted:
            return session, given


def respond(person: Person, session: str, token: str, frames: Sequence[str], **more: Any) -> Any:
    return check_in(person, session, challenge_token=token, frames=[taken(name) for name in frames], **more)


def test_who_blinks_when_asked_to_is_checked_in_and_only_figures_are_kept(
    room: Classroom, cast: Cast, eileen: Person
) -> None:
    session, given = asked(room, eileen, "blink")
    assert datetime.fromisoformat(given["valid_until"]) == NINE + timedelta(seconds=60)
    answer = respond(eileen, session, given["token"], BLINK)
    assert (answer.status_code, answer.json["verification_status"]) == (201, "verified")
    (attempt,) = kept(cast)
    face = attempt.evidence["face"]
    assert face.keys() == {"outcome", "distance", "confidence", "challenge", "change", "limit"}
    assert (face["outcome"], face["challenge"], face["change"] >= face["limit"]) == ("pass", "blink", True)


def test_who_may_have_blinked_is_let_in_for_the_teacher_to_look_at(room: Classroom, cast: Cast, eileen: Person) -> None:
    session, given = asked(room, eileen, "blink")
    answer = respond(eileen, session, given["token"], HALF)
    assert (answer.status_code, answer.json["verification_status"]) == (201, "pending")
    assert kept(cast)[0].evidence["face"]["outcome"] == "uncertain"


def test_a_photograph_does_nothing_of_what_is_asked_and_the_same_challenge_can_be_tried_again(
    room: Classroom, eileen: Person
) -> None:
    for challenge in ("turn_left", "turn_right", "blink"):
        session, given = asked(room, eileen, challenge)
        answer = respond(eileen, session, given["token"], ["open"] * 3)
        assert (answer.status_code, answer.json["code"], answer.json["change"]) == (403, "liveness_not_done", 0)
    assert respond(eileen, session, given["token"], BLINK).status_code == 201


def test_who_blinks_when_asked_to_turn_has_not_turned(room: Classroom, eileen: Person) -> None:
    session, given = asked(room, eileen, "turn_left", "turn_right")
    answer = respond(eileen, session, given["token"], BLINK)
    assert answer.json["code"] == "liveness_not_done"


def test_asking_again_brings_another_challenge_only_with_another_minute(
    room: Classroom, eileen: Person, at: Any
) -> None:
    session = with_policy(room, **ASKING)
    by_minute = []
    for minute in range(50):
        at(minute)
        by_minute.append({ask(eileen, session)["challenge"] for _ in range(2)})
    assert all(len(challenges) == 1 for challenges in by_minute)
    assert set.union(*by_minute) == {"turn_left", "turn_right", "blink"}


def test_a_challenge_is_answered_with_its_token_and_frames_by_whom_it_was_given_to_there_and_in_time(
    room: Classroom, cast: Cast, eileen: Person, at: Any
) -> None:
    session, other = with_policy(room, **ASKING), with_policy(room, **ASKING)
    token, frames = ask(eileen, session)["token"], [taken(name) for name in BLINK]

    def code(**sent: Any) -> Any:
        answer = check_in(eileen, session, **sent)
        assert (answer.status_code, answer.json["failed"]) == (403, [answer.json["code"]])
        return answer.json["code"]

    assert code(image=taken("open")) == "liveness_missing"
    assert code(image=taken("open"), challenge_token=token) == "liveness_missing"
    assert code(frames=frames) == "liveness_missing"
    assert code(frames=frames, challenge_token="made up") == "challenge_wrong"
    assert code(frames=frames, challenge_token=ask(room.students["Ada"], session)["token"]) == "challenge_wrong"
    assert code(frames=frames, challenge_token=ask(eileen, other)["token"]) == "challenge_wrong"
    at(61 / 60)
    assert code(frames=frames, challenge_token=token) == "challenge_expired"


@pytest.mark.parametrize(
    ("frames", "more", "code"),
    [
        (("open", "wall", "open"), {}, "liveness_no_face"),
        (("open", "grace", "open"), {}, "liveness_different_faces"),
        (("grace", "grace", "grace"), {}, "face_mismatch"),
        (("grace", "grace", "grace"), {"image": "open"}, "liveness_different_faces"),
        (("wall", "open", "open"), {}, "face_unclear"),
    ],
)
def test_all_pictures_show_the_one_person_who_checks_in(
    room: Classroom, eileen: Person, frames: Sequence[str], more: dict[str, str], code: str
) -> None:
    session = with_policy(room, **ASKING)
    images = {name: taken(picture) for name, picture in more.items()}
    answer = respond(eileen, session, ask(eileen, session)["token"], frames, **images)
    assert (answer.status_code, answer.json["code"]) == (403, code)


def test_the_organisation_asks_for_it_and_a_session_can_do_without(
    room: Classroom, eileen: Person, decide: Any
) -> None:
    decide(faces={"liveness": True})
    assert (
        check_in(eileen, with_policy(room, requires=["face"]), image=taken("open")).json["code"] == "liveness_missing"
    )
    without = with_policy(room, requires=["face"], liveness=False)
    assert check_in(eileen, without, image=taken("open")).status_code == 201
    assert check_in(eileen, with_policy(room, requires=[])).status_code == 201


def test_to_come_closer_is_asked_where_the_organisation_says_so(room: Classroom, eileen: Person, decide: Any) -> None:
    decide(faces={"challenges": ["move_closer", "move_closer"]})
    session, given = asked(room, eileen, "move_closer")
    answer = respond(eileen, session, given["token"], ["closer", "far", "farther"])
    assert (answer.status_code, answer.json["code"]) == (403, "liveness_not_done")
    assert respond(eileen, session, given["token"], ["farther", "far", "closer"]).status_code == 201


@pytest.mark.parametrize("challenges", [[], ["smile"]])
def test_what_is_asked_is_one_of_what_can_be_decided(cast: Cast, challenges: list[str]) -> None:
    admin = cast.person(Role.ADMIN)
    sent = {"settings": {"faces": {"challenges": challenges}}}
    answer = admin.put(f"/admin/organizations/{admin.organisation_id}", sent)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")


def test_without_network_nobody_can_be_challenged(room: Classroom, eileen: Person) -> None:
    session = with_policy(room, **ASKING)
    assert told(sync(eileen, 5, captured(session, 1))) == [("refused", "liveness_missing")]


def test_only_who_may_attend_is_challenged(room: Classroom, cast: Cast) -> None:
    answer = cast.student().post(f"/attendance/session/{with_policy(room, **ASKING)}/challenge")
    assert (answer.status_code, answer.json["code"]) == (404, "not_found")
    assert ask(cast.student(), lecture(room.teacher))["token"]


@pytest.mark.parametrize("count", [2, 11])
def test_there_are_three_to_ten_frames(room: Classroom, count: int) -> None:
    answer = respond(room.students["Ada"], with_policy(room, **ASKING), "any", ["wall"] * count)
    assert (answer.status_code, answer.json["code"]) == (422, "invalid_input")


def test_each_frame_has_its_place_among_the_pictures_that_may_wait(
    room: Classroom, cast: Cast, eileen: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = with_policy(room, **ASKING)
    monkeypatch.setattr(pool, "WAITING_PER_WORKER", 1)
    monkeypatch.setattr(cast.app.extensions["face_pool"], "_read", {})
    answer = respond(eileen, session, ask(eileen, session)["token"], BLINK)
    assert (answer.status_code, answer.json["code"]) == (503, "faces_busy")
    assert kept(cast) == []
