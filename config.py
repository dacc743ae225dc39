"""Every setting, typed, read once from the environment or `.env`. `.env.example` explains each."""

from __future__ import annotations

import os
import re
import secrets
from datetime import timedelta
from email.utils import parseaddr
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import available_timezones

from cryptography.fernet import Fernet
from dotenv import dotenv_values
from pydantic import AfterValidator, Field, SecretStr, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import URL, make_url

ROOT = Path(__file__).resolve().parent
DRIVERS = {"postgresql": "postgresql+psycopg", "postgres": "postgresql+psycopg", "mysql": "mysql+pymysql"}


def time_zone(name: str) -> str:
    """Raises ValueError unless it is an IANA name."""
    if name not in available_timezones():
        raise ValueError(f"{name!r} is not an IANA time zone such as Europe/Lisbon")
    return name


def _comma_separated(value: object) -> object:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


def _fernet_key(key: SecretStr) -> SecretStr:
    Fernet(key.get_secret_value())  # a ValueError here says what a key looks like
    return key


def _smtp_url(secret: SecretStr) -> SecretStr:
    said = "must be smtp://, smtp+starttls:// or smtps:// and user:password@host:port"
    try:
        url = urlsplit(secret.get_secret_value())
        right = url.scheme in {"smtp", "smtps", "smtp+starttls"} and url.hostname and url.port != 0
    except ValueError:  # whose words may quote the password
        raise ValueError(said) from None
    if not right:
        raise ValueError(said)
    return secret


def _sender(sender: str) -> str:
    if not re.fullmatch(r"[^@\s]+@[^@\s]+", parseaddr(sender)[1]):
        raise ValueError("must be an address, or Name <address>")
    return sender


class Settings(BaseSettings):
    """What an installation decides. Names are those of the environment variables, in lower case."""

    model_config = SettingsConfigDict(env_file=ROOT / ".env", env_ignore_empty=True, extra="ignore")

    environment: Literal["development", "production"] = "development"
    host: str = "0.0.0.0"  # noqa: S104 - phones in the building must reach it
    port: int = Field(8000, ge=0, le=65535)
    web_workers: int = Field(1, ge=1)
    web_threads: int = Field(16, ge=1)
    live_streams: int = Field(default_factory=lambda given: given["web_threads"] // 2, ge=0)
    trusted_proxies: int = Field(0, ge=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"
    cors_origins: Annotated[list[str], NoDecode] = ["*"]

    instance_dir: Path = ROOT / "instance"
    database_url: str = ""
    redis_url: str | None = None
    jobs: Literal["threads", "celery"] = "threads"

    smtp_url: Annotated[SecretStr, AfterValidator(_smtp_url)] | None = None
    mail_from: Annotated[str, AfterValidator(_sender)] = "Rollcall <rollcall@localhost>"

    secret_key: SecretStr = SecretStr("")
    face_keys: Annotated[list[Annotated[SecretStr, AfterValidator(_fernet_key)]], NoDecode] = []

    default_organisation: str = "Rollcall"
    default_time_zone: Annotated[str, AfterValidator(time_zone)] = "UTC"
    public_url: Annotated[str, AfterValidator(lambda url: url.rstrip("/"))] = ""
    allow_private_networks: bool = False

    jwt_expiry_hours: float = Field(12, gt=0)
    session_expiry_hours: float = Field(720, gt=0)
    password_min_length: int = Field(8, ge=4, le=128)
    password_min_score: int = Field(2, ge=0, le=4)
    bcrypt_rounds: int = Field(12, ge=4, le=16)
    ratelimit_enabled: bool = True

    max_request_mb: int = Field(64, ge=1)
    max_picture_mb: int = Field(10, ge=1)
    face_detector: Literal["cnn", "hog"] = "cnn"
    faces_dir: Path = Path()
    face_workers: int = Field(default_factory=lambda: os.cpu_count() or 1, ge=1)
    face_tolerance: float = Field(0.6, gt=0, le=1)
    face_max_pictures: int = Field(7, ge=1)

    @model_validator(mode="before")
    @classmethod
    def split_lists(cls, values: dict[str, object]) -> dict[str, object]:
        lists = {"cors_origins", "face_keys"}
        return {name: _comma_separated(value) if name in lists else value for name, value in values.items()}

    @model_validator(mode="after")
    def complete(self) -> Self:
        """Fill in what depends on the instance folder; production brings its own secrets."""
        self.instance_dir = self.instance_dir.resolve()
        self.faces_dir = self.instance_dir / "faces" if self.faces_dir == Path() else self.faces_dir.resolve()
        self.public_url = self.public_url or f"http://localhost:{self.port}"
        self.database_url = self.database_url or f"sqlite:///{self.instance_dir / 'rollcall.db'}"
        if self.jobs == "celery" and not self.redis_url:
            raise ValueError("JOBS=celery needs REDIS_URL")
        if self.face_detector == "hog" and find_spec("dlib") is None:
            raise ValueError("FACE_DETECTOR=hog needs dlib: install the package dlib-bin")
        if self.live_streams >= self.web_threads:
            raise ValueError("LIVE_STREAMS must be less than WEB_THREADS: the others answer everything else")
        if self.secret_key.get_secret_value() and self.face_keys:
            return self
        if self.environment == "production":
            raise ValueError("ENVIRONMENT=production needs SECRET_KEY and FACE_KEYS: see .env.example")
        own = _secrets_of(self.instance_dir)
        self.secret_key = SecretStr(self.secret_key.get_secret_value() or own["SECRET_KEY"])
        self.face_keys = self.face_keys or [SecretStr(own["FACE_KEYS"])]
        return self

    @property
    def database(self) -> URL:
        """The database with its driver: people write `postgresql://` and `mysql://`."""
        url = make_url(self.database_url)
        url = url.set(drivername=DRIVERS.get(url.drivername, url.drivername))
        if url.get_backend_name() in {"mysql", "mariadb"}:
            url = url.update_query_dict({"charset": "utf8mb4"})
        return url

    @property
    def token_lifetime(self) -> timedelta:
        return timedelta(hours=self.jwt_expiry_hours)

    @property
    def sign_in_lifetime(self) -> timedelta:
        return timedelta(hours=self.session_expiry_hours)


def _secrets_of(folder: Path) -> dict[str, str]:
    """The secrets that the first start made and every later one reads."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "secrets.env"
    made = f"SECRET_KEY={secrets.token_urlsafe(48)}\nFACE_KEYS={Fernet.generate_key().decode()}\n"
    draft = folder / f"secrets.{os.getpid()}.tmp"
    draft.touch(mode=0o600)
    draft.write_text(made)
    try:
        os.link(draft, file)  # whole or not at all, and only the first of two starts at once
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return {name: value for name, value in dotenv_values(file).items() if value}
