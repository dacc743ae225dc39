"""Pictures of people that need nothing but the test requirements: portraits that two of the packages bring along."""

from __future__ import annotations

import base64
import importlib.util
import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image, ImageEnhance

_shared = Path(__file__).resolve().parents[2] / "shared" / "faces"
SHARED_FACES: Path | None = _shared if _shared.is_dir() else None
"""More people, beside the repository; tests of them are left out where the folder is."""

WALL = (172, 178, 184)
MARGIN = 60


@dataclass(frozen=True)
class _Shot:
    """How a shot differs from the picture: turned by degrees, zoomed and shifted by parts of the picture's size."""

    angle: float = 0.0
    zoom: float = 1.0
    right: float = 0.0
    down: float = 0.0
    brightness: float = 1.0
    contrast: float = 1.0
    size: float = 1.0


_SHOTS = (
    _Shot(),
    _Shot(angle=4, brightness=1.15, size=1.1),
    _Shot(zoom=1.1, right=0.02, brightness=0.85),
    _Shot(angle=-5, contrast=0.9, size=1.25),
    _Shot(zoom=1.15, down=-0.02, contrast=1.15),
    _Shot(angle=6, zoom=1.05, right=-0.02, brightness=1.1, size=1.15),
    _Shot(angle=-3, brightness=0.8, contrast=1.1, size=1.05),
)


def astronaut() -> Image.Image:
    """Eileen Collins, without the badge that looks like a face to the detector."""
    return _packaged("skimage", "data/astronaut.png").crop((80, 0, 360, 300))


def grace_hopper() -> Image.Image:
    return _packaged("matplotlib", "mpl-data/sample_data/grace_hopper.jpg")


def variation(image: Image.Image, n: int) -> Image.Image:
    """The n-th shot of the same person, n from 0 (the picture itself) to 6."""
    shot = _SHOTS[n]
    width, height = image.size
    turned = image.rotate(shot.angle, Image.Resampling.BICUBIC, fillcolor=WALL)
    left = width * (1 - 1 / shot.zoom) / 2 + width * shot.right
    top = height * (1 - 1 / shot.zoom) / 2 + height * shot.down
    size = round(width * shot.size), round(height * shot.size)
    box = (left, top, left + width / shot.zoom, top + height / shot.zoom)
    taken = turned.transform(size, Image.Transform.EXTENT, box, Image.Resampling.BICUBIC, fillcolor=WALL)
    return ImageEnhance.Contrast(ImageEnhance.Brightness(taken).enhance(shot.brightness)).enhance(shot.contrast)


def coarse(image: Image.Image) -> Image.Image:
    """The same person as a poor camera takes them: still they, but not as surely."""
    few = image.resize((round(image.width / 4.5), round(image.height / 4.5)))
    return ImageEnhance.Contrast(few.resize(image.size, Image.Resampling.NEAREST)).enhance(2.5)


def group(*people: Image.Image) -> Image.Image:
    """One picture of a room in which the people stand side by side, from left to right."""
    width = sum(person.width + MARGIN for person in people) + MARGIN
    height = max(person.height for person in people) + MARGIN
    room = Image.new("RGB", (width, height), WALL)
    left = MARGIN
    for person in people:
        room.paste(person, (left, height - person.height))
        left += person.width + MARGIN
    return room


def photograph(file: Path) -> bytes:
    """A photograph, no larger than 1,000 pixels either way: what takes longest in the tests is to search large ones."""
    with Image.open(file) as picture:
        if max(picture.size) <= 1000:
            return file.read_bytes()
        picture.thumbnail((1000, 1000))
        return encode(picture.convert("RGB"), quality=92)


def encode(image: Image.Image, format: str = "JPEG", **save: Any) -> bytes:  # noqa: A002 - Pillow's word for it
    """The picture as a file."""
    file = io.BytesIO()
    image.save(file, format, **save)
    return file.getvalue()


def data_url(data: bytes, mime: str = "image/jpeg") -> str:
    """What a browser's canvas gives: the file as a base64 `data:` URL."""
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


@cache
def _packaged(package: str, path: str) -> Image.Image:
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise FileNotFoundError(f"{package} is not installed: see requirements-dev.txt")
    with Image.open(Path(found.submodule_search_locations[0]) / path) as picture:
        return picture.convert("RGB")
