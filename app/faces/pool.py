"""Reading pictures in processes of their own: other calls stay quick, and a picture that kills its reader kills no
more than that."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from pathlib import Path
from typing import Literal

from app.faces.errors import FaceRefused, FacesBusy, FacesUnavailable
from app.faces.types import ROOM, Analysis, Wanted

WAITING_PER_WORKER = 64
NICE = 10
"""The server gets about ten times as much of a processor that both want (Linux' weights of nice values)."""

Result = Analysis | FaceRefused
Progress = Callable[[int, int], None]


class FacePool:
    """Processes that analyse pictures, started when the first one comes."""

    def __init__(self, workers: int, detector: Literal["cnn", "hog"] = "cnn", folder: Path | None = None) -> None:
        """folder: where built models are kept, if anywhere."""
        self._workers = workers
        # together the processes have as many threads as there are processors
        self._options = (detector, folder, max((os.cpu_count() or 1) // workers, 1))
        self._lock = threading.Lock()
        self._executor: ProcessPoolExecutor | None = None
        self._waiting = 0

    def analyse(
        self, pictures: Sequence[bytes], progress: Progress = lambda _done, _total: None, wanted: Wanted = ROOM
    ) -> list[Result]:
        """The analysis or the refusal of each picture file, in order; `progress` hears how many of how many are read.

        Raises:
            FacesBusy: too many pictures are waiting.
            FacesUnavailable: the processes died, and again at a second try; or the pool is closed meanwhile.
        """
        with self._lock:
            if self._waiting + len(pictures) > self._workers * WAITING_PER_WORKER:
                raise FacesBusy
            self._waiting += len(pictures)
        try:
            return self._analyse(pictures, progress, wanted)
        except BrokenProcessPool:
            try:
                return self._analyse(pictures, progress, wanted)
            except BrokenProcessPool as again:
                raise FacesUnavailable from again
        finally:
            with self._lock:
                self._waiting -= len(pictures)

    @property
    def full(self) -> bool:
        return self._waiting >= self._workers * WAITING_PER_WORKER

    def close(self) -> None:
        with self._lock:
            executor, self._executor = self._executor, None
        if executor:
            executor.shutdown(cancel_futures=True)

    def _analyse(self, pictures: Sequence[bytes], progress: Progress, wanted: Wanted) -> list[Result]:
        executor, futures, results = self._started(), list[Future[Analysis]](), list[Result]()
        try:
            futures.extend(self._submit(executor, picture, wanted) for picture in pictures)
            for done, future in enumerate(futures, 1):
                results.append(self._result(future))
                progress(done, len(pictures))
        except BrokenProcessPool:
            with self._lock:
                if self._executor is executor:
                    self._executor = None
            raise
        finally:
            # Pictures nobody wants any more, since `progress` failed, keep their places until they are read. They are
            # not cancelled: a process that dies while there are cancelled ones hangs every other call in Python 3.11.
            for future in futures:
                with suppress(CancelledError):
                    future.exception()
        return results

    def _started(self) -> ProcessPoolExecutor:
        with self._lock:
            if self._executor is None:
                # spawned: the server has threads, and a fork of them can hang
                context = multiprocessing.get_context("spawn")
                self._executor = ProcessPoolExecutor(self._workers, context, initializer=_begin, initargs=self._options)
            return self._executor

    @staticmethod
    def _submit(executor: ProcessPoolExecutor, picture: bytes, wanted: Wanted) -> Future[Analysis]:
        try:
            return executor.submit(_analyse, picture, wanted)
        except BrokenProcessPool:
            raise
        except RuntimeError as closed:
            raise FacesUnavailable from closed

    @staticmethod
    def _result(future: Future[Analysis]) -> Result:
        try:
            return future.result()
        except FaceRefused as refused:
            return refused
        except CancelledError as closed:
            raise FacesUnavailable from closed


def _begin(detector: Literal["cnn", "hog"], folder: Path | None, threads: int) -> None:
    """In a new process: give way to whoever makes a plain call, leave Ctrl-C to the server, and die with it however it
    dies."""
    from app.faces.engine import OPTIONS  # noqa: PLC0415 - the engine is for these processes only

    os.nice(NICE)
    OPTIONS.detector, OPTIONS.folder, OPTIONS.threads = detector, folder, threads
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent:
        parent.join()
        os._exit(1)


def _analyse(picture: bytes, wanted: Wanted) -> Analysis:
    from app.faces.engine import analyse  # noqa: PLC0415 - the engine is for these processes only

    return analyse(picture, wanted)
