"""The face engine beside dlib and face_recognition, on the same pictures.

    PYTHONPATH=. python bench/faces.py FOLDER [ROUNDS]

The folder holds photographs of people; the portraits among them (one face each) are composed into a room of thirty.
Ours and theirs take turns, and medians are compared: of ROUNDS, of fewer where dlib takes seconds. At last a server
with two processes that read pictures is sent the room again and again, by two at once: how many it recognises a
minute, and how long a plain call takes meanwhile.
"""

from __future__ import annotations

import base64
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import dlib
import face_recognition
import face_recognition_models as models
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from app.faces import distances, engine
from app.faces.engine import OPTIONS, analyse, describe
from app.faces.pictures import decode
from app.faces.types import ROOM
from config import Settings
from tests import crowd
from tests.pictures import WALL
from tests.pictures import encode as jpeg

Picture = NDArray[np.uint8]
FACES, WIDTH = 30, 1920
PLAIN = 100
"""Calls that are made while nothing else is done."""


def portraits(folder: Path) -> Iterator[Picture]:
    """Around each face that is alone on its picture: twice as wide and high as its box."""
    for file in sorted(folder.rglob("*.jpg")):
        image = decode(file.read_bytes())
        found = analyse(file.read_bytes()).faces
        if len(found) == 1 and found[0].box.width >= 100:
            box = found[0].box
            left, top = box.left - box.width // 2, box.top - box.height // 2
            corner = max(left, 0), max(top, 0)
            yield image[corner[1] : top + 2 * box.height, corner[0] : left + 2 * box.width]


