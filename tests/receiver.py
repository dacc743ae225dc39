"""A receiver of webhooks, on this machine, that keeps what it is sent and answers as it is told."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any

from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response


@dataclass(frozen=True)
class Received:
    headers: dict[str, str]
    body: bytes


@dataclass
class Receiver:
    """answers: the statuses of the next calls; then each is 204."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    text: str = ""
    slow: float = 0
    hangs: Event | None = None
    """Calls are answered once this is set."""
    received: list[Received] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)

    def __call__(self, environ: Any, start_response: Any) -> Any:
        request = Request(environ)
        headers = {name.lower(): value for name, value in request.headers.items()}
        with self.lock:
            self.received.append(Received(headers, request.get_data()))
            status = self.answers.pop(0) if self.answers else 204
        if self.hangs:
            self.hangs.wait(20)
        time.sleep(self.slow)
        moved = {"Location": f"{self.url}/elsewhere"} if status in {301, 302, 307, 308} else {}
        return Response(self.text, status, headers=moved)(environ, start_response)


@contextmanager
def receiving() -> Iterator[Receiver]:
    receiver = Receiver()
    server = make_server("127.0.0.1", 0, receiver, threaded=True)
    server.daemon_threads = True  # type: ignore[attr-defined]
    receiver.url = f"http://127.0.0.1:{server.server_port}/hook"
    thread = Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        if receiver.hangs:
            receiver.hangs.set()
        server.shutdown()
        thread.join()
        server.server_close()
