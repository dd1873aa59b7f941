"""Fields taken in turn, and people who come back to a field by chance."""

from collections.abc import Iterable

import numpy as np
import pytest

from detector.features.turns import follow_turns


def gains(fields: Iterable[int], width: int) -> list[float]:
    """The log evidence of each change; no field twice in a row, as the kernel sees to."""
    turns = np.zeros(2, dtype=np.int64)
    return [follow_turns(field, width, turns) for field in fields]


def changes(rng: np.random.Generator, among: int, number: int) -> list[int]:
    """Fields changed at random, never the same twice in a row."""
    chosen = [int(rng.integers(among))]
    while len(chosen) < number:
        field = int(rng.integers(among))
        if field != chosen[-1]:
            chosen.append(field)
    return chosen


@pytest.mark.parametrize(("width", "rounds"), [(6, 5), (13, 3), (30, 2), (64, 1)])
def test_rounds_through_all_fields_soon_are_no_chance(width: int, rounds: int) -> None:
    assert sum(gains([*range(width)] * rounds, width)) > 9.0


def test_the_order_of_a_round_does_not_matter() -> None:
    rng = np.random.default_rng(0)
    shuffled = rng.permutation(20).tolist()
    assert sum(gains(shuffled, 20)) == pytest.approx(sum(gains(range(20), 20)))


def test_rounds_through_some_of_the_fields_tell_too() -> None:
    assert sum(gains([*range(8)] * 4, 30)) > 9.0


def test_coming_back_to_a_field_before_its_turn_speaks_against_it() -> None:
    assert gains([0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 0], 8)[-1] < -1.0


@pytest.mark.parametrize(("width", "among"), [(4, 4), (12, 12), (40, 40), (40, 12), (40, 3)])
def test_changes_at_random_reach_much_evidence_as_rarely_as_promised(
    width: int, among: int
) -> None:
    rng = np.random.default_rng(width)
    people = 2_000
    reached = sum(
        float(np.cumsum(gains(changes(rng, among, 120), width)).max()) >= np.log(50.0)
        for _ in range(people)
    )
    assert reached <= people / 50 + 3 * np.sqrt(people / 50)
