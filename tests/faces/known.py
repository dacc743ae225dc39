"""The pictures that tests of faces read, each of them once."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.faces import Analysis, FacePool
from app.faces.engine import analyse
from app.faces.pictures import decode
from tests.pictures import SHARED_FACES, astronaut, encode, grace_hopper

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
    return (SHARED_FACES / name).read_bytes()


@cache
def pixels(name: str) -> NDArray[np.uint8]:
    return decode(read(name))


@cache
def analysis(name: str) -> Analysis:
    return _shared()[name] if name in SHARED else analyse(read(name))


def size(name: str) -> tuple[int, int]:
    """Width and height, without reading the pixels."""
    if name in PORTRAITS:
        return PORTRAITS[name]().size
    assert SHARED_FACES
    with Image.open(SHARED_FACES / name) as picture:
        return picture.size


@cache
def _shared() -> dict[str, Analysis]:
    """Two processes read them, since they are most of what these tests wait for."""
    readers = FacePool(2)
    results = readers.analyse([read(name) for name in SHARED])
    readers.close()
    return {name: result for name, result in zip(SHARED, results, strict=True) if isinstance(result, Analysis)}
