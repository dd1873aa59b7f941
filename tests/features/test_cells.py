import numpy as np
from numpy.typing import NDArray

from detector.features import cells
from detector.features.lens import make_room
from tests.features.watcher import CAR, GAP


def nearest_cell(z: NDArray[np.float32], across: NDArray[np.float64]) -> int:
    coarse = across.astype(np.float32)
    return int(cells.nearest_cell(z, across, coarse, make_room()))


def row(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


def test_the_nearest_cell_agrees_with_the_plain_distance() -> None:
    rng = np.random.default_rng(1)
    for width in (1, 5, 30, 64):
        centroids = rng.normal(size=(16, width))
        for z in rng.normal(size=(50, width)).astype(np.float32):
            expected = np.argmin(((centroids - z) ** 2).sum(axis=1))
            assert nearest_cell(z, np.ascontiguousarray(centroids.T)) == expected


def test_what_lies_closer_together_than_an_estimate_can_tell_is_told_apart() -> None:
    rng = np.random.default_rng(2)
    for _ in range(200):
        z = rng.normal(size=8).astype(np.float32)
        centroids = np.repeat(z[None] + rng.normal(size=(1, 8)), 12, axis=0)
        centroids += 1e-9 * rng.normal(size=centroids.shape)
        exact = np.zeros(12)
        for j in range(8):
            exact += (np.float64(z[j]) - centroids[:, j]) ** 2
        assert nearest_cell(z, np.ascontiguousarray(centroids.T)) == np.argmin(exact)


def test_the_first_of_equal_cells_is_taken() -> None:
    assert nearest_cell(row(0.0), np.array([[2.0, 1.0, -1.0, 1.0]])) == 1


def test_the_nearest_cell_takes_gaps_categories_and_wild_values() -> None:
    across = np.array([[0.0, 10.0], [0.0, 0.0]])
    assert nearest_cell(row(GAP, CAR), across) == 0
    assert nearest_cell(row(1e20, GAP), across) == 1
