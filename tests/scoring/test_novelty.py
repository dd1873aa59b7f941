import numpy as np
import pytest

from detector.features.catalogue import CATALOGUE
from detector.scoring.novelty import MIN_VECTORS, fit_novelty

WIDTH = len(CATALOGUE)


def vectors(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, 0.1, size=(n, WIDTH))


def test_too_few_or_foreign_vectors_give_no_model() -> None:
    assert fit_novelty(np.zeros((0, 0))) is None
    assert fit_novelty(vectors(MIN_VECTORS - 1, 0)) is None
    assert fit_novelty(vectors(100, 0)[:, :-1]) is None


def test_p_values_are_valid_and_small_for_strangers_only() -> None:
    model = fit_novelty(vectors(400, 1))
    assert model is not None
    plain = model.p_values(vectors(300, 2))
    assert ((plain > 0) & (plain <= 1)).all()
    assert (plain <= 0.05).mean() < 0.12
    stranger = np.where(np.arange(WIDTH) % 2, 2.0, -1.0)
    assert model.p_values(stranger[np.newaxis])[0] < np.median(plain)


def test_the_model_is_the_same_every_time_and_scoring_does_not_move_it() -> None:
    one, two = fit_novelty(vectors(200, 3)), fit_novelty(vectors(200, 3))
    assert one is not None
    assert two is not None
    probe = vectors(50, 4)
    first = one.scores(probe).tolist()
    assert first == two.scores(probe).tolist()
    assert first == one.scores(probe).tolist()


def test_scores_are_those_of_the_trees() -> None:
    model = fit_novelty(vectors(200, 5))
    assert model is not None
    items = np.random.default_rng(6).uniform(-0.5, 1.5, size=(200, WIDTH))
    expected = [model._trees.score_one(model._inputs(item)) for item in items]
    assert model.scores(items).tolist() == expected


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_vectors_that_are_all_alike_do_not_break_it(value: float) -> None:
    model = fit_novelty(np.full((100, WIDTH), value))
    assert model is not None
    assert 0 < model.p_values(np.full((1, WIDTH), value))[0] <= 1
