import math

import numpy as np
import pytest

from detector.features.catalogue import CATALOGUE, Family
from detector.features.view import RowView
from tests.features.watcher import GAP, Watcher, lens, uncalibrated

D = 5
BOUNDED = {"share", "probability"}


def probed(seed: int) -> Watcher:
    """A client that mixes everything."""
    rng = np.random.default_rng(seed)
    client = Watcher(lens(D, grid=(1.0, 0.0, 0.0, 0.0, 0.0)))
    base = rng.normal(size=D)
    for i in range(200):
        cells = base.copy()
        changed = rng.choice(D, size=rng.integers(D + 1), replace=False)
        cells[changed] += rng.normal(size=len(changed))
        score = rng.random()
        client.ask(cells, int(score > 0.5), (1 - score, score), float(rng.random()), int(1000 * i))
    return client


def view(client: Watcher) -> RowView:
    return RowView(client.table, client.row, client.lens.cells.shape[1])


def test_names_are_unique_and_every_entry_says_what_it_is() -> None:
    names = [feature.name for feature in CATALOGUE]
    assert len(set(names)) == len(names)
    assert all(feature.unit and feature.meaning for feature in CATALOGUE)
    assert {feature.family for feature in CATALOGUE} == set(Family)


@pytest.mark.parametrize("seed", range(4))
def test_shares_lie_in_the_unit_interval(seed: int) -> None:
    features = view(probed(seed)).features()
    for feature in CATALOGUE:
        value = features[feature.name]
        assert math.isfinite(value)
        if feature.unit in BOUNDED:
            assert 0.0 <= value <= 1.0, feature.name


def test_entropy_of_one_value_is_a_plain_zero() -> None:
    client = Watcher(lens(D))
    for i in range(9):
        client.ask((float(i), 0.0, 0.0, 0.0, 0.0), label=1)
    features = view(client).features()
    assert f"{features['label_entropy']:.2f} {features['field_entropy']:.2f}" == "0.00 0.00"


def test_entropies_are_at_most_the_log_of_what_there_is() -> None:
    features = view(probed(1)).features()
    assert 0 < features["field_entropy"] <= math.log2(D)
    assert 0 < features["label_entropy"] <= 1
    assert 0 < features["query_entropy"] <= 1


def test_features_that_the_log_does_not_allow_are_left_out() -> None:
    client = Watcher(uncalibrated(D))
    client.ask(None, label=-1)
    features = view(client).features()
    assert "queries" in features
    for name in ("margin", "nearest_distance", "label_dominance", "strange_share"):
        assert name not in features


def test_a_client_never_heard_of_reads_as_nothing() -> None:
    empty = Watcher(lens(D))
    values = view(empty).features()
    assert values["queries"] == 0
    assert all(math.isfinite(value) for value in values.values())


def test_the_vector_has_all_features_in_order_and_no_gaps() -> None:
    client = Watcher(uncalibrated(D))
    client.ask((GAP,) * D, label=-1)
    values = view(client).vector()
    features = view(client).features()
    assert values.shape == (len(CATALOGUE),)
    for feature, value in zip(CATALOGUE, values, strict=True):
        assert value == features.get(feature.name, 0.0)


def test_rate_and_irregularity_tell_of_the_clock() -> None:
    client = Watcher(lens(D))
    rng = np.random.default_rng(0)
    for i in range(31):
        client.ask(rng.normal(size=D), time_ms=2000 * i)
    features = view(client).features()
    assert features["rate"] == pytest.approx(31.0)
    assert features["irregularity"] == pytest.approx(0.0, abs=1e-6)


def test_the_climb_is_that_of_the_class_with_most_records() -> None:
    client = Watcher(lens(D))
    rng = np.random.default_rng(0)
    for score in np.linspace(0.1, 0.7, 60):
        client.ask(1e-2 * rng.normal(size=D), scores=(0.3, 0.7 - score, score))
    assert view(client).top_class() == 2
    assert view(client).features()["climb"] == pytest.approx(0.53, abs=0.02)
