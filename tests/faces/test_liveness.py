"""Who is asked to turn, blink or come closer does so; a photograph does not. Heads here are models turned in space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray

from app.faces import landmarks
from app.faces.engine import analyse
from app.faces.liveness import Challenge, Frame, decide, eye_aspect_ratio
from app.faces.quality import poses
from tests import pictures
from tests.faces.known import PORTRAITS
from tests.faces.test_landmarks import ours
from tests.faces.test_quality import turned

TOLERANCE = 0.6
CHALLENGES: tuple[Challenge, ...] = ("turn_left", "turn_right", "blink", "move_closer")


def person(place: float = 0.0) -> NDArray[np.float32]:
    encoding = np.zeros(128, np.float32)
    encoding[0] = place
    return encoding


def frame(yaw: float = 0, eyes: float = 0.3, width: int = 200, place: float = 0, pitch: float = 0) -> Frame:
    return Frame(poses(turned(yaw, pitch, 0, 68)[None])[0], eyes, width, person(place))


TURNING = [frame(yaw) for yaw in (0, 8, 18, 25)]
BLINKING = [frame(eyes=eyes) for eyes in (0.3, 0.29, 0.12, 0.28)]
COMING = [frame(width=width) for width in (150, 180, 220)]


@pytest.mark.parametrize(
    ("challenge", "frames", "outcome"),
    [
        ("turn_left", TURNING, "pass"),
        ("turn_right", TURNING, "fail"),
        ("turn_right", [frame(-yaw) for yaw in (0, 8, 18)], "pass"),
        ("turn_left", [frame(yaw) for yaw in (0, 8, 12)], "uncertain"),
        ("turn_left", [frame(yaw) for yaw in (20, 21, 20)], "fail"),
        ("turn_left", [frame(pitch=pitch) for pitch in (0, 10, 20)], "fail"),
        ("blink", BLINKING, "pass"),
        ("blink", [frame(eyes=eyes) for eyes in (0.3, 0.19, 0.3)], "uncertain"),
        ("blink", [frame(eyes=eyes) for eyes in (0.3, 0.2, 0.1)], "fail"),
        ("blink", [frame(eyes=eyes) for eyes in (0.1, 0.3, 0.3)], "fail"),
        ("blink", TURNING, "fail"),
        ("move_closer", COMING, "pass"),
        ("move_closer", [frame(width=width) for width in (150, 170, 190)], "uncertain"),
        ("move_closer", COMING[::-1], "fail"),
        ("move_closer", BLINKING, "fail"),
    ],
)
def test_only_what_was_asked_for_passes(challenge: Challenge, frames: Sequence[Frame], outcome: str) -> None:
    decided = decide(challenge, frames, TOLERANCE)
    assert (decided.outcome, decided.code) == (outcome, None if outcome == "pass" else "liveness_not_done")
    assert (decided.figures["change"] >= decided.figures["limit"]) is (outcome == "pass")


@pytest.mark.parametrize(
    ("yaws", "pitches", "outcome"),
    [
        ((0, 10, 25), (0, 5, 10), "pass"),
        ((0, 10, 25), (10, 10, 10), "pass"),
        ((0, 10, 25), (0, 8, 17), "uncertain"),
        ((0, 10, 25), (0, -8, -17), "uncertain"),
        ((0, 25, 5), (0, 0, 24), "uncertain"),
        ((0, 6, 12), (0, 8, 17), "uncertain"),
        ((0, 2, 4), (0, 8, 17), "fail"),
    ],
)
@pytest.mark.parametrize(("challenge", "side"), [("turn_left", 1), ("turn_right", -1)])
def test_who_nods_while_turning_may_be_a_photograph_turned_aside(
    challenge: Challenge, side: int, yaws: Sequence[float], pitches: Sequence[float], outcome: str
) -> None:
    frames = [frame(side * yaw, pitch=pitch) for yaw, pitch in zip(yaws, pitches, strict=True)]
    decided = decide(challenge, frames, TOLERANCE)
    assert (decided.outcome, decided.code) == (outcome, None if outcome == "pass" else "liveness_not_done")
    assert decided.figures["nod"] == pytest.approx(max(abs(pitch - pitches[0]) for pitch in pitches), abs=2)


@pytest.mark.parametrize("challenge", CHALLENGES)
def test_all_frames_show_a_face_and_the_same_one(challenge: Challenge) -> None:
    missing = decide(challenge, [frame(), None, frame()], TOLERANCE)
    assert (missing.outcome, missing.code, missing.figures) == ("fail", "liveness_no_face", {"frames": 3, "faces": 2})
    another = decide(challenge, [frame(), frame(yaw=30, eyes=0.1, width=400, place=0.7), frame()], TOLERANCE)
    assert (another.outcome, another.code) == ("fail", "liveness_different_faces")


@pytest.mark.parametrize("count", [0, 2, 11])
def test_there_are_three_to_ten_frames(count: int) -> None:
    with pytest.raises(ValueError, match="3 to 10"):
        decide("blink", [frame()] * count, TOLERANCE)


def test_eyes_have_the_height_of_their_lids_by_their_width() -> None:
    points = np.zeros((68, 2), np.int64)
    points[36:42] = points[42:48] = [(0, 0), (10, -6), (20, -6), (30, 0), (20, 6), (10, 6)]
    assert eye_aspect_ratio(points) == pytest.approx(0.4)


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_photograph_held_still_or_moved_does_neither_turn_nor_blink(name: str) -> None:
    still = photograph(name, 0, 1.0)
    moved = [photograph(name, angle, zoom) for angle, zoom in ((0, 1.0), (6, 1.05), (-6, 1.1))]
    for challenge in CHALLENGES:
        assert decide(challenge, [still] * 3, TOLERANCE).outcome == "fail"
    for challenge in CHALLENGES[:3]:
        assert decide(challenge, moved, TOLERANCE).outcome == "fail"


def photograph(name: str, angle: float, zoom: float) -> Frame:
    portrait = PORTRAITS[name]()
    size = int(portrait.width * zoom), int(portrait.height * zoom)
    shot = portrait.rotate(angle, fillcolor=pictures.WALL).resize(size)
    (face,) = analyse(pictures.encode(shot, "PNG")).faces
    box = np.array([[face.box.left, face.box.top, face.box.left + face.box.width, face.box.top + face.box.height]])
    (points,) = landmarks.find(ours(68), np.asarray(shot), box)
    return Frame(poses(points[None])[0], eye_aspect_ratio(points), face.box.width, face.encoding)
