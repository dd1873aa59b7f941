import pickle

import numpy as np
import pytest

from detector.reference.drift import DAY_MS, MAX_CLIENTS, QUERIES, RECENT, Drift, DriftMonitor

CLIENTS = 40


def nobody(client: str) -> bool:
    return False


def day_of(
    monitor: DriftMonitor, day: int, level: float = 0.5, each: int = QUERIES, seed: int = 0
) -> list[Drift]:
    """One day of clients that each keep to their own level around the common one."""
    rng = np.random.default_rng([seed, day])
    homes = np.random.default_rng(seed).normal(0.0, 0.08, CLIENTS)
    found = []
    for c in range(CLIENTS):
        p_values = np.clip(rng.uniform(level - 0.4, level + 0.4, each) + homes[c], 0.0, 1.0)
        times = np.full(each, day * DAY_MS + 1000 * c)
        found += monitor.update([f"client-{c}"] * each, times, p_values, nobody)
    return found


@pytest.mark.parametrize("seed", range(5))
def test_a_world_that_stays_raises_nothing(seed: int) -> None:
    monitor = DriftMonitor()
    assert [found for day in range(40) for found in day_of(monitor, day, seed=seed)] == []


@pytest.mark.parametrize("level", [0.25, 0.75])
def test_a_moved_world_is_told_of_once(level: float) -> None:
    monitor = DriftMonitor()
    for day in range(10):
        day_of(monitor, day)
    told = [found for day in range(10, 20) for found in day_of(monitor, day, level)]
    assert len(told) == 1
    assert told[0].time_ms // DAY_MS in (10, 11, 12)
    assert told[0].before == pytest.approx(0.5, abs=0.08)
    assert abs(told[0].now - level) < abs(told[0].before - level)


def test_a_slow_drift_is_told_of_again_and_again() -> None:
    monitor = DriftMonitor()
    told = [found for day in range(60) for found in day_of(monitor, day, 0.6 - day / 150)]
    assert len(told) >= 2
    assert [found.now for found in told] == sorted((found.now for found in told), reverse=True)


def test_a_loud_client_counts_no_more_than_a_quiet_one() -> None:
    monitor = DriftMonitor()
    for day in range(10):
        day_of(monitor, day)
        monitor.update(["loud"] * 5000, np.full(5000, day * DAY_MS), np.zeros(5000), nobody)
    assert day_of(monitor, 10) == []


def test_suspects_do_not_count() -> None:
    monitor = DriftMonitor()
    for day in range(10):
        day_of(monitor, day)
    attackers = [f"attacker-{i}" for i in range(200) for _ in range(QUERIES)]
    times = np.full(len(attackers), 10 * DAY_MS)
    strange = np.zeros(len(attackers))
    known = pickle.loads(pickle.dumps(monitor))  # noqa: S301
    assert monitor.update(attackers, times, strange, lambda name: name.startswith("att")) == []
    assert len(known.update(attackers, times, strange, nobody)) == 1


def test_cuts_of_the_log_do_not_matter() -> None:
    whole, pieces = DriftMonitor(), DriftMonitor()
    rng = np.random.default_rng(7)
    n = 4000
    clients = [f"client-{c}" for c in rng.integers(60, size=n)]
    times = np.sort(rng.integers(8 * DAY_MS, size=n))
    p_values = rng.uniform(size=n) * np.where(np.arange(n) < n / 2, 1.0, 0.4)
    told = []
    for i in range(0, n, 37):
        cut = slice(i, i + 37)
        told += pieces.update(clients[cut], times[cut], p_values[cut], nobody)
    assert told == whole.update(clients, times, p_values, nobody)
    assert told


def test_a_stored_monitor_goes_on_as_if_nothing_had_been() -> None:
    monitor = DriftMonitor()
    for day in range(5):
        day_of(monitor, day)
    again = pickle.loads(pickle.dumps(monitor))  # noqa: S301
    for day in range(5, 12):
        assert day_of(monitor, day, 0.25) == day_of(again, day, 0.25)


def test_memory_is_bounded_whoever_comes() -> None:
    monitor = DriftMonitor()
    n = 3 * MAX_CLIENTS
    names = [f"client-{i}" for i in range(n)]
    monitor.update(names, np.zeros(n, dtype=np.int64), np.full(n, 0.5), nobody)
    assert len(pickle.dumps(monitor)) < 64 * MAX_CLIENTS


def test_nothing_is_told_before_there_is_something_to_compare_with() -> None:
    monitor = DriftMonitor()
    names = [f"client-{i}" for i in range(RECENT - 1) for _ in range(QUERIES)]
    levels = np.repeat(np.linspace(0.0, 1.0, RECENT - 1), QUERIES)
    assert monitor.update(names, np.zeros(len(names), dtype=np.int64), levels, nobody) == []
