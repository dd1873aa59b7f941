"""That the simulator sees what it should, and a few seeds; `make test` runs thousands beside."""

import pytest
from msgspec.structs import replace

from tests.simulation.logs import PARTITIONS, VARIANTS
from tests.simulation.outcome import expected, left, simulate
from tests.simulation.world import World


@pytest.mark.parametrize("variant", range(VARIANTS))
def test_the_log_has_something_to_lose(variant: int) -> None:
    found = expected(variant)
    assert found.incidents
    assert found.messages
    assert found.letters
    assert found.profiles


@pytest.mark.parametrize("seed", range(24))
def test_whatever_goes_wrong_the_outcome_is_the_same(seed: int) -> None:
    simulate(seed, VARIANTS)


@pytest.mark.parametrize("seed", [5, 6, 7, 8])
def test_a_seed_repeats_itself(seed: int) -> None:
    assert simulate(seed, VARIANTS) == simulate(seed, VARIANTS)


def test_a_record_that_is_taken_for_another_would_be_noticed() -> None:
    world = World(seed=1, variant=1)
    partition = PARTITIONS[1]
    spoilt = list(world.log[partition])
    spoilt[7] = replace(spoilt[7], value=b"{poison")
    world.log = {**world.log, partition: spoilt}
    world.run(workers=1)
    differing = left(world).differences(expected(1))
    assert {"letters", "positions", "states"} <= set(differing)
