import numpy as np
import pytest

from detector.evaluation.baselines import baselines
from detector.evaluation.baselines.baseline import Baseline
from detector.evaluation.baselines.mmd import MmdWindow
from detector.evaluation.baselines.prada import MIN_DISTANCES, Prada
from detector.evaluation.datasets import Coded, Labels

FIELDS = 20


def natural(n: int, seed: int) -> Coded:
    """Return points whose distances to each other are close to normal."""
    rng = np.random.default_rng(seed)
    points: Coded = np.clip(rng.normal(0.5, 0.1, (n, FIELDS)), 0, 1)
    return points


def stepwise(n: int, seed: int) -> Coded:
    """Return natural points, each followed by one a small fixed step away."""
    seeds = natural(n // 2, seed)
    steps = 0.02 * np.sign(np.random.default_rng(seed).normal(size=seeds.shape))
    return np.stack([seeds, seeds + steps], axis=1).reshape(-1, FIELDS)


def one_class(points: Coded) -> Labels:
    return np.zeros(len(points), dtype=np.int64)


def alarm(baseline: Baseline, points: Coded) -> int | None:
    return baseline.alarm(points, one_class(points))


def test_prada_finds_steps_of_one_size_and_lets_normal_distances_be() -> None:
    assert alarm(Prada(), stepwise(400, 1)) is not None
    assert [alarm(Prada(), natural(400, seed)) for seed in range(5)] == [None] * 5


def test_prada_waits_for_a_hundred_distances() -> None:
    points = stepwise(400, 1)
    first = alarm(Prada(), points)
    assert first is not None
    # The first point of the only class has no distance.
    assert first > MIN_DISTANCES + 1
    assert alarm(Prada(), points[: first - 1]) is None
    assert alarm(Prada(), points[:first]) == first


def test_prada_takes_repeats_of_one_query_for_an_attack() -> None:
    assert alarm(Prada(), np.repeat(natural(1, 0), 300, axis=0)) is not None


@pytest.mark.parametrize("window", [64, 256])
def test_mmd_finds_another_domain_soon_after_the_first_window(window: int) -> None:
    test = MmdWindow(window, seed=0)
    test.calibrate([natural(400, seed) for seed in range(20)])
    assert alarm(test, natural(400, 99)) is None
    assert alarm(test, np.random.default_rng(0).random((400, FIELDS))) == window


def test_mmd_never_passes_what_a_reference_client_reached() -> None:
    clients = [natural(300, seed) for seed in range(10)]
    test = MmdWindow(64, seed=0)
    test.calibrate(clients)
    assert [alarm(test, client) for client in clients] == [None] * 10


def test_mmd_does_not_judge_lives_shorter_than_its_window() -> None:
    test = MmdWindow(64, seed=0)
    test.calibrate([natural(300, seed) for seed in range(10)])
    assert alarm(test, np.ones((63, FIELDS))) is None


@pytest.mark.parametrize("name", ["prada", "mmd_64", "mmd_256"])
def test_a_baseline_s_verdict_depends_on_its_seed_alone(name: str) -> None:
    points = np.concatenate([natural(100, 3), stepwise(300, 4)])
    verdicts = set()
    for _ in range(2):
        baseline = baselines(7)[name]
        baseline.calibrate([natural(300, seed) for seed in range(5)])
        verdicts.add(alarm(baseline, points))
    assert len(verdicts) == 1
