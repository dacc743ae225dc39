"""A picture's bytes -> its pixels, upright; whatever is not a good picture is refused before it costs anything."""

from __future__ import annotations

import io
import struct
import warnings
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageFile

from app.faces.errors import NotAPicture, PictureTooLarge

FORMATS = ("JPEG", "PNG", "WEBP")
MAX_PIXELS = 50_000_000
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What turns a picture upright, by its Exif orientation."""
BROKEN = (OSError, ValueError, SyntaxError, TypeError, KeyError, IndexError, EOFError, struct.error, zlib.error)
"""What Pillow raises on files that are broken in one way or another."""


def decode(data: bytes) -> NDArray[np.uint8]:
    """The upright RGB picture, shape (height, width, 3), of a JPEG, PNG or WebP file.

    Raises:
        NotAPicture: it is something else, animated, or broken.
        PictureTooLarge: it has more than MAX_PIXELS; told from its header, before a pixel is read.
    """
    ImageFile.LOAD_TRUNCATED_IMAGES = False  # other packages in the process may have set it
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return _decode(data)
        except Image.DecompressionBombError as bomb:
            raise _too_large() from bomb
        except (*BROKEN, MemoryError) as error:
            raise NotAPicture("This is not a whole JPEG, PNG or WebP picture") from error


def _decode(data: bytes) -> NDArray[np.uint8]:
    with Image.open(io.BytesIO(data), formats=FORMATS) as picture:
        if picture.width * picture.height > MAX_PIXELS:
            raise _too_large()
        if picture.format in {"PNG", "WEBP"} and getattr(picture, "is_animated", False):
            raise NotAPicture("Animated pictures are not taken: send a JPEG, PNG or WebP with one picture")
        picture.load()
        upright = _upright(picture)
        if upright.mode.startswith("I;16"):  # Pillow would clip 16 bits to 8 instead of scaling them
            upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
        return np.asarray(upright.convert("RGB"))


def _upright(picture: Image.Image) -> Image.Image:
    """Pillow's own exif_transpose writes the whole note anew, and fails where any other part of it is odd."""
    try:
        turn = UPRIGHT.get(picture.getexif().get(ExifTags.Base.Orientation, 1))
    except BROKEN:
        return picture
    return picture if turn is None else picture.transpose(turn)


def _too_large() -> PictureTooLarge:
    return PictureTooLarge(f"The picture has more than {MAX_PIXELS // 1_000_000} million pixels: send a smaller one")
