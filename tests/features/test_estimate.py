"""Estimates must err on the side of measuring, whatever the values."""

import numpy as np
import pytest
from numpy.typing import NDArray

from detector.features.estimate import (
    CHANGES,
    ESTIMATE,
    SQUARES,
    may_align,
    may_centre,
    project_all,
    resemble_all,
)
from detector.features.geometry import apartness, compare
from detector.features.lens import make_room
from detector.features.relation import lies_apart
from detector.features.remember import Memory
from detector.features.state import MOST_SLOTS, REMEMBERED, blank_row
from tests.features.watcher import CAR, GAP

SIZES = (1e-20, 1e-6, 1.0, 1e9, 1e30)
ODD = np.array([GAP, CAR, 1e29, -1e29, np.inf, 0.0], dtype=np.float32)


@pytest.mark.parametrize("width", [1, 7, 30, 64])
@pytest.mark.parametrize("odd", [0.0, 0.1])
def test_the_estimate_of_a_distance_agrees_with_the_distance(width: int, odd: float) -> None:
    rng = np.random.default_rng(2)
    order, room = np.ones(MOST_SLOTS, dtype=np.int32), make_room()
    for z in rng.normal(size=(20, width)).astype(np.float32):
        queries = np.repeat(z[None], MOST_SLOTS, axis=0)
        queries += (rng.normal(size=queries.shape) * (rng.random(queries.shape) < 0.5)).astype("f4")
        queries[rng.random(queries.shape) < odd] = rng.choice(ODD)
        z[rng.random(width) < odd] = rng.choice(ODD)
        bound = resemble_all(z, queries, order, room)
        exact = [compare(z, query, np.inf) for query in queries]
        for m, (changed, _, square) in enumerate(exact):
            assert room[CHANGES, m] == changed
            assert abs(room[SQUARES, m] - square) <= ESTIMATE * square
        squares = [square for changed, _, square in exact if changed]
        if squares:
            nearest = [m for m, found in enumerate(exact) if found[2] == min(squares)]
            assert all(room[SQUARES, m] <= bound for m in nearest)


def test_slots_that_hold_nothing_are_passed_over() -> None:
    order, room = np.zeros(MOST_SLOTS, dtype=np.int32), make_room()
    queries = np.zeros((MOST_SLOTS, 3), dtype=np.float32)
    assert resemble_all(np.ones(3, dtype=np.float32), queries, order, room) == np.inf
    order[-1] = 1
    project_all(1.0, 2.0, np.zeros((MOST_SLOTS, 2), dtype=np.float32), order, room)
    assert not may_align(MOST_SLOTS - 1, 0.0, room)


@pytest.mark.parametrize("width", [1, 7, 30, 64])
def test_what_lies_apart_is_told_as_if_all_were_measured(width: int) -> None:
    rng = np.random.default_rng(4)
    client, room = blank_row(width), make_room()
    held = Memory(*(getattr(client, name) for name in REMEMBERED))
    for filled in (1, len(held.order) // 2, len(held.order)):
        held.order[:filled] = 1
        for z in rng.normal(size=(20, width)).astype(np.float32):
            held.queries[:filled] = rng.normal(size=(filled, width))
            held.queries[rng.random(held.queries.shape) < 0.1] = CAR
            resemble_all(z, held.queries, held.order, room)
            exact = apartness(z, held.queries, held.order)
            squares = [compare(z, query, np.inf)[2] for query in held.queries[:filled]]
            assert exact == pytest.approx(np.mean(squares))
            for limit in (0.9 * exact, np.nextafter(exact, 0.0)):
                assert lies_apart(z, held, limit, room)
            for limit in (exact, np.nextafter(exact, 99.0), 1.1 * exact, np.inf):
                assert not lies_apart(z, held, limit, room)


def images(size: float, seed: int) -> NDArray[np.float32]:
    """Images of remembered queries, some of which lie on lines and about centres with others."""
    rng = np.random.default_rng(seed)
    lines = size * rng.normal(size=(MOST_SLOTS, 2))
    for m in range(2, MOST_SLOTS, 3):
        share = rng.choice([-1.0, 0.5, 2.0, 1.0])
        lines[m] = share * lines[m - 1] + (1.0 - share) * lines[m - 2]
    return lines.astype(np.float32)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("noise", [0.0, 1e-3])
def test_no_line_is_missed(size: float, noise: float) -> None:
    order, room, found = np.ones(MOST_SLOTS, dtype=np.int32), make_room(), 0
    for seed in range(30):
        lines = images(size, seed)
        first, second = (float(x) for x in lines[5] + 0.5 * (lines[9] - lines[5]))
        project_all(first, second, lines, order, room)
        a, b = first - lines[:, 0].astype(float), second - lines[:, 1].astype(float)
        left, right = a[:, None] * b[None], b[:, None] * a[None]
        slack = 1e-12 + 3.0 * noise * (abs(a) + abs(b))[:, None]
        on_line = np.tril(abs(left - right) <= 4e-3 * (abs(left) + abs(right)) + slack, -1)
        for j in np.flatnonzero(on_line.any(axis=1)):
            assert may_align(j, noise, room)
            found += 1
    assert found


@pytest.mark.parametrize("size", SIZES)
def test_no_centre_is_missed(size: float) -> None:
    order, room, found = np.ones(MOST_SLOTS, dtype=np.int32), make_room(), 0
    for seed in range(30):
        lines = images(size, seed)
        wide = lines.astype(float)
        first, second = wide[4] + wide[7] - wide[11]
        project_all(first, second, lines, order, room)
        place = np.array([first, second]) + wide[11]
        within = 2e-2 * (abs(first) + abs(second))
        off = abs(place - wide[:, None] - wide[None]).sum(axis=2)
        blurred = 1.001 * within + 2e-6 * (abs(place).sum() + abs(first) + abs(second))
        for j in np.flatnonzero(np.tril(off <= within, -1).any(axis=1)):
            c1, c2 = place - wide[j] - [first, second]
            assert may_centre(j, c1, c2, blurred + 1e-6 * (abs(c1) + abs(c2)), room)
            found += 1
    assert found


def test_most_that_lies_anywhere_needs_no_measuring() -> None:
    order, room = np.ones(MOST_SLOTS, dtype=np.int32), make_room()
    lines = np.random.default_rng(3).normal(size=(MOST_SLOTS, 2)).astype(np.float32)
    project_all(0.3, -0.2, lines, order, room)
    assert sum(may_align(j, 0.0, room) for j in range(MOST_SLOTS)) < MOST_SLOTS / 2
    assert sum(may_centre(j, 0.1, 0.2, 0.01, room) for j in range(MOST_SLOTS)) < MOST_SLOTS / 2
