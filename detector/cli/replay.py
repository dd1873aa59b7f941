"""`querywatch replay`: log files through the same pipeline as a topic."""

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.console import progress, results
from detector.cli.document import replay_document, to_json
from detector.cli.listing import all_incidents
from detector.cli.options import QUIET, with_settings
from detector.cli.render import counted, incident_table
from detector.config import Settings
from detector.incidents.model import Incident, Severity
from detector.kit.errors import ConfigurationError
from detector.kit.memory import settle_garbage_collector
from detector.pipeline.ports import Store

if TYPE_CHECKING:
    from detector.stream.stats import Stats

MEMORY_URL = "sqlite://"
"""A database that lives as long as the command."""

Logs = Annotated[
    list[str],
    typer.Argument(metavar="LOG...", help="Log files: .jsonl, .gz, .zst; - is standard input."),
]


@with_settings(
    "database",
    "stream",
    "detection",
    # A file is at hand and does not grow: its unusable lines are counted, and that is all.
    defaults={**QUIET, "database_url": MEMORY_URL, "dead_letter_share": 1.0},
)
def replay(
    settings: Settings,
    logs: Logs,
    reference: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LOG",
            help="Trusted traffic: every model in it gets a reference from it first. Repeatable.",
        ),
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where an earlier replay of the same files into this database stopped.",
        ),
    ] = False,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write JSON instead of a table; - is standard output."),
    ] = None,
) -> None:
    """Judge log files and print the incidents.

    Without --database-url (or its variable) the incidents are kept in memory only.
    """
    if "-" in logs and "-" in (reference or ()):
        raise ConfigurationError("standard input can be read only once")
    from detector import bootstrap
    from detector.cli import learn

    with closing(bootstrap.open_database(settings)) as store:
        if reference:
            learn.learn_references(store, reference)
        stats = replay_logs(settings, store, logs, resume=resume)
        incidents = all_incidents(store)
    if json is None:
        print_outcome(stats, incidents)
    else:
        _write(json, to_json(replay_document(stats, incidents)))


def replay_logs(
    settings: Settings, store: Store, logs: list[str], *, resume: bool = False
) -> "Stats":
    """Run the files through the pipeline into the store, with a progress bar."""
    from detector import bootstrap

    with progress("Reading the log") as advance:
        loop = bootstrap.file_loop(settings, store, logs, advance, resume=resume)
        settle_garbage_collector()
        return loop.run()


def print_outcome(stats: "Stats", incidents: list[Incident]) -> None:
    """What was read and found, for people."""
    console = results()
    rate = stats.events / stats.seconds if stats.seconds else 0.0
    console.print(
        f"{stats.events:,} events of {stats.clients:,} clients in {stats.seconds:.1f} s"
        f" ({rate:,.0f} a second)"
    )
    if stats.rejected:
        reasons = ", ".join(f"{name} {count:,}" for name, count in stats.rejected.most_common())
        console.print(f"{stats.rejected.total():,} records rejected: {reasons}", style="yellow")
    alarms = [item for item in incidents if item.severity is not Severity.INFO]
    if not incidents:
        console.print("No incidents.", style="green")
        return
    title = (
        f"{counted(len(alarms), 'incident')} above info, {len(incidents) - len(alarms):,} at info"
    )
    console.print(incident_table(incidents, title=title))


def _write(target: str, body: bytes) -> None:
    if target == "-":
        typer.echo(body, nl=False)
    else:
        Path(target).write_bytes(body)
