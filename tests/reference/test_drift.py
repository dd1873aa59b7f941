import pickle
from pathlib import Path

import numpy as np
import pytest
from msgspec import structs

from detector.reference.client_days import DAY_MS, QUERIES
from detector.reference.drift import RECENT, Drift, DriftMonitor

CLIENTS = 40


def day_of(monitor: DriftMonitor, day: int, level: float = 0.5, seed: int = 0) -> list[Drift]:
    """One day of clients that each keep to their own level around the common one."""
    rng = np.random.default_rng([seed, day])
    homes = np.random.default_rng(seed).normal(0.0, 0.08, CLIENTS)
    p_values = rng.uniform(level - 0.4, level + 0.4, (CLIENTS, QUERIES)) + homes[:, None]
    means = np.clip(p_values, 0.0, 1.0).mean(axis=1)
    return monitor.update((day * DAY_MS + 1000 * c, mean) for c, mean in enumerate(means))


def again(monitor: DriftMonitor) -> DriftMonitor:
    """Another monitor that goes on from what this one saved."""
    other = DriftMonitor()
    other.restore(monitor.save())
    return other


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


def test_cuts_of_the_log_do_not_matter() -> None:
    whole, pieces = DriftMonitor(), DriftMonitor()
    means = np.random.default_rng(7).normal(0.5, 0.1, 500) * np.where(np.arange(500) < 250, 1, 0.4)
    days = [(1000 * n, float(mean)) for n, mean in enumerate(means)]
    told = [found for i in range(0, 500, 37) for found in pieces.update(days[i : i + 37])]
    assert told == whole.update(days)
    assert told


def test_a_stored_monitor_goes_on_as_if_nothing_had_been() -> None:
    monitor = DriftMonitor()
    for day in range(5):
        day_of(monitor, day)
    stored = again(monitor)
    for day in range(5, 12):
        assert day_of(monitor, day, 0.25) == day_of(stored, day, 0.25)


def test_nothing_is_told_before_there_is_something_to_compare_with() -> None:
    levels = np.linspace(0.0, 1.0, RECENT - 1).tolist()
    assert DriftMonitor().update((0, level) for level in levels) == []


def test_nothing_but_a_drift_monitor_is_made_of_what_is_stored(tmp_path: Path) -> None:
    witness = tmp_path / "witness"

    class Crafted:
        def __reduce__(self) -> tuple[object, tuple[object, ...]]:
            return Path.touch, (witness,)

    stored = DriftMonitor().save()
    assert stored.window == b""
    for window in (pickle.dumps(Crafted()), pickle.dumps(Path()), b"no pickle"):
        with pytest.raises(ValueError, match="not the state of a drift monitor"):
            DriftMonitor().restore(structs.replace(stored, window=window))
    assert not witness.exists()
