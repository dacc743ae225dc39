"""Reading dlib's network files: what its `serialize` wrote, from the input of the network to its output.

The format is that of dlib's dnn/core.h, dnn/layers.h, dnn/tensor.h and serialize.h (Boost Software License).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from app.faces.errors import ModelBroken

INNERMOST = 3
"""The version of the layer next to the input; the others are 1 (tags and skips) and 2."""
TENSOR = 2
"""The version of dlib's tensors."""
WINDOWS = ("max_pool_2", "avg_pool_2")


@dataclass(frozen=True, slots=True)
class Layer:
    """weights: of a convolution, shape (filters, channels, rows, columns); of an affine layer, shape (filters,); of a
    matrix, shape (inputs, outputs). bias: shape (filters,). stride, padding and window: of rows and columns alike."""

    kind: str
    weights: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    bias: NDArray[np.float32] = field(default_factory=lambda: np.empty(0, np.float32))
    stride: int = 1
    padding: int = 0
    window: int = 0


@dataclass(frozen=True, slots=True)
class Network:
    """means: what is taken from red, green and blue (0 to 255) before they are divided by 256. options: of the loss
    layer, by name."""

    means: tuple[float, float, float]
    layers: tuple[Layer, ...]
    options: dict[str, float]


def parse(data: bytes) -> Network:
    """The network of a file. Raises ModelBroken where the file is cut, or is something else."""
    try:
        return _Reader(data).network()
    except (IndexError, ValueError, OverflowError) as error:
        raise ModelBroken("This is not a whole network file of dlib's") from error


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def network(self) -> Network:
        self._expect(self._integer() == 1)
        options = self._loss(self._text())
        while (version := self._integer()) != INNERMOST:
            self._expect(version in {1, 2})
        means = self._input(self._text())
        layers = []
        while self._at < len(self._data):
            layers.append(self._layer(self._text()))
            self._expect(all(flag in b"01" for flag in self._bytes(3)))
            for _ in range(3):
                self._tensor()
            if len(layers) == 1:
                self._expect(self._integer() == 1)  # pictures become as many samples
        return Network(means, tuple(layers), options)

    def _loss(self, kind: str) -> dict[str, float]:
        if kind == "loss_metric_2":
            return {"margin": self._real(), "distance": self._real()}
        self._expect(kind == "loss_mmod_" and self._integer() == 1)
        options = {"width": float(self._integer()), "height": float(self._integer())}
        names = "false_alarm missed truth_match nms_iou nms_covered ignore_iou ignore_covered".split()
        return options | {name: self._real() for name in names}

    def _input(self, kind: str) -> tuple[float, float, float]:
        means = self._real(), self._real(), self._real()
        if kind == "input_rgb_image_sized":
            self._integers(2)
        else:
            self._expect(kind == "input_rgb_image_pyramid")
        return means

    def _layer(self, kind: str) -> Layer:
        if kind.startswith("add_prev_") or kind == "relu_":
            return Layer(kind)
        if kind == "con_4":
            return self._convolution()
        if kind in {"affine_", "bn_con2"}:
            return self._affine(kind)
        if kind in WINDOWS:
            rows, _, stride, _, padding, _ = self._integers(6)
            return Layer(kind, window=rows, stride=stride, padding=padding)
        self._expect(kind == "fc_2")
        return self._matrix()

    def _convolution(self) -> Layer:
        parameters = self._tensor().ravel()
        filters, _, _, stride, _, padding, _ = self._integers(7)
        shape, _ = self._shape(), self._shape()
        self._reals(4)
        size = math.prod(shape)
        self._expect(len(parameters) == size + filters)
        return Layer("con", parameters[:size].reshape(shape), parameters[size:], stride, padding)

    def _affine(self, kind: str) -> Layer:
        """As batch normalisation, where the network was saved as it was trained: then with running figures."""
        gamma, beta = self._tensor().reshape(2, -1)
        self._shape()
        self._shape()
        if kind == "affine_":
            self._integer()
            return Layer("affine", gamma, beta)
        _, _, means, variances = (self._tensor().ravel() for _ in range(4))
        self._integers(2)
        epsilon = self._reals(5)[-1]
        scale = (gamma / np.sqrt(variances + np.float32(epsilon))).astype(np.float32)
        return Layer("affine", scale, beta - scale * means)

    def _matrix(self) -> Layer:
        outputs, inputs = self._integers(2)
        parameters = self._tensor()
        self._shape()
        self._shape()
        self._integer()
        self._reals(4)
        return Layer("fc", parameters.reshape(inputs, outputs), np.zeros(outputs, np.float32))

    def _tensor(self) -> NDArray[np.float32]:
        self._expect(self._integer() == TENSOR)
        shape = self._integers(4)
        return np.frombuffer(self._bytes(4 * math.prod(shape)), "<f4").reshape(shape)

    def _shape(self) -> list[int]:
        self._expect(self._integer() == 1)
        return self._integers(4)

    def _reals(self, count: int) -> list[float]:
        return [self._real() for _ in range(count)]

    def _integers(self, count: int) -> list[int]:
        return [self._integer() for _ in range(count)]

    def _real(self) -> float:
        return math.ldexp(self._integer(), self._integer())

    def _integer(self) -> int:
        """Its length and sign in a byte, then its bytes from the lowest."""
        control = self._bytes(1)[0]
        value = int.from_bytes(self._bytes(control & 0x0F), "little")
        return -value if control & 0x80 else value

    def _text(self) -> str:
        return self._bytes(self._integer()).decode("ascii")

    def _bytes(self, count: int) -> bytes:
        self._expect(0 <= count <= len(self._data) - self._at)
        self._at += count
        return self._data[self._at - count : self._at]

    @staticmethod
    def _expect(true: bool) -> None:
        if not true:
            raise ValueError
