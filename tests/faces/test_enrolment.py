"""Which pictures a face can be enrolled from, and what the others are told."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from app.faces import Analysis, Box, Encodings, Face, FaceRefused, Quality, different_people, distances, only_face
from app.faces.engine import align, analyse
from app.faces.enrolment import (
    LEAST_BRIGHTNESS,
    LEAST_SCORE,
    LEAST_SHARPNESS,
    LEAST_WIDTH,
    MOST_BRIGHT,
    MOST_TURNED,
)
from app.faces.errors import FaceTooBlurred, FaceTooSmall, NoFace, SeveralFaces
from app.faces.quality import Pose, measure
from tests import pictures
from tests.faces.known import PORTRAITS, analysis

GOOD = Quality(200, 100.0, yaw=0, pitch=0, roll=0, brightness=120, contrast=50, dark=0, bright=0)


def face(width: int = 200, score: float = 1.0, **figures: float) -> Face:
    return Face(Box(10, 10, width, width), score, np.zeros(128, np.float32), replace(GOOD, width=width, **figures))


def picture_of(*faces: Face) -> Analysis:
    return Analysis(640, 480, faces)


def taken(image: Image.Image) -> Analysis:
    return analyse(pictures.encode(image))


def one_dimensional(*places: float) -> Encodings:
    encodings = np.zeros((len(places), 128), np.float32)
    encodings[:, 0] = places
    return encodings


def test_the_only_face_is_taken() -> None:
    alone = face()
    assert only_face(picture_of(alone)) is alone


def test_what_only_just_resembles_a_face_does_not_count() -> None:
    alone, badge = face(), face(score=LEAST_SCORE - 0.01)
    assert only_face(picture_of(badge, alone)) is alone
    with pytest.raises(NoFace):
        only_face(picture_of(badge))


def test_a_face_of_the_least_score_width_and_sharpness_is_taken() -> None:
    least = face(LEAST_WIDTH, LEAST_SCORE, sharpness=LEAST_SHARPNESS)
    assert only_face(picture_of(least)) is least


def test_a_picture_of_nobody_is_refused() -> None:
    with pytest.raises(NoFace) as refused:
        only_face(taken(Image.new("RGB", (320, 200), pictures.WALL)))
    assert refused.value.code == "no_face"


def test_a_picture_of_several_people_is_refused_with_their_number() -> None:
    room = pictures.group(pictures.astronaut(), pictures.grace_hopper(), pictures.variation(pictures.astronaut(), 3))
    with pytest.raises(SeveralFaces, match=r"\b3 faces") as refused:
        only_face(taken(room))
    assert refused.value.code == "several_faces"


def test_a_face_too_far_away_is_refused_with_its_width_and_the_one_needed() -> None:
    far = pictures.astronaut().resize((168, 180), Image.Resampling.LANCZOS)
    width = taken(far).faces[0].box.width
    assert 40 <= width < 80
    with pytest.raises(FaceTooSmall, match=rf"\b{width} pixels.*\b80\b") as refused:
        only_face(taken(far))
    assert refused.value.code == "face_too_small"


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_face_blurred_by_a_fiftieth_of_its_width_is_refused_with_its_sharpness(name: str) -> None:
    radius = analysis(name).faces[0].box.width / 50
    blurred = analyse(pictures.encode(PORTRAITS[name]().filter(ImageFilter.GaussianBlur(radius)), quality=92))
    with pytest.raises(
        FaceTooBlurred, match=rf"sharpness {int(blurred.faces[0].quality.sharpness)}\b.*\b15\b"
    ) as refused:
        only_face(blurred)
    assert refused.value.code == "face_too_blurred"


def test_the_sharpness_that_is_too_little_never_reads_like_the_one_needed() -> None:
    with pytest.raises(FaceTooBlurred, match="sharpness 14, and 15"):
        only_face(picture_of(face(sharpness=14.9)))


@pytest.mark.parametrize(
    ("figures", "code", "figure", "limit"),
    [
        ({"brightness": 24.9}, "face_too_dark", 24.9, LEAST_BRIGHTNESS),
        ({"bright": 0.31}, "face_overexposed", 0.31, MOST_BRIGHT),
        ({"yaw": -31.0}, "face_turned", 31.0, MOST_TURNED),
        ({"pitch": 32.0}, "face_turned", 32.0, MOST_TURNED),
        ({"sharpness": 1.0, "yaw": 40.0, "bright": 0.5, "brightness": 9.0}, "face_too_dark", 9.0, LEAST_BRIGHTNESS),
        ({"sharpness": 1.0, "yaw": 40.0, "bright": 0.5}, "face_overexposed", 0.5, MOST_BRIGHT),
        ({"sharpness": 1.0, "yaw": 40.0}, "face_turned", 40.0, MOST_TURNED),
        ({"width": LEAST_WIDTH - 1, "brightness": 9.0}, "face_too_small", LEAST_WIDTH - 1, LEAST_WIDTH),
    ],
)
def test_what_is_wrong_first_is_told_with_its_figure_and_limit(
    figures: dict[str, Any], code: str, figure: float, limit: float
) -> None:
    with pytest.raises(FaceRefused) as refused:
        only_face(picture_of(face(**figures)))
    assert (refused.value.code, refused.value.figures) == (code, {"figure": figure, "limit": limit})


def test_a_head_leant_to_a_shoulder_is_taken() -> None:
    assert only_face(picture_of(face(roll=45.0)))


@pytest.mark.parametrize(("light", "code"), [(0.1, "face_too_dark"), (4.0, "face_overexposed")])
def test_a_picture_with_too_little_or_too_much_light_is_refused(light: float, code: str) -> None:
    seen = analysis("grace_hopper").faces[0].box
    lit = np.clip(np.asarray(pictures.grace_hopper()) * light, 0, 255).astype(np.uint8)
    box = np.array([[seen.left, seen.top, seen.left + seen.width - 1, seen.top + seen.height - 1]])
    (chip,) = align(lit, box)
    with pytest.raises(FaceRefused) as refused:
        only_face(picture_of(replace(face(), quality=measure(seen.width, chip, Pose(0, 0, 0)))))
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("refused", "figures"),
    [
        (face(width=LEAST_WIDTH - 1), {"figure": LEAST_WIDTH - 1, "limit": LEAST_WIDTH}),
        (face(sharpness=LEAST_SHARPNESS - 0.5), {"figure": LEAST_SHARPNESS - 0.5, "limit": LEAST_SHARPNESS}),
    ],
    ids=["small", "blurred"],
)
def test_what_was_missed_and_by_how_much_crosses_from_process_to_process(
    refused: Face, figures: dict[str, float]
) -> None:
    with pytest.raises(FaceRefused) as caught:
        only_face(picture_of(refused))
    arrived = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own
    assert (type(arrived), arrived.detail, arrived.figures) == (type(caught.value), caught.value.detail, figures)


@pytest.mark.parametrize(
    "refused",
    [(), (face(), face()), (face(width=LEAST_WIDTH - 1),), (face(sharpness=LEAST_SHARPNESS - 1),)],
    ids=["nobody", "several", "small", "blurred"],
)
def test_a_refusal_has_a_code_of_its_own_and_says_what_to_do(refused: tuple[Face, ...]) -> None:
    with pytest.raises(FaceRefused, match=": ") as caught:
        only_face(picture_of(*refused))
    assert caught.value.code != FaceRefused.code
    assert caught.value.detail == str(caught.value)


@pytest.mark.parametrize("name", PORTRAITS)
def test_every_shot_of_a_portrait_can_be_enrolled_and_is_of_one_person(name: str) -> None:
    shots = [only_face(taken(pictures.variation(PORTRAITS[name](), n))).encoding for n in range(7)]
    assert distances(np.stack(shots), np.stack(shots)).max() < 0.25
    assert not different_people(np.stack(shots), 0.6)
    assert len(np.unique(np.stack(shots), axis=0)) == 7


def test_two_peoples_portraits_are_told_apart() -> None:
    faces = np.stack([analysis(name).faces[0].encoding for name in PORTRAITS])
    assert different_people(faces, 0.6)


@pytest.mark.parametrize(
    ("places", "different"),
    [((), False), ((0,), False), ((0, 0.5), False), ((0, 0.7), True), ((0, 0.4, 0.8), True), ((0.3, 0.3, 0.3), False)],
)
def test_encodings_are_of_different_people_when_any_two_are_beyond_the_tolerance(
    places: tuple[float, ...], different: bool
) -> None:
    assert different_people(one_dimensional(*places), 0.6) is different
