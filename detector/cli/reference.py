"""`querywatch reference`: frozen pictures of benign traffic, one model at a time."""

from contextlib import closing
from typing import Annotated

import typer
from rich.table import Table
from rich.text import Text

from detector.cli.console import results
from detector.cli.listing import reading
from detector.cli.options import MOST_NUMBER, QUIET, storable, with_settings
from detector.cli.render import foreign, moment, printable
from detector.cli.replay import Logs
from detector.config import Settings
from detector.events.model import ModelKey
from detector.kit.errors import NotFoundError
from detector.pipeline.ports import ReferenceInfo, ReferenceStatus, Store

app = typer.Typer(no_args_is_help=True, help="Frozen pictures of benign traffic.")

Model = Annotated[
    str, typer.Option("--model", metavar="ID", callback=storable, help="The model's id.")
]
Tenant = Annotated[
    str, typer.Option("--tenant", metavar="ID", callback=storable, help="The model's tenant.")
]
Version = Annotated[
    int | None, typer.Option("--version", help="The version; the active one when left out.")
]


@app.command("build")
@with_settings("database", defaults=QUIET)
def build(
    settings: Settings,
    logs: Logs,
    model: Model,
    tenant: Tenant = "",
    activate: Annotated[
        bool, typer.Option(help="Make it the one in force; else it is only stored.")
    ] = True,
) -> None:
    """Learn a reference from trusted traffic and store it as the model's next version."""
    from detector import bootstrap
    from detector.cli import learn

    with closing(bootstrap.open_database(settings)) as store:
        key = ModelKey(tenant, model)
        with store.transaction() as transaction:
            before = {known.version for known in transaction.references.list(key)}
        [info] = learn.learn_references(store, logs, [key], activate=activate)
    results().print(
        f"Reference {info.version} of model {info.model.model_id}: {info.events:,} events of"
        f" {info.clients:,} clients,{' unchanged,' if info.version in before else ''}"
        f" {info.status.value}.",
        markup=False,
    )


@app.command("refresh")
@with_settings("database", defaults=QUIET)
def refresh(
    settings: Settings,
    logs: Logs,
    model: Model,
    tenant: Tenant = "",
    activate: Annotated[
        bool, typer.Option("--activate", help="Make it the one in force; else it is only stored.")
    ] = False,
    approve_drift: Annotated[
        bool,
        typer.Option(
            "--approve-drift", help="Take the traffic as it is: the new version is the new anchor."
        ),
    ] = False,
) -> None:
    """Let the active reference follow recent traffic, within the bounds of its anchor."""
    from detector.cli.refresh import (
        left_out_table,
        moves_table,
        refresh_policy,
        refresh_reference,
    )

    with reading(settings) as store:
        info, result = refresh_reference(
            store,
            ModelKey(tenant, model),
            logs,
            refresh_policy(settings),
            activate=activate,
            approve=approve_drift,
        )
    if result.left_out:
        results().print(left_out_table(result.left_out))
    if result.moves:
        results().print(moves_table(result))
    results().print(
        f"Reference {info.version} of model {info.model.model_id}: {result.events:,} events of"
        f" {result.clients:,} clients, {info.status.value}, {info.origin}.",
        markup=False,
    )


@app.command("list")
@with_settings("database", defaults=QUIET)
def list_all(settings: Settings) -> None:
    """List all references, newest version first within each model."""
    with reading(settings) as store, store.transaction() as transaction:
        found = transaction.references.list()
    table = Table(box=None, padding=(0, 1))
    for name in ("model", "tenant", "version", "status", "events", "clients", "created", "origin"):
        table.add_column(name)
    for info in found:
        table.add_row(*_row(info))
    results().print(table if found else "No references.")


@app.command("show")
@with_settings("database", defaults=QUIET)
def show(settings: Settings, model: Model, tenant: Tenant = "", version: Version = None) -> None:
    """Show what a reference holds."""
    with reading(settings) as store:
        info = _find(store, ModelKey(tenant, model), version)
    grid = Table.grid(padding=(0, 2))
    facts = {
        "model": info.model.model_id,
        "version": info.version,
        "status": info.status.value,
        "created": moment(info.created_at),
        "origin": info.origin,
        "events": info.events,
        "clients": info.clients,
        "digest": info.digest,
    }
    for name, value in (facts | dict(info.summary)).items():
        grid.add_row(Text(printable(name), "dim"), foreign(str(value)))
    results().print(grid)


@app.command("activate")
@with_settings("database", defaults=QUIET)
def activate(
    settings: Settings,
    model: Model,
    version: Annotated[int, typer.Option("--version", min=1, max=MOST_NUMBER, help="The version.")],
    tenant: Tenant = "",
) -> None:
    """Make a version the one in force; running readers take it up within seconds."""
    with reading(settings) as store, store.transaction() as transaction:
        info = transaction.references.activate(ModelKey(tenant, model), version)
    results().print(f"Reference {info.version} of model {model} is active.", markup=False)


def _find(store: Store, model: ModelKey, version: int | None) -> ReferenceInfo:
    with store.transaction() as transaction:
        for info in transaction.references.list(model):
            if info.version == version or (
                version is None and info.status is ReferenceStatus.ACTIVE
            ):
                return info
    wanted = "active reference" if version is None else f"reference version {version}"
    raise NotFoundError(f"model {model.model_id} has no {wanted}")


def _row(info: ReferenceInfo) -> list[Text]:
    values = (
        info.model.model_id,
        info.model.tenant_id,
        info.version,
        info.status.value,
        f"{info.events:,}",
        f"{info.clients:,}",
        moment(info.created_at),
        info.origin,
    )
    return [foreign(str(value)) for value in values]
