import numpy as np
import pytest
from numpy.typing import NDArray

from detector.features.span import SPAN
from tests.features.watcher import Watcher, lens, uncalibrated

D = 20
Rows = NDArray[np.float64]


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(5)


def generated(rng: np.random.Generator, latent: int, n: int = 40) -> Rows:
    """Points that a linear generator makes of `latent` numbers."""
    return rng.normal(size=(n, latent)) @ rng.normal(size=(latent, D)) + rng.normal(size=D)


def aligned(rows: Rows, *, p_value: float = 0.01, calibrated: bool = True) -> list[bool]:
    """Whether each of one client's queries is; a low p-value makes them conspicuous."""
    client = Watcher(lens(D) if calibrated else uncalibrated(D))
    return [client.ask(row, p_value=p_value).aligned for row in rows]


def test_points_of_a_generator_are_aligned_once_enough_are_remembered(
    rng: np.random.Generator,
) -> None:
    seen = aligned(generated(rng, 6))
    assert not any(seen[: SPAN + 1])
    assert all(seen[SPAN + 1 :])


def test_clipped_fields_do_not_hide_them(rng: np.random.Generator) -> None:
    rows = generated(rng, 6)
    rows[:, :5] = np.clip(rows[:, :5], -0.2, 0.2)
    assert np.mean(aligned(rows)[SPAN + 1 :]) > 0.8


def test_ordinary_queries_between_them_do_not_hide_them(rng: np.random.Generator) -> None:
    client = Watcher(lens(D))
    seen = []
    for row in generated(rng, 6, 60):
        client.ask(rng.normal(size=D))
        seen.append(client.ask(row, p_value=0.01).aligned)
    assert all(seen[SPAN + 1 :])


@pytest.mark.parametrize("latent", [SPAN + 2, D])
def test_points_of_more_dimensions_are_not(rng: np.random.Generator, latent: int) -> None:
    assert not any(aligned(generated(rng, latent)))


def test_a_smooth_process_is_not(rng: np.random.Generator) -> None:
    ramp = np.linspace(0.0, 9.0, 40)[:, None] * rng.normal(size=D)
    assert not any(aligned(ramp + 1e-4 * rng.normal(size=(40, D))))


def test_inconspicuous_queries_are_not_compared(rng: np.random.Generator) -> None:
    assert not any(aligned(generated(rng, 6), p_value=0.5))


def test_nothing_counts_without_a_reference(rng: np.random.Generator) -> None:
    assert not any(aligned(generated(rng, 6), calibrated=False))
