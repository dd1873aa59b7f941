"""What a log can show, for people: tables a model, then what to add to the log."""

from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from detector.cli.log_notes import LogNotes
from detector.cli.render import counted, foreign, moment, printable
from detector.cli.replay import print_rejected
from detector.pipeline.capability import CapabilityReport, ModelReport

STYLES = {"full": "green", "weakened": "yellow", "blind": "red"}
MOST_LISTED = 8


def print_report(console: Console, report: CapabilityReport, notes: LogNotes) -> None:
    """The report for people."""
    log = report.facts
    console.print(f"{counted(log.events, 'event')} of {counted(len(report.models), 'model')}")
    if log.left_out:
        console.print(f"{log.left_out:,} events of other models", style="dim")
    if log.rejected:
        print_rejected(console, log.rejected, notes)
    if log.unknown_fields:
        line = f"Unknown fields, ignored: {printable(_counts(log.unknown_fields))}"
        console.print(line, style="yellow", markup=False)
    for model in report.models:
        console.print()
        _print_model(console, model)


def _print_model(console: Console, report: ModelReport) -> None:
    key = report.facts.model
    name = f"{key.model_id} (tenant {key.tenant_id})" if key.tenant_id else key.model_id
    console.print(Rule(Text(printable(name), "bold"), align="left", style="dim"))
    console.print(_facts_grid(report))
    console.print()
    console.print(_supply_table(report))
    console.print()
    console.print(_hypothesis_table(report))
    for item in report.supplies:
        if item.add:
            console.print(_advice(item.add, item.gains, len(report.hypotheses)))
    for note in report.notes:
        console.print(_bullet(Text(printable(note), "dim")))


def _facts_grid(report: ModelReport) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    for name, words in _facts(report).items():
        grid.add_row(name, foreign(words))
    return grid


def _facts(report: ModelReport) -> dict[str, str]:
    facts, who = report.facts, report.facts.identity
    first, last = moment(facts.time.first), moment(facts.time.last)
    return {
        "traffic": f"{counted(facts.events, 'event')} of {counted(who.clients, 'client')},"
        f" half of them with {who.queries_per_client:,.0f} or fewer",
        "time": f"{first} to {last}",
        "inputs": _inputs(report),
        "fields": _fields(report),
        "answers": _answers(report),
        "identity": f"{report.identity.value}: {_shares(who.sources)}; {_addresses(report)}",
    }


def _inputs(report: ModelReport) -> str:
    inputs = report.facts.inputs
    widths = f"{inputs.smallest:,} to {inputs.largest:,}"
    if inputs.smallest == inputs.largest:
        widths = f"{inputs.largest:,}"
    return f"{_shares(inputs.shares)}; {widths} values each" if inputs.largest else "none"


def _fields(report: ModelReport) -> str:
    inputs = report.facts.inputs
    if not inputs.fields:
        return "none by name or position"
    other = inputs.fields - inputs.numbers - inputs.categories
    mixed = f", {other:,} of both" if other else ""
    return (
        f"{inputs.numbers:,} of numbers ({_grids(report)}), {inputs.categories:,} of"
        f" categories{mixed}; {inputs.gaps:.1%} of values missing"
    )


def _grids(report: ModelReport) -> str:
    steps = report.facts.inputs.grids.items()
    return ", ".join(f"{count:,} rounded to {step}" for step, count in steps) or "none rounded"


def _answers(report: ModelReport) -> str:
    outputs = report.facts.outputs
    said = _shares({"label": outputs.label, "value": outputs.value})
    if not outputs.scored:
        return f"{said or 'no label'}; no scores"
    rounding = "not rounded" if outputs.decimals is None else f"{outputs.decimals} digits"
    return (
        f"{said or 'no label'}; scores, {outputs.classes:,} at most, {rounding}:"
        f" {_shares(outputs.scores)}"
    )


def _addresses(report: ModelReport) -> str:
    who = report.facts.identity
    if not who.addresses:
        return "no addresses"
    return (
        f"clients per address {who.clients_per_address:g}, at most {who.most_clients_per_address:,}"
    )


def _supply_table(report: ModelReport) -> Table:
    table = Table(title="What the log gives", title_justify="left", box=None, padding=(0, 1))
    for name in ("", "support", "found"):
        table.add_column(name)
    for item in report.supplies:
        table.add_row(item.name, _support(item.support.value), foreign(item.found))
    return table


def _hypothesis_table(report: ModelReport) -> Table:
    table = Table(title="What it lets detection see", title_justify="left", box=None)
    for name in ("technique", "class", "support", "lacks"):
        table.add_column(name)
    for item in report.hypotheses:
        row = (item.technique, item.attack_class.value, _support(item.support.value))
        table.add_row(*row, ", ".join(item.lacks))
    return table


def _support(name: str) -> Text:
    return Text(name, STYLES[name])


def _advice(add: str, gains: tuple[str, ...], every: int) -> Table:
    who = "all techniques" if len(gains) == every else ", ".join(gains)
    return _bullet(Text.assemble(add, (" → ", "dim"), (who, "cyan")))


def _bullet(text: Text) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_row("•", text)
    return grid


def _shares(shares: Mapping[Any, float]) -> str:
    """Shares that are not 0, largest first: `fields 97%, none 3%`."""
    listed = sorted(((n, s) for n, s in shares.items() if s), key=lambda item: -item[1])
    return ", ".join(f"{name} {size:.0%}" for name, size in listed)


def _counts(counts: Mapping[str, int]) -> str:
    listed = [f"{name} {count:,}" for name, count in list(counts.items())[:MOST_LISTED]]
    rest = len(counts) - len(listed)
    return ", ".join([*listed, f"{rest:,} more"] if rest else listed)
