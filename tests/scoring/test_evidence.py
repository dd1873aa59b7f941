"""The guarantee of the evidence, by simulation with fixed seeds."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray
from scipy.stats import norm

from detector.features.observation import FLAGS, Probe, decode
from detector.reference.volumes import NO_VOLUMES, Volumes, seen_share
from detector.scoring.calibrate import (
    GROUP_STRENGTHS,
    HALVINGS,
    fit_beta,
    fit_groups,
    fit_nulls,
)
from detector.scoring.evidence import LOG_E, RESTARTS, WIDTH, summit, tail, weigh
from detector.scoring.signs import SIGNS, SKIP, Against, Sign, Stage
from detector.scoring.tables import (
    CEILING_MARGIN,
    LEAST_VOLUME_SPREAD,
    UNCALIBRATED_PENALTY,
    ScoringPolicy,
    ScoringTables,
    build_tables,
    volume_scale,
)

NOTHING = NO_VOLUMES
LONG = 30.0


# Signs of groups are trusted as far as groups are alike.
ALIKE = np.repeat(np.arange(20), 100)
OF_GROUPS = {
    sign.name: fit_groups(sign, np.zeros(2000, dtype=np.int64), ALIKE)
    for sign in SIGNS
    if sign.of_groups
}


def tables(
    ceilings: dict[str, float] | None = None, budget: float = 1e-3, calibrated: bool = True
) -> ScoringTables:
    policy = ScoringPolicy(alarm_budget=budget)
    return build_tables(SIGNS, OF_GROUPS, ceilings or {}, NOTHING, policy, calibrated)


TABLES = tables()
STAGED = [s for s, sign in enumerate(SIGNS) if sign.stages]
EACH = pytest.mark.parametrize("s", STAGED, ids=[SIGNS[s].name for s in STAGED])
LIVES, QUERIES = 3000, 400
ORDINARY = decode(Probe.FAR << FLAGS)


def blank() -> NDArray[np.float32]:
    return np.zeros(WIDTH, dtype=np.float32)


def follow(levels: NDArray[np.int64], s: int, state: NDArray[np.float32]) -> list[float]:
    """Weigh one client's levels; returns the log e-value after each."""
    stages, count = TABLES.stages[s], int(TABLES.counts[s])
    return [weigh(state, int(level), stages, count) for level in levels]


def peak(levels: NDArray[np.int64], s: int) -> float:
    """The most that a client of these levels ever shows."""
    return float(summit(levels, TABLES.stages[s], int(TABLES.counts[s])))


def draw(shares: NDArray[np.float64], n: int, rng: Generator) -> NDArray[np.int64]:
    """Levels of a client that passes each stage with its share."""
    passed = rng.random((n, len(shares))) < shares
    return np.asarray(np.cumprod(passed, axis=1).sum(axis=1), dtype=np.int64)


def benign_client(s: int, rng: Generator) -> NDArray[np.int64]:
    a, b = TABLES.stages[s, : TABLES.counts[s], :2].T
    return draw(rng.beta(a, b), QUERIES, rng)


@EACH
def test_benign_clients_hardly_ever_show_much_evidence(s: int) -> None:
    """Ville: the share that ever reaches c is at most 1 / c, restarts included."""
    rng = np.random.default_rng(1000 + s)
    peaks = np.array([peak(benign_client(s, rng), s) for _ in range(LIVES)])
    for c in (5.0, 20.0, 100.0):
        expected = LIVES / c
        assert (peaks >= np.log(c)).sum() <= expected + 3.0 * np.sqrt(expected)


@EACH
def test_queries_that_say_nothing_in_between_do_not_change_what_is_shown(s: int) -> None:
    rng = np.random.default_rng(1500 + s)
    levels = draw(np.full(TABLES.counts[s], 0.6), 60, rng)
    diluted = np.full(10 * len(levels), SKIP, dtype=np.int64)
    diluted[::10] = levels
    assert peak(diluted, s) == peak(levels, s)


