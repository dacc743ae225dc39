"""Rates of labelled pairs, on numbers that can be counted by hand; and the command that shows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from apiflask import APIFlask
from PIL import Image

from app import create_app
from app.faces import Analysis, Box, Face, FacePool, ModelBroken, Quality, confidence
from app.faces.evaluation import Pairs, all_pairs, equal_error_rate, matches, reliability, roc
from tests.conftest import settings_for
from tests.pictures import astronaut, encode, grace_hopper, group, variation

PAIRS = Pairs(np.array([0.1, 0.3, 0.5, 0.7, 0.4, 0.6, 0.8, 0.9]), np.array([True] * 4 + [False] * 4))


def test_a_pair_matches_at_its_own_distance_and_above() -> None:
    thresholds = np.array([0.0, 0.1, 0.3, 0.45, 0.65, 1.0])
    assert matches(PAIRS.of_one, thresholds).tolist() == [0, 1, 2, 2, 3, 4]
    assert matches(PAIRS.of_two, thresholds).tolist() == [0, 0, 0, 1, 2, 4]


def test_the_roc_goes_from_nothing_to_everything_by_each_distance() -> None:
    thresholds, false, true = roc(PAIRS)
    assert thresholds.tolist() == [-np.inf, 0.1, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    assert (false * 4).tolist() == [0, 0, 0, 1, 1, 2, 2, 3, 4]
    assert (true * 4).tolist() == [0, 1, 2, 2, 3, 3, 4, 4, 4]


def test_the_equal_error_rate_is_where_both_errors_are_as_frequent() -> None:
    assert equal_error_rate(PAIRS) == (0.25, 0.5)
    apart = Pairs(np.array([0.1, 0.2, 0.8, 0.9]), np.array([True, True, False, False]))
    assert equal_error_rate(apart) == (0.0, 0.2)


@pytest.mark.parametrize("same", [True, False])
def test_without_pairs_of_both_kinds_there_is_no_curve(same: bool) -> None:
    pairs = Pairs(np.array([0.1, 0.2]), np.array([same, same]))
    for curve in (roc, equal_error_rate):
        with pytest.raises(ValueError, match="pairs"):
            curve(pairs)
    with pytest.raises(ValueError, match="pairs"):
        reliability(pairs.distances, pairs.same)


def test_all_pairs_are_each_two_pictures_once() -> None:
    encodings = np.zeros((3, 128), np.float32)
    encodings[1, 0], encodings[2, 1] = 3, 4
    pairs = all_pairs(encodings, np.array([0, 0, 1]))
    assert (pairs.distances.round(6).tolist(), pairs.same.tolist()) == ([3, 4, 5], [True, False, False])


def test_reliability_weighs_both_kinds_of_pairs_alike() -> None:
    stated = np.array([0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9, 0.9])
    same = np.array([True, True, False, False, False, False, False, False])
    found = reliability(stated, same)
    assert found.stated.round(6).tolist() == [0.1, 0.9]
    assert found.observed.round(6).tolist() == [0.0, 0.75]  # 1/2 of one person, and 2/6 of 1/2 of two
    assert (found.pairs.tolist(), round(found.error, 6)) == ([4, 4], round(1 / 3 * 0.1 + 2 / 3 * 0.15, 6))


def test_a_probability_of_one_is_in_the_last_bin() -> None:
    found = reliability(np.array([0.0, 1.0]), np.array([False, True]))
    assert (found.stated.tolist(), found.observed.tolist(), found.error) == ([0.0, 1.0], [0.0, 1.0], 0.0)


GOOD = Quality(100, 500.0, yaw=0, pitch=0, roll=0, brightness=120, contrast=50, dark=0, bright=0)


class Known:
    """In place of the processes that read pictures: the file holds the numbers of its faces."""

    def analyse(self, pictures: list[bytes]) -> list[Analysis]:
        return [Analysis(100, 100, tuple(map(self.face, map(float, data.split())))) for data in pictures]

    @staticmethod
    def face(number: float) -> Face:
        return Face(Box(0, 0, 100, 100), 1.0, np.full(128, number / 128**0.5, np.float32), GOOD)


@pytest.fixture
def app(tmp_path: Path) -> APIFlask:
    return create_app(settings_for(tmp_path / "instance"))


def evaluate(app: APIFlask, *arguments: Any) -> Any:
    return app.test_cli_runner().invoke(args=["faces", "evaluate", *map(str, arguments)])


def test_a_folder_per_person_is_compared_and_what_cannot_be_used_is_named(
    app: APIFlask, face_pool: FacePool, tmp_path: Path
) -> None:
    app.extensions["face_pool"] = face_pool
    files = {
        "eileen/1.jpg": encode(astronaut()),
        "eileen/2.jpg": encode(variation(astronaut(), 2)),
        "grace/1.jpg": encode(grace_hopper()),
        "grace/both.jpg": encode(group(astronaut(), grace_hopper())),
        "grace/notes.txt": b"no picture",
        "grace/.hidden": b"",
    }
    for name, content in files.items():
        (tmp_path / "people" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "people" / name).write_bytes(content)
    done = evaluate(app, tmp_path / "people", "--out", tmp_path / "curves")
    assert done.exit_code == 0, done.output
    said = done.stdout.splitlines()
    assert said[0] == "3 of 5 pictures could be used"
    assert [line.split(":")[:2] for line in said[1:3]] == [
        ["  grace/both.jpg", " several_faces"],
        ["  grace/notes.txt", " not_an_image"],
    ]
    assert "all pairs: 1 of one person, 2 of two" in said
    assert "0.60       100.00% (1 of 1)         0.00% (0 of 2)  (default)" in said
    for name in ("roc", "reliability"):
        svg = (tmp_path / "curves" / f"{name}.svg").read_text()
        with Image.open(tmp_path / "curves" / f"{name}.png") as drawn:
            assert (drawn.size, drawn.format) == ((960, 720), "PNG")
        labels = {"roc": ("False match rate", "True match rate"), "reliability": ("Stated prob", "Share that was so")}
        assert all(label in svg for label in (*labels[name], "all pairs"))


def test_pairs_of_a_csv_are_compared_by_group(app: APIFlask, tmp_path: Path) -> None:
    app.extensions["face_pool"] = Known()
    for name, numbers in {"a": "0", "b": "0.35", "c": "1", "d": "1.62", "empty": ""}.items():
        (tmp_path / name).write_text(numbers)
    lines = ["a,b,same,group", "a,b,1,young", "a,c,0,young", "c,d,0,old", "a,empty,1,old", "a,missing,0,"]
    (tmp_path / "pairs.csv").write_text("\ufeff" + "\r\n".join(lines))
    done = evaluate(app, tmp_path, "--pairs", tmp_path / "pairs.csv")
    assert done.exit_code == 0, done.output
    all_of_them, *groups = done.stdout.split("\n\n")[1:]
    assert "2 pairs are left out for them" in done.stdout
    assert "  empty: no_face" in done.stdout
    assert "  missing: there is no such file" in done.stdout
    heads = [part.splitlines()[0] for part in (all_of_them, *groups)]
    assert heads == [
        "all pairs: 1 of one person, 2 of two",
        "old: 0 of one person, 1 of two",
        "young: 1 of one person, 1 of two",
    ]
    assert "0.30         0.00% (0 of 1)         0.00% (0 of 2)" in all_of_them
    assert "0.40       100.00% (1 of 1)         0.00% (0 of 2)" in all_of_them
    assert "0.65       100.00% (1 of 1)        50.00% (1 of 2)" in all_of_them
    assert "0.65       no pairs               100.00% (1 of 1)" in groups[0]
    assert "equal error rate: 0.00% at 0.350" in groups[1]
    error = (1 - confidence(0.35)) / 2 + (confidence(0.62) + confidence(1)) / 4
    assert f"differ by {error:.4f} on average" in all_of_them


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b"", "name its columns"),
        (b"left,right\na,b\n", "name its columns"),
        (b"a,b,same\na,b,1\na,b,yes\n", "Line 3"),
        (b"a,b,same\na\n", "Line 2"),
        (b"a,b,same\n\xff\xfe,b,1\n", "UTF-8"),
    ],
    ids=["empty", "other columns", "neither 0 nor 1", "too short", "not UTF-8"],
)
def test_a_csv_that_is_not_as_it_should_be_is_refused_by_its_line(
    app: APIFlask, tmp_path: Path, text: bytes, said: str
) -> None:
    (tmp_path / "pairs.csv").write_bytes(text)
    done = evaluate(app, tmp_path, "--pairs", tmp_path / "pairs.csv")
    assert (done.exit_code, said in done.output) == (1, True), done.output


def test_an_empty_folder_has_nothing_to_tell(app: APIFlask, tmp_path: Path) -> None:
    (tmp_path / "nobody").mkdir()
    done = evaluate(app, tmp_path / "nobody", "--out", tmp_path / "curves")
    assert (done.exit_code, "0 of 0 pictures could be used" in done.output) == (0, True)
    assert list((tmp_path / "curves").iterdir()) == []


def test_a_broken_model_ends_it_with_a_sentence(app: APIFlask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    app.extensions["face_pool"] = Known()
    monkeypatch.setattr(Known, "analyse", Mock(side_effect=ModelBroken("The encoder's file is broken")))
    (tmp_path / "pairs.csv").write_text("a,b,same\na,b,1\n")
    done = evaluate(app, tmp_path, "--pairs", tmp_path / "pairs.csv")
    assert (done.exit_code, done.output) == (1, "Error: The encoder's file is broken\n")
