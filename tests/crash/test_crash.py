"""A short campaign in every run of the tests; `make crash` runs a long one."""

import random
import time
from collections.abc import Callable

import pytest

from tests.crash.campaign import Ground, demo_bodies, disturbed, new_topic, undisturbed
from tests.crash.crew import Crew
from tests.crash.left import Left


@pytest.fixture(scope="module")
def ground(kafka_bootstrap: str, postgres_url: str) -> Ground:
    return Ground(kafka_bootstrap, postgres_url, demo_bodies(20_000))


def run(ground: Ground, seconds: float, disturb: Callable[[Crew], None]) -> tuple[Left, Left, Crew]:
    topic = new_topic(ground.kafka)
    found, crew = disturbed(ground, topic, seconds, disturb)
    return found, undisturbed(ground, topic), crew


def test_workers_that_are_killed_lose_and_double_nothing(ground: Ground) -> None:
    chance = random.Random(1)

    def kill(crew: Crew) -> None:
        time.sleep(chance.uniform(0.5, 3.0))
        if crew.kills < 6:
            crew.kill()

    found, expected, crew = run(ground, 16.0, kill)
    assert crew.kills == 6
    assert expected.incidents
    assert expected.letters
    assert found.differences(expected) == []
    assert max(crew.stop_seconds) < 10


def test_a_worker_that_was_frozen_writes_nothing_that_is_not_its_own(ground: Ground) -> None:
    def freeze(crew: Crew) -> None:
        time.sleep(3.0)
        with crew.frozen(crew.any()):
            time.sleep(8.0)

    found, expected, _ = run(ground, 12.0, freeze)
    assert found.differences(expected) == []
