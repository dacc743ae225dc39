"""The administrator's commands: `flask create-admin`, `flask demo`, `flask faces rotate-key`."""

from __future__ import annotations

import click
from apiflask import APIFlask
from flask.cli import with_appcontext
from pydantic import TypeAdapter, ValidationError

from app.extensions import settings
from app.schemas.base import Email
from app.services import demo, face_vault, installation
from app.services.errors import Refusal


def register(app: APIFlask) -> None:
    app.cli.add_command(make_admin)
    app.cli.add_command(make_demo)
    app.cli.add_command(faces)


def _email(_context: click.Context, _parameter: click.Parameter, value: str) -> str:
    try:
        return TypeAdapter[str](Email).validate_python(value)
    except ValidationError as wrong:
        raise click.BadParameter(f"{value} is not an email address") from wrong


@click.command("create-admin")
@with_appcontext
@click.option("--email", required=True, callback=_email)
@click.option("--password", required=True, prompt=True, hide_input=True)
@click.option("--organisation", required=True, help="By name; made if it is new.")
def make_admin(email: str, password: str, organisation: str) -> None:
    """Make an administrator of an organisation."""
    installation.prepare()
    try:
        admin = installation.create_admin(email, password, organisation)
    except Refusal as refused:
        raise click.ClickException(refused.detail) from refused
    click.echo(f"{admin.email} administers {organisation}")


@click.group("faces")
def faces() -> None:
    """Commands for face data."""


@faces.command("rotate-key")
@with_appcontext
def rotate_key() -> None:
    """Encrypt all face templates anew, with the newest of FACE_KEYS."""
    click.echo(f"{face_vault.rotate_key()} face templates are encrypted with the newest key")


@click.command("demo")
@with_appcontext
def make_demo() -> None:
    """Fill the installation with a believable school and an evening college, for trying things out."""
    if settings().environment == "production":
        raise click.ClickException("The demonstration's passwords are known to everybody: not in production")
    installation.prepare()
    for line in demo.make():
        click.echo(line)
