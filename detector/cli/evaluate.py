"""`querywatch evaluate`: real attacks and benign clients against the product's own detection."""

from enum import StrEnum
from functools import partial
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from detector.cli.console import progress, results
from detector.cli.document import to_json
from detector.cli.options import QUIET, with_settings
from detector.config import Settings
from detector.kit.errors import ConfigurationError

if TYPE_CHECKING:
    from detector.evaluation.run import Options

STATED_FIELDS = (8, 32, 64, 768)


class SplitName(StrEnum):
    """Which streams; the evaluation's own word for it needs the extra to be imported."""

    TUNING = "tuning"
    HELD_OUT = "held_out"
    DEMO = "demo"


class SizeName(StrEnum):
    """How much of them."""

    SMALL = "small"
    FULL = "full"


@with_settings("detection", defaults=QUIET)
def evaluate(
    settings: Settings,
    split: Annotated[
        SplitName, typer.Option(help="Data sets, models, attacks and benign kinds to run.")
    ] = SplitName.HELD_OUT,
    json: Annotated[
        str | None, typer.Option(metavar="FILE", help="Write JSON too; - is standard output.")
    ] = None,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a page with plots too.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes side by side.")] = 2,
    only: Annotated[
        str,
        typer.Option(
            metavar="WORDS", help="Only these deployments, variants, techniques or benign kinds."
        ),
    ] = "",
    size: Annotated[SizeName, typer.Option(help="How much to simulate.")] = SizeName.FULL,
    seed: Annotated[int, typer.Option(min=0, help="Another seed gives other clients.")] = 0,
    baselines: Annotated[
        bool, typer.Option(help="Try published detectors and surrogates on the same streams.")
    ] = True,
) -> None:
    """Measure detection on simulated attackers and benign clients.

    Attacks run against real models; needs the extra `evaluation`. The figures depend on the
    options alone, not on the number of processes.
    """
    options = _options(split, size, only, seed, workers, baselines)
    from detector import bootstrap
    from detector.evaluation import document, run
    from detector.evaluation.bars import bars_of
    from detector.evaluation.figures import Report
    from detector.evaluation.report import page, terminal
    from detector.evaluation.summary import summarise

    started = monotonic()
    make_observer = partial(bootstrap.observer, settings)
    with progress("Evaluating") as advance:
        outcomes = run.evaluate(options, make_observer, advance)
    observer = make_observer()
    state = {str(fields): observer.state_bytes(fields) for fields in STATED_FIELDS}
    figures = summarise(outcomes, state)
    report = Report(
        split=str(split),
        size=str(size),
        only=options.only,
        seed=seed,
        seconds=round(monotonic() - started, 1),
        figures=figures,
        bars=bars_of(figures),
    )
    if json is not None:
        _write(json, to_json(document.report_document(report)))
    if html is not None:
        _write(str(html), page.page(report).encode())
    if json != "-":
        terminal.show(results(), report)


def _options(
    split: SplitName, size: SizeName, only: str, seed: int, workers: int, baselines: bool
) -> "Options":
    from detector.evaluation.quiet import hush

    hush()
    try:
        from detector.evaluation.run import Options
        from detector.evaluation.splits import Split
        from detector.evaluation.workload import FULL, SMALL
    except ImportError as error:
        raise ConfigurationError(
            f"{error.name} is not installed; evaluate needs the extra: pip install"
            " 'querywatch[evaluation]'"
        ) from error
    load = FULL if size is SizeName.FULL else SMALL
    words = tuple(word.strip() for word in only.split(",") if word.strip())
    return Options(Split(split), load, words, seed, workers, baselines)


def _write(target: str, body: bytes) -> None:
    if target == "-":
        typer.echo(body, nl=False)
        return
    path = Path(target)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(body)
