"""`querywatch evaluate`: real attacks and benign clients against the product's own detection."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import typer

from detector.cli import evaluate_options as option
from detector.cli.console import progress, results
from detector.cli.document import require_target, to_json
from detector.cli.evaluate_options import SizeName, SplitName
from detector.cli.options import QUIET, with_settings
from detector.cli.own_model import OwnModelOptions, attack_own_model
from detector.config import Settings
from detector.kit.errors import ConfigurationError

if TYPE_CHECKING:
    from detector.evaluation.figures import Report
    from detector.evaluation.outcome import Outcome

STATED_FIELDS = (8, 32, 64, 768)
RED_TEAM, TABLES = "red_team", "tables"


@dataclass(frozen=True, slots=True)
class _Run:
    split: str
    tables: tuple[str, ...]
    size: SizeName
    only: tuple[str, ...]
    seed: int
    workers: int
    baselines: bool


@with_settings("detection", defaults=QUIET)
def evaluate(
    settings: Settings,
    split: option.SplitOption = SplitName.HELD_OUT,
    table: option.Table = None,
    only: option.Only = "",
    size: option.Size = None,
    seed: option.Seed = 0,
    workers: option.Workers = 2,
    baselines: option.Baselines = True,
    json: option.Json = None,
    html: option.Html = None,
    model: option.Model = None,
    endpoint: option.EndpointUrl = None,
    benign: option.Benign = None,
    budget: option.Budget = 200_000,
    header: option.Header = None,
    timeout: option.Timeout = 10.0,
) -> None:
    """Measure detection on simulated attackers and benign clients.

    Attacks run against real models, or against yours; needs the extra `evaluation`. The figures
    depend on the options alone, not on the number of processes.
    """
    own = OwnModelOptions(
        model, endpoint, tuple(benign or ()), budget, tuple(header or ()), timeout
    )
    own.check()
    if own.wanted and table:
        raise ConfigurationError("--table and --model or --endpoint exclude each other")
    for source in table or ():
        if ":" not in source and (source.lower().endswith(".csv") or "/" in source):
            raise ConfigurationError(
                f"--table: {source} must be FILE.csv:COLUMN, or PACKAGE/ITEM:COLUMN"
            )
    require_target("--json", json, make_folder=True)
    require_target("--html", html, make_folder=True)
    _need_extra()
    started = monotonic()
    words = tuple(word.strip() for word in only.split(",") if word.strip())
    if own.wanted:
        run = _Run(RED_TEAM, (), size or SizeName.SMALL, words, seed, 1, baselines)
        outcomes = _own_outcomes(settings, run, own)
    else:
        run = _Run(
            str(split), tuple(table or ()), size or SizeName.FULL, words, seed, workers, baselines
        )
        outcomes = _split_outcomes(settings, run)
    _deliver(_report(settings, run, outcomes, monotonic() - started), json, html)


def _need_extra() -> None:
    from detector.evaluation.quiet import hush

    hush()
    try:
        import detector.evaluation.report.page
        import detector.evaluation.run  # noqa: F401 - whether it can be imported is the question
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"{error.name} is not installed; evaluate needs the extra: pip install"
            " 'querywatch[evaluation]'"
        ) from error


def _split_outcomes(settings: Settings, run: _Run) -> "list[Outcome]":
    from detector import bootstrap_evaluation
    from detector.evaluation.run import Options, evaluate
    from detector.evaluation.splits import Split
    from detector.evaluation.workload import SIZES

    options = Options(
        Split(run.split), SIZES[run.size], run.only, run.seed, run.workers, run.baselines,
        run.tables,
    )  # fmt: skip
    with progress("Evaluating") as advance:
        return evaluate(options, partial(bootstrap_evaluation.observer, settings), advance)


def _own_outcomes(settings: Settings, run: _Run, own: OwnModelOptions) -> "list[Outcome]":
    from detector.evaluation.redteam import Orders
    from detector.evaluation.workload import SIZES

    orders = Orders(SIZES[run.size], run.only, run.seed, own.budget, run.baselines)
    return attack_own_model(settings, own, orders)


def _report(settings: Settings, run: _Run, outcomes: "list[Outcome]", seconds: float) -> "Report":
    from detector import bootstrap_evaluation
    from detector.evaluation.bars import bars_of
    from detector.evaluation.figures import Report
    from detector.evaluation.summary import summarise

    observer = bootstrap_evaluation.observer(settings)
    state = {str(fields): observer.state_bytes(fields) for fields in STATED_FIELDS}
    figures = summarise(outcomes, state)
    return Report(
        TABLES if run.tables else run.split, str(run.size), run.only, run.seed, round(seconds, 1),
        figures, bars_of(figures),
    )  # fmt: skip


def _deliver(report: "Report", json: str | None, html: Path | None) -> None:
    from detector.evaluation.document import report_document
    from detector.evaluation.report import page, terminal

    if html is not None:
        html.write_bytes(page.page(report).encode())
    body = to_json(report_document(report))
    if json == "-":
        typer.echo(body, nl=False)
        return
    if json is not None:
        Path(json).write_bytes(body)
    terminal.show(results(), report)
