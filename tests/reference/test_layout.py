import numpy as np
import pytest

from detector.reference.layout import PROBABILITIES, Layout, score_range
from detector.reference.sketch import RAW

NAMES = ("a", "b")


def layout(classes: tuple[int, ...] = (), scores: tuple[float, float] = PROBABILITIES) -> Layout:
    return Layout(RAW, classes, False, scores)


def test_probabilities_are_shares_already() -> None:
    scores = np.array([[0.2, 0.8], [1.0, np.nan]])
    assert score_range(scores) == PROBABILITIES
    assert layout().shares(scores) is scores


@pytest.mark.parametrize(("factor", "shift"), [(100.0, 0.0), (16.0, -8.0), (1e-3, 5.0)])
def test_other_scores_become_shares_with_room_on_both_sides(factor: float, shift: float) -> None:
    scores = np.random.default_rng(0).uniform(size=(5000, 2)) * factor + shift
    shares = layout(scores=score_range(scores)).shares(scores)
    assert 0.3 < shares.min() < 0.35
    assert 0.65 < shares.max() < 0.7


def test_a_few_odd_scores_do_not_set_the_range() -> None:
    scores = np.random.default_rng(0).uniform(0, 100, size=(5000, 2))
    scores[0] = 1e29
    low, high = score_range(scores)
    assert -110 < low < high < 210
    assert score_range(np.full((9, 1), 7.0))[0] < score_range(np.full((9, 1), 7.0))[1]


def test_columns_of_classes_are_frozen_where_benign_events_had_any() -> None:
    frozen = layout((5, 9)).table(NAMES)
    assert frozen.class_column(9) == 1
    assert frozen.class_column(70) == 70 % 32
    assert frozen.classes == (5, 9)
    assert layout().table(NAMES, (4,)).class_column(8) == 1
