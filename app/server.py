"""The embedded web server: gunicorn with threads."""

from __future__ import annotations

import sys
from typing import Any

from gunicorn.app.base import BaseApplication
from pydantic import ValidationError

from app import create_app
from app.services import installation
from config import Settings


class Server(BaseApplication):
    """gunicorn, told by our settings."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"{self.settings.host}:{self.settings.port}",
            "workers": self.settings.web_workers,
            "threads": self.settings.web_threads,
            "worker_class": "gthread",
            "timeout": 120,
            "graceful_timeout": 30,
            "loglevel": "warning",
            "when_ready": self.announce,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return create_app(self.settings)

    def announce(self, server: Any) -> None:
        host, port = server.LISTENERS[0].sock.getsockname()[:2]
        address = f"http://{'localhost' if host in {'0.0.0.0', '::'} else host}:{port}"  # noqa: S104
        sys.stdout.write(f"Rollcall is at {address}\nTry the calls at {address}/api/docs\n")
        sys.stdout.flush()


def main() -> None:
    """Migrate, then serve until told to stop."""
    try:
        settings = Settings()
    except ValidationError as wrong:
        sys.exit("\n".join(f"{'.'.join(map(str, e['loc'])).upper()} {e['msg']}" for e in wrong.errors()))
    with create_app(settings).app_context():
        installation.prepare()
    Server(settings).run()
