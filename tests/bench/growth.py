"""What an event costs detection as streams grow, and what the same stream costs PRADA's test.

Nothing is read and nothing is decoded; events are put together outside the measured time, which
is processor time.
"""

import statistics
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np

from detector.evaluation.baselines.prada import Prada
from detector.pipeline.detect import Detector
from detector.pipeline.learning import DetectionPolicy
from detector.reference.picture import Reference
from detector.stream.policy import LoopPolicy
from tests.bench.stages import new_detector
from tests.bench.traffic import Pool, Queries, ordinary

BATCH = LoopPolicy().batch_records
POOL = 20_000
SHORT_LIFE = 20
"""So many that 100 clients fill half a batch: what one costs beside its events is not at issue."""
FEWEST_EVENTS = 40_000


def sizes(fewest: int, most: int) -> list[int]:
    """Powers of ten from one to the other."""
    return [10**power for power in range(len(str(fewest)) - 1, len(str(most)))]


def pool() -> Pool:
    """Benign queries."""
    return Pool(ordinary(POOL, seed=3))


def take(detector: Detector, queries: Pool, clients: Iterable[str]) -> float:
    """Let the clients ask one query each, in turn; returns microseconds of detection an event."""
    order, number, seconds = iter(clients), 0, 0.0
    while batch := queries.events(islice(order, BATCH), number):
        began = time.process_time()
        detector.process(batch)
        seconds += time.process_time() - began
        number += len(batch)
    return 1e6 * seconds / number


def longer_lives(
    reference: Reference, longest: int, rounds: int, policy: DetectionPolicy | None = None
) -> Mapping[int, float]:
    """Return the cost of an event, by queries a client; there are `longest` events each time."""
    queries = pool()

    def run(life: int) -> float:
        names = [f"client-{number}" for number in range(longest // life)]
        order = (name for _ in range(life) for name in names)
        return take(new_detector(reference, policy), queries, order)

    return _least(run, sizes(1_000, longest), rounds)


def more_clients(reference: Reference, most: int, rounds: int) -> Mapping[int, float]:
    """Return the cost of an event, by clients, each of whom asks the same few queries.

    Where these are few events, as many detectors are filled anew one after the other.
    """
    queries = pool()
    policy = replace(DetectionPolicy(), max_clients=max(most, DetectionPolicy().max_clients))

    def run(clients: int) -> float:
        times = max(1, FEWEST_EVENTS // (clients * SHORT_LIFE))
        return statistics.fmean(
            take(new_detector(reference, policy), queries, in_random_turns(clients, SHORT_LIFE))
            for _ in range(times)
        )

    return _least(run, sizes(100, most), rounds)


def in_random_turns(clients: int, queries: int) -> Iterator[str]:
    """Every client once, in random order, so many times over."""
    chance = np.random.default_rng(4)
    names = [f"client-{number:07d}" for number in range(clients)]
    for _ in range(queries):
        for number in chance.permutation(clients).tolist():
            yield names[number]


def against_prada(reference: Reference, queries: int, rounds: int) -> tuple[float, float]:
    """Return seconds that PRADA's test and detection take for one client's stream."""
    stream = ordinary(queries, seed=5)
    made = Pool(stream)
    ours = [take(new_detector(reference), made, ["client"] * queries) for _ in range(rounds)]
    return _prada_seconds(stream), statistics.median(ours) * queries / 1e6


def _prada_seconds(stream: Queries) -> float:
    points = stream.inputs - stream.inputs.min(axis=0)
    points /= points.max(axis=0)
    labels = (stream.scores >= 0.5).astype(np.int64)
    with warnings.catch_warnings():
        # The p-value, which is not asked for, is inexact above 5,000 distances.
        warnings.simplefilter("ignore")
        began = time.process_time()
        alarm = Prada().alarm(points, labels)
    if alarm is not None:
        raise RuntimeError(f"PRADA's test ended at query {alarm}; it must see the whole stream")
    return time.process_time() - began


def _least(run: Callable[[int], float], at: Sequence[int], rounds: int) -> Mapping[int, float]:
    """Return the least cost at each size: other work on the machine only ever adds to it.

    Round by round, so that a noisy minute does not fall on one size alone.
    """
    costs: dict[int, list[float]] = {size: [] for size in at}
    for _ in range(rounds):
        for size in at:
            costs[size].append(run(size))
    return {size: min(kept) for size, kept in costs.items()}
