"""`querywatch demo`: the log that ships with the package, judged and held against the truth."""

import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.rule import Rule
from rich.table import Table

from detector.cli.console import results
from detector.cli.listing import all_incidents
from detector.cli.options import QUIET, with_settings
from detector.cli.render import counted, incident_panel
from detector.cli.replay import replay_logs
from detector.cli.scorecard import Scorecard, Tally, read_truth, score, total
from detector.config import Settings
from detector.incidents.model import Incident
from detector.scoring.finding import AttackClass

if TYPE_CHECKING:
    from detector.stream.stats import Stats

DATABASE_FILE = "querywatch-demo.db"
DATABASE_URL = f"sqlite:///{DATABASE_FILE}"
SHOWN_CLASSES = (AttackClass.EXTRACTION, AttackClass.INVERSION, AttackClass.MEMBERSHIP)


@with_settings("database", "stream", "detection", defaults={**QUIET, "database_url": DATABASE_URL})
def demo(
    settings: Settings,
    show: Annotated[int, typer.Option(min=1, help="Incidents shown in full of each class.")] = 1,
) -> None:
    """Replay real attacks among benign clients and print what was found.

    The incidents are kept in querywatch-demo.db, which is made anew each time, unless
    --database-url names another database.
    """
    from detector import bootstrap
    from detector.cli import learn
    from detector.evaluation.demo_data import log_path, reference_path, truth_path

    console = results()
    if settings.database_url == DATABASE_URL:
        _remove_last_run()
    console.print("Learning what benign traffic looks like, then replaying a week's log …")
    with closing(bootstrap.open_database(settings)) as store:
        learn.learn_references(store, [str(reference_path())], origin="demo")
        stats, damage = replay_logs(settings, store, [str(log_path())])
        if damage is not None:
            raise damage
        incidents = all_incidents(store)
    truth = read_truth(truth_path())
    _print_incidents(console, incidents, show)
    _print_scorecard(console, stats, score(truth, incidents))
    _print_next(console, settings)


def _remove_last_run() -> None:
    for suffix in ("", "-wal", "-shm"):
        Path(DATABASE_FILE + suffix).unlink(missing_ok=True)


def _print_incidents(console: Console, incidents: Sequence[Incident], show: int) -> None:
    for attack_class in SHOWN_CLASSES:
        found = sorted(
            (item for item in incidents if item.attack_class is attack_class),
            key=lambda item: (-item.severity.rank, -item.confidence, item.incident_id),
        )
        console.print(Rule(f"{attack_class.value}: {counted(len(found), 'incident')}", style="dim"))
        for incident in found[:show]:
            console.print(incident_panel(incident))


def _print_scorecard(console: Console, stats: "Stats", card: Scorecard) -> None:
    benign, attacks = total(card.benign.values()), total(card.attacks.values())
    console.print(Rule("against the truth", style="dim"))
    console.print(
        f"{stats.events:,} events of {stats.clients:,} clients in {stats.seconds:.1f} s"
        f" ({stats.events / max(stats.seconds, 1e-9):,.0f} a second)"
    )
    console.print(_attack_table(card.attacks, "attack clients"))
    if card.silent:
        console.print(_attack_table(card.silent, "attacks that leave no trace in any log"))
    console.print(_benign_table(card.benign))
    console.print(
        f"[bold]{attacks.alarmed} of {attacks.clients}[/] attack clients found,"
        f" [bold]{attacks.named}[/] under the right class;"
        f" [bold]{benign.alarmed} of {benign.clients}[/] benign clients raised an alarm."
    )


def _attack_table(tallies: Mapping[tuple[str, str], Tally], title: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    for name in ("class", "technique"):
        table.add_column(name)
    for name in ("clients", "found", "right class"):
        table.add_column(name, justify="right")
    for (attack_class, technique), tally in sorted(tallies.items()):
        figures = (tally.clients, tally.alarmed, tally.named)
        table.add_row(attack_class, technique, *map(str, figures))
    return table


def _benign_table(tallies: Mapping[str, Tally]) -> Table:
    table = Table(title="benign clients", title_justify="left", box=None, padding=(0, 1))
    table.add_column("kind")
    table.add_column("clients", justify="right")
    table.add_column("alarms", justify="right")
    for kind, tally in sorted(tallies.items()):
        style = "red" if tally.alarmed else None
        table.add_row(kind, str(tally.clients), str(tally.alarmed), style=style)
    return table


def _print_next(console: Console, settings: Settings) -> None:
    # A URL with a password is not repeated on the screen.
    url = settings.database_url if settings.database_url.startswith("sqlite") else "…"
    option = f"--database-url {shlex.quote(url)}"
    console.print(Rule("look further", style="dim"))
    program = "querywatch" if shutil.which("querywatch") else shlex.quote(sys.argv[0])
    for command in ("incidents list", "serve"):
        console.print(f"  {program} {command} {option}", markup=False, soft_wrap=True)
    console.print("  and then http://127.0.0.1:8080/api/v1/incidents", markup=False)
