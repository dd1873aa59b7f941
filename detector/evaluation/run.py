"""The deployments of a split, evaluated side by side in processes."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context

from threadpoolctl import threadpool_limits

from detector.evaluation import generate
from detector.evaluation.attacks import attacks_of
from detector.evaluation.attacks.attack import Attack
from detector.evaluation.models import Target, Wire
from detector.evaluation.observer import ObserverFactory
from detector.evaluation.outcome import Outcome, Place
from detector.evaluation.quiet import hush
from detector.evaluation.splits import DEPLOYMENTS, Deployment, Split, benign_kinds_of
from detector.evaluation.trial import Scope, Trial, Weeks
from detector.evaluation.workload import Workload
from detector.kit.errors import ConfigurationError

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
    """

    split: Split
    load: Workload
    only: tuple[str, ...] = ()
    seed: int = 0
    workers: int = 2
    rivals: bool = True


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is left of a split when it is narrowed down."""

    deployments: tuple[tuple[int, Deployment], ...]
    attacks: tuple[Attack, ...]
    kinds: tuple[str, ...]


def deployment_name(deployment: Deployment) -> str:
    """Return what a deployment is called on the command line."""
    wire = [] if deployment.wire is Wire.RAW else [str(deployment.wire)]
    parts = [deployment.dataset, deployment.kind, deployment.form]
    return "-".join([*map(str, parts), *["strict"] * deployment.strict, *wire])


def choose(split: Split, only: Sequence[str]) -> Chosen:
    """Narrow a split down; raises `ConfigurationError` for a word that names nothing in it.

    Words that name variants or benign kinds leave out all others of both; a technique stands for
    its variants.
    """
    deployments = tuple(enumerate(DEPLOYMENTS[split]))
    attacks, kinds = attacks_of(split), benign_kinds_of(split)
    places = [(i, d) for i, d in deployments if any(w in deployment_name(d) for w in only)]
    named = [a for a in attacks if a.name in only or a.technique in only]
    lives = [kind for kind in kinds if kind in only]
    for word in only:
        if not (
            any(word in deployment_name(d) for _, d in deployments)
            or any(word in (a.name, a.technique) for a in attacks)
            or word in kinds
        ):
            raise ConfigurationError(
                f"--only {word}: no deployment, attack or benign kind of this split is called so"
            )
    narrowed = bool(named or lives)
    return Chosen(
        tuple(places) or deployments,
        tuple(named) if narrowed else tuple(attacks),
        tuple(lives) if narrowed else kinds,
    )


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
    chosen = choose(options.split, options.only)
    with threadpool_limits(1):
        before, now = generate._services(task.deployment, options.split, options.seed)
        scope = Scope(
            attacks=chosen.attacks,
            kinds=chosen.kinds,
            reference_kinds=benign_kinds_of(options.split),
            load=options.load,
            seed=options.seed,
            turn=task.turn,
            rivals=options.rivals,
        )
        return Trial(Weeks(before, now, place_of(now.target)), scope, task.make_observer()).run()


def evaluate(
    options: Options, make_observer: ObserverFactory, progress: Progress | None = None
) -> list[Outcome]:
    """Return the outcome of every client of the split, in a fixed order.

    Args:
        options: What to evaluate.
        make_observer: Makes the detection that is judged; picklable, called in each process.
        progress: Called with the deployments done and their number.
    """
    chosen = choose(options.split, options.only)
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
