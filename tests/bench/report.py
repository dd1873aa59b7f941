"""What was measured: the contract `build/bench.json`, and the tables for people."""

import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from tests.bench.recovery import Recovery
from tests.bench.timing import Speed

UNIT = "poll_decode"
STAGES = {
    "poll": "stock kafka-python",
    "poll_decode": "+ msgspec struct: B",
    "decoding": "our source, decoder",
    "features": "+ columns, features",
    "scoring": "+ judgement",
    "no_snapshots": "+ loop, database",
    "pipeline": "+ snapshots: all",
    "pipeline_librdkafka": "all, librdkafka",
    "naive": "json, Python, river",
}
CONTRACT_RATES = ("poll", "poll_decode", "pipeline", "pipeline_librdkafka", "naive")
BARS: Mapping[str, str] = {
    "pipeline": ">= 0.8",
    "pipeline_librdkafka": ">= 1.5",
    "naive": ">= 5",
    "prada_10k": ">= 100",
    "flatness": "<= 0.20",
    "snapshot": "<= 0.10",
    "p50": "",
    "p99": "<= 100",
    "recovery_s": "<= 15",
    "start_s": "<= 5",
}
MEANING: Mapping[str, str] = {
    "pipeline": "pipeline / B",
    "pipeline_librdkafka": "the same, librdkafka",
    "naive": "pipeline / naive",
    "prada_10k": "PRADA / detection, time",
    "flatness": "dearest event / cheapest - 1",
    "snapshot": "throughput they cost",
    "p50": "ms, produce to incident",
    "p99": "the same",
    "recovery_s": "partition restored",
    "start_s": "consume until stored",
}


@dataclass(frozen=True, slots=True)
class Results:
    """Everything that a run measured.

    Attributes:
        speeds: Runs of each stage, by name, in the order of their rounds; a stage that could not
            be run is missing.
        snapshot_share: Seconds in snapshots as a share of the pipeline's; 0 when it ended too soon
            for one.
        prada_seconds: PRADA's test and detection over the same stream.
        longer_lives: Microseconds an event by queries a client.
        without_surrogates: The same where nobody asks what suspects could reproduce.
        more_clients: Likewise by clients.
        latencies_ms: From produce to incident, one for each incident.
        recovery: Of a partition's state.
        start_seconds: Of `querywatch consume`.
    """

    speeds: Mapping[str, Sequence[Speed]]
    snapshot_share: float
    prada_seconds: tuple[float, float]
    longer_lives: Mapping[int, float]
    without_surrogates: Mapping[int, float]
    more_clients: Mapping[int, float]
    latencies_ms: Sequence[float]
    recovery: Recovery
    start_seconds: float

    def rate(self, stage: str) -> float | None:
        """Return the median events a second of a stage, None where it was not run."""
        runs = self.speeds.get(stage)
        return statistics.median(run.events_per_second for run in runs) if runs else None

    def over(self, stage: str, unit: str) -> float | None:
        """Return the median over the rounds of one stage's speed by another's in the same round."""
        pairs = zip(self.speeds.get(stage, ()), self.speeds[unit], strict=False)
        shares = [a.events_per_second / b.events_per_second for a, b in pairs]
        return statistics.median(shares) if shares else None


def document(results: Results) -> dict[str, Any]:
    """Return what `build/bench.json` holds; null for what could not be run."""
    prada, ours = results.prada_seconds
    kept = results.over("pipeline", "no_snapshots") if results.snapshot_share else None
    growth = (results.longer_lives, results.more_clients)
    return {
        "events_per_second": {name: _rounded(results.rate(name), 1) for name in CONTRACT_RATES},
        "ratio": {
            "pipeline": _rounded(results.over("pipeline", UNIT)),
            "pipeline_librdkafka": _rounded(results.over("pipeline_librdkafka", UNIT)),
            "naive": _rounded(results.over("pipeline", "naive")),
            "prada_10k": _rounded(prada / ours),
            "flatness": _rounded(max(unevenness(costs) for costs in growth)),
            "snapshot": _rounded(None if kept is None else 1.0 - kept),
        },
        "latency_ms": {
            "p50": _rounded(statistics.median(results.latencies_ms), 2),
            "p99": _rounded(percentile(results.latencies_ms, 99), 2),
        },
        "recovery_s": _rounded(results.recovery.restore_seconds, 2),
        "start_s": _rounded(results.start_seconds, 2),
    }


def unevenness(costs: Mapping[int, float]) -> float:
    """Return by what share the largest cost is above the smallest."""
    return max(costs.values()) / min(costs.values()) - 1.0


def percentile(values: Sequence[float], percent: int) -> float:
    """Return the smallest value that so many percent of all do not exceed."""
    ordered = sorted(values)
    return ordered[max(-(-len(ordered) * percent // 100) - 1, 0)]


def _rounded(value: float | None, digits: int = 4) -> float | None:
    return None if value is None else round(value, digits)


def write(results: Results, path: Path) -> None:
    """Write the contract."""
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(document(results), indent=2) + "\n")


def show(results: Results, console: Console) -> None:
    """Print stages, growth and figures beside their bars."""
    console.print(_stages(results))
    lives = {"detection": results.longer_lives, "no surrogates": results.without_surrogates}
    console.print(_growth("queries a client", lives))
    console.print(_growth("clients", {"detection": results.more_clients}))
    console.print(_figures(document(results)))
    size = results.recovery.size / 1e6
    console.print(
        f"snapshots took {results.snapshot_share:.1%} of the pipeline's time; the restored one has "
        f"{size:,.0f} MB and was stored in {results.recovery.save_seconds:.1f} s; "
        f"{len(results.latencies_ms)} incidents timed"
    )


def _stages(results: Results) -> Table:
    table = Table("stage", "")
    for heading in ("events/s", "x B", "CPU us/event"):
        table.add_column(heading, justify="right")
    for name, what in STAGES.items():
        rate, ratio = results.rate(name), results.over(name, UNIT)
        if rate is None or ratio is None:
            table.add_row(name, what, "not built", "", "")
            continue
        cpu_us = statistics.median(run.cpu_us for run in results.speeds[name])
        table.add_row(name, what, f"{rate:,.0f}", f"{ratio:.2f}", f"{cpu_us:.1f}")
    return table


def _growth(heading: str, costs: Mapping[str, Mapping[int, float]]) -> Table:
    """Return processor time an event in microseconds."""
    table = Table(heading, *(f"{size:,}" for size in next(iter(costs.values()))))
    for name, row in costs.items():
        table.add_row(f"{name}, CPU us/event", *(f"{cost:.1f}" for cost in row.values()))
    return table


def _figures(contract: Mapping[str, Any]) -> Table:
    table = Table("figure", "")
    for heading in ("value", "bar"):
        table.add_column(heading, justify="right")
    figures = contract["ratio"] | contract["latency_ms"] | contract
    for name, bar in BARS.items():
        value = figures[name]
        table.add_row(name, MEANING[name], "none" if value is None else f"{value:.2f}", bar)
    return table
