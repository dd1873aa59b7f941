"""The picture of conspicuous queries, and the traits that are read from it, on plain geometry."""

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.random import Generator
from numpy.typing import NDArray

from detector.features.observation import Probe
from detector.features.state import Trace
from detector.features.trace import FADING
from detector.features.view import RowView
from detector.scoring.traits import Traits, read_traits
from tests.features.watcher import GAP, Watcher, lens

D = 8
Point = NDArray[np.float64]


@pytest.fixture
def rng() -> Generator:
    return np.random.default_rng(17)


def ordinary(client: Watcher, n: int, rng: Generator) -> None:
    """Natural, unrelated queries: in other places than any that the tests probe."""
    for row in 40.0 + 20.0 * rng.normal(size=(n, D)):
        assert client.ask(row, label=1).probe in (Probe.FIRST, Probe.FAR)


def one_centre(rng: Generator, n: int) -> Iterator[Point]:
    """Points around one centre."""
    centre = rng.random(D)
    yield from centre + 0.02 * rng.normal(size=(n, D))


def record_to_record(rng: Generator, n: int) -> Iterator[Point]:
    """A dozen points around each record, records all over the space."""
    for _ in range(-(-n // 12)):
        yield from rng.random(D) + 0.02 * rng.normal(size=(12, D))


def at_random(rng: Generator, n: int) -> Iterator[Point]:
    """Points all over the space."""
    yield from rng.random((n, D))


def traits(client: Watcher) -> Traits:
    return read_traits(RowView(client.table, client.row))


def unnatural(client: Watcher, points: Iterator[Point]) -> Traits:
    """Ask points that break relations; labels change with every one of them."""
    for i, point in enumerate(points):
        client.ask(point, label=i % 2, p_value=0.001, broken=1)
    return traits(client)


def test_ordinary_queries_change_nothing_in_the_picture(rng: Generator) -> None:
    client = Watcher(lens(D))
    ordinary(client, 5, rng)
    unnatural(client, at_random(rng, 30))
    before = client.table.trace.copy()
    ordinary(client, 1000, rng)
    np.testing.assert_array_equal(client.table.trace, before)


def test_a_life_without_anything_conspicuous_leaves_no_picture(rng: Generator) -> None:
    client = Watcher(lens(D))
    ordinary(client, 1000, rng)
    client.ask(None)
    assert not client.table.trace.any()
    assert traits(client).queries == 0.0


def test_older_conspicuous_queries_fade(rng: Generator) -> None:
    client = Watcher(lens(D))
    unnatural(client, at_random(rng, 50))
    assert client.trace(Trace.SUM) == pytest.approx((1 - FADING**50) / (1 - FADING), rel=1e-4)
    unnatural(client, at_random(rng, 2000))
    assert client.trace(Trace.SUM) == pytest.approx(1 / (1 - FADING), rel=1e-3)


@pytest.mark.parametrize("between", [0, 3])
@pytest.mark.parametrize("before", [0, 500])
def test_what_came_before_or_between_does_not_hide_the_shape(
    before: int, between: int, rng: Generator
) -> None:
    for shape, low, high in ((one_centre, 0.0, 0.1), (at_random, 0.3, 0.5)):
        client = Watcher(lens(D, near=0.2))
        ordinary(client, before, rng)
        for i, point in enumerate(shape(rng, 100)):
            client.ask(point, label=i % 2, p_value=0.001, broken=1)
            ordinary(client, between, rng)
        assert low <= traits(client).spread <= high


def test_one_centre_has_a_small_spread_and_steps_as_long(rng: Generator) -> None:
    seen = unnatural(Watcher(lens(D, near=0.2)), one_centre(rng, 120))
    assert seen.spread < 0.1
    assert seen.ratio == pytest.approx(1.0, abs=0.15)
    assert seen.local > 0.9
    assert seen.switches < 0.1


def test_from_record_to_record_steps_are_shorter_than_the_spread(rng: Generator) -> None:
    seen = unnatural(Watcher(lens(D, near=0.2)), record_to_record(rng, 240))
    assert seen.spread > 0.25
    assert seen.ratio < 0.5
    assert seen.switches < 0.3


def test_random_points_are_as_far_from_each_other_as_the_space_is_wide(rng: Generator) -> None:
    seen = unnatural(Watcher(lens(D, near=0.2)), at_random(rng, 200))
    assert seen.spread == pytest.approx(1 / np.sqrt(6), abs=0.05)
    assert seen.ratio == pytest.approx(1.0, abs=0.1)
    assert seen.lone > 0.9
    assert seen.local == 0.0


def test_probed_records_are_natural_where_their_own_query_was(rng: Generator) -> None:
    for p_value, natural in ((0.5, 1.0), (0.001, 0.0)):
        client = Watcher(lens(D, near=0.2))
        for _ in range(6):
            record = 30 * rng.normal(size=D)
            client.ask(record, p_value=p_value)
            for _ in range(8):
                client.ask(record + 0.02 * rng.normal(size=D), p_value=0.001)
        assert traits(client).natural == natural
        assert traits(client).homes == 6 * natural


def test_searches_of_one_field_are_counted_apart_from_close_queries() -> None:
    client = Watcher(lens(D))
    base = np.arange(D, dtype=float)
    client.ask(base)
    for field in range(D):
        left_out = base.copy()
        left_out[field] = GAP
        client.ask(left_out)
    seen = traits(client)
    assert (seen.one_field, seen.searching, seen.local, seen.lone) == (1.0, 1.0, 0.0, 0.0)


def test_a_steady_label_shows_among_close_and_lone_queries_alike(rng: Generator) -> None:
    for shape in (one_centre, at_random):
        for labels, same in (((1, 1), 1.0), ((0, 1), 0.0)):
            client = Watcher(lens(D, near=0.2))
            for i, point in enumerate(shape(rng, 150)):
                client.ask(point, label=labels[i % 2], p_value=0.001, broken=1)
            assert traits(client).same == pytest.approx(same, abs=0.05)
