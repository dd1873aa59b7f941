"""`querywatch incidents`: what the database holds."""

from typing import Annotated

import typer

from detector.cli.console import results
from detector.cli.document import incidents_document, to_json
from detector.cli.listing import all_incidents, incident_by_prefix, reading
from detector.cli.options import QUIET, with_settings
from detector.cli.render import (
    counted,
    incident_panel,
    incident_table,
    severity_table,
    timeline_table,
)
from detector.config import Settings
from detector.incidents.model import Severity, Stage
from detector.pipeline.ports import IncidentQuery
from detector.scoring.finding import AttackClass

app = typer.Typer(no_args_is_help=True, help="Incidents in the database.")


@app.command("list")
@with_settings("database", defaults=QUIET)
def list_all(
    settings: Settings,
    client: Annotated[str | None, typer.Option(help="Only this client's.")] = None,
    model: Annotated[str | None, typer.Option(help="Only this model's.")] = None,
    attack_class: Annotated[
        list[AttackClass] | None, typer.Option("--class", help="Only this class. Repeatable.")
    ] = None,
    stage: Annotated[
        list[Stage] | None, typer.Option(help="Only in this stage. Repeatable.")
    ] = None,
    min_severity: Annotated[Severity | None, typer.Option(help="Only at least as severe.")] = None,
) -> None:
    """List incidents, oldest first."""
    query = IncidentQuery(
        client_id=client,
        model_id=model,
        attack_class=frozenset(attack_class or ()),
        stage=frozenset(stage or ()),
        min_severity=min_severity,
    )
    with reading(settings) as store:
        found = all_incidents(store, query)
    results().print(incident_table(found, title=counted(len(found), "incident")))


@app.command("show")
@with_settings("database", defaults=QUIET)
def show(
    settings: Settings,
    incident: Annotated[str, typer.Argument(metavar="ID", help="The id, or how it begins.")],
) -> None:
    """Show an incident with its evidence, severity and timeline."""
    with reading(settings) as store:
        found = incident_by_prefix(store, incident)
        with store.transaction() as transaction:
            timeline = transaction.incidents.timeline(found.incident_id)
    results().print(incident_panel(found), severity_table(found), timeline_table(timeline))


@app.command("export")
@with_settings("database", defaults=QUIET)
def export(settings: Settings) -> None:
    """Print all incidents as JSON, the same list as `replay --json` holds."""
    with reading(settings) as store:
        found = all_incidents(store)
    typer.echo(to_json(incidents_document(found)), nl=False)
