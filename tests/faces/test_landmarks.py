"""Landmarks and aligned faces are those of dlib, read from its own files."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import dlib
import face_recognition_models as models
import numpy as np
import pytest
from numpy.typing import NDArray

from app.faces import landmarks
from app.faces.align import cut_out
from app.faces.errors import ModelBroken
from app.faces.landmarks import Predictor
from tests.faces.known import PICTURES, PORTRAITS, analysis, pixels

FILES = {5: models.pose_predictor_five_point_model_location(), 68: models.pose_predictor_model_location()}


@cache
def ours(points: int) -> Predictor:
    return landmarks.parse(Path(FILES[points]).read_bytes())


@cache
def dlibs(points: int) -> Any:
    return dlib.shape_predictor(FILES[points])


def edges(name: str) -> NDArray[np.int64]:
    boxes = [face.box for face in analysis(name).faces]
    return np.array([(b.left, b.top, b.left + b.width - 1, b.top + b.height - 1) for b in boxes])


def shapes_of_dlib(image: NDArray[np.uint8], boxes: NDArray[np.int64], points: int) -> list[Any]:
    return [dlibs(points)(image, dlib.rectangle(*box.tolist())) for box in boxes]


@pytest.mark.parametrize("points", FILES)
def test_landmarks_are_those_of_dlib_on_every_picture(points: int) -> None:
    for name in PICTURES:
        shapes = shapes_of_dlib(pixels(name), edges(name), points)
        expected = [[(part.x, part.y) for part in shape.parts()] for shape in shapes]
        np.testing.assert_allclose(landmarks.find(ours(points), pixels(name), edges(name)), expected, rtol=0, atol=1)


def test_landmarks_of_a_face_that_reaches_beyond_the_picture_are_those_of_dlib() -> None:
    image, (box,) = pixels("grace_hopper"), edges("grace_hopper")
    cut = np.ascontiguousarray(image[:, (box[0] + box[2]) // 2 :])
    moved = box[None] - [(box[0] + box[2]) // 2, 0] * 2
    expected = [[(part.x, part.y) for part in shape.parts()] for shape in shapes_of_dlib(cut, moved, 5)]
    np.testing.assert_allclose(landmarks.find(ours(5), cut, moved), expected, rtol=0, atol=1)


def test_no_boxes_have_no_landmarks() -> None:
    assert landmarks.find(ours(5), pixels("astronaut"), np.empty((0, 4), np.int64)).shape == (0, 5, 2)


@pytest.mark.parametrize("size", [0.3, 1.0, 2.5, 5.0])
@pytest.mark.parametrize("name", PORTRAITS)
def test_aligned_faces_are_those_of_dlib_however_often_they_are_halved(name: str, size: float) -> None:
    portrait = PORTRAITS[name]()
    image = np.asarray(portrait.resize((round(portrait.width * size), round(portrait.height * size))))
    (shape,) = shapes_of_dlib(image, np.round(edges(name) * size).astype(np.int64), 5)
    (chip,) = cut_out(image, np.array([[(part.x, part.y) for part in shape.parts()]]))
    assert np.abs(chip - dlib.get_face_chip(image, shape, 150, 0.25).astype(np.int64)).max() <= 1


def test_aligned_faces_are_black_beyond_the_picture_as_those_of_dlib() -> None:
    image, box = pixels("grace_hopper"), edges("grace_hopper")[0]
    cut = np.ascontiguousarray(image[box[1] :, (box[0] + box[2]) // 2 :])
    (shape,) = shapes_of_dlib(cut, box[None] - [(box[0] + box[2]) // 2, box[1]] * 2, 5)
    (chip,) = cut_out(cut, np.array([[(part.x, part.y) for part in shape.parts()]]))
    assert (chip == 0).all(-1).mean() > 0.1
    assert np.abs(chip - dlib.get_face_chip(cut, shape, 150, 0.25).astype(np.int64)).max() <= 1


def test_a_face_of_which_the_picture_shows_nothing_is_black() -> None:
    points = np.array([[(900, 0), (800, 0), (600, 0), (700, 0), (750, 200)]])
    assert not cut_out(np.full((300, 300, 3), 255, np.uint8), points)[0].any()


def test_a_saved_predictor_is_loaded_as_it_was() -> None:
    loaded = landmarks.load(ours(5).saved())
    assert all((getattr(loaded, name) == array).all() for name, array in vars(ours(5)).items())


@pytest.mark.parametrize("broken", ["cut", "longer", "changed", "foreign", "empty"])
def test_a_broken_or_foreign_file_is_refused(broken: str) -> None:
    whole = Path(FILES[5]).read_bytes()
    middle = len(whole) // 2
    data = {
        "cut": whole[:middle],
        "longer": whole + b"\1\1",
        "changed": whole[:middle] + b"\1\1\1\1\1\1\1\1" + whole[middle + 4 :],
        "foreign": Path(models.face_recognition_model_location()).read_bytes()[:500_000],
        "empty": b"",
    }[broken]
    for reading in (landmarks.parse, landmarks.load):
        with pytest.raises(ModelBroken):
            reading(data)
