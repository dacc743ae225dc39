"""Boxes and encodings are those of the face_recognition package; what goes beyond it is told apart."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from typing import Any

import dlib
import face_recognition
import face_recognition_models
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from app.faces import Box, Face, distances, engine
from app.faces.engine import OPTIONS, align, analyse, describe, detect, encode
from app.faces.quality import sharpness
from app.faces.types import Boxes, Wanted
from config import ROOT
from tests import pictures
from tests.faces.known import PICTURES, PORTRAITS, analysis, pixels, read


def edges(*boxes: Box) -> Boxes:
    places = [(box.left, box.top, box.left + box.width - 1, box.top + box.height - 1) for box in boxes]
    return np.array(places, np.int64).reshape(-1, 4)


def shrunk(name: str, side: int) -> NDArray[np.uint8]:
    picture = Image.fromarray(pixels(name))
    picture.thumbnail((side, side))
    return np.asarray(picture)


@cache
def reference() -> Any:
    return dlib.cnn_face_detection_model_v1(face_recognition_models.cnn_face_detector_model_location())


def chip_of(name: str) -> NDArray[np.uint8]:
    face = analysis(name).faces[0]
    chip: NDArray[np.uint8] = align(pixels(name), edges(face.box))[0]
    return chip


def only(image: Image.Image) -> Face:
    (face,) = analyse(pictures.encode(image, "PNG")).faces
    return face


@pytest.mark.parametrize(("side", "enlarged"), [(320, 0), (160, 1)])
@pytest.mark.parametrize("name", PICTURES)
def test_faces_are_where_dlibs_cnn_detector_finds_them(name: str, side: int, enlarged: int) -> None:
    picture = shrunk(name, side)
    expected = reference()(picture, enlarged)
    boxes, scores = engine._detector().detect(picture, 2**enlarged)
    places = [(found.rect.left(), found.rect.top(), found.rect.right(), found.rect.bottom()) for found in expected]
    np.testing.assert_allclose(boxes, np.array(places).reshape(-1, 4), rtol=0, atol=1)
    np.testing.assert_allclose(scores, [found.confidence for found in expected], rtol=0, atol=0.01)


@pytest.mark.parametrize("name", PORTRAITS)
def test_hog_finds_faces_where_face_recognition_finds_them_at_twice_the_size(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OPTIONS, "detector", "hog")
    places = face_recognition.face_locations(pixels(name), 1)
    expected = [(left, top, right, bottom) for top, right, bottom, left in places]
    np.testing.assert_allclose(detect(pixels(name))[0], expected, rtol=0, atol=1)


@pytest.mark.parametrize("detector", ["cnn", "hog"])
@pytest.mark.parametrize("name", PORTRAITS)
def test_a_face_of_36_pixels_is_found_by_either_detector(
    name: str, detector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(OPTIONS, "detector", detector)
    scale = 36 / analysis(name).faces[0].box.width
    picture = Image.fromarray(pixels(name))
    far = picture.resize((round(picture.width * scale), round(picture.height * scale)))
    assert len(detect(np.asarray(far))[0]) == 1


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_face_smaller_than_hog_sees_is_found_where_it_is_wanted(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    width = 18
    scale = width / analysis(name).faces[0].box.width
    picture = Image.fromarray(pixels(name))
    far = np.asarray(picture.resize((round(picture.width * scale), round(picture.height * scale))))
    boxes, _ = detect(far, smallest=14)
    assert len(boxes) == 1
    assert len(detect(far, smallest=4 * width)[0]) == 0
    monkeypatch.setattr(OPTIONS, "detector", "hog")
    assert len(detect(far)[0]) == 0


@pytest.mark.parametrize("name", PICTURES)
def test_encodings_are_those_of_face_recognition(name: str) -> None:
    boxes = edges(*(face.box for face in analysis(name).faces))
    places = [(top, right, bottom, left) for left, top, right, bottom in boxes.tolist()]
    expected = np.array(face_recognition.face_encodings(pixels(name), places))
    assert len(boxes) > 0
    np.testing.assert_allclose(describe(align(pixels(name), boxes)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", PORTRAITS)
def test_a_faces_encoding_is_the_mean_of_its_own_and_its_mirror_images(name: str) -> None:
    chip = chip_of(name)
    own, mirror = describe(np.stack([chip, chip[:, ::-1]]))
    assert np.abs(own - mirror).max() > 0.01
    np.testing.assert_allclose(analysis(name).faces[0].encoding, (own + mirror) / 2, rtol=0, atol=1e-6)


def test_every_face_has_the_encoding_of_its_own_place() -> None:
    room = analyse(pictures.encode(pictures.group(pictures.astronaut(), pictures.grace_hopper()), "PNG"))
    from_the_left = sorted(room.faces, key=lambda face: face.box.left)
    alone = np.stack([analysis(name).faces[0].encoding for name in PORTRAITS])
    away = distances(np.stack([face.encoding for face in from_the_left]), alone)
    assert away.shape == (2, 2)
    assert away.diagonal().max() < 0.2
    assert away[0, 1] > 0.5
    assert away[1, 0] > 0.5


def test_faces_are_found_and_encoded_where_dlib_is_not_installed() -> None:
    without = (
        "import sys; sys.modules['dlib'] = None\n"
        "from app.faces.engine import analyse; print(len(analyse(sys.stdin.buffer.read()).faces))"
    )
    picture = pictures.encode(pictures.astronaut(), "PNG")
    done = subprocess.run([sys.executable, "-c", without], input=picture, capture_output=True, check=False, cwd=ROOT)
    assert done.stdout == b"1\n", done.stderr.decode()[-1000:]


def test_no_faces_give_no_encodings() -> None:
    assert encode(align(pixels("astronaut"), edges())).shape == (0, 128)


def test_a_picture_of_nobody_has_its_size_and_no_faces() -> None:
    found = analyse(pictures.encode(Image.new("RGB", (320, 200), pictures.WALL)))
    assert (found.width, found.height, found.faces) == (320, 200, ())


def test_a_face_on_a_12_megapixel_photo_is_found_in_the_photos_own_pixels() -> None:
    room = Image.new("RGB", (4000, 3000), pictures.WALL)
    room.paste(pictures.grace_hopper(), (2500, 1600))
    found = only(room)
    alone = analysis("grace_hopper").faces[0]
    middle = np.array([found.box.left + found.box.width / 2 - 2500, found.box.top + found.box.height / 2 - 1600])
    expected = [alone.box.left + alone.box.width / 2, alone.box.top + alone.box.height / 2]
    np.testing.assert_allclose(middle, expected, atol=alone.box.width / 4)
    assert found.box.width == pytest.approx(alone.box.width, rel=0.3)
    assert distances(found.encoding[None], alone.encoding[None]).item() < 0.2


def test_faces_on_a_photo_larger_than_what_is_searched_are_found_in_the_photos_own_pixels(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "SEARCH_PIXELS", 600_000)
    room = Image.new("RGB", (2000, 1500), pictures.WALL)
    room.paste(pictures.grace_hopper().resize((1024, 1200)), (900, 250))
    found = only(room).box
    alone = analysis("grace_hopper").faces[0].box
    expected = [900 + 2 * alone.left + alone.width, 250 + 2 * alone.top + alone.height]
    middle = [found.left + found.width / 2, found.top + found.height / 2]
    np.testing.assert_allclose(middle, expected, atol=alone.width / 2)
    assert found.width == pytest.approx(2 * alone.width, rel=0.3)


def test_a_box_ends_where_the_picture_ends() -> None:
    image = pictures.grace_hopper().crop((205, 0, 512, 600))
    box = only(image).box
    assert box.left == 0
    assert 0 < box.width <= image.width
    assert box.top >= 0
    assert box.top + box.height <= image.height


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 5000, 3), (5000, 1, 3)])
def test_a_picture_too_thin_for_any_face_has_none(shape: tuple[int, int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "SEARCH_PIXELS", 1000)
    assert [len(found) for found in detect(np.zeros(shape, np.uint8))] == [0, 0]


def grey_of(chip: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.asarray(Image.fromarray(chip).convert("L"), np.float32)


def test_sharpness_is_the_variance_of_the_grey_faces_laplacian() -> None:
    grey = grey_of(chip_of("grace_hopper"))
    assert sharpness(grey) == pytest.approx(ndimage.laplace(grey)[1:-1, 1:-1].var(), rel=1e-4)


def test_a_picture_out_of_focus_has_less_sharpness() -> None:
    portrait, box = pictures.grace_hopper(), edges(analysis("grace_hopper").faces[0].box)
    shots = [np.asarray(portrait.filter(ImageFilter.GaussianBlur(radius))) for radius in (0, 1, 2, 4)]
    blurred = [sharpness(grey_of(align(shot, box)[0])) for shot in shots]
    assert blurred == sorted(blurred, reverse=True)
    assert blurred[-1] < blurred[0] / 10


def test_how_a_head_moves_is_found_only_where_it_is_asked_for() -> None:
    (plain,), (seen,) = (analyse(read("astronaut"), Wanted(80, is_live)).faces for is_live in (False, True))
    assert plain.live is None
    assert seen.live
    assert seen.live.pose.yaw == pytest.approx(seen.quality.yaw, abs=5)
    assert 0.2 < seen.live.eyes < 0.45
    assert (plain.encoding == seen.encoding).all()