@EACH
def test_attackers_that_do_little_else_cross_the_threshold(s: int) -> None:
    rng = np.random.default_rng(2000 + s)
    shares = np.full(TABLES.counts[s], 0.95)
    for _ in range(20):
        assert peak(draw(shares, 300, rng), s) > TABLES.thresholds[s]


@EACH
def test_an_ordinary_life_before_does_not_hide_an_attack(s: int) -> None:
    rng = np.random.default_rng(2500 + s)
    life = np.full(2000, SIGNS[s].level(ORDINARY), dtype=np.int64)
    attack = draw(np.full(TABLES.counts[s], 0.95), 300, rng)
    assert peak(np.concatenate([life, attack]), s) > TABLES.thresholds[s]


@EACH
def test_the_summit_is_the_most_that_was_shown(s: int) -> None:
    levels = benign_client(s, np.random.default_rng(s))
    assert peak(levels, s) == max(follow(levels, s, blank()))


@EACH
def test_no_sign_at_all_is_no_evidence(s: int) -> None:
    assert peak(np.zeros(500, dtype=np.int64), s) <= 0.0


@EACH
def test_fewer_signs_than_benign_clients_show_are_hardly_evidence(s: int) -> None:
    rng = np.random.default_rng(3000 + s)
    shares = np.array([stage.benign / 2 for stage in SIGNS[s].stages])
    peaks = [peak(draw(shares, QUERIES, rng), s) for _ in range(100)]
    assert max(peaks) < 0.7 * TABLES.thresholds[s]


@EACH
def test_a_query_that_says_nothing_changes_nothing(s: int) -> None:
    state = blank()
    said = follow(draw(np.full(TABLES.counts[s], 0.6), 40, np.random.default_rng(s)), s, state)
    before = state.copy()
    assert weigh(state, SKIP, TABLES.stages[s], int(TABLES.counts[s])) == said[-1]
    np.testing.assert_array_equal(state, before)


def test_a_fresh_start_forgets_the_counts_and_is_paid_for() -> None:
    state = blank()
    after = follow(np.zeros(3, dtype=np.int64), 0, state)
    assert state[RESTARTS] == 3
    assert not state[: LOG_E + 1].any()
    assert after[-1] == pytest.approx(-np.log(4 * 5), rel=1e-5)


class TestThresholds:
    def test_the_budget_is_shared_by_all_signs(self) -> None:
        shares = np.exp(-TABLES.thresholds)
        assert shares.sum() == pytest.approx(1e-3)
        weights = np.array([sign.weight for sign in SIGNS])
        assert shares / shares.max() == pytest.approx(weights / weights.max())

    def test_a_stricter_budget_raises_every_threshold(self) -> None:
        assert (tables(budget=1e-6).thresholds > TABLES.thresholds).all()

    def test_a_known_ceiling_keeps_the_threshold_above_it(self) -> None:
        raised = tables({SIGNS[0].name: 40.0}).thresholds
        assert raised[0] == 40.0 + CEILING_MARGIN
        assert (raised[1:] == TABLES.thresholds[1:]).all()

    def test_without_a_reference_more_is_asked_and_some_signs_stay_silent(self) -> None:
        bare = tables(calibrated=False).thresholds
        for s, sign in enumerate(SIGNS):
            more = np.inf if "reference" in sign.needs else UNCALIBRATED_PENALTY
            assert bare[s] - TABLES.thresholds[s] == pytest.approx(more)


