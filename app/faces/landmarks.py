"""Where a face's landmarks are: dlib's shape predictors, read from their files and run by numpy.

The predictor is a cascade of regression trees (Kazemi & Sullivan, "One Millisecond Face Alignment with an Ensemble of
Regression Trees", CVPR 2014).
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from app.faces.errors import ModelBroken

BLOCK = 512
"""Bytes that are read in one go, side by side with all other blocks."""
LONGEST = 4
"""Bytes of an integer: no model has larger ones."""
LOWEST = np.array([0, 0xFF, 0xFFFF, 0xFFFFFF, 0xFFFFFFFF], np.uint32)
"""What leaves so many bytes of a word."""
CHUNK = 4_000_000
"""Bytes read at once: what the processor keeps at hand."""

Points = NDArray[np.int64]
"""Shape (n, points, 2): x and y in pixels."""


@dataclass(frozen=True)
class Predictor:
    """The arrays of a predictor of p points, in c cascades of t trees with s splits; each tree is complete.

    shape: (p, 2), where the points begin, in parts of the box. pixels: (c, f), the point beside which each of f pixels
    is looked at. offsets: (c, f, 2), how far from it. compared: (c, 2, t, s), the two pixels of each split. limits:
    (c, t, s), the largest difference with which one goes right. leaves: (c, t * (s + 1), 2 p), how far the points then
    move.
    """

    shape: NDArray[np.float32]
    pixels: NDArray[np.intp]
    offsets: NDArray[np.float32]
    compared: NDArray[np.intp]
    limits: NDArray[np.int16]
    leaves: NDArray[np.float32]

    def saved(self) -> bytes:
        """As numpy's npz."""
        file = io.BytesIO()
        np.savez(file, **{field.name: getattr(self, field.name) for field in fields(self)})
        return file.getvalue()


