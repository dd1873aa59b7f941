import numpy as np
import pytest

from detector.features.observe import Lens
from tests.features.watcher import Watcher, lens, uncalibrated

CENTRE = (0.137, -1.291, 0.753, 2.218)


def moved(**steps: float) -> tuple[float, ...]:
    """The centre with these fields moved, by name `f0` to `f3`."""
    return tuple(value + steps.get(f"f{j}", 0.0) for j, value in enumerate(CENTRE))


def crossed(view: Lens, second: float, *, ask_centre: bool = False) -> list[bool]:
    """Whether each query of a pair in one field and then one in another is aligned."""
    client = Watcher(view)
    if ask_centre:
        client.ask(moved())
    pairs = [moved(f0=0.02), moved(f0=-0.02), moved(f2=0.31), moved(f2=second)]
    return [client.ask(query).aligned for query in pairs]


class TestCross:
    @pytest.mark.parametrize("ask_centre", [True, False])
    def test_symmetric_pairs_in_two_fields_are_aligned(self, ask_centre: bool) -> None:
        assert crossed(lens(4), -0.31, ask_centre=ask_centre) == [False, False, False, True]

    def test_any_two_values_of_a_field_are_not(self) -> None:
        assert not any(crossed(lens(4), -0.29, ask_centre=True))

    def test_coarse_values_halve_each_other_by_chance(self) -> None:
        client = Watcher(lens(4, grid=(1.0,) * 4))
        queries = [(5, 5, 5, 5), (4, 5, 5, 5), (6, 5, 5, 5), (5, 5, 4, 5), (5, 5, 6, 5)]
        assert not any(client.ask(query).aligned for query in queries)

    def test_values_off_a_coarse_grid_were_not_rounded_to_it(self) -> None:
        assert crossed(lens(4, grid=(0.5,) * 4), -0.31)[-1]

    def test_few_values_are_coarse_without_a_grid(self) -> None:
        view = lens(4)._replace(lattice=np.full(4, 0.3))
        assert not any(crossed(view, -0.31, ask_centre=True))

    def test_nothing_is_known_of_grids_without_a_reference(self) -> None:
        assert not any(crossed(uncalibrated(4), -0.31, ask_centre=True))
