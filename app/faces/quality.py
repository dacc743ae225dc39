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


def measure(width: int, chip: NDArray[np.uint8], points: NDArray[Any]) -> Quality:
    """chip: the aligned face, shape (150, 150, 3). points: its landmarks in the picture, shape (5, 2) or (68, 2)."""
    turned, grey = pose(points), np.asarray(Image.fromarray(chip).convert("L"))
    dark, bright = float((grey <= DARK).mean()), float((grey >= BRIGHT).mean())
    light, contrast = float(grey.mean()), float(grey.std())
    return Quality(width, sharpness(chip), turned.yaw, turned.pitch, turned.roll, light, contrast, dark, bright)


def sharpness(chip: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian of the grey face (Pech-Pacheco et al., ICPR 2000): low where it is blurred."""
    grey = np.asarray(Image.fromarray(chip).convert("L"), np.float32)
    laplacian = grey[:-2, 1:-1] + grey[2:, 1:-1] + grey[1:-1, :-2] + grey[1:-1, 2:] - 4 * grey[1:-1, 1:-1]
    return float(laplacian.var())


def pose(points: NDArray[Any]) -> Pose:
    """How a head is turned, from its landmarks, shape (5, 2) or (68, 2), under weak perspective: the depths that the
    model has are taken for the picture's, the model is turned onto all three (Kabsch, 1976), and so again: the
    iteration of POSIT (DeMenthon & Davis, IJCV 1995) without perspective.
    """
    model = MODEL - MODEL.mean(0)
    seen = points[PICKED[len(points)]].astype(np.float64)
    seen = np.column_stack([seen - seen.mean(0), np.zeros(len(seen))])
    turn = np.eye(3)
    for _ in range(ROUNDS):
        left, _, right = np.linalg.svd(seen.T @ model)
        turn = left @ np.diag([1, 1, np.sign(np.linalg.det(left @ right))]) @ right
        turned = model @ turn.T
        scale = (turned[:, :2] * seen[:, :2]).sum() / (turned[:, :2] ** 2).sum()
        seen[:, 2] = scale * turned[:, 2]
    return _angles(turn)


def _angles(turn: NDArray[np.float64]) -> Pose:
    """Of a head that is first leant, then raised, then turned; where its nose points and its eyes lie say how far."""
    forward, across = turn[:, 2], turn[:, 0]
    yaw, pitch = np.arctan2(forward[0], forward[2]), np.arcsin(np.clip(-forward[1], -1, 1))
    level = np.array([np.cos(yaw), 0, -np.sin(yaw)])
    roll = np.arctan2(np.dot(across, np.cross(forward, level)), np.dot(across, level))
    return Pose(*np.degrees([yaw, pitch, roll]).round(2).tolist())
