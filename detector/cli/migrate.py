"""`querywatch migrate`: the database's schema."""

from typing import Annotated

import typer

from detector.cli.options import QUIET, with_settings
from detector.config import Settings
from detector.kit.errors import ConfigurationError


@with_settings("database", defaults=QUIET)
def migrate(
    settings: Settings,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 2 when not up to date.")
    ] = False,
    revision: Annotated[
        str | None,
        typer.Option(
            help="Go to that revision, downwards too; base empties the database and loses it all."
        ),
    ] = None,
    yes: Annotated[
        bool, typer.Option("--yes", help="Needed for --revision base, which loses all.")
    ] = False,
) -> None:
    """Bring the database's schema up to date."""
    from detector import bootstrap
    from detector.storage import migrate as schema

    if check and revision:
        raise ConfigurationError("--check and --revision do not go together")
    if revision == "base" and not yes:
        raise ConfigurationError(
            "--revision base empties the database, incidents and references too; add --yes"
        )
    if check:
        bootstrap.open_existing_database(settings).close()
    elif revision:
        bootstrap.move_database(settings, revision)
    else:
        bootstrap.upgrade_database(settings)
    typer.echo(f"The schema is at revision {revision or schema.head()}.")
