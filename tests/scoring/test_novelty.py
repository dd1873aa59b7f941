from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from river.anomaly import HalfSpaceTrees

from detector.features.catalogue import CATALOGUE
from detector.reference.forest import AGE, MIN_VECTORS, NO_FOREST, unit
from detector.reference.picture import Reference
from detector.scoring import grow as growing
from detector.scoring.grow import grow, inputs, planted
from detector.scoring.novelty import NoveltyModel, novelty_model
from tests.scoring.traffic import reference

WIDTH = len(CATALOGUE)


def vectors(n: int, seed: int, ages: Sequence[int] = (32,)) -> np.ndarray:
    """Those of n clients at each of the ages, client after client."""
    made = np.random.default_rng(seed).normal(0.5, 0.1, size=(n * len(ages), WIDTH))
    made[:, AGE] = np.tile(ages, n)
    return made


def test_too_few_or_foreign_vectors_give_no_trees() -> None:
    for unusable in (np.zeros((0, 0)), vectors(MIN_VECTORS - 1, 0), vectors(100, 0)[:, :-1]):
        assert len(grow(unusable)) == 0


def test_p_values_are_valid_and_small_for_strangers_only() -> None:
    model = NoveltyModel(grow(vectors(400, 1)))
    plain = model.p_values(vectors(300, 2))
    assert ((plain > 0) & (plain <= 1)).all()
    assert (plain <= 0.05).mean() < 0.12
    stranger = np.where(np.arange(WIDTH) % 2, 2.0, -1.0)
    stranger[AGE] = 32
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
    items[:, AGE] = 32
    places = unit(items, ours.low, ours.span)
    assert ours.scores(items).tolist() == [grown[0].score_one(inputs(place)) for place in places]


@pytest.mark.parametrize("value", [0.0, 7.0])
def test_vectors_that_are_all_alike_do_not_break_it(value: float) -> None:
    alike = np.full((100, WIDTH), value)
    alike[:, AGE] = 32
    assert 0 < NoveltyModel(grow(alike)).p_values(alike[:1])[0] <= 1


def test_nobody_is_judged_at_an_age_that_the_reference_hardly_has() -> None:
    few = vectors(MIN_VECTORS - 1, 3, (256,))
    model = NoveltyModel(grow(np.concatenate([vectors(200, 1, (32, 64)), few])))
    stranger = np.where(np.arange(WIDTH) % 2, 2.0, -1.0) * np.ones((5, 1))
    stranger[:, AGE] = 32, 64, 128, 256, 512
    assert (model.p_values(stranger)[:2] < 0.05).all()
    assert model.p_values(stranger)[2:].tolist() == [1.0, 1.0, 1.0]


def test_the_number_of_looks_makes_no_benign_client_strange() -> None:
    """However different ages look: one in all clients is the strangest, at whatever age it is."""
    ages = (32, 64, 128, 256)
    spread = np.tile(np.array([4.0, 1.0, 2.0, 0.5])[:, np.newaxis], (400, WIDTH))

    def lived(seed: int) -> np.ndarray:
        made = vectors(400, seed, ages)
        return np.column_stack([made[:, :1], 0.5 + (made[:, 1:] - 0.5) * spread[:, 1:]])

    model = NoveltyModel(grow(lived(1)))
    assert model.profiles == 200
    strangest = model.p_values(lived(2)).reshape(400, 4).min(axis=1)
    for level in (0.02, 0.05, 0.1):
        assert (strangest <= level).mean() <= level + 0.05


def test_the_first_feature_is_the_age() -> None:
    assert CATALOGUE[AGE].name == "queries"


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
