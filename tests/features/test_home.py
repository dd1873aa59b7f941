"""The record that conspicuous queries go out from or lead to."""

from collections.abc import Iterable

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from detector.features.home import HOMELESS, LONG_STAY
from detector.features.view import RowView
from detector.scoring.traits import Traits, read_traits
from tests.features.watcher import Watcher, lens

D = 8
Point = NDArray[np.float64]


@pytest.fixture
def rng() -> Generator:
    return np.random.default_rng(23)


@pytest.fixture
def client() -> Watcher:
    return Watcher(lens(D, near=0.05))


def attack(client: Watcher, points: Iterable[Point], label: int = 0) -> Traits:
    """Ask conspicuous points; return the traits then."""
    for point in points:
        client.ask(point, label=label, p_value=0.001, broken=1)
    return read_traits(RowView(client.table, client.row))


def around(record: Point, rng: Generator, n: int = 60, size: float = 0.1) -> Point:
    """Points in a cube around a record."""
    return record + size * rng.uniform(-1, 1, size=(n, D))


def test_what_goes_about_a_record_is_at_home_there(client: Watcher, rng: Generator) -> None:
    record = rng.random(D)
    client.ask(record)
    seen = attack(client, around(record, rng))
    assert seen.home == pytest.approx(0.1 / np.sqrt(3), rel=0.2)
    assert seen.away == pytest.approx(1 / np.sqrt(2), abs=0.15)
    assert (seen.homes, seen.moves, seen.beyond) == (1, 0.0, 0.0)


def test_made_up_inputs_have_no_home(client: Watcher, rng: Generator) -> None:
    seen = attack(client, around(rng.random(D), rng))
    assert seen.home == pytest.approx(HOMELESS)
    assert seen.homes == 0


def test_other_ordinary_queries_do_not_take_the_home_over(client: Watcher, rng: Generator) -> None:
    record = rng.random(D)
    client.ask(record)
    for point in around(record, rng, 200):
        attack(client, [point])
        client.ask(20.0 * rng.normal(size=D))
    assert attack(client, around(record, rng, 1)).homes == 1


def test_the_home_is_known_however_long_the_attack_lasts(client: Watcher, rng: Generator) -> None:
    record = rng.random(D)
    client.ask(record)
    assert attack(client, around(record, rng, 3000)).home < 0.1


def test_every_record_that_is_gone_about_for_long_is_a_home(
    client: Watcher, rng: Generator
) -> None:
    for homes in range(1, 6):
        record = 3.0 * rng.random(D)
        client.ask(record)
        assert attack(client, around(record, rng, LONG_STAY)).homes == homes
    assert attack(client, []).moves > 0.0


def test_a_short_stay_makes_no_home(client: Watcher, rng: Generator) -> None:
    for _ in range(6):
        record = 3.0 * rng.random(D)
        client.ask(record)
        seen = attack(client, around(record, rng, LONG_STAY - 1))
    assert seen.homes == 0
    assert seen.moves == pytest.approx(5 / 42, rel=0.2)


def test_labels_tell_which_side_of_the_home_is_probed(client: Watcher, rng: Generator) -> None:
    record = rng.random(D)
    client.ask(record, label=1)
    assert attack(client, around(record, rng, 30), label=1).beyond == 0.0
    assert attack(client, around(record, rng, 90), label=2).beyond > 0.7


def test_strange_records_are_nobodys_home(client: Watcher, rng: Generator) -> None:
    record = rng.random(D)
    client.ask(record, p_value=0.001)
    assert attack(client, around(record, rng)).homes == 0


def test_what_is_asked_beside_a_record_is_no_other_record(client: Watcher, rng: Generator) -> None:
    record = rng.random(D)
    client.ask(record)
    client.ask(record + 0.03)
    assert attack(client, around(record + 0.03, rng, 20, 0.005)).home == pytest.approx(
        0.03, abs=0.01
    )


def test_many_conspicuous_queries_right_behind_a_record_are_a_visit(
    client: Watcher, rng: Generator
) -> None:
    for visits in range(1, 4):
        record = 3.0 * rng.random(D)
        client.ask(record)
        seen = attack(client, around(record, rng, LONG_STAY - 1))
        assert (seen.asked, seen.visits) == (visits, visits - 1)
        seen = attack(client, around(record, rng, 3 * LONG_STAY))
        assert (seen.asked, seen.visits) == (visits, visits)


def test_ordinary_work_in_between_is_no_visit(client: Watcher, rng: Generator) -> None:
    record = rng.random(D)
    client.ask(record)
    for point in around(record, rng, 100):
        attack(client, [point])
        client.ask(20.0 * rng.normal(size=D))
    seen = attack(client, [])
    assert seen.asked > 90
    assert seen.visits == 0
