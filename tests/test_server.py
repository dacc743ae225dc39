"""The server as it is started: `python run.py`, from nothing."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from cryptography.fernet import Fernet

from app.server import Server, main
from config import ROOT
from tests.backends import REDIS, backends
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


def test_a_second_start_finds_the_data_and_the_secrets_of_the_first_which_are_the_owners_alone(tmp_path: Path) -> None:
    with server(tmp_path) as (address, _):
        assert (tmp_path / "secrets.env").stat().st_mode & 0o077 == 0
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
    assert [line["path"] for line in lines if line["event"] == "request"] == ["/api/auth/register", "/api/auth/login"]
    for secret in (PASSWORD, token, (tmp_path / "secrets.env").read_text().split("=")[1].split()[0]):
        assert secret not in logged.read_text()


def test_a_server_in_production_keeps_the_schedules_and_warns_where_it_cannot_mail(tmp_path: Path) -> None:
    secrets = {"SECRET_KEY": "x" * 64, "FACE_KEYS": Fernet.generate_key().decode()}
    with server(tmp_path, ENVIRONMENT="production", WEB_WORKERS="2", **secrets) as (_, logged):
        wait_for_schedules(tmp_path)
        assert "mail_is_not_sent" in logged.read_text()


def wait_for_schedules(folder: Path) -> None:
    """Until some have been kept: each interval once."""
    deadline = time.monotonic() + 60
    with closing(sqlite3.connect(folder / "rollcall.db")) as database:
        while not (runs := database.execute("SELECT key, attempts FROM jobs WHERE status = 'done'").fetchall()):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert {attempts for _, attempts in runs} == {1}


@pytest.mark.skipif("celery" not in backends(), reason="Redis does not answer")
def test_celerys_programs_do_the_jobs_and_keep_the_schedules(tmp_path: Path) -> None:
    redis = f"{REDIS.rpartition('/')[0]}/{1 + os.getpid() % 15}"  # another run of the tests has another database
    with server(tmp_path, JOBS="celery", REDIS_URL=redis):
        environment = os.environ | {"INSTANCE_DIR": str(tmp_path), "REDIS_URL": redis, "PYTHONPATH": str(ROOT)}
        programs = [
            subprocess.Popen(
                [sys.executable, "-m", "celery", "-q", "-A", "app.worker", program, "-l", "ERROR"],
                env=environment,
                cwd=tmp_path,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            for program in ("worker", "beat")
        ]
        try:
            wait_for_schedules(tmp_path)
        finally:
            for program in programs:
                program.terminate()
                program.wait(30)


def test_production_does_not_start_without_its_secrets(tmp_path: Path) -> None:
    settings = {"ENVIRONMENT": "production", "SECRET_KEY": "", "FACE_KEYS": ""}
    run = subprocess.run(
        [sys.executable, ROOT / "run.py"],
        env=os.environ | {"INSTANCE_DIR": str(tmp_path), "PORT": "0"} | settings,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode != 0
    assert "SECRET_KEY" in run.stderr
    assert "Traceback" not in run.stderr
    assert not (tmp_path / "secrets.env").exists()


@pytest.mark.parametrize(
    "settings",
    [
        {"DEFAULT_TIME_ZONE": "Mars/Olympus"},
        {"FACE_KEYS": "too short"},
        {"PORT": "many"},
        {"SMTP_URL": "https://rollcall:s3cret@mail.school.test"},
        {"SMTP_URL": "smtp://rollcall:s3cret/@mail.school.test"},
        {"MAIL_FROM": "Rollcall"},
        {"REDIS_URL": "", "JOBS": "celery"},
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str]) -> None:
    for name, value in {"INSTANCE_DIR": str(tmp_path), **settings}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(Server, "run", lambda _server: None)  # else a setting that is taken would serve for ever
    with pytest.raises(SystemExit) as refused:
        main()
    assert next(iter(settings)) in str(refused.value)
    assert "s3cret" not in str(refused.value)
