"""Faces turned upright and cut out, as dlib's get_face_chip does: the encoder knows no others."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.faces.landmarks import Points, similarity
from app.faces.types import Chips

CHIP_SIZE, CHIP_PADDING = 150, 0.25
MEAN_FACE = np.array(
    [
        0.8595674595992 + 0.2134981538014j,
        0.6460604764104 + 0.2289674387677j,
        0.1205750620789 + 0.2137274526848j,
        0.3340850613712 + 0.2290642403242j,
        0.4901123135679 + 0.6277975316475j,
    ]
)
"""Where the five points are in a chip without padding (dlib): outer and inner corner of the eyes, base of the nose."""
CHIP_FACE = CHIP_SIZE * (MEAN_FACE + CHIP_PADDING * (1 + 1j)) / (2 * CHIP_PADDING + 1)
COLUMNS = np.arange(CHIP_SIZE)
THINNEST = 8
"""Pixels: a strip of a face that is no wider, after halving, shows nothing."""
HALVED = 1.25 + 0.75j
"""How far dlib takes a point to move when a picture is halved."""

Chip = NDArray[np.uint8]


def cut_out(image: NDArray[np.uint8], points: Points) -> Chips:
    """Each face upright, shape (n, 150, 150, 3), with its eyes and nose where all faces have them.

    image: RGB, shape (height, width, 3). points: shape (n, 5, 2), those of the predictor of five.
    """
    turns, shifts = similarity(CHIP_FACE, points[..., 0] + 1j * points[..., 1])
    chips = np.empty((len(points), CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
    for chip, turn, shift in zip(chips, turns, shifts, strict=True):
        chip[:] = _cut(image, complex(turn), complex(shift))
    return chips


def _cut(image: NDArray[np.uint8], turn: complex, shift: complex) -> Chip:
    """The chip whose point z is at turn * z + shift in the picture, which is halved while the face is more than
    twice as large as the chip."""
    middle = turn * CHIP_SIZE * (0.5 + 0.5j) + shift
    side, direction = CHIP_SIZE * abs(turn) - 1, turn / abs(turn)
    corner = middle - side * (0.5 + 0.5j)
    halvings = 0
    while side / 2 ** (halvings + 1) + 1 > CHIP_SIZE:
        halvings += 1
    around = 4 * 2**halvings - 2  # the halvings take away the edges
    reach = side / 2 * (abs(direction.real) + abs(direction.imag)) + around
    left, top = (max(0, round(at - reach)) for at in (middle.real, middle.imag))
    right, bottom = (round(at + reach) + 1 for at in (middle.real, middle.imag))
    part = image[top : max(bottom, 0), left : max(right, 0)]
    corner -= complex(left, top)
    if min(part.shape[:2]) <= THINNEST << halvings:
        return np.zeros((CHIP_SIZE, CHIP_SIZE, 3), np.uint8)
    for _ in range(halvings):
        part, corner, side = _halve(part), corner / 2 - HALVED, side / 2
    middle = corner + side * (0.5 + 0.5j)
    step = direction * side / (CHIP_SIZE - 1)
    first = middle + direction * (corner - middle)
    return _sample(part, first, step)


def _halve(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Every second pixel of the picture blurred by the binomial 1 4 6 4 1, both ways, without its edges."""
    rows, columns = ((length - 3) // 2 for length in image.shape[:2])
    wide = image.astype(np.uint16)
    narrow = _blurred([wide[:, k : k + 2 * columns - 1 : 2] for k in range(5)])
    return (_blurred([narrow[k : k + 2 * rows - 1 : 2] for k in range(5)]) >> 8).astype(np.uint8)


def _blurred(shifted: list[NDArray[np.uint16]]) -> NDArray[np.uint16]:
    a, b, c, d, e = shifted
    return a + e + 4 * (b + d) + 6 * c


def _sample(image: NDArray[np.uint8], first: complex, step: complex) -> Chip:
    """Bilinear: the pixel in column c and row r is at first + step * (c + r i); black beyond the picture's edge."""
    places = first + step * (COLUMNS + 1j * COLUMNS[:, None])
    height, width = image.shape[:2]
    within = (places.real >= 0) & (places.real < width - 1) & (places.imag >= 0) & (places.imag < height - 1)
    middle = (
        first + 0.5 + 0.5j - step * (0.5 + 0.5j)
    )  # Pillow's pixels have their middle at a half, dlib's at a whole number
    affine = (step.real, -step.imag, middle.real, step.imag, step.real, middle.imag)
    size = CHIP_SIZE, CHIP_SIZE
    chip = Image.fromarray(image).transform(size, Image.Transform.AFFINE, affine, Image.Resampling.BILINEAR)
    return np.where(within[..., None], np.asarray(chip), np.uint8(0))
