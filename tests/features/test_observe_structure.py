"""What stands in a line, a mirror or near a remembered query, and what does not."""

import numpy as np
import pytest

from detector.features.observation import Probe
from detector.features.state import Stat
from tests.features.watcher import Watcher, lens, uncalibrated

D = 6


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(11)


class TestStructure:
    def test_points_between_two_others_are_collinear(self, rng: np.random.Generator) -> None:
        client = Watcher(lens(D))
        a, b = 5 * rng.normal(size=(2, D))
        client.ask_all([a, b])
        seen = client.ask_all(a + t * (b - a) for t in (0.31, 0.77, 0.12))
        assert seen == [Probe.COLLINEAR] * 3

    def test_lines_are_seen_without_a_reference(self, rng: np.random.Generator) -> None:
        client = Watcher(uncalibrated(D))
        a, b = 5 * rng.normal(size=(2, D))
        client.ask_all([a, b])
        assert client.ask(a + 0.3 * (b - a)).probe is Probe.COLLINEAR

    def test_without_a_reference_values_that_repeat_make_no_structure(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(uncalibrated(D))
        seen = client.ask_all(rng.integers(0, 4, size=(200, D)).astype(float))
        assert not set(seen) & {Probe.COLLINEAR, Probe.SYMMETRIC}

    def test_mirrored_pairs_about_a_point_that_was_asked(self, rng: np.random.Generator) -> None:
        client = Watcher(lens(D))
        center = rng.normal(size=D)
        client.ask(center)
        for step in rng.normal(size=(4, D)):
            client.ask(center + step)
            assert client.ask(center - step).probe is Probe.SYMMETRIC

    def test_pairs_about_a_centre_that_was_never_asked(self, rng: np.random.Generator) -> None:
        client = Watcher(lens(D))
        center = rng.normal(size=D)
        seen = []
        for step in rng.normal(size=(4, D)):
            seen += client.ask_all([center + step, center - step])
        assert seen[3::2] == [Probe.SYMMETRIC] * 3

    def test_rounded_ordinary_values_are_not_searched_for_structure(
        self, rng: np.random.Generator
    ) -> None:
        a, b = np.zeros(D), np.full(D, 8.0)
        plain = Watcher(lens(D, grid=(1.0,) * D, gridded=True))
        assert plain.ask_all([a, b, a + 0.25 * (b - a)])[-1] is Probe.FAR
        broken = Watcher(lens(D, grid=(1.0,) * D, gridded=True))
        broken.ask_all([a, b])
        assert broken.ask(a + 0.25 * (b - a), broken=1).probe is Probe.COLLINEAR
        off = Watcher(lens(D, grid=(1.0,) * D, gridded=True))
        off.ask_all([a, b])
        assert off.ask(a + 0.3 * (b - a)).probe is Probe.COLLINEAR

    def test_independent_queries_are_far(self, rng: np.random.Generator) -> None:
        client = Watcher(lens(D))
        assert client.ask_all(10 * rng.normal(size=(100, D)))[1:] == [Probe.FAR] * 99


class TestNear:
    def test_near_is_told_from_far_by_the_references_distance(
        self, rng: np.random.Generator
    ) -> None:
        base = np.zeros(D)
        step = rng.normal(size=D)
        step /= np.linalg.norm(step)
        client = Watcher(lens(D, near=0.5))
        client.ask(base)
        assert client.ask(base + 0.3 * step).probe is Probe.NEAR
        assert client.ask(base - 9.0 * step + rng.normal(size=D)).probe is Probe.FAR

    def test_a_fixed_distance_from_seed_after_seed_is_a_step(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(D, near=0.5))
        seeds, steps = 20 * rng.normal(size=(2, 6, D))
        client.ask_all(seeds)
        steps *= 0.2 / np.linalg.norm(steps, axis=1, keepdims=True)
        assert client.ask_all(seeds + steps) == [Probe.NEAR] + [Probe.FIXED_STEP] * 5

    def test_a_fixed_distance_that_is_not_near_is_an_equal_step(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(D, near=0.5))
        seeds, steps = 20 * rng.normal(size=(2, 6, D))
        client.ask_all(seeds)
        steps *= 1.0 / np.linalg.norm(steps, axis=1, keepdims=True)
        assert client.ask_all(seeds + steps) == [Probe.FAR] + [Probe.EQUAL_STEP] * 5

    def test_far_from_the_others_on_the_whole_is_scattered_once_there_is_company(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(D, apart=0.8 * D))
        scattered = [client.ask(20 * rng.normal(size=D)).scattered for _ in range(30)]
        assert scattered == [False] * 8 + [True] * 22
        assert client.stat(Stat.SCATTERED) == 22

    def test_what_is_close_to_few_is_scattered_and_what_is_close_to_most_is_not(
        self, rng: np.random.Generator
    ) -> None:
        client = Watcher(lens(D, near=0.01, apart=0.5 * D))
        for _ in range(12):
            assert not client.ask(0.1 * rng.normal(size=D)).scattered
        first = client.ask(20 + 0.1 * rng.normal(size=D))
        assert first.scattered
        assert first.remote
        assert client.ask(20 + 0.1 * rng.normal(size=D)).scattered
        assert not client.ask(0.1 * rng.normal(size=D)).scattered

    def test_remote_is_farther_than_what_is_scattered_already(
        self, rng: np.random.Generator
    ) -> None:
        for limit, remote in ((0.9 * D, False), (0.7 * D, True)):
            client = Watcher(lens(D, apart=limit))
            seen = [client.ask(20 * rng.normal(size=D)) for _ in range(30)]
            assert all(each.scattered for each in seen[8:])
            assert [each.remote for each in seen[8:]] == [remote] * 22

    def test_nothing_is_near_without_a_reference(self, rng: np.random.Generator) -> None:
        client = Watcher(uncalibrated(D))
        seen = client.ask_all(1e-3 * rng.normal(size=(40, D)))
        assert not {Probe.NEAR, Probe.FIXED_STEP, Probe.EQUAL_STEP} & set(seen)
