"""Putting the application together from its parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from apiflask import APIFlask
from werkzeug.middleware.proxy_fix import ProxyFix

from app import api, cli, logs
from app.extensions import cors, db, engine_options, jwt, limiter, listen_to, migrate
from app.faces import FacePool
from app.services.backends import backend_for
from app.services.changes import Hub
from app.services.check_in import group_of_check_ins
from app.services.gallery import Galleries
from app.services.health import version
from app.services.schedules import SCHEDULES
from app.services.sign_in import group_of_look_ups
from config import Settings

EXPOSED = [
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "Preference-Applied",
    "Retry-After",
    "X-Alt-Text",
    "X-Request-ID",
]
"""What another site's page may read of an answer."""


def assemble(settings: Settings) -> APIFlask:
    app = APIFlask(
        __name__,
        title="Rollcall",
        version=version(),
        spec_path="/api/openapi.json",
        docs_path=None,
        static_folder=None,  # type: ignore[arg-type]
        json_errors=False,
        instance_path=str(settings.instance_dir),
    )
    app.description = "Sign in with POST /api/auth/login, then give the access_token to Authorize."
    app.config.update(_flask_settings(settings))
    app.extensions.update(
        settings=settings,
        face_pool=FacePool(settings.face_workers, settings.face_detector, settings.faces_dir),
        backend=backend_for(app, settings),
        changes=Hub(settings),
        check_ins=group_of_check_ins(),
        sign_ins=group_of_look_ups(),
        galleries=Galleries(),
    )
    settings.instance_dir.mkdir(parents=True, exist_ok=True)
    logs.configure(settings.log_level)
    logs.register(app)
    db.init_app(app)
    with app.app_context():
        listen_to(db.engine)
    migrate.init_app(app)
    jwt.init_app(app)
    cors.init_app(app, origins=settings.cors_origins, expose_headers=EXPOSED, max_age=600)
    api.register(app)
    app.extensions["work"] = _work(app)
    limiter.init_app(app)  # after api: who is calling is known before their attempts are counted
    cli.register(app)
    if settings.trusted_proxies:
        trusted = settings.trusted_proxies
        app.wsgi_app = ProxyFix(app.wsgi_app, trusted, trusted, trusted)  # type: ignore[method-assign]
    return app


def _work(app: APIFlask) -> dict[str, Callable[..., Any]]:
    """What a job's kind stands for: a route's endpoint, or a schedule's name."""
    routes = {name: view.as_job for name, view in app.view_functions.items() if hasattr(view, "as_job")}
    return routes | {schedule.name: schedule.work for schedule in SCHEDULES}


def _flask_settings(settings: Settings) -> dict[str, object]:
    megabyte = 1_000_000
    return {
        "SECRET_KEY": settings.secret_key.get_secret_value(),
        "JWT_SECRET_KEY": settings.secret_key.get_secret_value(),
        "SQLALCHEMY_DATABASE_URI": settings.database,
        "SQLALCHEMY_ENGINE_OPTIONS": engine_options(settings.database.get_backend_name()),
        "RATELIMIT_ENABLED": settings.ratelimit_enabled,
        "RATELIMIT_STORAGE_URI": settings.redis_url or "memory://",
        "RATELIMIT_IN_MEMORY_FALLBACK_ENABLED": settings.redis_url is not None,
        "MAX_CONTENT_LENGTH": settings.max_request_mb * megabyte,
        "MAX_FORM_MEMORY_SIZE": settings.max_request_mb * megabyte,
    }
