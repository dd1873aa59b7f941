"""The report's tables as texts, shown alike in the terminal and on the page."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from detector.evaluation.figures import Bar, Figures, Group, Hidden, Report, Technique
from detector.evaluation.metrics import Totals
from detector.evaluation.report.words import bar_figure, bar_verdict, number, percent, rate

MOST_SHOWN = 20


class Tone(StrEnum):
    """How a row should strike the reader."""

    GOOD = "good"
    BAD = "bad"
    QUIET = "quiet"
    PLAIN = "plain"


@dataclass(frozen=True, slots=True)
class Row:
    """Cells, the first one a name."""

    cells: tuple[str, ...]
    tone: Tone = Tone.PLAIN


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table; `columns` has a heading for each cell."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def sheets(report: Report) -> Iterator[Sheet]:
    """Yield the tables that have rows, bars last."""
    figures = report.figures
    made = (
        _attacks("Attacks", "technique", figures.techniques),
        _attacks("Attacks by variant", "variant", figures.variants),
        _names(figures),
        _early(figures),
        _hidden("Attacks among benign queries", figures.mixing),
        _hidden("Attacks over weeks", figures.slow),
        _benign(figures),
        _false_alarms(figures),
        _groups("By output form", figures.forms),
        _groups("By units on the wire", figures.wires),
        _groups("By deployment", figures.deployments),
        _fidelity(figures),
        _state(figures),
        _side_by_side(figures),
        bar_sheet(report.bars),
    )
    yield from (sheet for sheet in made if sheet.rows)


def closing(report: Report) -> str:
    """Return the last line: how many bars are met."""
    missed = sum(bar.met is False for bar in report.bars)
    measured = sum(bar.met is not None for bar in report.bars)
    return (
        f"{measured - missed} of {measured} bars met, {missed} missed"
        f" ({report.split}, {report.size}, {report.seconds:,.0f} s)"
    )


def bar_sheet(bars: Sequence[Bar]) -> Sheet:
    """Return the bars, met or missed."""
    tones = {True: Tone.GOOD, False: Tone.BAD, None: Tone.QUIET}
    rows = [Row((bar.name, *bar_figure(bar), bar_verdict(bar)), tones[bar.met]) for bar in bars]
    return Sheet("Bars", ("what should hold", "target", "measured", ""), tuple(rows))


def _attacks(title: str, heading: str, attacks: Mapping[str, Technique]) -> Sheet:
    rows = []
    for name, one in attacks.items():
        cells = (
            name, str(one.attack_class), str(one.streams), percent(one.found),
            percent(one.right_class), number(one.median_query), number(one.budget),
        )  # fmt: skip
        rows.append(Row(cells, Tone.PLAIN if one.detectable else Tone.QUIET))
    columns = (heading, "class", "streams", "found", "right class", "at query", "of")
    return Sheet(title, columns, tuple(rows))


def _names(figures: Figures) -> Sheet:
    rows = [
        Row((name, ", ".join(f"{named} {count}" for named, count in one.named.items())))
        for name, one in figures.techniques.items()
    ]
    return Sheet("Under what name in the end", ("technique", "named"), tuple(rows))


def _early(figures: Figures) -> Sheet:
    rows = [
        Row(
            (name, *map(percent, (one.by_32, one.by_64, one.by_330)),
             percent(one.before_second_record))
        )
        for name, one in figures.by_query.items()
    ]  # fmt: skip
    columns = ("technique", "query 32", "query 64", "query 330", "end of the second record")
    return Sheet("Share found by", columns, tuple(rows))


def _hidden(title: str, hidden: Mapping[str, Hidden]) -> Sheet:
    rows = [
        Row(
            (percent(float(name)), str(one.streams), percent(one.found),
             percent(one.right_class), number(one.median_attack_query))
        )
        for name, one in hidden.items()
    ]  # fmt: skip
    columns = ("benign share", "streams", "found", "right class", "after attack queries")
    return Sheet(title, columns, tuple(rows))


def _benign(figures: Figures) -> Sheet:
    rows = [
        Row(
            (name, f"{one.clients:,}", str(one.alarmed), rate(one.upper_bound)),
            Tone.BAD if one.alarmed else Tone.PLAIN,
        )
        for name, one in figures.benign.items()
    ]
    return Sheet("Benign clients", ("kind", "clients", "alarmed", "rate at most"), tuple(rows))


def _false_alarms(figures: Figures) -> Sheet:
    rows = [
        Row((one.client, one.model, number(one.alarm), one.named), Tone.BAD)
        for one in figures.false_alarms[:MOST_SHOWN]
    ]
    return Sheet("False incidents", ("kind", "model", "at query", "named"), tuple(rows))


def _groups(title: str, groups: Mapping[str, Group]) -> Sheet:
    rows = [
        Row(
            (name, str(one.attack_streams), percent(one.found), percent(one.right_class),
             f"{one.benign_clients:,}", str(one.false_clients))
        )
        for name, one in groups.items()
    ]  # fmt: skip
    columns = ("", "streams", "found", "right class", "benign clients", "alarmed")
    return Sheet(title, columns, tuple(rows))


def _fidelity(figures: Figures) -> Sheet:
    rows = [Row((name, percent(one))) for name, one in figures.fidelity.by_technique.items()]
    columns = ("extraction by", "share of the final gain in fidelity at the alarm")
    return Sheet("Stolen by then", columns, tuple(rows))


def _state(figures: Figures) -> Sheet:
    rows = [Row((f"{name} fields", f"{size:,}")) for name, size in figures.state_bytes.items()]
    return Sheet("State of a client", ("", "bytes"), tuple(rows))


def _side_by_side(figures: Figures) -> Sheet:
    named: dict[str, Totals] = {"querywatch": figures.totals, **figures.baselines}
    rows = [
        Row(
            (name, str(one.attack_streams), percent(one.found), percent(one.right_class),
             number(one.median_query), f"{one.benign_clients:,}", f"{one.false_clients:,}",
             rate(one.upper_bound))
        )
        for name, one in named.items()
    ]  # fmt: skip
    columns = (
        "", "streams", "found", "right class", "at query", "benign clients", "false",
        "rate at most",
    )  # fmt: skip
    return Sheet("Side by side", columns, tuple(rows))