class TestVolume:
    def test_the_evidence_of_a_volume_never_exceeds_what_its_tail_allows(self) -> None:
        for z in np.linspace(1.0, 9.0, 50):
            value = np.exp(4.0 + 0.9 * z)
            assert np.exp(-tail(value, 4.0, 0.9)) >= norm.sf(z)
            assert np.exp(-tail(value, 4.0, 0.9)) <= 2.0 * norm.sf(z)

    def test_a_usual_volume_is_no_evidence(self) -> None:
        assert tail(np.exp(4.0), 4.0, 0.9) == 0.0
        assert tail(0.0, 4.0, 0.9) == 0.0

    def test_few_clients_say_nothing_about_how_much_is_much(self) -> None:
        center, spread = volume_scale(Volumes(np.full(5, 10.0), LONG))
        assert tail(1e9, center, spread) == 0.0

    def test_clients_that_hardly_ask_do_not_widen_what_is_usual(self) -> None:
        busy = np.exp(np.random.default_rng(0).normal(6.0, 1.5, 400))
        idle = np.where(busy < np.quantile(busy, 0.4), 1.0, busy)
        np.testing.assert_allclose(
            volume_scale(Volumes(idle, LONG)), volume_scale(Volumes(busy, LONG))
        )

    def test_the_spread_is_never_narrower_than_a_few_alike_clients_suggest(self) -> None:
        _, few = volume_scale(Volumes(np.full(25, 60.0), LONG))
        _, many = volume_scale(Volumes(np.full(2500, 60.0), LONG))
        assert few > many > LEAST_VOLUME_SPREAD

    @pytest.mark.parametrize("days", [3 / 1440, 1 / 24, 1.0, 30.0])
    def test_a_short_log_stands_for_what_steady_clients_ask_in_a_day(self, days: float) -> None:
        a_day = np.exp(np.random.default_rng(1).normal(9.0, 0.3, 60))
        center, _ = volume_scale(Volumes(a_day * seen_share(days), days))
        assert center == pytest.approx(np.log(np.median(a_day)))

    def test_the_shorter_the_log_the_less_is_known(self) -> None:
        spreads = [volume_scale(Volumes(np.full(60, 99.0), days))[1] for days in (9, 1, 0.1, 0.01)]
        assert spreads == sorted(spreads)
        assert spreads[0] == pytest.approx(LEAST_VOLUME_SPREAD * (1 + 1 / np.sqrt(60)), rel=1e-4)

    def test_of_a_log_of_unknown_length_nobody_is_beyond_the_volumes(self) -> None:
        assert tail(1e9, *volume_scale(Volumes(np.full(60, 10.0), 0.0))) == 0.0


STAGE = Stage(benign=0.1, benign_strength=10.0, attack=0.7, attack_strength=5.0, floor=0.3)


class TestNulls:
    def test_a_reference_that_shows_nothing_leaves_the_stage_as_it_is(self) -> None:
        a, b = fit_beta(STAGE, np.zeros(0), np.zeros(0))
        assert a / (a + b) == pytest.approx(STAGE.benign)

    @pytest.mark.parametrize("queries", [60.0, 6000.0])
    def test_an_intruder_does_not_move_the_mean(self, queries: float) -> None:
        trials, hits = np.full(60, 60.0), np.tile([3.0, 6.0, 9.0], 20)
        honest = fit_beta(STAGE, trials, hits)
        found = fit_beta(STAGE, np.append(trials, queries), np.append(hits, queries))
        assert found[0] / sum(found) == pytest.approx(honest[0] / sum(honest), rel=0.03)

    @pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
    def test_the_mean_follows_what_benign_clients_do(self, share: float) -> None:
        trials = np.full(200, 64.0)
        a, b = fit_beta(STAGE, trials, np.round(share * trials))
        assert a / (a + b) == pytest.approx(max(share, STAGE.benign / 2), abs=0.02)

    def test_a_reference_widens_what_is_expected_within_bounds_and_never_narrows_it(self) -> None:
        rng = np.random.default_rng(0)
        trials = np.full(300, 64.0)
        for shares in (np.full(300, 0.1), rng.beta(0.05, 0.45, 300)):
            a, b = fit_beta(STAGE, trials, rng.binomial(64, shares).astype(float))
            ratio = (a + b) / STAGE.benign_strength
            assert 1 / 2**HALVINGS - 1e-9 <= ratio <= 1 + 1e-9

    def test_clients_that_differ_more_give_less_strength(self) -> None:
        rng = np.random.default_rng(1)
        trials = np.full(400, 64.0)
        alike = fit_beta(STAGE, trials, rng.binomial(64, 0.1, 400).astype(float))
        apart = fit_beta(STAGE, trials, rng.binomial(64, rng.beta(0.3, 2.7, 400)).astype(float))
        assert sum(apart) < sum(alike)

    def test_one_intruder_makes_no_oddity_common(self) -> None:
        trials = np.full(60, 64.0)
        hits = np.round(STAGE.benign * trials)
        alone = fit_beta(STAGE, trials, hits)
        hits[0] = 64.0
        assert sum(fit_beta(STAGE, trials, hits)) == sum(alone)
        hits[:6] = 64.0
        assert sum(fit_beta(STAGE, trials, hits)) < sum(alone)

    def test_parameters_are_positive_for_any_levels(self) -> None:
        rng = np.random.default_rng(2)
        owner = np.repeat(np.arange(30), 50)
        for levels in (np.zeros(1500, int), np.full(1500, 2), rng.integers(-1, 3, 1500)):
            nulls = fit_nulls((STAGE, STAGE), levels.astype(np.int64), owner)
            assert len(nulls) == 4
            assert min(nulls) > 0


