"""The report in the terminal."""

from rich.console import Console
from rich.table import Table

from detector.evaluation.figures import Report
from detector.evaluation.report.tables import Sheet, Tone, closing, sheets

STYLES = {Tone.GOOD: "green", Tone.BAD: "bold red", Tone.QUIET: "dim", Tone.PLAIN: None}


def show(console: Console, report: Report) -> None:
    """Print every table and whether the bars are met."""
    for sheet in sheets(report):
        console.print(_table(sheet))
        console.print()
    console.print(closing(report), style="bold")


def _table(sheet: Sheet) -> Table:
    table = Table(title=sheet.title, title_justify="left", box=None, padding=(0, 1))
    first, *others = sheet.columns
    table.add_column(first, no_wrap=True)
    for heading in others:
        is_text = heading in ("class", "named", "model")
        table.add_column(heading, justify="left" if is_text else "right", overflow="fold")
    for row in sheet.rows:
        table.add_row(*row.cells, style=STYLES[row.tone])
    return table
