"""Pixels -> faces and their encodings: dlib's networks, run by onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from app.faces import landmarks, weights
from app.faces.align import cut_out
from app.faces.detector import Detector, in_the_picture, resized
from app.faces.liveness import eye_aspect_ratio
from app.faces.pictures import decode
from app.faces.quality import measure, poses
from app.faces.types import ROOM, Analysis, Box, Boxes, Chips, Encodings, Face, Live, Scores, Wanted

FOUND_FROM = 0.8
"""Of the CNN detector's window: on five pictures, shrunk, it found faces from about 64 of its 80 pixels on."""
HOG_SCALE = 2.0
"""HOG sees faces from 80 pixels on; at twice the size, from 40."""
SEARCH_PIXELS = 12_000_000
"""No picture is searched larger than this, so that none takes longer than a 12-megapixel photo."""
LEAST_SIDE = 40
"""Half of what the detector looks at: what is thinner than this has no room for a face, and takes very long."""
BATCH = 32
"""So many faces at once keep all processors busy; more of them only take memory."""


@dataclass(slots=True)
class Options:
    """folder: where built models are kept, if anywhere. threads: how many work on one picture; 0: as many as there are
    processors."""

    detector: Literal["cnn", "hog"] = "cnn"
    folder: Path | None = None
    threads: int = 0


OPTIONS = Options()
"""The process's; set before its first picture."""


def analyse(data: bytes, wanted: Wanted = ROOM) -> Analysis:
    """Everything about the faces of a picture file. Raises as `pictures.decode`, and ModelBroken."""
    image = decode(data)
    height, width = image.shape[:2]
    boxes, scores = detect(image, wanted.smallest)
    points = five_points(image, boxes)
    chips = cut_out(image, points)
    clipped = [_clipped(box, width, height) for box in boxes]
    qualities = [measure(box.width, *seen) for box, *seen in zip(clipped, chips, poses(points), strict=True)]
    lives = _lives(_all_landmarks(image, boxes)) if wanted.is_live else [None] * len(boxes)
    faces = map(Face, clipped, scores.tolist(), encode(chips), qualities, lives)
    return Analysis(width, height, tuple(faces))


def detect(image: NDArray[np.uint8], smallest: int = ROOM.smallest) -> tuple[Boxes, Scores]:
    """The faces' boxes, in the picture's own pixels, and scores; from `smallest` pixels of width on."""
    height, width = image.shape[:2]
    hog = OPTIONS.detector == "hog"
    wanted = HOG_SCALE if hog else FOUND_FROM * _detector().window / smallest
    scale = min(wanted, (SEARCH_PIXELS / (width * height)) ** 0.5)
    if min(width, height) * scale < LEAST_SIDE:
        return np.empty((0, 4), np.int64), np.empty(0, np.float32)
    return _hog(image, scale) if hog else _detector().detect(image, scale)


def five_points(image: NDArray[np.uint8], boxes: Boxes) -> landmarks.Points:
    """The corners of the eyes and the base of the nose, shape (n, 5, 2)."""
    return landmarks.find(_five_points(), image, boxes)


def align(image: NDArray[np.uint8], boxes: Boxes) -> Chips:
    """Each face turned upright and cut out, shape (n, 150, 150, 3)."""
    return cut_out(image, five_points(image, boxes))


def encode(chips: Chips) -> Encodings:
    """The mean of each face's encoding and its mirror image's, shape (n, 128)."""
    both = describe(np.concatenate([chips, chips[:, :, ::-1]]))
    return (both[: len(chips)] + both[len(chips) :]) / np.float32(2)


def describe(chips: Chips) -> Encodings:
    """dlib's encodings of aligned faces, shape (n, 128): those of face_recognition."""
    batches = [chips[start : start + BATCH] for start in range(0, len(chips), BATCH)]
    described = [_encoder().run(None, {"chips": batch})[0] for batch in batches]
    return np.concatenate([np.empty((0, 128), np.float32), *described])


def _all_landmarks(image: NDArray[np.uint8], boxes: Boxes) -> landmarks.Points:
    """Shape (n, 68, 2)."""
    return landmarks.find(_all_points(), image, boxes)


def _lives(points: landmarks.Points) -> list[Live]:
    return [Live(turned, eye_aspect_ratio(seen)) for turned, seen in zip(poses(points), points, strict=True)]


def _hog(image: NDArray[np.uint8], scale: float) -> tuple[Boxes, Scores]:
    """Its scores are doubled, so that HOG's customary least of 0.25 is the CNN detector's 0.5."""
    boxes, scores, _ = _hog_detector().run(resized(image, scale), 0)
    edges = np.array([(box.left(), box.top(), box.right(), box.bottom()) for box in boxes], np.int64).reshape(-1, 4)
    return in_the_picture(edges, scale), 2 * np.array(scores, np.float32)


def _clipped(box: NDArray[np.int64], width: int, height: int) -> Box:
    left, top, right, bottom = box.tolist()
    left, top = max(left, 0), max(top, 0)
    return Box(left, top, min(right + 1, width) - left, min(bottom + 1, height) - top)


@cache
def _detector() -> Detector:
    return Detector(_session(weights.DETECTOR), _session(weights.RESIZER))


@cache
def _encoder() -> onnxruntime.InferenceSession:
    return _session(weights.ENCODER)


def _session(model: weights.Model) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = OPTIONS.threads
    # kept memory makes many small batches quick; the detector's, of the largest picture so far, is given back
    options.enable_cpu_mem_arena = model is weights.ENCODER
    if model is weights.RESIZER:  # between whose pictures the detector needs the processors
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(weights.load(model, OPTIONS.folder), options, ["CPUExecutionProvider"])


@cache
def _hog_detector() -> Any:
    import dlib  # noqa: PLC0415

    return dlib.get_frontal_face_detector()


@cache
def _five_points() -> landmarks.Predictor:
    return landmarks.load(weights.load(weights.FIVE_POINTS, OPTIONS.folder))


@cache
def _all_points() -> landmarks.Predictor:
    return landmarks.load(weights.load(weights.ALL_POINTS, OPTIONS.folder))
