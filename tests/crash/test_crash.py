"""A short campaign in every run of the tests; `make crash` runs a long one."""

import random
import time
from collections.abc import Callable

import pytest

from tests.crash.campaign import Campaign, Ground, demo_bodies, disturbed, new_topic, undisturbed
from tests.crash.crew import Crew
from tests.crash.left import Left
from tests.services.gate import Gate


@pytest.fixture(scope="module")
def ground(kafka_bootstrap: str, postgres_url: str) -> Ground:
    return Ground(kafka_bootstrap, postgres_url, demo_bodies(20_000))


def run(
    ground: Ground, seconds: float, disturb: Callable[[Crew, Gate], None], named: bool = True
) -> tuple[Campaign, Left]:
    topic = new_topic(ground.kafka)
    made = disturbed(ground, topic, seconds, disturb, named)
    return made, undisturbed(ground, topic)


def test_workers_that_are_killed_lose_and_double_nothing(ground: Ground) -> None:
    chance = random.Random(1)

    def kill(crew: Crew, gate: Gate) -> None:
        time.sleep(chance.uniform(0.5, 3.0))
        if crew.disturbances < 6:
            crew.kill()

    made, expected = run(ground, 16.0, kill)
    assert made.crew.disturbances == 6
    assert expected.incidents
    assert expected.letters
    assert made.left.differences(expected) == []
    assert max(made.crew.stop_seconds) < 10


def test_a_worker_that_was_frozen_writes_nothing_that_is_not_its_own(ground: Ground) -> None:
    def freeze(crew: Crew, gate: Gate) -> None:
        time.sleep(3.0)
        with crew.frozen(crew.any()):
            time.sleep(8.0)

    made, expected = run(ground, 12.0, freeze)
    assert made.crew.disturbances > 0
    assert made.left.differences(expected) == []


def test_workers_that_come_and_go_and_a_database_that_goes_away(ground: Ground) -> None:
    def restart(crew: Crew, gate: Gate) -> None:
        time.sleep(2.0)
        crew.restart()
        with gate.shut():
            time.sleep(2.0)

    made, expected = run(ground, 12.0, restart, named=False)
    assert made.crew.disturbances > 0
    assert made.left.differences(expected) == []
