"""Which queries stay in a client's memory."""

from collections.abc import Sequence

import numpy as np
import pytest

from detector.features.observation import Probe
from detector.features.remember import Memory, remember
from detector.features.state import AT_HOME, KEPT, STATS, ClientTable
from tests.features.watcher import Watcher, lens

WIDTH = 2
RING = len(ClientTable(WIDTH, 1).order[0]) // 2


class Client:
    """One client's memory, whose queries hold their own ordinal."""

    def __init__(self) -> None:
        table = ClientTable(WIDTH, 1)
        self.held = Memory(*table.row(0)[: len(Memory._fields)])
        self.stats = np.zeros(STATS)
        self.count = 0

    def take(self, n: int, mark: int = 0) -> None:
        """Remember n queries with that mark."""
        for _ in range(n):
            self.count += 1
            z = np.full(WIDTH, self.count, dtype=np.float32)
            line = (float(self.count), float(-self.count))
            remember(z, self.count % 7, line, 0, mark, self.held, self.stats)

    def ordinals(self) -> Sequence[int]:
        """Which queries are held, by slot."""
        return [int(order) for order in self.held.order]

    def older(self) -> set[int]:
        """Which of them left the ring."""
        return set(self.ordinals()[RING:]) - {0}


@pytest.fixture
def client() -> Client:
    return Client()


@pytest.mark.parametrize("n", [1, RING, RING + 1, 10 * RING + 3])
def test_the_ring_holds_the_newest_queries(client: Client, n: int) -> None:
    client.take(n)
    newest = set(range(max(n - RING, 0) + 1, n + 1))
    assert set(client.ordinals()[:RING]) - {0} == newest


def test_a_slot_holds_all_of_one_query(client: Client) -> None:
    client.take(40, KEPT)
    client.take(500)
    held = client.held
    for slot, n in enumerate(client.ordinals()):
        assert (held.queries[slot] == n).all()
        assert held.lines[slot].tolist() == [n, -n]
        assert held.labels[slot] == n % 7
        assert held.roots[slot] == n
        assert bool(held.marks[slot] & KEPT) is (n <= 40)


def test_a_new_query_is_the_root_of_its_family_unless_it_has_one(client: Client) -> None:
    client.take(3)
    z = np.zeros(WIDTH, dtype=np.float32)
    remember(z, 0, (0.0, 0.0), 2, 0, client.held, client.stats)
    assert client.held.roots[:4].tolist() == [1, 2, 3, 2]


def test_conspicuous_queries_survive_ordinary_ones(client: Client) -> None:
    client.take(100)
    client.take(RING, KEPT)
    client.take(200)
    assert client.older() == set(range(101, 101 + RING))


def test_conspicuous_queries_push_out_the_ordinary_first(client: Client) -> None:
    client.take(300)
    client.take(4, KEPT)
    client.take(RING)
    assert {301, 302, 303, 304} <= client.older()
    assert sum(n <= 300 for n in client.older()) == RING - 4


def test_newer_conspicuous_queries_take_the_place_of_older_ones(client: Client) -> None:
    client.take(RING, KEPT)
    client.take(2000, KEPT)
    assert min(client.older()) > RING


def test_the_home_outlives_any_number_of_conspicuous_queries(client: Client) -> None:
    client.take(1, AT_HOME)
    client.take(3000, KEPT)
    assert 1 in client.older()


def test_ordinary_queries_are_a_sample_of_the_whole_life(client: Client) -> None:
    """Over lives of many lengths the mean age of what is held is about half the life."""
    shares = []
    for _ in range(60):
        client.take(37)
        if client.count > 20 * RING:
            shares += [n / client.count for n in client.older()]
    assert 0.3 < np.mean(shares) < 0.7
    assert min(shares) < 0.2
    assert max(shares) > 0.8


def test_what_is_held_depends_on_the_queries_alone() -> None:
    one, two = Client(), Client()
    for client in (one, two):
        client.take(70)
        client.take(5, KEPT)
        client.take(400)
    for a, b in zip(one.held, two.held, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("ordinary", [0, 200])
def test_an_attack_is_recognised_across_ordinary_queries(ordinary: int) -> None:
    """A line is still seen when many ordinary queries come between its points."""
    rng = np.random.default_rng(5)
    client = Watcher(lens(6, apart=1e9))
    a, b = 5 * rng.normal(size=(2, 6))
    client.ask(a, p_value=0.001)
    client.ask(b, p_value=0.001)
    client.ask_all(20 * rng.normal(size=(ordinary, 6)))
    assert client.ask(a + 0.3 * (b - a)).probe is Probe.COLLINEAR
