import numpy as np
import pytest

from detector.reference.typical import typical_quantile


def rows(clients: int, each: int) -> np.ndarray:
    return np.repeat(np.arange(clients), each)


def test_of_clients_that_ask_enough_it_is_the_median_of_their_own_quantiles() -> None:
    owner = rows(9, 40)
    values = owner + np.tile(np.linspace(0.0, 0.5, 40), 9)
    assert typical_quantile(values, owner, 0.98, 40) == pytest.approx(4.5, abs=0.02)


@pytest.mark.parametrize("share", [0.98, 0.05])
def test_of_clients_that_ask_little_it_is_that_of_all_rows_but_the_worst_clients(
    share: float,
) -> None:
    values = np.random.default_rng(0).normal(size=6000)
    expected = typical_quantile(values, rows(1000, 6), share, 40)
    assert expected == pytest.approx(np.quantile(values, share), abs=0.05)
    wild = np.append(values, np.full(39, 99.0 if share > 0.5 else -99.0))
    owner = np.append(rows(1000, 6), np.full(39, 1000))
    assert typical_quantile(wild, owner, share, 40) == pytest.approx(expected, abs=0.02)


def test_a_single_client_that_asks_enough_does_not_speak_for_all() -> None:
    values = np.append(np.random.default_rng(1).normal(size=600), np.full(400, 99.0))
    owner = np.append(rows(100, 6), np.full(400, 100))
    found = typical_quantile(values, owner, 0.98, 40)
    assert found is not None
    assert found < 5.0


def test_too_few_values_say_nothing() -> None:
    assert typical_quantile(np.zeros(0), rows(0, 0), 0.98, 40) is None
    assert typical_quantile(np.zeros(12), rows(6, 2), 0.98, 40) is None
