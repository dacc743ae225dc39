"""The pictures that tests of faces read, each of them once."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.faces import Analysis, FacePool
from app.faces.engine import OPTIONS, analyse
from app.faces.pictures import decode
from tests.pictures import SHARED_FACES, astronaut, encode, grace_hopper, photograph

PORTRAITS = {"astronaut": astronaut, "grace_hopper": grace_hopper}
SHARED = (
    sorted(str(path.relative_to(SHARED_FACES)) for path in SHARED_FACES.glob("*/**/*") if path.is_file())
    if SHARED_FACES
    else []
)
PICTURES = [*PORTRAITS, *SHARED]


@cache
def read(name: str) -> bytes:
    if name in PORTRAITS:
        return encode(PORTRAITS[name](), "PNG")
    assert SHARED_FACES
    return photograph(SHARED_FACES / name)


@cache
def pixels(name: str) -> NDArray[np.uint8]:
    return decode(read(name))


@cache
def analysis(name: str) -> Analysis:
    return _shared()[name] if name in SHARED else analyse(read(name))


def size(name: str) -> tuple[int, int]:
    """Width and height, without reading the pixels."""
    with Image.open(io.BytesIO(read(name))) as picture:
        return picture.size


@cache
def _shared() -> dict[str, Analysis]:
    """Two processes read them, since they are most of what these tests wait for."""
    readers = FacePool(2, folder=OPTIONS.folder)
    results = readers.analyse([read(name) for name in SHARED])
    readers.close()
    return {name: result for name, result in zip(SHARED, results, strict=True) if isinstance(result, Analysis)}
