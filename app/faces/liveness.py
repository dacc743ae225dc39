"""Whether somebody did what they were asked to before the camera: challenge and response, decided from landmarks.

It stops a photograph that is held towards the camera. It does not stop every one that is turned far aside, a film of
the person who does the same, nor a good mask.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from app.faces.enrolment import different_people, sure_faces
from app.faces.quality import Pose
from app.faces.types import Analysis

Challenge = Literal["turn_left", "turn_right", "blink", "move_closer"]
Outcome = Literal["pass", "fail", "uncertain"]

FEWEST_FRAMES, MOST_FRAMES = 3, 10
EYES = np.array([range(36, 42), range(42, 48)])
"""The six landmarks of each eye, among 68."""


@dataclass(frozen=True, slots=True)
class Frame:
    """A face on one picture. eyes: their aspect ratio, of `eye_aspect_ratio`. width: of its box, in pixels; the
    pictures are all of one size. encoding: shape (128,)."""

    pose: Pose
    eyes: float
    width: int
    encoding: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Liveness:
    """figures: `change`, what was seen, and `limit`, what is needed; of a turn, `nod`, how far the head was raised or
    lowered meanwhile. code: why it did not pass."""

    outcome: Outcome
    figures: dict[str, float]
    code: str | None = None


@dataclass(frozen=True, slots=True)
class _Limits:
    """What passes, and what is doubtful from where on."""

    needed: float
    doubtful: float


LIMITS: dict[Challenge, _Limits] = {
    "turn_left": _Limits(15.0, 10.0),
    "turn_right": _Limits(15.0, 10.0),
    "blink": _Limits(0.45, 0.3),
    "move_closer": _Limits(1.35, 1.2),
}
"""Degrees of yaw; by which part the eyes close; by how much the face grows. Chosen, not fitted."""
MOST_NODDED = 12.0
"""Degrees of pitch during a turn: photographs that passed as one, turned by 50 and 60 degrees, seemed to nod by 17 to
24. Chosen, not fitted."""


def frame(analysis: Analysis) -> Frame | None:
    """Of a picture that was analysed for liveness; None where it does not show exactly one face."""
    faces = [(face, face.live) for face in sure_faces(analysis) if face.live]
    if len(faces) != 1:
        return None
    ((face, live),) = faces
    return Frame(live.pose, live.eyes, face.box.width, face.encoding)


def decide(challenge: Challenge, frames: Sequence[Frame | None], tolerance: float) -> Liveness:
    """Whether the frames, 3 to 10 in the order they were taken, show one person who does what was asked.

    A turn counts from how the head was held at first, to the person's own side, in pictures that are not mirrored; who
    nods meanwhile by more than MOST_NODDED is doubtful, as a flat picture that is turned aside seems to nod. A blink is
    eyes that are open, nearly shut, and open again. tolerance: encodings further apart are of two people. None stands
    for a frame without exactly one face.

    Raises:
        ValueError: there are too few frames or too many.
    """
    if not FEWEST_FRAMES <= len(frames) <= MOST_FRAMES:
        raise ValueError(f"{len(frames)} frames, and {FEWEST_FRAMES} to {MOST_FRAMES} are needed")
    faces = [frame for frame in frames if frame]
    if len(faces) < len(frames):
        return Liveness("fail", {"frames": len(frames), "faces": len(faces)}, "liveness_no_face")
    if different_people(np.stack([face.encoding for face in faces]), tolerance):
        return Liveness("fail", {}, "liveness_different_faces")
    change, limits = _change(challenge, faces), LIMITS[challenge]
    figures = {"change": round(change, 3), "limit": limits.needed}
    nod = 0.0
    if challenge in {"turn_left", "turn_right"}:
        nod = figures["nod"] = round(max(abs(face.pose.pitch - faces[0].pose.pitch) for face in faces), 3)
    if change >= limits.needed and nod <= MOST_NODDED:
        return Liveness("pass", figures)
    return Liveness("uncertain" if change >= limits.doubtful else "fail", figures, "liveness_not_done")


def eye_aspect_ratio(points: NDArray[np.int64]) -> float:
    """How far the eyes are open, from 68 landmarks, shape (68, 2): height by width, the mean of both (Soukupova & Cech,
    "Real-Time Eye Blink Detection using Facial Landmarks", CVWW 2016); about 0.3 open, under 0.15 shut.
    """
    p1, p2, p3, p4, p5, p6 = points[EYES].astype(np.float64).transpose(1, 0, 2)
    heights = np.linalg.norm(p2 - p6, axis=1) + np.linalg.norm(p3 - p5, axis=1)
    return float((heights / (2 * np.linalg.norm(p1 - p4, axis=1))).mean())


def _change(challenge: Challenge, faces: Sequence[Frame]) -> float:
    if challenge == "move_closer":
        return max(face.width for face in faces[1:]) / faces[0].width
    if challenge == "blink":
        return _closed([face.eyes for face in faces])
    turned = [face.pose.yaw - faces[0].pose.yaw for face in faces]
    return max(turned) if challenge == "turn_left" else -min(turned)


def _closed(eyes: Sequence[float]) -> float:
    """By which part the eyes closed, at the most, between two frames in which they were open."""
    return max(1 - eyes[k] / min(max(eyes[:k]), max(eyes[k + 1 :])) for k in range(1, len(eyes) - 1))
