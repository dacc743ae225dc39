"""The server as it is started: `python run.py`, from nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from config import ROOT
from tests.factories import PASSWORD


@contextmanager
def server(folder: Path, **settings: str) -> Iterator[tuple[str, Path]]:
    """The address it prints and the file it logs to; stopped as an operator stops it."""
    environment = {k: v for k, v in os.environ.items() if k not in {"DATABASE_URL", "SECRET_KEY", "FACE_KEYS"}}
    environment |= {
        "DATABASE_URL": f"sqlite:///{folder / 'rollcall.db'}",
        "PORT": "0",
        "HOST": "127.0.0.1",
        "INSTANCE_DIR": str(folder),
        "BCRYPT_ROUNDS": "4",
    } | settings
    printed, logged = folder / "printed", folder / "logged"
    with printed.open("w") as out, logged.open("w") as err:
        process = subprocess.Popen(
            [sys.executable, ROOT / "run.py"], env=environment, stdout=out, stderr=err, cwd=folder
        )
    try:
        deadline = time.monotonic() + 60
        while "/api/docs" not in printed.read_text():
            assert process.poll() is None, logged.read_text()
            assert time.monotonic() < deadline, "it did not start within a minute"
            time.sleep(0.05)
        yield re.findall(r"http://\S+", printed.read_text())[0], logged
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
    assert process.returncode == 0


def call(address: str, body: dict[str, Any] | None = None) -> Any:
    data = json.dumps(body).encode() if body else None
    request = Request(address, data, {"Content-Type": "application/json"})  # noqa: S310 - our own server
    try:
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            return json.load(answer)
    except HTTPError as error:
        return json.load(error)


ADA = {"email": "ada@school.test", "password": PASSWORD, "first_name": "Ada", "role": "student"}
SIGN_IN = {"email": ADA["email"], "password": PASSWORD}


def test_a_second_start_finds_the_data_of_the_first(tmp_path: Path) -> None:
    with server(tmp_path) as (address, _):
        assert call(f"{address}/health")["status"] == "ok"
        assert call(f"{address}/api/auth/signup", ADA)["name"] == "Ada"
        token = call(f"{address}/api/auth/login", SIGN_IN)["access_token"]
    with server(tmp_path) as (address, _):
        request = Request(f"{address}/auth/me", headers={"Authorization": f"Bearer {token}"})  # noqa: S310
        with urlopen(request, timeout=30) as answer:  # noqa: S310
            assert json.load(answer)["name"] == "Ada"


def test_every_line_logged_is_json_and_none_holds_a_secret(tmp_path: Path) -> None:
    with server(tmp_path) as (address, logged):
        call(f"{address}/api/auth/signup", ADA)
        token = call(f"{address}/api/auth/login", SIGN_IN)["access_token"]
    lines = [json.loads(line) for line in logged.read_text().splitlines()]
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/api/auth/signup", "/api/auth/login"]
    for secret in (PASSWORD, token, (tmp_path / "secrets.env").read_text().split("=")[1].split()[0]):
        assert secret not in logged.read_text()


def test_the_secrets_of_the_first_start_are_the_owners_alone(tmp_path: Path) -> None:
    with server(tmp_path):
        assert (tmp_path / "secrets.env").stat().st_mode & 0o077 == 0


def refused(folder: Path, **settings: str) -> str:
    environment = os.environ | {"INSTANCE_DIR": str(folder), "PORT": "0"} | settings
    run = subprocess.run(
        [sys.executable, ROOT / "run.py"],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode != 0
    assert "Traceback" not in run.stderr
    return run.stderr


def test_production_does_not_start_without_its_secrets(tmp_path: Path) -> None:
    assert "SECRET_KEY" in refused(tmp_path, ENVIRONMENT="production", SECRET_KEY="", FACE_KEYS="")
    assert not (tmp_path / "secrets.env").exists()


def test_a_wrong_setting_is_named(tmp_path: Path) -> None:
    assert "DEFAULT_TIME_ZONE" in refused(tmp_path, DEFAULT_TIME_ZONE="Mars/Olympus")
    assert "FACE_KEYS" in refused(tmp_path, FACE_KEYS="too short")
    assert "PORT" in refused(tmp_path, PORT="many")
