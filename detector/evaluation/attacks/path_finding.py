"""Tree path-finding, complete and with incomplete queries.

Tramèr et al., "Stealing Machine Learning Models via Prediction APIs", USENIX Security 2016,
Algorithm 1, with its category split (section 4.2).

`shuffled` is the same search by someone who varies it: fields in random order, bisection near the
middle instead of at it.

A leaf is known by the answer it gives. From a row in a new leaf every field is searched for the
values at which the answer changes; a row beyond each change is searched in its turn.
"""

from collections import deque

import numpy as np

from detector.evaluation.attacks.attack import Attacker
from detector.evaluation.datasets import Coded, Field

PRECISION = 1 / 128
INTERVALS = 24


def _leaf(attacker: Attacker, row: Coded) -> tuple[float, ...]:
    answers = attacker.oracle.ask(row)
    return (float(answers.labels[0]), *answers.scores[0].tolist())


def _with(row: Coded, column: int, value: float) -> Coded:
    changed = row.copy()
    changed[column] = value
    return changed


def _middle(low: float, high: float, field: Field, share: float) -> float:
    """Return the value at that share of an interval, a whole number strictly inside if need be."""
    middle = low + share * (high - low)
    if field.decimals == 0:
        return float(np.clip(np.floor(middle), low + 1, high - 1))
    return middle


def _line_search(
    attacker: Attacker, row: Coded, column: int, field: Field, *, shuffled: bool
) -> list[Coded]:
    """Bisect the field's range until each change of the answer is known; rows beyond changes."""
    smallest = max((field.high - field.low) * PRECISION, 10.0**-field.decimals)
    ends = [field.low, field.high]
    ids = [_leaf(attacker, _with(row, column, value)) for value in ends]
    stack = [(ends[0], ids[0], ends[1], ids[1])]
    found: list[Coded] = []
    while stack and len(found) < INTERVALS:
        low, id_low, high, id_high = stack.pop()
        if id_low == id_high or high - low <= smallest:
            if id_low != id_high:
                found.append(_with(row, column, high))
            continue
        share = float(attacker.rng.uniform(0.4, 0.6)) if shuffled else 0.5
        middle = _middle(low, high, field, share)
        id_middle = _leaf(attacker, _with(row, column, middle))
        stack += [(low, id_low, middle, id_middle), (middle, id_middle, high, id_high)]
    return found


def _category_split(
    attacker: Attacker, row: Coded, column: int, field: Field, *, shuffled: bool
) -> list[Coded]:
    """Ask for every category; one row for each answer seen."""
    codes = np.arange(len(field.categories), dtype=np.float64)
    if shuffled:
        codes = attacker.rng.permutation(codes)
    rows = [_with(row, column, code) for code in codes.tolist()]
    seen = {_leaf(attacker, candidate): candidate for candidate in rows}
    return list(seen.values())


def _explore(attacker: Attacker, start: Coded, *, shuffled: bool = False) -> None:
    fields = attacker.oracle.target.dataset.fields
    queue, seen = deque([start]), set()
    while queue:
        row = queue.popleft()
        leaf = _leaf(attacker, row)
        if leaf in seen:
            continue
        seen.add(leaf)
        columns = np.flatnonzero([field.high > field.low for field in fields])
        if shuffled:
            columns = attacker.rng.permutation(columns)
        for column in columns.tolist():
            field = fields[column]
            search = _category_split if field.is_categorical else _line_search
            queue.extend(search(attacker, row, column, field, shuffled=shuffled))


def complete(attacker: Attacker) -> None:
    """Search from a random point, every query with all fields."""
    _explore(attacker, attacker.space.decode(attacker.rng.random(attacker.space.size))[0])


def natural_start(attacker: Attacker) -> None:
    """Search from a natural record."""
    _explore(attacker, attacker.natural[attacker.rng.integers(len(attacker.natural))])


def shuffled(attacker: Attacker) -> None:
    """Search from a natural record, fields in random order, bisecting near the middle."""
    start = attacker.natural[attacker.rng.integers(len(attacker.natural))]
    _explore(attacker, start, shuffled=True)


def incomplete(attacker: Attacker) -> None:
    """Search from the empty record, setting one field after another (incomplete queries).

    Where that finds little, search goes on from natural records with half of the fields left out.
    """
    _explore(attacker, np.full(attacker.natural.shape[1], np.nan))
    while attacker.oracle.left:
        start = attacker.natural[attacker.rng.integers(len(attacker.natural))].copy()
        start[attacker.rng.random(len(start)) < 0.5] = np.nan
        _explore(attacker, start)
