"""`querywatch inspect`: what a log holds, what that lets detection see, and what to add to it."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from detector.cli.console import progress, results
from detector.cli.document import require_target, to_json
from detector.cli.log_notes import LogNotes
from detector.cli.options import QUIET, with_settings
from detector.cli.replay import Logs
from detector.config import Settings
from detector.kit.errors import NotFoundError
from detector.kit.memory import settle_garbage_collector

if TYPE_CHECKING:
    from detector.pipeline.capability import CapabilityReport, ModelReport


@with_settings(defaults=QUIET)
def inspect(
    settings: Settings,
    logs: Logs,
    model: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Look at this model only. Repeatable."),
    ] = None,
    json: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Write JSON instead of tables; - is standard output."),
    ] = None,
) -> None:
    """Say what log files hold, which attacks that can show, and what to add to the log."""
    require_target("--json", json)
    notes = LogNotes()
    report = inspect_logs(logs, model or (), notes)
    if json is None:
        from detector.cli.capability_tables import print_report

        print_report(results(), report, notes)
    elif json == "-":
        typer.echo(to_json(capability_document(report)), nl=False)
    else:
        Path(json).write_bytes(to_json(capability_document(report)))
    notes.require_usable(report.facts.events, sum(report.facts.rejected.values()))


def inspect_logs(
    logs: list[str], models: Iterable[str] = (), notes: LogNotes | None = None
) -> "CapabilityReport":
    """Read the files once and judge them; raises `NotFoundError` for a model they do not hold."""
    from detector import bootstrap
    from detector.pipeline.capability import judge
    from detector.pipeline.census import LogCensus

    wanted, notes = frozenset(models), notes or LogNotes()
    census = LogCensus(wanted)
    with progress("Reading the log") as advance:
        settle_garbage_collector()
        for decoded in bootstrap.decoded_files(logs, advance, notes):
            census.add(decoded)
    report = judge(census.facts())
    absent = wanted - {item.facts.model.model_id for item in report.models}
    if absent and report.facts.events:
        raise NotFoundError(f"the log holds no event of model {', '.join(sorted(absent))}")
    return report


def capability_document(report: "CapabilityReport") -> dict[str, Any]:
    """The JSON of `schemas/capability/v1.schema.json`."""
    document: dict[str, Any] = msgspec.to_builtins(report.facts)
    return document | {"models": [_model_document(model) for model in report.models]}


def _model_document(report: "ModelReport") -> dict[str, Any]:
    document: dict[str, Any] = msgspec.to_builtins(report)
    facts = document.pop("facts")
    strength = document.pop("identity")
    facts["identity"]["strength"] = strength
    return (
        report.facts.model._asdict() | {k: v for k, v in facts.items() if k != "model"} | document
    )
