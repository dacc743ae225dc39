"""dlib's models as they are loaded fast: networks as ONNX, predictors of landmarks as numpy's arrays. Built once from
the files of the models package, kept in a folder."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from app.faces import dat, landmarks
from app.faces.errors import ModelBroken

BUILDER = 2
"""Goes up whenever the same file is built into something else."""
OPSET, IR = 21, 10
ALIGNED = 16
"""onnxruntime convolves so many channels at a time, and where some are over much slower."""
CHIP = 150
"""The encoder's faces are squares of so many pixels."""


@dataclass(frozen=True, slots=True)
class Model:
    """location: the function of the models package that tells where the model's file is. sha256: that file's."""

    name: str
    location: str = ""
    sha256: str = ""
    kind: str = "onnx"


ENCODER = Model(
    "encoder",
    "face_recognition_model_location",
    "55533b28a95800a551ba546ba62fe69625c7e95a7061c338adffead08719da30",
)
DETECTOR = Model(
    "detector",
    "cnn_face_detector_model_location",
    "4cb19393e2fbaf2b1609a9319ad5386618c886a6234ec1b971f3e87c85d87fe6",
)
RESIZER = Model("resizer")
"""No network: how dlib makes pictures smaller, onnxruntime being quick at that, too."""
FIVE_POINTS = Model(
    "five-points",
    "pose_predictor_five_point_model_location",
    "c4b1e9804792707d3a405c2c16a80a20269e6675021f64a41d30fffafbc41888",
    "npz",
)
ALL_POINTS = Model(
    "all-points",
    "pose_predictor_model_location",
    "fbdc2cb80eb9aa7a758672cbfdda32ba6300efe9b6e6c7a299ff7e736b11b92f",
    "npz",
)
MODELS = (ENCODER, DETECTOR, RESIZER, FIVE_POINTS, ALL_POINTS)


def load(model: Model, folder: Path | None) -> bytes:
    """The model as built, from the folder, which is given it at the first time, and again where what it has is broken;
    without a folder, built each time.

    Raises:
        ModelBroken: the models package's file is not the one that this was made for.
        OSError: the folder, or that file, cannot be read or written.
    """
    data = _read(model)
    if folder is None:
        return build(model, data)
    name = f"{model.name}-{model.sha256[:16]}-{BUILDER}"
    for kept in folder.glob(f"{name}-*.{model.kind}"):
        built = kept.read_bytes()
        if kept.stem == f"{name}-{_digest(built)}":
            return built
    built = build(model, data)
    _keep(folder / f"{name}-{_digest(built)}.{model.kind}", built)
    return built


def build_all(folder: Path) -> None:
    """Whatever the folder does not have yet. Raises as `load`."""
    for model in MODELS:
        load(model, folder)


def build(model: Model, data: bytes) -> bytes:
    """ONNX, or the arrays of a predictor, from what the model's file holds."""
    if model.kind == "npz":
        return landmarks.parse(data).saved()
    if model is RESIZER:
        return _Graph().resizer()
    graph = _Graph(dat.parse(data))
    return graph.detector() if model is DETECTOR else graph.encoder()


def _read(model: Model) -> bytes:
    """The file of the models package, checked at every start: it may have been changed since the last."""
    if not model.location:
        return b""
    import face_recognition_models  # noqa: PLC0415 - for the processes that read pictures only

    data = Path(getattr(face_recognition_models, model.location)()).read_bytes()
    if hashlib.sha256(data).hexdigest() != model.sha256:
        raise ModelBroken(f"The {model.name}'s file in the package face_recognition_models is broken, or another")
    return data


def _digest(built: bytes) -> str:
    return hashlib.sha256(built).hexdigest()[:16]


