"""Reading pictures in processes of their own, which may die, and die with the server."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from app.faces import Analysis, FacePool, FaceRefused, FacesBusy, FacesUnavailable, PictureTooLarge, pool
from app.faces.errors import NotAPicture
from tests.faces.known import analysis, read
from tests.faces.test_pictures import png_header
from tests.pictures import WALL, encode

DEADLINE = 120
"""Seconds: the processes give way to all others, and beside busy ones a picture takes long."""
ROOT = Path(__file__).resolve().parents[2]
SERVER = """
import multiprocessing, sys
from app.faces import FacePool
if __name__ == "__main__":
    FacePool(2).analyse([b"", b""] * 8)
    print(*[child.pid for child in multiprocessing.active_children()], flush=True)
    sys.stdin.read()
"""


@contextmanager
def opened(workers: int) -> Iterator[tuple[FacePool, Callable[[], list[BaseProcess]]]]:
    """A pool, and what tells its processes."""
    others = {process.pid for process in multiprocessing.active_children()}
    readers = FacePool(workers)
    try:
        yield readers, lambda: [p for p in multiprocessing.active_children() if p.pid not in others]
    finally:
        readers.close()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


@pytest.fixture(scope="module")
def slow_picture() -> bytes:
    """What takes about a second to read."""
    return encode(Image.new("RGB", (2000, 1100), WALL))


def same(result: Analysis | FaceRefused, name: str) -> bool:
    assert isinstance(result, Analysis)
    expected = analysis(name)
    return [face.box for face in result.faces] == [face.box for face in expected.faces] and all(
        (a.encoding == b.encoding).all() for a, b in zip(result.faces, expected.faces, strict=True)
    )


def test_results_come_in_order_with_refusals_in_their_places() -> None:
    with opened(2) as (readers, _):
        first, text, second, large = readers.analyse(
            [read("grace_hopper"), b"text", read("astronaut"), png_header(60_000, 60_000)]
        )
    assert same(first, "grace_hopper")
    assert same(second, "astronaut")
    assert isinstance(text, NotAPicture)
    assert isinstance(large, PictureTooLarge)
    assert "50 million pixels" in large.detail


def test_no_process_is_started_before_the_first_picture() -> None:
    with opened(2) as (readers, processes):
        assert processes() == []
        assert readers.analyse([]) == []


def test_what_reads_pictures_loads_onnxruntime_and_neither_dlib_nor_scipy_nor_the_server() -> None:
    script = "import sys, app.faces.pool, app.faces.engine; print(*sys.modules)"
    told = subprocess.run([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    assert {"onnxruntime", "dlib", "scipy", "flask", "sqlalchemy"}.intersection(told.stdout.split()) == {"onnxruntime"}


def test_no_process_is_left_after_closing() -> None:
    with opened(2) as (readers, processes):
        readers.analyse([b""] * 4)
        assert 1 <= len(processes()) <= 2
        readers.close()
        assert processes() == []
        readers.close()


def test_calls_at_work_when_it_is_closed_are_told_that_no_more_is_read(slow_picture: bytes) -> None:
    with opened(1) as (readers, _), ThreadPoolExecutor(1) as thread:
        begun = threading.Event()
        answer = thread.submit(readers.analyse, [b"text", *[slow_picture] * 6], lambda _done, _total: begun.set())
        assert begun.wait(DEADLINE)
        readers.close()
        with pytest.raises(FacesUnavailable):
            answer.result(DEADLINE)


def test_a_call_that_is_handing_over_its_pictures_when_it_is_closed_is_told_so_too() -> None:
    class ClosedBetween(list[bytes]):
        def __iter__(self) -> Iterator[bytes]:
            yield self[0]
            readers.close()
            yield self[1]

    with opened(1) as (readers, _), pytest.raises(FacesUnavailable):
        readers.analyse(ClosedBetween([b"text", b"text"]))


def test_processes_killed_between_pictures_are_replaced() -> None:
    with opened(1) as (readers, processes):
        readers.analyse([b""])
        (before,) = processes()
        before.kill()
        (result,) = readers.analyse([read("astronaut")])
        assert same(result, "astronaut")
        assert [process.pid for process in processes()] != [before.pid]


def test_a_process_killed_at_work_is_replaced_and_the_work_done_again(slow_picture: bytes) -> None:
    with opened(1) as (readers, processes), ThreadPoolExecutor(1) as thread:
        readers.analyse([b""])
        (at_work,) = processes()
        answer = thread.submit(readers.analyse, [b"text", slow_picture, read("astronaut")])
        time.sleep(0.3)
        assert not answer.done()
        at_work.kill()
        text, slow, astronaut = answer.result(DEADLINE)
    assert isinstance(text, NotAPicture)
    assert isinstance(slow, Analysis)
    assert same(astronaut, "astronaut")


def test_pictures_whose_readers_die_twice_are_given_up_and_the_next_are_read() -> None:
    done = threading.Event()

    def kill() -> None:
        while not done.is_set():
            for process in processes():
                process.kill()
            time.sleep(0.01)

    with opened(1) as (readers, processes), ThreadPoolExecutor(1) as thread:
        killing = thread.submit(kill)
        with pytest.raises(FacesUnavailable):
            readers.analyse([read("astronaut")])
        done.set()
        killing.result(DEADLINE)
        (refused,) = readers.analyse([b"text"])
        assert isinstance(refused, NotAPicture)
        assert not readers.full


def test_more_pictures_than_may_wait_are_turned_away_at_once() -> None:
    with opened(1) as (readers, processes):
        with pytest.raises(FacesBusy):
            readers.analyse([b""] * (pool.WAITING_PER_WORKER + 1))
        assert processes() == []


def test_pictures_are_turned_away_while_too_many_wait_and_only_then(
    slow_picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "WAITING_PER_WORKER", 2)
    with opened(1) as (readers, _), ThreadPoolExecutor(1) as thread:
        assert not readers.full
        waiting = thread.submit(readers.analyse, [b"text", slow_picture])
        until(lambda: readers.full)
        with pytest.raises(FacesBusy):
            readers.analyse([b"text"])
        assert len(waiting.result(DEADLINE)) == 2
        assert not readers.full
        assert len(readers.analyse([b"text", b"text"])) == 2


def test_pictures_keep_their_places_until_they_are_read_though_the_progress_fails(
    slow_picture: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    submitted: list[Future[Any]] = []
    submit = ProcessPoolExecutor.submit

    def noted(*work: Any) -> Future[Any]:
        submitted.append(submit(*work))
        return submitted[-1]

    def fail(_done: int, _total: int) -> None:
        raise OSError("the database is gone")

    monkeypatch.setattr(ProcessPoolExecutor, "submit", noted)
    with opened(1) as (readers, _):
        with pytest.raises(OSError, match="database"):
            readers.analyse([b"text", slow_picture], fail)
        assert [future.done() for future in submitted] == [True, True]
        assert len(readers.analyse([b"text"] * pool.WAITING_PER_WORKER)) == pool.WAITING_PER_WORKER


def test_processes_die_with_a_server_that_is_killed(tmp_path: Path) -> None:
    """They have its output open, so its end is reached when all of them are dead."""
    script = tmp_path / "server.py"
    script.write_text(SERVER)
    server = subprocess.Popen(
        [sys.executable, str(script)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert server.stdout
    processes = [int(pid) for pid in server.stdout.readline().split()]
    try:
        assert processes
        server.kill()
        server.communicate(timeout=DEADLINE)
    finally:
        for pid in [*processes, server.pid]:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
