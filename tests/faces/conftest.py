from __future__ import annotations

from pathlib import Path

import pytest

from app.faces import engine


@pytest.fixture(scope="session", autouse=True)
def _engine(models: Path) -> None:
    engine.OPTIONS.folder = models
