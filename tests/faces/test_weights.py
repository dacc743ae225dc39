"""dlib's models, read from the models package and kept as they are loaded fast."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import face_recognition_models
import onnxruntime
import pytest

from app.faces import ModelBroken, dat, landmarks, weights
from app.faces.weights import DETECTOR, MODELS, RESIZER, build_all, load

FILE = Path(face_recognition_models.cnn_face_detector_model_location())


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that two built models into at the same moment."""
    folder: Path = tmp_path_factory.mktemp("models") / "faces"
    with ThreadPoolExecutor(2) as both:
        list(both.map(build_all, [folder, folder]))
    return folder


def names(folder: Path) -> list[str]:
    return sorted(file.name for file in folder.iterdir())


def test_models_are_kept_whole_and_nothing_else_is(kept: Path) -> None:
    assert [name.split("-")[0] for name in names(kept)] == ["all", "detector", "encoder", "five", "resizer"]
    for file in kept.glob("*.npz"):
        landmarks.load(file.read_bytes())
    for file in kept.glob("*.onnx"):
        onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])


def test_what_is_kept_is_not_built_again(kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(weights, "build", lambda model, _data: pytest.fail(f"{model.name} was built"))
    assert all(load(model, kept) for model in MODELS)


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data[:50] + b"\0" + data[51:], lambda _: b""])
def test_what_is_kept_broken_is_built_again(change: object, tmp_path: Path) -> None:
    assert callable(change)
    built = load(RESIZER, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(change(built))
    assert load(RESIZER, tmp_path) == built
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [built]


def test_who_serves_may_read_what_another_built(kept: Path) -> None:
    assert {file.stat().st_mode & 0o777 for file in kept.iterdir()} == {0o644}


def test_another_version_of_the_builder_builds_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load(RESIZER, tmp_path)
    monkeypatch.setattr(weights, "BUILDER", weights.BUILDER + 1)
    load(RESIZER, tmp_path)
    assert len(names(tmp_path)) == 2


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"\0", lambda _: b""])
def test_a_file_of_another_hash_is_refused_even_where_it_was_built_before(
    change: object, kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert callable(change)
    broken = tmp_path / "broken.dat"
    broken.write_bytes(change(FILE.read_bytes()))
    monkeypatch.setattr(face_recognition_models, DETECTOR.location, lambda: str(broken))
    with pytest.raises(ModelBroken, match="detector"):
        load(DETECTOR, kept)


@pytest.mark.parametrize("length", [0, 1, 40, 100, 140, 5_000, 6_000, 300_000, 729_939])
def test_a_network_file_that_was_cut_is_refused(length: int) -> None:
    with pytest.raises(ModelBroken):
        dat.parse(FILE.read_bytes()[:length])


def test_another_kind_of_file_is_refused() -> None:
    for data in (b"\x89PNG\r\n\x1a\n" * 100, bytes(1000), FILE.read_bytes() + b"\0"):
        with pytest.raises(ModelBroken):
            dat.parse(data)


def test_the_detectors_options_are_read_from_its_file() -> None:
    network = dat.parse(FILE.read_bytes())
    assert (network.options["width"], network.options["height"]) == (80, 80)
    assert network.options["nms_iou"] == pytest.approx(0.338, abs=1e-3)
    assert network.means == pytest.approx((122.782, 117.001, 104.298))
