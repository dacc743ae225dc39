"""Where the faces are: dlib's CNN detector (King, "Max-Margin Object Detection", 2015), run by onnxruntime.

What dlib does is followed: the steps of the pyramid, where cells lie, how boxes are mapped back, rounded and thinned
out (dlib's dnn/input.h, dnn/loss.h, image_transforms/image_pyramid.h; Boost Software License). It lays the pyramid out
on one large picture, and so it is here: what lies beside a level decides where several cells are as sure of a face.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from PIL import Image

from app.faces.types import Boxes, Scores

STRIDE, FIRST = 8, 14
"""Cell n of the output looks at pixel 8 n + 14: three 5 x 5 convolutions of stride 2."""
FIELD = 29
"""Pixels, each way, that a cell sees after these; the convolutions that follow let it see REACH cells to each side."""
REACH = 2 + 2 + 2 + 4
BAND = 192
"""Rows of cells that are looked at together."""
RATE = 5 / 6
"""From one level of the pyramid to the next."""
BETWEEN, AROUND = 10, 11
"""Pixels that dlib leaves between levels, and around all of them."""
LEAST_HEIGHT = 5
"""Where dlib's pyramid ends."""
SHIFT = 0.3
ENLARGED_SHIFT = np.array([1.25, 0.75, 1.25, 0.75])
"""What dlib's pyramid_down<6> and pyramid_down<2> move points by, besides scaling them."""


Place = tuple[int, int, int, int]
"""Left, top, width and height."""


