"""Which face may be enrolled, and whether several are of one person."""

from __future__ import annotations

import math

import numpy as np

from app.faces.errors import (
    FaceOverexposed,
    FaceTooBlurred,
    FaceTooDark,
    FaceTooSmall,
    FaceTurned,
    NoFace,
    SeveralFaces,
)
from app.faces.matching import distances
from app.faces.quality import Quality
from app.faces.types import Analysis, Encodings, Face

LEAST_WIDTH = 80
"""Pixels. The encoder sees 150 x 150; what is under half of that is more guess than face."""
LEAST_SHARPNESS = 15.0
"""On twelve portraits: 80 to 1,800 as taken; 12 to 71 after a Gaussian blur of 1 % of the face's width, which moves the
encoding by 0.11 to 0.22; 4 to 11 after one of 2 %, which moves it by 0.23 to 0.40: too far towards other people."""
LEAST_BRIGHTNESS = 25.0
"""Grey level. On thirteen portraits: 106 to 143 as taken; 20 to 28 with a fifth of the light, which moves the encoding
by 0.17 to 0.26; 13 and less with a tenth and less, which moves it by 0.24 to 0.68."""
MOST_BRIGHT = 0.3
"""Of the face, burnt out. On thirteen portraits: 0.03 at most as taken; beyond this limit with 1.5 times the light and
more, which moves the encoding by 0.20 and more; up to it, by 0.08 to 0.20."""
MOST_TURNED = 30.0
"""Degrees to a side, up or down: further than any of 24 faces on the test pictures (24 and 19). Chosen, not
measured: no picture shows how far the encoding moves beyond."""
LEAST_SCORE = 0.5
"""The detector sees a face in many a badge or curtain; it is surer of one that looks into the camera (1.03 to
1.11 on twenty pictures). Between what it is sure of and 0 nothing was measured: this is the middle."""


def only_face(analysis: Analysis) -> Face:
    """The one face of a picture to enrol from.

    Raises:
        NoFace, SeveralFaces: there is not exactly one.
        FaceTooSmall, FaceTooDark, FaceOverexposed, FaceTurned, FaceTooBlurred: it would not be recognised reliably;
            where several hold, the first of them, since what comes later often follows from it.
    """
    faces = sure_faces(analysis)
    if not faces:
        raise NoFace("No face was found: look into the camera, in good light, with the whole face in the picture")
    if len(faces) > 1:
        raise SeveralFaces(f"{len(faces)} faces were found: be alone in the picture")
    face = faces[0]
    if face.box.width < LEAST_WIDTH:
        raise FaceTooSmall(
            f"The face is {face.box.width} pixels wide, and {LEAST_WIDTH} are needed: come closer",
            figure=face.box.width,
            limit=LEAST_WIDTH,
        )
    _require_light_and_view(face.quality)
    sharpness = face.quality.sharpness
    if sharpness < LEAST_SHARPNESS:
        raise FaceTooBlurred(
            f"The face is blurred (sharpness {int(sharpness)}, and {LEAST_SHARPNESS:.0f} is needed): "
            "hold still, clean the lens, find more light",
            figure=sharpness,
            limit=LEAST_SHARPNESS,
        )
    return face


def sure_faces(analysis: Analysis) -> list[Face]:
    """Those that the detector is sure of."""
    return [face for face in analysis.faces if face.score >= LEAST_SCORE]


def _require_light_and_view(quality: Quality) -> None:
    if quality.brightness < LEAST_BRIGHTNESS:
        raise FaceTooDark(
            f"The face is too dark (brightness {int(quality.brightness)}, and {LEAST_BRIGHTNESS:.0f} is needed): "
            "turn towards the light, or find more of it",
            figure=quality.brightness,
            limit=LEAST_BRIGHTNESS,
        )
    if quality.bright > MOST_BRIGHT:
        raise FaceOverexposed(
            f"Of the face {math.ceil(quality.bright * 100)} % is too bright, and {MOST_BRIGHT * 100:.0f} % may be: "
            "go out of the direct light, and leave the flash off",
            figure=quality.bright,
            limit=MOST_BRIGHT,
        )
    turned = max(abs(quality.yaw), abs(quality.pitch))
    if turned > MOST_TURNED:
        raise FaceTurned(
            f"The face is turned away by {math.ceil(turned)} degrees, and at most {MOST_TURNED:.0f} may be: "
            "look straight into the camera, held at the height of your eyes",
            figure=turned,
            limit=MOST_TURNED,
        )


def different_people(encodings: Encodings, tolerance: float) -> bool:
    """Whether any two of the encodings, shape (n, 128), are further apart than one person's are."""
    return bool(np.any(distances(encodings, encodings) > tolerance))