def room(people: list[Picture]) -> bytes:
    """Thirty people in three rows on a picture 1920 pixels wide, the faces of the last row smallest, about 60 pixels;
    no two of one person are the same to the pixel."""
    picture = Image.new("RGB", (WIDTH, WIDTH * 9 // 16), WALL)
    faces = itertools.cycle(people)
    for row, side in enumerate((130, 150, 180)):
        for n in range(FACES // 3):
            portrait = Image.fromarray(next(faces)).resize((side - n, side - n), Image.Resampling.LANCZOS)
            picture.paste(portrait, (5 + 191 * n, 60 + 330 * row))
    return jpeg(picture, quality=92)


@dataclass(frozen=True, slots=True)
class Figures:
    """Seconds of each time, and what came of the last."""

    ours: list[float]
    theirs: list[float]
    found: tuple[Any, Any]


def pair(ours: Callable[[], Any], theirs: Callable[[], Any], rounds: int, repeat: int = 3) -> Figures:
    """Ours so many times after each of theirs; once before, to warm up."""
    found, other, figures = ours(), None, Figures([], [], (None, None))
    for _ in range(rounds):
        seconds, other = _timed(theirs)
        figures.theirs.append(seconds)
        figures.ours.extend(_timed(ours)[0] for _ in range(repeat))
    return replace(figures, found=(found, other))


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    begun = time.perf_counter()
    result = work()
    return time.perf_counter() - begun, result


def show(name: str, figures: Figures) -> None:
    ours, theirs = statistics.median(figures.ours), statistics.median(figures.theirs)
    low, _, high = (seconds * 1e3 for seconds in statistics.quantiles(figures.ours, n=4))
    print(
        f"{name}: {ours * 1e3:.1f} ms (half of all times {low:.1f} to {high:.1f}), theirs {theirs * 1e3:.0f} ms; "
        f"theirs : ours = {theirs / ours:.1f} : 1",
        flush=True,
    )


def encoding(people: list[Picture], rounds: int) -> None:
    chips = np.stack([np.asarray(Image.fromarray(person).resize((150, 150))) for person in people])
    chips = np.concatenate([chips] * (16 // len(chips) + 1))[:16]
    network = dlib.face_recognition_model_v1(models.face_recognition_model_location())
    one, sixteen = chips[:1], list(chips)
    show("encoding, alone", pair(lambda: describe(one), lambda: network.compute_face_descriptor(chips[0]), rounds))
    batch = pair(lambda: describe(chips), lambda: network.compute_face_descriptor(sixteen), max(rounds // 3, 2))
    show("encoding 16, all", batch)


def detection(scene: Picture, rounds: int) -> None:
    network = dlib.cnn_face_detection_model_v1(models.cnn_face_detector_model_location())
    for width, times in ((640, max(rounds // 3, 1)), (WIDTH, 1)):
        picture = np.asarray(Image.fromarray(scene).resize((width, width * 9 // 16), Image.Resampling.BILINEAR))
        # both search the picture as it is
        figures = pair(partial(engine._detector().detect, picture), partial(network, picture, 0), times, 5)
        show(f"CNN detection, {width} pixels", figures)


def whole(photo: bytes, rounds: int) -> None:
    """Decode, find, encode, match with thirty people."""
    gallery = np.stack([face.encoding for face in analyse(photo).faces])

    def ours(smallest: int) -> int:
        found = analyse(photo, replace(ROOM, smallest=smallest)).faces
        return int((distances(np.stack([face.encoding for face in found]), gallery).min(1) < 0.6).sum())

    def theirs(model: str, enlarged: int) -> int:
        image = decode(photo)
        places = face_recognition.face_locations(image, enlarged, model)
        known = list(gallery.astype(np.float64))
        found = face_recognition.face_encodings(image, places)
        return sum(any(face_recognition.compare_faces(known, face)) for face in found)

    # both find faces of 64 pixels on the picture as it is; for those of 40 ours enlarges it by 1.6, theirs by 2, as it
    # does unless told otherwise
    for model, (smallest, enlarged) in itertools.product(("hog", "cnn"), ((64, 0), (ROOM.smallest, 1))):
        times = 1 if model == "cnn" else rounds // 2
        figures = pair(partial(ours, smallest), partial(theirs, model, enlarged), times)
        name = f"faces from {smallest} pixels on, beside {model.upper()}"
        show(f"whole photo, {name} (recognised {figures.found[0]} and {figures.found[1]})", figures)


def server(photo: bytes, rounds: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        everybody = crowd.crowd(folder, f"sqlite:///{folder / 'bench.db'}", FACES)
        environment = everybody.environment | {
            "WEB_WORKERS": "1",
            "FACE_WORKERS": "2",
            "FACES_DIR": str(OPTIONS.folder),
        }
        image = "data:image/jpeg;base64," + base64.b64encode(photo).decode()
        body = {"class_id": everybody.class_id, "images": [image]}
        recognise = crowd.request("POST", "/api/attendance/recognize-faces", everybody.teacher, body)
        plain = crowd.request("GET", "/api/auth/profile", everybody.teacher)
        with crowd.serving(folder, environment) as program, ThreadPoolExecutor(1) as pool:
            _rate(program.address, [recognise] * 2, 2)
            idle = _latency(program.address, plain, PLAIN)
            rate = pool.submit(_rate, program.address, [recognise] * 2 * rounds, 2)
            busy = list[float]()
            while not rate.done():
                busy.append(_latency(program.address, plain, 1))
            meanwhile = statistics.median(busy)
            print(
                f"server, two processes that read pictures: {60 * rate.result():.0f} photos of {FACES} faces a minute; "
                f"a plain call {meanwhile * 1e3:.1f} ms meanwhile, {idle * 1e3:.1f} ms when idle; "
                f"busy : idle = {meanwhile / idle:.1f} : 1"
            )


def _rate(address: str, calls: list[bytes], connections: int) -> float:
    """Per second."""
    begun = time.perf_counter()
    statuses = set(crowd.one_after_another(address, calls, connections))
    assert statuses == {200}, statuses
    return len(calls) / (time.perf_counter() - begun)


def _latency(address: str, call: bytes, times: int) -> float:
    """Median, in seconds, of calls on connections of their own."""
    return statistics.median(1 / _rate(address, [call], 1) for _ in range(times))


if __name__ == "__main__":
    folder, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 9
    OPTIONS.folder = Settings().faces_dir
    people = list(portraits(folder))
    photo = room(people)
    encoding(people, rounds)
    detection(decode(photo), rounds)
    whole(photo, rounds)
    server(photo, rounds)
