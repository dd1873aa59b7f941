"""The deployments of a split, evaluated side by side in processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from threadpoolctl import threadpool_limits

from detector.evaluation import generate
from detector.evaluation.models import Target
from detector.evaluation.narrow import choose
from detector.evaluation.observer import ObserverFactory
from detector.evaluation.outcome import Outcome, Place
from detector.evaluation.quiet import hush
from detector.evaluation.splits import Deployment, Split, benign_kinds_of
from detector.evaluation.trial import Scope, Trial, Weeks
from detector.evaluation.workload import Workload

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to evaluate.

    Attributes:
        split: Which streams.
        load: How much of them.
        only: Words that narrow it down to deployments, variants, techniques or benign kinds.
        seed: Another seed gives other clients.
        workers: Processes; the figures do not depend on it.
        rivals: Whether the baselines and the surrogates are tried too.
        tables: Whose models take the place of the split's own (`own_table`).
    """

    split: Split
    load: Workload
    only: tuple[str, ...] = ()
    seed: int = 0
    workers: int = 2
    rivals: bool = True
    tables: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Task:
    deployment: Deployment
    turn: int
    options: Options
    make_observer: ObserverFactory


def place_of(target: Target) -> Place:
    """Return the traits of a deployed model."""
    return Place(
        target.model_id, target.dataset.name, str(target.kind), str(target.form), str(target.wire)
    )


def _run(task: _Task) -> list[Outcome]:
    """Evaluate one deployment; with one thread, so that sums do not depend on the machine."""
    options = task.options
    chosen = choose(options.split, options.only, options.tables)
    with threadpool_limits(1):
        before, now = generate.services(task.deployment, options.split, options.seed)
        scope = Scope(
            attacks=chosen.attacks,
            kinds=chosen.kinds,
            reference_kinds=benign_kinds_of(options.split),
            load=options.load,
            seed=options.seed,
            turn=task.turn,
            rivals=options.rivals,
        )
        return list(
            Trial(Weeks(before, now, place_of(now.target)), scope, task.make_observer()).outcomes()
        )


def evaluate(
    options: Options, make_observer: ObserverFactory, progress: Progress | None = None
) -> list[Outcome]:
    """Return the outcome of every client of the split, in a fixed order.

    Args:
        options: What to evaluate.
        make_observer: Makes the detection that is judged; picklable, called in each process.
        progress: Called with the deployments done and their number.
    """
    chosen = choose(options.split, options.only, options.tables)
    tasks = [_Task(d, turn, options, make_observer) for turn, d in chosen.deployments]
    outcomes: list[Outcome] = []
    for done, part in enumerate(_each(tasks, options.workers), 1):
        outcomes.extend(part)
        if progress is not None:
            progress(done, len(tasks))
    return outcomes


def _each(tasks: Sequence[_Task], workers: int) -> Iterator[list[Outcome]]:
    if workers == 1 or len(tasks) == 1:
        yield from map(_run, tasks)
        return
    with ProcessPoolExecutor(min(workers, len(tasks)), get_context("spawn"), hush) as pool:
        yield from pool.map(_run, tasks)
