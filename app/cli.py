"""The administrator's commands: `flask create-admin`, `flask demo`, `flask faces build`, `flask faces rotate-key`,
`flask faces evaluate`, `flask audit verify`, `flask reports rebuild`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
from apiflask import APIFlask
from flask.cli import with_appcontext
from pydantic import TypeAdapter, ValidationError

from app.extensions import settings
from app.faces import ModelBroken, build_all
from app.models import Role
from app.schemas.base import Email
from app.services import audit, counting, demo, evaluation, installation, organisations, vault
from app.services.errors import Refusal
from app.services.evaluation import Evaluated


def register(app: APIFlask) -> None:
    app.cli.add_command(make_admin)
    app.cli.add_command(make_demo)
    app.cli.add_command(faces)
    app.cli.add_command(audit_log)
    app.cli.add_command(reports)


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
@click.option("--installation", "manages", is_flag=True, help="Let them manage all organisations, too.")
def make_admin(email: str, password: str, organisation: str, manages: bool) -> None:
    """Make an administrator of an organisation."""
    installation.prepare()
    role = Role.SUPER_ADMIN if manages else Role.ADMIN
    try:
        admin = installation.create_admin(email, password, organisation, role)
    except Refusal as refused:
        raise click.ClickException(refused.detail) from refused
    click.echo(f"{admin.email} administers {organisation}")


@click.group("audit")
def audit_log() -> None:
    """Commands for the audit log."""


@audit_log.command("verify")
@with_appcontext
def verify() -> None:
    """Check that no entry was changed or removed; shows the last entry of each organisation, to be noted elsewhere."""
    broken = False
    for organisation in organisations.all_organisations():
        wrong = audit.verify(organisation.id)
        broken = broken or bool(wrong)
        click.echo(f"{organisation.name}: {'; '.join(wrong) or 'whole'}, last entry {audit.head(organisation.id)}")
    if broken:
        raise click.ClickException("The audit log was tampered with")


@click.group("faces")
def faces() -> None:
    """Commands for face data."""


@faces.command("rotate-key")
@with_appcontext
def rotate_key() -> None:
    """Encrypt face templates and kept secrets anew, with the newest of FACE_KEYS; can be interrupted and run again."""
    sealed, unreadable = vault.rotate_key()
    click.echo(f"{sealed} face templates and secrets are encrypted with the newest key")
    if unreadable:
        raise click.ClickException(f"None of FACE_KEYS opens {unreadable} others, which stay as they are")


@faces.command("build")
@with_appcontext
def build_models() -> None:
    """Build the face engine's models where they are missing or broken, as each start does."""
    try:
        build_all(settings().faces_dir)
    except (ModelBroken, OSError) as broken:
        raise click.ClickException(f"The face engine's models cannot be built: {broken}") from broken
    click.echo(f"The models are in {settings().faces_dir}")


@faces.command("evaluate")
@with_appcontext
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--pairs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV with the columns a, b (pictures in FOLDER), same (1: one person, 0: two) and, if there are any, group.",
)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Draw the curves into this folder.")
def evaluate(folder: Path, pairs: Path | None, out: Path | None) -> None:
    """Try the recognition on pictures whose people are known: a folder per person in FOLDER, or pairs in a CSV."""
    try:
        found = evaluation.evaluate(folder, pairs, lambda n, of: click.echo(f"{n} of {of} pictures", err=True))
    except (evaluation.PairsUnreadable, ModelBroken) as wrong:
        raise click.ClickException(str(wrong)) from wrong
    click.echo(f"{found.pictures - len(found.unread)} of {found.pictures} pictures could be used")
    for name, reason in found.unread.items():
        click.echo(f"  {name}: {reason}")
    if found.lost:
        click.echo(f"{found.lost} pairs are left out for them")
    for part in found.parts:
        for line in _told(part):
            click.echo(line)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        for name, content in evaluation.charts(found).items():
            (out / name).write_bytes(content)
            click.echo(f"{out / name} is drawn")


def _told(part: Evaluated) -> Iterator[str]:
    of_one, of_two = len(part.pairs.of_one), len(part.pairs.of_two)
    yield f"\n{part.name}: {of_one} of one person, {of_two} of two"
    yield "threshold  true match rate        false match rate"
    for rates in part.rates:
        true, false = _share(rates.true, of_one), _share(rates.false, of_two)
        yield f"{rates.threshold:.2f}       {true:<22} {false}{'  (default)' if rates.is_default else ''}".rstrip()
    if part.equal_error:
        yield "equal error rate: {:.2%} at {:.3f}".format(*part.equal_error)
    if part.reliability:
        yield f"stated and observed probability differ by {part.reliability.error:.4f} on average"


def _share(some: int, of: int) -> str:
    return f"{some / of:7.2%} ({some} of {of})" if of else "no pairs"


@click.group()
def reports() -> None:
    """What figures are summed from."""


@reports.command("rebuild")
@with_appcontext
def rebuild_reports() -> None:
    """Count the records of all organisations anew, in case the tables were written to by other means."""
    click.echo(f"The records of {counting.rebuild()} sessions are counted")


@click.command("demo")
@with_appcontext
def make_demo() -> None:
    """Fill the installation with a believable school and an evening college, for trying things out."""
    if settings().environment == "production":
        raise click.ClickException("The demonstration's passwords are known to everybody: not in production")
    installation.prepare()
    for line in demo.make():
        click.echo(line)
