"""The guarantee of the evidence, by simulation with fixed seeds."""

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from detector.scoring.calibrate import MAX_STRENGTH_CHANGE, fit_beta, fit_nulls
from detector.scoring.evidence import LOG_E, RESTARTS, SINCE, WIDTH, weigh
from detector.scoring.hypotheses import ALL
from detector.scoring.hypothesis import SKIP, Stage
from detector.scoring.tables import ScoringPolicy, build_tables

TABLES = build_tables(ALL, {}, {}, ScoringPolicy(), calibrated=True)
EACH = pytest.mark.parametrize("h", range(len(ALL)), ids=[item.technique for item in ALL])
CLIENTS, QUERIES = 600, 400


def blank() -> NDArray[np.float32]:
    return np.zeros(WIDTH, dtype=np.float32)


def follow(levels: NDArray[np.int64], h: int, state: NDArray[np.float32]) -> list[float]:
    """Weigh one client's levels; returns the log e-value after each."""
    stages, count = TABLES.stages[h], int(TABLES.counts[h])
    return [weigh(state, int(v), float(n), stages, count) for n, v in enumerate(levels, 1)]


def draw(h: int, shares: NDArray[np.float64], n: int, rng: Generator) -> NDArray[np.int64]:
    """Levels of a client that passes each stage with its share."""
    passed = rng.random((n, len(shares))) < shares
    return np.asarray(np.cumprod(passed, axis=1).sum(axis=1), dtype=np.int64)


def benign_client(h: int, rng: Generator) -> NDArray[np.int64]:
    a, b = TABLES.stages[h, : TABLES.counts[h], :2].T
    return draw(h, rng.beta(a, b), QUERIES, rng)


@EACH
def test_benign_clients_hardly_ever_show_much_evidence(h: int) -> None:
    """Ville: the share that ever reaches c is at most 1 / c, restarts included."""
    rng = np.random.default_rng(1000 + h)
    peaks = np.array([max(follow(benign_client(h, rng), h, blank())) for _ in range(CLIENTS)])
    for c in (5.0, 20.0, 100.0):
        expected = CLIENTS / c
        assert (peaks >= np.log(c)).sum() <= expected + 3.0 * np.sqrt(expected) + 1.0


@EACH
def test_attackers_that_do_little_else_cross_the_threshold(h: int) -> None:
    rng = np.random.default_rng(2000 + h)
    shares = np.full(TABLES.counts[h], 0.95)
    for _ in range(20):
        assert max(follow(draw(h, shares, 300, rng), h, blank())) > TABLES.thresholds[h]


@EACH
def test_no_sign_at_all_is_no_evidence(h: int) -> None:
    assert max(follow(np.zeros(500, dtype=np.int64), h, blank())) <= 0.0


@EACH
def test_fewer_signs_than_benign_clients_show_are_hardly_evidence(h: int) -> None:
    rng = np.random.default_rng(3000 + h)
    shares = np.array([stage.benign / 2 for stage in ALL[h].stages])
    peaks = [max(follow(draw(h, shares, QUERIES, rng), h, blank())) for _ in range(100)]
    assert max(peaks) < 0.7 * TABLES.thresholds[h]


@EACH
def test_each_query_counts_once_whatever_the_cuts(h: int) -> None:
    levels = benign_client(h, np.random.default_rng(5000 + h))
    whole, parts = blank(), blank()
    follow(levels, h, whole)
    stages, count = TABLES.stages[h], int(TABLES.counts[h])
    for n, part in enumerate(np.array_split(levels, len(levels)), 1):
        weigh(parts, int(part[0]), float(n), stages, count)
    np.testing.assert_array_equal(whole, parts)


@EACH
def test_a_query_that_says_nothing_changes_nothing(h: int) -> None:
    state = blank()
    follow(draw(h, np.full(TABLES.counts[h], 0.6), 40, np.random.default_rng(h)), h, state)
    before = state.copy()
    weigh(state, SKIP, 41.0, TABLES.stages[h], int(TABLES.counts[h]))
    np.testing.assert_array_equal(state, before)


def test_a_fresh_start_forgets_the_counts_and_is_paid_for() -> None:
    state = blank()
    after = follow(np.zeros(3, dtype=np.int64), 0, state)
    assert state[RESTARTS] == 3
    assert state[SINCE] == 4
    assert state[LOG_E] == 0.0
    assert after[-1] == pytest.approx(-np.log(4 * 5), rel=1e-5)


STAGE = Stage(benign=0.1, benign_strength=10.0, attack=0.7, attack_strength=5.0, floor=0.3)


class TestNulls:
    def test_a_reference_that_shows_nothing_leaves_the_stage_as_it_is(self) -> None:
        a, b = fit_beta(STAGE, np.zeros(0), np.zeros(0))
        assert a / (a + b) == pytest.approx(STAGE.benign)

    @pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
    def test_the_mean_follows_what_benign_clients_do(self, share: float) -> None:
        trials = np.full(200, 64.0)
        a, b = fit_beta(STAGE, trials, np.round(share * trials))
        assert a / (a + b) == pytest.approx(max(share, STAGE.benign / 4), abs=0.02)

    def test_the_strength_stays_near_the_expected_one(self) -> None:
        rng = np.random.default_rng(0)
        trials = np.full(300, 64.0)
        for shares in (np.full(300, 0.1), rng.beta(0.05, 0.45, 300)):
            a, b = fit_beta(STAGE, trials, rng.binomial(64, shares).astype(float))
            ratio = (a + b) / STAGE.benign_strength
            assert 1 / MAX_STRENGTH_CHANGE - 1e-9 <= ratio <= MAX_STRENGTH_CHANGE + 1e-9

    def test_clients_that_differ_more_give_less_strength(self) -> None:
        rng = np.random.default_rng(1)
        trials = np.full(400, 64.0)
        alike = fit_beta(STAGE, trials, rng.binomial(64, 0.1, 400).astype(float))
        apart = fit_beta(STAGE, trials, rng.binomial(64, rng.beta(0.3, 2.7, 400)).astype(float))
        assert sum(apart) < sum(alike)

    def test_parameters_are_positive_for_any_levels(self) -> None:
        rng = np.random.default_rng(2)
        owner = np.repeat(np.arange(30), 50)
        for levels in (np.zeros(1500, int), np.full(1500, 2), rng.integers(-1, 3, 1500)):
            nulls = fit_nulls((STAGE, STAGE), levels.astype(np.int64), owner)
            assert len(nulls) == 4
            assert min(nulls) > 0
