"""Refreshing a stored reference from log files, and telling what came of it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from rich.table import Table
from rich.text import Text

from detector import bootstrap
from detector.cli.learn import events_by_model, report_rejected
from detector.cli.render import foreign
from detector.config import Settings
from detector.events.model import ModelKey
from detector.kit.errors import ConfigurationError, NotFoundError
from detector.pipeline.ports import ReferenceInfo, ReferenceStatus, Store, Transaction
from detector.pipeline.refresh import ReferenceRefresher, RefreshPolicy, RefreshResult
from detector.reference.picture import Reference
from detector.scoring.tables import ScoringPolicy

ANCHOR_VERSION = "anchor_version"
ANCHOR_DIGEST = "anchor_digest"
FOLLOWS = "follows_version"
ORIGIN, APPROVED = "refresh", "approved drift"
MOST_MOVES = 12


def refresh_policy(settings: Settings) -> RefreshPolicy:
    """Who may teach, by the settings that detection itself has."""
    scoring = ScoringPolicy(alarm_budget=settings.alarm_budget)
    return RefreshPolicy(scoring=scoring, max_clients=settings.max_clients)


def refresh_reference(
    store: Store,
    model: ModelKey,
    logs: Sequence[str],
    policy: RefreshPolicy,
    *,
    activate: bool,
    approve: bool,
) -> tuple[ReferenceInfo, RefreshResult]:
    """Store the next version of the model's active reference; return it and how it came about.

    Its summary names the anchor, which is the last version that a person built or approved: with
    `approve` the new version itself.

    Raises:
        NotFoundError: the model has no active reference.
        ConfigurationError: the log does not allow it, or the anchor is gone.
        DriftRefusedError: the traffic lies too far from the anchor.
    """
    with store.transaction() as transaction:
        active, current = _active(transaction, model)
        anchor_info, anchor = _anchor(transaction, active, current)
    refresher = ReferenceRefresher(current, policy)
    rejected: Counter[str] = Counter()
    for _, events in events_by_model(logs, rejected):
        refresher.add(events)
    report_rejected(rejected)
    result = refresher.approve() if approve else refresher.refresh(anchor)
    lineage: dict[str, str | int | float | bool] = {FOLLOWS: active.version}
    if not approve:
        lineage |= {ANCHOR_VERSION: anchor_info.version, ANCHOR_DIGEST: anchor_info.digest}
    origin = APPROVED if approve else ORIGIN
    info = bootstrap.reference_info(model, result.reference, origin=origin, activate=activate)
    with store.transaction() as transaction:
        stored = transaction.references.add(
            replace(info, summary={**info.summary, **lineage}), result.reference.to_bytes()
        )
    return stored, result


def _active(transaction: Transaction, model: ModelKey) -> tuple[ReferenceInfo, Reference]:
    for info in transaction.references.list(model):
        if info.status is ReferenceStatus.ACTIVE:
            return info, _body(transaction, info)
    raise NotFoundError(f"model {model.model_id} has no active reference; build one first")


def _anchor(
    transaction: Transaction, active: ReferenceInfo, current: Reference
) -> tuple[ReferenceInfo, Reference]:
    """Return the version that a person stood for; one that no refresh made is its own anchor."""
    version = active.summary.get(ANCHOR_VERSION)
    if version is None:
        return active, current
    for info in transaction.references.list(active.model):
        if info.version == version and info.digest == active.summary[ANCHOR_DIGEST]:
            return info, _body(transaction, info)
    raise ConfigurationError(
        f"model {active.model.model_id}: reference version {version}, the anchor of version "
        f"{active.version}, is gone; build a reference anew"
    )


def _body(transaction: Transaction, info: ReferenceInfo) -> Reference:
    body = transaction.references.body(info.model, info.version)
    if body is None:
        raise NotFoundError(f"model {info.model.model_id} has no reference {info.version}")
    return Reference.from_bytes(body)


def moves_table(result: RefreshResult) -> Table:
    """What moved, farthest first in shares of what is allowed."""
    table = Table(title="What moved", title_justify="left", box=None, padding=(0, 1))
    table.add_column("quantity", overflow="fold")
    for name in ("now", "from the anchor", "at most"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for move in result.moves[:MOST_MOVES]:
        numbers = (f"{value:.3f}" for value in (move.step, move.total, move.allowed))
        table.add_row(foreign(move.what), *numbers, Text(move.unit, "dim"))
    return table


def left_out_table(left_out: Mapping[str, str]) -> Table:
    """Who did not teach, and why."""
    table = Table(title="Left out", title_justify="left", box=None, padding=(0, 1))
    for name in ("client", "because"):
        table.add_column(name, overflow="fold")
    for client, reason in sorted(left_out.items()):
        table.add_row(foreign(client), foreign(reason))
    return table
