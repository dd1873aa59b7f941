"""Measure every stage against a real broker, print a table, write `build/bench.json`."""

import argparse
import json
import os
import statistics
import tempfile
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from rich.progress import track
from rich.table import Table

from detector.kit.memory import settle_garbage_collector
from tests.bench import stages, traffic
from tests.services.kafka import running_kafka
from tests.services.postgres import fresh_database, running_postgres

OUTPUT = Path("build/bench.json")
WARM_UP_EVENTS = 5_000
WHAT = {
    "poll": "bare kafka-python",
    "poll_decode": "+ source, decoder",
    "features": "+ columns, features",
    "scoring": "+ hypotheses, novelty",
    "pipeline": "+ loop, SQLite file",
    "pipeline_postgres": "+ loop, PostgreSQL",
}


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--clients", type=int, default=5_000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    console = Console()
    try:
        with ExitStack() as stack:
            bootstrap, postgres = _servers(stack)
            # The servers were started first, so that they keep the other cores.
            pinned = pin()
            log = _log(bootstrap, options.events, options.clients)
            speeds = _measure(console, log, postgres, options.rounds)
    except (pytest.skip.Exception, pytest.fail.Exception) as missing:
        raise SystemExit(f"bench: {missing}") from missing
    where = "on one core" if pinned else "on all cores"
    console.print(
        f"{log.events:,} uncompressed JSON events of {log.bytes_each:.0f} bytes with "
        f"{traffic.FIELDS} floats from {options.clients:,} clients; reading {where}, "
        f"medians of {options.rounds} runs"
    )
    _report(console, speeds)


def _servers(stack: ExitStack) -> tuple[str, str]:
    """Start the servers, or take those that the tests would take; return their addresses."""
    kafka = os.environ.get("QUERYWATCH_TEST_KAFKA")
    if kafka is None:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="querywatch-bench-"))
        kafka = stack.enter_context(running_kafka(Path(folder))).bootstrap
    postgres = os.environ.get("QUERYWATCH_TEST_DATABASE_URL")
    return kafka, postgres or stack.enter_context(running_postgres())


def pin() -> bool:
    """Keep every thread of this process on one core; false where the system has no way to."""
    if not hasattr(os, "sched_setaffinity"):
        return False
    core = {max(os.sched_getaffinity(0))}
    for thread in Path("/proc/self/task").iterdir():
        os.sched_setaffinity(int(thread.name), core)
    return True


def _log(bootstrap: str, events: int, clients: int) -> stages.Log:
    topic = f"bench-{uuid.uuid4().hex[:8]}"
    size = traffic.produce(bootstrap, topic, events, clients)
    return stages.Log(bootstrap, topic, events, size, traffic.benign_reference())


def _measure(
    console: Console, log: stages.Log, postgres: str, rounds: int
) -> Mapping[str, Sequence[stages.Speed]]:
    """Run all stages once briefly, so that kernels are compiled, then round by round."""
    runs: dict[str, Callable[[stages.Log], stages.Speed]] = {
        "poll": stages.poll,
        "poll_decode": stages.poll_decode,
        "features": stages.features,
        "scoring": stages.scoring,
        "pipeline": _into(_sqlite_file),
        "pipeline_postgres": _into(lambda: fresh_database(postgres)),
    }
    short = replace(log, events=min(log.events, WARM_UP_EVENTS))
    for run in runs.values():
        run(short)
    # As the product does before it reads; the bare loop gains by it too.
    settle_garbage_collector()
    speeds: dict[str, list[stages.Speed]] = {name: [] for name in runs}
    # Round by round, so that a noisy minute does not fall on one stage alone.
    steps = [(name, run) for _ in range(rounds) for name, run in runs.items()]
    for name, run in track(steps, "Measuring", console=console, transient=True):
        speeds[name].append(run(log))
    return speeds


def _into(
    database: Callable[[], AbstractContextManager[str]],
) -> Callable[[stages.Log], stages.Speed]:
    def run(log: stages.Log) -> stages.Speed:
        with database() as url:
            return stages.pipeline(log, url)

    return run


@contextmanager
def _sqlite_file() -> Iterator[str]:
    with tempfile.TemporaryDirectory(prefix="querywatch-bench-") as folder:
        yield f"sqlite:///{folder}/bench.db"


def _report(console: Console, speeds: Mapping[str, Sequence[stages.Speed]]) -> None:
    """Print the medians and write them to `OUTPUT`."""
    rates = {
        name: statistics.median(run.events_per_second for run in runs)
        for name, runs in speeds.items()
    }
    ratios = {name: rate / rates["poll"] for name, rate in rates.items()}
    table = Table("stage", "")
    for heading in ("events/s", "ratio", "CPU us/event"):
        table.add_column(heading, justify="right")
    for name, runs in speeds.items():
        cpu_us = statistics.median(run.cpu_us for run in runs)
        table.add_row(
            name, WHAT[name], f"{rates[name]:,.0f}", f"{ratios[name]:.2f}", f"{cpu_us:.1f}"
        )
    console.print(table)
    rounded = {name: round(rate, 1) for name, rate in rates.items()}
    shares = {name: round(ratio, 4) for name, ratio in ratios.items()}
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.write_text(json.dumps({"events_per_second": rounded, "ratio": shares}, indent=2) + "\n")
    console.print(f"written to {OUTPUT}")


if __name__ == "__main__":
    main()
