"""What `build/bench.json` says, from what was measured."""

from dataclasses import replace

import pytest

from tests.bench.recovery import Recovery
from tests.bench.report import Results, document, percentile
from tests.bench.timing import Speed

RESULTS = Results(
    speeds={
        "poll": [Speed(200.0, 5.0)],
        "poll_decode": [Speed(100.0, 6.0), Speed(50.0, 6.0), Speed(100.0, 6.0)],
        "no_snapshots": [Speed(80.0, 9.0), Speed(50.0, 9.0), Speed(90.0, 9.0)],
        "pipeline": [Speed(72.0, 9.0), Speed(45.0, 9.0), Speed(70.0, 9.0)],
        "naive": [Speed(10.0, 60.0), Speed(9.0, 60.0), Speed(10.0, 60.0)],
    },
    snapshot_share=0.05,
    prada_seconds=(8.0, 0.2),
    longer_lives={1_000: 10.0, 10_000: 11.0},
    without_surrogates={1_000: 9.0, 10_000: 9.0},
    more_clients={100: 8.0, 1_000: 10.0},
    latencies_ms=[float(ms) for ms in range(1, 201)],
    recovery=Recovery(4.0, 5.0, 10_000_000),
    start_seconds=3.456,
)


def test_the_contract_has_every_figure() -> None:
    assert document(RESULTS) == {
        "events_per_second": {
            "poll": 200.0,
            "poll_decode": 100.0,
            "pipeline": 70.0,
            "pipeline_librdkafka": None,
            "naive": 10.0,
        },
        "ratio": {
            "pipeline": 0.72,
            "pipeline_librdkafka": None,
            "naive": 7.0,
            "prada_10k": 40.0,
            "flatness": 0.25,
            "snapshot": 0.1,
        },
        "latency_ms": {"p50": 100.5, "p99": 198.0},
        "recovery_s": 5.0,
        "start_s": 3.46,
    }


def test_a_noisy_minute_that_slowed_a_whole_round_leaves_the_ratios_alone() -> None:
    slowed = {
        name: [run if i != 1 else Speed(run.events_per_second / 3, run.cpu_us)
               for i, run in enumerate(runs)]
        for name, runs in RESULTS.speeds.items()
    }  # fmt: skip
    quiet, noisy = document(RESULTS), document(replace(RESULTS, speeds=slowed))
    assert noisy["ratio"] == quiet["ratio"]


def test_a_run_too_short_for_a_snapshot_says_nothing_of_their_cost() -> None:
    assert document(replace(RESULTS, snapshot_share=0.0))["ratio"]["snapshot"] is None


@pytest.mark.parametrize(("percent", "value"), [(50, 2.0), (75, 3.0), (99, 4.0), (100, 4.0)])
def test_a_percentile_is_one_of_the_values(percent: int, value: float) -> None:
    assert percentile([4.0, 1.0, 3.0, 2.0], percent) == value
