"""The embedded web server: gunicorn with threads."""

from __future__ import annotations

import sys
from typing import Any

import structlog
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker
from pydantic import ValidationError

from app import create_app
from app.faces import ModelBroken, build_all
from app.services import installation, schedules
from config import Settings

log = structlog.get_logger(__name__)


class Worker(ThreadWorker):
    """gunicorn's, which waits for the answers that are being given, also for streams, which would go on."""

    def handle_exit(self, sig: int, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if self.booted:
            served: Any = self.wsgi
            served.extensions["changes"].close()


class Server(BaseApplication):
    """gunicorn, told by our settings."""

    def __init__(self, settings: Settings, setup_code: str | None) -> None:
        self.settings = settings
        self.code = setup_code
        super().__init__()

    def load_config(self) -> None:
        options = {
            "bind": f"{self.settings.host}:{self.settings.port}",
            "workers": self.settings.web_workers,
            "threads": self.settings.web_threads,
            "worker_class": Worker,
            "timeout": 120,
            "graceful_timeout": 30,
            "loglevel": "warning",
            "when_ready": self.announce,
            "worker_exit": self.close,
        }
        for name, value in options.items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        app = create_app(self.settings)
        if self.settings.jobs == "threads":  # else Celery's beat ticks
            schedules.keep(app)
        return app

    def announce(self, server: Any) -> None:
        host, port = server.LISTENERS[0].sock.getsockname()[:2]
        address = f"http://{'localhost' if host in {'0.0.0.0', '::'} else host}:{port}"  # noqa: S104
        sys.stdout.write(f"Rollcall is at {address}\nTry the calls at {address}/api/docs\n")
        if self.code:
            sys.stdout.write(f"Make the first administrator at {address}/api/setup with the code {self.code}\n")
        sys.stdout.flush()

    def close(self, _server: Any, worker: Any) -> None:
        if worker.booted:
            worker.wsgi.extensions["backend"].close()


def main() -> None:
    """Migrate, then serve until told to stop."""
    try:
        settings = Settings()
    except ValidationError as wrong:
        sys.exit("\n".join(f"{'.'.join(map(str, e['loc'])).upper()} {e['msg']}" for e in wrong.errors()))
    try:
        build_all(settings.faces_dir)
    except (ModelBroken, OSError) as broken:
        sys.exit(f"The face engine's models cannot be built: {broken}")
    with create_app(settings).app_context():
        installation.prepare()
        code = installation.setup_code() if installation.needs_admin() else None
    if settings.environment == "production" and settings.smtp_url is None:
        log.warning("mail_is_not_sent", reason="SMTP_URL is empty", folder=str(settings.instance_dir / "mail"))
    Server(settings, code).run()
