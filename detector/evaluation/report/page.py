"""The report as one page that needs nothing else: tables and inline plots."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from detector.evaluation.figures import Report
from detector.evaluation.report.plots import plots
from detector.evaluation.report.tables import bar_sheet, closing, sheets

TEXT_COLUMNS = ("class", "named", "model")


def page(report: Report) -> str:
    """Return the HTML of a report."""
    environment = Environment(
        loader=PackageLoader("detector.evaluation", "report"),
        autoescape=True,
        undefined=StrictUndefined,
        keep_trailing_newline=True,
    )
    bars = bar_sheet(report.bars)
    return environment.get_template("page.html.j2").render(
        title=f"querywatch evaluation: {report.split.replace('_', ' ')}",
        report=report,
        closing=closing(report),
        bars=bars,
        sheets=[sheet for sheet in sheets(report) if sheet.title != bars.title],
        plots=plots(report.figures),
        texts=TEXT_COLUMNS,
    )
