"""Celery's programs: `celery -A app.worker worker` does the jobs, one `celery -A app.worker beat` the schedules."""

from __future__ import annotations

from app import create_app
from config import Settings

app = create_app(Settings(jobs="celery")).extensions["backend"].celery
