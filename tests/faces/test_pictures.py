"""Which files are read, as which pixels, and how the others are refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from app.faces import FaceRefused, PictureTooLarge
from app.faces.errors import NotAPicture
from app.faces.pictures import MAX_PIXELS, decode
from tests.pictures import encode, grace_hopper

PORTRAIT = grace_hopper().resize((128, 150))
PIXELS = np.asarray(PORTRAIT)
GREY = np.asarray(PORTRAIT.convert("L"))
ORIENTATION = 0x0112
TURNED = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_90,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_270,
}
"""How the sensor's picture lies, by Exif orientation: what has to be undone."""
FRAMES = [PORTRAIT.rotate(degrees) for degrees in range(5, 50, 5)]
ANIMATED = {"save_all": True, "append_images": FRAMES}


def difference(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    assert a.shape == b.shape
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


def grey_as_rgb(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(grey[..., None], 3, axis=2)


def png_header(width: int, height: int, colour: int = 2) -> bytes:
    """The start of a PNG of this size, and a little of its data."""
    chunks = [(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, colour, 0, 0, 0)), (b"IDAT", zlib.compress(b"\0"))]
    packed = [
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(packed)


def exif(orientation: int) -> bytes:
    """A phone's note: its model, written as a fraction where text belongs, and which way is up."""
    entries = struct.pack("<HHII", 0x0110, 5, 1, 38) + struct.pack("<HHIHH", ORIENTATION, 3, 1, orientation, 0)
    return b"Exif\0\0II*\0" + struct.pack("<IH", 8, 2) + entries + struct.pack("<III", 0, 1, 3)


@pytest.mark.parametrize(("format_", "options"), [("PNG", {}), ("WEBP", {"lossless": True})])
def test_lossless_files_give_their_very_pixels(format_: str, options: dict[str, bool]) -> None:
    np.testing.assert_array_equal(decode(encode(PORTRAIT, format_, **options)), PIXELS)


@pytest.mark.parametrize(("format_", "options"), [("JPEG", {}), ("JPEG", {"progressive": True}), ("WEBP", {})])
def test_lossy_files_give_nearly_their_pixels(format_: str, options: dict[str, bool]) -> None:
    assert difference(decode(encode(PORTRAIT, format_, quality=95, **options)), PIXELS) < 5


def test_the_first_picture_is_read_of_a_photo_with_more_pictures_for_the_camera() -> None:
    photo = encode(PORTRAIT, "MPO", quality=95, save_all=True, append_images=[PORTRAIT.resize((32, 32)).rotate(180)])
    assert photo.startswith(b"\xff\xd8")
    assert difference(decode(photo), PIXELS) < 5


@pytest.mark.parametrize("orientation", TURNED)
def test_a_photo_is_turned_upright(orientation: int) -> None:
    note = Image.Exif()
    note[ORIENTATION] = orientation
    lying = PORTRAIT.transpose(TURNED[orientation])
    assert difference(decode(encode(lying, quality=95, exif=note)), PIXELS) < 5


def test_a_photo_is_turned_upright_though_the_rest_of_its_note_is_odd() -> None:
    lying = PORTRAIT.transpose(TURNED[6])
    assert difference(decode(encode(lying, quality=95, exif=exif(6))), PIXELS) < 5


@pytest.mark.parametrize("note", [exif(0), exif(9), exif(6)[:20], b"Exif\0\0nonsense", b""])
def test_a_note_that_does_not_say_which_way_is_up_leaves_the_photo_as_it_is(note: bytes) -> None:
    assert difference(decode(encode(PORTRAIT, quality=95, exif=note)), PIXELS) < 5


def test_16_bit_grey_is_scaled() -> None:
    file = encode(Image.fromarray(GREY.astype(np.uint16) * 257), "PNG")
    np.testing.assert_array_equal(decode(file), grey_as_rgb(GREY))


@pytest.mark.parametrize("mode", ["L", "LA"])
def test_grey_becomes_grey_rgb(mode: str) -> None:
    np.testing.assert_array_equal(decode(encode(PORTRAIT.convert(mode), "PNG")), grey_as_rgb(GREY))


def test_black_and_white_becomes_0_and_255() -> None:
    picture = PORTRAIT.convert("1")
    expected = np.where(np.asarray(picture), 255, 0).astype(np.uint8)
    np.testing.assert_array_equal(decode(encode(picture, "PNG")), grey_as_rgb(expected))


def test_ink_becomes_light() -> None:
    assert difference(decode(encode(PORTRAIT.convert("CMYK"), quality=95)), PIXELS) < 5


@pytest.mark.parametrize("transparency", [0, bytes([0, 128] + [255] * 254)])
def test_a_palette_with_transparency_keeps_its_colours(transparency: int | bytes) -> None:
    picture = PORTRAIT.quantize(256)
    file = encode(picture, "PNG", transparency=transparency)
    np.testing.assert_array_equal(decode(file), np.asarray(picture.convert("RGB")))


@pytest.mark.parametrize("format_", ["PNG", "WEBP"])
def test_what_is_transparent_is_left_out(format_: str) -> None:
    picture = PORTRAIT.convert("RGBA")
    picture.putalpha(200)
    assert difference(decode(encode(picture, format_, quality=95)), PIXELS) < 5


@pytest.mark.parametrize(
    "size",
    [(60_000, 60_000), (10_000, 8_000), (MAX_PIXELS // 10_000 + 1, 10_000), (2**31 - 1, 2**31 - 1)],
)
def test_a_picture_that_claims_to_be_too_large_is_refused_before_a_pixel_is_read(
    size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda _: pytest.fail("its pixels were read"))
    with pytest.raises(PictureTooLarge, match="50 million pixels"):
        decode(png_header(*size))


def test_a_picture_of_the_most_pixels_is_read() -> None:
    largest = encode(Image.new("1", (MAX_PIXELS // 10_000, 10_000)), "PNG")
    assert decode(largest).shape == (10_000, MAX_PIXELS // 10_000, 3)


@pytest.mark.parametrize("kept", [0.98, 0.5, 0.1])
@pytest.mark.parametrize("format_", ["JPEG", "PNG", "WEBP"])
def test_a_truncated_picture_is_refused_whatever_other_packages_have_set(
    format_: str, kept: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as importing face_recognition does
    whole = encode(PORTRAIT, format_)
    with pytest.raises(NotAPicture):
        decode(whole[: round(len(whole) * kept)])


@pytest.mark.parametrize("format_", ["WEBP", "PNG"])
def test_an_animation_is_refused_as_one(format_: str) -> None:
    with pytest.raises(NotAPicture, match="Animated"):
        decode(encode(PORTRAIT, format_, **ANIMATED))


@pytest.mark.parametrize("format_", ["GIF", "TIFF", "BMP", "PDF", "ICO"])
def test_another_kind_of_picture_is_refused(format_: str) -> None:
    options = ANIMATED if format_ == "GIF" else {}
    with pytest.raises(NotAPicture, match="JPEG, PNG or WebP"):
        decode(encode(PORTRAIT, format_, **options))


@pytest.mark.parametrize("data", [b"", b"\0", b"This is a text called holiday.jpg", b"<svg xmlns='w3.org/2000/svg'/>"])
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture) as refused:
        decode(data)
    assert refused.value.code == "not_an_image"


@given(st.binary(max_size=2000))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_refused(data: bytes) -> None:
    with pytest.raises(NotAPicture):
        decode(data)


@given(
    st.sampled_from(["JPEG", "PNG", "WEBP"]).map(
        lambda format_: encode(PORTRAIT.resize((24, 28)), format_, exif=exif(6))
    ),
    st.lists(st.tuples(st.integers(0, 399), st.integers(0, 255)), min_size=1, max_size=6),
)
@settings(max_examples=300, deadline=None)
def test_a_damaged_picture_is_read_or_refused(whole: bytes, damages: list[tuple[int, int]]) -> None:
    file = io.BytesIO(whole)
    for place, value in damages:
        file.seek(place)
        file.write(bytes([value]))
    try:
        pixels = decode(file.getvalue())
    except FaceRefused:
        return
    assert pixels.ndim == 3
    assert pixels.dtype == np.uint8