def load(data: bytes) -> Predictor:
    """What `Predictor.saved` gave. Raises ModelBroken where it is anything else."""
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            return Predictor(**{field.name: arrays[field.name] for field in fields(Predictor)})
    except (KeyError, ValueError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise ModelBroken("This is not a saved predictor of landmarks") from error


def parse(data: bytes) -> Predictor:
    """A predictor from dlib's own file, in which everything is an integer (dlib's serialize.h): a byte with its length
    and sign, then its bytes, the lowest first. A float is two, the mantissa and the exponent.

    Raises:
        ModelBroken: the file is something else, or not whole.
    """
    try:
        return _parse(_Numbers(_integers(np.frombuffer(data, np.uint8))))
    except (ValueError, IndexError) as error:
        raise ModelBroken("This is not a whole shape predictor of dlib") from error


def find(predictor: Predictor, image: NDArray[np.uint8], boxes: NDArray[np.int64]) -> Points:
    """The landmarks of faces, as dlib finds them.

    image: RGB, shape (height, width, 3). boxes: shape (n, 4), each left, top, right, bottom, the last two within it.
    """
    corner, size = boxes[:, None, :2], (boxes[:, 2:] - boxes[:, :2])[:, None]
    start = _plane(predictor.shape)
    shapes, turning = np.repeat(start[None], len(boxes), axis=0), _turning(start)
    trees, splits = predictor.limits.shape[1:]
    roots, leaves = np.arange(trees) * splits, np.arange(trees) * (splits + 1)
    others = np.arange(len(boxes))[:, None] * trees * splits
    for pixels, offsets, compared, limits, moves in zip(
        predictor.pixels, _plane(predictor.offsets), predictor.compared, predictor.limits, predictor.leaves, strict=True
    ):
        turn = (shapes @ turning).astype(np.complex64)
        places = turn[:, None] * offsets + shapes.take(pixels, 1)
        values = _brightness(image, _rounded(_pairs(places) * size + corner))
        right = (values.take(compared[0], 1) - values.take(compared[1], 1) <= limits).ravel()
        node = np.zeros((len(boxes), trees), np.intp)
        for _ in range(splits.bit_length()):
            node += node + 1 + right.take(node + roots + others)
        # one after the other, as dlib does, so that the sums are the same to the last bit
        for shape, leaf in zip(_pairs(shapes).reshape(len(boxes), 2 * len(start)), leaves + node - splits, strict=True):
            np.add.reduce(np.concatenate([shape[None], moves.take(leaf, 0)]), axis=0, out=shape)
    return _rounded(_pairs(shapes) * size + corner)


def similarity(
    points: NDArray[np.complexfloating], onto: NDArray[np.complexfloating]
) -> tuple[NDArray[np.complex128], NDArray[np.complex128]]:
    """The turn with scale and the shift, both of shape (n,), that bring points z, shape (p,), as turn * z + shift
    nearest to those of n faces, shape (n, p): least squares over the plane of complex numbers, y being imaginary.
    """
    turn = onto @ _turning(points)
    return turn, onto.mean(1) - turn * points.mean()


def _turning(points: NDArray[np.complexfloating]) -> NDArray[np.complex128]:
    wide = points.astype(np.complex128)
    away = (wide - wide.mean()).conj()
    turning: NDArray[np.complex128] = away / np.vdot(away, away).real
    return turning


def _plane(points: NDArray[np.float32]) -> NDArray[np.complex64]:
    return points.view(np.complex64)[..., 0]


def _pairs(points: NDArray[np.complex64]) -> NDArray[np.float32]:
    return points.view(np.float32).reshape(*points.shape, 2)


def _rounded(points: NDArray[np.floating]) -> Points:
    rounded: Points = np.floor(points + 0.5).astype(np.int64)
    return rounded


def _brightness(image: NDArray[np.uint8], places: Points) -> NDArray[np.int16]:
    """The means of red, green and blue, without fractions, shape (n, f); 0 outside of the picture."""
    height, width = image.shape[:2]
    x, y = places[..., 0], places[..., 1]
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    colours = image.reshape(-1, 3).take(np.where(within, y * width + x, 0), 0).astype(np.int16)
    means: NDArray[np.int16] = (colours[..., 0] + colours[..., 1] + colours[..., 2]) // np.int16(3)
    return np.where(within, means, np.int16(0))


class _Numbers:
    """The integers of a file, taken one part after the other. Raises ValueError where they are not as they must be."""

    def __init__(self, integers: NDArray[np.int32]) -> None:
        self._integers = integers
        self._at = 0

    def take(self, count: int) -> NDArray[np.int32]:
        taken = self._integers[self._at : self._at + count]
        if count <= 0 or len(taken) < count:
            raise ValueError
        self._at += count
        return taken

    def count(self) -> int:
        return int(self.take(1)[0])

    def peek(self, ahead: int) -> int:
        return int(self._integers[self._at + ahead])

    def expect(self, *numbers: int) -> None:
        if self.take(len(numbers)).tolist() != list(numbers):
            raise ValueError

    def end(self) -> None:
        if self._at != len(self._integers):
            raise ValueError


def _parse(numbers: _Numbers) -> Predictor:
    numbers.expect(1)
    rows = abs(numbers.count())
    if rows % 2 or abs(numbers.count()) != 1:
        raise ValueError
    shape = _floats(numbers.take(2 * rows)).reshape(-1, 2)
    cascades = numbers.count()
    trees, splits = numbers.peek(0), numbers.peek(1)
    if min(cascades, trees, splits) <= 0 or splits & (splits + 1):
        raise ValueError
    compared, limits, leaves = zip(*(_forest(numbers, trees, splits, rows) for _ in range(cascades)), strict=True)
    numbers.expect(cascades)
    pixels = np.stack([numbers.take(numbers.count()) for _ in range(cascades)]).astype(np.intp)
    numbers.expect(cascades)
    offsets = np.stack([_floats(numbers.take(4 * numbers.count())).reshape(-1, 2) for _ in range(cascades)])
    numbers.end()
    predictor = Predictor(shape, pixels, offsets, np.stack(compared), np.stack(limits), np.stack(leaves))
    if (
        offsets.shape[:2] != pixels.shape
        or not _indexes(pixels, len(shape))
        or not _indexes(predictor.compared, pixels.shape[1])
    ):
        raise ValueError
    return predictor


def _indexes(numbers: NDArray[np.intp], count: int) -> bool:
    return bool(numbers.min() >= 0 and numbers.max() < count)


def _forest(
    numbers: _Numbers, trees: int, splits: int, rows: int
) -> tuple[NDArray[np.intp], NDArray[np.int16], NDArray[np.float32]]:
    """The compared pixels, limits and leaves of one cascade, whose trees are all of one size."""
    numbers.expect(trees)
    leaf = 2 + 2 * rows
    forest = numbers.take(trees * (2 + 4 * splits + (splits + 1) * leaf)).reshape(trees, -1)
    inner = forest[:, 1 : 1 + 4 * splits].reshape(trees, splits, 4)
    outer = forest[:, 2 + 4 * splits :].reshape(trees * (splits + 1), leaf)
    counted = (forest[:, 0] == splits).all() and (forest[:, 1 + 4 * splits] == splits + 1).all()
    if not counted or (abs(outer[:, 0]) != rows).any() or (abs(outer[:, 1]) != 1).any():
        raise ValueError
    compared = np.moveaxis(inner[..., :2], -1, 0).astype(np.intp)
    limits = np.floor(_floats(inner[..., 2:])[..., 0]).clip(-256, 255)  # differences are whole numbers
    return compared, limits.astype(np.int16), _floats(outer[:, 2:])


def _floats(pairs: NDArray[np.int32]) -> NDArray[np.float32]:
    """Mantissas and exponents, in turn along the last axis. Raises ValueError for what is no finite number."""
    mantissas, exponents = pairs[..., ::2], pairs[..., 1::2]
    if (abs(exponents) > np.finfo(np.float32).maxexp * 2).any():
        raise ValueError
    return np.ldexp(mantissas.astype(np.float64), exponents).astype(np.float32)


def _integers(data: NDArray[np.uint8]) -> NDArray[np.int32]:
    """All integers of a file, in order. Raises ValueError where it isn't made of them."""
    whole = np.concatenate([data, np.zeros(LONGEST, np.uint8)])
    words = np.ndarray((len(data),), "<u4", whole, strides=(1,))  # at each byte, it and the three that follow
    parts, at = list[NDArray[np.int32]](), 0
    while at < len(data):
        begins = at + np.flatnonzero(_beginnings(data[at : at + CHUNK]))
        signed, length = data[begins] & 0x80, data[begins] & 0x7F
        at = int(begins[-1] + length[-1] + 1)
        if length.min() < 1 or length.max() > LONGEST or at > len(data):
            raise ValueError
        value = (words[begins + 1] & LOWEST[length]).astype(np.int32)
        parts.append(np.where(signed, -value, value))
    return np.concatenate(parts)


def _beginnings(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """At which bytes an integer begins. Where one does depends on the one before it: so each block is read as if one
    began with it, and read anew if the block before ended elsewhere. Wherever its reading began, a block mostly ends at
    the same place, so that this is over after a few rounds."""
    count = -(-len(data) // BLOCK)
    step = np.zeros((count + 1) * BLOCK, np.uint8)
    step[: len(data)] = 1 + np.minimum(data & 0x7F, LONGEST)
    found = np.zeros((count + 1, BLOCK), np.bool_)
    begins = np.arange(count) * BLOCK
    edges = np.minimum(begins + BLOCK, len(data))
    ends, blocks = edges.copy(), np.arange(count)
    while len(blocks):
        found[blocks] = False
        at, edge, reading = begins[blocks], edges[blocks], blocks
        while len(at):
            over = at >= edge
            if over.any():
                ends[reading[over]] = at[over]
                at, edge, reading = at[~over], edge[~over], reading[~over]
            found.ravel()[at] = True
            at += step[at]
        blocks = 1 + np.flatnonzero(ends[:-1] != begins[1:])
        begins[blocks] = ends[blocks - 1]
    return found.ravel()[: len(data)]
