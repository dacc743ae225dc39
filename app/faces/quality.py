"""How good a face on a picture is, in figures that say what to do better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

DARK, BRIGHT = 15, 240
"""Grey levels beyond which a pixel shows nothing: crushed to black, or burnt out."""
ROUNDS = 40
"""Of fitting the model; on heads turned in space, what is left of the error is then within a degree."""
MODEL = np.array(
    [(0.2745, -0.15, -0.1), (0.1175, -0.142, 0), (-0.2745, -0.15, -0.1), (-0.1175, -0.142, 0), (0, 0.162, 0.13)]
)
"""A mean face in three dimensions, x to the right of the picture, y down, z towards the camera: outer and inner corners
of the eyes, base of the nose. x and y are those from which dlib's predictor begins, the means of faces it learned
from; z are rounded proportions of adults."""
PICKED = {5: [0, 1, 2, 3, 4], 68: [45, 42, 36, 39, 33]}
"""The model's points among the landmarks; the mouth is left out, since it smiles."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Degrees. yaw: turned to the person's own left is positive. pitch: up is positive. roll: leant to the person's own
    right shoulder is negative. The model is a mean of adults, so they are a rough figure."""

    yaw: float
    pitch: float
    roll: float


@dataclass(frozen=True, slots=True)
class Quality:
    """width: of the box, in pixels of the picture. sharpness: variance of the aligned face's Laplacian. brightness: the
    aligned face's mean grey level, 0 to 255. contrast: its standard deviation. dark, bright: which parts of it, 0 to 1,
    are too dark or too bright to show anything."""

    width: int
    sharpness: float
    yaw: float
    pitch: float
    roll: float
    brightness: float
    contrast: float
    dark: float
    bright: float


def measure(width: int, chip: NDArray[np.uint8], turned: Pose) -> Quality:
    """chip: the aligned face, shape (150, 150, 3)."""
    grey = np.asarray(Image.fromarray(chip).convert("L"), np.float32)
    dark, bright = float((grey <= DARK).mean()), float((grey >= BRIGHT).mean())
    light, contrast = float(grey.mean()), float(grey.std())
    return Quality(width, sharpness(grey), turned.yaw, turned.pitch, turned.roll, light, contrast, dark, bright)


def sharpness(grey: NDArray[np.float32]) -> float:
    """Variance of the Laplacian of a grey face (Pech-Pacheco et al., ICPR 2000): low where it is blurred."""
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(laplacian.var())


def poses(points: NDArray[Any]) -> list[Pose]:
    """How heads are turned, from their landmarks, shape (n, 5, 2) or (n, 68, 2), under weak perspective: the depths
    that the model has are taken for the picture's, the model is turned onto all three (Kabsch, 1976), and so again: the
    iteration of POSIT (DeMenthon & Davis, IJCV 1995) without perspective.
    """
    model = MODEL - MODEL.mean(0)
    seen = points[:, PICKED[points.shape[1]]].astype(np.float64)
    seen = np.pad(seen - seen.mean(1, keepdims=True), [(0, 0), (0, 0), (0, 1)])
    turns = np.empty((0, 3, 3))
    for _ in range(ROUNDS):
        left, _, right = np.linalg.svd(seen.mT @ model)
        left[:, :, 2] *= np.sign(np.linalg.det(left @ right))[:, None]
        turns = left @ right
        turned = model @ turns.mT
        flat = turned[..., :2]
        scale = (flat * seen[..., :2]).sum((1, 2)) / (flat**2).sum((1, 2))
        seen[..., 2] = scale[:, None] * turned[..., 2]
    return [_angles(turn) for turn in turns]


def _angles(turn: NDArray[np.float64]) -> Pose:
    """Of a head that is first leant, then raised, then turned; where its nose points and its eyes lie say how far."""
    forward, across = turn[:, 2], turn[:, 0]
    yaw, pitch = np.arctan2(forward[0], forward[2]), np.arcsin(np.clip(-forward[1], -1, 1))
    level = np.array([np.cos(yaw), 0, -np.sin(yaw)])
    roll = np.arctan2(np.dot(across, np.cross(forward, level)), np.dot(across, level))
    return Pose(*np.degrees([yaw, pitch, roll]).round(2).tolist())
