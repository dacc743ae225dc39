"""What is found on a picture."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from app.faces.quality import Pose, Quality

Encodings = NDArray[np.float32]
"""Shape (n, 128): a row a face. Euclidean distance tells people apart; 0.6 is the customary limit."""
Chips = NDArray[np.uint8]
"""Shape (n, 150, 150, 3): faces cut out upright."""
Boxes = NDArray[np.int64]
"""Shape (n, 4): left, top, right and bottom, the last pixels inside; at the picture's edges they may lie beyond."""
Scores = NDArray[np.float32]
"""Shape (n,): the detector's, from 0; the surer the higher."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a picture is read for. smallest: the width of the smallest face that is to be found, in pixels: what it
    costs to find faces grows with the square of its inverse. is_live: also what liveness is decided from."""

    smallest: int
    is_live: bool = False


ROOM = Wanted(40)
"""As small as HOG finds them at twice the picture's size."""
ONE_PERSON = Wanted(48)
"""A face that is smaller than those that can be enrolled, so that it can be told that it is, and no bystander's."""


@dataclass(frozen=True, slots=True)
class Box:
    """A face's place, in pixels of the upright picture."""

    left: int
    top: int
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Live:
    """What liveness is decided from, of 68 landmarks. eyes: `liveness.eye_aspect_ratio`."""

    pose: Pose
    eyes: float


@dataclass(frozen=True, slots=True)
class Face:
    """score: the detector's, from 0. encoding: shape (128,). live: only where it was asked for."""

    box: Box
    score: float
    encoding: NDArray[np.float32]
    quality: Quality
    live: Live | None = None


@dataclass(frozen=True, slots=True)
class Analysis:
    """The upright picture's size in pixels, and its faces."""

    width: int
    height: int
    faces: tuple[Face, ...]

    @property
    def encodings(self) -> Encodings:
        """Of all faces, shape (n, 128)."""
        return np.array([face.encoding for face in self.faces], np.float32).reshape(-1, 128)
