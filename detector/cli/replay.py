"""`querywatch replay`: log files through the same pipeline as a topic."""

from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from detector.cli.console import progress, results
from detector.cli.document import replay_document, require_target, to_json
from detector.cli.listing import all_incidents
from detector.cli.log_notes import LogNotes, line_of
from detector.cli.options import QUIET, with_settings
from detector.cli.render import counted, incident_table, printable
from detector.config import Settings
from detector.incidents.model import Incident, Severity
from detector.kit.clock import SystemClock
from detector.kit.errors import ConfigurationError, DamagedLogError
from detector.kit.memory import settle_garbage_collector
from detector.pipeline.ports import Store

if TYPE_CHECKING:
    from detector.stream.stats import Stats

MEMORY_URL = "sqlite://"
"""A database that lives as long as the command."""
MOST_FIELDS = 8

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
    if resume and settings.database_url == MEMORY_URL:
        raise ConfigurationError("--resume: nothing was kept without a database; --database-url")
    require_target("--json", json)
    from detector import bootstrap
    from detector.cli import learn

    notes = _notes()
    with closing(bootstrap.open_database(settings)) as store:
        if reference:
            learn.learn_references(store, reference)
        stats, damage = replay_logs(settings, store, logs, resume=resume, notes=notes)
        incidents = all_incidents(store)
    if json is None:
        print_outcome(settings, stats, incidents, notes)
    else:
        _write(json, to_json(replay_document(stats, incidents, notes)))
    if damage is not None:  # what stands before it was judged and is shown
        raise damage
    if not resume or stats.rejected:  # else there may be nothing new
        notes.require_usable(stats.events, stats.rejected.total())


def replay_logs(
    settings: Settings,
    store: Store,
    logs: list[str],
    *,
    resume: bool = False,
    notes: LogNotes | None = None,
) -> "tuple[Stats, DamagedLogError | None]":
    """Run the files through the pipeline into the store, with a progress bar.

    Returns what was done, and the damage that ended it before the end of the log.
    """
    from detector import bootstrap

    notes = notes or _notes()
    with progress("Reading the log") as advance:
        loop = bootstrap.file_loop(
            settings, store, logs, advance, resume=resume, decoder=notes, watch=notes.watch
        )
        settle_garbage_collector()
        try:
            return loop.run(), None
        except DamagedLogError as damage:
            return loop.stats, damage


def _notes() -> LogNotes:
    clock = SystemClock()
    return LogNotes(lambda: int(clock.now().timestamp() * 1000))


def print_outcome(
    settings: Settings, stats: "Stats", incidents: list[Incident], notes: LogNotes
) -> None:
    """What was read and found, and what could not be judged, for people."""
    console = results()
    rate = stats.events / stats.seconds if stats.seconds else 0.0
    console.print(
        f"{stats.events:,} events of {stats.clients:,} clients in {stats.seconds:.1f} s"
        f" ({rate:,.0f} a second)"
    )
    if stats.rejected:
        print_rejected(console, stats.rejected, notes)
        if settings.database_url != MEMORY_URL:
            line = "Each with its reason: querywatch dlq list, with the same database"
            console.print(line, style="dim")
    print_unknown(console, notes)
    if not stats.events and not incidents:
        return
    _print_learning(console, settings, notes)
    alarms = [item for item in incidents if item.severity is not Severity.INFO]
    if not incidents:
        console.print("No incidents.", style="green")
        return
    title = (
        f"{counted(len(alarms), 'incident')} above info, {len(incidents) - len(alarms):,} at info"
    )
    console.print(incident_table(incidents, title=title))
    if settings.database_url == MEMORY_URL:
        hint = "The evidence: --json FILE, or --database-url and `querywatch incidents show ID`"
        console.print(hint, style="dim", markup=False)


def print_rejected(console: Console, rejected: Mapping[str, int], notes: LogNotes) -> None:
    """How many records could not be used, and where the first of each reason stands."""
    listed = []
    for reason, count in sorted(rejected.items(), key=lambda item: (-item[1], item[0])):
        place = notes.first.get(reason)
        where = f" (first in {printable(line_of(place))})" if place else ""
        listed.append(f"{reason} {count:,}{where}")
    line = f"{counted(sum(rejected.values()), 'record')} rejected: {', '.join(listed)}"
    console.print(line, style="yellow", markup=False, soft_wrap=True)


def print_unknown(console: Console, notes: LogNotes) -> None:
    """Name the fields that nothing looks at; one may be a misspelt one that is needed."""
    if notes.unknown:
        named = ", ".join(
            f"{printable(name)} {count:,}" for name, count in notes.unknown.most_common(MOST_FIELDS)
        )
        line = f"Unknown fields, ignored: {named}"
        console.print(line, style="yellow", markup=False, soft_wrap=True)


def _print_learning(console: Console, settings: Settings, notes: LogNotes) -> None:
    for item in notes.learning():
        line = (
            f"model {printable(item.model.model_id)}: no reference, still learning"
            f" ({item.events:,} of {settings.learning_min_events:,} events,"
            f" {item.clients:,} of {settings.learning_min_clients:,} clients):"
            " only signs that need none can fire"
        )
        console.print(line, style="yellow", markup=False)


def _write(target: str, body: bytes) -> None:
    if target == "-":
        typer.echo(body, nl=False)
    else:
        Path(target).write_bytes(body)
