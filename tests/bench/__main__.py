"""Measure against a real broker and a real database, print tables, write `build/bench.json`."""

import argparse
import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import track

from detector.kit.memory import settle_garbage_collector
from detector.pipeline.learning import DetectionPolicy
from tests.bench import bare, growth, naive, report, stages
from tests.bench.consume import latencies_ms, start_seconds
from tests.bench.log import Log, make_log
from tests.bench.machine import Cores, servers_beside
from tests.bench.recovery import recovery
from tests.bench.timing import Speed
from tests.bench.traffic import FIELDS
from tests.services.postgres import fresh_database
from tests.services.servers import Servers

OUTPUT = Path("build/bench.json")
WARM_UP_EVENTS = 5_000
PART, SMALL_PART = 6, 25
"""So many times fewer events are enough for stages that take no snapshots, and for slow ones."""
PRADA_QUERIES = 10_000
RATE = 200.0


def main() -> None:
    """Run the benchmark."""
    options = _options()
    console, cores = Console(), Cores()
    try:
        with servers_beside(cores) as servers:
            results = _measure(options, console, cores, servers)
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        raise SystemExit(f"bench: {missing}") from missing
    report.show(results, console)
    report.write(results, OUTPUT)
    where = "one core, servers on others" if cores.divided else "all cores"
    console.print(
        f"{options.events:,} JSON events of 1 KB with {FIELDS} floats from {options.clients:,} "
        f"clients; {where}; medians of {options.rounds} rounds, "
        f"of growth the least; written to {OUTPUT}"
    )


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=900_000, help="of the log")
    parser.add_argument("--clients", type=int, default=5_000, help="of the log")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--incidents", type=int, default=120, help="timed from produce to row")
    parser.add_argument("--restored", type=int, default=100_000, help="clients in the snapshot")
    parser.add_argument(
        "--full", action="store_true", help="let streams grow to a million queries and clients"
    )
    options = parser.parse_args()
    options.most = 1_000_000 if options.full else 100_000
    return options


def _measure(
    options: argparse.Namespace, console: Console, cores: Cores, servers: Servers
) -> report.Results:
    console.print("Producing ...")
    log = make_log(servers.kafka, options.events, options.clients)
    cores.use(cores.measured)
    speeds, snapshot_share = _stages(console, log, servers, options.rounds)
    console.print("Growing streams ...")
    prada = growth.against_prada(log.reference, PRADA_QUERIES, options.rounds)
    lives = growth.longer_lives(log.reference, options.most, options.rounds)
    no_surrogates = growth.longer_lives(
        log.reference, options.most, options.rounds, DetectionPolicy(max_suspects=0)
    )
    clients = growth.more_clients(log.reference, options.most, options.rounds)
    console.print("Restoring ...")
    restored = recovery(servers.postgres, log.reference, options.restored, rounds=2)
    console.print("Starting, and timing incidents ...")
    start = start_seconds(log, servers, options.rounds)
    latencies = latencies_ms(servers, log.reference, options.incidents, RATE)
    return report.Results(
        speeds, snapshot_share, prada, lives, no_surrogates, clients, latencies, restored, start
    )


def _stages(
    console: Console, log: Log, servers: Servers, rounds: int
) -> tuple[Mapping[str, Sequence[Speed]], float]:
    """Run all stages once briefly, so that kernels are compiled, then round by round.

    Returns their speeds, and the share of the pipeline's time that went into snapshots.
    """
    snapshots: list[float] = []
    runs = _runs(servers, snapshots)
    short = replace(log, events=min(log.events, WARM_UP_EVENTS))
    for run in runs.values():
        run(short)
    snapshots.clear()
    # As the product does before it reads; the bare loop gains by it too.
    settle_garbage_collector()
    speeds: dict[str, list[Speed]] = {name: [] for name in runs}
    # Round by round, so that a noisy minute does not fall on one stage alone.
    steps = [(name, run) for _ in range(rounds) for name, run in runs.items()]
    for name, run in track(steps, "Measuring", console=console, transient=True):
        speeds[name].append(run(log))
    return speeds, statistics.fmean(snapshots)


def _runs(servers: Servers, snapshots: list[float]) -> Mapping[str, Callable[[Log], Speed]]:
    """Every stage by name; the pipeline adds the share of its time that snapshots took."""

    def pipeline(log: Log, **how: Any) -> Speed:
        with fresh_database(servers.postgres) as url:
            return stages.pipeline(log, url, **how).speed

    def with_snapshots(log: Log) -> Speed:
        with fresh_database(servers.postgres) as url:
            piped = stages.pipeline(log, url)
        seconds = log.events / piped.speed.events_per_second
        snapshots.append(piped.snapshot_seconds / seconds)
        return piped.speed

    def plain(log: Log) -> Speed:
        with fresh_database(servers.postgres) as url:
            return naive.pipeline(_part(log, SMALL_PART), url)

    runs: dict[str, Callable[[Log], Speed]] = {
        "poll": bare.poll,
        "poll_decode": bare.poll_decode,
        "decoding": stages.decoding,
        "features": lambda log: stages.features(_part(log, PART)),
        "scoring": lambda log: stages.scoring(_part(log, PART)),
        "no_snapshots": partial(pipeline, snapshot_seconds=math.inf),
        "pipeline": with_snapshots,
        "naive": plain,
    }
    open_source = stages.librdkafka()
    if open_source is not None:
        runs["pipeline_librdkafka"] = partial(pipeline, open_source=open_source)
    return runs


def _part(log: Log, of: int) -> Log:
    return replace(log, events=max(log.events // of, 1))


if __name__ == "__main__":
    main()
