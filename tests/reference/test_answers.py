import numpy as np
import pytest
from numpy.typing import NDArray

from detector.events.batch import NO_LABEL, category_code
from detector.reference.answers import EMPTY, FEATURES, AnswerSample, cos, project, tanh
from detector.reference.draw import CLIENT_SHARE, MAX_LABELS, MAX_QUERIES, draw_answers

Rows = NDArray[np.float32]
Codes = NDArray[np.int64]


def queries(n: int = 1200, width: int = 5, seed: int = 1) -> tuple[Rows, Codes, Codes]:
    """Scaled rows with a category and gaps, answers that mostly are 7, and 60 clients."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, width)).astype(np.float32)
    labels = np.where(z[:, 0] + z[:, 1] > 1.8, 3, 7).astype(np.int64)
    z[:, 3] = rng.choice([category_code("car"), category_code("house")], n)
    z[rng.random(n) < 0.1, 4] = np.nan
    return z, labels, rng.integers(60, size=n)


def projected(sample: AnswerSample, query: Rows) -> NDArray[np.float64]:
    out = np.empty(FEATURES)
    project(query, sample.basis(), out)
    return out


def test_no_client_and_no_label_fills_the_sample() -> None:
    z, labels, owner = queries()
    z[:, 2] = owner
    owner[:600] = 0
    sample = draw_answers(z, labels, owner)
    assert MAX_QUERIES / 2 < len(sample.labels) <= MAX_QUERIES
    assert sample.features.shape == (len(sample.labels), FEATURES)
    own = {projected(sample, row).tobytes() for row in z[owner == 0]}
    taken = sum(row.tobytes() in own for row in sample.features)
    assert 0 < taken <= MAX_QUERIES * CLIENT_SHARE
    assert (sample.labels == 7).sum() == MAX_QUERIES / 2


def test_chance_is_the_share_of_the_commonest_label() -> None:
    features = np.zeros((8, FEATURES))
    assert AnswerSample(features, np.array([1.0] * 5 + [2.0] * 3), 1.0).chance == 5 / 8
    assert EMPTY.chance == 1.0


@pytest.mark.parametrize("labels", [[NO_LABEL], [4], [4, NO_LABEL]])
def test_without_two_labels_there_is_nothing_to_score_on(labels: list[int]) -> None:
    z, _, owner = queries()
    assert len(draw_answers(z, np.resize(labels, len(z)).astype(np.int64), owner).labels) == 0


def test_a_handful_of_queries_is_nothing_to_score_on() -> None:
    z, labels, owner = queries(12)
    assert len(draw_answers(z, labels, owner).labels) == 0


def test_only_the_commonest_labels_are_kept() -> None:
    z, _, owner = queries()
    labels = np.repeat(np.arange(40), 30).astype(np.int64)
    labels[labels >= 30] = 29
    sample = draw_answers(z, labels, owner)
    assert len(set(sample.labels)) == MAX_LABELS
    assert 29.0 in sample.labels


def test_the_same_queries_give_the_same_sample() -> None:
    once, again = draw_answers(*queries()), draw_answers(*queries())
    np.testing.assert_array_equal(once.features, again.features)
    np.testing.assert_array_equal(once.labels, again.labels)
    assert once.bandwidth == again.bandwidth > 0


def test_features_are_bounded_whatever_comes() -> None:
    sample = draw_answers(*queries())
    wild = np.array([np.nan, category_code("x"), 1e30, -1e30, 0.0], dtype=np.float32)
    assert np.abs(projected(sample, wild)).max() <= 2**0.5


def test_near_queries_have_near_features_and_far_ones_do_not() -> None:
    sample = draw_answers(*queries())
    rng = np.random.default_rng(3)
    here = rng.normal(size=5).astype(np.float32)
    near = here + np.float32(0.01)
    far = -here * np.float32(3.0)
    apart = [np.linalg.norm(projected(sample, here) - projected(sample, p)) for p in (near, far)]
    assert 20 * apart[0] < apart[1]


def test_constant_queries_do_no_harm() -> None:
    z, labels, owner = queries()
    sample = draw_answers(np.ones_like(z), labels, owner)
    assert np.isfinite(sample.features).all()


def test_tangents_and_cosines_are_those_of_the_library() -> None:
    numbers = np.linspace(-10.0, 10.0, 100_001)
    tangents = numbers.copy()
    tanh(tangents)
    assert np.abs(tangents - np.tanh(numbers)).max() < 1e-15
    for reach, error in ((100.0, 1e-12), (1e6, 1e-9)):
        angles = np.linspace(-reach, reach, 100_001)
        cosines = angles.copy()
        cos(cosines)
        assert np.abs(cosines - np.cos(angles)).max() < error
