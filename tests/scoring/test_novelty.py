from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from river.anomaly import HalfSpaceTrees

from detector.features.catalogue import CATALOGUE
from detector.reference.forest import MIN_VECTORS, NO_FOREST, unit
from detector.reference.picture import Reference
from detector.scoring import grow as growing
from detector.scoring.grow import grow, inputs, planted
from detector.scoring.novelty import NoveltyModel, novelty_model
from tests.scoring.traffic import reference

WIDTH = len(CATALOGUE)


def vectors(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(0.5, 0.1, size=(n, WIDTH))


def test_too_few_or_foreign_vectors_give_no_trees() -> None:
    for unusable in (np.zeros((0, 0)), vectors(MIN_VECTORS - 1, 0), vectors(100, 0)[:, :-1]):
        assert len(grow(unusable)) == 0


def test_p_values_are_valid_and_small_for_strangers_only() -> None:
    model = NoveltyModel(grow(vectors(400, 1)))
    plain = model.p_values(vectors(300, 2))
    assert ((plain > 0) & (plain <= 1)).all()
    assert (plain <= 0.05).mean() < 0.12
    stranger = np.where(np.arange(WIDTH) % 2, 2.0, -1.0)
    assert model.p_values(stranger[np.newaxis])[0] < np.median(plain)


def test_the_trees_are_the_same_every_time_and_scoring_does_not_move_them() -> None:
    one, two = grow(vectors(200, 3)), grow(vectors(200, 3))
    probe = vectors(50, 4)
    first = one.scores(probe).tolist()
    assert first == two.scores(probe).tolist()
    assert first == one.scores(probe).tolist()


def test_scores_are_those_of_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    grown: list[HalfSpaceTrees] = []

    def kept(**options: Any) -> HalfSpaceTrees:
        grown.append(HalfSpaceTrees(**options))
        return grown[-1]

    monkeypatch.setattr(growing, "HalfSpaceTrees", kept)
    ours = grow(vectors(200, 5))
    items = np.random.default_rng(6).uniform(-0.5, 1.5, size=(200, WIDTH))
    places = unit(items, ours.low, ours.span)
    assert ours.scores(items).tolist() == [grown[0].score_one(inputs(place)) for place in places]


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_vectors_that_are_all_alike_do_not_break_it(value: float) -> None:
    model = NoveltyModel(grow(np.full((100, WIDTH), value)))
    assert 0 < model.p_values(np.full((1, WIDTH), value))[0] <= 1


def test_a_reference_keeps_its_trees_and_one_stored_without_them_grows_the_same() -> None:
    there = planted(replace(reference(), vectors=vectors(100, 8)))
    back = Reference.from_bytes(there.to_bytes())
    older = Reference.from_bytes(replace(there, forest=NO_FOREST).to_bytes())
    assert len(older.forest) == 0
    probe = vectors(50, 9)
    models = [novelty_model(each) for each in (there, back, older)]
    shares = [model.p_values(probe).tolist() for model in models if model]
    assert len(shares) == 3
    assert shares[0] == shares[1] == shares[2]


def test_a_reference_of_few_or_foreign_clients_has_no_model() -> None:
    for few in (vectors(5, 1), np.zeros((0, 0)), vectors(100, 1)[:, :-1]):
        assert novelty_model(planted(replace(reference(), vectors=few))) is None
    foreign = grow(vectors(100, 1))
    foreign = replace(foreign, low=np.zeros(WIDTH + 1), span=np.ones(WIDTH + 1))
    assert novelty_model(replace(reference(), forest=foreign)) is None
