"""Pixels -> faces and their encodings, by dlib's models as face_recognition uses them."""

from __future__ import annotations

from functools import cache
from typing import Any

import dlib
import face_recognition_models as models
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.faces.pictures import decode
from app.faces.types import Analysis, Box, Encodings, Face

SEARCH_SCALE = 2.0
"""The detector sees faces from 80 pixels on; at twice the size, from 40."""
SEARCH_PIXELS = 12_000_000
"""No picture is searched larger than this, so that none takes longer than a 12-megapixel photo."""
LEAST_SIDE = 40
"""Half of what the detector looks at: what is thinner than this has no room for a face, and takes very long."""
CHIP_SIZE, CHIP_PADDING = 150, 0.25

Chips = list[NDArray[np.uint8]]


def analyse(data: bytes) -> Analysis:
    """Everything about the faces of a picture file. Raises as `pictures.decode`."""
    image = decode(data)
    height, width = image.shape[:2]
    boxes, scores = detect(image)
    chips = align(image, boxes)
    faces = [
        Face(_clipped(box, width, height), score, encoding, sharpness(chip))
        for box, score, chip, encoding in zip(boxes, scores, chips, encode(chips), strict=True)
    ]
    return Analysis(width, height, tuple(faces))


def detect(image: NDArray[np.uint8]) -> tuple[list[Any], list[float]]:
    """The faces' dlib rectangles, in the picture's own pixels (at its edges they may reach beyond it), and scores."""
    height, width = image.shape[:2]
    scale = min(SEARCH_SCALE, (SEARCH_PIXELS / (width * height)) ** 0.5)
    if min(width, height) * scale < LEAST_SIDE:
        return [], []
    if scale == SEARCH_SCALE:
        boxes, scores, _ = _detector().run(image, 1)
        return list(boxes), list(scores)
    size = round(width * scale), round(height * scale)
    searched = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
    boxes, scores, _ = _detector().run(searched, 0)
    edges = [(box.left(), box.top(), box.right(), box.bottom()) for box in boxes]
    return [dlib.rectangle(*(round(edge / scale) for edge in box)) for box in edges], list(scores)


def align(image: NDArray[np.uint8], boxes: list[Any]) -> Chips:
    """Each face turned upright and cut out, shape (150, 150, 3)."""
    return [dlib.get_face_chip(image, _landmarks()(image, box), CHIP_SIZE, CHIP_PADDING) for box in boxes]


def encode(chips: Chips) -> Encodings:
    """The mean of each face's encoding and its mirror image's, shape (n, 128)."""
    mirrored = [np.ascontiguousarray(chip[:, ::-1]) for chip in chips]
    return (describe(chips) + describe(mirrored)) / np.float32(2)


def describe(chips: Chips) -> Encodings:
    """dlib's encodings of aligned faces, shape (n, 128): those of face_recognition."""
    if not chips:
        return np.empty((0, 128), np.float32)
    return np.asarray(_encoder().compute_face_descriptor(chips), np.float32)


def sharpness(chip: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the grey face (Pech-Pacheco et al., ICPR 2000): low where it is blurred."""
    grey = np.asarray(Image.fromarray(chip).convert("L"), np.float32)
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(laplacian.var())


def _clipped(box: Any, width: int, height: int) -> Box:
    left, top = max(box.left(), 0), max(box.top(), 0)
    return Box(left, top, min(box.right() + 1, width) - left, min(box.bottom() + 1, height) - top)


@cache
def _detector() -> Any:
    return dlib.get_frontal_face_detector()


@cache
def _landmarks() -> Any:
    return dlib.shape_predictor(models.pose_predictor_five_point_model_location())


@cache
def _encoder() -> Any:
    return dlib.face_recognition_model_v1(models.face_recognition_model_location())
