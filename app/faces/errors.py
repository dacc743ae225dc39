"""Why a picture or a face is refused. They cross from process to process, so they carry plain values."""

from __future__ import annotations


class FaceRefused(Exception):
    """A picture that cannot be used, with a stable code and a sentence for the person who sent it.

    figures: what was measured (`figure`) and what it should have been (`limit`), where there is such a thing.
    """

    code = "face_refused"

    def __init__(self, detail: str, **figures: float) -> None:
        super().__init__(detail)
        self.detail = detail
        self.figures = figures


class NotAPicture(FaceRefused):
    code = "not_an_image"


class PictureTooLarge(FaceRefused):
    code = "picture_too_large"


class NoFace(FaceRefused):
    code = "no_face"


class SeveralFaces(FaceRefused):
    code = "several_faces"


class FaceTooSmall(FaceRefused):
    code = "face_too_small"


class FaceTooBlurred(FaceRefused):
    code = "face_too_blurred"


class FaceTooDark(FaceRefused):
    code = "face_too_dark"


class FaceOverexposed(FaceRefused):
    code = "face_overexposed"


class FaceTurned(FaceRefused):
    code = "face_turned"


class FacesBusy(Exception):
    """More pictures are waiting than can be read soon."""


class FacesUnavailable(Exception):
    """The processes that read pictures died twice over the same ones, or are being stopped."""


class ModelBroken(Exception):
    """A file that the networks are built from is not the one that it should be."""
