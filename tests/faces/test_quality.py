"""The figures of a face: how it is turned and lit."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from app.faces.quality import MODEL, PICKED, Pose, measure, poses
from tests.faces.known import PICTURES, analysis


def turned(yaw: float, pitch: float, roll: float, count: int = 5) -> NDArray[np.float64]:
    """The landmarks of the model's face, leant, raised, then turned, by degrees."""
    (a, b, c) = np.radians([yaw, pitch, roll])
    aside = np.array([[np.cos(a), 0, np.sin(a)], [0, 1, 0], [-np.sin(a), 0, np.cos(a)]])
    up = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    lean = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    points = np.zeros((count, 2))
    points[PICKED[count]] = (MODEL @ (aside @ up @ lean).T)[:, :2] * 250 + 400
    return points


@pytest.mark.parametrize("count", PICKED)
@pytest.mark.parametrize(
    "angles", [(0, 0, 0), (30, 0, 0), (-30, 0, 0), (0, 20, 0), (0, -20, 0), (0, 0, 15), (25, 10, -10), (40, -10, 5)]
)
def test_a_pose_is_the_one_by_which_the_head_was_turned(angles: tuple[float, float, float], count: int) -> None:
    (found,) = poses(turned(*angles, count)[None])
    np.testing.assert_allclose((found.yaw, found.pitch, found.roll), angles, atol=1)


def test_a_head_that_turns_to_its_own_left_shows_its_nose_further_to_the_right_of_the_picture() -> None:
    assert turned(30, 0, 0)[4, 0] > turned(0, 0, 0)[4, 0]


def test_the_test_pictures_show_people_who_look_more_or_less_into_the_camera() -> None:
    found = [face.quality for name in PICTURES for face in analysis(name).faces]
    assert max(abs(quality.yaw) for quality in found) < 30
    assert max(abs(quality.pitch) for quality in found) < 30


def test_exposure_is_told_by_mean_deviation_and_what_is_lost() -> None:
    chip = np.full((150, 150, 3), 100, np.uint8)
    chip[:15], chip[15:45] = 0, 255
    quality = measure(80, chip, Pose(0, 0, 0))
    assert (quality.width, quality.dark, quality.bright) == (80, 0.1, 0.2)
    np.testing.assert_allclose((quality.brightness, quality.contrast), (121, 73.239), atol=0.01)
