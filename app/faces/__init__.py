"""Pictures -> faces -> encodings -> matches. Arrays in, arrays out: no database, no HTTP.

The rest of the product knows only what is exported here.
"""

from app.faces.enrolment import different_people, only_face
from app.faces.errors import FaceRefused, FacesBusy, FacesUnavailable, ModelBroken, PictureTooLarge
from app.faces.liveness import FEWEST_FRAMES, MOST_FRAMES, decide, frame
from app.faces.matching import Match, Rows, Templates, confidence, distances, is_among, match, verify
from app.faces.pool import FacePool, Progress
from app.faces.quality import Quality
from app.faces.types import ONE_PERSON, ROOM, Analysis, Box, Encodings, Face, Wanted
from app.faces.weights import build_all

__all__ = [
    "FEWEST_FRAMES",
    "MOST_FRAMES",
    "ONE_PERSON",
    "ROOM",
    "Analysis",
    "Box",
    "Encodings",
    "Face",
    "FacePool",
    "FaceRefused",
    "FacesBusy",
    "FacesUnavailable",
    "Match",
    "ModelBroken",
    "PictureTooLarge",
    "Progress",
    "Quality",
    "Rows",
    "Templates",
    "Wanted",
    "build_all",
    "confidence",
    "decide",
    "different_people",
    "distances",
    "frame",
    "is_among",
    "match",
    "only_face",
    "verify",
]