def _keep(file: Path, data: bytes) -> None:
    """Whole or not at all: of several who build at once, each replaces the same by the same. Who builds need not be who
    serves, so everybody may read it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=file.parent, prefix=file.name, suffix=".tmp", delete=False) as draft:
        try:
            draft.write(data)
            draft.flush()
            os.fsync(draft.fileno())
            Path(draft.name).chmod(0o644)
            Path(draft.name).replace(file)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise


def _aligned(layers: list[dat.Layer]) -> list[dat.Layer]:
    """The channels between convolutions filled up with zeros to a multiple of ALIGNED."""
    aligned = []
    channels = layers[0].weights.shape[1]
    for layer in layers:
        if layer.kind == "con":
            filters, before = layer.weights.shape[:2]
            more = 0 if layer is layers[-1] else -filters % ALIGNED
            weights = np.pad(layer.weights, [(0, more), (0, channels - before), (0, 0), (0, 0)])
            aligned.append(replace(layer, weights=weights, bias=np.pad(layer.bias, (0, more))))
            channels = filters + more
        else:
            aligned.append(layer)
    return aligned


Shapes = dict[str, tuple[str, list[Any]]]
"""Kind and shape of what a graph is given, by name."""


@dataclass(frozen=True, slots=True)
class _Value:
    """What a node gives: its name, its channels and its side, in pixels."""

    at: str
    channels: int
    side: int


class _Graph:
    """ONNX of a network, node after node. Affine layers are folded into the convolutions before them, what is done to
    pixels into the first one."""

    def __init__(self, network: dat.Network | None = None) -> None:
        from onnx import TensorProto, helper, numpy_helper  # noqa: PLC0415 - large, and for building only

        self._helper, self._types, self._array = helper, TensorProto, numpy_helper.from_array
        self._network = network or dat.Network((0, 0, 0), (), {})
        self._nodes: list[Any] = []
        self._constants: list[Any] = []

    def detector(self) -> bytes:
        """Input: "tiles", float32, shape (1, 3, height, width), of 0 to 255 less the means. Output: "scores", shape
        (1, 1, rows, columns). The metadata are the means and the options of the loss layer."""
        at = "tiles"
        *layers, last = _aligned(self._folded())
        for layer in layers:
            at = self._convolution(at, layer) if layer.kind == "con" else self._add("Relu", at)
        # with one filter it is faster the other way round: one matrix product, whose columns are then moved and summed
        weights = np.ascontiguousarray(last.weights.swapaxes(0, 1)[:, :, ::-1, ::-1])
        inputs = at, self._constant(weights), self._constant(last.bias)
        self._add("ConvTranspose", *inputs, pads=[weights.shape[-1] - 1 - last.padding] * 4)
        self._nodes[-1].output[0] = "scores"
        notes = {"means": self._network.means, "options": self._network.options}
        shape = [1, 1, "rows", "columns"]
        return self._serialised({"tiles": ("FLOAT", [1, 3, "height", "width"])}, {"scores": shape}, notes)

    def resizer(self) -> bytes:
        """Inputs: "picture", float32, shape (1, 3, height, width); "size", the shape that it shall have. Output:
        "resized". As dlib's resize_image, which lays corners on corners."""
        how = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
        self._add("Resize", "picture", "", "", "size", **how)
        self._nodes[-1].output[0] = "resized"
        inputs: Shapes = {"picture": ("FLOAT", [1, 3, "height", "width"]), "size": ("INT64", [4])}
        return self._serialised(inputs, {"resized": [1, 3, "new height", "new width"]}, {})

    def encoder(self) -> bytes:
        """Input: "chips", uint8, shape (n, 150, 150, 3). Output: "encodings", float32, shape (n, 128)."""
        pixels = self._add("Transpose", self._add("Cast", "chips", to=self._types.FLOAT), perm=[0, 3, 1, 2])
        block = beside = here = _Value(pixels, 3, CHIP)
        first, *others = self._folded()
        means = np.array(self._network.means, np.float32)[:, None, None]
        layers = [replace(first, bias=first.bias - (first.weights * means).sum((1, 2, 3))), *others]
        for before, layer in pairwise([layers[0], *layers]):
            if layer.kind == "add_prev_":
                here = self._sum(here, beside)
            elif layer.kind == "avg_pool_2" and layer.window:  # of what went into the block
                beside, here = here, self._layer(block, layer)
            else:
                here = self._layer(here, layer)
            if layer.kind == "max_pool_2" or before.kind == "add_prev_":
                block = beside = here
        self._nodes[-1].output[0] = "encodings"
        return self._serialised({"chips": ("UINT8", ["n", CHIP, CHIP, 3])}, {"encodings": ["n", here.channels]}, {})

    def _folded(self) -> list[dat.Layer]:
        folded: list[dat.Layer] = []
        for layer in self._network.layers:
            if layer.kind == "affine":
                scaled = folded[-1].weights * layer.weights[:, None, None, None]
                folded[-1] = replace(folded[-1], weights=scaled, bias=folded[-1].bias * layer.weights + layer.bias)
            else:
                folded.append(layer)
        folded[0] = replace(folded[0], weights=folded[0].weights / np.float32(256))
        return folded

    def _layer(self, value: _Value, layer: dat.Layer) -> _Value:
        stride, window = [layer.stride] * 2, [layer.window] * 2
        if layer.kind == "con":
            filters, _, rows, _ = layer.weights.shape
            at = self._convolution(value.at, layer)
            return _Value(at, filters, (value.side + 2 * layer.padding - rows) // layer.stride + 1)
        if layer.kind == "relu_":
            return replace(value, at=self._add("Relu", value.at))
        if layer.kind == "fc":
            at = self._add("MatMul", self._add("Flatten", value.at), self._constant(layer.weights))
            return _Value(at, layer.weights.shape[1], 1)
        if not layer.window:
            return replace(value, at=self._add("GlobalAveragePool", value.at), side=1)
        kind = "MaxPool" if layer.kind == "max_pool_2" else "AveragePool"
        at = self._add(kind, value.at, kernel_shape=window, strides=stride)
        return _Value(at, value.channels, (value.side - layer.window) // layer.stride + 1)

    def _convolution(self, at: str, layer: dat.Layer) -> str:
        weights, bias = self._constant(layer.weights), self._constant(layer.bias)
        return self._add("Conv", at, weights, bias, strides=[layer.stride] * 2, pads=[layer.padding] * 4)

    def _sum(self, one: _Value, other: _Value) -> _Value:
        """The smaller is filled up with zeros, in channels, rows and columns."""
        channels, side = max(one.channels, other.channels), max(one.side, other.side)

        def filled(value: _Value) -> str:
            missing = [0] * 4 + [0, channels - value.channels, *[side - value.side] * 2]
            return self._add("Pad", value.at, self._constant(np.array(missing))) if any(missing) else value.at

        return _Value(self._add("Add", filled(one), filled(other)), channels, side)

    def _add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"node {len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, inputs, [name], **attributes))
        return name

    def _constant(self, values: NDArray[Any]) -> str:
        name = f"constant {len(self._constants)}"
        self._constants.append(self._array(values, name))
        return name

    def _serialised(self, inputs: Shapes, outputs: dict[str, list[Any]], notes: dict[str, Any]) -> bytes:
        described = self._helper.make_tensor_value_info
        graph = self._helper.make_graph(
            self._nodes,
            "dlib",
            [described(name, getattr(self._types, kind), shape) for name, (kind, shape) in inputs.items()],
            [described(name, self._types.FLOAT, shape) for name, shape in outputs.items()],
            self._constants,
        )
        opset = self._helper.make_opsetid("", OPSET)
        model = self._helper.make_model(graph, opset_imports=[opset], ir_version=IR)
        self._helper.set_model_props(model, {name: json.dumps(note) for name, note in notes.items()})
        built: bytes = model.SerializeToString()
        return built
