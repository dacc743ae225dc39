"""Compare 30 faces with 100,000 templates: `match` beside `face_recognition.compare_faces` called for each face.

    python bench/matching.py [ROUNDS]

The encodings are drawn by chance, of a length and at distances like faces': 50,000 people with two templates each, of
whom 20 are on the picture beside ten strangers.
"""

from __future__ import annotations

import sys
import time
import tracemalloc
from collections.abc import Callable
from statistics import median
from typing import Any

import face_recognition
import numpy as np

from app.faces import Templates, match

FACES, KNOWN, TEMPLATES = 30, 20, 100_000
TOLERANCE, RATE = 0.6, 1e-4
APART, NEAR = 0.85, 0.15


def made() -> tuple[Any, Templates]:
    random = np.random.default_rng(1)
    spread = APART / np.sqrt(2 * 128)
    people = np.repeat(random.normal(0, spread, (TEMPLATES // 2, 128)), 2, axis=0)
    encodings = (people + random.normal(0, NEAR / np.sqrt(128), people.shape)).astype(np.float32)
    strangers = random.normal(0, spread, (FACES - KNOWN, 128))
    faces = np.concatenate([people[: 2 * KNOWN : 2], strangers]).astype(np.float32)
    return faces, Templates.of(encodings, np.arange(TEMPLATES) // 2)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def most_memory(work: Callable[[], object]) -> int:
    """Bytes that it takes at once, numpy's arrays included."""
    tracemalloc.start()
    work()
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return most


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    faces, templates = made()

    def ours() -> list[Any]:
        return match(faces, templates, TOLERANCE, RATE)

    def theirs() -> list[Any]:
        return [face_recognition.compare_faces(templates.encodings, face, TOLERANCE) for face in faces]

    found = ours()
    assert [m.person for m in found if m.outcome == "recognised"] == list(range(KNOWN))
    took = [(seconds(ours), seconds(theirs)) for _ in range(rounds)]
    mine, reference = (median(side) for side in zip(*took, strict=True))
    print(
        f"{FACES} faces, {TEMPLATES} templates: {mine * 1000:.0f} ms; compare_faces {reference * 1000:.0f} ms;", end=" "
    )
    print(f"{reference / mine:.0f} : 1")
    block = templates.encodings.nbytes
    beside = templates.norms.nbytes + templates.owners.nbytes
    for name, work in (("ours", ours), ("compare_faces", theirs)):
        most = most_memory(work) + (beside if work is ours else 0)
        print(f"{name}: {(block + most) / block:.2f} times the block of {block / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
