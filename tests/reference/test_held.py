import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from detector.reference.fields import KNOTS
from detector.reference.held import (
    BODY,
    doublings,
    held,
    held_beta,
    held_ratio,
    held_tail,
    kept_or_held,
    moved_knots,
    moved_precision,
)

finite = st.floats(-1e6, 1e6)
positive = st.floats(1e-3, 1e3)
SHARES = np.linspace(0.0, 1.0, KNOTS)


def knots(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.quantile(values, SHARES)


@given(finite, finite, positive)
def test_a_value_moves_by_its_step_at_most(value: float, before: float, step: float) -> None:
    result = held(value, before, step)
    assert before - step <= result <= before + step
    assert result in (value, before - step, before + step)


@given(positive, positive, st.floats(1.0, 3.0))
def test_a_ratio_moves_by_its_factor_at_most(value: float, before: float, factor: float) -> None:
    result = held_ratio(value, before, factor)
    assert before / factor <= result <= before * factor
    assert abs(doublings(result, before)) <= np.log2(factor) + 1e-9


@given(positive, positive, positive, positive)
def test_a_beta_distribution_moves_in_odds_and_strength(
    a: float, b: float, c: float, d: float
) -> None:
    moved = held_beta((a, b), (c, d), 1.25)
    assert moved.min() > 0
    assert abs(doublings(moved[0] / moved[1], c / d)) <= np.log2(1.25) + 1e-6
    assert abs(doublings(moved.sum(), c + d)) <= np.log2(1.25) + 1e-6


def test_within_the_factor_a_beta_distribution_is_taken_as_it_is() -> None:
    np.testing.assert_allclose(held_beta((2.0, 10.0), (2.2, 10.5), 1.25), [2.0, 10.0])


def test_no_tail_share_grows_or_shrinks_beyond_the_factor() -> None:
    rng = np.random.default_rng(1)
    before = np.sort(rng.exponential(1.0, 4000))
    heavier = np.sort(rng.exponential(3.0, 3000))
    result = held_tail(heavier, before, 1.25)
    assert (np.diff(result) >= 0).all()
    for at in (0.5, 1.0, 2.0, 4.0):
        assert (result > at).mean() <= 1.25 * (before > at).mean() + 2 / 3000
    assert result.max() <= before.max()
    lighter = np.sort(rng.exponential(0.5, 3000))
    result = held_tail(lighter, before, 1.25)
    for at in (0.5, 1.0, 2.0):
        assert (result > at).mean() >= (before > at).mean() / 1.25 - 2 / 3000
    alike = np.sort(rng.exponential(1.0, 3000))
    assert (held_tail(alike, before, 1.25) == alike).mean() > 0.95


def test_values_that_all_grew_by_the_slack_are_taken_as_they_are() -> None:
    before = np.sort(np.random.default_rng(1).choice([1.0, 2.0, 5.0], 2000))
    np.testing.assert_array_equal(held_tail(before + 0.3, before, 1.25, 0.3), before + 0.3)


@given(positive, positive)
def test_a_value_near_what_it_was_stays_exactly_that(value: float, before: float) -> None:
    result = kept_or_held(value, before, 1.25)
    assert result in (before, before * 1.25, before / 1.25)


class TestKnots:
    rng = np.random.default_rng(2)
    before = knots(rng.normal(0.0, 1.0, 5000))
    unit = 2.56

    def moved(
        self, candidate: NDArray[np.float64], before: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        start = self.before if before is None else before
        return moved_knots(candidate, start, 0.05 * self.unit, 0.02)

    def test_a_leap_is_followed_step_by_step(self) -> None:
        far = self.before + 1.0
        at = self.before
        for _ in range(7):
            at = self.moved(far, at)
            assert (np.diff(at) >= 0).all()
        assert np.abs(at[BODY] - self.before[BODY]).mean() < 0.95
        for _ in range(3):
            at = self.moved(far, at)
        np.testing.assert_allclose(at, far, atol=1e-9)

    def test_a_few_rows_far_out_do_not_widen_the_support(self) -> None:
        few = knots(np.concatenate([self.rng.normal(0.0, 1.0, 4700), np.full(300, 50.0)]))
        at = self.before
        for _ in range(30):
            at = self.moved(few, at)
        assert at[-1] < self.before[-1] + 0.1 * self.unit

    def test_a_support_that_has_become_narrower_is_followed(self) -> None:
        narrow = knots(self.rng.normal(0.0, 0.5, 5000))
        at = self.before
        for _ in range(40):
            at = self.moved(narrow, at)
        assert at[-1] < self.before[-1]
        assert at[-1] >= narrow[-1] - 1e-9

    def test_a_half_that_spreads_takes_its_tail_along(self) -> None:
        skewed = np.where(self.before > 0, 2.0 * self.before, self.before)
        at = self.before
        for _ in range(30):
            at = self.moved(skewed, at)
        assert at[-1] > self.before[-1] + 0.3
        assert at[0] == pytest.approx(self.before[0], abs=0.05)

    def test_noise_between_natural_values_makes_no_new_ones(self) -> None:
        values = np.array([6.0, 12.0, 24.0, 36.0, 60.0])
        first = knots(self.rng.choice(values, 3000))
        at = first
        for _ in range(20):
            noisy = knots(self.rng.choice(values, 3000))
            at = moved_knots(noisy, at, 0.05 * 54, 0.025)
        assert at[0] <= 6.0 + 0.02 * 54
        assert at[-1] >= 60.0 - 0.02 * 54
        body = at[BODY]
        assert np.isclose(body[:, None], values, atol=1e-9).any(axis=1).mean() > 0.95


def precision_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.linalg.inv(np.cov(values)), dtype=np.float64)


def test_covariances_move_by_their_step_and_stay_sound() -> None:
    rng = np.random.default_rng(3)
    before = precision_of(rng.normal(size=(4, 400)))
    candidate = precision_of(rng.normal(size=(4, 4)) @ rng.normal(size=(4, 400)))
    moved, gone = moved_precision(candidate, before, 0.05)
    assert gone == pytest.approx(0.05)
    assert np.abs(np.linalg.inv(moved) - np.linalg.inv(before)).max() == pytest.approx(0.05)
    assert np.linalg.eigvalsh(moved).min() > 0
    same, gone = moved_precision(before, before, 0.05)
    np.testing.assert_allclose(same, before)
    assert gone == pytest.approx(0.0, abs=1e-9)


def test_relations_between_no_numbers_stay_none() -> None:
    nothing = np.zeros((3, 3))
    moved, gone = moved_precision(nothing, nothing, 0.05)
    np.testing.assert_array_equal(moved, nothing)
    assert gone == 0.0
