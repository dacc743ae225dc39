"""Which face may be enrolled, and whether several are of one person."""

from __future__ import annotations

import numpy as np

from app.faces.errors import FaceTooBlurred, FaceTooSmall, NoFace, SeveralFaces
from app.faces.matching import distances
from app.faces.types import Analysis, Encodings, Face

LEAST_WIDTH = 80
"""Pixels. The encoder sees 150 x 150; what is under half of that is more guess than face."""
LEAST_SHARPNESS = 15.0
"""On twelve portraits: 80 to 1,800 as taken; 12 to 71 after a Gaussian blur of 1 % of the face's width, which moves the
encoding by 0.11 to 0.22; 4 to 11 after one of 2 %, which moves it by 0.23 to 0.40: too far towards other people."""
LEAST_SCORE = 0.5
"""The detector sees a face in many a badge or curtain; it is surer of one that looks into the camera (1.03 to
1.11 on twenty pictures). Between what it is sure of and 0 nothing was measured: this is the middle."""


def only_face(analysis: Analysis) -> Face:
    """The one face of a picture to enrol from.

    Raises:
        NoFace, SeveralFaces: there is not exactly one.
        FaceTooSmall, FaceTooBlurred: it would not be recognised reliably.
    """
    faces = [face for face in analysis.faces if face.score >= LEAST_SCORE]
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
    if face.sharpness < LEAST_SHARPNESS:
        raise FaceTooBlurred(
            f"The face is blurred (sharpness {int(face.sharpness)}, and {LEAST_SHARPNESS:.0f} is needed): "
            "hold still, clean the lens, find more light",
            figure=face.sharpness,
            limit=LEAST_SHARPNESS,
        )
    return face


def different_people(encodings: Encodings, tolerance: float) -> bool:
    """Whether any two of the encodings, shape (n, 128), are further apart than one person's are."""
    return bool(np.any(distances(encodings, encodings) > tolerance))