class TestGroups:
    """How sure a sign may be of what groups that come new do not show."""

    SIGN = Sign("strange", lambda _: SKIP, (STAGE,), frozenset(), against=Against.GROUPS)

    def fitted(self, *shares: float, sign: Sign = SIGN) -> tuple[float, float]:
        # Evenly spread, so that no run of them says more than the share.
        counts = np.floor(np.outer(shares, np.arange(151)) + 1e-9)
        levels = np.diff(counts, axis=1).astype(np.int64).ravel()
        owner = np.repeat(np.arange(len(shares)), 150)
        a, b = fit_groups(sign, levels, owner)
        return a / (a + b), (a + b) / STAGE.benign_strength

    def test_groups_that_are_alike_are_trusted_most(self) -> None:
        mean, strength = self.fitted(*[0.05] * 20)
        assert mean == pytest.approx(0.05, abs=0.02)
        assert strength == pytest.approx(GROUP_STRENGTHS[0])

    def test_showing_less_than_expected_takes_no_trust_away(self) -> None:
        mean, strength = self.fitted(*[0.0] * 20)
        assert mean == pytest.approx(STAGE.benign / 2, abs=0.02)
        assert strength == pytest.approx(GROUP_STRENGTHS[0])

    def test_one_odd_group_is_chance_and_two_are_not(self) -> None:
        _, one = self.fitted(*[0.05] * 19, 0.9)
        _, two = self.fitted(*[0.05] * 18, 0.9, 0.9)
        assert one == pytest.approx(GROUP_STRENGTHS[0])
        assert two <= 1.0

    def test_the_odder_the_less_trust(self) -> None:
        strengths = [self.fitted(*[0.05] * 16, *[odd] * 4)[1] for odd in (0.05, 0.4, 0.7, 1.0)]
        assert strengths == pytest.approx(sorted(strengths, reverse=True))
        assert strengths[0] > 2 * strengths[-1]

    def test_where_the_oddest_group_counts_the_others_do_not_water_it_down(self) -> None:
        oddest = replace(self.SIGN, against=Against.ODDEST)
        shares = [0.05] * 19 + [0.3]
        assert self.fitted(*shares)[0] < 0.1
        assert self.fitted(*shares, sign=oddest)[0] == pytest.approx(0.25, abs=0.05)
        assert self.fitted(*[0.05] * 20, sign=oddest)[0] == pytest.approx(0.05, abs=0.02)

    def test_a_reference_that_does_not_speak_of_groups_leaves_their_signs_silent(self) -> None:
        older = build_tables(SIGNS, {}, {}, NOTHING, ScoringPolicy(), True)
        for s, sign in enumerate(SIGNS):
            assert np.isinf(older.thresholds[s]) == sign.of_groups
