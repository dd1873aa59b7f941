"""Incidents for people: one-line tables and a panel that shows the evidence."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from detector.incidents.model import Incident, Severity, TimelineEntry
from detector.scoring.finding import Evidence, LogRange

STYLES = {
    Severity.INFO: "dim",
    Severity.LOW: "cyan",
    Severity.MEDIUM: "yellow",
    Severity.HIGH: "red",
    Severity.CRITICAL: "bold white on red",
}
SHORT_ID = 8


def printable(text: str) -> str:
    """The text with everything that does not print, but for line ends, as escapes.

    What clients send is shown to people, and no terminal may obey it.
    """
    return "".join(
        c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text
    )


def foreign(text: str) -> Text:
    """Foreign text, as it stands but for what does not print."""
    return Text(printable(text))


def incident_table(incidents: Iterable[Incident], *, title: str) -> Table:
    """One row an incident."""
    table = Table(title=escape(title), title_justify="left", expand=True, box=None, padding=(0, 1))
    for name in ("severity", "class", "client", "model", "technique"):
        table.add_column(name, overflow="fold")
    table.add_column("conf.", justify="right", no_wrap=True)
    table.add_column("at query", justify="right", no_wrap=True)
    table.add_column("incident", no_wrap=True)
    for item in incidents:
        table.add_row(
            Text(item.severity.value, STYLES[item.severity]),
            item.attack_class.value,
            foreign(item.client_id),
            foreign(item.model_id),
            ", ".join(item.techniques),
            f"{item.confidence:.3f}",
            f"{item.opened_at_query:,}",
            item.incident_id[:SHORT_ID],
        )
    return table


def incident_panel(incident: Incident) -> Panel:
    """An incident with its evidence, for reading."""
    rows: list[RenderableType] = [_facts(incident), Text()]
    previous: tuple[LogRange, ...] = ()
    for item in incident.evidence:
        rows.append(_statement(item))
        if item.ranges != previous:
            rows.append(_places(item.ranges))
        previous = item.ranges
    title = f"{incident.attack_class.value} · {escape(printable(incident.client_id))}"
    severity = incident.severity
    return Panel(
        Group(*rows),
        title=f"[{STYLES[severity]}] {severity.value} [/] [bold]{title}[/]",
        title_align="left",
        subtitle=f"[dim]{incident.incident_id}[/]",
        subtitle_align="right",
        border_style="dim",
    )


def severity_table(incident: Incident) -> Table:
    """How the severity came about."""
    table = Table(title="severity", title_justify="left", box=None, padding=(0, 1))
    table.add_column("points", justify="right")
    table.add_column("factor")
    table.add_column("because")
    for factor in incident.severity_breakdown:
        table.add_row(f"{factor.points:+g}", factor.name, foreign(factor.reason))
    return table


def timeline_table(entries: Sequence[TimelineEntry]) -> Table:
    """The acts of machine and people, oldest first."""
    table = Table(title="timeline", title_justify="left", box=None, padding=(0, 1))
    for name in ("time", "actor", "act", "what"):
        table.add_column(name)
    for entry in entries:
        table.add_row(
            moment(entry.at), foreign(entry.actor), entry.kind.value, foreign(entry.summary)
        )
    return table


def moment(at: datetime) -> str:
    """A time to the second, UTC."""
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _facts(incident: Incident) -> Table:
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column()
    grid.add_row("model", foreign(incident.model_id))
    atlas = f" ({', '.join(incident.atlas)})" if incident.atlas else ""
    grid.add_row("technique", ", ".join(incident.techniques) + atlas)
    grid.add_row("confidence", f"{incident.confidence:.3f}{_calibration(incident)}")
    grid.add_row(
        "opened",
        f"{moment(incident.opened_at)}, at the client's query {incident.opened_at_query:,}",
    )
    grid.add_row("last seen", f"{moment(incident.last_seen)}, after {incident.queries:,} queries")
    return grid


def _calibration(incident: Incident) -> str:
    if incident.calibrated:
        return ", judged against a reference of benign traffic"
    return ", without a reference of benign traffic"


def _statement(evidence: Evidence) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(no_wrap=True)
    grid.add_column()
    grid.add_row("•", foreign(evidence.statement))
    return grid


def _places(ranges: Sequence[LogRange]) -> RenderableType:
    """Name each log once, whatever number of its offsets follow."""
    logs: dict[str, list[LogRange]] = {}
    for item in ranges:
        name = printable(item.topic.rpartition("/")[2])
        logs.setdefault(f"{name}/{item.partition}", []).append(item)
    places = "; ".join(f"{name} {_offsets(items)}" for name, items in logs.items())
    return Padding(Text(f"in the log: {places}", style="dim"), (0, 0, 0, 2))


def _offsets(ranges: Sequence[LogRange]) -> str:
    """Plain numbers, to be copied: nothing stands between their digits."""
    listed = ", ".join(
        str(first) if first == last else f"{first} to {last}"
        for first, last in ((item.first_offset, item.last_offset) for item in ranges)
    )
    one = len(ranges) == 1 and ranges[0].first_offset == ranges[0].last_offset
    return f"{'offset' if one else 'offsets'} {listed}"


def counted(number: int, noun: str) -> str:
    """`1 incident`, `2 incidents`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
