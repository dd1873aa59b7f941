"""The report as tables in the terminal."""

from collections.abc import Iterator, Mapping

from rich.console import Console, RenderableType
from rich.table import Table

from detector.evaluation.figures import Bar, Figures, Group, Hidden, Report
from detector.evaluation.metrics import Totals
from detector.evaluation.report.words import bar_figure, bar_verdict, number, percent, rate


def show(console: Console, report: Report) -> None:
    """Print the report."""
    for part in _parts(report):
        console.print(part)


def _parts(report: Report) -> Iterator[RenderableType]:
    figures = report.figures
    if figures.techniques:
        yield _techniques(figures)
        yield _early(figures)
    for title, hidden in (
        ("attacks among benign queries", figures.mixing),
        ("attacks over weeks", figures.slow),
    ):
        if hidden:
            yield _hidden(title, hidden)
    if figures.benign:
        yield _benign(figures)
    for title, groups in (
        ("by output form", figures.forms),
        ("by units on the wire", figures.wires),
        ("by deployment", figures.deployments),
    ):
        yield _groups(title, groups)
    yield _totals({"querywatch": figures.totals, **figures.baselines})
    yield _bars(report.bars)
    yield _closing(report)


def _table(title: str, names: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", box=None, padding=(0, 1))
    table.add_column(names)
    for column in columns:
        table.add_column(column, justify="right")
    return table


def _techniques(figures: Figures) -> Table:
    table = _table(
        "attacks", "technique", "class", "streams", "found", "right class", "at query", "of", "as"
    )
    for name, row in figures.techniques.items():
        mistaken = {k: v for k, v in row.named.items() if k not in (name, "nothing")}
        table.add_row(
            name,
            str(row.attack_class),
            str(row.streams),
            percent(row.found),
            percent(row.right_class),
            number(row.median_query),
            number(row.budget),
            ", ".join(f"{k} {v}" for k, v in list(mistaken.items())[:2]),
            style=None if row.detectable else "dim",
        )
    return table


def _early(figures: Figures) -> Table:
    table = _table("found by query", "technique", "32", "64", "330", "2nd record")
    for name, row in figures.by_query.items():
        second = row.before_second_record
        shares = (row.by_32, row.by_64, row.by_330)
        table.add_row(name, *map(percent, shares), "" if second is None else percent(second))
    return table


def _hidden(title: str, hidden: Mapping[str, Hidden]) -> Table:
    table = _table(title, "benign share", "streams", "found", "right class", "after attack queries")
    for name, row in hidden.items():
        table.add_row(
            percent(float(name)),
            str(row.streams),
            percent(row.found),
            percent(row.right_class),
            number(row.median_attack_query),
        )
    return table


def _benign(figures: Figures) -> Table:
    table = _table("benign clients", "kind", "clients", "alarmed", "rate at most (95%)")
    for name, row in figures.benign.items():
        style = "red" if row.alarmed else None
        table.add_row(
            name, f"{row.clients:,}", str(row.alarmed), rate(row.upper_bound), style=style
        )
    return table


def _groups(title: str, groups: Mapping[str, Group]) -> Table:
    table = _table(title, "", "streams", "found", "right class", "benign", "alarmed")
    for name, row in groups.items():
        table.add_row(
            name,
            str(row.attack_streams),
            percent(row.found),
            percent(row.right_class),
            f"{row.benign_clients:,}",
            str(row.false_clients),
        )
    return table


def _totals(rows: Mapping[str, Totals]) -> Table:
    table = _table(
        "side by side", "", "streams", "found", "right class", "at query", "benign", "false",
        "rate at most",
    )  # fmt: skip
    for name, row in rows.items():
        table.add_row(
            name,
            str(row.attack_streams),
            percent(row.found),
            percent(row.right_class),
            number(row.median_query),
            f"{row.benign_clients:,}",
            f"{row.false_clients:,}",
            rate(row.upper_bound),
        )
    return table


def _bars(bars: tuple[Bar, ...]) -> Table:
    table = _table("bars", "what should hold", "target", "measured", "")
    styles = {True: "green", False: "bold red", None: "dim"}
    for bar in bars:
        target, figure = bar_figure(bar)
        table.add_row(bar.name, target, figure, bar_verdict(bar), style=styles[bar.met])
    return table


def _closing(report: Report) -> str:
    missed = sum(bar.met is False for bar in report.bars)
    measured = sum(bar.met is not None for bar in report.bars)
    return (
        f"{measured - missed} of {measured} bars met, {missed} missed;"
        f" {report.split}, {report.size}, {report.seconds:,.0f} s"
    )