class Detector:
    """Of `weights.DETECTOR` and `weights.RESIZER`. window: how wide a face is on which the network was trained."""

    def __init__(self, network: onnxruntime.InferenceSession, resizer: onnxruntime.InferenceSession) -> None:
        notes = network.get_modelmeta().custom_metadata_map
        options = json.loads(notes["options"])
        self._network, self._resizer = network, resizer
        self._means = np.array(json.loads(notes["means"]), np.float32)
        self._reach = (np.array([options["width"], options["height"]]) - 1) / 2
        self._iou, self._covered = options["nms_iou"], options["nms_covered"]
        self.window = int(options["width"])

    def detect(self, image: NDArray[np.uint8], scale: float = 1.0) -> tuple[Boxes, Scores]:
        """The faces of a picture, shape (height, width, 3), searched at `scale` times its size; the surest first."""
        boxes, scores = self._search(resized(image, scale))
        surest = np.argsort(-scores, kind="stable")
        rounded = _rounded(boxes[surest])
        kept = self._apart(rounded)
        return in_the_picture(rounded[kept], scale), scores[surest][kept]

    def _search(self, image: NDArray[np.uint8]) -> tuple[NDArray[np.float64], Scores]:
        """What is found on all levels of the pyramid, in the picture's pixels."""
        places, height, width = layout(*image.shape[:2])
        tiles = np.zeros((1, 3, height, width), np.float32)
        level = np.subtract(image.transpose(2, 0, 1), self._means[:, None, None], dtype=np.float32, order="C")[None]
        for n, (left, top, wide, high) in enumerate(places):
            if n:
                (level,) = self._resizer.run(None, {"picture": level, "size": np.array([1, 3, high, wide])})
            tiles[:, :, top : top + high, left : left + wide] = level
        scores = np.concatenate(list(self._scores(tiles)))
        rows, columns = np.nonzero(scores > 0)
        middles = STRIDE * np.stack([columns, rows], 1) + FIRST
        depths = _nearest(middles, places)
        middles = middles - np.array([place[:2] for place in places])[depths]
        boxes = np.concatenate([middles - self._reach, middles + self._reach], 1)
        growth = RATE ** -depths[:, None].astype(np.float64)
        return boxes * growth + SHIFT * (growth - 1) / (1 / RATE - 1), scores[rows, columns]

    def _scores(self, tiles: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Band after band of the output's rows, so that a large picture needs no more memory than a small one."""
        rows = (tiles.shape[2] - FIELD) // STRIDE + 1
        for start in range(0, rows, BAND):
            end = min(start + BAND, rows)
            first, last = max(start - REACH, 0), min(end + REACH, rows)
            band = tiles[:, :, STRIDE * first : STRIDE * (last - 1) + FIELD]
            yield self._network.run(None, {"tiles": band})[0][0, 0, start - first : end - first]

    def _apart(self, boxes: Boxes) -> list[int]:
        """Which boxes, the surest first, cover none that was taken before too much: non-maximum suppression."""
        kept, left = [], np.arange(len(boxes))
        areas = (boxes[:, 2:] - boxes[:, :2] + 1).prod(1)
        while len(left):
            best, left = left[0], left[1:]
            kept.append(int(best))
            corner, end = np.maximum(boxes[best, :2], boxes[left, :2]), np.minimum(boxes[best, 2:], boxes[left, 2:])
            shared = np.maximum(end - corner + 1, 0).prod(1)
            covered = shared / np.minimum(areas[best], areas[left])
            same = (shared / (areas[best] + areas[left] - shared) > self._iou) | (covered > self._covered)
            left = left[~same]
        return kept


def resized(image: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    """The picture at `scale` times its size; at twice, as dlib enlarges it."""
    height, width = image.shape[:2]
    if scale == 1:
        return image
    picture = Image.fromarray(image)
    if scale < 1:
        size = max(round(width * scale), 1), max(round(height * scale), 1)
        return np.asarray(picture.resize(size, Image.Resampling.BILINEAR))
    right, bottom = (np.array([width, height]) - 1 + ENLARGED_SHIFT[:2]) * scale + 0.5
    size = int(right) + 1, int(bottom) + 1
    # corners lie on corners, which Pillow's resize() would not do
    across, down = (width - 1) / (size[0] - 1), (height - 1) / (size[1] - 1)
    corners = (across, 0, (1 - across) / 2, 0, down, (1 - down) / 2)
    return np.asarray(picture.transform(size, Image.Transform.AFFINE, corners, Image.Resampling.BILINEAR))


def layout(height: int, width: int) -> tuple[list[Place], int, int]:
    """Where dlib's compute_tiled_image_pyramid_details puts each level, and the height and width of all together: one
    under the other, and up again beside them as soon as they are narrow enough, until they meet the first."""
    sizes = [(width, height)]
    while (wide := math.floor(RATE * sizes[-1][0])) and (high := math.floor(RATE * sizes[-1][1])) >= LEAST_HEIGHT:
        sizes.append((wide, high))
    total = sum(high + BETWEEN for _, high in sizes) - 2 * BETWEEN
    end, beside, places = 0, 0, list[Place]()
    for wide, high in sizes:
        if wide <= width - beside - BETWEEN and (end - height) * 2 >= total - height:
            break
        places.append((AROUND, AROUND + end, wide, high))
        end, beside = end + high + BETWEEN, wide
    whole = (end - BETWEEN + 2 * AROUND, width + 2 * AROUND)
    top = whole[0] - AROUND
    for wide, high in sizes[len(places) :]:
        left, top = AROUND + width - wide, top - high
        if top < AROUND + height:
            break
        places.append((left, top, wide, high))
        top -= BETWEEN
    return places, *whole


def _nearest(points: NDArray[np.int64], places: list[Place]) -> NDArray[np.intp]:
    """The index of the level on which each point, shape (n, 2), lies, or from which it is least far."""
    left, top, wide, high = np.array(places).T
    x, y = points[:, :1], points[:, 1:]
    across = np.maximum(np.maximum(left - x, x - (left + wide - 1)), 0)
    down = np.maximum(np.maximum(top - y, y - (top + high - 1)), 0)
    nearest: NDArray[np.intp] = (across**2 + down**2).argmin(1)
    return nearest


def in_the_picture(boxes: Boxes, scale: float) -> Boxes:
    """Boxes on what `resized` gave, in the picture's own pixels."""
    if scale == 1:
        return boxes
    return _rounded(boxes / scale - ENLARGED_SHIFT if scale > 1 else (boxes + 0.5) / scale - 0.5)


def _rounded(boxes: NDArray[np.floating[Any]]) -> Boxes:
    """Halves up, as dlib does."""
    rounded: Boxes = np.floor(boxes + 0.5).astype(np.int64)
    return rounded
